/* SPDX-License-Identifier: MIT */
/*
 * EPT: the tables that turn guest-physical addresses into host-physical ones.
 *
 * Knows memory, not VM exits; INVEPT is the caller's. Source: Intel SDM, "The Extended Page Table
 * Mechanism (EPT)".
 *
 * Tables are kept in their smallest form: the largest pages that alignment and CPU allow; 512 pages
 * that have become alike again are one page again; no table is empty.
 *
 * Changes take the lock. Walks, ours and the CPUs', run beside them without it: every change of a
 * live entry is one 64-bit store, and a new table is complete before it is hooked in. Tables that
 * fall out of use may still be cached by CPUs, so they wait for ept_reclaim().
 */
#ifndef GH_EPT_EPT_H
#define GH_EPT_EPT_H

#include "types.h"
#include "bits.h"
#include "lib/spinlock.h"

/* Permissions, as they stand in bits 2:0 of an entry. */
#define EPT_R   BIT(0)
#define EPT_W   BIT(1)
#define EPT_X   BIT(2)
#define EPT_RWX (EPT_R | EPT_W | EPT_X)

/* The other bits of an entry. */
#define EPT_MEMTYPE_SHIFT 3 /* bits 5:3 of a leaf: the memory type */
#define EPT_MEMTYPE_MASK  GENMASK(5, 3)
#define EPT_LEAF          BIT(7) /* in a PDPTE or PDE: maps a page, not a table */
#define EPT_ACCESSED      BIT(8)
#define EPT_DIRTY         BIT(9)
#define EPT_ADDR_MASK     GENMASK(51, 12)

/* Memory types, in EPT entries as in MTRRs and the PAT. */
enum memtype { MEMTYPE_UC = 0, MEMTYPE_WC = 1, MEMTYPE_WT = 4, MEMTYPE_WP = 5, MEMTYPE_WB = 6 };

/* Guest-physical addresses end here: four levels translate 48 bits. */
#define EPT_GPA_END BIT(48)

/* Where table pages come from. Both functions are called with the lock held. */
struct ept_ops {
	void *(*alloc_page)(void);     /* a zeroed page, page-aligned; NULL when there is none */
	void (*free_page)(void *page); /* takes one back */
	u64 va_offset;                 /* linear less host-physical address of such a page */
};

/* What the CPU can do: IA32_VMX_EPT_VPID_CAP and CPUID.80000008H:EAX[7:0]. */
struct ept_caps {
	bool page_2m;   /* bit 16: a PDE can map a page */
	bool page_1g;   /* bit 17: a PDPTE can */
	bool ad;        /* bit 21: accessed and dirty flags; they are turned on in the EPTP */
	bool exec_only; /* bit 0: pages that can be executed, not read */
	u8 phys_bits;   /* width of host-physical addresses, 32 to 52 */
};

struct ept {
	struct ept_ops ops;
	struct ept_caps caps;
	u64 *root;    /* the PML4 table */
	u64 *retired; /* tables out of use, linked by their first word */
	spinlock_t lock;
};

/* What ept_walk finds. */
struct ept_mapping {
	hpa_t hpa;        /* of the very byte; 0 when nothing is mapped */
	u64 size;         /* bytes that the entry covers: the page, or the hole */
	unsigned prot;    /* EPT_R | EPT_W | EPT_X; 0: nothing is mapped */
	unsigned memtype; /* enum memtype */
	int level;        /* where the walk ended: 1 = 4 KiB ... 4 = 512 GiB (only as a hole) */
	u64 entry;        /* the entry there, raw */
};

/*
 * Make @ept an empty address space. @ops and @caps are copied.
 * Returns 0; -EINVAL when @caps->phys_bits is not 32 to 52; -ENOMEM.
 */
int ept_init(struct ept *ept, const struct ept_ops *ops, const struct ept_caps *caps);

/*
 * Map [@gpa, @gpa + @size) to @hpa, in place of what is there. @prot is EPT_R, EPT_W, EPT_X in a
 * combination that CPUs take; @memtype is one of enum memtype (the guest's PAT still applies).
 *
 * Returns 0, or: -EINVAL: not page-aligned, @size 0, @prot 0 or W without R, no such memory type;
 * -EOPNOTSUPP: execute-only on a CPU without it; -ERANGE: beyond 48 bits of guest-physical or
 * phys_bits of host-physical address; -ENOMEM: no page for a table. After -ENOMEM every page of the
 * range is either as before or as asked; after the others nothing has changed.
 *
 * INVEPT is needed on every CPU, unless nothing was mapped there.
 */
int ept_map(struct ept *ept, gpa_t gpa, hpa_t hpa, u64 size, unsigned prot, unsigned memtype);

/*
 * Map what is not mapped around @gpa to the same host-physical addresses, for reading, writing and
 * execution: the hole as far as it reaches within the naturally aligned block of @block bytes,
 * which is the size of a page at some level. Returns as ept_map does, or -EEXIST: @gpa is mapped.
 * No INVEPT is needed.
 */
int ept_map_hole(struct ept *ept, gpa_t gpa, u64 block, unsigned memtype);

/* Unmap [@gpa, @gpa + @size), holes included. Returns as ept_map does; then INVEPT. */
int ept_unmap(struct ept *ept, gpa_t gpa, u64 size);

/*
 * Give what is mapped in [@gpa, @gpa + @size) the permissions @prot (not 0: that is ept_unmap);
 * addresses, types, accessed and dirty flags stay. Holes stay holes.
 * Returns as ept_map does; then INVEPT (a CPU may also see a violation that is no longer one).
 */
int ept_protect(struct ept *ept, gpa_t gpa, u64 size, unsigned prot);

/*
 * Free the tables that changes have put out of use. Call it after an INVEPT on every CPU that uses
 * @ept, and before the next change that another CPU may make: what was retired after the INVEPT may
 * still be cached. No CPU may be inside ept_walk; so let CPUs acknowledge the
 * INVEPT from their run loop, not from an NMI handler.
 *
 * A CPU that still walks a retired table may find its first entry not present. That violation is
 * spurious: ept_walk shows the access to be allowed, and the guest just retries.
 */
void ept_reclaim(struct ept *ept);

/* Find what @gpa is mapped to. Returns true when something is; @out is filled in both cases. */
bool ept_walk(const struct ept *ept, gpa_t gpa, struct ept_mapping *out);

/* The EPTP: write-back tables, four levels, accessed and dirty flags where the CPU has them. */
u64 ept_pointer(const struct ept *ept);

#endif
