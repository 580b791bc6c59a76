/* SPDX-License-Identifier: MIT */
/*
 * Views. See view.h.
 *
 * The entry of a view's table that points to another table of the view has EPT_HELD set, by which
 * it is told from entries that point to tables of the original.
 */
#include "ept/view.h"
#include "ept/tables.h"
#include "errno.h"
#include "lib/string.h"

static u64 *entry_of(u64 *table, gpa_t gpa, int level)
{
	return &table[gpa >> (PAGE_SHIFT + 9 * (level - 1)) & (ENTRIES - 1)];
}

/* Have one more table. Returns false without memory. */
static bool more(struct ept_view *view, struct ept *ept)
{
	u64 *table = view->nr_tables < EPT_VIEW_TABLES ? ept->ops.alloc_page() : NULL;

	if (table)
		view->table[view->nr_tables++] = table;
	return table;
}

int ept_view_init(struct ept_view *view, struct ept *ept)
{
	bool enough = true;

	*view = (struct ept_view){0};
	spin_lock(&ept->lock);
	while (enough && view->nr_tables < ROOT_LEVEL)
		enough = more(view, ept);
	spin_unlock(&ept->lock);
	return enough ? 0 : -ENOMEM;
}

void ept_view_free(struct ept_view *view, struct ept *ept)
{
	spin_lock(&ept->lock);
	while (view->nr_tables)
		ept->ops.free_page(view->table[--view->nr_tables]);
	spin_unlock(&ept->lock);
}

/* A copy of @original. Returns NULL without memory. */
static u64 *copy(struct ept_view *view, struct ept *ept, const u64 *original)
{
	if (view->nr_used == view->nr_tables && !more(view, ept))
		return NULL;
	return memcpy(view->table[view->nr_used++], original, PAGE_SIZE);
}

void ept_view_begin(struct ept_view *view, struct ept *ept)
{
	spin_lock(&ept->lock);
	if (!view->nr_used || view->changes != ept->changes) {
		view->nr_used = view->nr_open = 0;
		view->changes = ept->changes;
		copy(view, ept, ept->root);
	}
	while (view->nr_open) {
		view->nr_open--;
		*view->open[view->nr_open].entry = view->open[view->nr_open].closed;
	}
	spin_unlock(&ept->lock);
}

/* The view's own entry for the page at @gpa. Returns NULL without memory, or where the original has
 * no table. */
static u64 *own_entry(struct ept_view *view, struct ept *ept, gpa_t gpa, int *error)
{
	u64 *table = view->table[0];

	for (int level = ROOT_LEVEL; level > 1; level--) {
		u64 *entry = entry_of(table, gpa, level);

		*error = -EINVAL;
		if (!(*entry & EPT_RWX) || *entry & EPT_LEAF)
			return NULL;
		*error = -ENOMEM;
		table = table_of(ept, *entry);
		if (!(*entry & EPT_HELD)) {
			table = copy(view, ept, table);
			if (!table)
				return NULL;
			*entry = table_pa(ept, table) | EPT_RWX | EPT_HELD;
		}
	}
	return entry_of(table, gpa, 1);
}

/* Make @entry that of an open page, unless it is. Returns 0, -EINVAL or -ENOMEM. */
static int make_open(struct ept_view *view, u64 *entry)
{
	for (unsigned i = 0; i < view->nr_open; i++)
		if (view->open[i].entry == entry)
			return 0;
	if (!(*entry & EPT_HELD))
		return -EINVAL;
	if (view->nr_open == EPT_VIEW_OPEN)
		return -ENOMEM;
	view->open[view->nr_open].entry = entry;
	view->open[view->nr_open].closed = *entry;
	view->nr_open++;
	return 0;
}

int ept_view_open(struct ept_view *view, struct ept *ept, gpa_t gpa, hpa_t hpa, unsigned prot,
		  unsigned memtype)
{
	int error = -EINVAL;
	u64 *entry;

	spin_lock(&ept->lock);
	entry = own_entry(view, ept, gpa, &error);
	if (entry)
		error = make_open(view, entry);
	if (!error)
		*entry = hpa | prot | (u64)memtype << EPT_MEMTYPE_SHIFT | EPT_HELD;
	spin_unlock(&ept->lock);
	return error;
}

u64 ept_view_pointer(const struct ept_view *view, const struct ept *ept)
{
	return table_pa(ept, view->table[0]) | (ept_pointer(ept) & ~EPT_ADDR_MASK);
}
