/* SPDX-License-Identifier: MIT */
/*
 * Glasshouse's memory that this Linux may read, for the programs that show it.
 */
#ifndef OWN_MEMORY_H
#define OWN_MEMORY_H

#include <stddef.h>

#include "log_ring.h"

/* Print the program's name and @why, a sentence, and end with the status 1. */
void fail(const char *why) __attribute__((noreturn));

/* The guest-physical address of what CPUID names as @which; its size in bytes in *@size, 0: there
 * is none. Ends the program with a message if this is not Glasshouse. */
u64 find_own(enum log_ring_of which, size_t *size);

/*
 * Map what CPUID names as @which, and store its size in bytes in *@size. Returns NULL if there is
 * none of it. Ends the program with a message, too, if Linux does not allow it.
 */
const void *map_own(enum log_ring_of which, size_t *size);

#endif
