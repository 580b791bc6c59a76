/* SPDX-License-Identifier: MIT */
/*
 * The guest's accesses to Glasshouse's own memory: it reads as all ones, writes are dropped.
 */
#ifndef GH_VMM_VM0_HIDDEN_H
#define GH_VMM_VM0_HIDDEN_H

#include "vmm/mmu.h"
#include "vmm/vm0/vm0.h"

/* Emulate the access of @fault, which is to hidden memory. Returns what an exit handler returns. */
int emulate_hidden_access(struct vcpu *vcpu, const struct page_fault *fault);

/* Map a read-only page of all ones at the page of @gpa: it reads as if there were no memory.
 * Returns 0 or -ENOMEM. */
int map_ones(struct vm0 *vm0, gpa_t gpa);

#endif
