/* SPDX-License-Identifier: MIT */
/*
 * Watched and patched pages. See view.h.
 */
#include "vmm/view.h"
#include "arch/x86/cpu.h"
#include "arch/x86/paging.h"
#include "ept/sppt.h"
#include "ept/view.h"
#include "errno.h"
#include "lib/log.h"
#include "lib/pages.h"
#include "lib/string.h"
#include "vmm/memslot.h"
#include "vmm/mmu.h"
#include "vmm/step.h"
#include "vmm/vcpu.h"
#include "vmm/view_ops.h"
#include "vmm/virt_ops.h"
#include "vmm/vm.h"

/* Pages that one instruction can have open: more than any accesses. */
#define MAX_OPEN 16

/* Not a time, as in intercepts.c. */
#define MAX_POLLS 100000

struct patch {
	u16 offset; /* in the page */
	u8 byte;
};

struct view_page {
	gpa_t gpa;
	struct ept_mapping own; /* how it is mapped otherwise */
	unsigned watched;       /* EPT_R, EPT_W, EPT_X */
	u32 parts;              /* whose writes are watched */
	u8 *copy;               /* what is executed; NULL: no patches */
	struct patch patch[VIEW_PATCHES];
	unsigned nr_patches;
};

struct view {
	spinlock_t lock; /* of the pages, and of the vCPUs' lists of open ones */
	unsigned nr;
	struct view_page page[VIEW_PAGES];
	u32 changes; /* of the tables */
	struct sppt sppt;
	/* Copies that are not mapped any more, but a vCPU may still execute them. */
	unsigned nr_old;
	u8 *old[VIEW_PAGES];
};

/* Of a vCPU. */
struct view_vcpu {
	struct ept_view tables;
	bool active;   /* it uses them */
	bool told;     /* the watcher has been told of an access */
	bool in_event; /* the instruction is the delivery of an event */
	unsigned nr;
	struct {
		gpa_t gpa;
		unsigned kinds;
	} open[MAX_OPEN];
	u32 changes; /* view.changes that it knows */
};

static const struct view_watcher *watcher;

static void load(struct vcpu *vcpu);
static const struct view_ops ops;

void view_set_watcher(const struct view_watcher *w)
{
	watcher = w;
}

static struct view_page *find(struct view *view, gpa_t gpa)
{
	for (unsigned i = 0; i < view->nr; i++)
		if (view->page[i].gpa == ALIGN_DOWN(gpa, PAGE_SIZE))
			return &view->page[i];
	return NULL;
}

/* ---- Permissions ---- */

/* What the VM's tables allow. */
static unsigned closed_prot(const struct ept *ept, const struct view_page *page)
{
	unsigned prot = page->own.prot & ~page->watched;

	return ept_prot_below(ept, page->copy ? prot & EPT_X : prot);
}

/* The same for ept_hold(): with EPT_SUBPAGE where the CPU can allow the writes that are not
 * watched. */
static unsigned held_prot(const struct ept *ept, const struct view_page *page)
{
	unsigned prot = closed_prot(ept, page);
	bool others = ept->caps.subpage && page->own.prot & EPT_W && ~page->parts;

	return others && !page->copy && (prot & (EPT_R | EPT_W)) == EPT_R ? prot | EPT_SUBPAGE
									  : prot;
}

/* What a view allows in which the page is open for @kinds. */
static unsigned open_prot(const struct ept *ept, const struct view_page *page, unsigned kinds)
{
	return ept_prot_above(ept, closed_prot(ept, page) | kinds) & page->own.prot;
}

/* What a page of the VM's tables, or one that is open for @kinds, is mapped to. Data is the guest's
 * own. While data of a patched page is open, code there is the guest's own, too: no instruction
 * that begins with a patch accesses data. */
static hpa_t target(const struct view_page *page, unsigned kinds)
{
	if (page->copy && !(kinds & (EPT_R | EPT_W)))
		return virt_to_phys(page->copy);
	return page->own.hpa;
}

static unsigned memtype(const struct view_page *page, unsigned kinds)
{
	return target(page, kinds) == page->own.hpa ? page->own.memtype : MEMTYPE_WB;
}

/* ---- Patches ---- */

static struct patch *find_patch(struct view_page *page, gpa_t gpa)
{
	for (unsigned i = 0; i < page->nr_patches; i++)
		if (page->patch[i].offset == (gpa & ~PAGE_MASK))
			return &page->patch[i];
	return NULL;
}

/* Have the copy follow the guest's bytes. Only bytes that differ are written, because other CPUs
 * execute the copy meanwhile. */
static void update_copy(struct vm *vm, struct view_page *page)
{
	const u8 *bytes = (const u8 *)gfn_to_hva(vm, page->gpa >> PAGE_SHIFT);

	for (u64 i = 0; i < PAGE_SIZE; i++) {
		const struct patch *patch;

		if (page->copy[i] == bytes[i])
			continue;
		patch = find_patch(page, i);
		__atomic_store_n(&page->copy[i], patch ? patch->byte : bytes[i], __ATOMIC_RELAXED);
	}
}

static void written(struct vm *vm, gpa_t gpa)
{
	struct view_page *page;

	spin_lock(&vm->view->lock);
	page = find(vm->view, gpa);
	if (page && page->copy)
		update_copy(vm, page);
	spin_unlock(&vm->view->lock);
}

/* ---- Changes of the VM's tables ---- */

/* Does @vcpu still use old tables, or can it? Read the change before the state, as in intercepts.c.
 */
static bool is_behind(const struct vcpu *vcpu, u32 changes)
{
	return (s32)(__atomic_load_n(&vcpu->view->changes, __ATOMIC_ACQUIRE) - changes) < 0 &&
	       __atomic_load_n(&vcpu->mp_state, __ATOMIC_ACQUIRE) == MP_STATE_RUNNABLE;
}

/* Free @copy when nobody executes it any more. With the lock. (With a vCPU that never answers,
 * there may be no room; then it is never freed.) */
static void retire_copy(struct view *view, u8 *copy)
{
	if (copy && view->nr_old < VIEW_PAGES)
		view->old[view->nr_old++] = copy;
}

/* How many copies there are to be freed. */
static unsigned old_copies(struct view *view)
{
	unsigned nr;

	spin_lock(&view->lock);
	nr = view->nr_old;
	spin_unlock(&view->lock);
	return nr;
}

/* Free the first @nr of them. */
static void free_copies(struct view *view, unsigned nr)
{
	spin_lock(&view->lock);
	for (unsigned i = 0; i < nr; i++)
		page_free(view->old[i]);
	view->nr_old -= nr;
	memmove(view->old, view->old + nr, view->nr_old * sizeof(*view->old));
	spin_unlock(&view->lock);
}

/* Have all vCPUs look at the tables again. Returns the number of this change. */
static u32 request_all(struct vm *vm)
{
	u32 changes = __atomic_add_fetch(&vm->view->changes, 1, __ATOMIC_SEQ_CST);

	for (unsigned i = 0; i < vm->nr_vcpus; i++)
		vcpu_make_request(vm->vcpus[i], REQ_VIEW);
	return changes;
}

/* Have all vCPUs use the tables as they are now, and free what nobody uses any more; if not all
 * answer, the next call does. */
static void publish(struct vm *vm)
{
	u64 *retired = ept_take_retired(&vm->ept);
	unsigned old = old_copies(vm->view);
	u32 changes = request_all(vm);
	unsigned polls = 0;
	bool all = true;

	for (unsigned i = 0; i < vm->nr_vcpus; i++) {
		while (is_behind(vm->vcpus[i], changes) && polls++ < MAX_POLLS) {
			load(this_cpu()->vcpu);
			cpu_relax();
		}
		all &= !is_behind(vm->vcpus[i], changes);
	}
	if (!all) {
		ept_retire_again(&vm->ept, retired);
		return;
	}
	ept_free_retired(&vm->ept, retired);
	free_copies(vm->view, old);
}

/* Allocate what a VM needs. */
static int create(struct vm *vm)
{
	struct view *view;

	_Static_assert(sizeof(struct view_vcpu) <= PAGE_SIZE, "it is one page");
	for (unsigned i = 0; i < vm->nr_vcpus; i++) {
		struct vcpu *vcpu = vm->vcpus[i];

		if (!vcpu->view)
			vcpu->view = page_alloc();
		if (!vcpu->view)
			return -ENOMEM;
		if (!vcpu->view->tables.nr_tables && ept_view_init(&vcpu->view->tables, &vm->ept)) {
			ept_view_free(&vcpu->view->tables, &vm->ept);
			return -ENOMEM;
		}
	}
	view = pages_alloc(ALIGN_UP(sizeof(*view), PAGE_SIZE) / PAGE_SIZE);
	if (!view)
		return -ENOMEM;
	vm->view = view;
	__atomic_store_n(&vm->view_ops, &ops, __ATOMIC_RELEASE);
	return 0;
}

/* Find the page of @gpa, or add it. With the lock. */
static int get_page(struct vm *vm, gpa_t gpa, struct view_page **page)
{
	struct view *view = vm->view;
	struct ept_mapping own;

	gpa = ALIGN_DOWN(gpa, PAGE_SIZE);
	*page = find(view, gpa);
	if (*page)
		return 0;
	if (!ept_walk(&vm->ept, gpa, &own))
		return -EFAULT;
	if (view->nr == VIEW_PAGES)
		return -ENOSPC;
	*page = &view->page[view->nr++];
	**page = (struct view_page){.gpa = gpa, .own = own};
	return 0;
}

/* Write the page into the VM's tables, or forget it when nothing is left to do. With the lock. */
static int put_page(struct vm *vm, struct view_page *page)
{
	struct view *view = vm->view;
	int r;

	if (page->watched || page->nr_patches) {
		unsigned prot = held_prot(&vm->ept, page);

		if (prot & EPT_SUBPAGE && sppt_set(&view->sppt, &vm->ept, page->gpa, ~page->parts))
			return -ENOMEM;
		return ept_hold(&vm->ept, page->gpa, target(page, 0), prot, memtype(page, 0));
	}
	r = ept_map(&vm->ept, page->gpa, page->own.hpa, PAGE_SIZE, page->own.prot,
		    page->own.memtype);
	*page = view->page[--view->nr];
	return r;
}

/* Check what @gpa is, and allocate what a VM needs. */
static int prepare(struct vm *vm, gpa_t gpa)
{
	if (vm->shadow_ops)
		return -ENOSYS;
	if (vm->ops->keeps_page(vm, gpa))
		return -EBUSY;
	return vm->view ? 0 : create(vm);
}

int view_watch(struct vm *vm, gpa_t gpa, unsigned kinds, u32 parts)
{
	struct view_page *page;
	int r = prepare(vm, gpa);

	if (r)
		return r;
	spin_lock(&vm->view->lock);
	r = get_page(vm, gpa, &page);
	if (!r) {
		unsigned old = page->watched;

		page->watched = kinds & EPT_RWX;
		page->parts = parts;
		r = put_page(vm, page);
		if (r) {
			page->watched = old;
			page->parts = ~0u;
			put_page(vm, page);
		}
	}
	spin_unlock(&vm->view->lock);
	if (!r)
		publish(vm);
	return r;
}

/* Make a patch on @page. With the lock. */
static int add_patch(struct vm *vm, struct view_page *page, gpa_t gpa, u8 byte)
{
	struct patch *patch = find_patch(page, gpa);
	const void *bytes = (const void *)gfn_to_hva(vm, gpa >> PAGE_SHIFT);

	if (!patch && page->nr_patches == VIEW_PATCHES)
		return -ENOSPC;
	if (!bytes)
		return -EFAULT;
	if (!page->copy) {
		page->copy = page_alloc();
		if (!page->copy)
			return -ENOMEM;
		memcpy(page->copy, bytes, PAGE_SIZE);
	}
	if (!patch)
		patch = &page->patch[page->nr_patches++];
	*patch = (struct patch){(u16)(gpa & ~PAGE_MASK), byte};
	__atomic_store_n(&page->copy[patch->offset], byte, __ATOMIC_RELEASE);
	return 0;
}

/* Remove patch number @i. With the lock. Returns the copy, which is to be freed, if it was the last
 * one. */
static u8 *remove_patch(struct vm *vm, struct view_page *page, unsigned i)
{
	u8 *copy = page->copy;

	page->patch[i] = page->patch[--page->nr_patches];
	if (page->nr_patches) {
		update_copy(vm, page);
		return NULL;
	}
	page->copy = NULL;
	return copy;
}

/* With the lock. A page that cannot be patched is left as it was. */
static int patch_page(struct vm *vm, gpa_t gpa, u8 byte)
{
	struct view_page *page;
	int r = get_page(vm, gpa, &page);

	if (r)
		return r;
	r = add_patch(vm, page, gpa, byte);
	if (!r)
		r = put_page(vm, page);
	if (r == -ENOMEM && page->copy && page->nr_patches == 1) /* its first patch */
		page_free(remove_patch(vm, page, 0));
	if (r && !page->watched && !page->nr_patches)
		put_page(vm, page);
	return r;
}

int view_patch(struct vm *vm, gpa_t gpa, u8 byte)
{
	int r = vm->ept.caps.exec_only ? prepare(vm, gpa) : -EOPNOTSUPP;

	if (r)
		return r;
	spin_lock(&vm->view->lock);
	r = patch_page(vm, gpa, byte);
	spin_unlock(&vm->view->lock);
	if (!r)
		publish(vm);
	return r;
}

int view_unpatch(struct vm *vm, gpa_t gpa)
{
	struct view_page *page;
	struct patch *patch;

	if (!vm->view)
		return -ENOENT;
	spin_lock(&vm->view->lock);
	page = find(vm->view, gpa);
	patch = page ? find_patch(page, gpa) : NULL;
	if (patch) {
		retire_copy(vm->view, remove_patch(vm, page, (unsigned)(patch - page->patch)));
		put_page(vm, page);
	}
	spin_unlock(&vm->view->lock);
	if (!patch)
		return -ENOENT;
	publish(vm);
	return 0;
}

bool view_is_patched(struct vm *vm, gpa_t gpa)
{
	struct view_page *page;
	bool patched;

	if (!vm->view)
		return false;
	spin_lock(&vm->view->lock);
	page = find(vm->view, gpa);
	patched = page && find_patch(page, gpa);
	spin_unlock(&vm->view->lock);
	return patched;
}

/* ---- A vCPU's view ---- */

/* Have the vCPU use its own tables, with its list of open pages. With the lock. Returns false
 * without memory. */
static bool show(struct vcpu *vcpu)
{
	struct view_vcpu *v = vcpu->view;
	struct ept *ept = &vcpu->vm->ept;
	int r = 0;

	ept_view_begin(&v->tables, ept);
	for (unsigned i = 0; i < v->nr && !r; i++) {
		const struct view_page *page = find(vcpu->vm->view, v->open[i].gpa);
		unsigned kinds = v->open[i].kinds;

		if (page) /* else it is not watched any more */
			r = ept_view_open(&v->tables, ept, page->gpa, target(page, kinds),
					  open_prot(ept, page, kinds), memtype(page, kinds));
	}
	virt->use_tables(vcpu, ept_view_pointer(&v->tables, ept), true);
	return !r;
}

/* End the view. Pages that were open for writes have been written perhaps. */
static void end(struct vcpu *vcpu, bool done)
{
	struct view_vcpu *v = vcpu->view;
	bool told = v->told;

	spin_lock(&vcpu->vm->view->lock);
	for (unsigned i = 0; i < v->nr; i++) {
		struct view_page *page = find(vcpu->vm->view, v->open[i].gpa);

		if (page && page->copy && v->open[i].kinds & EPT_W)
			update_copy(vcpu->vm, page);
	}
	v->active = v->told = v->in_event = false;
	v->nr = 0;
	spin_unlock(&vcpu->vm->view->lock);
	virt->use_tables(vcpu, ept_pointer(&vcpu->vm->ept), false);
	if (told)
		watcher->ended(vcpu, done);
}

static void stepped(struct vcpu *vcpu)
{
	end(vcpu, true);
}

static void cancel(struct vcpu *vcpu)
{
	if (!vcpu->view->active)
		return;
	vcpu_cancel_step(vcpu, STEP_VIEW);
	end(vcpu, false);
}

static void event(struct vcpu *vcpu)
{
	u8 type = vcpu->event.type;

	if (!vcpu->view->in_event && (type == EVENT_NMI || type == EVENT_EXT_INTR))
		cancel(vcpu);
}

/* For which kinds of access the vCPU has the page open. */
static unsigned open_kinds(const struct vcpu *vcpu, const struct view_page *page)
{
	const struct view_vcpu *v = vcpu->view;

	for (unsigned i = 0; i < v->nr; i++)
		if (v->open[i].gpa == page->gpa)
			return v->open[i].kinds;
	return 0;
}

static void code(struct vcpu *vcpu, gpa_t gpa, u8 *buf, size_t n)
{
	struct view *view = vcpu->vm->view;
	const struct view_page *page;

	spin_lock(&view->lock);
	page = find(view, gpa);
	if (page && page->copy && target(page, open_kinds(vcpu, page)) != page->own.hpa)
		memcpy(buf, page->copy + (gpa & ~PAGE_MASK), n);
	spin_unlock(&view->lock);
}

/* Add the page to those that are open. With the lock. Returns false if there are too many. */
static bool add_open(struct view_vcpu *v, gpa_t gpa, unsigned kinds)
{
	unsigned i = 0;

	while (i < v->nr && v->open[i].gpa != gpa)
		i++;
	if (i == MAX_OPEN)
		return false;
	if (i == v->nr) {
		v->nr++;
		v->open[i].gpa = gpa;
		v->open[i].kinds = 0;
	}
	v->open[i].kinds |= kinds;
	return true;
}

/* Open @page for @kinds, for one instruction. With the lock. */
static bool open_page(struct vcpu *vcpu, const struct view_page *page, unsigned kinds)
{
	struct view_vcpu *v = vcpu->view;

	if (!v->active) {
		v->active = true;
		v->in_event = vcpu->event.valid;
		/* Or a guest with many of them would come no further. */
		virt->delay_interrupts(vcpu);
		vcpu_step(vcpu, STEP_VIEW, stepped);
	}
	return add_open(v, page->gpa, kinds) && show(vcpu);
}

/* There is no memory for the vCPU's tables: open the page for all, and for good. With the lock. */
static void give_up(struct vcpu *vcpu, struct view_page *page)
{
	pr_warn("vCPU %u: no memory left to watch guest-physical %lx, or one instruction needs too "
		"many pages: it is not watched any more, and breakpoints there are removed\n",
		vcpu->id, page->gpa);
	page->watched = 0;
	page->nr_patches = 0;
	retire_copy(vcpu->vm->view, page->copy);
	page->copy = NULL;
	put_page(vcpu->vm, page);
	show(vcpu);
	request_all(vcpu->vm); /* it cannot wait here for the others, which may want the lock */
}

void view_skip_patch(struct vcpu *vcpu, gpa_t gpa)
{
	struct view_page *page;

	if (!vcpu->vm->view)
		return;
	spin_lock(&vcpu->vm->view->lock);
	page = find(vcpu->vm->view, gpa);
	if (page && page->copy && !open_page(vcpu, page, EPT_R | EPT_X))
		give_up(vcpu, page);
	spin_unlock(&vcpu->vm->view->lock);
}

/* What the CPU wanted, as permissions. */
static unsigned kinds_of(const struct page_fault *fault)
{
	if (fault->fetch)
		return EPT_X;
	return fault->write ? EPT_W : EPT_R;
}

/* Open the page of the fault, if it is one of ours and the guest may access it. Returns false if it
 * is none. *@tell: the watcher wants to know. */
static bool open_fault(struct vcpu *vcpu, const struct page_fault *fault, bool *tell)
{
	struct view *view = vcpu->vm->view;
	unsigned kinds = kinds_of(fault);
	struct view_page *page;

	spin_lock(&view->lock);
	page = find(view, fault->address);
	if (page && kinds & ~page->own.prot)
		page = NULL;
	/* Where the tables allow it, the CPU has used an old translation. */
	if (page && (vcpu->view->active || kinds & ~closed_prot(&vcpu->vm->ept, page))) {
		*tell = page->watched;
		if (!open_page(vcpu, page, kinds))
			give_up(vcpu, page);
	}
	spin_unlock(&view->lock);
	return page;
}

/* A fault elsewhere: the VM's. What it has mapped, the vCPU's view must have, too. */
static int other_fault(struct vcpu *vcpu, const struct page_fault *fault)
{
	int r = vcpu->vm->ops->page_fault(vcpu, fault);

	if (vcpu->view->active) {
		spin_lock(&vcpu->vm->view->lock);
		show(vcpu);
		spin_unlock(&vcpu->vm->view->lock);
	}
	return r;
}

static int view_page_fault(struct vcpu *vcpu, const struct page_fault *fault)
{
	struct view_access access = {
		.gpa = fault->address,
		.kind = kinds_of(fault),
		.table = fault->table,
		.event = vcpu->event.valid,
	};
	bool tell = false;

	if (!open_fault(vcpu, fault, &tell))
		return other_fault(vcpu, fault);
	if (tell) {
		vcpu->view->told = true;
		watcher->accesses(vcpu, &access);
	}
	return 1;
}

static void load(struct vcpu *vcpu)
{
	struct view *view;
	u32 changes;

	if (!(__atomic_load_n(&vcpu->requests, __ATOMIC_ACQUIRE) & REQ_VIEW))
		return;
	__atomic_and_fetch(&vcpu->requests, ~(u32)REQ_VIEW, __ATOMIC_SEQ_CST);
	view = vcpu->vm->view;
	changes = __atomic_load_n(&view->changes, __ATOMIC_ACQUIRE);
	if (view->sppt.root)
		virt->use_subpages(vcpu, sppt_pointer(&view->sppt, &vcpu->vm->ept));
	virt->flush_tlb(vcpu);
	if (vcpu->view->active) {
		spin_lock(&view->lock);
		show(vcpu);
		spin_unlock(&view->lock);
	}
	__atomic_store_n(&vcpu->view->changes, changes, __ATOMIC_RELEASE);
}

static const struct view_ops ops = {
	.page_fault = view_page_fault,
	.written = written,
	.code = code,
	.load = load,
	.cancel = cancel,
	.event = event,
};
