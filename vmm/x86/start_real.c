/* SPDX-License-Identifier: MIT */
/*
 * Set up a vCPU to start in real mode.
 */
#include "arch/x86/cpu.h"
#include "lib/string.h"
#include "vmm/x86/start.h"
#include "vmm/vcpu.h"
#include "vmm/virt_ops.h"

#define REAL_STACK   0x7c00
#define REAL_IDT_MAX 0x3ff

void start_real_mode(struct vcpu *vcpu, u16 cs, u16 ip)
{
	struct segment idt = {.limit = REAL_IDT_MAX};
	struct segment code;

	virt->vcpu_reset(vcpu, false);
	virt->get_segment(vcpu, SEG_CS, &code);
	code.selector = cs;
	code.base = (u64)cs << 4;
	virt->set_segment(vcpu, SEG_CS, &code);
	virt->set_segment(vcpu, SEG_IDTR, &idt);
	virt->set_sysreg(vcpu, SYSREG_CR0, CR0_ET);
	virt->set_sysreg(vcpu, SYSREG_RSP, REAL_STACK);
	virt->set_sysreg(vcpu, SYSREG_RIP, ip);
	memset(vcpu->regs, 0, sizeof(vcpu->regs));
}

void start_enable_interrupts(struct vcpu *vcpu)
{
	virt->set_sysreg(vcpu, SYSREG_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
}
