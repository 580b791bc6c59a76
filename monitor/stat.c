/* SPDX-License-Identifier: MIT */
/*
 * The command stat: exits, counted and timed as `perf kvm stat` does. Counts by reason are exact.
 * Times, and what ports, MSRs and RIPs there were, come from the flight recorder's rings, so they
 * are those of the exits that are still there; with -w the rings are read at each beat.
 */
#include "arch/x86/cpu.h"
#include "lib/pages.h"
#include "lib/string.h"
#include "monitor/commands.h"
#include "vmm/trace_stat.h"
#include "vmm/virt_ops.h"

/* The screen of a terminal: cursor to the upper left corner, and erase all from there. */
#define CLEAR_SCREEN "\x1b[H\x1b[J"

static struct trace_stat table;
static const struct vcpu *only; /* NULL: all vCPUs */
static bool live;

/* What the table has seen of a vCPU; for -w. */
static struct seen {
	u64 newest;                  /* the time of its newest entry */
	u64 count[RECORDER_REASONS]; /* its exits when -w began */
} * seen;
static u64 shown; /* when the table was shown */

static void add(const struct trace_exit *exit, void *context)
{
	(void)context;
	trace_stat_add(&table, exit, virt->exit_about, table.key == TRACE_BY_REASON);
}

static bool is_meant(const struct vcpu *vcpu)
{
	return !only || only == vcpu;
}

/* Count the exits by reason, less those that there were when -w began. */
static void count(const struct vcpu *vcpu, const struct seen *before)
{
	for (u32 reason = 0; reason < RECORDER_REASONS; reason++) {
		u64 n = READ_ONCE(vcpu->recorder.count[reason]);

		trace_stat_count(&table, reason, before ? n - before->count[reason] : n);
	}
}

static void emit(const char *line)
{
	say("%s\n", line);
}

/* The table, for programs: times in ticks, of the exits whose time is known. */
static void give_rows(void)
{
	for (unsigned i = 0; i < table.nr; i++) {
		const struct trace_row *r = &table.row[i];
		const char *name = virt->exit_name(r->reason);

		if (!r->samples)
			continue;
		if (r->is_number)
			row("exit number samples timed time min max",
			    "%s %lx: %lu, %lu in %lu, %lu to %lu\n", name, r->number, r->samples,
			    r->timed, r->time, r->min, r->max);
		else
			row("exit samples timed time min max", "%s: %lu, %lu in %lu, %lu to %lu\n",
			    name, r->samples, r->timed, r->time, r->min, r->max);
	}
	if (table.others)
		row("others", "others: %lu\n", table.others);
}

/* Print the table, with the counts of now, which are not kept. */
static void print(void)
{
	const struct vm *vm = monitor_vcpu()->vm;
	static struct trace_stat kept;

	kept = table;
	for (unsigned i = 0; table.key == TRACE_BY_REASON && i < vm->nr_vcpus; i++)
		if (is_meant(vm->vcpus[i]))
			count(vm->vcpus[i], live ? &seen[i] : NULL);
	if (row_is_json())
		give_rows();
	else
		trace_stat_print(&table, monitor_second() / 1000, virt->exit_name, emit);
	table = kept;
	for (unsigned i = 0; table.key == TRACE_BY_REASON && i < vm->nr_vcpus; i++)
		if (is_meant(vm->vcpus[i]))
			tell_outcomes(vm->vcpus[i]);
}

/* Add what the rings have, or what is new there. */
static void collect(void)
{
	const struct vm *vm = monitor_vcpu()->vm;

	for (unsigned i = 0; i < vm->nr_vcpus; i++) {
		const struct trace_ring *ring = vm->vcpus[i]->recorder.ring;
		u64 newest = live ? seen[i].newest : 0;

		if (!is_meant(vm->vcpus[i]))
			continue;
		newest = trace_each(ring, ring->records, newest, add, NULL);
		if (live)
			seen[i].newest = newest;
	}
}

/* At each beat, while -w is in use. */
static bool watch(bool stopped)
{
	collect();
	if (stopped || rdtsc() - shown < monitor_second())
		return true;
	if (!row_is_json())
		say(CLEAR_SCREEN);
	print();
	if (!row_is_json())
		say("Ctrl-C ends it.\n");
	shown = rdtsc();
	return true;
}

static const char *begin_live(void)
{
	const struct vm *vm = monitor_vcpu()->vm;
	size_t size = vm->nr_vcpus * sizeof(*seen);

	if (!seen)
		seen = pages_alloc(ALIGN_UP(size, PAGE_SIZE) / PAGE_SIZE);
	if (!seen)
		return "out of memory: boot with reserve=1M";
	live = true;
	collect(); /* what there was before does not count */
	trace_stat_init(&table, table.key);
	for (unsigned i = 0; i < vm->nr_vcpus; i++)
		memcpy(seen[i].count, vm->vcpus[i]->recorder.count, sizeof(seen[i].count));
	shown = 0; /* the first time at the next beat */
	monitor_live(watch);
	return NULL;
}

const char *command_stat(const struct arguments *args)
{
	const char *const *word = &args->word[1];
	enum trace_key key = TRACE_BY_REASON;
	bool watched = false;

	for (; *word && **word == '-'; word++) {
		if (!strcmp(*word, "-p"))
			key = TRACE_BY_PORT;
		else if (!strcmp(*word, "-m"))
			key = TRACE_BY_MSR;
		else if (!strcmp(*word, "-r"))
			key = TRACE_BY_RIP;
		else if (!strcmp(*word, "-w"))
			watched = true;
		else
			return NO_OPTION;
	}
	if (*word && word[1])
		return TOO_MANY;
	only = *word ? vcpu_of(*word) : NULL;
	if (*word && !only)
		return NO_VCPU;
	trace_stat_init(&table, key);
	live = false;
	if (watched)
		return begin_live();
	collect();
	print();
	return NULL;
}
