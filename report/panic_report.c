/* SPDX-License-Identifier: MIT */
/*
 * The part of a panic's report about the code that failed: registers, backtrace, build id.
 */
#include "arch/x86/cpu.h"
#include "arch/x86/percpu.h"
#include "lib/backtrace.h"
#include "lib/log.h"
#include "lib/print.h"
#include "lib/symbols.h"
#include "report/panic.h"

#define MAX_FRAMES 24

/* The note that ld writes: three 32-bit words, "GNU", a SHA-1 sum. */
#define NOTE_HEADER   16
#define BUILD_ID_SIZE 20

static void print_address(u64 address)
{
	u64 offset;
	const char *name = symbol_lookup(address, &offset);

	if (name)
		pr_err("    %016lx %s+%lx\n", address, name, offset);
}

/* The build id identifies the exact image; `readelf -n` prints that of a file. */
static void print_build_id(void)
{
	extern const u8 __build_id[];
	char text[2 * BUILD_ID_SIZE + 1];

	for (size_t i = 0; i < BUILD_ID_SIZE; i++)
		snprintf(text + 2 * i, 3, "%02x", __build_id[NOTE_HEADER + i]);
	pr_err("  Build id %s\n", text);
}

static void print_frame(u64 address, const char *name, u64 offset)
{
	pr_err("    %016lx %s+%lx\n", address, name, offset);
}

void panic_backtrace(u64 rsp)
{
	u64 top = this_cpu()->stack_top, bottom = top - CPU_STACK_PAGES * PAGE_SIZE;

	print_build_id();
	if (rsp <= bottom && rsp > bottom - PAGE_SIZE) {
		pr_err("  The stack is full: RSP has reached its guard page.\n");
		rsp = bottom;
	}
	if (rsp > top || rsp < bottom)
		return;
	pr_err("  Return addresses on the stack:\n");
	backtrace(rsp, top, MAX_FRAMES, print_frame);
}

void panic_frame(const struct trap_frame *f)
{
	pr_err("  RIP %016lx RSP %016lx RFLAGS %08lx CS %lx error code %lx CR2 %016lx\n", f->rip,
	       f->rsp, f->rflags, f->cs, f->error_code, read_cr2());
	pr_err("  RAX %016lx RBX %016lx RCX %016lx RDX %016lx\n", f->rax, f->rbx, f->rcx, f->rdx);
	pr_err("  RSI %016lx RDI %016lx RBP %016lx R8  %016lx\n", f->rsi, f->rdi, f->rbp, f->r8);
	pr_err("  R9  %016lx R10 %016lx R11 %016lx R12 %016lx\n", f->r9, f->r10, f->r11, f->r12);
	pr_err("  R13 %016lx R14 %016lx R15 %016lx\n", f->r13, f->r14, f->r15);
	print_address(f->rip);
}
