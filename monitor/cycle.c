/* SPDX-License-Identifier: MIT */
/*
 * The command `cycle`: tells one exit, or the boot, step by step. tracer.c finds the steps.
 */
#include "monitor/cycle.h"
#include "arch/x86/cpu.h"
#include "arch/x86/percpu.h"
#include "lib/print.h"
#include "lib/string.h"
#include "vmm/exception.h"

#define SECONDS 10u /* how long to wait for an exit */

static struct cycle_request request; /* of the command that goes on */
static struct vcpu *vcpu;
static u64 since; /* time-stamp counter */
static bool told_to_wait;

/* What happened at the step beside what steps.def says, as text in @text. */
static void tell_more(const struct cycle *cycle, const struct cycle_step *s, char *text,
		      size_t size)
{
	static const char *const subjects[] = {
		[SUBJECT_NONE] = "",
		[SUBJECT_PORT] = ", port",
		[SUBJECT_LINEAR] = ", linear address",
		[SUBJECT_GUEST_PHYSICAL] = ", guest-physical address",
	};
	const struct exit_record *exit = &cycle->exit;

	text[0] = '\0';
	if (s->step->id == STEP_vmresume)
		snprintf(text, size, ": to the guest at RIP %lx", s->rip);
	if (s->step->id == STEP_exit)
		snprintf(text, size, ": %lx, after about %lu ticks in the guest",
			 step_address(s->step), cycle->guest);
	if (s->step->id == STEP_skip)
		snprintf(text, size, ": from %lx to %lx", exit->rip, cycle->next_rip);
	if (s->step->id == STEP_dispatch) {
		int n = snprintf(text, size, ": %s at RIP %lx%s",
				 virt->exit_name((u32)exit->reason), exit->rip,
				 subjects[cycle->subject.kind]);

		if (cycle->subject.kind != SUBJECT_NONE)
			snprintf(text + n, size - (size_t)n, " %lx", cycle->subject.value);
	}
}

static void tell_header(const char *legs)
{
	if (!row_is_json())
		say("%s  %-20s %-25s %-26s %s\n", legs, "function", "line", "in KVM 6.1",
		    "what happens");
}

/* What stands behind a step's costs in its row. */
#define STEP_KEYS   " function at kvm what more"
#define STEP_FORMAT "  %-20s %-25s %-26s %s%s\n"
#define STEP_ARGS(step) \
	step_function(step), place_of(step), kvm_name(step), step_words[(step)->id].does

static const char *place_of(const struct step *step)
{
	static char place[64];

	snprintf(place, sizeof(place), "%s:%u", step_file(step), step->line);
	return place;
}

static const char *kvm_name(const struct step *step)
{
	const char *kvm = step_words[step->id].kvm[STEP_KVMS - 1];

	return *kvm ? kvm : "-";
}

static void tell(const struct cycle *cycle)
{
	u32 instructions = 0, reads = 0, writes = 0;

	if (!row_is_json())
		say("vCPU %u. instr: instructions that Glasshouse has executed since the step "
		    "before; r, w: those that were VMREADs and VMWRITEs.\n",
		    vcpu->id);
	tell_header("instr  r  w");
	for (unsigned i = 0; i < MIN(cycle->nr, TRACER_STEPS); i++) {
		const struct cycle_step *s = &cycle->steps[i];
		char more[128];

		tell_more(cycle, s, more, sizeof(more));
		row("instructions reads writes" STEP_KEYS, "%5u %2u %2u" STEP_FORMAT,
		    s->instructions, s->reads, s->writes, STEP_ARGS(s->step), more);
		instructions += s->instructions;
		reads += s->reads;
		writes += s->writes;
	}
	if (cycle->nr > TRACER_STEPS)
		say("and %u steps more\n", cycle->nr - TRACER_STEPS);
	row("instructions reads writes in_all?", "%5u %2u %2u  %s\n", instructions, reads, writes,
	    "in all");
}

static void start_on(struct vcpu *on)
{
	if (request.wanted.subject == SUBJECT_LINEAR)
		intercept_exceptions(on, EXCEPTIONS_CYCLE, BIT(PF_VECTOR));
	/* Another vCPU enters now, without the top of the loop: exit and begin there. */
	if (on != monitor_vcpu())
		virt->request_immediate_exit(on);
	tracer_start(on, &request.wanted);
}

static void end_pf_on(struct vcpu *on)
{
	intercept_exceptions(on, EXCEPTIONS_CYCLE, 0);
}

/* After the way of the guest's own page faults, that of the second-level tables. */
static const char *other_road(void)
{
	request.wanted.subject = SUBJECT_GUEST_PHYSICAL;
	since = rdtsc();
	return on_vcpu(vcpu, start_on);
}

/* At each beat. Returns false at the end. */
static bool poll(bool stopped)
{
	const struct cycle *cycle = tracer_found();
	bool first_road = request.form == CYCLE_PF && request.wanted.subject == SUBJECT_LINEAR;
	bool two_roads = virt->uses_second_level();
	const char *why = NULL;
	u64 waited = rdtsc() - since;

	if (!cycle && !stopped && waited < SECONDS * monitor_second()) {
		if (!told_to_wait && waited > monitor_second())
			say("Waiting for such an exit of vCPU %u, at most %u seconds; Ctrl-C ends "
			    "it.\n",
			    vcpu->id, SECONDS);
		told_to_wait |= waited > monitor_second();
		return true;
	}
	tracer_stop();
	if (first_road)
		why = on_vcpu(vcpu, end_pf_on);
	if (cycle)
		tell(cycle);
	else if (!stopped)
		say("vCPU %u has had no such exit for %u seconds: a guest that has the machine "
		    "seldom exits. CPUID always does, and Linux executes it when it starts a "
		    "program: have it start some on this CPU.\n",
		    vcpu->id, SECONDS);
	if (first_road && two_roads && !stopped && !why)
		why = other_road();
	else
		first_road = false;
	if (why)
		say("%s\n", why);
	return first_road && !why;
}

/* What STEP_ONCE() has recorded on @cpu until its guest was entered. @creating: of VMs and vCPUs.
 */
static void tell_boot(const struct cpu *cpu, bool creating)
{
	const struct step_record *r;
	u32 last = NR_STEP_IDS;
	u64 tsc = 0;

	tell_header("    ticks");
	for (unsigned i = 0; (r = step_recorded(i)); i++) {
		u32 id = r->step->id;
		bool creates = id >= STEP_create_vm && id <= STEP_alloc_vmcs;

		/* Either way a VMXON region is one of those. */
		if (id == STEP_alloc_vmcs && last == STEP_hardware_enable)
			creates = false;
		if (r->cpu != cpu->id || (cpu->launched && r->tsc > cpu->launched))
			continue;
		last = id;
		if (creates != creating)
			continue;
		row("ticks" STEP_KEYS, "%9lu" STEP_FORMAT, tsc ? r->tsc - tsc : 0,
		    STEP_ARGS(r->step), "");
		tsc = r->tsc;
	}
	if (creating || !cpu->launched)
		return;
	for (const struct step *step = steps_start; step < steps_end; step++) {
		if (step->id == STEP_vmlaunch) {
			row("ticks" STEP_KEYS, "%9lu" STEP_FORMAT, cpu->launched - tsc,
			    STEP_ARGS(step), "");
		}
	}
}

/* The compiler has copied some. */
static bool is_copy(const struct step *step)
{
	for (const struct step *s = steps_start; s < step; s++)
		if (s->id == step->id && s->line == step->line &&
		    !strcmp(step_file(s), step_file(step)))
			return true;
	return false;
}

static void tell_steps(void)
{
	for (u32 id = 0; id < NR_STEP_IDS; id++) {
		const struct step_words *w = &step_words[id];

		for (const struct step *s = steps_start; s < steps_end; s++)
			if (s->id == id && !is_copy(s))
				row("step function at kvm_2_6_33 kvm_3_18 kvm_6_1 sdm what",
				    "%s | %s | %s | %s | %s | %s | %s | %s\n", w->name,
				    step_function(s), place_of(s), w->kvm[0], w->kvm[1], w->kvm[2],
				    w->sdm, w->does);
	}
}

const char *command_cycle(const struct arguments *args)
{
	const char *why = cycle_parse(args, &request);

	if (why)
		return why;
	vcpu = vcpu_of(request.vcpu);
	if (!vcpu)
		return NO_VCPU;
	if (request.form == CYCLE_STEPS) {
		tell_steps();
		return NULL;
	}
	if (request.form == CYCLE_INIT || request.form == CYCLE_CREATE) {
		tell_boot(vcpu->cpu, request.form == CYCLE_CREATE);
		return NULL;
	}
	if (vcpu->mp_state != MP_STATE_RUNNABLE)
		return "this vCPU does not run yet: it waits for a SIPI";
	since = rdtsc();
	told_to_wait = false;
	why = on_vcpu(vcpu, start_on);
	if (!why)
		monitor_live(poll);
	return why;
}
