/* SPDX-License-Identifier: MIT */
/*
 * The flight recorder, printed.
 */
#include "vmm/recorder.h"
#include "lib/log.h"
#include "vmm/virt_ops.h"

static u64 total(const struct recorder *rec)
{
	u64 sum = 0;

	for (unsigned i = 0; i < RECORDER_REASONS; i++)
		sum += rec->count[i];
	return sum;
}

static u64 stamp(const u32 halves[2])
{
	return (u64)halves[1] << 32 | halves[0];
}

void recorder_dump(const struct vcpu *vcpu, unsigned n)
{
	const struct recorder *rec = &vcpu->recorder;
	unsigned now = (unsigned)(rec->now - rec->ring);

	pr_err("The last exits of vCPU %u (%lu in all):\n", vcpu->id, total(rec));
	for (unsigned i = MIN(n, RECORDER_SIZE); i-- > 0;) {
		const struct exit_record *r = &rec->ring[(now + RECORDER_SIZE - i) % RECORDER_SIZE];

		if (!stamp(r->exited))
			continue;
		pr_err("  tsc %lu, after %lu in the guest: %s rip %lx qualification %lx\n",
		       stamp(r->exited), stamp(r->exited) - stamp(r->entered),
		       virt->exit_name((u32)r->reason), r->rip, r->qualification);
	}
}

void recorder_summary(const struct vcpu *vcpu)
{
	const struct recorder *rec = &vcpu->recorder;

	pr_info("exits: vcpu %u total %lu", vcpu->id, total(rec));
	for (unsigned i = 0; i < RECORDER_REASONS; i++)
		if (rec->count[i])
			pr_info(" %s %lu", virt->exit_name(i), rec->count[i]);
	pr_info("\n");
}
