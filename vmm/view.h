/* SPDX-License-Identifier: MIT */
/*
 * Views of a VM's memory: pages whose accesses are seen (watched), and pages whose code differs
 * from what the guest reads (patched, for breakpoints).
 *
 * In the VM's second-level tables such a page lacks the permissions of the accesses that are to be
 * seen; a patched page is mapped to a copy that can be executed only, while reads and writes reach
 * the guest's own bytes. An access that is not allowed exits. The vCPU that made it, and no other,
 * then uses tables of its own, in which the page is open for that access, for one instruction
 * (step.h); the CPU itself carries the access out. If the instruction accesses other such pages, it
 * exits again, and they are opened, too.
 *
 * What Glasshouse accesses for the guest (INS and OUTS of ports that exit, task switches, stores to
 * the local APIC) and what devices access is not seen; but what write_guest() writes to a patched
 * page does reach the copy.
 *
 * view_watch(), view_patch() and view_unpatch() may be called while vCPUs run, by one CPU at a
 * time, in root mode. They wait until each vCPU uses the new tables, for some milliseconds at most.
 * One that has not answered by then uses them from its next exit on.
 */
#ifndef GH_VMM_VIEW_H
#define GH_VMM_VIEW_H

#include "types.h"

#define VIEW_PAGES   32 /* of a VM that are watched or patched */
#define VIEW_PATCHES 32 /* on one page */

struct vcpu;
struct vm;

/* An access of the guest to a watched page. */
struct view_access {
	/* Of the first byte of the access on the page, as the CPU reports it. */
	gpa_t gpa;
	unsigned kind; /* EPT_R, EPT_W (perhaps also a read), or EPT_X */
	bool table;    /* a page walk of the CPU has read, or has set flags in, an entry there */
	bool event;    /* it is part of the delivery of an interrupt or exception */
};

/* Who is told. Both are called on the vCPU's CPU, in root mode. */
struct view_watcher {
	/* The guest makes @access, which is not carried out yet. For one instruction or delivery,
	 * at most once for each page and kind. Of other kinds than the watched ones, too, where the
	 * CPU cannot forbid those alone: a page that cannot be read cannot be written, and only
	 * CPUs with execute-only pages can forbid reads without instruction fetches. */
	void (*accesses)(struct vcpu *vcpu, const struct view_access *access);
	/* After one or more calls of accesses(): the instruction, the iteration of a REP, or the
	 * delivery has ended, perhaps with an exception. Not @done: an interrupt, an NMI or an INIT
	 * has come before it, so it has not been executed; it will access the page again. */
	void (*ended)(struct vcpu *vcpu, bool done);
};

/* Set the watcher, of all VMs. Before the first call of view_watch(). */
void view_set_watcher(const struct view_watcher *watcher);

/*
 * Watch accesses of @kinds (EPT_R, EPT_W, EPT_X, together) to the page of guest-physical @gpa,
 * instead of those before; 0: none. @parts: the parts of 128 bytes (bit 0: the first) to which
 * writes are to be seen; writes to others are not reported where the CPU has sub-page write
 * permissions.
 *
 * Returns 0, or
 *   -ENOSYS      the CPU does not use the VM's second-level tables
 *   -EFAULT      nothing is mapped at @gpa
 *   -EBUSY       the page is Glasshouse's, or the local APIC's while that is trapped
 *   -ENOSPC      VIEW_PAGES other pages are watched or patched
 *   -ENOMEM
 */
int view_watch(struct vm *vm, gpa_t gpa, unsigned kinds, u32 parts);

/*
 * Have the guest execute @byte at guest-physical @gpa, while it reads and writes its own byte
 * there; instead of an older patch there. Returns 0; errors as view_watch(); -EOPNOTSUPP: the CPU
 * has no execute-only pages; -EFAULT also if @gpa is no memory; -ENOSPC also for too many patches
 * on a page.
 */
int view_patch(struct vm *vm, gpa_t gpa, u8 byte);

/* Remove a patch. Returns 0; -ENOENT if there is none at @gpa. */
int view_unpatch(struct vm *vm, gpa_t gpa);

/* Is there a patch at @gpa? For the handler of a #BP that exits: RIP is still that of the INT3. */
bool view_is_patched(struct vm *vm, gpa_t gpa);

/*
 * Let @vcpu execute its next instruction, at guest-physical @gpa, as the guest's own bytes say,
 * without the patches of that page; all others execute the patches. On the vCPU's CPU, in root
 * mode. Nothing happens if the page is not patched. It may be combined with a vcpu_step() of the
 * caller's. An interrupt may come before the instruction: then that is what vcpu_step() reports,
 * and the instruction is executed with the patch when the guest comes back to it.
 */
void view_skip_patch(struct vcpu *vcpu, gpa_t gpa);

#endif
