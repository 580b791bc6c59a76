/* SPDX-License-Identifier: MIT */
/*
 * The guest's registers as variables, and the functions of struct virt_ops that read and write
 * them.
 */
#ifndef GH_TESTS_GUEST_REGISTERS_H
#define GH_TESTS_GUEST_REGISTERS_H

#include "vmm/virt_ops.h"

static u64 sysregs[SYSREG_PKRS + 1];
static struct segment segments[SEG_IDTR + 1];

static inline u64 get_sysreg(struct vcpu *v, enum sysreg reg)
{
	(void)v;
	return sysregs[reg];
}

static inline void set_sysreg(struct vcpu *v, enum sysreg reg, u64 value)
{
	(void)v;
	sysregs[reg] = value;
}

static inline void get_segment(struct vcpu *v, enum segment_reg reg, struct segment *seg)
{
	(void)v;
	*seg = segments[reg];
}

static inline void set_segment(struct vcpu *v, enum segment_reg reg, const struct segment *seg)
{
	(void)v;
	segments[reg] = *seg;
}

#endif
