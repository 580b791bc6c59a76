/* SPDX-License-Identifier: MIT */
/*
 * Which guest-physical addresses are aliases of hidden memory. Pure: for unit tests.
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

/* Does [@gpa, @gpa+@size) overlap Glasshouse's own memory, with any KeyID? @size is at most
 * 1 GiB. */
bool vm0_is_hidden(const struct vm0 *vm0, gpa_t gpa, u64 size);

/* Is @gpa, which has no KeyID, on a page of the logs, which are hidden memory that may be read? */
bool vm0_is_log(const struct vm0 *vm0, gpa_t gpa);

/*
 * How many bytes to map when the guest touches @gpa for the first time: the largest block around it
 * without a hidden page, of @block, 2 MiB or PAGE_SIZE; or 0, if the address is hidden. The local
 * APIC's page with a KeyID is hidden too, because the ICR trap covers the address without one only.
 * So a KeyID costs page tables only for the few 2-MiB blocks that hold hidden pages. What else is
 * in these is the guest's own memory, which it may use with a KeyID: it is not hidden with them.
 */
u64 vm0_touch_size(const struct vm0 *vm0, gpa_t gpa, u64 block);

#endif
