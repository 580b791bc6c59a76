/* SPDX-License-Identifier: MIT */
/*
 * What the SDM says that a CPU does with an access to a linear address: a plain walk through the
 * page tables. It knows no CPU and no guest, so that the tests on the host use it, too. SDM:
 * "Paging".
 */
#ifndef PAGING_WALK_H
#define PAGING_WALK_H

#include "bits.h"

/* Flags of an entry. */
#define PT_P         BIT(0)
#define PT_W         BIT(1)
#define PT_U         BIT(2)
#define PT_PWT       BIT(3)
#define PT_PCD       BIT(4)
#define PT_A         BIT(5)
#define PT_D         BIT(6)
#define PT_PS        BIT(7) /* in a PTE: PAT */
#define PT_G         BIT(8)
#define PT_LARGE_PAT BIT(12) /* of a large page */
#define PT_NX        BIT(63)
#define PT_ADDR      GENMASK(51, 12)

#define WALK_LEVELS 5

/* The registers that a walk depends on. */
struct walk_mode {
	int levels; /* 2: 32-bit paging, 3: PAE, 4, 5 */
	unsigned phys_bits;
	bool gib_pages; /* CPUID: pages of 1 GiB */
	bool wp, pse, nxe, smep, smap, pke;
	u32 pkru;
	u64 cr3;
	const u64 *pdpte; /* levels == 3: the four registers */
};

struct walk_access {
	u64 va;
	bool write, fetch;
	bool user;     /* CPL 3, and not implicit */
	bool ac;       /* RFLAGS.AC */
	bool implicit; /* of the CPU to a descriptor, for example */
};

struct walk_answer {
	bool fault;
	u32 error;      /* fault: #PF's error code */
	u64 pa;         /* no fault: the physical address */
	unsigned shift; /* no fault: log2 of the page's size */
	bool global;
};

/*
 * Where the entry of @level (1: PTE) at physical address @pa is; NULL outside of memory, where all
 * bits read as 1. An entry of 32-bit paging has 4 bytes there, others have 8.
 */
typedef void *(*walk_entry_fn)(void *memory, int level, u64 pa);

/* Walk, and set the accessed and dirty flags if there is no fault. */
struct walk_answer sdm_walk(const struct walk_mode *m, const struct walk_access *a,
			    walk_entry_fn entry, void *memory);

/* The bits of an entry of @level that must be 0; @large: it maps a page of more than 4 KiB. */
u64 sdm_reserved(const struct walk_mode *m, int level, bool large);

/* log2 of what an entry of @level maps. */
unsigned sdm_shift(const struct walk_mode *m, int level);

/* May an entry of @level map a page? */
bool sdm_may_be_large(const struct walk_mode *m, int level);

#endif
