/* SPDX-License-Identifier: MIT */
/*
 * The flight recorder: records the last exits of each vCPU, always. Exit handlers read the current
 * exit's reason, qualification and RIP from its record, so recording costs next to nothing.
 */
#ifndef GH_VMM_RECORDER_H
#define GH_VMM_RECORDER_H

#include "types.h"

#define RECORDER_SIZE    64u
#define RECORDER_REASONS 128u

struct exit_record {
	u64 reason; /* the vendor's exit reason, with its modifier bits */
	u64 qualification;
	u64 rip;
	u32 entered[2]; /* time-stamp counter at the entry: low half, high half */
	u32 exited[2];  /* the same, at the exit */
};

struct recorder {
	struct exit_record *now;  /* the exit that is being handled; in the guest, the next one */
	struct exit_record *last; /* the last element of ring[] */
	u64 count[RECORDER_REASONS]; /* exits per basic reason */
	struct exit_record ring[RECORDER_SIZE];
};

/* Initialise a zeroed recorder. */
static inline void recorder_init(struct recorder *rec)
{
	rec->last = &rec->ring[RECORDER_SIZE - 1];
	rec->now = rec->ring;
}

/* Store the time-stamp counter. In two halves, as RDTSC returns it: combining them costs more. */
static inline void recorder_stamp(u32 stamp[2])
{
	asm volatile("rdtsc" : "=a"(stamp[0]), "=d"(stamp[1]));
}

/* Take the record of the exit that is being handled back: the next one replaces it. */
static inline void recorder_take_back(struct recorder *rec)
{
	rec->now->exited[0] = rec->now->exited[1] = 0;
	rec->now = rec->now == rec->ring ? rec->last : rec->now - 1;
}

/* Begin a new record, before a VM entry. On the hot path. */
static inline void recorder_enter(struct recorder *rec)
{
	rec->now = rec->now == rec->last ? rec->ring : rec->now + 1;
	recorder_stamp(rec->now->entered);
}

#endif
