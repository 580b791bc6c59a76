/* SPDX-License-Identifier: MIT */
/*
 * Shadow page tables: what the CPU uses instead of the guest's own page tables where it does not
 * use the second-level tables. They are the composition of both.
 *
 * A shadow page is a TLB of one guest table: nothing keeps the guest from changing its tables, and
 * an entry may be older than the guest's, until the guest invalidates it, as in a CPU's TLB. So
 * each entry has a copy of the guest's entry that it was made from, and invalidating means
 * comparing. What is not present is never cached: each fault walks the guest's tables. SDM:
 * "Caching Translation Information".
 *
 * All vCPUs share the shadow pages. Who walks the guest's tables to write a shadow entry, and who
 * compares, holds the lock, so that nothing old is written after an invalidation. The CPUs read the
 * tables at the same time: each change is one 64-bit store, and what is no longer used is kept
 * until all of them have flushed their TLB.
 */
#ifndef GH_SHADOW_SHADOW_H
#define GH_SHADOW_SHADOW_H

#include "lib/spinlock.h"
#include "shadow/spte.h"
#include "vmm/mmu.h"
#include "vmm/shadow_ops.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

#define BITMAP_WORDS (SPTE_ENTRIES / 64)

/* A shadow page. */
struct mmu_page {
	struct mmu_page *next; /* of its hash bucket, of the free or of the retired ones */
	gfn_t gfn;             /* of the guest's table; direct: the first that it maps */
	union mmu_role role;
	bool used : 1;
	bool shielded : 1; /* no entry lets the guest write to its table: see shield.c */
	u8 calm;           /* so often in a row it has been compared, and was unchanged */
	u16 slot;          /* the entry of a root below which it was first: see fix_link() */
	u64 mark;          /* shadow.visit when it was last visited */
	u64 *spt;          /* the entries that the CPU uses */
	u64 *gptes;        /* for each that is present: what it was made from */
	const void *table; /* the guest's entry for spt[0]; NULL: direct, or not in memory */
	u64 present[BITMAP_WORDS]; /* bit n: spt[n] is not 0 */
	u64 local[BITMAP_WORDS];   /* the same, and it is not the leaf of a global page */
	u64 links[BITMAP_WORDS];   /* the same, and it points to a table */
	u64 quiet;                 /* shadow.epoch when it and all below were shielded */
};

_Static_assert(sizeof(struct mmu_page) == 256, "a power of two, since pages are found by number");

/* A root that a vCPU has used, and what its entries are worth. Only of these, global pages are kept
 * when the guest switches from one to another. */
struct mmu_context {
	u64 cr3;               /* the guest's, without bit 63: the table and the PCID */
	struct mmu_page *root; /* NULL: none */
	bool current; /* nothing has been invalidated since it was used: MOV to CR3 may keep it */
};
#define NR_CONTEXTS 8

/* The guest's entries that lead to the tables of one root, as they were when their shadow entries
 * were made; see shadow_sync_links(). */
#define NR_LINKS 64
struct link_list {
	const struct mmu_page *root; /* NULL: the list is not complete */
	u64 epoch;                   /* shadow.epoch of then */
	unsigned nr;
	struct {
		const u64 *entry;
		u64 value;
	} link[NR_LINKS];
};

struct shadow_vcpu {
	u64 pae_root[4] __aligned(32); /* the page-directory-pointer table, below 4 GiB */
	struct paging_mode mode;
	struct mmu_page *root[4]; /* the first, or with PAE one for each PDPTE; NULL: none */
	bool global_pages;        /* CR4.PGE */
	bool has_pcid;            /* CR4.PCIDE */
	u16 pcid;                 /* the current one */
	u32 error_mask;           /* of the error code of a #PF by an entry that is not present */
	u64 seen;                 /* the shadow.retires that it has flushed its TLB after */
	u64 reserved;             /* walk_reserved() of leaves of level 1 */
	gva_t expected;           /* a page that the guest is about to map... */
	struct mmu_page *expected_page; /* ...by an entry of this one's table; NULL: none... */
	struct mmu_page *expected_root; /* ...and will use with this root */
	gva_t override[4]; /* whose entries are dropped after one instruction: see fault.c */
	unsigned nr_overrides;
	unsigned next_context;
	struct mmu_context context[NR_CONTEXTS];
	struct mmu_context *now, *before; /* the current one, and that of the CR3 before */
	struct link_list links;
};

struct shadow {
	spinlock_t lock;
	struct vm *vm;
	struct mmu_page *page; /* all of them */
	unsigned nr;
	u8 *spts; /* their tables, one after the other, and an empty one */
	hpa_t spts_pa;
	struct mmu_page **hash;
	unsigned hash_mask;
	struct mmu_page *free, *retired;
	unsigned nr_used, nr_retired;
	u64 retires;   /* how often pages have been retired */
	u64 visit;     /* how often pages have been visited, from roots on */
	u64 *shield;   /* bit n: no entry lets the guest write to frame n */
	u64 nr_frames; /* bits in it */
	u64 work;      /* pages that have been compared since the last call of shadow_shield() */
	u64 epoch; /* increases when a page is no longer shielded, or an entry points elsewhere */
	/* Bit n: there may have been a global page in the range of entry n of a root. */
	u64 globals[BITMAP_WORDS];
	struct ept_mapping last; /* what ept_walk() has found last: of the page at... */
	gpa_t last_gpa;          /* ...this address; size 0: nothing */
};

static inline struct shadow *to_shadow(const struct vcpu *vcpu)
{
	return vcpu->vm->shadow;
}

/* ---- page.c. With the lock held. ---- */

/* Lay out the pool of @size bytes at @pool. Returns false if it is too small. */
bool shadow_pool_init(struct shadow *shadow, void *pool, u64 size);

/* Returns the shadow page of @role for the table, or the page, at @gfn; NULL: none is free, try
 * again after the vCPU's requests. *@old: it has been in use, and may have old entries. */
struct mmu_page *shadow_get_page(struct shadow *shadow, gfn_t gfn, union mmu_role role, bool *old);

/* In which bucket a page for @gfn is. */
static inline u64 shadow_hash(const struct shadow *shadow, gfn_t gfn)
{
	return (gfn ^ gfn >> 12) & shadow->hash_mask;
}

/* Returns the page that the entry @spte, which is present and no leaf, points to. */
static inline struct mmu_page *shadow_child(const struct shadow *shadow, u64 spte)
{
	return &shadow->page[((spte & PT_ADDR) - shadow->spts_pa) >> PAGE_SHIFT];
}

/* And its entries. */
static inline const u64 *shadow_table(const struct shadow *shadow, u64 spte)
{
	return (const u64 *)(shadow->spts + ((spte & PT_ADDR) - shadow->spts_pa));
}

/* The host-physical address of the entries of @page. */
static inline hpa_t shadow_pa(const struct shadow *shadow, const struct mmu_page *page)
{
	return shadow->spts_pa + (u64)((u8 *)page->spt - shadow->spts);
}

/* The host-physical address of the table that is empty: the root where there is no page for one. */
static inline hpa_t shadow_empty_pa(const struct shadow *shadow)
{
	return shadow->spts_pa + (u64)shadow->nr * PAGE_SIZE;
}

/* Returns true if @page was not visited before in @visit, a number of shadow.visit. The guest's
 * tables may lead to themselves, so whoever follows them must not follow any of them twice. */
static inline bool shadow_visit(struct mmu_page *page, u64 visit)
{
	if (page->mark == visit)
		return false;
	page->mark = visit;
	return true;
}

/* Write @spte, made from the guest's entry @gpte, to entry @index; 0: drop it. */
void shadow_set_spte(const struct shadow *shadow, struct mmu_page *page, unsigned index, u64 spte,
		     u64 gpte, bool global);

/* Retire the pages that no vCPU uses, or @all, and have all vCPUs load anew. */
void shadow_retire(struct shadow *shadow, bool all);

/* Free what has been retired, if all vCPUs have flushed their TLB since. */
void shadow_free_retired(struct shadow *shadow);

/* Does the present @spte of @level map a page? */
static inline bool is_leaf_spte(u64 spte, int level)
{
	return level == 1 || spte & PT_PS;
}

/* The guest's entry that entry @index of @page, of @level, stands for, as it is now. @narrow: the
 * guest's entries have 4 bytes. */
static inline u64 shadow_guest_entry(const struct mmu_page *page, int level, unsigned index,
				     bool narrow)
{
	if (likely(!narrow))
		return READ_ONCE(((const u64 *)page->table)[index]);
	return READ_ONCE(((const u32 *)page->table)[level == 2 ? index / 2 : index]);
}

static inline u64 guest_entry(const struct mmu_page *page, unsigned index)
{
	return shadow_guest_entry(page, page->role.level, index, page->role.levels == 2);
}

/* Is there entry @index of @page, which is not direct, and is the guest's another one now? */
static inline bool shadow_is_stale(const struct mmu_page *page, unsigned index)
{
	return page->spt[index] && guest_entry(page, index) != page->gptes[index];
}

/* Remember that global pages are made for @gva; and ask. */
static inline void shadow_note_global(struct shadow *shadow, gva_t gva)
{
	shadow->globals[spte_index(gva, 4) / 64] |= BIT(spte_index(gva, 4) % 64);
}

static inline bool shadow_has_globals(const struct shadow *shadow, gva_t gva)
{
	return shadow->globals[spte_index(gva, 4) / 64] & BIT(spte_index(gva, 4) % 64);
}

/* ---- fault.c ---- */

/* vcpu->page_fault. */
int shadow_page_fault(struct vcpu *vcpu, const struct page_fault *fault);

/* Make entry @index of @page, of level 1 and not direct, from the guest's entry @gpte, if the CPU
 * could have it cached: if it is present and accessed. */
void shadow_prefetch(struct vcpu *vcpu, struct mmu_page *page, unsigned index, u64 gpte);

/* If the guest has mapped the page for whose absence it got its last page fault, make the entry
 * before it faults once more. */
void shadow_make_expected(struct vcpu *vcpu);

/* ---- shield.c. With the lock held. ---- */

/* Tables in the first @nr_frames frames may be shielded; @memory: of shadow_shield_size() bytes, 0.
 */
u64 shadow_shield_size(u64 nr_frames);
void shadow_shield_init(struct shadow *shadow, void *memory, u64 nr_frames);

/*
 * Compare the pages that have not changed for long once more, and make all entries read-only that
 * let the guest write to their tables. The caller flushes the TLB before the guest runs. This looks
 * at all shadow pages: to be called when shadow.work is SHIELD_WORK for each page in use.
 */
#define SHIELD_WORK 16u
void shadow_shield(struct vcpu *vcpu);

/* The guest, or who acts for it, is about to write to @frame. */
void shadow_unshield(struct shadow *shadow, u64 frame);

/* Is @frame shielded? And one of the @nr frames from @frame on, an aligned power of two? */
static inline bool shadow_is_shielded(const struct shadow *shadow, u64 frame)
{
	return frame < shadow->nr_frames && shadow->shield[frame / 64] & BIT(frame % 64);
}

bool shadow_has_shielded(const struct shadow *shadow, u64 frame, u64 nr);

/* vmm/shadow_ops.h. Takes the lock. */
void shadow_written(struct vm *vm, gpa_t gpa);

/* ---- check.c. With the lock held. ---- */

/* Panic unless entry @index of @page, a leaf that maps guest-physical @gpa, is right; or unless all
 * entries of all pages are. shadow_check_write: entry @index of @page has been written, of whatever
 * kind; now and then all. */
void shadow_check_leaf(const struct shadow *shadow, const struct mmu_page *page, unsigned index,
		       gpa_t gpa);
void shadow_check_all(const struct shadow *shadow);
void shadow_check_write(const struct shadow *shadow, const struct mmu_page *page, unsigned index);

/* ---- sync.c. With the lock held. ---- */

/* Compare the entries of @page itself. */
void shadow_sync_page(struct vcpu *vcpu, struct mmu_page *page, bool all);

/* Compare the present entries of @page, and of all below, with the guest's: @all, or only what is
 * not global. What differs is dropped, or made anew. */
void shadow_sync(struct vcpu *vcpu, struct mmu_page *page, bool all);

/* The same for a page that is linked again after it was not in use: here it is not trusted that
 * tables are as when they were shielded, since a device may have written to what was free. */
void shadow_sync_again(struct vcpu *vcpu, struct mmu_page *page);

/* Compare all entries of the current root, and of those below, that point to the guest's tables. */
void shadow_sync_links(struct vcpu *vcpu);

/* Drop the leaf that translates @gva; of a page of the guest's that is mapped in parts, all of
 * them. */
void shadow_drop_leaf(struct vcpu *vcpu, gva_t gva);

/* Compare what translates @gva, from @page on. */
void shadow_sync_address(struct vcpu *vcpu, struct mmu_page *page, gva_t gva);

/* ---- root.c: the operations of struct shadow_ops. ---- */
void shadow_load(struct vcpu *vcpu);
void shadow_new_cr3(struct vcpu *vcpu, u64 cr3, bool keep);
void shadow_invalidate(struct vcpu *vcpu, enum invalidation what, u16 pcid, gva_t gva);
void shadow_drop(struct vm *vm);

/* look.c: see struct shadow_ops. */
bool shadow_read(struct vcpu *vcpu, gva_t gva, void *buf, size_t len);
void shadow_each_entry(struct vcpu *vcpu, gva_t gva,
		       void (*seen)(int level, hpa_t at, u64 entry, u64 gpte));

/* Does the CPU have a page-directory-pointer table, instead of one root? */
static inline bool has_pae_root(const struct paging_mode *mode)
{
	return mode->levels <= 3;
}

/* The page of @vcpu's current root that translates @gva; NULL: none. */
static inline struct mmu_page *shadow_root_of(struct vcpu *vcpu, gva_t gva)
{
	struct shadow_vcpu *v = vcpu->shadow;

	return v->root[has_pae_root(&v->mode) ? gva >> 30 & 3 : 0];
}

#endif
