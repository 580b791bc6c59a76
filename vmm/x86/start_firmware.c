/* SPDX-License-Identifier: MIT */
/*
 * Set up a vCPU to continue where the firmware stood.
 */
#include "arch/x86/firmware.h"
#include "lib/string.h"
#include "vmm/virt_ops.h"
#include "vmm/x86/start.h"

#define AR_TSS 0x008b

/* SDM: "Checks on Guest Segment Registers": TR must be usable, which a null selector's is not. */
static void set_segment(struct vcpu *vcpu, const struct firmware_state *state, unsigned index)
{
	static const enum segment_reg regs[] = {SEG_ES, SEG_CS, SEG_SS,   SEG_DS,
						SEG_FS, SEG_GS, SEG_LDTR, SEG_TR};
	struct segment seg = {.base = state->segments[index].base,
			      .limit = state->segments[index].limit,
			      .selector = state->selectors[index],
			      .ar = (u16)state->segments[index].ar,
			      .unusable = !state->segments[index].ar};

	if (regs[index] == SEG_TR && seg.unusable)
		seg = (struct segment){.limit = 0x67, .ar = AR_TSS};
	if (regs[index] == SEG_FS)
		seg.base = state->fs_base;
	if (regs[index] == SEG_GS)
		seg.base = state->gs_base;
	virt->set_segment(vcpu, regs[index], &seg);
}

void start_firmware_state(struct vcpu *vcpu, const struct firmware_state *state)
{
	struct segment gdtr = {.base = state->gdt_base, .limit = state->gdt_limit};
	struct segment idtr = {.base = state->idt_base, .limit = state->idt_limit};

	for (unsigned i = 0; i < ARRAY_SIZE(state->segments); i++)
		set_segment(vcpu, state, i);
	virt->set_segment(vcpu, SEG_GDTR, &gdtr);
	virt->set_segment(vcpu, SEG_IDTR, &idtr);
	virt->set_sysreg(vcpu, SYSREG_CR3, state->cr3);
	virt->set_sysreg(vcpu, SYSREG_CR4, state->cr4);
	virt->set_sysreg(vcpu, SYSREG_EFER, state->efer);
	virt->set_sysreg(vcpu, SYSREG_CR0, state->cr0);
	virt->set_sysreg(vcpu, SYSREG_S_CET, state->s_cet);
	virt->set_sysreg(vcpu, SYSREG_SSP, state->ssp);
	virt->set_sysreg(vcpu, SYSREG_SSP_TABLE, state->ssp_table);
	virt->set_sysreg(vcpu, SYSREG_DR7, state->dr7);
	virt->set_sysreg(vcpu, SYSREG_RFLAGS, state->rflags);
	virt->set_sysreg(vcpu, SYSREG_RSP, state->rsp);
	virt->set_sysreg(vcpu, SYSREG_RIP, state->rip);
	memset(vcpu->regs, 0, sizeof(vcpu->regs));
}
