/* SPDX-License-Identifier: MIT */
/*
 * Lab 5, holes 2 and 3: entries that map pages. Your file takes the place of ept/leaf.c.
 * ept/tables.h has what you need.
 */
#include "ept/tables.h"
#include "lib/log.h"

/*
 * Hole 2. Return the entry that the change @c makes of the entry @old, which maps a page at @level
 * (1: 4 KiB, 2: 2 MiB, 3: 1 GiB), or is a hole. @gpa is the page's first guest-physical address.
 *
 * c->kind == MAP: the page is mapped to host-physical @gpa + c->offset. c->bits has all else that
 * the entry says, permissions and memory type, but for EPT_LEAF, which must be 1 at levels 2 and 3.
 *
 * c->kind == PROTECT: c->bits are the new permissions (EPT_R, EPT_W, EPT_X). Nothing else changes.
 */
u64 ept_new_leaf(const struct change *c, u64 old, int level, gpa_t gpa)
{
	(void)c, (void)old, (void)level, (void)gpa;
	pr_info("Lab 5: ept_new_leaf() is yours to write.\n");
	return 0;
}

/*
 * Hole 3. The entry @entry of @level (2 or 3) maps a large page, or is a hole. Allocate a table
 * (ept->ops.alloc_page(), which gives a page of zeros, or NULL), fill it so that its 512 entries
 * together map the same, and return it. In it
 *   - each entry maps entry_size(level - 1) bytes, with the permissions and memory type of @entry;
 *   - EPT_LEAF is 1 at level 2, and 0 at level 1;
 *   - both AD_FLAGS are set if the CPU has them (ept->caps.ad): it may set them in @entry while you
 *     copy, and they would be lost.
 * A hole becomes an empty table. Without memory return NULL. Do not change @entry: the caller does.
 */
u64 *ept_split(struct ept *ept, u64 entry, int level)
{
	(void)ept, (void)entry, (void)level;
	pr_info("Lab 5: ept_split() is yours to write.\n");
	return NULL;
}
