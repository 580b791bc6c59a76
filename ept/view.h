/* SPDX-License-Identifier: MIT */
/*
 * A view: a second root beside a struct ept's, which translates as that one does, but for a few
 * pages, which are open: the view has entries of its own for them. All tables are shared but those
 * on the way to the open pages, which are copies.
 *
 * A copy does not follow later changes of the original, so a view is for a short use: begin it,
 * open pages, use it, and begin it again the next time, or after what is on the way has changed.
 */
#ifndef GH_EPT_VIEW_H
#define GH_EPT_VIEW_H

#include "ept/ept.h"

#define EPT_VIEW_OPEN 16 /* pages that can be open */
/* Tables at most: the root, and three for each page that shares none. */
#define EPT_VIEW_TABLES (1 + 3 * EPT_VIEW_OPEN)

struct ept_view {
	u64 *table[EPT_VIEW_TABLES]; /* the first is the root */
	unsigned nr_tables, nr_used;
	u64 changes; /* ept.changes when the tables were copied */
	unsigned nr_open;
	struct {
		u64 *entry, closed; /* an open page's, and what it is otherwise */
	} open[EPT_VIEW_OPEN];
};

/*
 * Initialise @view, and allocate what opening one page needs. Returns 0 or -ENOMEM; then
 * ept_view_free() frees what there is.
 */
int ept_view_init(struct ept_view *view, struct ept *ept);

/* Free all tables. No CPU may use @view. */
void ept_view_free(struct ept_view *view, struct ept *ept);

/* Translate as @ept does now: no page is open. The caller executes INVEPT before the view's use.
 * Tables are only copied again if @ept has changed. */
void ept_view_begin(struct ept_view *view, struct ept *ept);

/*
 * Open the page at @gpa, which is held in @ept (ept_hold()), or change how it is open: map it to
 * @hpa with @prot and @memtype as ept_hold() does. The caller executes INVEPT afterwards.
 * Returns 0; -EINVAL if the page is not held; -ENOMEM: no page for a table, or too many open
 * pages.
 */
int ept_view_open(struct ept_view *view, struct ept *ept, gpa_t gpa, hpa_t hpa, unsigned prot,
		  unsigned memtype);

/* The value for the VMCS field "EPT pointer", as ept_pointer(). */
u64 ept_view_pointer(const struct ept_view *view, const struct ept *ept);

#endif
