/* SPDX-License-Identifier: MIT */
/*
 * Reading the exits in a ring (include/trace_ring.h) while it is written, and counting and timing
 * them, as `perf kvm stat` does. Pure: the monitor uses it, and programs in the guest.
 */
#ifndef GH_VMM_TRACE_STAT_H
#define GH_VMM_TRACE_STAT_H

#include "trace_ring.h"

/* Make an empty ring of the zeroed memory at @ring, of trace_ring_bytes(@records). @vcpu, @apic_id:
 * of whom. */
void trace_ring_init(struct trace_ring *ring, u32 records, u32 vcpu, u32 apic_id);

/* An exit: a copy of its record, and when it ended by the next entry. */
struct trace_exit {
	struct exit_record record;
	u64 entered, exited; /* the record's */
	u64 left;            /* 0: it has not, or nobody knows any more */
};

static inline u64 trace_stamp(const u32 stamp[2])
{
	return (u64)stamp[1] << 32 | stamp[0];
}

/*
 * Call @seen with each exit in @ring whose entry was after @after, the oldest first, and without
 * Glasshouse's own ones (EXIT_RECORD_BEAT). Returns the time of the newest of these entries, for
 * the next call; @after if there is none. @records: ring->records, or fewer if the ring is damaged.
 */
u64 trace_each(const struct trace_ring *ring, u32 records, u64 after,
	       void (*seen)(const struct trace_exit *exit, void *context), void *context);

/*
 * The rings in the @bytes of memory at @area, which something else may write: check that they can
 * be read. Stores their number in *@nr. Returns NULL, or why they cannot be read: a sentence.
 */
const char *trace_check(const void *area, size_t bytes, unsigned *nr);

/* Ring @i of the rings at @area, which trace_check() has accepted. */
static inline const struct trace_ring *trace_ring_at(const void *area, unsigned i)
{
	return (const struct trace_ring *)((const char *)area +
					   (size_t)i * ((const struct trace_ring *)area)->size);
}

/* Copy a ring to @to, of the same size, while it is written: what is not whole has no exit. */
void trace_copy(struct trace_ring *to, const struct trace_ring *from);

/* What trace_stat_add() tells apart. */
enum trace_key { TRACE_BY_REASON, TRACE_BY_PORT, TRACE_BY_MSR, TRACE_BY_RIP };

#define TRACE_STAT_ROWS 96u
#define TRACE_STAT_LINE 240u /* bytes of a line, with the NUL */

struct trace_stat {
	enum trace_key key;
	unsigned nr;
	struct trace_row {
		u32 reason;
		bool is_number; /* the row is for a port, an MSR, a RIP: @number */
		u64 number;
		u64 samples;
		u64 timed, time, min, max; /* of those whose time is known; in ticks */
	} row[TRACE_STAT_ROWS];
	u64 others; /* exits for which there was no row */
};

/* Tells what an exit was about: "port" or "MSR", and its number in *@number; NULL: neither. */
typedef const char *trace_about_fn(u32 reason, u64 qualification, u64 *number);

/* Begin to count, by @key. */
void trace_stat_init(struct trace_stat *stat, enum trace_key key);

/* Count @exit. @timed_only: its number is known otherwise (trace_stat_count()), not its time. */
void trace_stat_add(struct trace_stat *stat, const struct trace_exit *exit, trace_about_fn *about,
		    bool timed_only);

/* Count @samples exits of @reason. */
void trace_stat_count(struct trace_stat *stat, u32 reason, u64 samples);

/*
 * Make the lines of the table: its head, its rows, most samples first, its foot. @khz: of the
 * time-stamp counter. @name: the name of a reason. @emit gets each line, without a newline.
 */
void trace_stat_print(struct trace_stat *stat, u64 khz, const char *(*name)(u32 reason),
		      void (*emit)(const char *line));

#endif
