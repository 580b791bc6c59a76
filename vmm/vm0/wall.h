/* SPDX-License-Identifier: MIT */
/*
 * Which guest-physical addresses of VM 0 reach memory that it does not get. Pure: for unit tests.
 */
#ifndef GH_VM0_WALL_H
#define GH_VM0_WALL_H

#include "vmm/vm0/vm0.h"

/*
 * The upper bits of a physical address of @phys_bits that are a KeyID, as a mask: with memory
 * encryption by several keys (TME-MK), addresses that differ in these only are the same memory.
 * @activate: IA32_TME_ACTIVATE, 0 on a CPU without it. SDM: "Total Memory Encryption - Multi-Key";
 * Intel, "Architecture Memory Encryption Technologies Specification".
 */
u64 keyid_mask(u64 activate, u8 phys_bits);

/* Does [@gpa, @gpa+@size) overlap Glasshouse's own memory, by whatever KeyID? @size is at most 1
 * GiB. */
bool vm0_is_hidden(const struct vm0 *vm0, gpa_t gpa, u64 size);

/*
 * How much may be mapped at once where the guest touches @gpa for the first time: the block of
 * @block bytes that holds it, a page, or 0: the address is hidden. With a KeyID, so is the local
 * APIC: the trap of its ICR is at its own address only.
 */
u64 vm0_touch_size(const struct vm0 *vm0, gpa_t gpa, u64 block);

#endif
