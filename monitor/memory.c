/* SPDX-License-Identifier: MIT */
/*
 * Commands that show memory, and how addresses are translated. Addresses of the guest are read by
 * slots only, so Glasshouse's own memory is shown by its host-physical address only.
 */
#include "lib/print.h"
#include "lib/string.h"
#include "monitor/commands.h"
#include "monitor/host_memory.h"
#include "vmm/memslot.h"
#include "vmm/virt_ops.h"
#include "vmm/x86/guest_mem.h"

#define LINE_BYTES    16u
#define MAX_BYTES     4096u
#define DEFAULT_BYTES 64u

#define NOT_MAPPED "this address is not mapped to memory of the guest"

/* One line: the address, the bytes in hexadecimal, and as characters. */
static void print_bytes(u64 address, const u8 *bytes, unsigned n)
{
	char hex[3 * LINE_BYTES + 1], text[LINE_BYTES + 1];

	for (size_t i = 0; i < LINE_BYTES; i++) {
		if (i < n)
			snprintf(hex + 3 * i, 4, " %02x", bytes[i]);
		else
			strlcpy(hex + 3 * i, "   ", 4);
		text[i] = (char)(i >= n ? '\0' : bytes[i] < ' ' || bytes[i] > '~' ? '.' : bytes[i]);
	}
	text[LINE_BYTES] = '\0';
	row("address bytes text", "%016lx:%s  %s\n", address, hex, text);
}

/* For the functions below. */
static struct {
	enum { VIRTUAL, PHYSICAL, HOST } kind;
	u64 address, length;
	bool fails;
} shown;

static int read_shown(struct vcpu *vcpu, u8 *bytes, unsigned n)
{
	switch (shown.kind) {
	case HOST:
		return read_host(shown.address, bytes, n);
	case PHYSICAL:
		return read_guest(vcpu->vm, shown.address, bytes, n);
	default:
		return read_guest_virt(vcpu, shown.address, bytes, n);
	}
}

/* On the vCPU's CPU. */
static void show_memory(struct vcpu *vcpu)
{
	while (shown.length) {
		u8 bytes[LINE_BYTES];
		unsigned n = (unsigned)MIN(shown.length, LINE_BYTES);

		shown.fails = read_shown(vcpu, bytes, n);
		if (shown.fails)
			return;
		print_bytes(shown.address, bytes, n);
		shown.address += n;
		shown.length -= n;
	}
}

const char *command_x(const struct arguments *args)
{
	struct arguments rest = *args;
	bool physical = take_word(&rest, "-p"), host = !physical && take_word(&rest, "-h");
	const char *const *word = &rest.word[1];
	struct vcpu *vcpu = monitor_vcpu();
	const char *why;

	if (has_option(&rest))
		return NO_OPTION;
	if (word[0] && word[1] && word[2] && (physical || host || word[3]))
		return TOO_MANY;
	shown.kind = host ? HOST : physical ? PHYSICAL : VIRTUAL;
	shown.length = DEFAULT_BYTES;
	shown.fails = false;
	why = parse_number("ADDR", word[0], 16, ~0ull, &shown.address);
	if (!why && word[1])
		why = parse_number("BYTES", word[1], 10, MAX_BYTES, &shown.length);
	if (!why && word[1] && !(vcpu = vcpu_of(word[2])))
		why = NO_VCPU;
	if (!why)
		why = on_vcpu(vcpu, show_memory);
	if (why || !shown.fails)
		return why;
	return host ? HOST_NOT_MAPPED : NOT_MAPPED;
}

/* For walk_on(), on the vCPU's CPU. */
static struct {
	gva_t gva;
	gpa_t gpa;
	u32 error;
	bool fails;
} walked;

static const char *yes(u64 bit, const char *word)
{
	return bit ? word : "";
}

/* SDM: "4-Level Paging and 5-Level Paging". The bits are the same in all modes. */
static void print_entry(int level, gpa_t at, u64 entry)
{
	bool leaf = level == 1 || entry & BIT(7);

	if (!(entry & BIT(0)))
		row("level at entry present?", "  level %d at %lx: %016lx%s not present\n", level,
		    at, entry, "");
	else
		row("level at entry large? writable? user? accessed? dirty? no_execute?",
		    "  level %d at %lx: %016lx%s%s%s%s%s%s\n", level, at, entry,
		    yes(level > 1 && leaf, " large page"), yes(entry & BIT(1), " writable"),
		    yes(entry & BIT(2), " user"), yes(entry & BIT(5), " accessed"),
		    yes(leaf && entry & BIT(6), " dirty"), yes(entry & BIT(63), " no-execute"));
}

static void walk_on(struct vcpu *vcpu)
{
	row("cr3", "CR3 %lx\n", virt->get_sysreg(vcpu, SYSREG_CR3));
	walked.fails = guest_walk(vcpu, walked.gva, print_entry, &walked.gpa, &walked.error);
}

const char *command_pt(const struct arguments *args)
{
	struct vcpu *vcpu = vcpu_of(args->word[2]);
	const char *why;

	if (!vcpu)
		return NO_VCPU;
	why = parse_number("ADDR", args->word[1], 16, ~0ull, &walked.gva);
	if (why)
		return why;
	why = on_vcpu(vcpu, walk_on);
	if (why)
		return why;
	if (walked.fails)
		row("fault", "A read there is a page fault, with error code %x.\n", walked.error);
	else
		row("gva gpa", "%lx is guest-physical %lx\n", walked.gva, walked.gpa);
	return NULL;
}

const char *command_ept(const struct arguments *args)
{
	static const char *const types[] = {"UC", "WC", "?", "?", "WT", "WP", "WB", "?"};
	const struct ept *ept = &monitor_vcpu()->vm->ept;
	struct ept_mapping map;
	bool mapped;
	gpa_t gpa;
	const char *why = parse_number("ADDR", args->word[1], 16, ~0ull, &gpa);

	if (why)
		return why;
	if (gpa >> 48)
		return "guest-physical addresses have 48 bits";
	mapped = ept_walk(ept, gpa, &map);
	for (int level = 4; level >= map.level; level--)
		row("level entry", "  level %d: %016lx\n", level, ept_entry(ept, gpa, level));
	if (mapped)
		row("gpa hpa r? w? x? - type page_kib held?",
		    "%lx is host-physical %lx: %s%s%s%s, %s, a page of %lu KiB%s\n", gpa, map.hpa,
		    yes(map.prot & EPT_R, "r"), yes(map.prot & EPT_W, "w"),
		    yes(map.prot & EPT_X, "x"), yes(!map.prot, "no access"), types[map.memtype & 7],
		    map.size >> 10, yes(map.entry & EPT_HELD, ", watched or patched"));
	else
		row("gpa hole_kib", "%lx is not mapped: a hole of %lu KiB\n", gpa, map.size >> 10);
	return NULL;
}
