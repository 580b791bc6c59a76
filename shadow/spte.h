/* SPDX-License-Identifier: MIT */
/*
 * What a shadow entry is made of: pure. Shadow tables always have entries of 8 bytes, as PAE and
 * IA-32e paging have them, and the CPU uses them with CR0.WP = 1 and IA32_EFER.NXE = 1, whatever
 * the guest has set. Entries that point to tables allow everything; a leaf has the rights of all of
 * the guest's entries together.
 */
#ifndef GH_SHADOW_SPTE_H
#define GH_SHADOW_SPTE_H

#include "ept/ept.h"
#include "vmm/x86/guest_walk.h"

#define SPTE_ENTRIES 512u
#define SPTE_TABLE   (PT_P | PT_W | PT_U | PT_A) /* an entry that points to a table */

/*
 * What the content of a shadow page depends on, beside the guest's table (KVM: kvm_mmu_page_role).
 * Two guest tables that are one page, or one table that is used in two modes, have two shadow
 * pages.
 */
union mmu_role {
	u32 word;
	struct {
		u32 level : 3;
		u32 direct : 1; /* no guest table: a part of a page that the guest maps as one */
		u32 acc : 3;    /* the rights of all entries above together; direct: of all */
		/* Tables of 4-byte entries have 1024: which part of it this shadow page is, a half
		 * of a page table, a quarter of a page directory. */
		u32 quadrant : 2;
		u32 levels : 3; /* of the guest's paging mode */
		u32 pse : 1;
		u32 nx : 1;
		u32 wp : 1;
		u32 smep : 1; /* only with !wp: see leaf_rights() */
		u32 smap : 1; /* the same, SMAP or protection keys: see override_once() */
		/* direct: of the guest's leaf */
		u32 pwt : 1;
		u32 pcd : 1;
		u32 pat : 1;
		u32 global : 1;
		u32 key : 4;
	};
	struct {
		u32 : 17;
		u32 owner : 15; /* not direct: see root_role() */
	};
};

/* Is @role, of a page that is not direct, one of @mode: does it read the guest's entries as @mode
 * does? */
bool is_role_of(union mmu_role role, const struct paging_mode *mode);

/* The role of the table that the guest's CR3 names in @mode; of its first level that has a shadow
 * page: for 32-bit and PAE paging, and without paging, level 2. @quadrant: see above. @owner: the
 * number of the vCPU that uses it: pages in which entries are written for one instruction
 * (override_once()) are its own, as the others' instructions must not use them. */
union mmu_role root_role(const struct paging_mode *mode, unsigned quadrant, unsigned owner);

/* The role of the shadow page below one of @parent that is at linear @gva: @acc: the rights of all
 * entries above it. */
union mmu_role table_role(union mmu_role parent, unsigned acc, gva_t gva);

/* The role of a page of @level (1 or 2) that maps a part of the guest's page, whose entry is @leaf
 * of
 * @leaf_level: @acc: the rights of all entries, as leaf_rights() says. */
union mmu_role direct_role(int level, unsigned acc, u64 leaf, int leaf_level);

/*
 * The rights of the shadow of a leaf @entry, for whose page the guest's entries together give @acc.
 * Without the dirty flag none may write, so that the first write is seen. @override: the supervisor
 * writes to a page that is not writable, which CR0.WP = 0 allows: the entry is writable then, but
 * for the supervisor only, and not executable where SMEP would have kept the supervisor from it: if
 * it is a user page.
 */
unsigned leaf_rights(const struct paging_mode *mode, unsigned acc, u64 entry, bool override);

/*
 * A shadow leaf of @level that maps host-physical @hpa with @acc, where the second-level tables
 * allow
 * @prot. @leaf, @leaf_level: the guest's entry, for caching and protection key.
 */
u64 make_spte(int level, hpa_t hpa, unsigned acc, unsigned prot, u64 leaf, int leaf_level);

/* The same from the role of a direct page. */
u64 make_direct_spte(union mmu_role role, int level, hpa_t hpa, unsigned prot);

/* The index of the entry for @gva in a shadow page of @level. */
static inline unsigned spte_index(gva_t gva, int level)
{
	return gva >> (PAGE_SHIFT + 9 * (level - 1)) & (SPTE_ENTRIES - 1);
}

/* The bytes that an entry of @level covers. */
static inline u64 spte_size(int level)
{
	return PAGE_SIZE << (9 * (level - 1));
}

#endif
