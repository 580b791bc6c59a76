/* SPDX-License-Identifier: MIT */
/*
 * The sizes of memory in the CMOS RAM, as the guest reads them. Some kernels and firmware size
 * memory by these registers instead of asking the BIOS or the boot loader. Pure. Sources: IBM PC/AT
 * Technical Reference, "CMOS RAM" (15h to 18h, 30h, 31h); the memory detection of Bochs' and QEMU's
 * firmware (34h, 35h, 5Bh to 5Dh).
 */
#ifndef GH_VM0_CMOS_MEMORY_H
#define GH_VM0_CMOS_MEMORY_H

#include "bits.h"
#include "mem_range.h"

#define CMOS_REGISTERS 128

/* Does the register @index hold a part of a memory size? */
bool cmos_is_memory(u8 index);

/*
 * What the guest reads from the register @index, for which cmos_is_memory() is true. @machine: what
 * the machine's registers hold, CMOS_REGISTERS bytes. The size ends where the first of the @nr
 * ranges at @taken begins, which are not the guest's; it never exceeds the machine's.
 */
u8 cmos_memory_byte(const u8 *machine, u8 index, const struct mem_range *taken, unsigned nr);

#endif
