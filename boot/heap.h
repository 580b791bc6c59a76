/* SPDX-License-Identifier: MIT */
/*
 * The size of Glasshouse's heap, which whoever reserves memory for it must know.
 */
#ifndef GH_BOOT_HEAP_H
#define GH_BOOT_HEAP_H

#include "bits.h"
#include "trace_ring.h"
#include "vmm/vm0/microcode.h"

#define HEAP_PAGES     192 /* page and second-level tables, the VM */
#define HEAP_PAGES_CPU 19  /* for each CPU: stacks, vCPU, its control structure and bitmaps */
#define HEAP_PAGES_GIB 2   /* for each GiB of RAM: page directories of both kinds of table */

/*
 * The size in bytes, whole pages, of the heap on a machine with @nr_cpus CPUs whose memory ends at
 * @top; @reserve, @trace: the options of these names. Machines with less than 4 GiB have short
 * microcode updates, for which what is left of the heap is enough.
 */
static inline u64 boot_heap_size(u64 nr_cpus, u64 top, u64 reserve, u64 trace)
{
	u64 pages =
		HEAP_PAGES + HEAP_PAGES_CPU * MAX(nr_cpus, 1) + HEAP_PAGES_GIB * ((top >> 30) + 1);

	return pages * PAGE_SIZE + MAX(nr_cpus, 1) * trace_ring_bytes(trace) +
	       ALIGN_UP(reserve, PAGE_SIZE) + (top > GIB(4) ? MICROCODE_MAX : 0);
}

#endif
