/* SPDX-License-Identifier: MIT */
/*
 * The flight recorder: the last exits of each vCPU, always on. The record of the present exit is
 * also where its handler finds what the exit was, so that recording costs next to nothing.
 */
#ifndef GH_RECORDER_H
#define GH_RECORDER_H

#include "arch/x86/cpu.h"
#include "bits.h"

#define RECORDER_SIZE    64u
#define RECORDER_REASONS 128u

struct exit_record {
	u64 reason; /* the vendor's word for it, whole */
	u64 qualification;
	u64 rip;
	u32 entered[2]; /* time-stamp counter at the entry, low and high half */
	u32 exited[2];  /* and at the exit */
};

struct recorder {
	struct exit_record *now;     /* the exit that is being handled, or the one to come */
	struct exit_record *last;    /* the last place in the ring */
	u64 count[RECORDER_REASONS]; /* exits per basic reason */
	struct exit_record ring[RECORDER_SIZE];
};

static inline void recorder_init(struct recorder *rec)
{
	rec->last = &rec->ring[RECORDER_SIZE - 1];
	rec->now = rec->ring;
}

/* Two halves, as RDTSC gives them: cheaper than putting them together. */
static inline void recorder_stamp(u32 stamp[2])
{
	asm volatile("rdtsc" : "=a"(stamp[0]), "=d"(stamp[1]));
}

/* The guest is entered: a new record begins. On the hot path. */
static inline void recorder_enter(struct recorder *rec)
{
	rec->now = rec->now == rec->last ? rec->ring : rec->now + 1;
	recorder_stamp(rec->now->entered);
}

#endif
