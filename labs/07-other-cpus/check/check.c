/* SPDX-License-Identifier: MIT */
/*
 * The check of lab 7. First each function by itself, with a made-up vCPU, when Glasshouse has
 * hardly started. Then, while the guest runs on two CPUs, its CPUID with LEAF in EAX asks for what
 * needs them both: the student's test, with right and with broken kicks; and calls at random times.
 */
#include "arch/x86/cpu.h"
#include "arch/x86/smp.h"
#include "arch/x86/trap.h"
#include "labs/07-other-cpus/check/other.h"
#include "labs/common/lab.h"
#include "lib/log.h"
#include "lib/string.h"
#include "seed.h"
#include "vmm/virt_ops.h"
#include "vmm/vm.h"
#include "vmm/vmx/vmx.h"
#include "vmm/x86/guest_mem.h"

enum test {
	TEST_HALT = 1,
	TEST_KICK,
	TEST_REQUEST,
	TEST_NMI,
	TEST_ROOT_NMI,
	TEST_DELIVER,
	TEST_INIT,
	TEST_SIPI,
	TEST_RIGHT,
	TEST_NO_NMI,
	TEST_LATE,
	TEST_ONCE,
	TEST_CALLS
};

#define ROUNDS 200
#define LEAF   0x4c414237u /* RBX: 0, and RSI: the address of a byte; or a number of calls */
#define LONG   2000000     /* ticks */

bool __real_smp_send_nmi(const struct cpu *cpu), __wrap_smp_send_nmi(const struct cpu *cpu);
void __real_vcpu_make_request(struct vcpu *vcpu, u32 request);
void __wrap_vcpu_make_request(struct vcpu *vcpu, u32 request);
int __real_vmx_handle_exit(struct vcpu *vcpu), __wrap_vmx_handle_exit(struct vcpu *vcpu);
int __real_vmx_hardware_setup(bool second_level), __wrap_vmx_hardware_setup(bool second_level);
void trap_handler(struct trap_frame *frame);

/* ---- 1: sleep ---- */

#define HLT 0xf4

static struct {
	u32 flag;
	unsigned steps, nmi_at, halts;
	bool lost;
} sleep;

/* NMIs of the guest leave the flag as it is. */
static void nmi_sets_flag(struct trap_frame *frame)
{
	(void)frame;
	if (sleep.steps == sleep.nmi_at || sleep.halts >= 3)
		sleep.flag = 1;
}

/* An NMI hits the code at the place of @frame. */
static void pretend_nmi(struct trap_frame *frame)
{
	frame->vector = NMI_VECTOR;
	trap_handler(frame);
}

/* The student's part may lie elsewhere than the function. */
extern const u8 halt_until_test[];

static bool is_in(u64 rip, const void *code, u64 before)
{
	return rip >= (u64)code - before && rip < (u64)code + 64;
}

/* Before each instruction of halt_until(), which is executed step by step. A HLT is not executed:
 * the third ends by the NMI of another CPU, which has set the flag, the others by the guest's. */
static bool each_instruction(struct trap_frame *frame)
{
	if (!is_in(frame->rip, halt_until, 0) && !is_in(frame->rip, halt_until_test, 32))
		return true;
	if (++sleep.steps == sleep.nmi_at)
		pretend_nmi(frame);
	if (sleep.steps > 1000) {
		lab_result(TEST_HALT, "halt_until does not return although the flag is set");
		lab_stop_if_failed();
	}
	if (*(const u8 *)frame->rip != HLT)
		return true;
	sleep.lost |= sleep.flag;
	sleep.halts++;
	frame->rip++;
	pretend_nmi(frame);
	return true;
}

/* Call halt_until() with a @flag, and with an NMI before instruction number @nmi_at, which sets it.
 */
static void sleep_with(u32 flag, unsigned nmi_at)
{
	memset(&sleep, 0, sizeof(sleep));
	sleep.flag = flag;
	sleep.nmi_at = nmi_at;
	asm volatile("pushfq\n\torq $0x100, (%rsp)\n\tpopfq");
	halt_until(&sleep.flag);
	asm volatile("pushfq\n\tandq $~0x100, (%rsp)\n\tpopfq");
}

static const char *wrong_sleep(void)
{
	sleep_with(1, 0);
	if (sleep.halts)
		return "the flag is set: no HLT";
	sleep_with(0, 0);
	if (sleep.halts != 3) {
		pr_info("# it has halted %u times, it must be 3\n", sleep.halts);
		return "while the flag is 0, halt; after an NMI that has not set it, too";
	}
	for (unsigned i = 1; i < 10; i++) {
		sleep_with(0, i);
		if (!sleep.lost)
			continue;
		pr_info("# an NMI before instruction %u: it has set the flag, and HLT follows\n",
			i);
		return "a wake-up is lost: an NMI between the test of the flag and the HLT";
	}
	return NULL;
}

static const char *check_halt(void)
{
	void (*handler)(struct trap_frame * frame) = nmi_handler;
	const char *why;

	debug_handler = each_instruction;
	nmi_handler = nmi_sets_flag;
	why = wrong_sleep();
	debug_handler = NULL;
	nmi_handler = handler;
	write_dr6(0xffff0ff0);
	return why;
}

/* ---- A made-up vCPU ---- */

static struct vcpu fake;
static struct cpu other;
static struct vm fake_vm;

/* What the functions have called, in order; and what they were told. */
static struct {
	bool unit; /* the functions are checked by themselves */
	bool works;
	enum mp_state waits_in;
	u32 requests, wake, kicked; /* at the NMI */
	u8 sipi_vector;             /* then, too */
	unsigned nmis, to_vm, at_once, waits, resets, vm_resets, starts;
	unsigned resets_before; /* the CS was set */
	enum mp_state at_start, at_wait;
	struct segment cs;
	u64 rip;
} noted;

static void note_vm_nmi(struct vcpu *v)
{
	(void)v;
	noted.to_vm++;
}

static void note_at_once(struct vcpu *v)
{
	(void)v;
	noted.at_once++;
}

static void note_wait(struct vcpu *v)
{
	noted.waits++;
	noted.at_wait = v->mp_state;
}

static void note_reset(struct vcpu *v, bool init)
{
	(void)v;
	noted.resets += init;
}

static void note_vm_reset(struct vcpu *v)
{
	(void)v;
	noted.vm_resets++;
}

static void note_start(struct vcpu *v)
{
	noted.starts++;
	noted.at_start = v->mp_state;
}

static enum mp_state note_init(struct vcpu *v)
{
	(void)v;
	return noted.waits_in;
}

static void note_get_segment(struct vcpu *v, enum segment_reg reg, struct segment *seg)
{
	(void)v, (void)reg;
	*seg = (struct segment){.base = 1, .limit = 0xffff, .selector = 2, .ar = 0x9b};
}

static void note_set_segment(struct vcpu *v, enum segment_reg reg, const struct segment *seg)
{
	(void)v;
	noted.resets_before = noted.resets;
	if (reg == SEG_CS)
		noted.cs = *seg;
}

static void note_set_sysreg(struct vcpu *v, enum sysreg reg, u64 value)
{
	(void)v;
	if (reg == SYSREG_RIP)
		noted.rip = value;
}

static const struct vm_ops notes = {
	.name = "the check's VM",
	.nmi = note_vm_nmi,
	.init = note_init,
	.reset = note_vm_reset,
	.started = note_start,
};

static void make_up(void)
{
	memset(&noted, 0, sizeof(noted));
	memset(&fake, 0, sizeof(fake));
	noted.unit = true;
	noted.works = true;
	noted.rip = ~0ull;
	fake.cpu = &other;
	fake.vm = &fake_vm;
	fake_vm.ops = &notes;
}

/* ---- 2 to 5: kicks ---- */

static const char *wrong_kick(u32 was, bool own)
{
	bool sends = !own && !was;

	if (fake.wake != 1)
		return "wake must be 1: the vCPU may sleep";
	if (noted.nmis != sends)
		return own   ? "no CPU kicks itself by an NMI"
		       : was ? "an NMI is on its way already: the second would go to the guest"
			     : "one NMI must be sent to the vCPU's CPU: it may be in its guest, "
			       "which never exits";
	if (sends && (!noted.kicked || !noted.wake))
		return "wake and kicked must be set before the NMI is sent: it may arrive at once";
	if (sends && !noted.works && fake.kicked)
		return "no NMI has been sent, so kicked must be 0 again: the guest's next NMI "
		       "would be taken for it";
	if (!own && noted.works && !fake.kicked)
		return "kicked must stay set until the NMI has arrived";
	return (own || was) && fake.kicked != was ? "kicked must stay as it was" : NULL;
}

static const char *check_kick(void)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		u64 random = lab_random();
		u32 was = random & 2 ? 0 : 3;
		bool own = !(random & 0x30);
		const char *why;

		make_up();
		noted.works = random & 12;
		fake.kicked = was;
		if (own)
			fake.cpu = this_cpu();
		vcpu_kick(&fake);
		why = wrong_kick(was, own);
		if (!why)
			continue;
		pr_info("# kicked was %u and is %u; %s; %u NMIs were sent, which %s\n", was,
			fake.kicked, own ? "this CPU" : "another CPU", noted.nmis,
			noted.works ? "works" : "fails");
		return why;
	}
	return NULL;
}

static const char *check_request(void)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		u32 before = (u32)lab_random() & 0x1fff, bit = 1u << (lab_random() % 13);

		make_up();
		fake.requests = before;
		__real_vcpu_make_request(&fake, bit);
		if (fake.requests != (before | bit))
			return "the request must be there, and all others stay";
		if (!noted.nmis || !fake.wake)
			return "the vCPU must be kicked: it does not look at its requests by "
			       "itself";
		if (!(noted.requests & bit))
			return "the request must be there before the NMI is sent: the vCPU would "
			       "come, find nothing, and go";
	}
	return NULL;
}

static const char *check_nmi(void)
{
	for (u32 kicked = 0; kicked < 4; kicked++) {
		make_up();
		fake.kicked = kicked;
		vcpu_nmi(&fake);
		if (fake.kicked)
			return "kicked must be 0: the next NMI is not this kick";
		if (noted.to_vm != !kicked)
			return kicked ? "a kick is not for the guest"
				      : "an NMI that is no kick is lost: it is the VM's";
		if (fake.kicked_by != kicked)
			return "kicked_by: who has kicked";
	}
	return NULL;
}

static const char *wrong_root_nmi(u32 kicked)
{
	make_up();
	fake.kicked = kicked;
	vcpu_root_nmi(NULL);
	if (fake.kicked || noted.to_vm != !kicked)
		return "the NMI must be taken as hole 4 does";
	return noted.at_once ? NULL
			     : "the next entry must exit at once: the requests may have been "
			       "looked at before the NMI";
}

static const char *check_root_nmi(void)
{
	void (*at_once)(struct vcpu * v) = virt_ops.request_immediate_exit;
	const char *why;

	virt_ops.request_immediate_exit = note_at_once;
	make_up();
	vcpu_root_nmi(NULL);
	why = noted.at_once ? "this CPU has no vCPU yet: nothing is to be done" : NULL;
	this_cpu()->vcpu = &fake;
	why = why ?: wrong_root_nmi(0) ?: wrong_root_nmi(2);
	this_cpu()->vcpu = NULL;
	virt_ops.request_immediate_exit = at_once;
	return why;
}

/* ---- 6 to 9: INIT and SIPI ---- */

static const char *const states[] = {
	[MP_STATE_RUNNABLE] = "runs",
	[MP_STATE_INIT_RECEIVED] = "waits in root mode",
	[MP_STATE_WAIT_FOR_SIPI] = "waits as a guest",
};

static const char *check_deliver(void)
{
	make_up();
	vcpu_deliver_init(&fake);
	if (fake.requests != REQ_INIT || !fake.wake)
		return "INIT: REQ_INIT must be posted, with a kick";
	for (unsigned i = 0; i < 6; i++) {
		u8 vector = (u8)(1 + lab_random() % 255);
		bool drops;

		make_up();
		fake.mp_state = (enum mp_state)(i % 3);
		fake.requests = i < 3 ? 0 : REQ_INIT;
		drops = fake.mp_state == MP_STATE_RUNNABLE && !fake.requests;
		vcpu_deliver_sipi(&fake, vector);
		if (!(fake.requests & REQ_SIPI) == drops &&
		    fake.sipi_vector == (drops ? 0 : vector) && fake.wake == !drops &&
		    noted.sipi_vector == fake.sipi_vector)
			continue;
		pr_info("# SIPI %x; the vCPU %s%s\n", vector, states[fake.mp_state],
			i < 3 ? "" : ", REQ_INIT is posted");
		return drops ? "SIPI: a CPU that runs drops it"
			     : "SIPI: sipi_vector, then REQ_SIPI with a kick: the other CPU may "
			       "look at once";
	}
	return NULL;
}

static const char *wrong_init(enum mp_state state)
{
	bool as_guest = state == MP_STATE_WAIT_FOR_SIPI;

	if (noted.resets != !as_guest || noted.vm_resets != !as_guest)
		return as_guest ? "INIT: no reset now: a SIPI would be lost meanwhile"
				: "INIT resets the vCPU once: reset_by_init()";
	if (noted.waits != as_guest)
		return "INIT: the guest's state must be wait-for-SIPI if, and only if, ops->init "
		       "says so";
	if (as_guest && noted.at_wait == MP_STATE_WAIT_FOR_SIPI)
		return "INIT: the state comes last";
	if (as_guest && fake.kicked)
		return "INIT: a kick that is on its way will never arrive: kicked is 0";
	if (!as_guest && fake.kicked != 2)
		return "INIT: kicked stays: its NMI is still to arrive";
	if (fake.mp_state != state ||
	    !(fake.requests & REQ_BLOCK) != (state != MP_STATE_INIT_RECEIVED))
		return "INIT: the state by vcpu_set_mp_state()";
	return NULL;
}

static const char *check_init(void)
{
	for (unsigned state = 0; state < 3; state++) {
		const char *why;

		make_up();
		noted.waits_in = (enum mp_state)state;
		fake.kicked = 2;
		handle_init(&fake);
		why = wrong_init((enum mp_state)state);
		if (!why)
			continue;
		pr_info("# ops->init says: the vCPU %s\n", states[state]);
		return why;
	}
	return NULL;
}

static const char *wrong_sipi(enum mp_state state, u8 vector)
{
	if (state == MP_STATE_RUNNABLE)
		return noted.starts || noted.cs.base || fake.nmi_pending != 1
			       ? "SIPI: a vCPU that runs drops it"
			       : NULL;
	if (noted.resets != (state == MP_STATE_WAIT_FOR_SIPI))
		return "SIPI: the reset is missing, or is too much: who has waited as a guest is "
		       "reset now";
	if (noted.resets_before != noted.resets)
		return "SIPI: the reset comes first";
	if (state == MP_STATE_WAIT_FOR_SIPI && (fake.kicked || !noted.at_once))
		return "SIPI: end_kick() is missing";
	if (fake.nmi_pending)
		return "SIPI: NMIs that came before are dropped";
	if (noted.cs.selector != vector << 8 || noted.cs.base != (u64)vector << 12 || noted.rip)
		return "SIPI: it starts at vector * 4 KiB: CS and RIP";
	if (noted.cs.limit != 0xffff || noted.cs.ar != 0x9b)
		return "SIPI: limit and access rights of CS stay as they are";
	if (fake.mp_state != MP_STATE_RUNNABLE || fake.requests & REQ_BLOCK)
		return "SIPI: it runs now: vcpu_set_mp_state()";
	if (noted.starts != 1 || noted.at_start != MP_STATE_RUNNABLE)
		return "SIPI: the VM hears of it once, at the end: ops->started";
	return NULL;
}

static const char *check_sipi(void)
{
	for (unsigned i = 0; i < 12; i++) {
		enum mp_state state = (enum mp_state)(i % 3);
		u8 vector = (u8)(1 + lab_random() % 255);
		const char *why;

		make_up();
		vcpu_set_mp_state(&fake, state);
		fake.sipi_vector = vector;
		fake.nmi_pending = 1;
		fake.kicked = state == MP_STATE_WAIT_FOR_SIPI;
		handle_sipi(&fake);
		why = wrong_sipi(state, vector);
		if (!why)
			continue;
		pr_info("# SIPI %x; the vCPU %s\n", vector, states[state]);
		return why;
	}
	return NULL;
}

/* ---- The answers, by the student's functions, which have been checked ---- */

static void tell_start(void)
{
	static const u16 sequence[] = {LAB_SEQUENCE}; /* check.py */

	make_up();
	noted.waits_in = MP_STATE_INIT_RECEIVED;
	for (unsigned i = 0; i < ARRAY_SIZE(sequence); i++) {
		if (sequence[i] == LAB_INIT)
			vcpu_deliver_init(&fake);
		else if (sequence[i] != LAB_HANDLE)
			vcpu_deliver_sipi(&fake, (u8)sequence[i]);
		if (sequence[i] != LAB_HANDLE)
			continue;
		if (fake.requests & REQ_INIT)
			handle_init(&fake);
		if (fake.requests & REQ_SIPI)
			handle_sipi(&fake);
		fake.requests &= ~(u32)(REQ_INIT | REQ_SIPI);
	}
	lab_key("start", "%lx", noted.cs.base);
	lab_key("selector", "%x", noted.cs.selector);
}

/* ---- All of them ---- */

int __wrap_vmx_hardware_setup(bool second_level)
{
	struct virt_ops saved = virt_ops;

	lab_result(TEST_HALT, check_halt());
	lab_result(TEST_KICK, check_kick());
	lab_result(TEST_REQUEST, check_request());
	lab_result(TEST_NMI, check_nmi());
	lab_result(TEST_ROOT_NMI, check_root_nmi());
	lab_result(TEST_DELIVER, check_deliver());
	virt_ops.wait_for_sipi = note_wait;
	virt_ops.vcpu_reset = note_reset;
	virt_ops.get_segment = note_get_segment;
	virt_ops.set_segment = note_set_segment;
	virt_ops.set_sysreg = note_set_sysreg;
	virt_ops.request_immediate_exit = note_at_once;
	lab_result(TEST_INIT, check_init());
	lab_result(TEST_SIPI, check_sipi());
	lab_stop_if_failed();
	tell_start();
	virt_ops = saved;
	noted.unit = false;
	return __real_vmx_hardware_setup(second_level);
}

/* ---- While the guest runs ---- */

static enum { RIGHT, NO_NMI, LATE, ONCE } kicks; /* how kicks are broken */
static unsigned sent;                            /* NMIs, since that was chosen */
static struct vcpu *caller, *called;
static gva_t exits; /* of a byte of the guest: 1: CPU 1 executes CPUID in a loop */

bool __wrap_smp_send_nmi(const struct cpu *cpu)
{
	if (noted.unit) {
		noted.nmis++;
		noted.requests = fake.requests;
		noted.wake = fake.wake;
		noted.kicked = fake.kicked;
		noted.sipi_vector = fake.sipi_vector;
		return noted.works;
	}
	sent++;
	if (kicks == NO_NMI || (kicks == ONCE && sent > 1))
		return true;
	return __real_smp_send_nmi(cpu);
}

static void wait_ticks(u64 ticks)
{
	u64 start = rdtsc();

	while (rdtsc() - start < ticks)
		cpu_relax();
}

void __wrap_vcpu_make_request(struct vcpu *v, u32 request)
{
	if (kicks != LATE) {
		__real_vcpu_make_request(v, request);
		return;
	}
	vcpu_kick(v);
	wait_ticks(20000);
	__atomic_or_fetch(&v->requests, request, __ATOMIC_SEQ_CST);
}

static void set_exits(u8 on)
{
	write_guest_virt(caller, exits, &on, 1);
	wait_ticks(20000);
}

void lab_quiet(void)
{
	set_exits(0);
}

/* The student's test, with kicks that are broken in one way, or not at all. */
static const char *try_test(unsigned way)
{
	const char *why;

	sent = 0;
	kicks = way;
	why = test_kick(called);
	kicks = RIGHT;
	called->kicked = 0;
	set_exits(1);
	return why;
}

/* The right kicks come first and last: a test that only counts how often it runs is found, too. */
static void run_student_test(void)
{
	const char *right, *no_nmi, *late, *once;

	set_exits(1);
	right = try_test(RIGHT);
	no_nmi = try_test(NO_NMI);
	late = try_test(LATE);
	once = try_test(ONCE);
	right = right ?: try_test(RIGHT);
	if (right)
		pr_info("# your test says: %s\n", right);
	lab_result(TEST_RIGHT, right);
	lab_result(TEST_NO_NMI, no_nmi ? NULL : "your test finds nothing wrong");
	lab_result(TEST_LATE, late ? NULL : "your test finds nothing wrong");
	lab_result(TEST_ONCE, once ? NULL : "your test finds nothing wrong");
	lab_stop_if_failed();
}

static unsigned done;

static void count_call(struct vcpu *v)
{
	(void)v;
	done++;
}

/* Call CPU 1 at @times random times. */
static void call_often(unsigned times)
{
	static bool told;
	unsigned before = done;

	for (unsigned i = 0; i < times; i++) {
		wait_ticks(lab_random() % 300);
		if (!vcpu_call(called, count_call, LONG) && done == before + i + 1)
			continue;
		lab_result(TEST_CALLS, "a call is lost: CPU 1 does not come");
		lab_stop_if_failed();
	}
	if (!told)
		lab_result(TEST_CALLS, NULL);
	told = true;
}

int __wrap_vmx_handle_exit(struct vcpu *v)
{
	if (!v->id && vmread(VM_EXIT_REASON) == EXIT_REASON_CPUID &&
	    (u32)v->regs[VCPU_RAX] == LEAF) {
		if (v->vm->nr_vcpus < 2) {
			lab_result(TEST_RIGHT, "this lab needs two CPUs, and the guest has one");
			lab_stop_if_failed();
		}
		caller = v;
		called = v->vm->vcpus[1];
		if (v->regs[VCPU_RBX]) {
			call_often((unsigned)v->regs[VCPU_RBX]);
		} else {
			exits = v->regs[VCPU_RSI];
			run_student_test();
		}
	}
	return __real_vmx_handle_exit(v);
}
