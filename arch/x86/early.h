/* SPDX-License-Identifier: MIT */
/*
 * The page tables and the stack that are used until Glasshouse has built its own; see long_mode.S.
 */
#ifndef GH_EARLY_H
#define GH_EARLY_H

#include "bits.h"

/*
 * The PML4 of the boot page tables. They map the first 4 GiB of physical memory at 0 and at
 * DIRECT_BASE, and the image at IMAGE_BASE.
 */
extern char boot_pml4[];

/* The entries of their 2-MiB pages, by address. */
extern u64 boot_pd_low[];

/* Switch to the stack whose top is @stack_top (linear, 16-byte aligned) and call @fn. */
void call_on_stack(u64 stack_top, void (*fn)(void)) __noreturn;

#endif
