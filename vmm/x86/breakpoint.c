/* SPDX-License-Identifier: MIT */
/*
 * Check emulated accesses against the guest's breakpoints. SDM: "Debug Registers", "Breakpoint
 * Field Recognition".
 */
#include "vmm/x86/breakpoint.h"
#include "arch/x86/cpu.h"
#include "vmm/virt_ops.h"

void breakpoint_access(struct vcpu *vcpu, enum breakpoint_kind kind, u64 address, unsigned size)
{
	u64 dr[] = {read_dr0(), read_dr1(), read_dr2(), read_dr3()};
	u64 dr7 = virt->get_sysreg(vcpu, SYSREG_DR7), hit = 0;

	if (!(dr7 & DR7_ENABLED) ||
	    (kind == BREAKPOINT_PORT && !(virt->get_sysreg(vcpu, SYSREG_CR4) & CR4_DE)))
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(dr); i++) {
		unsigned enabled = dr7 >> 2 * i & 3, rw = dr7 >> (16 + 4 * i) & 3;
		unsigned len = dr7 >> (18 + 4 * i) & 3;
		u64 bytes = len == 2 ? 8 : len + 1;

		/* R/W = 3 means reads or writes. */
		if (enabled &&
		    (rw == kind || (rw == BREAKPOINT_READ && kind == BREAKPOINT_WRITE)) &&
		    ranges_overlap(address, size, dr[i] & ~(bytes - 1), bytes))
			hit |= BIT(i);
	}
	if (hit)
		virt->set_sysreg(vcpu, SYSREG_DEBUG_TRAPS, hit);
}
