/* SPDX-License-Identifier: MIT */
/*
 * Lab 8, holes 7 and 8: the guest's tables allow an access: the shadow entry is chosen and written.
 * Your file takes the place of shadow/fix.c. struct fix and what you call are in shadow/fix.h,
 * shadow/shadow.h and shadow/spte.h.
 */
#include "arch/x86/cpu.h"
#include "errno.h"
#include "lib/log.h"
#include "shadow/fix.h"

/*
 * Hole 8. Write the shadow entry that fix_choose() has chosen for @fix, and those above it.
 *
 *  1. Set fix->linked to false: fix_link() sets it when it makes a link. Begin at fix->page, of
 *     level fix->page->role.level; if it is NULL: -ENOMEM. Above fix->level, fix_link(fix, page,
 *     level) returns the page below, which it finds or makes; NULL: -ENOMEM.
 *  2. If the access (fix->walk.access) is a write: shadow_unshield(to_shadow(vcpu), the frame of
 *     fix->map.hpa), as the guest may be about to change one of its tables.
 *  3. The entry is made by make_spte(), with the host-physical address of the page that it maps:
 *     fix->map.hpa without the bits inside of spte_size(fix->level). Its place in the page:
 *     spte_index(gva, fix->level).
 *  4. If the guest's leaf is global (PT_G): shadow_note_global(to_shadow(vcpu), gva).
 *  5. If the entry is there already: -EEXIST, or 0 if fix->linked. Otherwise write it by
 *     shadow_write_leaf(to_shadow(vcpu), page, index, spte, fix->leaf, fix->walk.gpa).
 *  6. At level 1, if page->table is not NULL: shadow_prefetch_around(vcpu, page, index, gva).
 *  7. Return 0.
 */
int fix_map(struct fix *fix)
{
	(void)fix;
	pr_warn_ratelimited("Lab 8: fix_map() is yours to write.");
	return -ENOMEM;
}

/* Given. Would an entry of @level let the guest write to a table that is shielded? */
static __used bool has_shielded(const struct fix *fix, int level)
{
	u64 size = spte_size(level);

	return fix->acc & ACC_W && fix->map.prot & EPT_W &&
	       shadow_has_shielded(to_shadow(fix->vcpu),
				   ALIGN_DOWN(fix->map.hpa, size) >> PAGE_SHIFT,
				   size >> PAGE_SHIFT);
}

/*
 * Hole 7. Choose the shadow entry for @fix->walk, of which fix->vcpu and fix->page are also set:
 *
 *  - fix->map: by shadow_second_level(to_shadow(fix->vcpu), gpa, need, &fix->map). What the access
 *    needs of the second-level tables: EPT_X for a fetch, EPT_R for a read, EPT_R and EPT_W for a
 *    write. If it returns false, return false.
 *  - fix->guest_level and fix->leaf: level and value of the guest's leaf.
 *  - fix->override: it is a write, and the guest's entries do not allow to write (walk.leaf_acc).
 *  - fix->acc: by leaf_rights().
 *  - fix->level: the highest for which all of this holds. It is not above the guest's leaf. An
 *    entry of this level covers no more than fix->map.size bytes (spte_size()), as the second-level
 *    tables may map what is behind elsewhere. It is at most 3 if mode->page_1g, else 2.
 *    has_shielded() is false for it. Level 1 is always possible.
 *
 * Return true.
 */
bool fix_choose(struct fix *fix)
{
	(void)fix;
	pr_warn_ratelimited("Lab 8: fix_choose() is yours to write.");
	return false;
}
