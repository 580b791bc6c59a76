/* SPDX-License-Identifier: MIT */
/*
 * VT-x: switching it on, making VMCSs, and the operations behind struct virt_ops.
 */
#include "vmm/vmx/vmx.h"
#include "arch/x86/cpu.h"
#include "arch/x86/desc.h"
#include "arch/x86/msr.h"
#include "arch/x86/paging.h"
#include "lib/log.h"
#include "lib/pages.h"
#include "lib/string.h"
#include "vmm/x86/cpuid.h"
#include "vmm/x86/guest_mem.h"
#include "vmm/vmx/ready.h"
#include "vmm/vmx/vmx_run.h"

struct vmx_capability vmx_capability;
struct vmcs_config vmcs_config;

#define S_CET_SH_STK_EN BIT(0)
#define PKRS_KEY0_AD    BIT(0)
#define SETTLED_TRIES   4u /* entries into an STI's shadow before it is taken for over */

_Static_assert(offsetof(struct vcpu, regs) == 0 &&
		       offsetof(struct vcpu, host_rsp) == RUN_HOST_RSP &&
		       HOST_RSP == RUN_HOST_RSP_FIELD,
	       "vmx_run.S knows these");

static void read_capability(struct vmx_capability *cap)
{
	memset(cap, 0, sizeof(*cap));
	cap->cpuid_vmx = cpuid(1, 0).ecx & BIT(5);
	cap->phys_bits = 36;
	if (cpuid(0x80000000, 0).eax >= 0x80000008)
		cap->phys_bits = (u8)cpuid(0x80000008, 0).eax;
	if (cap->cpuid_vmx)
		vmx_capability_read(cap, rdmsr_safe);
}

/* SDM: "Enabling and Entering VMX Operation". An unlocked register is ours to set and lock. */
static void unlock_feature_control(struct vmx_capability *cap)
{
	u64 value = FEAT_CTL_LOCKED | FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX;

	if (cap->cpuid_vmx && !(cap->feature_control & FEAT_CTL_LOCKED) &&
	    !wrmsr_safe(MSR_IA32_FEAT_CTL, cap->feature_control | value)) {
		cap->feature_control |= value;
		pr_info("IA32_FEATURE_CONTROL was unlocked: VMXON is allowed, and it is locked "
			"now.\n");
	}
}

/* What of CPUID a guest cannot have, because the control that it needs is missing here, or because
 * it is ours. */
static void hide_features(void)
{
	u32 proc2 = vmcs_config.cpu_based_2nd_exec_ctrl;

	cpuid_hide(1, 0, CPUID_ECX, BIT(5), "VMX", "Glasshouse has it");
	cpuid_hide(1, 0, CPUID_ECX, BIT(6), "SMX", "GETSEC would leave Glasshouse's hands");
	/* What records by itself to memory does not stop, or not ask the EPT, when we run. See
	 * vmm/x86/msr.c. */
	cpuid_hide(1, 0, CPUID_EDX, BIT(21), "debug store",
		   "it would write by Glasshouse's page tables");
	cpuid_hide(1, 0, CPUID_ECX, BIT(2), "DTES64", "part of that");
	cpuid_hide(1, 0, CPUID_ECX, BIT(4), "DS-CPL", "part of that");
	cpuid_hide(7, 0, CPUID_EBX, BIT(25), "Intel PT", "it would write past the EPT");
	cpuid_hide(0xd, 1, CPUID_ECX, BIT(8), "state of that", "part of that");
	cpuid_hide(0xd, 8, CPUID_EAX, ~(u32)0, "its size", "part of that");
	cpuid_hide(0xd, 8, CPUID_ECX, ~(u32)0, "its kind", "part of that");
	cpuid_hide(6, 0, CPUID_EAX, BIT(19), "hardware feedback", "it would write past the EPT");
	cpuid_hide(6, 0, CPUID_EAX, BIT(23), "Thread Director", "part of that");
	cpuid_hide(7, 0, CPUID_EDX, BIT(19), "architectural LBRs", "they would record Glasshouse");
	cpuid_hide(7, 1, CPUID_EAX, BIT(17), "FRED", "its state is not switched");
	cpuid_hide(7, 1, CPUID_EAX, BIT(27), "MSRLIST", "it is not enabled");
	if (!(proc2 & SECONDARY_EXEC_ENABLE_RDTSCP)) {
		cpuid_hide(0x80000001, 0, CPUID_EDX, BIT(27), "RDTSCP", "no VMX control for it");
		cpuid_hide(7, 0, CPUID_ECX, BIT(22), "RDPID", "no VMX control for it");
	}
	if (!(proc2 & SECONDARY_EXEC_ENABLE_INVPCID))
		cpuid_hide(7, 0, CPUID_EBX, BIT(10), "INVPCID", "no VMX control for it");
	if (!(proc2 & SECONDARY_EXEC_ENABLE_XSAVES))
		cpuid_hide(0xd, 1, CPUID_EAX, BIT(3), "XSAVES", "no VMX control for it");
	if (!(proc2 & SECONDARY_EXEC_ENABLE_USR_WAIT_PAUSE))
		cpuid_hide(7, 0, CPUID_ECX, BIT(5), "WAITPKG", "no VMX control for it");
	if (!(proc2 & SECONDARY_EXEC_ENABLE_PCONFIG))
		cpuid_hide(7, 0, CPUID_EDX, BIT(18), "PCONFIG", "no VMX control for it");
	if (!vmcs_config.has_cet) {
		cpuid_hide(7, 0, CPUID_ECX, BIT(7), "CET shadow stacks", "no VMX control for it");
		cpuid_hide(7, 0, CPUID_EDX, BIT(20), "CET indirect branches",
			   "no VMX control for it");
	}
	if (!vmcs_config.has_bndcfgs)
		cpuid_hide(7, 0, CPUID_EBX, BIT(14), "MPX", "no VMX control for it");
	if (!vmcs_config.has_pkrs)
		cpuid_hide(7, 0, CPUID_ECX, BIT(31), "PKS", "no VMX control for it");
	/* Bits that CR4 cannot take in VMX operation. SDM: "Restrictions on VMX Operation". */
	if (!(vmx_capability.cr4_fixed1 & CR4_LA57))
		cpuid_hide(7, 0, CPUID_ECX, BIT(16), "LA57", "CR4.LA57 must be 0 in VMX operation");
}

static int vmx_hardware_setup(void)
{
	char brand[52];

	read_capability(&vmx_capability);
	unlock_feature_control(&vmx_capability);
	cpu_brand(brand);
	if (ready_report(&vmx_capability, &vmcs_config, brand, 0))
		return -ENODEV;
	hide_features();
	return 0;
}

static int vmx_check_processor_compat(unsigned cpu)
{
	struct vmx_capability cap;

	read_capability(&cap);
	unlock_feature_control(&cap);
	return vmx_capability_compare(&vmx_capability, &cap, cpu) ? -ENODEV : 0;
}

/* A region for VMXON or a VMCS: the revision in its first word. SDM: "Format of the VMCS Region".
 */
static void *alloc_vmcs_cpu(void)
{
	u32 *region = page_alloc();

	if (region)
		*region = vmcs_config.revision;
	return region;
}

static int vmx_hardware_enable(void)
{
	struct cpu *cpu = this_cpu();
	int r;

	if (!cpu->vmxon_region)
		cpu->vmxon_region = alloc_vmcs_cpu();
	if (!cpu->vmxon_region)
		return -ENOMEM;
	write_cr0((read_cr0() | vmx_capability.cr0_fixed0) & vmx_capability.cr0_fixed1);
	write_cr4((read_cr4() | vmx_capability.cr4_fixed0) & vmx_capability.cr4_fixed1);
	r = vmxon(virt_to_phys(cpu->vmxon_region));
	if (r) {
		pr_err("CPU %u: VMXON failed although all that it asks for is there (CR0 %lx, CR4 "
		       "%lx, IA32_FEATURE_CONTROL %lx). Please report this with the lines above.\n",
		       cpu->id, read_cr0(), read_cr4(), rdmsr(MSR_IA32_FEAT_CTL));
		return r;
	}
	cpu->in_vmx = true;
	return 0;
}

static void vmx_hardware_disable(void)
{
	struct cpu *cpu = this_cpu();

	if (!cpu->in_vmx)
		return;
	if (cpu->vcpu) {
		to_vmx(cpu->vcpu)->loaded = false;
		vmclear(virt_to_phys(to_vmx(cpu->vcpu)->vmcs));
	}
	vmxoff();
	cpu->in_vmx = false;
	write_cr4(read_cr4() & ~CR4_VMXE);
}

static bool vmx_can_wait_for_sipi(void)
{
	return vmcs_config.has_wait_sipi;
}

/* SDM: "Activity State": the SIPI comes as an exit. */
static void vmx_wait_for_sipi(struct vcpu *vcpu)
{
	(void)vcpu;
	vmwrite(GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_WAIT_SIPI);
}

static bool vmx_has_unrestricted_guest(void)
{
	return vmcs_config.has_unrestricted_guest;
}

static int vmx_vm_init(struct vm *vm)
{
	const struct ept_ops ops = {page_alloc, page_free, (u64)phys_to_virt(0)};
	struct ept_caps caps = {
		.page_2m = vmcs_config.has_ept_2m,
		.page_1g = vmcs_config.has_ept_1g,
		.ad = vmcs_config.has_ept_ad,
		.exec_only = vmcs_config.has_ept_exec_only,
		.phys_bits = vmx_capability.phys_bits,
	};
	struct vm_vmx *vmx = page_alloc();

	vm->arch = vmx;
	if (!vmx)
		return -ENOMEM;
	vmx->msr_bitmap = page_alloc();
	vmx->io_bitmap = pages_alloc(2);
	if (!vmx->msr_bitmap || !vmx->io_bitmap)
		return -ENOMEM;
	return ept_init(&vm->ept, &ops, &caps);
}

/* Host state: what each exit goes back to. SDM: "Host-State Area". */
static void vmx_set_host_state(struct cpu *cpu)
{
	struct desc_ptr idt;

	asm volatile("sidt %0" : "=m"(idt));
	vmwrite(HOST_CR0, read_cr0());
	vmwrite(HOST_CR3, read_cr3());
	vmwrite(HOST_CR4, read_cr4());
	vmwrite(HOST_CS_SELECTOR, SEL_CODE64);
	vmwrite(HOST_SS_SELECTOR, SEL_DATA);
	vmwrite(HOST_DS_SELECTOR, SEL_DATA);
	vmwrite(HOST_ES_SELECTOR, SEL_DATA);
	vmwrite(HOST_FS_SELECTOR, 0);
	vmwrite(HOST_GS_SELECTOR, 0);
	vmwrite(HOST_TR_SELECTOR, SEL_TSS);
	vmwrite(HOST_FS_BASE, 0);
	vmwrite(HOST_GS_BASE, (u64)cpu);
	vmwrite(HOST_TR_BASE, (u64)&cpu->tss);
	vmwrite(HOST_GDTR_BASE, (u64)cpu->gdt);
	vmwrite(HOST_IDTR_BASE, idt.base);
	vmwrite(HOST_IA32_SYSENTER_CS, 0);
	vmwrite(HOST_IA32_SYSENTER_ESP, 0);
	vmwrite(HOST_IA32_SYSENTER_EIP, 0);
	vmwrite(HOST_IA32_EFER, rdmsr(MSR_EFER));
	vmwrite(HOST_RIP, (u64)vmx_return);
	if (vmcs_config.has_pat)
		vmwrite(HOST_IA32_PAT, rdmsr(MSR_IA32_CR_PAT));
	if (vmcs_config.has_cet) {
		vmwrite(HOST_S_CET, 0);
		vmwrite(HOST_SSP, 0);
		vmwrite(HOST_INTR_SSP_TABLE, 0);
	}
	if (vmcs_config.has_pkrs)
		vmwrite(HOST_IA32_PKRS, 0);
}

/* Controls: what exits. SDM: "VM-Execution Control Fields". */
static void vmx_set_controls(struct vcpu_vmx *vmx)
{
	struct vm *vm = vmx->vcpu.vm;
	struct vm_vmx *vm_vmx = vm->arch;

	vmx->cpu_based = vmcs_config.cpu_based_exec_ctrl;
	vmwrite(PIN_BASED_VM_EXEC_CONTROL, vmcs_config.pin_based_exec_ctrl);
	vmwrite(CPU_BASED_VM_EXEC_CONTROL, vmx->cpu_based);
	vmwrite(SECONDARY_VM_EXEC_CONTROL, vmcs_config.cpu_based_2nd_exec_ctrl);
	vmwrite(VM_EXIT_CONTROLS, vmcs_config.vmexit_ctrl);
	vmwrite(VM_ENTRY_CONTROLS, vmcs_config.vmentry_ctrl);
	vmwrite(EXCEPTION_BITMAP, vmx->exception_bitmap);
	vmwrite(PAGE_FAULT_ERROR_CODE_MASK, 0);
	vmwrite(PAGE_FAULT_ERROR_CODE_MATCH, 0);
	vmwrite(CR3_TARGET_COUNT, 0);
	vmwrite(VM_EXIT_MSR_STORE_COUNT, 0);
	vmwrite(VM_EXIT_MSR_LOAD_COUNT, 0);
	vmwrite(VM_ENTRY_MSR_LOAD_COUNT, 0);
	vmwrite(VM_ENTRY_INTR_INFO_FIELD, 0);
	vmwrite(IO_BITMAP_A, virt_to_phys(vm_vmx->io_bitmap));
	vmwrite(IO_BITMAP_B, virt_to_phys(vm_vmx->io_bitmap) + PAGE_SIZE);
	vmwrite(MSR_BITMAP, virt_to_phys(vm_vmx->msr_bitmap));
	vmwrite(EPT_POINTER, ept_pointer(&vm->ept));
	vmwrite(VMCS_LINK_POINTER, ~0ull);
	if (vmcs_config.has_vpid)
		vmwrite(VIRTUAL_PROCESSOR_ID, vmx->vcpu.id + 1);
	if (vmcs_config.cpu_based_2nd_exec_ctrl & SECONDARY_EXEC_ENABLE_XSAVES)
		vmwrite(XSS_EXIT_BITMAP, 0);
}

/* The guest finds in these MSRs what the machine has in them now. */
static void vmx_set_guest_msrs(void)
{
	vmwrite(GUEST_IA32_DEBUGCTL, 0);
	vmwrite(GUEST_SYSENTER_CS, rdmsr(MSR_IA32_SYSENTER_CS));
	vmwrite(GUEST_SYSENTER_ESP, rdmsr(MSR_IA32_SYSENTER_ESP));
	vmwrite(GUEST_SYSENTER_EIP, rdmsr(MSR_IA32_SYSENTER_EIP));
	if (vmcs_config.has_pat)
		vmwrite(GUEST_IA32_PAT, rdmsr(MSR_IA32_CR_PAT));
	if (vmcs_config.has_bndcfgs)
		vmwrite(GUEST_BNDCFGS, 0);
	if (vmcs_config.has_cet) {
		vmwrite(GUEST_S_CET, 0);
		vmwrite(GUEST_SSP, 0);
		vmwrite(GUEST_INTR_SSP_TABLE, 0);
	}
	if (vmcs_config.has_pkrs)
		vmwrite(GUEST_IA32_PKRS, 0);
}

static struct vcpu *vmx_create_vcpu(struct vm *vm, struct cpu *cpu)
{
	struct vcpu_vmx *vmx =
		pages_alloc(ALIGN_UP(sizeof(struct vcpu_vmx), PAGE_SIZE) / PAGE_SIZE);

	if (!vmx)
		return NULL;
	vmx->vmcs = alloc_vmcs_cpu();
	if (!vmx->vmcs)
		return NULL;
	vmx->vcpu.vm = vm;
	vmx->vcpu.cpu = cpu;
	recorder_init(&vmx->vcpu.recorder);
	return &vmx->vcpu;
}

/* The loaded VMCS gets all that does not change from exit to exit. */
static void vmx_vcpu_setup(struct vcpu_vmx *vmx)
{
	vmx_set_controls(vmx);
	vmx_set_host_state(vmx->vcpu.cpu);
	vmx_set_guest_msrs();
}

static int vmx_vcpu_load(struct vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	u64 pa = virt_to_phys(vmx->vmcs);
	int r = vmclear(pa);

	if (!r)
		r = vmptrld(pa);
	if (r) {
		pr_err("CPU %u: VMCLEAR or VMPTRLD failed on its own VMCS at %lx: a defect of "
		       "Glasshouse or of the CPU.\n",
		       vcpu->cpu->id, pa);
		return r;
	}
	vcpu->host_rsp = 0;
	vcpu->cpu->vcpu = vcpu;
	vmx_vcpu_setup(vmx);
	vmx->loaded = true;
	return 0;
}

static const struct {
	u16 selector, limit, ar, base;
} segment_fields[] = {
	[SEG_ES] = {GUEST_ES_SELECTOR, GUEST_ES_LIMIT, GUEST_ES_AR_BYTES, GUEST_ES_BASE},
	[SEG_CS] = {GUEST_CS_SELECTOR, GUEST_CS_LIMIT, GUEST_CS_AR_BYTES, GUEST_CS_BASE},
	[SEG_SS] = {GUEST_SS_SELECTOR, GUEST_SS_LIMIT, GUEST_SS_AR_BYTES, GUEST_SS_BASE},
	[SEG_DS] = {GUEST_DS_SELECTOR, GUEST_DS_LIMIT, GUEST_DS_AR_BYTES, GUEST_DS_BASE},
	[SEG_FS] = {GUEST_FS_SELECTOR, GUEST_FS_LIMIT, GUEST_FS_AR_BYTES, GUEST_FS_BASE},
	[SEG_GS] = {GUEST_GS_SELECTOR, GUEST_GS_LIMIT, GUEST_GS_AR_BYTES, GUEST_GS_BASE},
	[SEG_LDTR] = {GUEST_LDTR_SELECTOR, GUEST_LDTR_LIMIT, GUEST_LDTR_AR_BYTES, GUEST_LDTR_BASE},
	[SEG_TR] = {GUEST_TR_SELECTOR, GUEST_TR_LIMIT, GUEST_TR_AR_BYTES, GUEST_TR_BASE},
	[SEG_GDTR] = {0, GUEST_GDTR_LIMIT, 0, GUEST_GDTR_BASE},
	[SEG_IDTR] = {0, GUEST_IDTR_LIMIT, 0, GUEST_IDTR_BASE},
};

static void vmx_get_segment(struct vcpu *vcpu, enum segment_reg reg, struct segment *seg)
{
	(void)vcpu;
	*seg = (struct segment){
		.base = vmread(segment_fields[reg].base),
		.limit = (u32)vmread(segment_fields[reg].limit),
	};
	if (segment_fields[reg].ar) {
		u32 ar = (u32)vmread(segment_fields[reg].ar);

		seg->selector = (u16)vmread(segment_fields[reg].selector);
		seg->ar = (u16)ar;
		seg->unusable = ar & VMX_AR_UNUSABLE_MASK;
	}
}

static void vmx_set_segment(struct vcpu *vcpu, enum segment_reg reg, const struct segment *seg)
{
	(void)vcpu;
	vmwrite(segment_fields[reg].base, seg->base);
	vmwrite(segment_fields[reg].limit, seg->limit);
	if (segment_fields[reg].ar) {
		vmwrite(segment_fields[reg].selector, seg->selector);
		vmwrite(segment_fields[reg].ar,
			seg->ar | (seg->unusable ? VMX_AR_UNUSABLE_MASK : 0));
	}
}

static u64 vmx_get_sysreg(struct vcpu *vcpu, enum sysreg reg)
{
	(void)vcpu;
	switch (reg) {
	case SYSREG_RIP:
		return vmread(GUEST_RIP);
	case SYSREG_RSP:
		return vmread(GUEST_RSP);
	case SYSREG_RFLAGS:
		return vmread(GUEST_RFLAGS);
	case SYSREG_CR0:
		return vmx_get_cr0();
	case SYSREG_CR3:
		return vmread(GUEST_CR3);
	case SYSREG_CR4:
		return vmx_get_cr4();
	case SYSREG_EFER:
		return vmread(GUEST_IA32_EFER);
	case SYSREG_DR7:
		return vmread(GUEST_DR7);
	case SYSREG_DEBUG_TRAPS:
		return vmread(GUEST_PENDING_DBG_EXCEPTIONS) & 0xf;
	}
	return 0;
}

static void vmx_set_efer(u64 efer)
{
	u32 entry = (u32)vmread(VM_ENTRY_CONTROLS) & ~(u32)VM_ENTRY_IA32E_MODE;

	vmwrite(GUEST_IA32_EFER, efer);
	vmwrite(VM_ENTRY_CONTROLS, entry | (efer & EFER_LMA ? VM_ENTRY_IA32E_MODE : 0));
}

static void vmx_set_sysreg(struct vcpu *vcpu, enum sysreg reg, u64 value)
{
	switch (reg) {
	case SYSREG_RIP:
		vmwrite(GUEST_RIP, value);
		break;
	case SYSREG_RSP:
		vmwrite(GUEST_RSP, value);
		break;
	case SYSREG_RFLAGS:
		vmwrite(GUEST_RFLAGS, value);
		break;
	case SYSREG_CR0:
		vmx_set_cr0(vcpu, value);
		break;
	case SYSREG_CR3:
		vmx_set_cr3(vcpu, value);
		break;
	case SYSREG_CR4:
		vmx_set_cr4(vcpu, value);
		break;
	case SYSREG_EFER:
		vmx_set_efer(value);
		break;
	case SYSREG_DR7:
		vmwrite(GUEST_DR7, value);
		break;
	case SYSREG_DEBUG_TRAPS:
		vmwrite(GUEST_PENDING_DBG_EXCEPTIONS,
			vmread(GUEST_PENDING_DBG_EXCEPTIONS) | PENDING_DBG_ENABLED_BP | value);
		break;
	}
}

/* SDM: "Processor State After Reset", "Initialization Overview": what INIT leaves alone stays. */
static void vmx_vcpu_reset(struct vcpu *vcpu, bool init)
{
	/* Not accessed 9Bh for CS, which real mode would have, but 93h: both are legal, and all
	 * CPUs take it. */
	static const struct segment data = {.limit = 0xffff, .ar = 0x93};
	static const struct segment code = {
		.base = 0xffff0000, .limit = 0xffff, .selector = 0xf000, .ar = 0x93};
	static const struct segment ldtr = {.limit = 0xffff, .ar = 0x82};
	static const struct segment tr = {.limit = 0xffff, .ar = 0x8b};
	static const struct segment table = {.limit = 0xffff};
	u64 cache = init ? vmread(GUEST_CR0) & (CR0_CD | CR0_NW) : CR0_CD | CR0_NW;

	memset(vcpu->regs, 0, sizeof(vcpu->regs));
	vcpu->regs[VCPU_RDX] = cpuid(1, 0).eax;
	for (enum segment_reg s = SEG_ES; s <= SEG_GS; s++)
		vmx_set_segment(vcpu, s, s == SEG_CS ? &code : &data);
	vmx_set_segment(vcpu, SEG_LDTR, &ldtr);
	vmx_set_segment(vcpu, SEG_TR, &tr);
	vmx_set_segment(vcpu, SEG_GDTR, &table);
	vmx_set_segment(vcpu, SEG_IDTR, &table);
	vmwrite(GUEST_CR3, 0);
	vmx_flush_guest_tlb(vcpu);
	write_cr2(0);
	write_dr0(0);
	write_dr1(0);
	write_dr2(0);
	write_dr3(0);
	write_dr6(0xffff0ff0);
	vmx_set_efer(0);
	vmx_set_cr0(vcpu, cache | CR0_ET);
	vmx_set_cr4(vcpu, 0);
	vmwrite(GUEST_DR7, 0x400);
	vmwrite(GUEST_RIP, 0xfff0);
	vmwrite(GUEST_RSP, 0);
	vmwrite(GUEST_RFLAGS, RFLAGS_FIXED);
	vmwrite(GUEST_IA32_DEBUGCTL, 0);
	vmwrite(GUEST_PENDING_DBG_EXCEPTIONS, 0);
	vmwrite(GUEST_INTERRUPTIBILITY_INFO, 0);
	vmwrite(GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_ACTIVE);
	vmwrite(VM_ENTRY_INTR_INFO_FIELD, 0);
	vcpu->event.valid = false;
}

void vmx_set_cpu_based(struct vcpu_vmx *vmx, u32 set, u32 clear)
{
	vmx->cpu_based = (vmx->cpu_based & ~clear) | set;
	vmwrite(CPU_BASED_VM_EXEC_CONTROL, vmx->cpu_based);
}

static void vmx_inject_event(struct vcpu *vcpu)
{
	static const u64 types[] = {
		[EVENT_EXT_INTR] = INTR_TYPE_EXT_INTR,
		[EVENT_NMI] = INTR_TYPE_NMI_INTR,
		[EVENT_EXCEPTION] = INTR_TYPE_HARD_EXCEPTION,
		[EVENT_SOFT_INTR] = INTR_TYPE_SOFT_INTR,
		[EVENT_SOFT_EXCEPTION] = INTR_TYPE_SOFT_EXCEPTION,
		[EVENT_PRIV_EXCEPTION] = INTR_TYPE_PRIV_SW_EXCEPTION,
	};
	struct vcpu_event *event = &vcpu->event;
	u64 info = event->vector | types[event->type] | INTR_INFO_VALID_MASK;

	/* Real mode has no error codes. SDM: "VM-Entry Controls for Event Injection". */
	if (event->has_error_code && vmread(GUEST_CR0) & CR0_PE) {
		info |= INTR_INFO_DELIVER_CODE_MASK;
		vmwrite(VM_ENTRY_EXCEPTION_ERROR_CODE, event->error_code);
	}
	if (event->type >= EVENT_SOFT_INTR)
		vmwrite(VM_ENTRY_INSTRUCTION_LEN, event->insn_len);
	vmwrite(VM_ENTRY_INTR_INFO_FIELD, info);
	/* One that comes again must not be blocked by itself. */
	if (event->type == EVENT_NMI)
		vmwrite(GUEST_INTERRUPTIBILITY_INFO,
			vmread(GUEST_INTERRUPTIBILITY_INFO) & ~GUEST_INTR_STATE_NMI);
	/* What is delivered wakes a CPU that was halted. */
	if (vmread(GUEST_ACTIVITY_STATE) == GUEST_ACTIVITY_HLT)
		vmwrite(GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_ACTIVE);
	event->valid = false;
}

static bool vmx_nmi_allowed(struct vcpu *vcpu)
{
	u64 blocked = GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS | GUEST_INTR_STATE_NMI;

	(void)vcpu;
	return !(vmread(GUEST_INTERRUPTIBILITY_INFO) & blocked);
}

static void vmx_enable_nmi_window(struct vcpu *vcpu)
{
	u32 window = CPU_BASED_NMI_WINDOW_EXITING;

	/* Behind STI a CPU may open this window at once, but take no NMI yet: the other window
	 * opens in time. */
	if (vmread(GUEST_INTERRUPTIBILITY_INFO) & GUEST_INTR_STATE_STI)
		window = CPU_BASED_INTR_WINDOW_EXITING;
	vmx_set_cpu_based(to_vmx(vcpu), window, 0);
}

/* A timer that is at 0 when the guest is entered. A CPU without it exits as soon as the guest can
 * take an NMI. SDM: "VMX-Preemption Timer". */
static void vmx_request_immediate_exit(struct vcpu *vcpu)
{
	if (!to_vmx(vcpu)->loaded)
		return;
	if (!vmcs_config.has_preemption_timer) {
		vmx_enable_nmi_window(vcpu);
		return;
	}
	vmwrite(VMX_PREEMPTION_TIMER_VALUE, 0);
	vmwrite(PIN_BASED_VM_EXEC_CONTROL,
		vmcs_config.pin_based_exec_ctrl | PIN_BASED_VMX_PREEMPTION_TIMER);
}

/* A step ends; not each one, if the guest steps from branch to branch. */
static __noinline void end_step(void)
{
	u64 pending = vmread(GUEST_PENDING_DBG_EXCEPTIONS) & ~PENDING_DBG_BS;

	if (!(vmread(GUEST_IA32_DEBUGCTL) & DEBUGCTLMSR_BTF))
		pending |= PENDING_DBG_BS;
	vmwrite(GUEST_PENDING_DBG_EXCEPTIONS, pending);
}

/* SDM: "Non-Maskable Interrupts", "Debug Exceptions": what the end of an instruction brings with
 * it. */
void vmx_end_instruction(u64 rflags, u64 interruptibility)
{
	vmwrite(GUEST_INTERRUPTIBILITY_INFO,
		interruptibility & ~(GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS));
	vmwrite(GUEST_RFLAGS, rflags & ~RFLAGS_RF);
	if (unlikely(rflags & RFLAGS_TF))
		end_step();
}

static void vmx_skip_emulated_instruction(struct vcpu *vcpu)
{
	vmx_skip_instruction(vcpu);
}

static void vmx_skip_to_op(struct vcpu *vcpu, u64 rip)
{
	(void)vcpu;
	vmx_skip_to(rip);
}

/* An STI's shadow may be lost if it must: what follows STI; HLT is woken once too often at worst.
 */
static int vmx_settled(struct vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	u64 blocked = vmread(GUEST_INTERRUPTIBILITY_INFO);

	if (vmcs_config.has_cet && vmread(GUEST_S_CET) & S_CET_SH_STK_EN)
		return -EOPNOTSUPP;
	/* The last page of ours has key 0, and is read with the guest's rights. */
	if (vmcs_config.has_pkrs && vmx_get_cr4() & CR4_PKS &&
	    vmread(GUEST_IA32_PKRS) & PKRS_KEY0_AD)
		return -EOPNOTSUPP;
	if (blocked != GUEST_INTR_STATE_STI)
		vmx->sti_seen = 0;
	else if (vmx->sti_seen++ >= SETTLED_TRIES)
		blocked = 0;
	return !blocked && !vmread(GUEST_PENDING_DBG_EXCEPTIONS) &&
	       vmread(GUEST_ACTIVITY_STATE) <= GUEST_ACTIVITY_HLT;
}

static void vmx_load_guest_msrs(struct vcpu *vcpu)
{
	wrmsr_safe(MSR_IA32_DEBUGCTLMSR, vmread(GUEST_IA32_DEBUGCTL));
	wrmsr(MSR_IA32_SYSENTER_CS, vmread(GUEST_SYSENTER_CS));
	wrmsr(MSR_IA32_SYSENTER_ESP, vmread(GUEST_SYSENTER_ESP));
	wrmsr(MSR_IA32_SYSENTER_EIP, vmread(GUEST_SYSENTER_EIP));
	if (vmcs_config.has_pat)
		wrmsr(MSR_IA32_CR_PAT, vmread(GUEST_IA32_PAT));
	if (vmcs_config.has_bndcfgs)
		wrmsr(MSR_IA32_BNDCFGS, vmread(GUEST_BNDCFGS));
	if (vmcs_config.has_cet) {
		wrmsr(MSR_IA32_S_CET, vmread(GUEST_S_CET));
		wrmsr(MSR_IA32_INT_SSP_TAB, vmread(GUEST_INTR_SSP_TABLE));
		/* From where an IRET to CPL 3 takes SSP. */
		if (guest_cpl(vcpu) == 3)
			wrmsr_safe(MSR_IA32_PL3_SSP, vmread(GUEST_SSP));
	}
	if (vmcs_config.has_pkrs)
		wrmsr(MSR_IA32_PKRS, vmread(GUEST_IA32_PKRS));
}

static void set_bit_to(u8 *bitmap, u32 bit, bool on)
{
	u8 mask = (u8)BIT(bit % 8);

	if (on)
		__atomic_or_fetch(&bitmap[bit / 8], mask, __ATOMIC_RELAXED);
	else
		__atomic_and_fetch(&bitmap[bit / 8], (u8)~mask, __ATOMIC_RELAXED);
}

/* SDM: "MSR-Bitmap Address": reads of low MSRs, of high ones, writes of low ones, of high ones; 1
 * KiB each. */
static void vmx_set_msr_intercept(struct vm *vm, u32 msr, bool read, bool write)
{
	u8 *bitmap = ((struct vm_vmx *)vm->arch)->msr_bitmap;
	u32 offset = msr >= 0xc0000000 ? 1024 : 0;

	set_bit_to(bitmap + offset, msr & 0x1fff, read);
	set_bit_to(bitmap + offset + 2048, msr & 0x1fff, write);
}

static void vmx_set_io_intercept(struct vm *vm, u16 port, unsigned length, bool on)
{
	for (unsigned i = 0; i < length; i++)
		set_bit_to(((struct vm_vmx *)vm->arch)->io_bitmap, (u32)port + i, on);
}

static void vmx_set_pf_intercept(struct vcpu *vcpu, bool on)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	vmx->exception_bitmap = on ? vmx->exception_bitmap | (u32)BIT(PF_VECTOR)
				   : vmx->exception_bitmap & ~(u32)BIT(PF_VECTOR);
	vmwrite(EXCEPTION_BITMAP, vmx->exception_bitmap);
}

static void vmx_flush_tlb(struct vcpu *vcpu)
{
	if (vmcs_config.has_invept_single)
		invept(VMX_EPT_EXTENT_CONTEXT, ept_pointer(&vcpu->vm->ept));
	else
		invept(VMX_EPT_EXTENT_GLOBAL, 0);
}

const struct virt_ops vmx_x86_ops = {
	.hardware_setup = vmx_hardware_setup,
	.check_processor_compat = vmx_check_processor_compat,
	.hardware_enable = vmx_hardware_enable,
	.hardware_disable = vmx_hardware_disable,
	.has_unrestricted_guest = vmx_has_unrestricted_guest,
	.can_wait_for_sipi = vmx_can_wait_for_sipi,
	.wait_for_sipi = vmx_wait_for_sipi,
	.vm_init = vmx_vm_init,
	.vcpu_create = vmx_create_vcpu,
	.vcpu_load = vmx_vcpu_load,
	.vcpu_reset = vmx_vcpu_reset,
	.run = vmx_vcpu_run,
	.handle_exit = vmx_handle_exit,
	.inject_event = vmx_inject_event,
	.nmi_allowed = vmx_nmi_allowed,
	.enable_nmi_window = vmx_enable_nmi_window,
	.request_immediate_exit = vmx_request_immediate_exit,
	.get_sysreg = vmx_get_sysreg,
	.set_sysreg = vmx_set_sysreg,
	.get_segment = vmx_get_segment,
	.set_segment = vmx_set_segment,
	.settled = vmx_settled,
	.load_guest_msrs = vmx_load_guest_msrs,
	.skip_emulated_instruction = vmx_skip_emulated_instruction,
	.skip_to = vmx_skip_to_op,
	.set_msr_intercept = vmx_set_msr_intercept,
	.set_io_intercept = vmx_set_io_intercept,
	.set_pf_intercept = vmx_set_pf_intercept,
	.flush_tlb = vmx_flush_tlb,
	.dump = vmx_dump,
	.exit_name = exit_reason_name,
};
