/* SPDX-License-Identifier: MIT */
/*
 * The guest's accesses to Glasshouse's own memory: it reads as all ones, except the logs, and
 * writes are dropped.
 */
#ifndef GH_VMM_VM0_HIDDEN_H
#define GH_VMM_VM0_HIDDEN_H

#include "vmm/mmu.h"
#include "vmm/vm0/vm0.h"

/* Emulate the access of @fault, which is to hidden memory. Returns what an exit handler returns. */
int emulate_hidden_access(struct vcpu *vcpu, const struct page_fault *fault);

/* Map, read-only, what the page of @gpa holds for the guest: the log, if it is a page of it, else
 * all ones, as if there were no memory. Returns 0 or -ENOMEM. */
int map_hidden(struct vm0 *vm0, gpa_t gpa);

#endif
