/* SPDX-License-Identifier: MIT */
/*
 * The command bt: where the guest is, and from where it was called; or Glasshouse. Guests have no
 * frame pointers in general, so each word on the stack is shown that points behind a CALL
 * instruction: some are old, none is missing.
 */
#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"
#include "lib/backtrace.h"
#include "lib/system_map.h"
#include "monitor/commands.h"
#include "vmm/virt_ops.h"
#include "vmm/x86/guest_mem.h"

#define MAX_FRAMES  24
#define STACK_BYTES 16384u /* how far to look */
#define MAX_CALL    7u     /* bytes of a near CALL */

static const char *failed;
static const char *map; /* the guest's System.map, or NULL */
static size_t map_size;

void bt_symbols(const char *text, size_t size)
{
	map = text;
	map_size = size;
}

/* How far Linux has moved its code at its start (KASLR): by whole 2 MiB, as the address of its
 * system calls tells. */
#define MOVED_BY MIB(2)
#define IN_LSTAR "entry_SYSCALL_64"

static u64 moved; /* on the vCPU that bt is about */

static u64 moved_now(void)
{
	static u64 address; /* in the list; the search takes a while */
	static enum { UNKNOWN, FOUND, MISSING } state;
	u64 lstar = rdmsr(MSR_LSTAR);

	if (map && state == UNKNOWN)
		state = system_map_find(map, map_size, IN_LSTAR, &address) ? FOUND : MISSING;
	return state == FOUND && (lstar - address) % MOVED_BY == 0 ? lstar - address : 0;
}

static void print_address(const char *indent, u64 address)
{
	char name[64];
	u64 offset;

	if (map && system_map_lookup(map, map_size, address - moved, name, sizeof(name), &offset))
		row("- address symbol offset", "%s%016lx %s+%lx\n", indent, address, name, offset);
	else
		row("- address", "%s%016lx\n", indent, address);
}

/* Is the instruction that ends at linear @address a CALL? */
static bool is_after_call(struct vcpu *vcpu, u64 address, enum insn_mode mode)
{
	struct insn insn;
	u8 code[MAX_CALL];

	for (unsigned n = 2; n <= MAX_CALL; n++) {
		if (read_guest_virt(vcpu, address - n, code, n))
			return false;
		if (insn_decode(&insn, code, n, mode) != (int)n || insn.map || insn.encoding)
			continue;
		if (insn.opcode == 0xe8 || (insn.opcode == 0xff && (insn.reg & 7) == 2))
			return true;
	}
	return false;
}

static void print_stack(struct vcpu *vcpu)
{
	enum insn_mode mode = guest_mode(vcpu);
	size_t word_size = mode == INSN_64 ? 8 : 4;
	struct segment cs, ss;
	unsigned frames = 0;
	u64 rip, rsp;

	failed = NULL;
	guest_segment(vcpu, SEG_CS, &cs);
	guest_segment(vcpu, SEG_SS, &ss);
	rip = cs.base + virt->get_sysreg(vcpu, SYSREG_RIP);
	rsp = ss.base + virt->get_sysreg(vcpu, SYSREG_RSP);
	if (mode == INSN_16) {
		failed = "the guest is in 16-bit code, where bt knows no CALL";
		return;
	}
	moved = moved_now();
	if (moved)
		row("moved", "The guest has moved its code by %lx.\n", moved);
	print_address("", rip);
	for (u64 at = 0; at < STACK_BYTES && frames < MAX_FRAMES; at += word_size) {
		u64 word = 0;

		if (read_guest_virt(vcpu, rsp + at, &word, word_size))
			break;
		if (!is_after_call(vcpu, cs.base + word, mode))
			continue;
		frames++;
		print_address("  ", cs.base + word);
	}
}

static void print_own_frame(u64 address, const char *name, u64 offset)
{
	row("address symbol offset", "%016lx %s+%lx\n", address, name, offset);
}

static void print_own_stack(struct vcpu *vcpu)
{
	failed = NULL;
	backtrace((u64)__builtin_frame_address(0), vcpu->cpu->stack_top, MAX_FRAMES,
		  print_own_frame);
}

const char *command_bt(const struct arguments *args)
{
	struct arguments rest = *args;
	bool own = take_word(&rest, "-h");
	struct vcpu *vcpu = vcpu_of(rest.word[1]);
	const char *why;

	if (has_option(&rest))
		return NO_OPTION;
	if (rest.word[2])
		return TOO_MANY;
	if (!vcpu)
		return NO_VCPU;
	why = on_vcpu(vcpu, own ? print_own_stack : print_stack);
	return why ? why : failed;
}
