/* SPDX-License-Identifier: MIT */
/*
 * Emulate task switches: save the old task, load the new one, queue the faults on the way.
 */
#include "vmm/x86/task_switch.h"
#include "arch/x86/cpu.h"
#include "errno.h"
#include "lib/string.h"
#include "vmm/x86/guest_mem.h"
#include "vmm/event.h"
#include "vmm/vcpu.h"
#include "vmm/virt_ops.h"

#define SELECTOR_TI  4u
#define SELECTOR_RPL 3u

#define DESC_ACCESSED BIT(40)
#define DESC_TSS_BUSY BIT(41)
#define DESC_CODE     BIT(43)
#define DESC_S        BIT(44)
#define DESC_P        BIT(47)
#define DESC_DPL(d)   ((unsigned)((d) >> 45 & 3))
#define DESC_TYPE(d)  ((unsigned)((d) >> 40 & 0x1f)) /* with S */
#define TYPE_TSS      1u
#define TYPE_LDT      2u
#define TYPE_BUSY_TSS 3u
#define TYPE_32BIT    8u /* of a TSS */

#define ACCESS_BYTE     5u /* of a descriptor: bits 40 to 47 */
#define ACCESS_ACCESSED 1u
#define ACCESS_BUSY     2u
#define TSS32_LIMIT_MIN 0x67u
#define TSS16_LIMIT_MIN 0x2bu

#define RFLAGS_NT      BIT(14)
#define RFLAGS_DEFINED 0x3f7fd7ull
#define DR7_LOCAL      0x155ull
#define DR6_BT         BIT(15)
#define TSS_T          1u
#define NR_SELECTORS \
	7 /* ES, CS, SS, DS, FS, GS, LDTR: the order of enum segment_reg and of a TSS */
#define V86_AR       0xf3
#define FLAT_CODE_AR 0xc09b
#define DPL_SHIFT    5

/* SDM: "Task-State Segment (TSS)", "16-Bit Task-State Segment (TSS)". */
struct tss32 {
	u16 link, reserved;
	u32 stacks[6];
	u32 cr3, eip, eflags;
	u32 regs[8]; /* by register number */
	struct {
		u16 selector, reserved;
	} seg[NR_SELECTORS];
	u16 trap, io_map;
} __packed;

struct tss16 {
	u16 link;
	u16 stacks[6];
	u16 ip, flags;
	u16 regs[8];
	u16 seg[4], ldt;
} __packed;

struct task_switch_context {
	struct vcpu *vcpu;
	enum task_switch_source source;
	u32 ext;    /* EXT bit of error codes: the event is external to the program */
	u8 no_desc; /* the vector of the exception where a selector has no descriptor */
	/* What read_descriptor() has read last: the descriptor, and its linear address. */
	u64 desc;
	gva_t at;
};

/*
 * Read or write a TSS, or read a descriptor. The CPU does this with supervisor rights at any CPL.
 * Addresses outside of memory read as all ones; writes to them are dropped. Returns -EFAULT with
 * #PF queued. SDM: "Determination of Access Rights".
 */
static int system_memory(struct vcpu *vcpu, gva_t gva, void *buf, size_t len, bool write)
{
	if (probe_guest_virt(vcpu, gva, len, (u32)WALK_IMPLICIT | (write ? PF_ERROR_W : 0)))
		return -EFAULT;
	if (write) {
		write_guest_virt(vcpu, gva, buf, len);
	} else {
		memset(buf, 0xff, len);
		read_guest_virt(vcpu, gva, buf, len);
	}
	return 0;
}

static int fault(struct task_switch_context *s, u8 vector, u16 selector)
{
	queue_exception_e(s->vcpu, vector, (selector & ~SELECTOR_RPL) | s->ext);
	return -EFAULT;
}

/* Find the linear address of the descriptor of @selector. Returns -EINVAL when it is beyond the
 * table's limit. */
static int find_descriptor(struct vcpu *vcpu, u16 selector, gva_t *at)
{
	u32 offset = selector & ~(SELECTOR_TI | SELECTOR_RPL);
	struct segment table;

	virt->get_segment(vcpu, selector & SELECTOR_TI ? SEG_LDTR : SEG_GDTR, &table);
	*at = (u32)(table.base + offset);
	return table.unusable || offset + 7 > table.limit ? -EINVAL : 0;
}

/* Read the descriptor of @selector. Returns 0; or -EFAULT, with #PF queued, or where there is none
 * with the exception @s->no_desc. */
static int read_descriptor(struct task_switch_context *s, u16 selector)
{
	if (find_descriptor(s->vcpu, selector, &s->at))
		return fault(s, s->no_desc, selector);
	return system_memory(s->vcpu, s->at, &s->desc, sizeof(s->desc), false);
}

/* The same for a descriptor that must be in the GDT. */
static int read_global_descriptor(struct task_switch_context *s, u16 selector)
{
	return selector & SELECTOR_TI ? fault(s, s->no_desc, selector)
				      : read_descriptor(s, selector);
}

static struct segment from_descriptor(u16 selector, u64 desc)
{
	u32 limit = (u32)((desc & 0xffff) | (desc >> 32 & 0xf0000));

	return (struct segment){
		.selector = selector,
		.base = (desc >> 16 & 0xffffff) | (desc >> 56) << 24,
		.limit = desc & BIT(55) ? limit << 12 | 0xfff : limit,
		.ar = desc >> 40 & 0xf0ff,
	};
}

/* The CPU has checked the new task's descriptor before the exit, but another CPU may have changed
 * it since then. So the copy that is loaded is checked again. SDM: "Exception Conditions Checked
 * During a Task Switch". */
static int check_tss(struct task_switch_context *s, u16 selector)
{
	u64 desc = s->desc;
	u32 min = DESC_TYPE(desc) & TYPE_32BIT ? TSS32_LIMIT_MIN : TSS16_LIMIT_MIN;

	if ((DESC_TYPE(desc) & ~TYPE_32BIT) !=
	    (s->source == TASK_BY_IRET ? TYPE_BUSY_TSS : TYPE_TSS))
		return fault(s, s->no_desc, selector);
	if (!(desc & DESC_P))
		return fault(s, NP_VECTOR, selector);
	if (from_descriptor(selector, desc).limit < min)
		return fault(s, TS_VECTOR, selector);
	return 0;
}

/*
 * Read a TSS of either size as a 32-bit one. Fields that a 16-bit TSS lacks are 0; the high halves
 * of its registers are all ones.
 */
static int read_tss(struct vcpu *vcpu, const struct segment *tr, struct tss32 *t)
{
	struct tss16 old;

	if (tr->ar & TYPE_32BIT)
		return system_memory(vcpu, tr->base, t, sizeof(*t), false);
	if (system_memory(vcpu, tr->base, &old, sizeof(old), false))
		return -EFAULT;
	memset(t, 0, sizeof(*t));
	t->eip = old.ip;
	t->eflags = old.flags;
	for (unsigned i = 0; i < 8; i++)
		t->regs[i] = 0xffff0000 | old.regs[i];
	for (unsigned i = 0; i < ARRAY_SIZE(old.seg); i++)
		t->seg[i].selector = old.seg[i];
	t->seg[SEG_LDTR].selector = old.ldt;
	return 0;
}

/* Write the fields that a switch saves: EIP to GS (in a 16-bit TSS: to DS). */
static int write_tss(struct vcpu *vcpu, const struct segment *tr, struct tss32 *t)
{
	struct tss16 old;

	if (tr->ar & TYPE_32BIT)
		return system_memory(
			vcpu, tr->base + offsetof(struct tss32, eip), &t->eip,
			offsetof(struct tss32, seg[SEG_LDTR]) - offsetof(struct tss32, eip), true);
	old.ip = (u16)t->eip;
	old.flags = (u16)t->eflags;
	for (unsigned i = 0; i < 8; i++)
		old.regs[i] = (u16)t->regs[i];
	for (unsigned i = 0; i < ARRAY_SIZE(old.seg); i++)
		old.seg[i] = t->seg[i].selector;
	return system_memory(vcpu, tr->base + offsetof(struct tss16, ip), &old.ip,
			     offsetof(struct tss16, ldt) - offsetof(struct tss16, ip), true);
}

static int save_task(struct task_switch_context *s, const struct segment *tr, u32 insn_len)
{
	struct vcpu *vcpu = s->vcpu;
	struct tss32 t;

	if (read_tss(vcpu, tr, &t))
		return -EFAULT;
	t.eip = (u32)virt->get_sysreg(vcpu, SYSREG_RIP) + insn_len;
	t.eflags = (u32)virt->get_sysreg(vcpu, SYSREG_RFLAGS);
	if (s->source == TASK_BY_IRET)
		t.eflags &= ~(u32)RFLAGS_NT;
	for (unsigned i = 0; i < 8; i++)
		t.regs[i] = (u32)vcpu->regs[i];
	t.regs[VCPU_RSP] = (u32)virt->get_sysreg(vcpu, SYSREG_RSP);
	for (enum segment_reg i = SEG_ES; i <= SEG_GS; i++) {
		struct segment seg;

		virt->get_segment(vcpu, i, &seg);
		t.seg[i].selector = seg.selector;
	}
	return write_tss(vcpu, tr, &t);
}

static int load_ldt(struct task_switch_context *s, u16 selector)
{
	struct segment ldt = {.selector = selector, .unusable = true};

	virt->set_segment(s->vcpu, SEG_LDTR, &ldt);
	if (!(selector & ~SELECTOR_RPL))
		return 0;
	if (read_global_descriptor(s, selector))
		return -EFAULT;
	if (DESC_TYPE(s->desc) != TYPE_LDT || !(s->desc & DESC_P))
		return fault(s, TS_VECTOR, selector);
	ldt = from_descriptor(selector, s->desc);
	virt->set_segment(s->vcpu, SEG_LDTR, &ldt);
	return 0;
}

/*
 * May @desc be loaded into @reg? If not, the guest gets #TS. SDM: "Exception Conditions Checked
 * During a Task Switch".
 */
static bool segment_fits(enum segment_reg reg, u16 selector, u64 desc, unsigned cpl)
{
	unsigned rpl = selector & SELECTOR_RPL, dpl = DESC_DPL(desc);
	bool code = desc & DESC_CODE, bit41 = desc & BIT(41), conforming = code && desc & BIT(42);

	if (!(desc & DESC_S))
		return false;
	switch (reg) {
	case SEG_CS:
		return code && (conforming ? dpl <= rpl : dpl == rpl);
	case SEG_SS:
		return !code && bit41 && dpl == cpl && rpl == cpl;
	default:
		return (!code || bit41) && (conforming || dpl >= MAX(rpl, cpl));
	}
}

static int load_segment(struct task_switch_context *s, enum segment_reg reg, u16 selector,
			unsigned cpl)
{
	struct segment seg;

	if (!(selector & ~SELECTOR_RPL)) {
		if (reg == SEG_CS || reg == SEG_SS)
			return fault(s, TS_VECTOR, selector);
		seg = (struct segment){.selector = selector, .unusable = true};
		virt->set_segment(s->vcpu, reg, &seg);
		return 0;
	}
	if (read_descriptor(s, selector))
		return -EFAULT;
	if (!segment_fits(reg, selector, s->desc, cpl))
		return fault(s, TS_VECTOR, selector);
	if (!(s->desc & DESC_P))
		return fault(s, reg == SEG_SS ? SS_VECTOR : NP_VECTOR, selector);
	if (!(s->desc & DESC_ACCESSED))
		change_guest_byte(s->vcpu, s->at + ACCESS_BYTE, 0, ACCESS_ACCESSED);
	seg = from_descriptor(selector, s->desc | DESC_ACCESSED);
	virt->set_segment(s->vcpu, reg, &seg);
	return 0;
}

/* A CPU without "unrestricted guest" is entered only when SS has the RPL of CS, even where SS
 * cannot be used. SDM: "Checks on Guest Segment Registers". */
static struct segment unusable_stack(u16 selector, u16 cpl)
{
	if (!virt->uses_second_level())
		selector = (u16)((selector & ~SELECTOR_RPL) | cpl);
	return (struct segment){
		.selector = selector, .ar = (u16)(cpl << DPL_SHIFT), .unusable = true};
}

/*
 * Load all selectors of the new task before any descriptor, since a fault on a later descriptor
 * leaves all selectors loaded. Segments whose descriptor is not loaded yet are unusable. CS must be
 * usable for VM entry, and SS must have the DPL of CS.
 */
static void load_selectors(struct vcpu *vcpu, const struct tss32 *t)
{
	u16 cpl = t->seg[SEG_CS].selector & SELECTOR_RPL;

	for (enum segment_reg i = SEG_ES; i <= SEG_GS; i++) {
		struct segment seg = {.selector = t->seg[i].selector, .unusable = true};

		if (t->eflags & RFLAGS_VM)
			seg = (struct segment){.selector = seg.selector,
					       .base = (u64)seg.selector << 4,
					       .limit = 0xffff,
					       .ar = V86_AR};
		else if (i == SEG_CS)
			seg = (struct segment){.selector = seg.selector,
					       .limit = 0xffffffff,
					       .ar = (u16)(FLAT_CODE_AR | cpl << DPL_SHIFT)};
		else if (i == SEG_SS)
			seg = unusable_stack(seg.selector, cpl);
		virt->set_segment(vcpu, i, &seg);
	}
}

static int load_segments(struct task_switch_context *s, const struct tss32 *t)
{
	static const enum segment_reg order[] = {SEG_CS, SEG_SS, SEG_DS, SEG_ES, SEG_FS, SEG_GS};
	int r;

	s->no_desc = TS_VECTOR;
	load_selectors(s->vcpu, t);
	r = load_ldt(s, t->seg[SEG_LDTR].selector);
	for (unsigned i = 0; !r && i < ARRAY_SIZE(order) && !(t->eflags & RFLAGS_VM); i++)
		r = load_segment(s, order[i], t->seg[order[i]].selector,
				 t->seg[SEG_CS].selector & SELECTOR_RPL);
	return r;
}

/* Load the registers that cannot fault. Later faults occur in the new task. */
static void load_registers(struct vcpu *vcpu, const struct tss32 *t, const struct segment *tr)
{
	u64 cr0 = virt->get_sysreg(vcpu, SYSREG_CR0),
	    rflags = (t->eflags & RFLAGS_DEFINED) | RFLAGS_FIXED;

	virt->set_segment(vcpu, SEG_TR, tr);
	/* The same CR3 invalidates nothing, and loads no PDPTEs. SDM: "PDPTE Registers". */
	if (cr0 & CR0_PG && tr->ar & TYPE_32BIT && t->cr3 != virt->get_sysreg(vcpu, SYSREG_CR3))
		virt->set_sysreg(vcpu, SYSREG_CR3, t->cr3);
	virt->set_sysreg(vcpu, SYSREG_CR0, cr0 | CR0_TS);
	virt->set_sysreg(vcpu, SYSREG_DR7, virt->get_sysreg(vcpu, SYSREG_DR7) & ~DR7_LOCAL);
	for (unsigned i = 0; i < 8; i++)
		vcpu->regs[i] = t->regs[i];
	virt->set_sysreg(vcpu, SYSREG_RSP, t->regs[VCPU_RSP]);
	/* TF is loaded after skip_to(): the new task's first single step ends after one
	 * instruction. */
	virt->set_sysreg(vcpu, SYSREG_RFLAGS, rflags & ~RFLAGS_TF);
	virt->skip_to(vcpu, t->eip);
	virt->set_sysreg(vcpu, SYSREG_RFLAGS, rflags);
}

static int push_error_code(struct vcpu *vcpu, u32 error_code, bool wide)
{
	struct segment ss;
	u64 rsp = virt->get_sysreg(vcpu, SYSREG_RSP), mask;
	u32 size = wide ? 4 : 2, access = PF_ERROR_W | (guest_cpl(vcpu) == 3 ? PF_ERROR_U : 0);
	gva_t gva;

	virt->get_segment(vcpu, SEG_SS, &ss);
	mask = ss.ar & SEG_AR_DB ? 0xffffffff : 0xffff;
	rsp = (rsp & ~mask) | ((rsp - size) & mask);
	if (guest_linear(vcpu, SEG_SS, rsp & mask, size, true, &gva) ||
	    probe_guest_virt(vcpu, gva, size, access))
		return -EFAULT;
	write_guest_virt(vcpu, gva, &error_code, size);
	virt->set_sysreg(vcpu, SYSREG_RSP, rsp);
	return 0;
}

/*
 * Finish in the new task: load the segments and push the error code. An event that came through a
 * task gate counts as delivered only at the end: a fault before that is a fault during its
 * delivery.
 */
static void enter_task(struct task_switch_context *s, const struct tss32 *t, bool wide)
{
	struct vcpu *vcpu = s->vcpu;
	struct vcpu_event *event = &vcpu->event;
	struct segment cs;

	if (load_segments(s, t))
		return;
	if (event->valid && event->has_error_code && push_error_code(vcpu, event->error_code, wide))
		return;
	virt->get_segment(vcpu, SEG_CS, &cs);
	if (t->eip > cs.limit) {
		fault(s, GP_VECTOR, 0);
		return;
	}
	event->valid = false;
	if (t->trap & TSS_T) {
		write_dr6(read_dr6() | DR6_BT);
		*event = (struct vcpu_event){
			.valid = true, .type = EVENT_EXCEPTION, .vector = DB_VECTOR};
		__atomic_or_fetch(&vcpu->requests, (u32)REQ_EVENT, __ATOMIC_ACQ_REL);
	}
}

void task_switch(struct vcpu *vcpu, u16 selector, enum task_switch_source source, u32 insn_len)
{
	struct task_switch_context s = {
		.vcpu = vcpu,
		.source = source,
		.no_desc = source == TASK_BY_IRET ? TS_VECTOR : GP_VECTOR,
	};
	struct segment old_tr, tr;
	struct tss32 t;
	gva_t old_at;

	/* EXT is 0 for INT n, INT3, INTO only; INT1 sets it. SDM: "Error Code". */
	s.ext = source == TASK_BY_GATE &&
		(!vcpu->event.valid || vcpu->event.type < EVENT_SOFT_INTR ||
		 vcpu->event.type == EVENT_PRIV_EXCEPTION);
	virt->get_segment(vcpu, SEG_TR, &old_tr);
	if (read_global_descriptor(&s, selector) || check_tss(&s, selector))
		return;
	tr = from_descriptor(selector, s.desc | DESC_TSS_BUSY);
	if (read_tss(vcpu, &tr, &t) || save_task(&s, &old_tr, insn_len))
		return;
	if (source == TASK_BY_CALL || source == TASK_BY_GATE) {
		t.eflags |= RFLAGS_NT;
		if (system_memory(vcpu, tr.base, &old_tr.selector, sizeof(old_tr.selector), true))
			return;
	} else if (!find_descriptor(vcpu, old_tr.selector, &old_at)) {
		change_guest_byte(vcpu, old_at + ACCESS_BYTE, ACCESS_BUSY, 0);
	}
	if (source != TASK_BY_IRET)
		change_guest_byte(vcpu, s.at + ACCESS_BYTE, 0, ACCESS_BUSY);
	load_registers(vcpu, &t, &tr);
	enter_task(&s, &t, tr.ar & TYPE_32BIT);
}
