/* SPDX-License-Identifier: MIT */
/*
 * vmx_handle_exit and its table: one short handler for each basic exit reason. The handlers read
 * the VMCS; vmm/x86/ and the VM's operations emulate the instructions.
 */
#include "arch/x86/cpu.h"
#include "arch/x86/trap.h"
#include "errno.h"
#include "lib/log.h"
#include "lib/spinlock.h"
#include "vmm/event.h"
#include "vmm/exception.h"
#include "vmm/steps.h"
#include "vmm/x86/cpuid.h"
#include "vmm/x86/io.h"
#include "vmm/x86/io_string.h"
#include "vmm/mmu.h"
#include "vmm/x86/msr.h"
#include "vmm/x86/task_switch.h"
#include "vmm/x86/unknown.h"
#include "vmm/vmx/event.h"
#include "vmm/vmx/page_fault.h"
#include "vmm/vmx/vmx.h"

/* A machine check ended the VM entry, before it delivered an event. Handle it as one in root mode.
 * SDM: "Machine-Check Events During VM Entry". */
static int handle_entry_machine_check(struct vcpu *vcpu)
{
	vmx_cancel_injection(vcpu);
	if (!mc_handler)
		panic("machine check at VM entry, and no handler for it");
	mc_handler(NULL);
	return 1;
}

/*
 * An NMI exit blocks NMIs until the next IRET, as the delivery of an NMI does: execute that IRET.
 * SDM: "Changes to Instruction Behavior in VMX Non-Root Operation".
 */
static void unblock_nmis(void)
{
	asm volatile("mov %%ss, %%eax\n\t"
		     "mov %%rsp, %%rdx\n\t"
		     "push %%rax\n\t"
		     "push %%rdx\n\t"
		     "pushfq\n\t"
		     "mov %%cs, %%eax\n\t"
		     "push %%rax\n\t"
		     "lea 1f(%%rip), %%rax\n\t"
		     "push %%rax\n\t"
		     "iretq\n"
		     "1:"
		     :
		     :
		     : "rax", "rdx", "memory", "cc");
}

/* Whoever keeps an exception has the instruction executed again, unless he has emulated it. With
 * #DF the bit is undefined. SDM: "Resuming Guest Software After Handling an Exception". */
static void execute_again(const struct vcpu *vcpu, u32 info)
{
	if (info & INTR_INFO_UNBLOCK_NMI && (u8)info != DF_VECTOR &&
	    vmread(GUEST_RIP) == exit_rip(vcpu))
		vmx_block_nmis_again();
}

static __noinline int handle_page_fault(struct vcpu *vcpu, u32 info, u64 address, u32 error_code)
{
	struct page_fault fault = {
		.kind = FAULT_GUEST_PAGING,
		.address = address,
		.error_code = error_code,
	};
	int r;

	STEP(is_page_fault);
	r = mmu_page_fault(vcpu, &fault);
	if (!vcpu->event.valid) /* the guest does not get it */
		execute_again(vcpu, info);
	return r;
}

/* Exception or NMI. Intercepted are the exceptions that somebody wants to see: see exception.h. */
static int handle_exception(struct vcpu *vcpu)
{
	struct exception exception;
	u32 info;

	STEP(handle_exception);
	info = (u32)vmread(VM_EXIT_INTR_INFO);
	vmx_complete_event(vcpu);
	if ((info & INTR_INFO_INTR_TYPE_MASK) == INTR_TYPE_NMI_INTR) {
		unblock_nmis();
		vcpu_nmi(vcpu);
		return 1;
	}
	if (to_vmx(vcpu)->step.trapped) {
		to_vmx(vcpu)->step.trapped = false;
		return 1;
	}
	vcpu->exception_exits[info & 31]++;
	/* They exit for shadow page tables only: nobody else is to be asked. */
	if (to_vmx(vcpu)->shadow_faults && is_page_fault(info))
		return handle_page_fault(vcpu, info, exit_qualification(vcpu),
					 (u32)vmread(VM_EXIT_INTR_ERROR_CODE));
	vmx_read_exception(info, exit_qualification(vcpu), &exception);
	if (vmx_handle_fpu(vcpu, exception.vector) || exception_is_kept(vcpu, &exception)) {
		execute_again(vcpu, info);
		return 1;
	}
	if (!(to_vmx(vcpu)->exception_bitmap & BIT(exception.vector)))
		return handle_unknown(vcpu, "exception that is not intercepted");
	if (is_page_fault(info))
		return handle_page_fault(vcpu, info, exception.payload, exception.error_code);
	reflect_exception(vcpu, &exception);
	return 1;
}

/* The end of a step: see step.c. */
static int handle_monitor_trap_flag(struct vcpu *vcpu)
{
	(void)vcpu;
	return 1;
}

/* An access that the second-level tables do not allow. @qual: the exit qualification. */
static inline int handle_second_level(struct vcpu *vcpu, u64 qual, const struct page_fault *fault)
{
	vmx_complete_event(vcpu);
	/* An exception that an IRET causes leaves NMIs unblocked, so handle_exception() does this
	 * only for those that somebody keeps. */
	if (qual & EPT_VIOLATION_NMI_UNBLOCKED)
		vmx_block_nmis_again();
	return mmu_page_fault(vcpu, fault);
}

static int handle_ept_violation(struct vcpu *vcpu)
{
	u64 qual = exit_qualification(vcpu);
	struct page_fault fault = ept_violation_fault(qual, vmread(GUEST_PHYSICAL_ADDRESS));

	STEP(handle_ept_violation);
	if (fault.write && qual & EPT_VIOLATION_GVA_IS_VALID)
		fault.gva_hint = vmread(GUEST_LINEAR_ADDRESS);
	return handle_second_level(vcpu, qual, &fault);
}

/* A write to a page with sub-page permissions, for which the CPU has found none. They are there
 * before the page asks for them, so this is not expected; as the write is not allowed, see who
 * cares. SDM: "Basic VM-Exit Information", "Sub-Page Write Permissions". */
static int handle_spp_event(struct vcpu *vcpu)
{
	u64 qual = exit_qualification(vcpu);
	struct page_fault fault = {
		.kind = FAULT_SECOND_LEVEL,
		.address = vmread(GUEST_PHYSICAL_ADDRESS),
		.write = true,
		.gva_hint = ~(gva_t)0,
	};

	return handle_second_level(vcpu, qual, &fault);
}

static int handle_ept_misconfig(struct vcpu *vcpu)
{
	gpa_t gpa = vmread(GUEST_PHYSICAL_ADDRESS);
	struct ept_mapping map;

	STEP(handle_ept_misconfig);
	ept_walk(&vcpu->vm->ept, gpa, &map);
	pr_err("EPT misconfiguration at guest-physical %lx: entry %lx at level %d: a defect of "
	       "Glasshouse. Please report it.\n",
	       gpa, map.entry, map.level);
	return -EIO;
}

static int handle_io(struct vcpu *vcpu)
{
	u64 qual = exit_qualification(vcpu);
	struct pio_access io = {
		.port = IO_QUAL_PORT(qual),
		.size = IO_QUAL_SIZE(qual),
		.in = qual & IO_QUAL_IN,
		.string = qual & IO_QUAL_STRING,
		.rep = qual & IO_QUAL_REP,
	};

	STEP(handle_io);
	return io.string ? emulate_string_pio(vcpu, &io) : emulate_pio(vcpu, &io);
}

int vmx_skip_or_fault(struct vcpu *vcpu, int error)
{
	if (error)
		queue_exception_e(vcpu, GP_VECTOR, 0);
	else
		vmx_skip_instruction(vcpu);
	return 1;
}

static __noinline int handle_masked_cpuid(struct vcpu *vcpu)
{
	STEP(handle_masked_cpuid);
	emulate_cpuid_masked(vcpu);
	vmx_skip_instruction(vcpu);
	return 1;
}

/* The hot path. It calls no function, so that the compiler saves few registers. */
static int handle_cpuid(struct vcpu *vcpu)
{
	if (unlikely(!cpuid_is_plain(vcpu)))
		return handle_masked_cpuid(vcpu);
	STEP(handle_cpuid);
	emulate_cpuid_plain(vcpu);
	vmx_skip_instruction(vcpu);
	return 1;
}

/* These exits have no qualification of their own. Of RCX, the low half is the MSR; cutting it costs
 * a tick. */
static void record_msr(struct vcpu *vcpu)
{
	vcpu->recorder.now->qualification = vcpu->regs[VCPU_RCX];
}

static int handle_rdmsr(struct vcpu *vcpu)
{
	STEP(handle_rdmsr);
	record_msr(vcpu);
	return vmx_skip_or_fault(vcpu, emulate_rdmsr(vcpu));
}

static int handle_wrmsr(struct vcpu *vcpu)
{
	STEP(handle_wrmsr);
	record_msr(vcpu);
	return vmx_skip_or_fault(vcpu, emulate_wrmsr(vcpu));
}

/* While MSRs exit on demand, or shadow page tables are in use: see vmx_watch_msrs(). */
static int handle_watched_rdmsr(struct vcpu *vcpu)
{
	record_msr(vcpu);
	if (vmx_rdmsr_shadow(vcpu) ||
	    vmx_handle_icept_msr(vcpu, (u32)vcpu->regs[VCPU_RCX], false, NULL))
		return 1;
	return handle_rdmsr(vcpu);
}

static int handle_watched_wrmsr(struct vcpu *vcpu)
{
	record_msr(vcpu);
	if (vmx_wrmsr_shadow(vcpu) ||
	    vmx_handle_icept_msr(vcpu, (u32)vcpu->regs[VCPU_RCX], true, NULL))
		return 1;
	return handle_wrmsr(vcpu);
}

/* SDM: "RDMSR", "WRMSRNS": the qualification of their immediate forms is the MSR's number. */
static enum vcpu_reg msr_imm_register(void)
{
	return (enum vcpu_reg)INSN_INFO_REG1(vmread(VMX_INSTRUCTION_INFO));
}

static int handle_rdmsr_imm(struct vcpu *vcpu)
{
	u32 msr = (u32)exit_qualification(vcpu);
	enum vcpu_reg reg = msr_imm_register();

	if (vmx_handle_icept_msr(vcpu, msr, false, &reg))
		return 1;
	return vmx_skip_or_fault(vcpu, emulate_rdmsr_imm(vcpu, msr, reg));
}

static int handle_wrmsrns_imm(struct vcpu *vcpu)
{
	u32 msr = (u32)exit_qualification(vcpu);

	if (vmx_handle_icept_msr(vcpu, msr, true, NULL))
		return 1;
	return vmx_skip_or_fault(vcpu, emulate_wrmsrns_imm(vcpu, msr, msr_imm_register()));
}

static int handle_xsetbv(struct vcpu *vcpu)
{
	STEP(handle_xsetbv);
	return vmx_skip_or_fault(vcpu, emulate_xsetbv(vcpu));
}

/* INVD would also discard Glasshouse's own data in the caches, so execute WBINVD instead: for the
 * guest, caches may be written back at any time. */
static int handle_invd(struct vcpu *vcpu)
{
	STEP(handle_invd);
	wbinvd();
	return vmx_skip_or_fault(vcpu, 0);
}

/* An instruction of a feature that the guest does not have, such as VMX or SMX: inject #UD. */
static int handle_undefined(struct vcpu *vcpu)
{
	STEP(handle_undefined);
	pr_warn_ratelimited("vCPU %u: %s at RIP %lx, which the guest does not have: #UD", vcpu->id,
			    exit_reason_name(exit_reason(vcpu)),
			    virt->get_sysreg(vcpu, SYSREG_RIP));
	queue_exception(vcpu, UD_VECTOR);
	return 1;
}

static int handle_vmcall(struct vcpu *vcpu)
{
	STEP(handle_vmcall);
	return vcpu->vm->ops->hypercall(vcpu);
}

static int handle_triple_fault(struct vcpu *vcpu)
{
	STEP(handle_triple_fault);
	return vcpu->vm->ops->triple_fault(vcpu);
}

/* A task switch by IRET unblocks NMIs, as any IRET. The delivery of an NMI through a task gate has
 * blocked them already. */
static int handle_task_switch(struct vcpu *vcpu)
{
	u64 qual = exit_qualification(vcpu);
	enum task_switch_source source = (enum task_switch_source)TASK_SWITCH_SOURCE(qual);
	const struct vcpu_event *event = &vcpu->event;
	u32 len = (u32)vmread(VM_EXIT_INSTRUCTION_LEN);

	STEP(handle_task_switch);
	vmx_complete_event(vcpu);
	if (source == TASK_BY_IRET)
		vmx_set_nmi_blocking(false);
	if (source == TASK_BY_GATE && (!event->valid || event->type < EVENT_SOFT_INTR))
		len = 0;
	/* An event that is delivered wakes a CPU that was halted; the new task may be one of CPL 3,
	 * in which a CPU cannot be halted. */
	vmwrite(GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_ACTIVE);
	task_switch(vcpu, TASK_SWITCH_SELECTOR(qual), source, len);
	return 1;
}

/* An INIT arrived while the guest ran: in VMX operation it exits instead of resetting the CPU. A
 * SIPI that comes before the next entry is lost, so there is no detour by a request. */
static int handle_init_signal(struct vcpu *vcpu)
{
	STEP(handle_signal);
	handle_init(vcpu);
	return 1;
}

/* A SIPI arrived in the wait-for-SIPI state. */
static int handle_sipi_signal(struct vcpu *vcpu)
{
	STEP(handle_signal);
	vcpu_deliver_sipi(vcpu, (u8)exit_qualification(vcpu));
	return 1;
}

static int handle_rare_exit(struct vcpu *vcpu);

#pragma GCC diagnostic push
/* The first row is the default for reasons without a row of their own. */
#pragma GCC diagnostic ignored "-Woverride-init"
static int (*vmx_exit_handlers[NR_EXIT_REASONS])(struct vcpu *vcpu) = {
	[0 ... NR_EXIT_REASONS - 1] = handle_rare_exit,
	[EXIT_REASON_EXCEPTION_NMI] = handle_exception,
	[EXIT_REASON_EXTERNAL_INTERRUPT] = handle_external_interrupt,
	[EXIT_REASON_TRIPLE_FAULT] = handle_triple_fault,
	[EXIT_REASON_INIT_SIGNAL] = handle_init_signal,
	[EXIT_REASON_SIPI_SIGNAL] = handle_sipi_signal,
	[EXIT_REASON_INTERRUPT_WINDOW] = handle_window,
	[EXIT_REASON_NMI_WINDOW] = handle_window,
	[EXIT_REASON_TASK_SWITCH] = handle_task_switch,
	[EXIT_REASON_CPUID] = handle_cpuid,
	[EXIT_REASON_GETSEC] = handle_undefined,
	[EXIT_REASON_INVD] = handle_invd,
	[EXIT_REASON_INVLPG] = handle_invlpg,
	[EXIT_REASON_INVPCID] = handle_invpcid,
	[EXIT_REASON_RSM] = handle_undefined,
	[EXIT_REASON_VMCALL] = handle_vmcall,
	[EXIT_REASON_VMCLEAR... EXIT_REASON_VMON] = handle_undefined,
	[EXIT_REASON_INVEPT] = handle_undefined,
	[EXIT_REASON_INVVPID] = handle_undefined,
	[EXIT_REASON_VMFUNC] = handle_undefined,
	[EXIT_REASON_CR_ACCESS] = handle_cr,
	[EXIT_REASON_DR_ACCESS] = handle_dr,
	[EXIT_REASON_IO_INSTRUCTION] = handle_io,
	[EXIT_REASON_MONITOR_TRAP_FLAG] = handle_monitor_trap_flag,
	[EXIT_REASON_MSR_READ] = handle_rdmsr,
	[EXIT_REASON_MSR_WRITE] = handle_wrmsr,
	[EXIT_REASON_RDMSR_IMM] = handle_rdmsr_imm,
	[EXIT_REASON_WRMSRNS_IMM] = handle_wrmsrns_imm,
	[EXIT_REASON_EPT_VIOLATION] = handle_ept_violation,
	[EXIT_REASON_EPT_MISCONFIG] = handle_ept_misconfig,
	[EXIT_REASON_SPP_EVENT] = handle_spp_event,
	[EXIT_REASON_PREEMPTION_TIMER] = handle_preemption_timer,
	[EXIT_REASON_XSETBV] = handle_xsetbv,
};
#pragma GCC diagnostic pop

/* What is watched is told by another handler: a test in the handlers would cost each of these exits
 * some ticks. */
static struct {
	spinlock_t lock;
	u32 reason;
	int (*handler)(struct vcpu *vcpu); /* whose place handle_watched_exit() has taken */
	exit_hook *hook;                   /* NULL: no exit is watched */
} watched;

static void set_handler(u32 reason, int (*handler)(struct vcpu *vcpu))
{
	spin_lock(&watched.lock);
	if (watched.hook && watched.reason == reason)
		watched.handler = handler;
	else
		__atomic_store_n(&vmx_exit_handlers[reason], handler, __ATOMIC_RELEASE);
	spin_unlock(&watched.lock);
}

void vmx_watch_msrs(bool watch)
{
	set_handler(EXIT_REASON_MSR_READ, watch ? handle_watched_rdmsr : handle_rdmsr);
	set_handler(EXIT_REASON_MSR_WRITE, watch ? handle_watched_wrmsr : handle_wrmsr);
}

/* With the lock. Returns what was to be called. */
static exit_hook *end_watch(void)
{
	exit_hook *hook = watched.hook;

	if (hook)
		__atomic_store_n(&vmx_exit_handlers[watched.reason], watched.handler,
				 __ATOMIC_RELEASE);
	watched.hook = NULL;
	return hook;
}

/* Another vCPU may have been the first. */
static int handle_watched_exit(struct vcpu *vcpu)
{
	u32 basic = exit_reason(vcpu) & VMX_EXIT_REASONS_BASIC_MASK;
	int (*handler)(struct vcpu * vcpu), r;
	exit_hook *hook = NULL;

	spin_lock(&watched.lock);
	if (watched.hook && watched.reason == basic)
		hook = end_watch();
	handler = vmx_exit_handlers[basic];
	spin_unlock(&watched.lock);
	r = handler(vcpu);
	if (hook && r > 0)
		hook(vcpu);
	return r;
}

void vmx_watch_exit(u32 reason, exit_hook *hook)
{
	spin_lock(&watched.lock);
	end_watch();
	if (hook) {
		watched.reason = reason;
		watched.handler = vmx_exit_handlers[reason];
		watched.hook = hook;
		__atomic_store_n(&vmx_exit_handlers[reason], handle_watched_exit, __ATOMIC_RELEASE);
	}
	spin_unlock(&watched.lock);
}

/* Exits whose reason has modifier bits or no handler. */
static __noinline int handle_rare_exit(struct vcpu *vcpu)
{
	u32 reason = exit_reason(vcpu), basic = reason & VMX_EXIT_REASONS_BASIC_MASK;

	if (basic < NR_EXIT_REASONS && basic != reason)
		vcpu->recorder.count[basic]++; /* vmx_handle_exit() has counted the others */
	if (basic == EXIT_REASON_MCE_DURING_VMENTRY)
		return handle_entry_machine_check(vcpu);
	if (reason & VMX_EXIT_REASONS_FAILED_VMENTRY)
		return vmx_entry_refused(vcpu);
	if (basic < NR_EXIT_REASONS && vmx_exit_handlers[basic] != handle_rare_exit)
		return vmx_exit_handlers[basic](vcpu);
	if (vmx_handle_icept(vcpu))
		return 1;
	return handle_unknown(vcpu, exit_reason_name(reason));
}

int vmx_handle_exit(struct vcpu *vcpu)
{
	struct exit_record *now = vcpu->recorder.now;
	u64 reason = vmread(VM_EXIT_REASON);

	vmcs_count_exit(reason);
	now->reason = reason;
	now->qualification = 0; /* see exit_qualification() */
	vmread_to(GUEST_RIP, &now->rip);
	recorder_stamp(now->exited);
	STEP(dispatch);
	if (unlikely(reason >= NR_EXIT_REASONS))
		return handle_rare_exit(vcpu);
	vcpu->recorder.count[reason]++;
	return vmx_exit_handlers[reason](vcpu);
}
