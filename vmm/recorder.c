/* SPDX-License-Identifier: MIT */
/*
 * The flight recorder, printed.
 */
#include "vmm/recorder.h"
#include "lib/log.h"
#include "vmm/virt_ops.h"

void recorder_dump(const struct vcpu *vcpu, unsigned n)
{
	const struct recorder *rec = &vcpu->recorder;
	u64 first = rec->head > MIN(n, RECORDER_SIZE) ? rec->head - MIN(n, RECORDER_SIZE) : 0;

	pr_err("The last exits of vCPU %u (%llu in all):\n", vcpu->id, (unsigned long long)rec->head);
	for (u64 i = first; i < rec->head; i++) {
		const struct exit_record *r = &rec->ring[i % RECORDER_SIZE];

		pr_err("  %8llu tsc %llu, %u in the guest: %s rip %llx qualification %llx\n",
		       (unsigned long long)i, (unsigned long long)r->tsc, (u32)r->tsc - r->entered,
		       virt->exit_name(r->reason), (unsigned long long)r->rip,
		       (unsigned long long)r->qualification);
	}
}

void recorder_summary(const struct vcpu *vcpu)
{
	const struct recorder *rec = &vcpu->recorder;

	pr_info("exits: vcpu %u total %llu", vcpu->id, (unsigned long long)rec->head);
	for (unsigned i = 0; i < RECORDER_REASONS; i++)
		if (rec->count[i])
			pr_info(" %s %llu", virt->exit_name(i), (unsigned long long)rec->count[i]);
	pr_info("\n");
}
