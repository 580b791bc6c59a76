/* SPDX-License-Identifier: MIT */
/*
 * The functions of the inspector by themselves, before the guest's first instruction. Two of them
 * read the guest's memory: for a while it has an IDT, or two, and page tables for them, at random
 * addresses. See functions.h.
 */
#include "labs/09-inspector/check/functions.h"
#include "errno.h"
#include "labs/common/lab.h"
#include "lib/log.h"
#include "lib/string.h"
#include "vmm/memslot.h"
#include "vmm/vmx/vmx.h"

#define ROUNDS 200

static u64 below(u64 n)
{
	return lab_random() % n;
}

/* A gate with @handler and random bits besides. */
static void make_gate(u64 gate[2], u64 handler)
{
	gate[0] = (handler & 0xffff) | (lab_random() & 0xffffffff0000) | (handler >> 16 << 48);
	gate[1] = handler >> 32 | lab_random() << 32;
}

/* ---- 1: gate_handler() ---- */

const char *check_handler(void)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		u64 handler = lab_random(), gate[2];

		make_gate(gate, handler);
		if (gate_handler(gate) == handler)
			continue;
		pr_info("# gate %016lx %016lx: you say %lx, the handler is %lx\n", gate[0], gate[1],
			gate_handler(gate), handler);
		return "the handler is put together wrongly";
	}
	return NULL;
}

/* ---- The guest's memory ---- */

/* Four page tables, and two pages for IDTs. */
#define TABLES  4u
#define PAGES   (TABLES + 2)
#define SCRATCH MIB(40)

static u8 saved[PAGES][PAGE_SIZE];
static u64 saved_cr3, saved_base, saved_limit;

static void save_guest(struct vcpu *vcpu)
{
	read_guest(vcpu->vm, SCRATCH, saved, sizeof(saved));
	saved_cr3 = vmread(GUEST_CR3);
	saved_base = vmread(GUEST_IDTR_BASE);
	saved_limit = vmread(GUEST_IDTR_LIMIT);
}

static void restore_guest(struct vcpu *vcpu)
{
	write_guest(vcpu->vm, SCRATCH, saved, sizeof(saved));
	vmwrite(GUEST_CR3, saved_cr3);
	vmwrite(GUEST_IDTR_BASE, saved_base);
	vmwrite(GUEST_IDTR_LIMIT, saved_limit);
}

/* The page of the IDT number @which. The first lies behind the second. */
static gpa_t idt_page(unsigned which)
{
	return SCRATCH + (PAGES - 1 - which) * PAGE_SIZE;
}

/* Have the guest map two pages from the linear address @base on to those of the IDTs, or to none.
 */
static void map_idts(struct vcpu *vcpu, gva_t base, bool present)
{
	static u64 table[512];

	for (unsigned i = 0; i < TABLES; i++) {
		unsigned index = base >> (39 - 9 * i) & 511;

		memset(table, 0, sizeof(table));
		if (i < TABLES - 1) {
			table[index] = (SCRATCH + (i + 1) * PAGE_SIZE) | 3;
		} else if (present) {
			table[index] = idt_page(0) | 3;
			table[index + 1] = idt_page(1) | 3;
		}
		write_guest(vcpu->vm, SCRATCH + i * PAGE_SIZE, table, sizeof(table));
	}
	vmwrite(GUEST_CR3, SCRATCH);
}

/* A random address in the upper half, whose next page has the same page table. */
static gva_t random_base(void)
{
	return (0xffff800000000000 | (lab_random() & 0x7fffffe00000)) + below(511) * PAGE_SIZE;
}

static void load_idtr(gva_t base, u64 limit)
{
	vmwrite(GUEST_IDTR_BASE, base);
	vmwrite(GUEST_IDTR_LIMIT, limit);
}

/* ---- 2: find_gate() ---- */

static const char *wrong_find(struct vcpu *vcpu, unsigned round)
{
	unsigned gates = 1 + (unsigned)below(256);
	unsigned vector = below(2) ? (unsigned)below(256) : gates - 1; /* often the last one */
	bool present = round % 8, reached = vector < gates;
	u64 start = 16 * below(256), offset = start + 16 * vector; /* it may end in the next page */
	gva_t base = random_base() + start;
	gpa_t expected = idt_page(offset >> PAGE_SHIFT) + (offset & (PAGE_SIZE - 1));
	gpa_t gpa = 0;
	int r;

	map_idts(vcpu, base, present);
	load_idtr(base, 16 * gates - 1 - (round % 16 == 1));
	if (round % 16 == 1)
		reached = vector < gates - 1; /* the last gate lacks a byte */
	r = find_gate(vcpu, vector, &gpa);
	if (r == (present && reached ? 0 : -EFAULT) && (r || gpa == expected))
		return NULL;
	pr_info("# IDTR: base %lx, limit %lx, %s; vector %u, whose gate is at guest-physical %lx: "
		"you return %d and %lx\n",
		base, vmread(GUEST_IDTR_LIMIT), present ? "mapped" : "not mapped", vector, expected,
		r, gpa);
	if (!present || !reached)
		return "an IDT that is too short, or not mapped, is -EFAULT";
	return "the gate is somewhere else";
}

const char *check_find(struct vcpu *vcpu)
{
	const char *why = NULL;

	save_guest(vcpu);
	for (unsigned i = 0; i < ROUNDS && !why; i++)
		why = wrong_find(vcpu, i);
	restore_guest(vcpu);
	return why;
}

/* ---- 3: gate_changed() ---- */

/* What an inspector must say. */
struct oracle {
	struct inspector *inspector;
	bool bad;
};

static bool expected(struct oracle *oracle, const u64 now[2])
{
	u64 differ[2] = {now[0] ^ oracle->inspector->good[0], now[1] ^ oracle->inspector->good[1]};
	bool was_bad = oracle->bad;

	oracle->bad = differ[0] || differ[1] & 0xffffffff;
	return oracle->bad && !was_bad;
}

static const char *judge(struct oracle *oracle, const u64 now[2], bool says)
{
	const u64 *good = oracle->inspector->good;

	if (says == expected(oracle, now))
		return NULL;
	pr_info("# good: %016lx %016lx, now: %016lx %016lx%s\n", good[0], good[1], now[0], now[1],
		says ? ": you say that this is an alarm" : ": you say nothing");
	return says ? "a false alarm" : "no alarm where there must be one";
}

static void choose_gate(u64 now[2], const u64 good[2])
{
	memcpy(now, good, 2 * sizeof(*now));
	switch (below(6)) {
	case 0: /* another handler */
		make_gate(now, lab_random());
		break;
	case 1: /* one bit of the rest */
		now[0] ^= BIT(16 + below(32));
		break;
	case 2: /* a bit without a meaning */
		now[1] ^= BIT(32 + below(32));
		break;
	case 3: /* one bit of the handler's upper half */
		now[1] ^= BIT(below(32));
		break;
	}
}

const char *check_write(void)
{
	const char *why = NULL;

	for (unsigned i = 0; i < ROUNDS / 10 && !why; i++) {
		struct inspector inspector = {.vector = 3};
		struct oracle oracle = {.inspector = &inspector};

		make_gate(inspector.good, lab_random());
		for (unsigned j = 0; j < 30 && !why; j++) {
			u64 now[2];

			choose_gate(now, inspector.good);
			why = judge(&oracle, now, gate_changed(&inspector, now));
		}
	}
	return why;
}

/* ---- 4: idtr_changed() ---- */

/* One LIDT: of the first IDT, which is good, or the second one; perhaps it is too short. */
static const char *wrong_lidt(struct vcpu *vcpu, struct oracle *oracle, gva_t base)
{
	struct inspector *inspector = oracle->inspector;
	unsigned which = (unsigned)below(2);
	bool is_short = below(8) == 0;
	u64 now[2] = {inspector->good[0], inspector->good[1]};
	gpa_t gate = idt_page(which) + 16 * inspector->vector, before = inspector->gate;
	const char *why;
	bool says;

	if (which)
		choose_gate(now, inspector->good);
	write_guest(vcpu->vm, gate, now, sizeof(now));
	load_idtr(base + which * PAGE_SIZE, 16 * (inspector->vector + !is_short) - 1);
	says = idtr_changed(inspector, vcpu);
	if (is_short)
		memset(now, 0, sizeof(now));
	why = judge(oracle, now, says);
	if (why || inspector->gate == (is_short ? before : gate))
		return why;
	pr_info("# IDTR: base %lx; the gate is at %lx, inspector->gate is %lx\n",
		vmread(GUEST_IDTR_BASE), gate, inspector->gate);
	return "inspector->gate is not where the gate is now";
}

const char *check_lidt(struct vcpu *vcpu)
{
	const char *why = NULL;

	save_guest(vcpu);
	for (unsigned i = 0; i < ROUNDS / 10 && !why; i++) {
		struct inspector inspector = {.vector = 1 + (unsigned)below(200)};
		struct oracle oracle = {.inspector = &inspector};
		gva_t base = random_base();

		make_gate(inspector.good, lab_random());
		inspector.gate = idt_page(0) + 16 * inspector.vector;
		map_idts(vcpu, base, true);
		for (unsigned j = 0; j < 10 && !why; j++)
			why = wrong_lidt(vcpu, &oracle, base);
	}
	restore_guest(vcpu);
	return why;
}

/* ---- 5: find_call() ---- */

static const char *wrong_find_call(struct vcpu *vcpu, bool present)
{
	u64 start = 8 * below(512), offset;
	gva_t table = random_base() + start;
	unsigned number = (unsigned)below(512); /* the table may lie on two pages */
	gpa_t expected, gpa = 0;
	int r;

	offset = start + 8 * number;
	expected = idt_page(offset >> PAGE_SHIFT) + (offset & (PAGE_SIZE - 1));
	map_idts(vcpu, table, present);
	r = find_call(vcpu, table, number, &gpa);
	if (r == (present ? 0 : -EFAULT) && (r || gpa == expected))
		return NULL;
	pr_info("# a table at %lx, %s; entry %u is at guest-physical %lx: you return %d and %lx\n",
		table, present ? "mapped" : "not mapped", number, expected, r, gpa);
	return present ? "the entry is somewhere else" : "an entry that is not mapped is -EFAULT";
}

const char *check_find_call(struct vcpu *vcpu)
{
	const char *why = NULL;

	save_guest(vcpu);
	for (unsigned i = 0; i < ROUNDS && !why; i++)
		why = wrong_find_call(vcpu, i % 8);
	restore_guest(vcpu);
	return why;
}

/* ---- 6: call_changed() ---- */

static u64 choose_call(u64 good)
{
	switch (below(4)) {
	case 0:
		return lab_random();
	case 1:
		return good ^ BIT(below(64));
	default:
		return good;
	}
}

/* An entry that is written 30 times. */
static const char *wrong_call(void)
{
	struct call_inspector inspector = {.good = lab_random()};
	bool was_bad = false;

	for (unsigned i = 0; i < 30; i++) {
		u64 now = choose_call(inspector.good);
		bool bad = now != inspector.good, says = call_changed(&inspector, now);

		if (says != (bad && !was_bad)) {
			pr_info("# good: %016lx, now: %016lx%s%s\n", inspector.good, now,
				was_bad ? ", and it was bad before" : "",
				says ? ": you say that this is an alarm" : ": you say nothing");
			return says ? "a false alarm" : "no alarm where there must be one";
		}
		was_bad = bad;
	}
	return NULL;
}

const char *check_call(void)
{
	const char *why = NULL;

	for (unsigned i = 0; i < ROUNDS / 10 && !why; i++)
		why = wrong_call();
	return why;
}
