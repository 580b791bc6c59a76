/* SPDX-License-Identifier: MIT */
/*
 * Set up a vCPU to start in protected or 64-bit mode.
 */
#include "vmm/x86/start.h"
#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"
#include "lib/string.h"
#include "vmm/x86/long_mode.h"
#include "vmm/vcpu.h"
#include "vmm/virt_ops.h"

#define AR_CODE64 0xa09b /* present, DPL 0, code, readable, accessed, L, G */
#define AR_CODE32 0xc09b
#define AR_DATA32 0xc093
#define AR_TSS    0x008b

/* Load @code into CS, @data into all other segments, no LDT, and a TR, which VM entry requires. */
static void set_segments(struct vcpu *vcpu, const struct segment *code, const struct segment *data)
{
	static const struct segment none = {.unusable = true};
	static const struct segment tr = {.limit = 0x67, .ar = AR_TSS};

	virt->vcpu_reset(vcpu, false);
	for (enum segment_reg s = SEG_ES; s <= SEG_GS; s++)
		virt->set_segment(vcpu, s, s == SEG_CS ? code : data);
	virt->set_segment(vcpu, SEG_LDTR, &none);
	virt->set_segment(vcpu, SEG_TR, &tr);
	memset(vcpu->regs, 0, sizeof(vcpu->regs));
}

void start_protected_mode(struct vcpu *vcpu, u32 eip)
{
	static const struct segment code = {
		.limit = 0xffffffff, .selector = BOOT_CS, .ar = AR_CODE32};
	static const struct segment data = {
		.limit = 0xffffffff, .selector = BOOT_DS, .ar = AR_DATA32};

	set_segments(vcpu, &code, &data);
	virt->set_sysreg(vcpu, SYSREG_CR0, CR0_ET | CR0_PE);
	virt->set_sysreg(vcpu, SYSREG_RIP, eip);
}

void start_long_mode(struct vcpu *vcpu, u64 rip, u64 cr3, u64 gdt, u16 gdt_limit)
{
	static const struct segment code = {
		.limit = 0xffffffff, .selector = BOOT_CS, .ar = AR_CODE64};
	static const struct segment data = {
		.limit = 0xffffffff, .selector = BOOT_DS, .ar = AR_DATA32};
	struct segment gdtr = {.base = gdt, .limit = gdt_limit};

	set_segments(vcpu, &code, &data);
	virt->set_segment(vcpu, SEG_GDTR, &gdtr);
	virt->set_sysreg(vcpu, SYSREG_CR3, cr3);
	virt->set_sysreg(vcpu, SYSREG_CR4, CR4_PAE);
	virt->set_sysreg(vcpu, SYSREG_EFER, EFER_LME | EFER_LMA);
	virt->set_sysreg(vcpu, SYSREG_CR0, CR0_PG | CR0_NE | CR0_ET | CR0_PE);
	virt->set_sysreg(vcpu, SYSREG_RIP, rip);
}
