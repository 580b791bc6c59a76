/* SPDX-License-Identifier: MIT */
/*
 * Glasshouse's own memory, for gdb to read: the image and the heap.
 */
#ifndef GH_MONITOR_GDB_OWN_H
#define GH_MONITOR_GDB_OWN_H

#include "types.h"

/* Copy at most @n bytes at the linear @address of Glasshouse to @bytes. Returns how many were
 * copied: 0 if the address is in neither. */
size_t own_read(u64 address, void *bytes, size_t n);

#endif
