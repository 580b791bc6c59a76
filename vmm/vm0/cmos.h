/* SPDX-License-Identifier: MIT */
/*
 * The shutdown byte, register 0Fh of the CMOS RAM. A BIOS that finds one of its codes there after a
 * reset does not start the machine but returns to the software that ran before: this is how an
 * 80286 left protected mode. After a machine reset the BIOS must not return to the guest, since
 * Glasshouse no longer runs. So the machine's byte is always 0 while Glasshouse runs, so every
 * machine reset is a full restart. The guest's accesses reach a byte of its own, also by the ports
 * between 72h and 77h that the chipset decodes like 70h and 71h. Sources: IBM PC/AT Technical
 * Reference, "CMOS RAM"; the data sheets of Intel's chipsets, "RTC I/O Registers".
 *
 * The registers that hold the size of memory (cmos_memory.h) are emulated for reading: the sizes
 * end before Glasshouse's memory. The guest's writes reach the machine's registers, and what it has
 * written it reads back.
 *
 * Where the guest is UEFI firmware, all of this is left to the machine: nobody returns to the guest
 * by the shutdown byte, and the memory sizes are not what tells such a guest which memory is
 * reserved.
 */
#ifndef GH_VM0_CMOS_H
#define GH_VM0_CMOS_H

#include "vmm/vm0/vm0.h"

/* Read the shutdown byte and clear the machine's, read the memory sizes, and watch the ports of the
 * CMOS RAM, where the guest is not UEFI firmware. To be called when the vCPUs have been created.
 * Returns 0 or -ENOSPC. */
int cmos_init(struct vm0 *vm0);

/* Does the guest's shutdown byte say that the BIOS returns to it after a reset of the CPU? */
bool cmos_bios_returns(struct vm0 *vm0);

/* Glasshouse leaves: the machine's shutdown byte becomes the guest's. */
void cmos_leave(struct vm0 *vm0);

#endif
