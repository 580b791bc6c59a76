/* SPDX-License-Identifier: MIT */
/*
 * Printing of the flight recorder. See recorder_text.h.
 */
#include "vmm/recorder_text.h"
#include "lib/log.h"
#include "lib/print.h"
#include "vmm/vcpu.h"
#include "vmm/virt_ops.h"

#define SUMMARY_LINE 400 /* bytes; less than printk()'s limit */
#define SUMMARY_WORD 64  /* bytes for the longest name of a reason, and its count */

u64 recorder_total(const struct vcpu *vcpu)
{
	u64 sum = 0;

	for (unsigned i = 0; i < RECORDER_REASONS; i++)
		sum += vcpu->recorder.count[i];
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

	pr_err("The last exits of vCPU %u (%lu in all):\n", vcpu->id, recorder_total(vcpu));
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
}
