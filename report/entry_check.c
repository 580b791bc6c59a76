/* SPDX-License-Identifier: MIT */
/*
 * The SDM's checks of a VM entry, in software. The rules are in entry_rules.def, one row each; this
 * file has the functions that they use. See entry_check.h.
 */
#include "report/entry_check.h"
#include "arch/x86/cpu.h"
#include "arch/x86/msr_index.h"
#include "vmm/vmx/vmcs_text.h"

#define EFER_DEFINED      (EFER_SCE | EFER_LME | EFER_LMA | EFER_NX)
#define DEBUGCTL_DEFINED  (GENMASK(2, 0) | GENMASK(15, 6))
#define RFLAGS_RESERVED_0 (GENMASK(63, 22) | BIT(15) | BIT(5) | BIT(3))
#define PENDING_DBG_DEFINED                                                              \
	(PENDING_DBG_B0_B3 | PENDING_DBG_BLD | PENDING_DBG_ENABLED_BP | PENDING_DBG_BS | \
	 PENDING_DBG_RTM)
#define SELECTOR_TI     BIT(2)
#define SELECTOR_RPL(s) ((s)&3)

/* The values that many rules use, read once. */
struct entry_state {
	const struct vmx_capability *cap;
	u64 (*get)(u64 field);
	u64 pin, proc, proc2, proc3, exit, entry; /* proc2, proc3: 0 unless activated */
	bool ept, unrestricted, ia32e, load_efer, v8086;
	bool pae; /* PAE paging whose PDPTEs come from the VMCS */
	u64 cr0, cr4, rflags;
	u64 cr0_free; /* bits of CR0 that VMX operation does not fix for this guest */
	u64 ss_dpl;
	u64 activity, blocking;
	bool event;     /* an event is to be injected */
	u64 event_type; /* INTR_TYPE_... */
	u64 vector;
};

/* A guest segment register. */
struct segment {
	u64 selector, base, limit, ar;
	u64 type, dpl;
	bool usable;
	bool checked; /* access rights are checked: CS or usable, and not virtual-8086 mode */
};

/* The guest segment registers, in the order of their fields. */
enum { S_ES = 1, S_CS = 2, S_SS = 4, S_DS = 8, S_FS = 16, S_GS = 32, S_LDTR = 64, S_TR = 128 };
#define S_DATA (S_ES | S_DS | S_FS | S_GS)
#define S_SIX  (S_DATA | S_CS | S_SS)

/* Are all bits of @must 1 in @value, and all bits that are not in @may 0? */
static bool fixed(u64 value, u64 must, u64 may)
{
	return !(must & ~value) && !(value & ~may);
}

static bool allowed(const struct entry_state *c, enum vmx_word word, u64 value)
{
	return fixed(value, vmx_allowed0(c->cap, word), vmx_allowed1(c->cap, word));
}

/* Is @address a multiple of @align and within the physical-address width? */
static bool physical(const struct entry_state *c, u64 address, u64 align)
{
	return IS_ALIGNED(address, align) && !(address >> c->cap->phys_bits);
}

static bool page(const struct entry_state *c, u64 address)
{
	return physical(c, address, PAGE_SIZE);
}

/* Is @address valid for a list of @count entries of 16 bytes? */
static bool msr_list(const struct entry_state *c, u64 address, u64 count)
{
	return !count || (physical(c, address, 16) && physical(c, address + count * 16 - 1, 1));
}

/* Is the linear address canonical: do the upper bits repeat bit 47 (bit 56 if the CPU has LA57)? */
static bool canonical(const struct entry_state *c, u64 address)
{
	unsigned unused = c->cap->cr4_fixed1 & CR4_LA57 ? 64 - 57 : 64 - 48;

	return (u64)((s64)(address << unused) >> unused) == address;
}

static bool pat_ok(u64 pat)
{
	for (; pat; pat >>= 8) {
		u64 type = pat & 0xff;

		if (type > 7 || type == 2 || type == 3)
			return false;
	}
	return true;
}

static bool s_cet_ok(const struct entry_state *c, u64 s_cet)
{
	return canonical(c, s_cet) && !(s_cet & GENMASK(9, 6)) &&
	       (s_cet & GENMASK(11, 10)) != GENMASK(11, 10);
}

/* Returns the bits of CR3 that enable linear-address masking (LAM), if the CPU has it. */
static u64 lam_bits(const struct entry_state *c)
{
	return c->cap->cr4_fixed1 & CR4_LAM_SUP ? CR3_LAM_U57 | CR3_LAM_U48 : 0;
}

static bool eptp_memory_type_ok(const struct entry_state *c)
{
	u64 type = c->get(EPT_POINTER) & 7;

	return (type == VMX_EPTP_MT_UC && (c->cap->ept_vpid & VMX_EPTP_UC_BIT)) ||
	       (type == VMX_EPTP_MT_WB && (c->cap->ept_vpid & VMX_EPTP_WB_BIT));
}

static bool eptp_walk_length_ok(const struct entry_state *c)
{
	u64 length = c->get(EPT_POINTER) & VMX_EPTP_PWL_MASK;

	return (length == VMX_EPTP_PWL_4 && (c->cap->ept_vpid & VMX_EPT_PAGE_WALK_4_BIT)) ||
	       (length == VMX_EPTP_PWL_5 && (c->cap->ept_vpid & VMX_EPT_PAGE_WALK_5_BIT));
}

static bool eptp_reserved_ok(const struct entry_state *c)
{
	u64 eptp = c->get(EPT_POINTER), reserved = GENMASK(11, 7);

	if (c->cap->ept_vpid & VMX_EPT_SUPERVISOR_SHADOW_STACK_BIT)
		reserved = GENMASK(11, 8);
	return !(eptp & reserved) && physical(c, eptp, 1);
}

static bool is_event(const struct entry_state *c, u64 type)
{
	return c->event && c->event_type == type;
}

/* Is the vector that of an exception with an error code? */
static bool vector_has_error_code(const struct entry_state *c)
{
	u64 vectors = WITH_ERROR_CODE;

	if (!(c->cap->cr4_fixed1 & CR4_CET))
		vectors &= ~BIT(CP_VECTOR);
	return c->vector < 32 && (vectors & BIT(c->vector));
}

static bool error_code_delivery_ok(const struct entry_state *c)
{
	bool deliver = c->get(VM_ENTRY_INTR_INFO_FIELD) & INTR_INFO_DELIVER_CODE_MASK;

	if (c->event_type != INTR_TYPE_HARD_EXCEPTION || !(c->cr0 & CR0_PE))
		return !deliver;
	if (c->cap->basic & VMX_BASIC_NO_HW_ERROR_CODE)
		return true;
	return deliver == vector_has_error_code(c);
}

static bool activity_supported(const struct entry_state *c)
{
	switch (c->activity) {
	case GUEST_ACTIVITY_ACTIVE:
		return true;
	case GUEST_ACTIVITY_HLT:
		return c->cap->misc & VMX_MISC_ACTIVITY_HLT;
	case GUEST_ACTIVITY_SHUTDOWN:
		return c->cap->misc & VMX_MISC_ACTIVITY_SHUTDOWN;
	case GUEST_ACTIVITY_WAIT_SIPI:
		return c->cap->misc & VMX_MISC_ACTIVITY_WAIT_SIPI;
	default:
		return false;
	}
}

static bool event_fits_activity(const struct entry_state *c)
{
	bool nmi = c->event_type == INTR_TYPE_NMI_INTR;
	bool exception = c->event_type == INTR_TYPE_HARD_EXCEPTION;

	switch (c->activity) {
	case GUEST_ACTIVITY_ACTIVE:
		return true;
	case GUEST_ACTIVITY_HLT:
		return nmi || c->event_type == INTR_TYPE_EXT_INTR ||
		       c->event_type == INTR_TYPE_OTHER_EVENT ||
		       (exception && (c->vector == DB_VECTOR || c->vector == MC_VECTOR));
	case GUEST_ACTIVITY_SHUTDOWN:
		return nmi || (exception && c->vector == MC_VECTOR);
	default:
		return false;
	}
}

static bool single_step_ok(const struct entry_state *c)
{
	bool bs = c->get(GUEST_PENDING_DBG_EXCEPTIONS) & PENDING_DBG_BS;
	bool btf = c->get(GUEST_IA32_DEBUGCTL) & DEBUGCTLMSR_BTF;

	if (!(c->blocking & (GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS)) &&
	    c->activity != GUEST_ACTIVITY_HLT)
		return true;
	return bs == ((c->rflags & RFLAGS_TF) && !btf);
}

static bool pdpte_ok(const struct entry_state *c, u64 pdpte)
{
	return !(pdpte & 1) ||
	       (!(pdpte & (GENMASK(8, 5) | GENMASK(2, 1))) && physical(c, pdpte, 1));
}

static bool granularity_ok(const struct segment *s)
{
	if (s->ar & VMX_AR_G_MASK)
		return (s->limit & 0xfff) == 0xfff;
	return !(s->limit >> 20);
}

static void read_state(struct entry_state *c)
{
	u64 info = c->get(VM_ENTRY_INTR_INFO_FIELD);

	c->pin = c->get(PIN_BASED_VM_EXEC_CONTROL);
	c->proc = c->get(CPU_BASED_VM_EXEC_CONTROL);
	if (c->proc & CPU_BASED_ACTIVATE_SECONDARY_CONTROLS)
		c->proc2 = c->get(SECONDARY_VM_EXEC_CONTROL);
	if (c->proc & CPU_BASED_ACTIVATE_TERTIARY_CONTROLS)
		c->proc3 = c->get(TERTIARY_VM_EXEC_CONTROL);
	c->exit = c->get(VM_EXIT_CONTROLS);
	c->entry = c->get(VM_ENTRY_CONTROLS);
	c->ept = c->proc2 & SECONDARY_EXEC_ENABLE_EPT;
	c->unrestricted = c->proc2 & SECONDARY_EXEC_UNRESTRICTED_GUEST;
	c->ia32e = c->entry & VM_ENTRY_IA32E_MODE;
	c->load_efer = c->entry & VM_ENTRY_LOAD_IA32_EFER;
	c->cr0 = c->get(GUEST_CR0);
	c->cr4 = c->get(GUEST_CR4);
	c->rflags = c->get(GUEST_RFLAGS);
	c->v8086 = c->rflags & RFLAGS_VM;
	c->pae = c->ept && !c->ia32e && (c->cr0 & CR0_PG) && (c->cr4 & CR4_PAE);
	c->cr0_free = CR0_NW | CR0_CD | (c->unrestricted ? CR0_PE | CR0_PG : 0);
	c->ss_dpl = VMX_AR_DPL(c->get(GUEST_SS_AR_BYTES));
	c->activity = c->get(GUEST_ACTIVITY_STATE);
	c->blocking = c->get(GUEST_INTERRUPTIBILITY_INFO);
	c->event = info & INTR_INFO_VALID_MASK;
	c->event_type = info & INTR_INFO_INTR_TYPE_MASK;
	c->vector = info & INTR_INFO_VECTOR_MASK;
}

static struct segment read_segment(const struct entry_state *c, u64 i)
{
	struct segment s = {
		.selector = c->get(GUEST_ES_SELECTOR + 2 * i),
		.base = c->get(GUEST_ES_BASE + 2 * i),
		.limit = c->get(GUEST_ES_LIMIT + 2 * i),
		.ar = c->get(GUEST_ES_AR_BYTES + 2 * i),
	};

	s.type = s.ar & VMX_AR_TYPE_MASK;
	s.dpl = VMX_AR_DPL(s.ar);
	s.usable = !(s.ar & VMX_AR_UNUSABLE_MASK);
	s.checked = !c->v8086 && (s.usable || BIT(i) == S_CS);
	return s;
}

/* The checks run only before a panic: optimise for size. */
#define __cold __attribute__((cold))

struct reporter {
	void (*report)(void *ctx, const char *section, const char *rule, u64 field, u64 value);
	void *ctx;
	const char *section;
	unsigned broken;
};

static __cold void rule_broken(struct reporter *r, const struct entry_state *c, u64 field,
			       const char *words)
{
	r->report(r->ctx, r->section, words, field, c->get(field));
	r->broken++;
}

#define F(field) (c->get(field))
#define IF(a, b) (!(a) || (b))

static __cold void check_segments(const struct entry_state *c, struct reporter *r)
{
	for (u64 i = 0; i < 8; i++) {
		const struct segment seg = read_segment(c, i), *s = &seg;

#define ENTRY_SECTION(title)
#define ENTRY_RULE(field, holds, words)
#define ENTRY_SEGMENT_RULE(registers, part, holds, words) \
	if (((registers)&BIT(i)) && !(holds))             \
		rule_broken(r, c, GUEST_ES_##part + 2 * i, words);
#include "report/entry_rules.def"
#undef ENTRY_SECTION
#undef ENTRY_RULE
#undef ENTRY_SEGMENT_RULE
	}
}

static __cold void check_rules(const struct entry_state *c, struct reporter *r)
{
#define ENTRY_SECTION(title) r->section = (title);
#define ENTRY_RULE(field, holds, words) \
	if (!(holds))                   \
		rule_broken(r, c, field, words);
#define ENTRY_SEGMENT_RULE(registers, part, holds, words)
#include "report/entry_rules.def"
#undef ENTRY_SECTION
#undef ENTRY_RULE
#undef ENTRY_SEGMENT_RULE
}

unsigned vmx_entry_check(const struct vmx_capability *cap, u64 (*get)(u64 field),
			 void (*report)(void *ctx, const char *section, const char *rule, u64 field,
					u64 value),
			 void *ctx)
{
	struct entry_state c = {.cap = cap, .get = get};
	struct reporter r = {.report = report, .ctx = ctx};

	read_state(&c);
	check_rules(&c, &r);
	r.section = "Checks on Guest Segment Registers";
	check_segments(&c, &r);
	return r.broken;
}
