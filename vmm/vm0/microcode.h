/* SPDX-License-Identifier: MIT */
/*
 * Microcode updates by the guest. SDM: "Microcode Update Facilities".
 */
#ifndef GH_MICROCODE_H
#define GH_MICROCODE_H

#include "bits.h"

struct vcpu;

/* The header before the update data. SDM: "Microcode Update". */
struct microcode_header {
	u32 header_version, revision, date, signature, checksum, loader_version, flags;
	u32 data_size, total_size; /* 0: 2,000 and 2,048 bytes */
	u32 reserved[3];
};

/* The largest update that is loaded, in bytes with its header; the largest known has 1.6 MiB.
 */
#define MICROCODE_MAX MIB(2)

/* The size of the update that begins with @header, in bytes with the header; 0 if the header is
 * invalid by the SDM, or the size exceeds MICROCODE_MAX. */
u32 microcode_size(const struct microcode_header *header);

/*
 * WRMSR of IA32_BIOS_UPDT_TRIG with @address, a linear address of the guest's: update this CPU from
 * a copy in Glasshouse's memory, and log it. An update that cannot be read is dropped, as the CPU
 * drops one that is not for it. Returns 0; or -EINVAL: the guest gets #GP(0).
 */
int microcode_update(struct vcpu *vcpu, u64 address);

#endif
