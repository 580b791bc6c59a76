/* SPDX-License-Identifier: MIT */
/*
 * Microcode updates by the guest. SDM: "Microcode Update Facilities".
 */
#ifndef GH_MICROCODE_H
#define GH_MICROCODE_H

#include "bits.h"

struct vcpu;

/* What the update data lies behind. SDM: "Microcode Update". */
struct microcode_header {
	u32 header_version, revision, date, signature, checksum, loader_version, flags;
	u32 data_size, total_size; /* 0: 2,000 and 2,048 bytes */
	u32 reserved[3];
};

/* The longest update that is carried out, in bytes with its header; the longest known has 1.6 MiB.
 */
#define MICROCODE_MAX MIB(2)

/* Bytes of the heap that the copy takes, at the first update, on a machine with less than 4 GiB of
 * RAM; on others, MICROCODE_MAX. Updates for such machines are shorter. */
#define MICROCODE_SMALL KIB(256)

/* How many bytes @header and what follows it take; 0 when the header is not one that the SDM
 * describes, or asks for more than MICROCODE_MAX. */
u32 microcode_size(const struct microcode_header *header);

/*
 * WRMSR of IA32_BIOS_UPDT_TRIG with @address, a linear address of the guest's: update this CPU from
 * a copy of ours, and say so on the log. An update that cannot be read is dropped, as the CPU drops
 * one that is not for it. Returns 0; or -EINVAL: the guest gets #GP(0).
 */
int microcode_update(struct vcpu *vcpu, u64 address);

#endif
