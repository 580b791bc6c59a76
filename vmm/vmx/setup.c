/* SPDX-License-Identifier: MIT */
/*
 * Switching VT-x on and off, and initialising VMCSs: the operations hardware_setup to vcpu_load of
 * struct virt_ops.
 */
#include "arch/x86/cpu.h"
#include "arch/x86/desc.h"
#include "arch/x86/msr.h"
#include "arch/x86/paging.h"
#include "errno.h"
#include "lib/log.h"
#include "lib/pages.h"
#include "lib/string.h"
#include "vmm/mmu.h"
#include "vmm/steps.h"
#include "vmm/vmx/ready.h"
#include "vmm/vmx/vmx.h"
#include "vmm/vmx/vmx_run.h"
#include "vmm/x86/cpuid.h"

struct vmx_capability vmx_capability;
struct vmcs_config vmcs_config;
static bool use_ept; /* if the CPU has it */

_Static_assert(offsetof(struct vcpu, regs) == 0 &&
		       offsetof(struct vcpu, host_rsp) == RUN_HOST_RSP &&
		       offsetof(struct cpu, dr6) == RUN_CPU_DR6 &&
		       offsetof(struct cpu, launched) == RUN_CPU_LAUNCHED &&
		       HOST_RSP == RUN_HOST_RSP_FIELD,
	       "vmx_run.S uses these");

static void read_capability(struct vmx_capability *cap)
{
	memset(cap, 0, sizeof(*cap));
	cap->cpuid_vmx = cpuid(1, 0).ecx & BIT(5);
	cap->phys_bits = cpu_phys_bits();
	if (cap->cpuid_vmx)
		vmx_capability_read(cap, rdmsr_safe);
}

/* If the firmware left IA32_FEATURE_CONTROL unlocked, allow VMXON and lock it. SDM: "Enabling and
 * Entering VMX Operation". */
static void unlock_feature_control(struct vmx_capability *cap, unsigned cpu)
{
	struct cpuid_regs seven = {0};

	if (!cap->cpuid_vmx || cap->feature_control & FEAT_CTL_LOCKED)
		return;
	if (cpuid(0, 0).eax >= 7)
		seven = cpuid(7, 0);
	if (vmx_lock_feature_control(cap, seven.ebx & BIT(2), seven.ecx & BIT(30), wrmsr_safe))
		pr_info("CPU %u: IA32_FEATURE_CONTROL was unlocked: "
			"Glasshouse has allowed VMXON and locked it.\n",
			cpu);
}

int vmx_hardware_setup(bool second_level)
{
	char brand[52];

	STEP_ONCE(hardware_setup);
	use_ept = second_level;
	read_capability(&vmx_capability);
	unlock_feature_control(&vmx_capability, 0);
	cpu_brand(brand);
	return ready_report(&vmx_capability, use_ept, &vmcs_config, brand, 0) ? -ENODEV : 0;
}

void vmx_print_capabilities(void)
{
	struct vmcs_config config;
	char brand[52];

	cpu_brand(brand);
	ready_report(&vmx_capability, use_ept, &config, brand, 0);
}

void vmx_each_capability(emit_capability *emit)
{
	for (unsigned i = 0; i < vmx_control_count; i++) {
		const struct vmx_control *c = &vmx_controls[i];

		emit(vmx_word_name((enum vmx_word)c->word), c->name, vmx_policy_name(c->policy),
		     vmx_can(&vmx_capability, c));
	}
}

int vmx_check_processor_compat(unsigned cpu)
{
	struct vmx_capability cap;

	STEP_ONCE(compat);
	read_capability(&cap);
	unlock_feature_control(&cap, cpu);
	vmx_capability_restrict(&vmx_capability, &cap);
	return vmx_capability_compare(&vmx_capability, &cap, cpu) ? -ENODEV : 0;
}

/* Allocate a VMXON region or a VMCS, with the revision in its first word. Returns NULL if out of
 * memory. SDM: "Format of the VMCS Region". */
static void *alloc_vmcs_cpu(void)
{
	u32 *region;

	STEP_ONCE(alloc_vmcs);
	region = page_alloc();
	if (region)
		*region = vmcs_config.revision;
	return region;
}

int vmx_hardware_enable(void)
{
	struct cpu *cpu = this_cpu();
	int r;

	STEP_ONCE(hardware_enable);
	if (!cpu->virt_area)
		cpu->virt_area = alloc_vmcs_cpu();
	if (!cpu->virt_area)
		return -ENOMEM;
	r = cpu_vmxon(virt_to_phys(cpu->virt_area));
	if (r) {
		pr_err("CPU %u: VMXON failed although its conditions are met (CR0 %lx, CR4 %lx, "
		       "IA32_FEATURE_CONTROL %lx). Please report this with the lines above.\n",
		       cpu->id, read_cr0(), read_cr4(), rdmsr(MSR_IA32_FEAT_CTL));
		return r;
	}
	cpu->virt_on = true;
	/* What another hypervisor has left, or Glasshouse before a warm start: VMXOFF and VMXON
	 * keep it. SDM: "Guidelines for Use of the INVEPT Instruction". */
	vmx_flush_all();
	return 0;
}

/* In a debug build: print the numbers of VMREADs and VMWRITEs, by exit reason. */
static void print_vmcs_counts(void)
{
	for (u32 reason = 0; reason < NR_EXIT_REASONS; reason++) {
		const struct vmcs_count *c = vmcs_count_of(reason);

		if (c && c->exits)
			pr_info("vmcs: %s exits %lu reads %lu writes %lu\n",
				exit_reason_name(reason), c->exits, c->reads, c->writes);
	}
}

void vmx_hardware_disable(void)
{
	struct cpu *cpu = this_cpu();
	u64 vmcs = 0;

	STEP(hardware_disable);
	if (!cpu->virt_on)
		return;
	if (cpu->vcpu) {
		to_vmx(cpu->vcpu)->loaded = false;
		vmcs = virt_to_phys(to_vmx(cpu->vcpu)->vmcs);
	}
	cpu_vmxoff(vmcs);
	print_vmcs_counts();
	cpu->virt_on = false;
}

int vmx_vm_init(struct vm *vm)
{
	const struct ept_ops ops = {page_alloc, page_free, (u64)phys_to_virt(0)};
	struct ept_caps caps = {
		.page_2m = vmcs_config.has_ept_2m,
		.page_1g = vmcs_config.has_ept_1g,
		.ad = vmcs_config.has_ept_ad,
		.exec_only = vmcs_config.has_ept_exec_only,
		.subpage = vmx_allowed1(&vmx_capability, VMX_PROC2) &
			   SECONDARY_EXEC_SUBPAGE_WRITE_PERMISSION,
		.phys_bits = vmx_capability.phys_bits,
	};
	struct vm_vmx *vmx = page_alloc();

	vm->arch = vmx;
	if (!vmx)
		return -ENOMEM;
	vmx->bitmaps = pages_alloc(BITMAP_SIZE / PAGE_SIZE);
	if (!vmx->bitmaps || cpuid_policy_init(vm))
		return -ENOMEM;
	vmx_hide_features(vm);
	if (!vmcs_config.has_ept) {
		vmx_set_msr_intercept(vm, MSR_EFER, true, true);
		vmx_watch_msrs(true);
		vmx_real_mode_init();
	}
	return ept_init(&vm->ept, &ops, &caps);
}

/* Set the host state, which exits load. SDM: "Host-State Area". */
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
	if (vmcs_config.has_efer)
		vmwrite(HOST_IA32_EFER, rdmsr(MSR_EFER));
	vmwrite(HOST_RIP, (u64)vmx_return);
	if (vmcs_config.has_pat)
		vmwrite(HOST_IA32_PAT, PAGING_PAT);
	if (vmcs_config.has_cet) {
		vmwrite(HOST_S_CET, 0);
		vmwrite(HOST_SSP, 0);
		vmwrite(HOST_INTR_SSP_TABLE, 0);
	}
	if (vmcs_config.has_pkrs)
		vmwrite(HOST_IA32_PKRS, 0);
}

/* Set the controls. SDM: "VM-Execution Control Fields". */
static void vmx_set_controls(struct vcpu_vmx *vmx)
{
	struct vm *vm = vmx->vcpu.vm;

	vmx->cpu_based = vmcs_config.cpu_based_exec_ctrl;
	vmx->pin_based = vmcs_config.pin_based_exec_ctrl;
	vmx->exit_ctrl = vmcs_config.vmexit_ctrl;
	vmwrite(PIN_BASED_VM_EXEC_CONTROL, vmx->pin_based);
	vmwrite(CPU_BASED_VM_EXEC_CONTROL, vmx->cpu_based);
	vmx->secondary = vmcs_config.cpu_based_2nd_exec_ctrl;
	if (vmcs_config.has_secondary)
		vmwrite(SECONDARY_VM_EXEC_CONTROL, vmx->secondary);
	vmwrite(VM_EXIT_CONTROLS, vmx->exit_ctrl);
	vmwrite(VM_ENTRY_CONTROLS, vmcs_config.vmentry_ctrl);
	vmwrite(EXCEPTION_BITMAP, vmx->exception_bitmap);
	vmwrite(PAGE_FAULT_ERROR_CODE_MASK, 0);
	vmwrite(PAGE_FAULT_ERROR_CODE_MATCH, 0);
	vmwrite(CR3_TARGET_COUNT, 0);
	vmwrite(VM_EXIT_MSR_STORE_COUNT, 0);
	vmwrite(VM_EXIT_MSR_LOAD_COUNT, 0);
	vmwrite(VM_ENTRY_MSR_LOAD_COUNT, 0);
	vmwrite(VM_ENTRY_INTR_INFO_FIELD, 0);
	vmwrite(IO_BITMAP_A, virt_to_phys(vmx->bitmaps) + BITMAP_IO_A);
	vmwrite(IO_BITMAP_B, virt_to_phys(vmx->bitmaps) + BITMAP_IO_B);
	vmwrite(MSR_BITMAP, virt_to_phys(vmx->bitmaps) + BITMAP_MSR);
	if (vmcs_config.has_ept)
		vmwrite(EPT_POINTER, ept_pointer(&vm->ept));
	vmwrite(VMCS_LINK_POINTER, ~0ull);
	if (vmcs_config.has_vpid)
		vmwrite(VIRTUAL_PROCESSOR_ID, vmx->vpid);
	if (vmcs_config.cpu_based_2nd_exec_ctrl & SECONDARY_EXEC_ENABLE_XSAVES)
		vmwrite(XSS_EXIT_BITMAP, 0);
}

/* Initialise the guest's MSRs that are in the VMCS: where the firmware may have set one, with the
 * machine's value. */
static void vmx_set_guest_msrs(void)
{
	vmwrite(GUEST_IA32_DEBUGCTL, 0);
	vmwrite(GUEST_SYSENTER_CS, rdmsr(MSR_IA32_SYSENTER_CS));
	vmwrite(GUEST_SYSENTER_ESP, rdmsr(MSR_IA32_SYSENTER_ESP));
	vmwrite(GUEST_SYSENTER_EIP, rdmsr(MSR_IA32_SYSENTER_EIP));
	if (vmcs_config.has_pat)
		vmwrite(GUEST_IA32_PAT, this_cpu()->guest_pat);
	else
		wrmsr(MSR_IA32_CR_PAT, this_cpu()->guest_pat); /* for both */
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

/* Components that the guest does not have may be on already: the firmware may have set them. No
 * exit would show it, as the guest need not write IA32_XSS then. */
static void clear_hidden_xstate(const struct vm *vm)
{
	u64 xss;

	if (vmcs_config.cpu_based_2nd_exec_ctrl & SECONDARY_EXEC_ENABLE_XSAVES &&
	    !rdmsr_safe(MSR_IA32_XSS, &xss) && xss & vm->cpuid->hidden_xstate)
		wrmsr_safe(MSR_IA32_XSS, xss & ~vm->cpuid->hidden_xstate);
}

/* Allocate a VPID: a different one for each vCPU of each VM. 0 is the host's. SDM:
 * "Virtual-Processor Identifiers (VPIDs)". */
static u16 alloc_vpid(void)
{
	static u32 last;
	u32 vpid = __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);

	return vpid > 0xffff ? 0 : (u16)vpid;
}

struct vcpu *vmx_create_vcpu(struct vm *vm, struct cpu *cpu)
{
	struct vcpu_vmx *vmx;

	STEP_ONCE(vmx_create_vcpu);
	vmx = pages_alloc(ALIGN_UP(sizeof(struct vcpu_vmx), PAGE_SIZE) / PAGE_SIZE);
	if (!vmx)
		return NULL;
	vmx->vmcs = alloc_vmcs_cpu();
	vmx->bitmaps = pages_alloc(BITMAP_SIZE / PAGE_SIZE);
	if (!vmx->vmcs || !vmx->bitmaps)
		return NULL;
	vmx->vcpu.vm = vm;
	vmx->vcpu.cpu = cpu;
	vmx->vcpu.page_fault = reflect_page_fault;
	vmx->vcpu.cpuid_plain = vm->cpuid->plain_leaves;
	vmx->vpid = alloc_vpid();
	if (!vmx->vpid)
		return NULL;
	return &vmx->vcpu;
}

/* Set all fields of the loaded VMCS that exits do not change. */
static void vmx_vcpu_setup(struct vcpu_vmx *vmx)
{
	STEP_ONCE(vcpu_setup);
	vmx_set_controls(vmx);
	vmx_set_host_state(vmx->vcpu.cpu);
	vmx_set_guest_msrs();
	clear_hidden_xstate(vmx->vcpu.vm);
}

int vmx_vcpu_load(struct vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	u64 pa = virt_to_phys(vmx->vmcs);
	int r;

	STEP_ONCE(vcpu_load);
	r = vmcs_load(pa);
	if (r) {
		pr_err("CPU %u: VMCLEAR or VMPTRLD failed on its own VMCS at %lx: a defect of "
		       "Glasshouse or of the CPU. Please report it.\n",
		       vcpu->cpu->id, pa);
		return r;
	}
	vcpu->host_rsp = 0;
	vcpu->cpu->vcpu = vcpu;
	vmx_vcpu_setup(vmx);
	vmx_load_intercepts(vcpu);
	/* If vmx_flush_all() could not; vcpu_reset flushes the guest's own translations. */
	if (vmcs_config.has_ept)
		vmx_flush_tlb(vcpu);
	vmx->loaded = true;
	return 0;
}
