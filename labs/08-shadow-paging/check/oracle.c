/* SPDX-License-Identifier: MIT */
/*
 * See oracle.h.
 */
#include "labs/08-shadow-paging/check/oracle.h"
#include "arch/x86/cpu.h"
#include "vmm/memslot.h"

u64 *oracle_entry(struct vm *vm, gpa_t at)
{
	u64 page = gfn_to_hva(vm, at / 4096);

	return page ? (u64 *)(page + at % 4096) : NULL;
}

bool oracle_allows(const struct paging_mode *mode, u32 access, unsigned acc)
{
	bool user_page = acc & ACC_U, writable = acc & ACC_W, executable = acc & ACC_X;

	if (access & PF_ERROR_U) {
		if (!user_page)
			return false;
		if (access & PF_ERROR_FETCH)
			return executable;
		return writable || !(access & PF_ERROR_W);
	}
	if (access & PF_ERROR_FETCH)
		return executable && !(user_page && mode->smep);
	if (user_page && mode->smap && !(access & WALK_AC))
		return false;
	if (access & PF_ERROR_W)
		return writable || !mode->wp;
	return true;
}

u32 oracle_error(const struct paging_mode *mode, u32 access)
{
	u32 error = 0;

	if (access & PF_ERROR_W)
		error += PF_ERROR_W;
	if (access & PF_ERROR_U)
		error += PF_ERROR_U;
	if (access & PF_ERROR_FETCH && (mode->nx || mode->smep))
		error += PF_ERROR_FETCH;
	return error;
}

/* The bits of @entry that must be 0 and are not. */
static u64 reserved(const struct paging_mode *mode, int level, u64 entry)
{
	u64 address = entry & 0x000ffffffffff000ull, wrong = address >> mode->phys_bits;

	if (!mode->nx)
		wrong |= entry >> 63;
	if (!(entry & PT_PS) || level == 1)
		return wrong;
	if (level == 4 || (level == 3 && !mode->page_1g))
		return 1;
	return wrong | (level == 3 ? address & 0x3fffe000 : address & 0x1fe000);
}

void oracle_walk(const struct guest_walk *w, bool rights, struct answer *a)
{
	gpa_t table = w->table;
	u64 below = 0; /* bytes that an entry covers, less 1 */

	*a = (struct answer){.fault = true, .acc = w->acc};
	a->error = oracle_error(w->mode, w->access);
	for (int level = w->top; level; level--) {
		unsigned shift = 3 + 9 * (unsigned)level;
		u64 entry, *place;

		a->level = level;
		a->at[level] = table + (w->gva >> shift) % 512 * 8;
		a->rights[level] = (u8)a->acc;
		place = oracle_entry(w->vm, a->at[level]);
		entry = a->entry[level] = place ? *place : ~0ull;
		if (!(entry & PT_P))
			return;
		if (reserved(w->mode, level, entry)) {
			a->error |= PF_ERROR_P | PF_ERROR_RSVD;
			return;
		}
		if (!(entry & PT_W))
			a->acc &= ~ACC_W;
		if (!(entry & PT_U))
			a->acc &= ~ACC_U;
		if (entry >> 63)
			a->acc &= ~ACC_X;
		table = entry & 0x000ffffffffff000ull;
		below = (1ull << shift) - 1;
		if (entry & PT_PS)
			break;
	}
	a->fault = rights && !oracle_allows(w->mode, w->access, a->acc);
	if (a->fault)
		a->error |= PF_ERROR_P;
	a->gpa = (table & ~below) | (w->gva & below);
}
