/* SPDX-License-Identifier: MIT */
/*
 * The tables and the stack of the time before Glasshouse has built its own; see long_mode.S.
 */
#ifndef GH_EARLY_H
#define GH_EARLY_H

#include "bits.h"

/* The top page table: the first 4 GiB of physical memory at 0 and at DIRECT_BASE, the image at
 * IMAGE_BASE. */
extern char boot_pml4[];

/* Call @fn on the stack that ends at @stack_top, and never come back. */
void call_on_stack(u64 stack_top, void (*fn)(void)) __noreturn;

#endif
