/* SPDX-License-Identifier: MIT */
/*
 * The flight recorder: the last exits of each vCPU, always on, cheap.
 */
#ifndef GH_RECORDER_H
#define GH_RECORDER_H

#include "arch/x86/cpu.h"
#include "bits.h"

#define RECORDER_SIZE	 64u /* a power of two */
#define RECORDER_REASONS 128u

struct exit_record {
	u32 reason;
	u32 entered; /* time-stamp counter at the entry that this exit ended, its low half */
	u64 qualification;
	u64 rip;
	u64 tsc; /* at the exit */
};

struct recorder {
	u64 head; /* number of exits so far; the next record goes to head % RECORDER_SIZE */
	struct exit_record ring[RECORDER_SIZE];
	u64 count[RECORDER_REASONS]; /* exits per basic reason */
};

struct vcpu;

/* The guest is entered: the time goes to where the next exit will be recorded. On the hot path. */
static inline void recorder_enter(struct recorder *rec)
{
	rec->ring[rec->head % RECORDER_SIZE].entered = (u32)rdtsc();
}

/* One exit. On the hot path. @reason: the whole exit reason word. */
static inline void recorder_record(struct recorder *rec, u32 reason, u64 qualification, u64 rip)
{
	struct exit_record *r = &rec->ring[rec->head++ % RECORDER_SIZE];

	r->reason = reason;
	r->qualification = qualification;
	r->rip = rip;
	r->tsc = rdtsc();
	rec->count[reason % RECORDER_REASONS]++;
}

/* Print the last @n exits of @vcpu, the newest last, at error level. */
void recorder_dump(const struct vcpu *vcpu, unsigned n);

/* Print how many exits there were, per reason, at info level. */
void recorder_summary(const struct vcpu *vcpu);

#endif
