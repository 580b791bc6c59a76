/* SPDX-License-Identifier: MIT */
/*
 * What exits while the CPU uses shadow page tables (vmm/shadow_ops.h) instead of EPT: all that
 * changes the guest's translations. The CPU runs with the guest's control registers, but for these
 * bits: CR0.WP and IA32_EFER.NXE are 1, CR4.PAE is 1 and CR4.PCIDE is 0, as shadow tables are made
 * for that. CR3 names the shadow tables. SDM: "Memory Virtualization", "Virtualizing Physical
 * Memory".
 */
#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"
#include "errno.h"
#include "vmm/registers.h"
#include "vmm/shadow_ops.h"
#include "vmm/steps.h"
#include "vmm/vmx/skip.h"
#include "vmm/vmx/vmx.h"
#include "vmm/x86/cpuid.h"
#include "vmm/x86/guest_mem.h"
#include "vmm/x86/msr.h"
#include "vmm/x86/unknown.h"

#define CR3_KEEP BIT(63) /* of MOV's operand, with CR4.PCIDE */
#define CR3_PCID 0xfffull

/* INVPCID's operand. SDM: "INVPCID—Invalidate Process-Context Identifier". */
struct invpcid {
	u64 pcid, address;
};

void vmx_reload_shadow(struct vcpu *vcpu)
{
	__atomic_or_fetch(&vcpu->requests, (u32)REQ_SHADOW, __ATOMIC_ACQ_REL);
}

void vmx_use_shadow(struct vcpu *vcpu, u64 cr3)
{
	vmwrite(GUEST_CR3, cr3);
	vmx_flush_guest_tlb(vcpu);
}

/* SDM: "MOV—Move to/from Control Registers". Returns false for #GP. */
bool vmx_mov_to_cr3(struct vcpu *vcpu, u64 cr3)
{
	u64 cr4 = to_vmx(vcpu)->cr4;
	bool keep = false;

	if (cr4 & CR4_PCIDE) {
		keep = cr3 & CR3_KEEP;
		cr3 &= ~CR3_KEEP;
	}
	if (cr4 & CR4_PCIDE || vmx_get_efer(vcpu) & EFER_LMA) {
		if (cr3 >> vmx_capability.phys_bits)
			return false;
	} else if (vmx_get_cr0(vcpu) & CR0_PG && cr4 & CR4_PAE && !vmx_load_pdptes(vcpu, cr3)) {
		return false;
	}
	to_vmx(vcpu)->cr3 = cr3;
	vcpu->vm->shadow_ops->new_cr3(vcpu, cr3, keep);
	return true;
}

/* Nearly all exits of a guest with page-table isolation are these. */
int vmx_handle_cr3(struct vcpu *vcpu, u64 qual)
{
	enum vcpu_reg reg = (enum vcpu_reg)CONTROL_REG_ACCESS_REG(qual);

	if (CONTROL_REG_ACCESS_TYPE(qual) == CR_TYPE_MOV_FROM_CR) {
		set_general_register(vcpu, reg, to_vmx(vcpu)->cr3);
	} else {
		u64 value = general_register(vcpu, reg);

		if (!(vmread(GUEST_CS_AR_BYTES) & VMX_AR_L_MASK))
			value = (u32)value;
		if (!vmx_mov_to_cr3(vcpu, value))
			return vmx_skip_or_fault(vcpu, -EINVAL);
	}
	vmx_skip_instruction(vcpu);
	return 1;
}

/* It exits if it changes a host-owned bit, but may change all others, too. SDM: "MOV—Move to/from
 * Control Registers", "Control Registers". Returns false for #GP. */
bool vmx_mov_to_cr4(struct vcpu *vcpu, u64 cr4)
{
	u64 old = vmx_get_cr4(vcpu), changed = cr4 ^ old, cr3 = to_vmx(vcpu)->cr3;
	bool long_mode = vmx_get_efer(vcpu) & EFER_LMA;

	if (cr4 & (~vmx_capability.cr4_fixed1 | vcpu->vm->cpuid->hidden_cr4))
		return false;
	if (long_mode && (!(cr4 & CR4_PAE) || changed & CR4_LA57))
		return false;
	if (changed & cr4 & CR4_PCIDE && (!long_mode || cr3 & CR3_PCID))
		return false;
	if (vmx_get_cr0(vcpu) & CR0_PG && cr4 & CR4_PAE && !long_mode &&
	    changed & (CR4_PAE | CR4_PSE | CR4_PGE | CR4_SMEP) && !vmx_load_pdptes(vcpu, cr3))
		return false;
	vmx_set_cr4(vcpu, cr4);
	return true;
}

/* is_canonical(), in less time. */
static bool has_translation(struct vcpu *vcpu, u64 address)
{
	unsigned unused = to_vmx(vcpu)->cr4 & CR4_LA57 ? 7 : 16;

	return (u64)((s64)(address << unused) >> unused) == address;
}

/* SDM: "INVLPG—Invalidate TLB Entries". */
int handle_invlpg(struct vcpu *vcpu)
{
	gva_t gva = exit_qualification(vcpu);

	if (to_vmx(vcpu)->icepts && vmx_handle_icept(vcpu))
		return 1;
	if (!vcpu->vm->shadow_ops)
		return handle_unknown(vcpu, exit_reason_name(exit_reason(vcpu)));
	STEP(handle_invlpg);
	if (has_translation(vcpu, gva))
		vcpu->vm->shadow_ops->invalidate(vcpu, INVALIDATE_PAGE, 0, gva);
	vmx_skip_instruction(vcpu);
	return 1;
}

/* The linear address of the memory operand. Returns 0, or -EFAULT with an exception queued. SDM:
 * "VM-Exit Instruction-Information Field". */
static int operand_address(struct vcpu *vcpu, u32 info, u64 displacement, gva_t *gva)
{
	static const u64 masks[] = {0xffff, 0xffffffff, ~0ull};
	enum segment_reg segment = (enum segment_reg)(info >> 15 & 7);
	u64 offset = displacement;

	if (!(info & BIT(22)))
		offset += general_register(vcpu, (enum vcpu_reg)(info >> 18 & 15)) << (info & 3);
	if (!(info & BIT(27)))
		offset += general_register(vcpu, (enum vcpu_reg)(info >> 23 & 15));
	offset &= masks[MIN(info >> 7 & 7, 2)];
	/* In 64-bit mode these segments are flat. PCIDs are of IA-32e mode only. */
	if (to_vmx(vcpu)->cr4 & CR4_PCIDE && vmread(GUEST_CS_AR_BYTES) & VMX_AR_L_MASK &&
	    segment < SEG_FS && has_translation(vcpu, offset)) {
		*gva = offset;
		return 0;
	}
	return guest_linear(vcpu, segment, offset, sizeof(struct invpcid) / 2, false, gva);
}

/* Read it. Returns false with an exception queued. The CPU exits at CPL 0 only. Outside of memory
 * the operand reads as all ones. */
static bool read_operand(struct vcpu *vcpu, gva_t gva, struct invpcid *operand)
{
	if (vcpu->vm->shadow_ops->read(vcpu, gva, operand, sizeof(*operand)))
		return true;
	if (!fetch_guest_virt(vcpu, gva, operand, sizeof(*operand), 0))
		return true;
	*operand = (struct invpcid){.pcid = ~0ull};
	return !vcpu->event.valid;
}

static bool invpcid(struct vcpu *vcpu, u64 type, const struct invpcid *operand)
{
	static const enum invalidation kinds[] = {INVALIDATE_PCID_PAGE, INVALIDATE_PCID,
						  INVALIDATE_ALL, INVALIDATE_LOCAL};
	bool has_pcid = to_vmx(vcpu)->cr4 & CR4_PCIDE;

	if (type >= ARRAY_SIZE(kinds) || operand->pcid > CR3_PCID)
		return false;
	if (type < 2 && operand->pcid && !has_pcid)
		return false;
	if (type == 0 && !has_translation(vcpu, operand->address))
		return false;
	vcpu->vm->shadow_ops->invalidate(vcpu, kinds[type], (u16)operand->pcid, operand->address);
	return true;
}

int handle_invpcid(struct vcpu *vcpu)
{
	u64 displacement = exit_qualification(vcpu);
	u32 info = (u32)vmread(VMX_INSTRUCTION_INFO);
	u64 type = general_register(vcpu, (enum vcpu_reg)(info >> 28));
	struct invpcid operand;
	gva_t gva;

	if (to_vmx(vcpu)->icepts && vmx_handle_icept(vcpu))
		return 1;
	if (!vcpu->vm->shadow_ops)
		return handle_unknown(vcpu, exit_reason_name(exit_reason(vcpu)));
	STEP(handle_invlpg);
	if (operand_address(vcpu, info, displacement, &gva) || !read_operand(vcpu, gva, &operand))
		return 1;
	if (!(vmread(GUEST_CS_AR_BYTES) & VMX_AR_L_MASK))
		type = (u32)type;
	return vmx_skip_or_fault(vcpu, invpcid(vcpu, type, &operand) ? 0 : -EINVAL);
}

bool vmx_rdmsr_shadow(struct vcpu *vcpu)
{
	u64 efer = vmx_get_efer(vcpu);

	if (vmcs_config.has_ept || (u32)vcpu->regs[VCPU_RCX] != MSR_EFER)
		return false;
	vcpu->regs[VCPU_RAX] = (u32)efer;
	vcpu->regs[VCPU_RDX] = efer >> 32;
	vmx_skip_instruction(vcpu);
	return true;
}

bool vmx_wrmsr_shadow(struct vcpu *vcpu)
{
	if (vmcs_config.has_ept || (u32)vcpu->regs[VCPU_RCX] != MSR_EFER)
		return false;
	vmx_skip_or_fault(vcpu, vmx_write_efer(vcpu, edx_eax(vcpu)));
	return true;
}
