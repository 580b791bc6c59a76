/* SPDX-License-Identifier: MIT */
/*
 * Printing of the flight recorder. See recorder_text.h.
 */
#include "vmm/recorder_text.h"
#include "lib/log.h"
#include "lib/print.h"
#include "vmm/trace_stat.h"
#include "vmm/vcpu.h"
#include "vmm/virt_ops.h"
#include "vmm/vm.h"

#define SUMMARY_LINE 400 /* bytes; less than printk()'s limit */
#define SUMMARY_WORD 64  /* bytes for the longest name of a reason, and its count */

u64 recorder_total(const struct vcpu *vcpu)
{
	u64 sum = 0;

	for (unsigned i = 0; i < RECORDER_REASONS; i++)
		sum += vcpu->recorder.count[i];
	return sum;
}

/* What recorder_dump() prints: without the first @skip. */
struct request {
	u64 seen, skip;
	bool silent;
};

static void print_exit(const struct trace_exit *exit, void *context)
{
	struct request *request = context;

	if (request->seen++ < request->skip || request->silent)
		return;
	pr_err("  tsc %lu, after %lu in the guest: %s rip %lx qualification %lx\n", exit->exited,
	       exit->exited - exit->entered, virt->exit_name((u32)exit->record.reason),
	       exit->record.rip, exit->record.qualification);
}

void recorder_dump(const struct vcpu *vcpu, unsigned n)
{
	const struct trace_ring *ring = vcpu->recorder.ring;
	struct request request = {.silent = true};

	pr_err("The last exits of vCPU %u (%lu in all):\n", vcpu->id, recorder_total(vcpu));
	trace_each(ring, ring->records, 0, print_exit, &request);
	request.skip = request.seen - MIN(n, request.seen);
	request.seen = 0;
	request.silent = false;
	trace_each(ring, ring->records, 0, print_exit, &request);
}

void recorder_summary(const struct vcpu *vcpu)
{
	const struct recorder *rec = &vcpu->recorder;

	char line[SUMMARY_LINE];
	int n = snprintf(line, sizeof(line), "exits: vcpu %u total %lu", vcpu->id,
			 recorder_total(vcpu));

	/* Each line by one call of printk(), so that lines of other CPUs do not split it. */
	for (unsigned i = 0; i < RECORDER_REASONS; i++) {
		if (!rec->count[i])
			continue;
		if (n > SUMMARY_LINE - SUMMARY_WORD) {
			pr_info("%s\n", line);
			n = snprintf(line, sizeof(line), "exits: vcpu %u and", vcpu->id);
		}
		n += snprintf(line + n, sizeof(line) - (size_t)n, " %s %lu", virt->exit_name(i),
			      rec->count[i]);
	}
	pr_info("%s\n", line);
	if (vcpu->shadow)
		pr_info("page faults: vcpu %u fixed %lu reflected %lu emulated %lu spurious %lu\n",
			vcpu->id, vcpu->mmu_outcomes[MMU_FIXED], vcpu->mmu_outcomes[MMU_REFLECTED],
			vcpu->mmu_outcomes[MMU_EMULATED], vcpu->mmu_outcomes[MMU_SPURIOUS]);
}

void recorder_publish(const struct vm *vm)
{
	for (unsigned i = 0; i < vm->nr_vcpus; i++) {
		const struct recorder *rec = &vm->vcpus[i]->recorder;

		for (unsigned reason = 0; reason < RECORDER_REASONS; reason++)
			__atomic_store_n(&rec->ring->count[reason], READ_ONCE(rec->count[reason]),
					 __ATOMIC_RELAXED);
	}
}
