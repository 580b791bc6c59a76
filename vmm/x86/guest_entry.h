/* SPDX-License-Identifier: MIT */
/*
 * What an entry of a guest's page tables is, in every mode of paging. SDM: "32-Bit Paging", "PAE
 * Paging", "4-Level Paging and 5-Level Paging".
 */
#ifndef GH_GUEST_ENTRY_H
#define GH_GUEST_ENTRY_H

#include "bits.h"
#include "types.h"

struct vm;

/* Bits of entries, the same in all modes. */
#define PT_P    BIT(0)
#define PT_W    BIT(1)
#define PT_U    BIT(2)
#define PT_PWT  BIT(3)
#define PT_PCD  BIT(4)
#define PT_A    BIT(5)
#define PT_D    BIT(6)
#define PT_PS   BIT(7) /* above level 1: maps a page */
#define PT_PAT  BIT(7) /* at level 1 */
#define PT_G    BIT(8)
#define PT_NX   BIT(63)
#define PT_ADDR GENMASK(51, 12)

#define PT_LARGE_PAT BIT(12) /* in an entry with PT_PS */
#define PT_KEY_MASK  GENMASK(62, 59)
#define PT_MAX_LEVEL 5

/* Rights, of one entry or of several together. */
#define ACC_X   1u
#define ACC_W   2u
#define ACC_U   4u
#define ACC_ALL 7u

/* How the CPU translates linear addresses: from CR0, CR3, CR4 and IA32_EFER. */
struct paging_mode {
	u8 levels;     /* 0: no paging; 2: 32-bit; 3: PAE; 4 and 5: IA-32e */
	u8 entry_size; /* bytes */
	u8 index_bits; /* log2 of the entries in a table */
	u8 phys_bits;  /* width of physical addresses */
	bool pse;      /* 32-bit paging: 4-MiB pages */
	bool page_1g;  /* the CPU has 1-GiB pages */
	bool nx, wp, smep, smap, pke, pks;
	u64 root; /* guest-physical address of the top table */
	const u64
		*pdpte; /* PAE: the four, as the CPU has loaded them; NULL: read them from memory */
};

/* The guest-physical address of the top table that @cr3 names. */
static inline u64 walk_root(const struct paging_mode *mode, u64 cr3)
{
	if (mode->levels > 3)
		return cr3 & PT_ADDR;
	return cr3 & (mode->levels == 3 ? GENMASK(31, 5) : GENMASK(31, 12));
}

/* Does @entry of @level, which is present, map a page? Not for the PDPTEs of PAE paging. */
static inline bool is_leaf_entry(const struct paging_mode *mode, int level, u64 entry)
{
	return level == 1 || (entry & PT_PS && (mode->entry_size == 8 || mode->pse) &&
			      !(mode->levels == 3 && level == 3));
}

/* The bits of which none may be 1 in a present entry of @level that maps a page, or not (@leaf).
 * Not for the PDPTEs of PAE paging, which the CPU checks when it loads them. */
u64 walk_reserved(const struct paging_mode *mode, int level, bool leaf);

/* The guest-physical address of the page that the leaf @entry of @level maps. */
gpa_t walk_page(const struct paging_mode *mode, int level, u64 entry);

/* The rights that @entry alone gives. */
static inline unsigned entry_acc(u64 entry)
{
	return (unsigned)(entry & (PT_W | PT_U)) | (entry & PT_NX ? 0 : ACC_X);
}

/* log2 of the bytes that an entry of @level covers. */
static inline unsigned level_shift(const struct paging_mode *mode, int level)
{
	return PAGE_SHIFT + mode->index_bits * (unsigned)(level - 1);
}

/* The guest-physical address of the table that @entry points to. */
static inline gpa_t walk_table(const struct paging_mode *mode, u64 entry)
{
	return entry & (mode->entry_size == 4 ? GENMASK(31, 12) : PT_ADDR);
}

/* Returns the entry of @size bytes (4 or 8) at guest-physical @at, and where it is in the host in
 * *@host: NULL outside of memory, which reads as all ones. */
u64 read_guest_entry(struct vm *vm, gpa_t at, unsigned size, void **host);

/* Set @flags in the entry of @size bytes at @host, which has been read as *@entry, and in *@entry.
 * Does nothing and returns false if it is another one now. Without @host: in *@entry only. */
bool set_entry_flags(void *host, u64 *entry, u64 flags, unsigned size);

#endif
