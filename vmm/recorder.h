/* SPDX-License-Identifier: MIT */
/*
 * The flight recorder: records the last exits of each vCPU, always. Exit handlers read the current
 * exit's reason, qualification and RIP from its record, so recording costs next to nothing. The
 * records are in a ring that the guest may read: include/trace_ring.h.
 */
#ifndef GH_VMM_RECORDER_H
#define GH_VMM_RECORDER_H

#include "trace_ring.h"

#define RECORDER_REASONS TRACE_REASONS

struct recorder {
	struct exit_record *now; /* the exit that is being handled; in the guest, the next one */
	struct exit_record *first, *last; /* of the ring */
	struct trace_ring *ring;
	u64 count[RECORDER_REASONS]; /* exits per basic reason */
};

/* Initialise @rec, a zeroed recorder, for exits in @ring, which has been initialised by
 * trace_ring_init(). */
static inline void recorder_init(struct recorder *rec, struct trace_ring *ring)
{
	rec->ring = ring;
	rec->first = rec->now = ring->record;
	rec->last = ring->record + ring->records - 1;
}

/* Store the time-stamp counter. In two halves, as RDTSC returns it: combining them costs more. */
static inline void recorder_stamp(u32 stamp[2])
{
	asm volatile("rdtsc" : "=a"(stamp[0]), "=d"(stamp[1]));
}

#define RECORDER_MARKS (EXIT_RECORD_BEAT | EXIT_RECORD_KICKS | EXIT_RECORD_KICKED)

/*
 * The exit that is being handled is one of Glasshouse's own timer. Several in a row in which no
 * vCPU is kicked become one record, so that they do not push the guest's exits out of the ring: it
 * has the first entry, which is the end of the exit before it, and the last exit.
 */
static inline void recorder_beat(struct recorder *rec)
{
	struct exit_record *now = rec->now, *before = now == rec->first ? rec->last : now - 1;

	now->reason |= EXIT_RECORD_BEAT;
	if ((before->reason & RECORDER_MARKS) != EXIT_RECORD_BEAT)
		return;
	before->reason = now->reason;
	before->rip = now->rip;
	before->exited[0] = now->exited[0];
	before->exited[1] = now->exited[1];
	now->exited[0] = now->exited[1] = 0;
	rec->now = before;
}

/* Before the exit that is being handled the guest made a single step. */
static inline void recorder_step(struct recorder *rec)
{
	rec->now->reason |= EXIT_RECORD_STEP;
}

/* While the exit is being handled, this vCPU kicks another one... */
static inline void recorder_kicks(struct recorder *rec)
{
	rec->now->reason |= EXIT_RECORD_KICKS;
}

/* ...and the other one finds out that vCPU number @by has kicked it. */
static inline void recorder_kicked(struct recorder *rec, u64 by)
{
	rec->now->reason |= EXIT_RECORD_KICKED | by << 44;
}

/* The next entry delivers the event of @type (enum event_type) and @vector. */
static inline void recorder_event(struct recorder *rec, u8 type, u8 vector)
{
	rec->now->reason |= EXIT_RECORD_EVENT | (u64)type << 40 | (u64)vector << 32;
}

/* Begin a new record, before a VM entry. On the hot path. */
static inline void recorder_enter(struct recorder *rec)
{
	rec->now = rec->now == rec->last ? rec->first : rec->now + 1;
	recorder_stamp(rec->now->entered);
}

#endif
