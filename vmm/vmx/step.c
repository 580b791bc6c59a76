/* SPDX-License-Identifier: MIT */
/*
 * One step of the guest (vmm/step.h): begin_step and end_step of struct virt_ops.
 *
 * With the monitor trap flag the CPU does it. SDM: "Monitor Trap Flag". Some emulators have the
 * control, but it does nothing: so the first step is made in both ways, and shows it.
 *
 * Without it RFLAGS.TF is set for one entry, and the #DB exits. What would show TF to the guest is
 * prevented, or mended after the exit:
 * - All exceptions exit, and interrupts, too: they are delivered by the next entry, with the
 * guest's own TF, and that entry exits by itself before the handler's first instruction.
 * - INT n is delivered in the same way; HLT and SYSCALL are carried out here.
 * - PUSHF's image is corrected. POPF, IRET and SYSRET load the guest's own TF.
 * - In the shadow of STI or MOV SS a VM entry refuses TF without a pending #DB. The shadow is taken
 *   away, and IF is 0 for the instruction, so that no interrupt comes before it.
 * - IA32_DEBUGCTL.BTF, with which TF only traps branches, is 0 for the instruction.
 * What remains: MOV SS, POP SS and the instruction after it are one step, as the CPU traps only
 * after both, and if that is INT n, HLT or SYSCALL, it sees TF; so does INT n in virtual-8086 mode,
 * and SYSCALL with CET. RDMSR of IA32_DEBUGCTL sees BTF as 0. TF aborts RTM transactions.
 */
#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"
#include "lib/log.h"
#include "vmm/vmx/event.h"
#include "vmm/vmx/vmx.h"
#include "vmm/x86/guest_mem.h"

/* What an instruction does that matters to a step by TF. */
#define LOADS_TF    BIT(0) /* replaces TF... */
#define LOADS_IF    BIT(1) /* ...and IF */
#define PUSHES      BIT(2) /* pushes RFLAGS */
#define MAY_SHADOW  BIT(3) /* STI: begins a shadow if IF was 0 */
#define BRANCHES    BIT(4) /* may lead to itself */
#define RFLAGS_IOPL 12

static enum { MTF_UNTRIED, MTF_WORKS, MTF_USELESS } mtf;

static bool has_mtf(void)
{
	return mtf != MTF_USELESS &&
	       vmx_allowed1(&vmx_capability, VMX_PROC) & CPU_BASED_MONITOR_TRAP_FLAG;
}

static void use_mtf(struct vcpu_vmx *vmx)
{
	vmx->step.mtf = true;
	vmx_set_cpu_based(vmx, CPU_BASED_MONITOR_TRAP_FLAG, 0);
}

static bool may_change_if(struct vcpu *vcpu, u64 rflags)
{
	return guest_cpl(vcpu) <= (rflags >> RFLAGS_IOPL & 3);
}

static bool is_mov_ss(const struct insn *insn)
{
	return insn->encoding == INSN_LEGACY && !insn->map &&
	       (insn->opcode == 0x17 || (insn->opcode == 0x8e && (insn->reg & 7) == SEG_SS));
}

static u8 effects_on_flags(struct vcpu *vcpu, const struct insn *insn, u64 rflags)
{
	u8 loads_if = may_change_if(vcpu, rflags) ? LOADS_IF : 0;

	if (insn->encoding != INSN_LEGACY || insn->map > 1)
		return 0;
	switch (insn->map << 8 | insn->opcode) {
	case 0x9c: /* PUSHF */
		return PUSHES;
	case 0x9d: /* POPF */
	case 0xcf: /* IRET */
		return LOADS_TF | loads_if;
	case 0xfa: /* CLI */
		return loads_if;
	case 0xfb: /* STI */
		return loads_if | MAY_SHADOW;
	case 0x107: /* SYSRET */
		return LOADS_TF | LOADS_IF;
	case 0x134: /* SYSENTER */
		return LOADS_IF;
	}
	return 0;
}

/* SDM: "Control Transfer Instructions", "System Instructions". */
static bool is_branch(const struct insn *insn)
{
	if (insn->encoding != INSN_LEGACY)
		return false;
	switch (insn->map << 8 | insn->opcode) {
	case 0x70 ... 0x7f:   /* Jcc */
	case 0x180 ... 0x18f: /* Jcc */
	case 0x9a:            /* CALL far */
	case 0xc2 ... 0xc3:   /* RET */
	case 0xca ... 0xcf:   /* RET far, INT, IRET */
	case 0xe0 ... 0xe3:   /* LOOP, JCXZ */
	case 0xe8 ... 0xeb:   /* CALL, JMP */
	case 0xf1:            /* INT1 */
	case 0x105:           /* SYSCALL */
	case 0x107:           /* SYSRET */
	case 0x134 ... 0x135: /* SYSENTER, SYSEXIT */
		return true;
	case 0xc7: /* XBEGIN */
		return insn->modrm == 0xf8;
	case 0xff: /* CALL, JMP */
		return (insn->reg & 7) >= 2 && (insn->reg & 7) <= 5;
	case 0x101: /* UIRET */
		return insn->modrm == 0xec;
	}
	return false;
}

static u8 effects_of(struct vcpu *vcpu, const struct insn *insn, u64 rflags)
{
	return effects_on_flags(vcpu, insn, rflags) | (is_branch(insn) ? BRANCHES : 0);
}

/* Decode the instruction at RIP; of MOV SS and the one after it, what matters is the second.
 * Returns false if it cannot be read. */
static bool look_at_insn(struct vcpu *vcpu, struct insn *insn)
{
	struct vmx_step *step = &to_vmx(vcpu)->step;
	u8 bytes[2 * INSN_MAX_LENGTH];
	size_t n = fetch_guest_insn(vcpu, bytes, sizeof(bytes));
	enum insn_mode mode = guest_mode(vcpu);
	struct insn next;

	step->effects = BRANCHES; /* as far as is known */
	if (insn_decode(insn, bytes, MIN(n, INSN_MAX_LENGTH), mode) < 0)
		return false;
	step->length = insn->length;
	step->effects = effects_of(vcpu, insn, step->rflags);
	if (is_mov_ss(insn) && insn_decode(&next, bytes + insn->length, n - insn->length, mode) > 0)
		step->effects = effects_of(vcpu, &next, step->rflags);
	return true;
}

/* SDM: "HLT—Halt". Returns false if it must be executed. */
static bool halt(struct vcpu *vcpu, const struct insn *insn)
{
	if (guest_cpl(vcpu) || to_vmx(vcpu)->real.active ||
	    to_vmx(vcpu)->cpu_based & CPU_BASED_HLT_EXITING)
		return false;
	vmx_skip_to(to_vmx(vcpu)->step.rip + insn->length);
	vmwrite(GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_HLT);
	return true;
}

/* SDM: "SYSCALL—Fast System Call". Its MSRs are the guest's own. */
static bool system_call(struct vcpu *vcpu, const struct insn *insn)
{
	struct vmx_step *step = &to_vmx(vcpu)->step;
	u64 star = rdmsr(MSR_STAR);
	struct segment cs = {.limit = 0xffffffff, .selector = star >> 32 & 0xfffc, .ar = 0xa09b};
	struct segment ss = {.limit = 0xffffffff, .selector = (u16)(cs.selector + 8), .ar = 0xc093};

	if (insn->mode != INSN_64 || !(vmx_get_efer(vcpu) & EFER_SCE) ||
	    vmread(GUEST_CR4) & CR4_CET)
		return false;
	vcpu->regs[VCPU_RCX] = step->rip + insn->length;
	vcpu->regs[VCPU_R8 + 3] = step->rflags & ~RFLAGS_RF;
	vmwrite(GUEST_RFLAGS, (step->rflags & ~rdmsr(MSR_SYSCALL_MASK)) | RFLAGS_FIXED);
	virt->set_segment(vcpu, SEG_CS, &cs);
	virt->set_segment(vcpu, SEG_SS, &ss);
	vmx_skip_to(rdmsr(MSR_LSTAR));
	return true;
}

/* SDM: "INT n/INTO/INT3/INT1—Call to Interrupt Procedure", "Details of Vectored-Event Injection".
 * In virtual-8086 mode an injected event takes another way. */
static bool inject_int(struct vcpu *vcpu, const struct insn *insn)
{
	if (to_vmx(vcpu)->step.rflags & RFLAGS_VM)
		return false;
	vcpu->event = (struct vcpu_event){.valid = true,
					  .type = EVENT_SOFT_INTR,
					  .vector = (u8)insn->imm,
					  .insn_len = insn->length};
	vmx_inject_event(vcpu);
	return true;
}

/* What a step by TF cannot do. Returns true if the instruction has been carried out, or is an event
 * to inject now. Not where a breakpoint may be on it, which the CPU checks first. */
static bool carry_out(struct vcpu *vcpu, const struct insn *insn)
{
	if (insn->encoding != INSN_LEGACY || insn->lock || vmread(GUEST_DR7) & DR7_ENABLED)
		return false;
	if (!insn->map && insn->opcode == 0xf4)
		return halt(vcpu, insn);
	if (has_mtf() && mtf == MTF_WORKS)
		return false;
	if (!insn->map && insn->opcode == 0xcd)
		return inject_int(vcpu, insn);
	return insn->map == 1 && insn->opcode == 0x05 && system_call(vcpu, insn);
}

static void set_trap_flag(struct vcpu_vmx *vmx, u64 interruptibility)
{
	struct vmx_step *step = &vmx->step;
	u64 rflags = step->rflags | RFLAGS_TF, debugctl = vmread(GUEST_IA32_DEBUGCTL);

	step->tf = true;
	step->shadow = interruptibility & (GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS);
	if (step->shadow) {
		rflags &= ~RFLAGS_IF;
		vmwrite(GUEST_INTERRUPTIBILITY_INFO, interruptibility & ~step->shadow);
		step->pending = vmread(GUEST_PENDING_DBG_EXCEPTIONS);
		vmwrite(GUEST_PENDING_DBG_EXCEPTIONS, 0);
	}
	vmwrite(GUEST_RFLAGS, rflags);
	step->btf = debugctl & DEBUGCTLMSR_BTF;
	if (step->btf)
		vmwrite(GUEST_IA32_DEBUGCTL, debugctl & ~DEBUGCTLMSR_BTF);
	if (has_mtf())
		use_mtf(vmx);
}

/* An interrupt exits, and is acknowledged, as the CPU would before it delivers it. */
static void intercept_interrupts(struct vcpu_vmx *vmx)
{
	vmx_set_pin_based(vmx, PIN_BASED_EXT_INTR_MASK, 0);
	vmx_set_exit_controls(vmx, VM_EXIT_ACK_INTR_ON_EXIT, 0);
}

/* The entry delivers an event: exit before the next instruction. */
static bool begin_event(struct vcpu *vcpu)
{
	to_vmx(vcpu)->step.event = true;
	if (has_mtf() && mtf == MTF_WORKS)
		use_mtf(to_vmx(vcpu));
	else
		vmx_request_immediate_exit(vcpu);
	return true;
}

bool vmx_begin_step(struct vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	u64 interruptibility = vmread(GUEST_INTERRUPTIBILITY_INFO);
	u64 pending = vmread(GUEST_PENDING_DBG_EXCEPTIONS);
	bool waits; /* what comes next is no instruction */
	struct insn insn;

	vmx->step = (struct vmx_step){.rip = vmread(GUEST_RIP),
				      .rcx = vcpu->regs[VCPU_RCX],
				      .rflags = vmread(GUEST_RFLAGS),
				      .pin_based = vmx->pin_based,
				      .exit_ctrl = vmx->exit_ctrl};
	if (vmread(VM_ENTRY_INTR_INFO_FIELD) & INTR_INFO_VALID_MASK)
		return begin_event(vcpu);
	waits = vmread(GUEST_ACTIVITY_STATE) != GUEST_ACTIVITY_ACTIVE ||
		(pending & (PENDING_DBG_BS | PENDING_DBG_ENABLED_BP) &&
		 !(interruptibility & GUEST_INTR_STATE_MOV_SS));
	if (!waits && look_at_insn(vcpu, &insn) && carry_out(vcpu, &insn)) {
		if (vmread(VM_ENTRY_INTR_INFO_FIELD) & INTR_INFO_VALID_MASK)
			return begin_event(vcpu);
		return false;
	}
	if (has_mtf() && mtf == MTF_WORKS) {
		use_mtf(vmx);
		/* A view is for this instruction, not for an interrupt that comes before it. */
		if (vcpu->stepped[STEP_VIEW] && !waits && vmx->step.rflags & RFLAGS_IF &&
		    !(interruptibility & (GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS)))
			intercept_interrupts(vmx);
		return true;
	}
	intercept_exceptions(vcpu, EXCEPTIONS_STEP, ~(u32)BIT(MC_VECTOR));
	if (!waits)
		set_trap_flag(vmx, interruptibility);
	if (vmx->step.rflags & RFLAGS_IF && !vmx->step.shadow)
		intercept_interrupts(vmx);
	return true;
}

/* PUSHF has pushed our TF, and our IF, or VIF in virtual-8086 mode: the bits 0 and 1 of the image's
 * second byte. */
static void mend_pushed_flags(struct vcpu *vcpu)
{
	const struct vmx_step *step = &to_vmx(vcpu)->step;
	bool virtual = step->rflags & RFLAGS_VM && !may_change_if(vcpu, step->rflags);
	bool masked = step->shadow && step->rflags & RFLAGS_IF && !virtual;
	u64 rsp = vmread(GUEST_RSP);
	struct segment ss;

	guest_segment(vcpu, SEG_SS, &ss);
	if (guest_mode(vcpu) != INSN_64)
		rsp = (u32)ss.base + (ss.ar & SEG_AR_DB ? (u32)rsp : (u16)rsp);
	change_guest_byte(vcpu, rsp + 1, step->rflags & RFLAGS_TF ? 0 : BIT(0),
			  masked ? BIT(1) : 0);
}

/* The debug exceptions that are pending now: what the instruction has hit, and the guest's own
 * step. */
static u64 pending_after(const struct vmx_step *step)
{
	u64 pending = vmread(GUEST_PENDING_DBG_EXCEPTIONS);
	bool branched = vmread(GUEST_RIP) != step->rip + step->length;

	if (step->trapped)
		pending = vmread(EXIT_QUALIFICATION) & DR6_BREAKPOINTS;
	pending = (pending | step->pending) & ~PENDING_DBG_BS;
	if (pending & DR6_BREAKPOINTS)
		pending |= PENDING_DBG_ENABLED_BP;
	if (step->completed ? step->rflags & RFLAGS_TF && (!step->btf || branched)
			    : step->pending & PENDING_DBG_BS)
		pending |= PENDING_DBG_BS;
	return pending;
}

/* Give the guest its own state back, after the step by TF has ended, or some other exit came first.
 */
static void take_back_trap_flag(struct vcpu *vcpu)
{
	struct vmx_step *step = &to_vmx(vcpu)->step;
	u64 rflags = vmread(GUEST_RFLAGS), shadow = step->shadow;
	u8 effects = step->completed ? step->effects : 0;

	if (!(effects & LOADS_TF))
		rflags = (rflags & ~RFLAGS_TF) | (step->rflags & RFLAGS_TF);
	if (step->shadow && !(effects & LOADS_IF))
		rflags |= step->rflags & RFLAGS_IF;
	vmwrite(GUEST_RFLAGS, rflags);
	if (step->completed)
		shadow = effects & MAY_SHADOW && rflags & ~step->rflags & RFLAGS_IF
				 ? GUEST_INTR_STATE_STI
				 : 0;
	if (shadow)
		vmwrite(GUEST_INTERRUPTIBILITY_INFO, vmread(GUEST_INTERRUPTIBILITY_INFO) | shadow);
	vmwrite(GUEST_PENDING_DBG_EXCEPTIONS, pending_after(step));
	if (step->btf)
		vmwrite(GUEST_IA32_DEBUGCTL, vmread(GUEST_IA32_DEBUGCTL) | DEBUGCTLMSR_BTF);
	if (effects & PUSHES)
		mend_pushed_flags(vcpu);
}

/* Is the exit the #DB of the step? */
static bool is_trap(u32 reason)
{
	u64 info = vmread(VM_EXIT_INTR_INFO);

	return reason == EXIT_REASON_EXCEPTION_NMI &&
	       (info & (INTR_INFO_INTR_TYPE_MASK | INTR_INFO_VECTOR_MASK)) ==
		       (INTR_TYPE_HARD_EXCEPTION | DB_VECTOR) &&
	       vmread(EXIT_QUALIFICATION) & PENDING_DBG_BS;
}

/*
 * Has the instruction been executed? After the #DB it should have been. But when the page tables of
 * a hypervisor below us interrupt the instruction, Bochs takes the #DB for pending, and delivers it
 * before the instruction. This shows where only a branch can lead to itself.
 */
static bool is_completed(struct vcpu *vcpu, u32 reason)
{
	const struct vmx_step *step = &to_vmx(vcpu)->step;

	if (reason == EXIT_REASON_MONITOR_TRAP_FLAG || vmread(GUEST_RIP) != step->rip)
		return true;
	return step->trapped &&
	       (step->effects & BRANCHES || vcpu->regs[VCPU_RCX] != step->rcx /* REP */);
}

static void end_by_trap_flag(struct vcpu *vcpu, u32 reason)
{
	struct vmx_step *step = &to_vmx(vcpu)->step;

	step->trapped = is_trap(reason);
	step->completed = is_completed(vcpu, reason);
	if (step->mtf && reason == EXIT_REASON_MONITOR_TRAP_FLAG)
		mtf = MTF_WORKS;
	else if (step->mtf && step->trapped && step->completed)
		mtf = MTF_USELESS;
	take_back_trap_flag(vcpu);
}

int vmx_end_step(struct vcpu *vcpu, bool *done)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	struct vmx_step *step = &vmx->step;
	u32 reason = (u32)vmread(VM_EXIT_REASON);
	bool delivers = vmread(IDT_VECTORING_INFO_FIELD) & INTR_INFO_VALID_MASK;
	int r;

	if (step->mtf)
		vmx_set_cpu_based(vmx, 0, CPU_BASED_MONITOR_TRAP_FLAG);
	vmx_set_pin_based(vmx, step->pin_based, ~step->pin_based);
	vmx_set_exit_controls(vmx, step->exit_ctrl, ~step->exit_ctrl);
	if (step->tf)
		end_by_trap_flag(vcpu, reason);
	r = vmx_handle_exit(vcpu);
	if (r <= 0)
		return r;
	intercept_exceptions(vcpu, EXCEPTIONS_STEP, 0);
	*done = step->completed || reason == EXIT_REASON_MONITOR_TRAP_FLAG ||
		vmread(GUEST_RIP) != step->rip || vcpu->regs[VCPU_RCX] != step->rcx;
	if (step->event)
		*done = !delivers || (*done && !vcpu->event.valid);
	return r;
}
