/* SPDX-License-Identifier: MIT */
/*
 * The flight recorder in memory: for each vCPU a ring of its last exits, which Glasshouse writes
 * and a guest may read. This header is shared with programs outside of Glasshouse.
 *
 * The rings lie one after the other, each in whole pages. CPUID says where they are: see
 * include/log_ring.h, LOG_RING_TRACE. Executing that CPUID also renews count[] of all rings.
 *
 * Glasshouse writes a record in this order: entered, reason, qualification, rip, exited. So a
 * record is whole if it was exited after it was entered; trace_record_read() says how to copy one
 * meanwhile. The records are in the order of time, from the one after the newest on. Times are of
 * the time-stamp counter of the vCPU's CPU: those of different CPUs can be compared only if their
 * counters are.
 */
#ifndef GH_TRACE_RING_H
#define GH_TRACE_RING_H

#include "types.h"

#define TRACE_RING_MAGIC   "glasshouse exits"
#define TRACE_RING_VERSION 1
#define TRACE_REASONS      128u
#define TRACE_RECORDS      64u /* of a ring, if the option trace= says nothing else */
#define TRACE_RECORDS_MAX  (1u << 20)

struct exit_record {
	u64 reason;        /* the vendor's exit reason, with its modifier bits; EXIT_RECORD_ */
	u64 qualification; /* as far as Glasshouse has read it; at RDMSR and WRMSR: RCX */
	u64 rip;
	u32 entered[2]; /* time-stamp counter at the entry: low half, high half */
	u32 exited[2];  /* the same, at the exit; 0: there has been none */
};

/* Bits of exit_record.reason. */
#define EXIT_RECORD_REASON    0xffffffffull /* the vendor's */
#define EXIT_RECORD_VECTOR(r) ((u8)((r) >> 32))
#define EXIT_RECORD_TYPE(r)   ((u8)((r) >> 40 & 7)) /* enum event_type (vmm/vcpu.h) */
#define EXIT_RECORD_STEP      (1ull << 43) /* the guest was let make a single step before */
#define EXIT_RECORD_KICKER(r) ((u16)((r) >> 44 & 0xfff)) /* number of a vCPU, see KICKED */
#define EXIT_RECORD_KICKS     (1ull << 60)               /* another vCPU was kicked meanwhile */
#define EXIT_RECORD_KICKED    (1ull << 61) /* the vCPU was kicked, for an exit or meanwhile */
#define EXIT_RECORD_EVENT     (1ull << 62) /* the next entry delivered this event */
#define EXIT_RECORD_BEAT      (1ull << 63) /* Glasshouse's own timer: of several one is kept */

struct trace_ring {
	char magic[16]; /* without a NUL */
	u32 version;    /* TRACE_RING_VERSION; another one means another layout from here on */
	u32 size;       /* bytes from one ring to the next */
	u32 records;    /* elements of record[] */
	u32 vcpu;       /* its number */
	u32 apic_id;    /* of its CPU */
	u32 khz;        /* of the time-stamp counter; 0: unknown. Glasshouse does not measure it */
	u64 count[TRACE_REASONS]; /* exits since the start, by basic reason */
	struct exit_record record[];
};

/* The bytes of a ring of @records, a multiple of the page size. */
static inline u64 trace_ring_bytes(u64 records)
{
	return (sizeof(struct trace_ring) + records * sizeof(struct exit_record) + 4095) & ~4095ull;
}

#endif
