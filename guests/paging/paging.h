/* SPDX-License-Identifier: MIT */
/*
 * What the files of the paging guest share: accesses whose outcome is recorded, the memory that
 * they go to, and the groups of tests.
 */
#ifndef PAGING_H
#define PAGING_H

/* An access: one of the first three, and flags. */
#define KIND_READ  0
#define KIND_WRITE 1
#define KIND_FETCH 2
#define KIND_USER  4
#define KIND_AC    8
#define KINDS      12

/* Offsets in struct probe. */
#define PROBE_AFTER  40
#define PROBE_KIND   80
#define PROBE_VECTOR 84
#define PROBE_ERROR  88
#define PROBE_DATA   92
#define PROBE_CR2    96
#define PROBE_RIP    104
#define PROBE_SIZE   112

/* Selectors of the guest's own GDT, in 64-bit mode; and in legacy_gdt. */
#define USER_DATA   0x23
#define USER_CODE   0x2b
#define TSS64       0x30
#define LDT         0x40
#define USER_DATA32 0x33
#define USER_CODE32 0x3b
#define TSS32       0x40

/* What the access writes and fetches: INT3, which ends it. */
#define MARK 0xcc

/* Where the code for CPL 3 is mapped, in 64-bit mode; and in the two modes of 32 bits. */
#define USER_STUB   0x20000000000
#define USER_STUB32 0x80000000

#ifndef __ASSEMBLER__
#include "guests/lib/guest.h"
#include "guests/paging/walk.h"

/* Memory of the tests: physical addresses that nothing else uses. */
#define MEMORY     MIB(32)
#define TARGET     (MEMORY + 0x5010)               /* what the groups of rights access */
#define FRAME(i)   (MEMORY + MIB(1) + (i)*4096ull) /* 256 pages */
#define BIG(i)     (MEMORY + MIB(2) * (1 + (i)))   /* 4 pages of 2 MiB */
#define NOT_MEMORY 0x90000000ull                   /* reads as all ones */

/* The test's own entries of the 64-bit root: nothing of the guest is there. */
#define TEST_SLOT 3
#define TEST_VA   ((u64)TEST_SLOT << 39)

struct probe {
	u64 entry[WALK_LEVELS]; /* [0]: the PTE. What the walk finds */
	u64 after[WALK_LEVELS]; /* what it leaves */
	u32 kind;
	u32 vector; /* BP_VECTOR: no exception but INT3 */
	u32 error;
	u32 data; /* what was read */
	u64 cr2, rip;
};
_Static_assert(sizeof(struct probe) == PROBE_SIZE, "PROBE_SIZE");

/* Map the code for CPL 3, and load a GDT with segments for it and a TSS. Once, on the first CPU. */
void probe_init(void);

/* Load that GDT and TSS again. */
void probe_load_gdt(void);

/* Load LDTR with a table of two descriptors at @base. */
void probe_load_ldt(u64 base);

/* Access @va as @kind says, in 64-bit mode, and store the outcome from @probe->vector on. */
void probe_run(struct probe *probe, unsigned kind, u64 va);

/* Read the byte at @va at CPL 0. Returns it, or -1 at an exception. */
int peek(u64 va);

/* Execute the byte at @va, an INT3, at CPL 0. Returns false if it was another exception. */
bool fetches(u64 va);

/* The outcome of the last of these. */
const struct probe *last_peek(void);

/*
 * In protected mode with paging: write @probe's entries to @entries (their addresses by level), do
 * the access, and store the outcome; for @count of them. CR3, CR4 and the flags of CR0 are given;
 * with CR4.PAE, @entries[2] is a PDPTE.
 */
struct batch32 {
	u32 cr0, cr3, cr4, va;
	u32 entries[3];
	u32 count;
};
extern struct batch32 batch32;
void batch32_run(struct probe *probes);

/* A flag of the register in effect or not. */
void set_cr0(u64 bit, bool on);
void set_cr4(u64 bit, bool on);
void set_nxe(bool on);
void write_pkru(u32 value);

/* The next number of a sequence that is the same in each run. */
u64 random(void);

void check_rights(void);        /* rights.c: what the tables allow, against sdm_walk() */
void check_legacy_rights(void); /* the same outside of long mode */
void check_stale(void);         /* stale.c: changes of tables, and invalidation */
void check_changes(void);       /* changes.c: random tables, against sdm_walk() */
void check_pcid(void);          /* pcid.c */
void check_odd(void);           /* odd.c: tables in odd places, and odd accesses */
void check_pdptes(void);        /* pdptes.c */
void check_smp(unsigned n);     /* smp.c: @n CPUs use what one changes */

extern u64 pml4[512], pdpt[512]; /* head.S */
#endif
#endif
