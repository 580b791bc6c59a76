/* SPDX-License-Identifier: MIT */
/*
 * EPT: the tables that translate guest-physical to host-physical addresses.
 *
 * This code knows no VM exits, and the caller executes INVEPT. Source: Intel SDM, "The Extended
 * Page Table Mechanism (EPT)".
 *
 * The tables always have the smallest form: they use the largest pages that alignment and CPU
 * allow, 512 entries that together map one larger page are merged into it, and no table is empty.
 * Held pages (ept_hold()) are the exception: each has an entry of its own.
 *
 * Functions that change tables take the lock. ept_walk() and the CPUs' own walks run at the same
 * time without it: every change to a live entry is one 64-bit store, and a new table is filled
 * before an entry points to it. CPUs may still have a removed table cached, so it is retired until
 * all have executed INVEPT.
 */
#ifndef GH_EPT_EPT_H
#define GH_EPT_EPT_H

#include "types.h"
#include "bits.h"
#include "lib/spinlock.h"

/* Permissions: bits 2:0 of an entry. */
#define EPT_R   BIT(0)
#define EPT_W   BIT(1)
#define EPT_X   BIT(2)
#define EPT_RWX (EPT_R | EPT_W | EPT_X)
/* For ept_hold(), with EPT_R and without EPT_W: the sub-page permission table (sppt.h) allows
 * writes. */
#define EPT_SUBPAGE BIT(3)

/* The other bits of an entry. */
#define EPT_MEMTYPE_SHIFT 3 /* bits 5:3 of a leaf: the memory type */
#define EPT_MEMTYPE_MASK  GENMASK(5, 3)
#define EPT_LEAF          BIT(7) /* in a PDPTE or PDE: maps a page, does not point to a table */
#define EPT_ACCESSED      BIT(8)
#define EPT_DIRTY         BIT(9)
#define EPT_HELD          BIT(11) /* ignored by the CPU: see ept_hold() */
#define EPT_SPP           BIT(61) /* of a leaf: EPT_SUBPAGE */
#define EPT_ADDR_MASK     GENMASK(51, 12)

/* Memory types, as encoded in EPT entries, MTRRs and the PAT. */
enum memtype { MEMTYPE_UC = 0, MEMTYPE_WC = 1, MEMTYPE_WT = 4, MEMTYPE_WP = 5, MEMTYPE_WB = 6 };

/* The end of the guest-physical addresses: four levels translate 48 bits. */
#define EPT_GPA_END BIT(48)

/* The allocator of table pages. Both functions are called with the lock held. */
struct ept_ops {
	void *(*alloc_page)(void);     /* returns a zeroed, aligned page, or NULL */
	void (*free_page)(void *page); /* frees such a page */
	u64 va_offset;                 /* linear minus host-physical address of such a page */
};

/* What the CPU supports: IA32_VMX_EPT_VPID_CAP and CPUID.80000008H:EAX[7:0]. */
struct ept_caps {
	bool page_2m;   /* bit 16: a PDE can map a page */
	bool page_1g;   /* bit 17: a PDPTE can map a page */
	bool ad;        /* bit 21: accessed and dirty flags; ept_pointer() enables them */
	bool exec_only; /* bit 0: pages that can be executed but not read */
	bool subpage;   /* the control "sub-page write permissions for EPT" */
	u8 phys_bits;   /* width of host-physical addresses, 32 to 52 */
};

struct ept {
	struct ept_ops ops;
	struct ept_caps caps;
	u64 *root;    /* the PML4 table */
	u64 *retired; /* removed tables, linked by their first entry */
	u64 changes;  /* how often an entry has been changed, or may have been */
	spinlock_t lock;
};

/* The result of ept_walk(). A hole is an entry that maps nothing. */
struct ept_mapping {
	hpa_t hpa;        /* of the byte at the guest-physical address; 0 in a hole */
	u64 size;         /* bytes that the entry covers: the page, or the hole */
	unsigned prot;    /* EPT_R | EPT_W | EPT_X; 0 in a hole, and for some held pages */
	unsigned memtype; /* enum memtype */
	int level;        /* where the walk ended: 1 (4 KiB) to 4 (512 GiB, only a hole) */
	u64 entry;        /* the entry there, raw */
};

/*
 * Initialise @ept as an empty address space. @ops and @caps are copied.
 * Returns 0; -EINVAL if @caps->phys_bits is not 32 to 52; -ENOMEM.
 */
int ept_init(struct ept *ept, const struct ept_ops *ops, const struct ept_caps *caps);

/*
 * Map the @size bytes at guest-physical @gpa to host-physical @hpa, replacing older mappings. @prot
 * is a combination of EPT_R, EPT_W and EPT_X; @memtype is one of enum memtype (the guest's PAT
 * still applies). The caller must execute INVEPT on every CPU, unless nothing was mapped there.
 *
 * Returns 0, or
 *   -EINVAL      an address or @size is not page-aligned, @size is 0, @prot is 0 or has EPT_W
 *                without EPT_R, @memtype does not exist
 *   -EOPNOTSUPP  execute-only, or EPT_SUBPAGE, on a CPU without it
 *   -ERANGE      guest-physical beyond 48 bits, or host-physical beyond phys_bits
 *   -ENOMEM      no page for a table
 * After -ENOMEM each page of the range has its old or its new mapping; after other errors, nothing
 * has changed.
 */
int ept_map(struct ept *ept, gpa_t gpa, hpa_t hpa, u64 size, unsigned prot, unsigned memtype);

/*
 * Identity-map the hole around @gpa, read, write and execute, with @memtype. A hole that exceeds
 * the aligned block of @block bytes around @gpa is filled in that block only; @block is the page
 * size of a level. No INVEPT is needed.
 *
 * Returns 0; -EEXIST if @gpa is mapped; -ERANGE if @gpa is beyond 48 bits or phys_bits; -ENOMEM.
 */
int ept_map_hole(struct ept *ept, gpa_t gpa, u64 block, unsigned memtype);

/*
 * Unmap the @size bytes at @gpa, which may contain holes. The caller must execute INVEPT
 * afterwards. Returns 0, -EINVAL, -ERANGE or -ENOMEM as ept_map().
 */
int ept_unmap(struct ept *ept, gpa_t gpa, u64 size);

/*
 * Set the permissions of what is mapped in the @size bytes at @gpa to @prot, which is not 0: to
 * remove all permissions, use ept_unmap(). Addresses, memory types, accessed and dirty flags do not
 * change; holes stay holes. The caller must execute INVEPT afterwards; until then a CPU may also
 * report a violation that the new permissions allow. Returns as ept_map().
 */
int ept_protect(struct ept *ept, gpa_t gpa, u64 size, unsigned prot);

/*
 * Map the page at @gpa to the page at @hpa as ept_map() does, but by an entry of its own, which is
 * never merged with its neighbours, and with any permissions that the CPU can have: @prot may also
 * be 0. Such a page is mapped, so it is no hole for ept_map_hole(), but an access to it is an EPT
 * violation. ept_map() and ept_unmap() end that, and merge what can be merged; ept_protect() only
 * changes its permissions. Returns as ept_map().
 */
int ept_hold(struct ept *ept, gpa_t gpa, hpa_t hpa, unsigned prot, unsigned memtype);

/* Can an entry have the permissions @prot, some or all of EPT_RWX? Returns 0; -EINVAL or
 * -EOPNOTSUPP as ept_map(). */
int ept_check_prot(const struct ept *ept, unsigned prot);

/* The nearest permissions to @prot that an entry can have: fewer, perhaps none; or more, but none
 * for none. SDM: "EPT Misconfigurations". */
unsigned ept_prot_below(const struct ept *ept, unsigned prot);
unsigned ept_prot_above(const struct ept *ept, unsigned prot);

/*
 * Take the tables that have been retired until now. When every CPU that uses @ept has executed
 * INVEPT after that, give them to ept_free_retired(). No CPU may be inside an ept_walk() that began
 * before, so CPUs must acknowledge the INVEPT from their run loop, not from an NMI handler. If not
 * all do, ept_retire_again() puts the tables back.
 *
 * A CPU that still walks a retired table may find its first entry not present. That EPT violation
 * is spurious: ept_walk() shows that the access is allowed, and the guest retries it.
 */
u64 *ept_take_retired(struct ept *ept);
void ept_free_retired(struct ept *ept, u64 *tables);
void ept_retire_again(struct ept *ept, u64 *tables);

/* Free the retired tables at once: no CPU uses @ept. */
void ept_reclaim(struct ept *ept);

/* Translate @gpa. Fills @out, and returns true if @gpa is mapped; the permissions of a held page
 * may be 0. Takes no lock. */
bool ept_walk(const struct ept *ept, gpa_t gpa, struct ept_mapping *out);

/* Returns the raw entry of @level, 4 to the level where ept_walk() ended, on the way to @gpa, which
 * is below 48 bits. Takes no lock. */
u64 ept_entry(const struct ept *ept, gpa_t gpa, int level);

/*
 * The value for the VMCS field "EPT pointer": tables in write-back memory, four levels, accessed
 * and dirty flags if the CPU has them. SDM: "Extended-Page-Table Pointer (EPTP)".
 */
u64 ept_pointer(const struct ept *ept);

#endif
