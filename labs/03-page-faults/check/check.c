/* SPDX-License-Identifier: MIT */
/*
 * The check of lab 3: each function by itself, with random values, right before the guest's first
 * instruction; then the guest's page faults and first touches, counted by their exits. The guest
 * says by CPUID what it is about to do (phases.h): then page faults exit, or not.
 */
#include "arch/x86/cpu.h"
#include "arch/x86/msr_index.h"
#include "labs/03-page-faults/check/phases.h"
#include "labs/common/lab.h"
#include "lib/log.h"
#include "lib/string.h"
#include "seed.h"
#include "vmm/exception.h"
#include "vmm/room.h"
#include "vmm/vmx/event.h"
#include "vmm/vmx/page_fault.h"
#include "vmm/vmx/vmx.h"

enum test {
	TEST_IS_PAGE_FAULT = 1,
	TEST_EPT_VIOLATION,
	TEST_LOAD,
	TEST_REFLECT,
	TEST_NONE_EXITS,
	TEST_ALL_EXIT,
	TEST_SOME_EXIT,
	TEST_TOUCH,
	TEST_GUEST, /* the guest's own results */
	TEST_WITHOUT_EPT,
};

#define ROUNDS 500

int __real_vmx_handle_exit(struct vcpu *vcpu), __wrap_vmx_handle_exit(struct vcpu *vcpu);
void __real_vmx_hardware_disable(void), __wrap_vmx_hardware_disable(void);

static struct vcpu *vcpu;

/* ---- 1: is_page_fault() ---- */

static const char *check_is_page_fault(void)
{
	static const u32 types[] = {INTR_TYPE_EXT_INTR,         INTR_TYPE_NMI_INTR,
				    INTR_TYPE_HARD_EXCEPTION,   INTR_TYPE_HARD_EXCEPTION,
				    INTR_TYPE_SOFT_INTR,        INTR_TYPE_SOFT_EXCEPTION,
				    INTR_TYPE_PRIV_SW_EXCEPTION};

	for (unsigned i = 0; i < ROUNDS; i++) {
		u64 random = lab_random();
		u32 type = types[random % ARRAY_SIZE(types)];
		u32 vector = random & BIT(40) ? PF_VECTOR : random >> 8 & 31;
		u32 info = (u32)INTR_INFO_VALID_MASK | type | vector;
		bool is;

		info |= (u32)random & (INTR_INFO_DELIVER_CODE_MASK | INTR_INFO_UNBLOCK_NMI);
		is = is_page_fault(info);
		if (is == (type == INTR_TYPE_HARD_EXCEPTION && vector == PF_VECTOR))
			continue;
		pr_info("# VM_EXIT_INTR_INFO %x: type %u, vector %u\n", info, type >> 8, vector);
		return is ? "is_page_fault: this is none" : "is_page_fault: this is one";
	}
	return NULL;
}

/* ---- 2: ept_violation_fault() ---- */

static const char *wrong_violation(const struct page_fault *fault, u64 qual, gpa_t gpa)
{
	bool table = qual & EPT_VIOLATION_GVA_IS_VALID && !(qual & EPT_VIOLATION_GVA_TRANSLATED);

	if (fault->kind != FAULT_SECOND_LEVEL || fault->address != gpa)
		return "kind is FAULT_SECOND_LEVEL, address what it was called with";
	if (fault->write != !!(qual & EPT_VIOLATION_ACC_WRITE))
		return "write is wrong";
	if (fault->fetch != !!(qual & EPT_VIOLATION_ACC_INSTR))
		return "fetch is wrong";
	if (fault->table != table)
		return "table is wrong: two bits say it together";
	if (~fault->gva_hint || fault->error_code)
		return "gva_hint is ~0, error_code 0";
	return NULL;
}

static const char *check_ept_violation(void)
{
	const char *why = NULL;

	for (unsigned i = 0; i < ROUNDS && !why; i++) {
		u64 qual = lab_random() & 0x1fff;
		gpa_t gpa = lab_random() >> 18;
		struct page_fault fault = ept_violation_fault(qual, gpa);

		why = wrong_violation(&fault, qual, gpa);
		if (why)
			pr_info("# exit qualification %lx: write %d, fetch %d, table %d\n", qual,
				fault.write, fault.fetch, fault.table);
	}
	return why;
}

/* ---- 3: vmx_load_exceptions() ---- */

#define FOREIGN BIT(31) /* a bit of EXCEPTION_BITMAP that somebody else has set: no exception */

static const char *wrong_controls(u32 all, bool filtered, bool shadow)
{
	if ((vmread(EXCEPTION_BITMAP) & ~FOREIGN) != all)
		return "EXCEPTION_BITMAP is not the vectors of all users";
	if (!(vmread(EXCEPTION_BITMAP) & FOREIGN))
		return "a bit of EXCEPTION_BITMAP that is not yours has changed";
	if (to_vmx(vcpu)->exception_bitmap != all)
		return "exception_bitmap is not the vectors of all users";
	if (vmread(PAGE_FAULT_ERROR_CODE_MASK) != (filtered ? vcpu->pf_mask : 0) ||
	    vmread(PAGE_FAULT_ERROR_CODE_MATCH) != (filtered ? vcpu->pf_match : 0))
		return filtered ? "mask and match are not those of EXCEPTIONS_ICEPT, the only user "
				  "of page faults"
				: "mask and match must be 0: no page fault is to exit, or all are";
	if (to_vmx(vcpu)->shadow_faults != shadow)
		return "shadow_faults is wrong";
	return NULL;
}

/* Load the same vectors again. One is missing in the field meanwhile: a VMWRITE would show. */
static const char *load_again(u32 all)
{
	u64 field = vmread(EXCEPTION_BITMAP), missing = all & -all;
	bool written;

	vmwrite(EXCEPTION_BITMAP, field & ~missing);
	virt->load_exceptions(vcpu);
	written = vmread(EXCEPTION_BITMAP) & missing;
	vmwrite(EXCEPTION_BITMAP, vmread(EXCEPTION_BITMAP) | missing);
	return written ? "EXCEPTION_BITMAP is written although the vectors are the same" : NULL;
}

/* New users, or only another filter. */
static const char *one_load(bool users)
{
	u32 all = 0, faults = 0;
	const char *why = NULL;

	for (unsigned i = 0; i < NR_EXCEPTION_USERS; i++) {
		u64 random = lab_random();

		if (users)
			vcpu->exceptions[i] = (u32)(random & random >> 32) & ~(u32)FOREIGN;
		if (users && lab_random() & 1)
			vcpu->exceptions[i] &= ~(u32)BIT(PF_VECTOR);
		all |= vcpu->exceptions[i];
		if (vcpu->exceptions[i] & BIT(PF_VECTOR))
			faults |= (u32)BIT(i);
	}
	vcpu->pf_mask = lab_random() & 0x1f;
	vcpu->pf_match = (u32)lab_random() & vcpu->pf_mask;
	if (users)
		virt->load_exceptions(vcpu);
	else
		why = load_again(all);
	if (!why)
		why = wrong_controls(all, faults == BIT(EXCEPTIONS_ICEPT),
				     faults == BIT(EXCEPTIONS_SHADOW));
	if (why)
		pr_info("# users of page faults: %x; vectors %x, mask %x, match %x: the VMCS has "
			"%lx, %lx, %lx\n",
			faults, all, vcpu->pf_mask, vcpu->pf_match, vmread(EXCEPTION_BITMAP),
			vmread(PAGE_FAULT_ERROR_CODE_MASK), vmread(PAGE_FAULT_ERROR_CODE_MATCH));
	return why;
}

static const char *check_load(void)
{
	u32 exceptions[NR_EXCEPTION_USERS], mask = vcpu->pf_mask, match = vcpu->pf_match;
	const char *why = NULL;

	memcpy(exceptions, vcpu->exceptions, sizeof(exceptions));
	vmwrite(EXCEPTION_BITMAP, vmread(EXCEPTION_BITMAP) | FOREIGN);
	for (unsigned i = 0; i < ROUNDS && !why; i++)
		why = one_load(i % 4 == 0);
	vmwrite(EXCEPTION_BITMAP, vmread(EXCEPTION_BITMAP) & ~FOREIGN);
	memcpy(vcpu->exceptions, exceptions, sizeof(exceptions));
	vcpu->pf_mask = mask;
	vcpu->pf_match = match;
	virt->load_exceptions(vcpu);
	return why;
}

/* ---- 4: reflect_exception() ---- */

#define LBR DEBUGCTLMSR_LBR

static struct exception random_exception(void)
{
	static const u8 vectors[] = {PF_VECTOR, PF_VECTOR, GP_VECTOR,
				     DB_VECTOR, BP_VECTOR, UD_VECTOR};
	u64 random = lab_random();
	struct exception e = {.vector = vectors[random % ARRAY_SIZE(vectors)],
			      .type = EVENT_EXCEPTION};

	if (e.vector == BP_VECTOR) {
		e.type = EVENT_SOFT_EXCEPTION;
		e.insn_len = 1;
	} else if (e.vector == DB_VECTOR && random & BIT(48)) { /* INT1 */
		e.type = EVENT_PRIV_EXCEPTION;
		e.insn_len = 1;
	}
	e.has_error_code = e.vector == PF_VECTOR || e.vector == GP_VECTOR;
	e.error_code = e.has_error_code ? (u32)(random >> 32) & 0x1f : 0;
	if (e.vector == PF_VECTOR)
		e.payload = lab_random();
	else if (e.vector == DB_VECTOR && e.type == EVENT_EXCEPTION)
		e.payload = random >> 16 & (DR6_BREAKPOINTS | DR6_BS);
	return e;
}

static const char *wrong_reflection(const struct exception *e, u64 cr2, u64 rflags)
{
	const struct vcpu_event *event = &vcpu->event;
	bool fault = e->type == EVENT_EXCEPTION && e->vector != DB_VECTOR;

	if (!event->valid || event->vector != e->vector || event->type != e->type)
		return "the event that is queued is another one, or there is none";
	if (event->has_error_code != e->has_error_code || event->error_code != e->error_code)
		return "the error code of the event is wrong";
	if (event->insn_len != e->insn_len)
		return "insn_len of the event is wrong: INT3 and INT1 return behind themselves";
	if (read_cr2() != (e->vector == PF_VECTOR ? e->payload : cr2))
		return e->vector == PF_VECTOR ? "CR2 is not the linear address"
					      : "CR2 has changed: it does with #PF only";
	if (vmread(GUEST_RFLAGS) != (fault ? rflags | RFLAGS_RF : rflags))
		return fault ? "a fault sets RF in RFLAGS, and nothing else"
			     : "RFLAGS has changed: it does with faults only";
	if (!(vmread(GUEST_IA32_DEBUGCTL) & LBR) != (e->vector == DB_VECTOR))
		return "change_debug_registers() is for #DB, and for nothing else";
	return NULL;
}

static const char *check_reflect(void)
{
	u64 rflags = vmread(GUEST_RFLAGS), debugctl = vmread(GUEST_IA32_DEBUGCTL),
	    dr7 = vmread(GUEST_DR7), dr6 = read_dr6(), cr2 = read_cr2();
	u32 requests = vcpu->requests;
	const char *why = NULL;

	for (unsigned i = 0; i < ROUNDS && !why; i++) {
		struct exception e = random_exception();
		u64 old_cr2 = lab_random(), flags = 2 | (lab_random() & (RFLAGS_CF | RFLAGS_RF));

		write_cr2(old_cr2);
		vmwrite(GUEST_RFLAGS, flags);
		vmwrite(GUEST_IA32_DEBUGCTL, LBR);
		vcpu->event.valid = false;
		reflect_exception(vcpu, &e);
		why = wrong_reflection(&e, old_cr2, flags);
		if (why)
			pr_info("# vector %u, error code %x, payload %lx, RFLAGS %lx: the event "
				"has "
				"vector %u, error code %x; CR2 %lx, RFLAGS %lx\n",
				e.vector, e.error_code, e.payload, flags, vcpu->event.vector,
				vcpu->event.error_code, read_cr2(), vmread(GUEST_RFLAGS));
	}
	vcpu->event = (struct vcpu_event){.valid = false};
	vcpu->requests = requests;
	vmwrite(GUEST_RFLAGS, rflags);
	vmwrite(GUEST_IA32_DEBUGCTL, debugctl);
	vmwrite(GUEST_DR7, dr7);
	write_dr6(dr6);
	write_cr2(cr2);
	return why;
}

static void check_all(void)
{
	vcpu = this_cpu()->vcpu;
	lab_result(TEST_IS_PAGE_FAULT, check_is_page_fault());
	lab_result(TEST_EPT_VIOLATION, check_ept_violation());
	lab_result(TEST_LOAD, check_load());
	lab_result(TEST_REFLECT, check_reflect());
	lab_stop_if_failed();
	lab_tell_markers();
}

ROOM(.name = "lab", .enter = check_all);

/* ---- 5 to 8, and 10: what the guest does ---- */

/* Exits since the phase began; and in all. */
static struct {
	u64 faults, violations, reflected, other;
} now, all;

static const struct {
	enum test test;
	const char *few, *many;
} phases[] = {
	[PHASE_NONE] = {TEST_NONE_EXITS, "", "page faults exit that nobody wants to see"},
	[PHASE_ALL] = {TEST_ALL_EXIT, "not every page fault has exited", "too many have exited"},
	[PHASE_FILTERED] = {TEST_SOME_EXIT, "not all exit whose error code matches",
			    "some exit whose error code does not match"},
	[PHASE_TOUCH] = {TEST_TOUCH, "a first touch has not exited", "too many EPT violations"},
};

static const char *wrong_with_ept(enum phase phase, u64 exits)
{
	u64 seen = phase == PHASE_TOUCH ? now.violations : now.faults;

	if (seen != exits)
		return seen < exits ? phases[phase].few : phases[phase].many;
	if (phase != PHASE_TOUCH && now.violations)
		return "there are EPT violations, too";
	if (phase == PHASE_TOUCH && now.faults)
		return "page faults exit, too";
	if (now.reflected != now.faults)
		return "not every exit was reflected";
	return NULL;
}

/* All page faults exit, also those by which the shadow page tables are made. */
static const char *wrong_without_ept(u64 faults)
{
	if (now.violations)
		return "there are EPT violations: EPT is in use";
	if (now.reflected != faults)
		return "not each of the guest's page faults has been reflected, or others";
	return now.faults < faults ? "not every page fault has exited" : NULL;
}

static void end_phase(enum phase phase, u64 exits, u64 faults)
{
	const char *why;

	now.reflected = vcpu->mmu_outcomes[MMU_REFLECTED] - all.reflected;
	all.faults += now.faults;
	all.violations += now.violations;
	all.reflected += now.reflected;
	if (phase == PHASE_START)
		return;
	why = vcpu->vm->shadow_ops ? wrong_without_ept(faults) : wrong_with_ept(phase, exits);
	if (why)
		pr_info("# the guest has had %lu page faults, and %lu exits were to be; exits: %lu "
			"by "
			"#PF, %lu by EPT; reflected: %lu\n",
			faults, exits, now.faults, now.violations, now.reflected);
	if (!vcpu->vm->shadow_ops)
		lab_result(phases[phase].test, why);
	else if (why || phase == PHASE_TOUCH)
		lab_result(TEST_WITHOUT_EPT, why);
}

static void begin_phase(enum phase phase)
{
	bool filtered = phase == PHASE_FILTERED;
	u32 vectors = phase == PHASE_ALL || filtered ? (u32)BIT(PF_VECTOR) : 0;

	memset(&now, 0, sizeof(now));
	filter_page_faults(vcpu, filtered ? LAB_PF_MASK : 0, filtered ? LAB_PF_MATCH : 0);
	intercept_exceptions(vcpu, EXCEPTIONS_ICEPT, vectors);
}

int __wrap_vmx_handle_exit(struct vcpu *v)
{
	static enum phase phase;
	u32 reason = (u32)vmread(VM_EXIT_REASON);

	if (reason == EXIT_REASON_EXCEPTION_NMI && (u8)vmread(VM_EXIT_INTR_INFO) == PF_VECTOR) {
		now.faults++;
	} else if (reason == EXIT_REASON_EPT_VIOLATION) {
		now.violations++;
	} else if (reason == EXIT_REASON_CPUID && (u32)v->regs[VCPU_RAX] == PHASE_LEAF &&
		   v->regs[VCPU_RCX] == phase + 1) {
		end_phase(phase, v->regs[VCPU_RBX], v->regs[VCPU_RDX]);
		begin_phase(++phase);
	}
	return __real_vmx_handle_exit(v);
}

void __wrap_vmx_hardware_disable(void)
{
	lab_key("faults", "%lu", all.faults + now.faults);
	lab_key("violations", "%lu", all.violations + now.violations);
	lab_key("reflected", "%lu", vcpu->mmu_outcomes[MMU_REFLECTED]);
	__real_vmx_hardware_disable();
}
