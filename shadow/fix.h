/* SPDX-License-Identifier: MIT */
/*
 * The shadow entry for one access, in the making. All functions with the lock held.
 */
#ifndef GH_SHADOW_FIX_H
#define GH_SHADOW_FIX_H

#include "shadow/shadow.h"

struct fix {
	struct vcpu *vcpu;
	struct mmu_page *page; /* of walk.top, or the root; NULL: there is none */
	struct guest_walk walk;
	struct ept_mapping map; /* of walk.gpa */
	u64 leaf;               /* the guest's entry; 0 without paging */
	int guest_level;        /* its level; without paging above all others */
	int level;              /* that of the shadow entry */
	unsigned acc;           /* its rights, by the guest's tables */
	bool override;          /* see leaf_rights() */
	bool linked;            /* by fix_link(): a table that was not in use here */
};

/* ---- fix.c ---- */

/* Choose the shadow entry for @fix->walk, which has found that the guest's tables allow the access:
 * all from @map on. Returns false if the second-level tables do not allow it. */
bool fix_choose(struct fix *fix);

/* Write the shadow entry that fix_choose() has chosen, and those above it. Returns 0; -EEXIST if it
 * was there; -ENOMEM if there is no shadow page free, or no root. */
int fix_map(struct fix *fix);

/* ---- link.c ---- */

/* Returns the page below the entry of @level in @page, for @fix->walk, which it finds or makes;
 * NULL: there is none free. */
struct mmu_page *fix_link(struct fix *fix, struct mmu_page *page, int level);

/* Look up guest-physical @gpa in the second-level tables, into *@map. Returns false if they do not
 * allow all of @need (EPT_R, EPT_W, EPT_X). */
bool shadow_second_level(struct shadow *shadow, gpa_t gpa, unsigned need, struct ept_mapping *map);

/* Write the leaf @spte for guest-physical @gpa, made from the guest's entry @gpte, to entry @index
 * of @page; read-only, if the page is a table that is shielded. */
void shadow_write_leaf(const struct shadow *shadow, struct mmu_page *page, unsigned index, u64 spte,
		       u64 gpte, gpa_t gpa);

/* Make the entries around entry @index of @page, of level 1 and not direct, which is the one of
 * @gva. */
void shadow_prefetch_around(struct vcpu *vcpu, struct mmu_page *page, unsigned index, gva_t gva);

#endif
