/* SPDX-License-Identifier: MIT */
/*
 * Memory by host-physical address, as Glasshouse's own page tables map it: the guest's, and
 * Glasshouse's own. Neither function can fault.
 */
#ifndef GH_MONITOR_HOST_MEMORY_H
#define GH_MONITOR_HOST_MEMORY_H

#include "types.h"

/*
 * Copy @n bytes from or to host-physical @hpa. Returns 0, or
 *   -EFAULT  Glasshouse does not map a byte
 *   -EROFS   a byte is of Glasshouse's code or constants, which are never written
 * Then nothing has been written.
 */
int read_host(hpa_t hpa, void *bytes, size_t n);
int write_host(hpa_t hpa, const void *bytes, size_t n);

#define HOST_NOT_MAPPED "this address is not memory that Glasshouse maps"
#define HOST_READ_ONLY  "these are Glasshouse's code and constants, which are never written"

#endif
