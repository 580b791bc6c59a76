/* SPDX-License-Identifier: MIT */
/*
 * The command vmcs: what is in a vCPU's VMCS at its next exit, and what the guest and that exit
 * have changed there since the exit before.
 */
#include "arch/x86/cpu.h"
#include "lib/string.h"
#include "monitor/commands.h"
#include "vmm/recorder_text.h"
#include "vmm/virt_ops.h"

#define KICKS_HZ 100u /* a vCPU that has no exit in this part of a second is kicked */

static const char *part; /* for dump_on() */
static bool found;

static void give_field(const char *group, const char *name, u64 value, const char *words,
		       bool changed)
{
	row("group field value words changed?", "%s: %s=%lx %s%s\n", group, name, value, words,
	    changed ? "*" : "");
}

/* Written on the vCPU's CPU. */
static enum { POSTED, LOOKED, ARRIVED } progress;

static void set_progress(int to)
{
	__atomic_store_n(&progress, to, __ATOMIC_RELEASE);
}

static bool has_come(int to)
{
	return (int)__atomic_load_n(&progress, __ATOMIC_ACQUIRE) >= to;
}

/* On the vCPU's CPU: from here to its next exit, whatever that is for. */
static void go_on(struct vcpu *vcpu)
{
	u64 exits = recorder_total(vcpu);

	virt->each_field(vcpu, NULL, NULL); /* what changes from now on is to be marked */
	set_progress(LOOKED);
	while (recorder_total(vcpu) == exits && monitor_lets_run(vcpu) &&
	       !(READ_ONCE(vcpu->requests) & REQ_STOP)) {
		if (vcpu == monitor_vcpu())
			monitor_run_once();
		else
			vcpu_run_once(vcpu);
	}
	set_progress(ARRIVED);
}

/* Let @vcpu go on to its next exit. A guest that has none is kicked, or exits at a beat. */
static const char *to_next_exit(struct vcpu *vcpu)
{
	u64 start = rdtsc(), kicked = start;

	if (vcpu == monitor_vcpu()) {
		go_on(vcpu);
		return NULL;
	}
	set_progress(POSTED);
	vcpu_post_call(vcpu, go_on);
	while (!has_come(ARRIVED)) {
		if (rdtsc() - start > monitor_second())
			return "this vCPU's CPU has not answered within a second";
		if (!has_come(LOOKED))
			kicked = rdtsc();
		if (rdtsc() - kicked > monitor_second() / KICKS_HZ) {
			vcpu_make_request(vcpu, REQ_EVENT);
			kicked = rdtsc();
		}
		monitor_stopped(); /* have what is typed meanwhile kept */
	}
	return NULL;
}

static void dump_on(struct vcpu *vcpu)
{
	if (row_is_json() && (!part || strcmp(part, "check") != 0))
		found = virt->each_field(vcpu, part, give_field);
	else
		found = virt->dump(vcpu, part, true);
}

const char *command_vmcs(const struct arguments *args)
{
	const char *first = args->word[1];
	u64 number;
	/* Other numbers of four digits are the encodings of fields. */
	bool numbered = number_of(first, 10, &number) &&
			(strlen(first) < 4 || number < monitor_vcpu()->vm->nr_vcpus);
	struct vcpu *vcpu = vcpu_of(numbered ? args->word[1] : NULL);
	const char *why;

	if (!vcpu)
		return NO_VCPU;
	if (!numbered && args->word[2])
		return TOO_MANY;
	part = args->word[numbered ? 2 : 1];
	why = monitor_lets_run(vcpu) ? to_next_exit(vcpu) : NULL;
	if (!why)
		why = on_vcpu(vcpu, dump_on);
	if (why)
		return why;
	return found ? NULL
		     : "there is no such group, and no field with this encoding, or with these "
		       "letters "
		       "in its name";
}
