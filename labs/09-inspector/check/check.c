/* SPDX-License-Identifier: MIT */
/*
 * The check of lab 9. Before the guest's first instruction: the functions by themselves. Then Linux
 * boots, and says by CPUID where its script (guest/inspector.sh) is: from then on each write to the
 * pages of the gate and of the system call's entry, and each LIDT, is shown to the inspector.
 */
#include "labs/09-inspector/check/functions.h"
#include "labs/common/lab.h"
#include "lib/log.h"
#include "seed.h"
#include "vmm/icept.h"
#include "vmm/memslot.h"
#include "vmm/room.h"
#include "vmm/view.h"
#include "vmm/vmx/vmx.h"

enum test {
	TEST_HANDLER = 1,
	TEST_FIND,
	TEST_WRITE,
	TEST_LIDT,
	TEST_FIND_CALL,
	TEST_CALL,
	TEST_NOISE,
	TEST_ROOTKIT,
	TEST_AFTER,
	TEST_TABLE,
	TEST_GUEST /* the guest's own results */
};

/* What the script says: CPUID with this leaf, and one of these as its subleaf. And before: with the
 * second leaf, and the lower half of the system-call table's address. */
#define LEAF       0x4c414239
#define LEAF_TABLE 0x4c41423a
enum phase {
	PHASE_BEGIN = 1,  /* look from here on */
	PHASE_NOISE,      /* Linux has done this and that, and nothing bad */
	PHASE_ROOTKIT,    /* the rootkit has changed the gate */
	PHASE_AFTER,      /* it has put it back; more of this and that */
	PHASE_AGAIN,      /* it has changed it, and put it back, once more */
	PHASE_CALL,       /* it has changed an entry of the system-call table */
	PHASE_CALL_AFTER, /* it has put it back; more of this and that */
	PHASE_CALL_AGAIN  /* it has changed it, and put it back, once more */
};

int __real_vmx_handle_exit(struct vcpu *vcpu), __wrap_vmx_handle_exit(struct vcpu *vcpu);

static struct inspector inspector = {.vector = LAB_VECTOR};
static struct call_inspector call;
static gva_t table; /* of system calls */
static bool looks;
static gpa_t watched; /* the page that is watched */
static u64 idtr;      /* its base, as the inspector knows it */
static u64 rip;       /* of the instruction that writes */
static unsigned alarms, call_alarms;

/* Have the page of the gate watched, and no other. */
static void watch_gate(struct vcpu *vcpu)
{
	gpa_t page = ALIGN_DOWN(inspector.gate, PAGE_SIZE);
	int r = 0;

	if (page == watched)
		return;
	if (watched)
		view_watch(vcpu->vm, watched, 0, 0);
	r = view_watch(vcpu->vm, page, EPT_W, ~0u);
	if (r)
		pr_info("# view_watch of %lx: error %d\n", page, -r);
	watched = page;
}

static void alarm(struct vcpu *vcpu, const char *how)
{
	u64 now[2];

	read_guest(vcpu->vm, inspector.gate, now, sizeof(now));
	alarms++;
	pr_info("ALARM: vector %u, by %s at %lx: its handler is %lx now\n", inspector.vector, how,
		rip, gate_handler(now));
}

static void call_alarm(u64 now)
{
	call_alarms++;
	pr_info("ALARM: system call %u, by a store at %lx: its function is %lx now\n", LAB_CALL,
		rip, now);
}

static void accesses(struct vcpu *vcpu, const struct view_access *access)
{
	(void)access;
	rip = virt->get_sysreg(vcpu, SYSREG_RIP);
}

static void ended(struct vcpu *vcpu, bool done)
{
	u64 now[2];

	if (!done)
		return;
	read_guest(vcpu->vm, inspector.gate, now, sizeof(now));
	if (gate_changed(&inspector, now))
		alarm(vcpu, "a store");
	read_guest(vcpu->vm, call.entry, now, sizeof(now[0]));
	if (call_changed(&call, now[0]))
		call_alarm(now[0]);
}

/* Returns false: the entry has not been found. */
static bool begin_call(struct vcpu *vcpu)
{
	int r;

	if (!table || find_call(vcpu, table, LAB_CALL, &call.entry)) {
		pr_info("# the entry of system call %u has not been found, table %lx\n", LAB_CALL,
			table);
		return false;
	}
	read_guest(vcpu->vm, call.entry, &call.good, sizeof(call.good));
	lab_key("call", "%lx", call.entry);
	r = view_watch(vcpu->vm, ALIGN_DOWN(call.entry, PAGE_SIZE), EPT_W, ~0u);
	if (r)
		pr_info("# view_watch of %lx: error %d\n", call.entry, -r);
	return true;
}

static void begin(struct vcpu *vcpu)
{
	static const struct view_watcher watcher = {accesses, ended};

	if (find_gate(vcpu, inspector.vector, &inspector.gate)) {
		pr_info("# the gate of vector %u has not been found\n", inspector.vector);
		return;
	}
	read_guest(vcpu->vm, inspector.gate, inspector.good, sizeof(inspector.good));
	lab_key("gate", "%lx", inspector.gate);
	lab_key("handler", "%lx", gate_handler(inspector.good));
	idtr = vmread(GUEST_IDTR_BASE);
	view_set_watcher(&watcher);
	if (!begin_call(vcpu))
		return;
	watch_gate(vcpu);
	icept_set(vcpu->vm, ICEPT_DESCRIPTOR, true);
	looks = true;
}

/* Test @number passes if there have been @gates and @calls alarms until now. */
static void expect(enum test number, unsigned gates, unsigned calls)
{
	if (!looks)
		lab_result(number, "the inspector has not found the gate or the entry in Linux");
	else if (alarms > gates || call_alarms > calls)
		lab_result(number, "a false alarm, or more than one for one change");
	else
		lab_result(number, alarms < gates || call_alarms < calls ? "no alarm" : NULL);
}

static void phase(struct vcpu *vcpu, enum phase which)
{
	switch (which) {
	case PHASE_BEGIN:
		begin(vcpu);
		break;
	case PHASE_NOISE:
		expect(TEST_NOISE, 0, 0);
		break;
	case PHASE_ROOTKIT:
		expect(TEST_ROOTKIT, 1, 0);
		break;
	case PHASE_AFTER:
		expect(TEST_AFTER, 1, 0);
		break;
	case PHASE_AGAIN:
		expect(TEST_AFTER, 2, 0);
		break;
	case PHASE_CALL:
	case PHASE_CALL_AFTER:
		expect(TEST_TABLE, 2, 1);
		break;
	case PHASE_CALL_AGAIN:
		expect(TEST_TABLE, 2, 2);
		break;
	}
}

/* LIDT exits, and is then executed: at the next exit IDTR is what it is to be. */
static void look_at_idtr(struct vcpu *vcpu)
{
	if (vmread(GUEST_IDTR_BASE) == idtr)
		return;
	idtr = vmread(GUEST_IDTR_BASE);
	if (idtr_changed(&inspector, vcpu))
		alarm(vcpu, "LIDT");
	watch_gate(vcpu);
}

int __wrap_vmx_handle_exit(struct vcpu *vcpu)
{
	u32 reason = (u32)vmread(VM_EXIT_REASON), subleaf = (u32)vcpu->regs[VCPU_RCX];

	if (looks)
		look_at_idtr(vcpu);
	if (reason == EXIT_REASON_GDTR_IDTR)
		rip = vmread(GUEST_RIP);
	if (reason == EXIT_REASON_CPUID && (u32)vcpu->regs[VCPU_RAX] == LEAF)
		phase(vcpu, (enum phase)subleaf);
	if (reason == EXIT_REASON_CPUID && (u32)vcpu->regs[VCPU_RAX] == LEAF_TABLE)
		table = 0xffffffff00000000 | subleaf; /* where Linux has its code and data */
	return __real_vmx_handle_exit(vcpu);
}

static void enter(void)
{
	struct vcpu *vcpu = this_cpu()->vcpu;

	lab_result(TEST_HANDLER, check_handler());
	lab_result(TEST_FIND, check_find(vcpu));
	lab_result(TEST_WRITE, check_write());
	lab_result(TEST_LIDT, check_lidt(vcpu));
	lab_result(TEST_FIND_CALL, check_find_call(vcpu));
	lab_result(TEST_CALL, check_call());
	lab_stop_if_failed();
}

ROOM(.name = "lab", .enter = enter);
