/* SPDX-License-Identifier: MIT */
/*
 * Commands that show single exits, from the flight recorder.
 */
#include "arch/x86/cpu.h"
#include "lib/string.h"
#include "monitor/commands.h"
#include "vmm/trace_stat.h"
#include "vmm/virt_ops.h"

#define TRACE_LINES 16

/* The number of the vCPU; for those that ask and find nothing. */
#define NO_EXIT "vCPU %u has not exited yet.\n"
#define NO_SUCH_EXIT                                                                               \
	"Of vCPU %u the flight recorder has no such exit: stat lists what has come. It keeps the " \
	"last exits only; the option trace= has it keep more.\n"

/* What show() prints: those of @vcpu's exits whose reason has @part in its name, without the first
 * @skip. */
struct request {
	const struct vcpu *vcpu;
	const char *part;
	u64 matches, skip;
	bool silent; /* only count */
};

static void print_event(const struct trace_exit *exit, const struct vcpu *vcpu)
{
	u64 reason = exit->record.reason;
	u8 type = EXIT_RECORD_TYPE(reason);

	row("tsc event vcpu vector", "%lu: %s: vcpu %u vector %u\n",
	    exit->left ? exit->left : exit->exited,
	    type == EVENT_EXT_INTR || type == EVENT_NMI ? "kvm_inj_virq" : "kvm_inj_exception",
	    vcpu->id, EXIT_RECORD_VECTOR(reason));
}

/* The lines of KVM's trace points, and one for a kick. */
static void show(const struct trace_exit *exit, void *context)
{
	struct request *request = context;
	const char *name = virt->exit_name((u32)exit->record.reason);

	if (request->part && !has_part(name, request->part))
		return;
	if (request->matches++ < request->skip || request->silent)
		return;
	row("tsc event vcpu step?", "%lu: %s: vcpu %u%s\n", exit->entered, "kvm_entry",
	    request->vcpu->id, exit->record.reason & EXIT_RECORD_STEP ? " for one step" : "");
	row("tsc event vcpu reason rip info1",
	    "%lu: %s: vcpu %u reason %s rip 0x%lx info1 0x%016lx\n", exit->exited, "kvm_exit",
	    request->vcpu->id, name, exit->record.rip, exit->record.qualification);
	if (exit->record.reason & EXIT_RECORD_KICKED)
		row("tsc event vcpu by", "%lu: %s: vcpu %u by vcpu %u\n", exit->exited, "kick",
		    request->vcpu->id, EXIT_RECORD_KICKER(exit->record.reason));
	if (exit->record.reason & EXIT_RECORD_EVENT)
		print_event(exit, request->vcpu);
}

static void each_exit(struct request *request)
{
	const struct trace_ring *ring = request->vcpu->recorder.ring;

	trace_each(ring, ring->records, 0, show, request);
}

const char *command_trace(const struct arguments *args)
{
	const char *const *word = &args->word[1];
	struct request request = {.silent = true};
	const char *why = NULL;
	u64 n = TRACE_LINES;

	if (*word && !strcmp(*word, "-f")) {
		request.part = word[1];
		if (!request.part)
			return missing("REASON");
		word += 2;
	}
	if (*word && word[1] && word[2])
		return TOO_MANY;
	request.vcpu = vcpu_of(*word);
	if (!request.vcpu)
		return NO_VCPU;
	if (*word && word[1])
		why = parse_number("N", word[1], 10, ~0ull, &n);
	if (why)
		return why;
	each_exit(&request);
	request.skip = request.matches - MIN(n, request.matches);
	request.matches = 0;
	request.silent = false;
	each_exit(&request);
	if (!request.matches && !row_is_json())
		say(request.part ? NO_SUCH_EXIT : NO_EXIT, request.vcpu->id);
	return NULL;
}

static void keep(const struct trace_exit *exit, void *context)
{
	*(struct trace_exit *)context = *exit;
}

/* Counters of different CPUs may differ, so only this CPU's tells how long ago an exit was. */
static void print_when(const struct vcpu *vcpu, const struct trace_exit *exit)
{
	if (vcpu->cpu == this_cpu())
		say("vCPU %u exited last %lu ticks ago", vcpu->id, rdtsc() - exit->exited);
	else
		say("vCPU %u exited last at tick %lu of its CPU", vcpu->id, exit->exited);
	say(", after %lu in the guest, at RIP %lx: ", exit->exited - exit->entered,
	    exit->record.rip);
}

const char *command_why(const struct arguments *args)
{
	struct vcpu *vcpu = vcpu_of(args->word[1]);
	struct trace_exit exit = {0};
	const char *about;
	u64 number;

	if (!vcpu)
		return NO_VCPU;
	trace_each(vcpu->recorder.ring, vcpu->recorder.ring->records, 0, keep, &exit);
	if (!exit.exited)
		return "it has not exited yet";
	if (row_is_json()) {
		row("vcpu tsc in_guest rip reason info1 took", "%u %lu %lu %lx %s %lx %lu\n",
		    vcpu->id, exit.exited, exit.exited - exit.entered, exit.record.rip,
		    virt->exit_name((u32)exit.record.reason), exit.record.qualification,
		    exit.left ? exit.left - exit.exited : 0);
		return NULL;
	}
	print_when(vcpu, &exit);
	say("%s", virt->exit_name((u32)exit.record.reason));
	about = virt->exit_about((u32)exit.record.reason, exit.record.qualification, &number);
	if (about)
		say(", %s %lx", about, number);
	else if (exit.record.qualification)
		say(", qualification %lx", exit.record.qualification);
	if (exit.record.reason & EXIT_RECORD_EVENT)
		say("; the entry after it delivered vector %u",
		    EXIT_RECORD_VECTOR(exit.record.reason));
	if (exit.left)
		say("; it took %lu ticks", exit.left - exit.exited);
	say(".\n");
	return NULL;
}
