// SPDX-License-Identifier: MIT
/*
 * INS and OUTS at a port that a hypervisor intercepts: the keyboard controller's. SDM: "INS/INSB/
 * INSW/INSD—Input from Port to String", "OUTS/OUTSB/OUTSW/OUTSD—Output String to Port".
 */
#include "guests/arch/arch.h"

#include "arch/x86/cpu.h"
#include "arch/x86/io.h"
#include "arch/x86/msr.h"

#define KBC       0x64
#define SELF_TEST 0xaa /* a command; the answer, at port 60h, is 55h */

extern u64 legacy_gdt[32], idt32[64];
extern const u8 on_gp[];
extern u32 faults;
void run_strings(void);
void legacy_call(void (*code32)(void));

u32 string_found[8];
u8 string_buffer[16];

static u8 page[4096] __aligned(4096);

struct regs {
	u64 rdi, rsi, rcx;
};

/* Execute @instruction with the registers @r, and store the new ones there. Yields the vector of
 * its exception, or NO_TRAP. */
#define STRING(instruction, r)                                                                  \
	({                                                                                      \
		u64 trap_;                                                                      \
		trap.vector = NO_TRAP;                                                          \
		asm volatile("leaq 9f(%%rip), %%r11\n\tmovq %%r11, trap_resume\n\t" instruction \
			     "\n9:\tmovq $0, trap_resume"                                       \
			     : "+D"((r).rdi), "+S"((r).rsi), "+c"((r).rcx)                      \
			     : "d"(KBC)                                                         \
			     : "r11", "memory", "cc");                                          \
		trap_ = trap.vector;                                                            \
		trap_;                                                                          \
	})

/* True if the keyboard controller has executed SELF_TEST. */
static bool tested_itself(void)
{
	for (int i = 0; i < 1000 && !(inb(KBC) & 1); i++)
		wait_ticks(1000);
	return inb(KBC) & 1 && inb(0x60) == 0x55;
}

static void check_addresses(void)
{
	u64 at = (u64)page, fs = rdmsr(MSR_FS_BASE);
	struct regs r = {.rsi = at};

	page[0] = SELF_TEST;
	ok(STRING("outsb", r) == NO_TRAP && r.rsi == at + 1 && tested_itself(), "OUTSB");
	r.rsi = at | 0xf00000000;
	ok(STRING("addr32 outsb", r) == NO_TRAP && r.rsi == at + 1 && tested_itself(),
	   "OUTSB with 32-bit addresses clears RSI's upper half");
	wrmsr(MSR_FS_BASE, 0x1000);
	r.rsi = at - 0x1000;
	ok(STRING("fs outsb", r) == NO_TRAP && r.rsi == at - 0xfff && tested_itself(),
	   "OUTSB from FS");
	wrmsr(MSR_FS_BASE, fs);

	page[0] = page[1] = page[2] = page[3] = 0xee;
	r = (struct regs){.rdi = at | 0xf00000000, .rcx = 0xf00000003};
	ok(STRING("addr32 rep insb", r) == NO_TRAP && r.rdi == at + 3 && r.rcx == 0,
	   "REP INSB with 32-bit addresses counts by ECX");
	ok(page[0] == page[2] && page[0] != 0xee && page[3] == 0xee, "three bytes");
	page[0] = 0xee;
	r = (struct regs){.rdi = at + 2, .rcx = 2};
	ok(STRING("std; rep insb; cld", r) == NO_TRAP && r.rdi == at && r.rcx == 0 &&
		   page[0] == 0xee,
	   "REP INSB downwards");
	r = (struct regs){.rdi = 0x8000000000000000};
	ok(STRING("insb", r) == GP_VECTOR && trap.error == 0,
	   "INSB to a non-canonical address is #GP");
}

static void check_page_faults(void)
{
	u64 cr0 = read_cr0(), at = TEST_PAGES + 8, *entry;
	struct regs r = {.rdi = at, .rcx = 2};

	set_page(0, 0);
	set_page(1, 0);
	ok(STRING("rep insb", r) == PF_VECTOR && trap.cr2 == at && trap.error == PF_ERROR_W &&
		   r.rdi == at && r.rcx == 2,
	   "INSB to a page that is not present");
	r = (struct regs){.rsi = at};
	ok(STRING("outsb", r) == PF_VECTOR && trap.cr2 == at && trap.error == 0 && r.rsi == at,
	   "OUTSB from a page that is not present");
	set_page(0, (u64)page + PF_ERROR_P);
	write_cr0(cr0 | CR0_WP);
	r = (struct regs){.rdi = at};
	ok(STRING("insb", r) == PF_VECTOR && trap.cr2 == at &&
		   trap.error == (PF_ERROR_P | PF_ERROR_W),
	   "INSB to a page that is read-only");
	write_cr0(cr0 & ~CR0_WP);
	ok(STRING("insb", r) == NO_TRAP && r.rdi == at + 1, "the same without CR0.WP");
	write_cr0(cr0);
	set_page(0, (u64)page + 3 + BIT(51));
	r = (struct regs){.rdi = at};
	ok(STRING("insb", r) == PF_VECTOR && trap.cr2 == at &&
		   trap.error == (PF_ERROR_P | PF_ERROR_W | PF_ERROR_RSVD),
	   "INSB through an entry with a reserved bit");
	set_page(0, (u64)page + 3);
	r = (struct regs){.rdi = TEST_PAGES + 4095};
	ok(STRING("insw", r) == PF_VECTOR && trap.cr2 == TEST_PAGES + 4096 &&
		   trap.error == PF_ERROR_W,
	   "INSW across the end of a page");
	entry = set_page(0, (u64)page + 3);
	r = (struct regs){.rdi = at};
	ok(STRING("insb", r) == NO_TRAP && (*entry & 0x60) == 0x60,
	   "INSB sets the page's accessed and dirty flags");
	set_page(0, 0);
}

#define KEY       5ull
#define PKRU_WD   (2u << 2 * KEY)
#define LEAF_KEY  (KEY << 59)
#define CPUID_PKU BIT(3)

static void write_pkru(u32 value)
{
	asm volatile("wrpkru" : : "a"(value), "c"(0), "d"(0) : "memory");
}

/* Protection keys count for pages of user mode, also when the kernel accesses them. Bochs does not
 * refuse the kernel a page whose key allows nothing, and notices a new CR0.WP at WRPKRU only. */
static void check_keys(void)
{
	u64 cr0 = read_cr0(), cr4 = read_cr4(), at = TEST_PAGES + 8;
	struct regs r = {.rdi = at};

	if (!(cpuid(7, 0).ecx & CPUID_PKU)) {
		skip("no PKU", "INSB to a page whose key allows no write");
		skip("no PKU", "the same without CR0.WP");
		return;
	}
	set_page(0, (u64)page + 7 + LEAF_KEY);
	write_cr4(cr4 | CR4_PKE);
	write_cr0(cr0 | CR0_WP);
	write_pkru(PKRU_WD);
	ok(STRING("insb", r) == PF_VECTOR && trap.cr2 == at &&
		   trap.error == (PF_ERROR_P | PF_ERROR_W | PF_ERROR_PK),
	   "INSB to a page whose key allows no write");
	write_cr0(cr0 & ~CR0_WP);
	write_pkru(PKRU_WD);
	ok(STRING("insb", r) == NO_TRAP && r.rdi == at + 1, "the same without CR0.WP");
	write_pkru(0);
	write_cr0(cr0);
	write_cr4(cr4);
	set_page(0, 0);
}

static void check_step(void)
{
	u64 count = trap.count;

	asm volatile("pushfq; orq $0x100, (%%rsp); popfq; rep insb; nop"
		     :
		     : "D"(page), "c"(3ull), "d"(KBC)
		     : "memory", "cc");
	ok(trap.count == count + 1 && trap.vector == DB_VECTOR,
	   "a single step ends after one iteration of REP INSB");
}

/* Segments in 32-bit code: strings.S. */
static void check_segments(void)
{
	u64 at = (u64)string_buffer, gp = (u64)on_gp;
	u64 base = (at & 0xffffff) << 16 | at >> 24 << 56;

	idt32[GP_VECTOR] = (gp & 0xffff) | 0x20ull << 16 | 0x8e00ull << 32 | gp >> 16 << 48;
	legacy_gdt[CODE_TASK16 / 8] = 7 | base | 0x4093ull << 40; /* 8 bytes, writable */
	legacy_gdt[DATA_TASK16 / 8] = 7 | base | 0x4091ull << 40; /* the same, read-only */
	faults = 0;
	legacy_call(run_strings);
	ok(string_found[0] == 0xabcd0008, "16-bit addresses leave EDI's upper half");
	ok(string_buffer[6] != 0 && string_buffer[7] != 0 && !string_buffer[8], "two bytes");
	ok(string_found[1] == 1, "INSB beyond the segment's limit is #GP");
	ok(string_found[2] == 2, "INSB to a read-only segment is #GP");
	ok(string_found[3] == 3, "INSB with a null selector in ES is #GP");
	ok(string_found[4] == 4, "OUTSW across the limit is #GP");
}

void check_strings(void)
{
	check_addresses();
	check_page_faults();
	check_keys();
	check_step();
	check_segments();
}
