/* SPDX-License-Identifier: MIT */
/*
 * Real mode where the CPU cannot run it as a guest, as virtual-8086 mode. It has no paging either,
 * so the guest's tables are shadow tables (has_ept is false).
 *
 * While the guest is in real mode, the VMCS has VM = 1 and IOPL = 0 in RFLAGS, the segments as a VM
 * entry wants them then (base = selector * 16, limit FFFFh, access rights F3h), no interrupt table
 * (limit 0) and no I/O permission bitmap (TR's limit is 0). What the guest has instead is in struct
 * vmx_real_mode; the operations here replace those of state.c and event.c (vmx_real_mode_init).
 *
 * - All exceptions exit. #GP: the instruction is emulated (shadow/real_mode.c) or faults. The
 * others go to the guest's vector table.
 * - An interrupt does not exit, but its delivery finds no table: #GP, with the vector in the
 *   IDT-vectoring information. It is then delivered through the vector table, too.
 *
 * Two things cannot be had in that way: a segment whose base is not that of its selector, as right
 * after protected mode; and a halted CPU, which a VM entry refuses with CPL 3. For them the CPU is
 * in protected mode with CPL 0, with the guest's segments and without a descriptor table, so that
 * loads of segment registers are #GP, and emulated, until all are loaded. The guest could
 * tell the difference: its null selectors cannot be used (the #GP mends that), and SGDT and SIDT
 * show a limit of 0, the latter always.
 *
 * SDM: "8086 Emulation", "Checks on Guest Segment Registers", "Checks on Guest RIP, RFLAGS, and
 * SSP".
 */
#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"
#include "errno.h"
#include "lib/log.h"
#include "lib/print.h"
#include "vmm/exception.h"
#include "vmm/real_mode.h"
#include "vmm/shadow_ops.h"
#include "vmm/vm_ops.h"
#include "vmm/vmx/event.h"
#include "vmm/vmx/vmx.h"
#include "vmm/x86/guest_mem.h"

#define RFLAGS_IOPL    GENMASK(13, 12)
#define LIMIT_64K      0xffffu
#define AR_VIRTUAL8086 0xf3
#define AR_CODE16      0x9b
#define AR_DATA16      0x93
#define AR_BUSY_TSS    0x8b
#define AR_TYPE        0xfu
#define AR_SIZES       (SEG_AR_DB | BIT(15))
#define DPL_SHIFT      5
#define SELECTOR_RPL   3

static struct vmx_real_mode *state_of(struct vcpu *vcpu)
{
	return &to_vmx(vcpu)->real;
}

static bool is_data_or_code(enum segment_reg reg)
{
	return reg <= SEG_GS;
}

/* Could real mode have loaded @seg? */
static bool is_loaded(const struct segment *seg)
{
	return seg->base == (u64)seg->selector << 4;
}

/* The guest has loaded segment registers without an exit: that changes selector and base only. */
static void read_loaded(struct vcpu *vcpu, enum segment_reg reg)
{
	struct vmx_real_mode *real = state_of(vcpu);
	struct segment now;

	vmx_get_segment(vcpu, reg, &now);
	if (now.selector == real->loaded[reg] && !now.unusable)
		return;
	real->loaded[reg] = now.selector;
	real->seg[reg].selector = now.selector;
	real->seg[reg].base = (u64)now.selector << 4;
}

/* The same for a descriptor table in protected mode, where LGDT and LIDT do not fault. */
static void read_table(struct vcpu *vcpu, enum segment_reg reg, struct segment *table)
{
	struct segment now;

	vmx_get_segment(vcpu, reg, &now);
	if (!now.limit)
		return;
	*table = now;
	now.limit = 0;
	vmx_set_segment(vcpu, reg, &now);
}

static void read_all(struct vcpu *vcpu)
{
	struct vmx_real_mode *real = state_of(vcpu);

	for (enum segment_reg reg = SEG_ES; reg <= SEG_GS; reg++)
		read_loaded(vcpu, reg);
	if (real->ring0) {
		read_table(vcpu, SEG_GDTR, &real->gdtr);
		read_table(vcpu, SEG_IDTR, &real->idtr);
	}
}

/* Give the CPU the guest's segment @reg. With CPL 0, CS and SS have RPL 0, as a VM entry wants; of
 * the others the DPL allows any RPL. */
static void load_segment(struct vcpu *vcpu, enum segment_reg reg)
{
	struct vmx_real_mode *real = state_of(vcpu);
	struct segment seg = real->seg[reg];

	seg.unusable = false;
	if (!real->ring0) {
		seg.limit = LIMIT_64K;
		seg.ar = AR_VIRTUAL8086;
	} else if (reg == SEG_CS || reg == SEG_SS) {
		seg.selector &= (u16)~SELECTOR_RPL;
		seg.ar = (u16)((seg.ar & AR_SIZES) | (reg == SEG_CS ? AR_CODE16 : AR_DATA16));
	} else {
		seg.ar = (u16)((seg.ar & AR_SIZES) | AR_DATA16 | 3 << DPL_SHIFT);
	}
	real->loaded[reg] = seg.selector;
	vmx_set_segment(vcpu, reg, &seg);
}

/* Choose the mode, and give the CPU RFLAGS with @flags as the guest's, all segments and tables. */
static void load_state(struct vcpu *vcpu, u64 flags)
{
	static const struct segment none;
	struct vmx_real_mode *real = state_of(vcpu);

	real->ring0 = real->halted;
	for (enum segment_reg reg = SEG_ES; reg <= SEG_GS; reg++)
		real->ring0 |= !is_loaded(&real->seg[reg]);
	real->iopl = flags & RFLAGS_IOPL;
	vmwrite(GUEST_RFLAGS, real->ring0 ? flags : (flags & ~RFLAGS_IOPL) | RFLAGS_VM);
	vmx_set_segment(vcpu, SEG_GDTR, real->ring0 ? &none : &real->gdtr);
	for (enum segment_reg reg = SEG_ES; reg <= SEG_GS; reg++)
		load_segment(vcpu, reg);
}

static u64 get_flags(struct vcpu *vcpu)
{
	u64 flags = vmread(GUEST_RFLAGS);

	if (state_of(vcpu)->ring0)
		return flags;
	return (flags & ~(RFLAGS_VM | RFLAGS_IOPL)) | state_of(vcpu)->iopl;
}

static void enter(struct vcpu *vcpu)
{
	static const struct segment no_table, no_bitmap = {.ar = AR_BUSY_TSS};
	struct vmx_real_mode *real = state_of(vcpu);
	u64 flags = vmread(GUEST_RFLAGS);

	for (enum segment_reg reg = SEG_ES; reg <= SEG_GS; reg++)
		vmx_get_segment(vcpu, reg, &real->seg[reg]);
	vmx_get_segment(vcpu, SEG_TR, &real->tr);
	vmx_get_segment(vcpu, SEG_GDTR, &real->gdtr);
	vmx_get_segment(vcpu, SEG_IDTR, &real->idtr);
	vmx_set_segment(vcpu, SEG_TR, &no_bitmap);
	vmx_set_segment(vcpu, SEG_IDTR, &no_table);
	real->active = true;
	real->halted = false;
	load_state(vcpu, flags);
	intercept_exceptions(vcpu, EXCEPTIONS_REAL_MODE, ~(u32)(BIT(MC_VECTOR) | BIT(PF_VECTOR)));
}

/*
 * A VM entry in protected mode checks more than the CPU does when the guest sets PE: CS has the
 * type of code; CS and SS have RPL 0, as CPL is 0; the RPL of others is not above their DPL. Nobody
 * sees the difference until the guest loads them.
 */
static void load_protected(struct vcpu *vcpu, enum segment_reg reg)
{
	struct segment seg = state_of(vcpu)->seg[reg];
	unsigned rpl = seg.selector & SELECTOR_RPL;

	if (reg == SEG_CS && !(seg.ar & SEG_AR_CODE))
		seg.ar = (u16)((seg.ar & ~AR_TYPE) | (AR_CODE16 & AR_TYPE));
	if (reg == SEG_CS || reg == SEG_SS)
		seg.selector &= (u16)~SELECTOR_RPL;
	else if (SEG_AR_DPL(seg.ar) < rpl)
		seg.ar = (u16)(seg.ar | rpl << DPL_SHIFT);
	vmx_set_segment(vcpu, reg, &seg);
}

static void leave(struct vcpu *vcpu)
{
	struct vmx_real_mode *real = state_of(vcpu);
	u64 flags = get_flags(vcpu);

	read_all(vcpu);
	real->active = false;
	for (enum segment_reg reg = SEG_ES; reg <= SEG_GS; reg++)
		load_protected(vcpu, reg);
	vmx_set_segment(vcpu, SEG_TR, &real->tr);
	vmx_set_segment(vcpu, SEG_GDTR, &real->gdtr);
	vmx_set_segment(vcpu, SEG_IDTR, &real->idtr);
	vmwrite(GUEST_RFLAGS, flags);
	intercept_exceptions(vcpu, EXCEPTIONS_REAL_MODE, 0);
}

void vmx_real_mode_update(struct vcpu *vcpu)
{
	bool wanted;

	if (vmcs_config.has_ept)
		return;
	wanted = !(vmx_get_cr0(vcpu) & CR0_PE);
	if (wanted == state_of(vcpu)->active)
		return;
	if (wanted)
		enter(vcpu);
	else
		leave(vcpu);
	vmx_set_cr0(vcpu, vmx_get_cr0(vcpu)); /* what the CPU has of it, and of CR4, differs */
}

void vmx_real_mode_reset(struct vcpu *vcpu)
{
	if (!state_of(vcpu)->active)
		return;
	state_of(vcpu)->active = false;
	intercept_exceptions(vcpu, EXCEPTIONS_REAL_MODE, 0);
}

/* ---- The operations on registers and events ----------------------------------------------------
 */

/* Segments and tables that the guest has, and the CPU has not; NULL: it has. */
static struct segment *own_segment(struct vcpu *vcpu, enum segment_reg reg)
{
	struct vmx_real_mode *real = state_of(vcpu);

	if (!real->active || reg == SEG_LDTR)
		return NULL;
	if (reg == SEG_TR)
		return &real->tr;
	if (!real->ring0 && reg == SEG_GDTR)
		return NULL;
	if (real->ring0 || is_data_or_code(reg))
		read_all(vcpu);
	if (is_data_or_code(reg))
		return &real->seg[reg];
	return reg == SEG_GDTR ? &real->gdtr : &real->idtr;
}

static void real_get_segment(struct vcpu *vcpu, enum segment_reg reg, struct segment *seg)
{
	const struct segment *own = own_segment(vcpu, reg);

	if (own)
		*seg = *own;
	else
		vmx_get_segment(vcpu, reg, seg);
}

static void real_set_segment(struct vcpu *vcpu, enum segment_reg reg, const struct segment *seg)
{
	struct segment *own = own_segment(vcpu, reg);

	if (!own)
		vmx_set_segment(vcpu, reg, seg);
	else
		*own = *seg;
	if (own && is_data_or_code(reg))
		load_state(vcpu, get_flags(vcpu));
	else if (reg == SEG_GDTR)
		state_of(vcpu)->gdtr = *seg;
}

static u64 real_get_sysreg(struct vcpu *vcpu, enum sysreg reg)
{
	if (reg == SYSREG_RFLAGS && state_of(vcpu)->active)
		return get_flags(vcpu);
	return vmx_get_sysreg(vcpu, reg);
}

static void real_set_sysreg(struct vcpu *vcpu, enum sysreg reg, u64 value)
{
	struct vmx_real_mode *real = state_of(vcpu);

	if (reg == SYSREG_RFLAGS && real->active && !real->ring0) {
		real->iopl = value & RFLAGS_IOPL;
		value = (value & ~RFLAGS_IOPL) | RFLAGS_VM;
	}
	vmx_set_sysreg(vcpu, reg, value);
	if (reg == SYSREG_CR0)
		vmx_real_mode_update(vcpu);
}

static void change_interruptibility(u64 clear, u64 set)
{
	vmwrite(GUEST_INTERRUPTIBILITY_INFO, (vmread(GUEST_INTERRUPTIBILITY_INFO) & ~clear) | set);
}

static void wake_up(struct vcpu *vcpu)
{
	state_of(vcpu)->halted = false;
	read_all(vcpu);
	load_state(vcpu, get_flags(vcpu));
	vmwrite(GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_ACTIVE);
}

/* INT3, INTO and INT1 return to the next instruction. A triple fault is noticed before the guest
 * executes anything. */
static void real_inject_event(struct vcpu *vcpu)
{
	struct vcpu_event *event = &vcpu->event;
	u64 ip = vmread(GUEST_RIP);

	if (!state_of(vcpu)->active) {
		vmx_inject_event(vcpu);
		return;
	}
	STEP(inject);
	if (state_of(vcpu)->halted)
		wake_up(vcpu);
	event->valid = false;
	change_interruptibility(GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS,
				event->type == EVENT_NMI ? GUEST_INTR_STATE_NMI : 0);
	if (event->type >= EVENT_SOFT_INTR)
		ip += event->insn_len;
	if (vcpu->vm->shadow_ops->deliver_real_mode(vcpu, event->vector, (u16)ip)) {
		__atomic_or_fetch(&vcpu->requests, (u32)REQ_TRIPLE_FAULT, __ATOMIC_ACQ_REL);
		virt->request_immediate_exit(vcpu);
	}
}

/* ---- What is emulated --------------------------------------------------------------------------
 */

/* The MSRs that the VMCS has: writing the CPU's would change Glasshouse's. */
static const struct {
	u32 msr, field;
} vmcs_msrs[] = {
	{MSR_IA32_SYSENTER_CS, GUEST_SYSENTER_CS},
	{MSR_IA32_SYSENTER_ESP, GUEST_SYSENTER_ESP},
	{MSR_IA32_SYSENTER_EIP, GUEST_SYSENTER_EIP},
	{MSR_IA32_DEBUGCTLMSR, GUEST_IA32_DEBUGCTL},
	{MSR_IA32_CR_PAT, GUEST_IA32_PAT},
	{MSR_IA32_BNDCFGS, GUEST_BNDCFGS},
	{MSR_IA32_S_CET, GUEST_S_CET},
	{MSR_IA32_INT_SSP_TAB, GUEST_INTR_SSP_TABLE},
	{MSR_IA32_PKRS, GUEST_IA32_PKRS},
};

/* Returns the field of @msr; 0: none, or the VMCS does not have it. */
static u32 field_of(u32 msr)
{
	u64 value;

	for (unsigned i = 0; i < ARRAY_SIZE(vmcs_msrs); i++)
		if (vmcs_msrs[i].msr == msr)
			return vmread_safe(vmcs_msrs[i].field, &value) ? 0 : vmcs_msrs[i].field;
	return 0;
}

static bool is_base(u32 msr)
{
	return msr == MSR_FS_BASE || msr == MSR_GS_BASE;
}

static int read_msr(struct vcpu *vcpu, u32 msr, u64 *value)
{
	u32 field = field_of(msr);
	struct segment seg;

	if (msr == MSR_EFER) {
		*value = vmx_get_efer(vcpu);
	} else if (is_base(msr)) {
		real_get_segment(vcpu, msr == MSR_FS_BASE ? SEG_FS : SEG_GS, &seg);
		*value = seg.base;
	} else if (field) {
		*value = vmread(field);
	} else {
		return vcpu->vm->ops->rdmsr(vcpu, msr, value);
	}
	return 0;
}

/* Does the CPU accept @value for @msr? */
static bool msr_accepts(u32 msr, u64 value)
{
	u64 old = rdmsr(msr);

	if (wrmsr_safe(msr, value))
		return false;
	wrmsr(msr, old);
	return true;
}

static int write_msr(struct vcpu *vcpu, u32 msr, u64 value)
{
	u32 field = field_of(msr);
	struct segment seg;

	if (msr == MSR_EFER)
		return vmx_write_efer(vcpu, value);
	if (is_base(msr)) {
		enum segment_reg reg = msr == MSR_FS_BASE ? SEG_FS : SEG_GS;

		if (!is_canonical(vcpu, value))
			return -EINVAL;
		real_get_segment(vcpu, reg, &seg);
		seg.base = value;
		real_set_segment(vcpu, reg, &seg);
		return 0;
	}
	if (!field)
		return vcpu->vm->ops->wrmsr(vcpu, msr, value);
	if (!msr_accepts(msr, value))
		return -EINVAL;
	vmwrite(field, value);
	return 0;
}

static void halt(struct vcpu *vcpu)
{
	read_all(vcpu);
	state_of(vcpu)->halted = true;
	load_state(vcpu, get_flags(vcpu));
	vmwrite(GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_HLT);
}

static void unblock_nmis(struct vcpu *vcpu)
{
	(void)vcpu;
	change_interruptibility(GUEST_INTR_STATE_NMI, 0);
}

/* A boot CPU gets #GP, as if it were the CPU's answer; another CPU stops, as after INIT, so that
 * the guest may start it once more. */
static bool refuse(struct vcpu *vcpu)
{
	bool stop = vcpu->id != 0;
	char text[3 * INSN_MAX_LENGTH + 1] = "";
	u8 bytes[INSN_MAX_LENGTH];
	size_t n = fetch_guest_insn(vcpu, bytes, sizeof(bytes)), pos = 0;
	struct segment cs;

	for (size_t i = 0; i < n; i++)
		pos += (size_t)snprintf(text + pos, sizeof(text) - pos, " %02x", bytes[i]);
	real_get_segment(vcpu, SEG_CS, &cs);
	pr_warn_ratelimited("vCPU %u: in real mode at %x:%lx, bytes%s: an instruction that is not "
			    "emulated on this CPU (no \"unrestricted guest\"): %s",
			    vcpu->id, cs.selector, vmread(GUEST_RIP), text,
			    stop ? "it stays stopped, and the guest continues without it"
				 : "#GP to the guest");
	if (stop)
		vcpu_deliver_init(vcpu);
	return stop;
}

/* A null selector that has been loaded in protected mode, while real mode has no such thing. */
static bool has_null(struct vcpu *vcpu)
{
	struct segment seg;

	for (enum segment_reg reg = SEG_ES; reg <= SEG_GS; reg++) {
		vmx_get_segment(vcpu, reg, &seg);
		if (seg.unusable)
			return true;
	}
	return false;
}

static enum exception_verdict keep_exception(struct vcpu *vcpu, const struct exception *exception)
{
	static const struct real_mode_ops ops = {vmx_write_cr, read_msr, write_msr, halt,
						 unblock_nmis};

	/* The delivery of an event has found no interrupt table: it is queued again. */
	if (vcpu->event.valid)
		return EXCEPTION_KEEP;
	if (exception->vector != GP_VECTOR && exception->vector != SS_VECTOR)
		return EXCEPTION_REFLECT;
	if (state_of(vcpu)->ring0 && has_null(vcpu)) {
		read_all(vcpu);
		load_state(vcpu, get_flags(vcpu));
		return EXCEPTION_KEEP;
	}
	switch (vcpu->vm->shadow_ops->emulate_real_mode(vcpu, &ops)) {
	case REAL_MODE_DONE:
		return EXCEPTION_KEEP;
	case REAL_MODE_UNKNOWN:
		return refuse(vcpu) ? EXCEPTION_KEEP : EXCEPTION_REFLECT;
	default:
		return EXCEPTION_REFLECT;
	}
}

void vmx_real_mode_init(void)
{
	virt_ops.get_segment = real_get_segment;
	virt_ops.set_segment = real_set_segment;
	virt_ops.get_sysreg = real_get_sysreg;
	virt_ops.set_sysreg = real_set_sysreg;
	virt_ops.inject_event = real_inject_event;
	set_exception_owner(EXCEPTIONS_REAL_MODE, keep_exception);
}
