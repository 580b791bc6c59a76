/* SPDX-License-Identifier: MIT */
/*
 * The parts of the check of lab 8. Each function returns what is wrong, or NULL.
 */
#ifndef GH_LABS_08_LAB8_H
#define GH_LABS_08_LAB8_H

#include "labs/08-shadow-paging/check/oracle.h"
#include "vmm/vcpu.h"

/* Guest-physical: tables of levels 4 to 1, in memory that the guest does not use. */
#define TABLES     0x3000000ull
#define NR_TABLES  4
#define TABLE(lvl) (TABLES + (4 - (u64)(lvl)) * 4096)

/* Make random tables for @gva, which lead to @page; all present and without reserved bits if
 * @valid. (tables.c) */
void make_tables(struct vm *vm, gva_t gva, gpa_t page, bool valid);

/* A random address that is canonical, and a random access. */
gva_t random_gva(void);
u32 random_access(void);

/* walks.c: tests 1 to 4; and each walk while the guest runs. */
const char *check_find_leaf(struct vm *vm), *check_access_error(void), *check_may_access(void),
	*check_mark_accessed(struct vm *vm);
void watch_walks(bool on);
const char *watched_walks(u64 *count);

/* fixes.c: tests 5 to 8. */
const char *check_leaf_rights(void), *check_spte(void), *check_choose(struct vcpu *vcpu),
	*check_map(struct vcpu *vcpu);

#endif
