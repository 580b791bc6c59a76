/* SPDX-License-Identifier: MIT */
/*
 * The command icept: what exits on demand.
 */
#include "vmm/icept.h"
#include "arch/x86/cpu.h"
#include "errno.h"
#include "lib/string.h"
#include "monitor/commands.h"
#include "vmm/intercepts.h"

static const struct {
	const char *name, *what;
} names[NR_ICEPTS] = {
	[ICEPT_CR0] = {"cr0", "writes that change CR0, CLTS, LMSW"},
	[ICEPT_CR4] = {"cr4", "writes that change CR4"},
	[ICEPT_CR3_LOAD] = {"cr3-load", "MOV to CR3"},
	[ICEPT_CR3_STORE] = {"cr3-store", "MOV from CR3"},
	[ICEPT_CR8_LOAD] = {"cr8-load", "MOV to CR8"},
	[ICEPT_CR8_STORE] = {"cr8-store", "MOV from CR8"},
	[ICEPT_DR] = {"dr", "MOV to and from debug registers"},
	[ICEPT_DESCRIPTOR] = {"desc", "LGDT, LIDT, LLDT, LTR, SGDT, SIDT, SLDT, STR"},
	[ICEPT_HLT] = {"hlt", "HLT"},
	[ICEPT_MONITOR] = {"monitor", "MONITOR"},
	[ICEPT_MWAIT] = {"mwait", "MWAIT"},
	[ICEPT_PAUSE] = {"pause", "PAUSE"},
	[ICEPT_PAUSE_LOOP] = {"pause-loop", "PAUSE in a loop, at CPL 0"},
	[ICEPT_RDTSC] = {"rdtsc", "RDTSC, RDTSCP"},
	[ICEPT_RDPMC] = {"rdpmc", "RDPMC"},
	[ICEPT_INVLPG] = {"invlpg", "INVLPG, INVPCID"},
	[ICEPT_WBINVD] = {"wbinvd", "WBINVD"},
	[ICEPT_INTERRUPT] = {"interrupt", "external interrupts"},
};

static const char *const exception_names[32] = {
	"de", "db", NULL, "bp", "of", "br", "ud", "nm", "df", NULL, "ts",
	"np", "ss", "gp", "pf", NULL, "mf", "ac", NULL, "xm", "ve", "cp",
};

#define ON_OR_OFF "say on or off at the end; help icept shows an example"

/* Returns 1 for on, 0 for off, -1 for neither. */
static int state_of(const char *word)
{
	if (!word)
		return -1;
	return !strcmp(word, "on") ? 1 : !strcmp(word, "off") ? 0 : -1;
}

static u64 exits_of(const struct vm *vm, unsigned vector)
{
	u64 sum = 0;

	for (unsigned i = 0; i < vm->nr_vcpus; i++)
		sum += READ_ONCE(vm->vcpus[i]->exception_exits[vector]);
	return sum;
}

static const char *on_off(bool on)
{
	return on ? "on" : "off";
}

static void list_exceptions(const struct vm *vm)
{
	const struct icepts *icepts = &vm->icepts;

	for (unsigned vector = 0; vector < 32; vector++) {
		const char *name = exception_names[vector] ? exception_names[vector] : "";
		const char *state = on_off(icepts->exceptions & BIT(vector));
		u64 exits = exits_of(vm, vector);

		if (!(icepts->exceptions & BIT(vector)) && !exits)
			continue;
		if (vector == PF_VECTOR && icepts->pf_mask | icepts->pf_match)
			row("exception name state exits mask match",
			    "exception %u %s: %s, %lu exits, where error code & %x is %x\n", vector,
			    name, state, exits, icepts->pf_mask, icepts->pf_match);
		else
			row("exception name state exits", "exception %u %s: %s, %lu exits\n",
			    vector, name, state, exits);
	}
}

static const char *list(const struct vm *vm)
{
	for (unsigned i = 0; i < NR_ICEPTS; i++)
		row("what state about -", "%-11s%-4s%s%s\n", names[i].name,
		    on_off(icept_is_on(vm, (enum icept)i)), names[i].what,
		    icept_is_possible((enum icept)i) ? "" : ": this CPU cannot");
	list_exceptions(vm);
	for (unsigned i = 0; i < ICEPT_MSRS; i++) {
		const struct icept_msr *m = &vm->icepts.msrs[i];

		if (m->read || m->write)
			row("msr read? write?", "msr %x: %s%s\n", m->msr, m->read ? "r" : "",
			    m->write ? "w" : "");
		if (m->answers)
			row("msr answer", "msr %x: reads as %lx\n", m->msr, m->value);
	}
	for (unsigned i = 0; i < vm->icepts.nr_ports; i++)
		row("port", "port %x: on\n", vm->icepts.ports[i]);
	return NULL;
}

/* Vector of an exception's name, such as pf or #PF, or of its decimal number; 32: neither. */
static unsigned vector_of(const char *word)
{
	u64 number;

	if (!word)
		return 32;
	for (unsigned i = 0; i < 32; i++)
		if (exception_names[i] && !strcmp(exception_names[i], word + (word[0] == '#')))
			return i;
	return number_of(word, 10, &number) && number < 32 && exception_names[number]
		       ? (unsigned)number
		       : 32;
}

static const char *exception(struct vm *vm, const struct arguments *args)
{
	unsigned vector = vector_of(args->word[2]);
	int on = state_of(args->word[3]);
	u64 mask = 0, match = 0;
	u32 vectors = vm->icepts.exceptions;

	if (!args->word[2])
		return missing("the exception's NAME");
	if (vector == 32)
		return "there is no such exception: give a number or a name such as pf";
	if (on < 0)
		return ON_OR_OFF;
	if (args->word[4] && (vector != PF_VECTOR || !number_of(args->word[4], 16, &mask) ||
			      !number_of(args->word[5], 16, &match)))
		return "a mask and a match of the error code are for pf only: two numbers";
	vectors = on ? vectors | (u32)BIT(vector) : vectors & ~(u32)BIT(vector);
	if (vector == PF_VECTOR)
		icept_exceptions(vm, vectors, (u32)mask, (u32)match);
	else
		icept_exceptions(vm, vectors, vm->icepts.pf_mask, vm->icepts.pf_match);
	return NULL;
}

static const char *msr(struct vm *vm, const struct arguments *args)
{
	const char *how = args->word[3];
	bool off = how && !strcmp(how, "off"), read, write;
	const char *why;
	u64 number;
	int r;

	why = parse_number("MSR", args->word[2], 16, ~0u, &number);
	if (why)
		return why;
	read = how && (!strcmp(how, "r") || !strcmp(how, "rw"));
	write = how && (!strcmp(how, "w") || !strcmp(how, "rw"));
	if (how && args->word[4])
		return TOO_MANY;
	if (!off && !read && !write)
		return "say r, w, rw or off at the end";
	r = icept_msr(vm, (u32)number, read, write);
	if (r == -EINVAL)
		return "accesses to this MSR always exit: the CPU's bitmaps have no bit for it";
	return r ? "no more MSRs: switch others off" : NULL;
}

static const char *port(struct vm *vm, const struct arguments *args)
{
	int on = state_of(args->word[3]);
	u64 number;
	const char *why = parse_number("PORT", args->word[2], 16, 0xffff, &number);

	if (why)
		return why;
	if (on < 0)
		return ON_OR_OFF;
	if (args->word[4])
		return TOO_MANY;
	return icept_port(vm, (u16)number, on) ? "no more ports: switch others off" : NULL;
}

#define MAX_FLIPS 1000000 /* a script cannot be stopped by Ctrl-C */

/* Switch it N times, and wait each time until that is in force. */
static const char *flip(struct vm *vm, enum icept what, const char *times)
{
	u64 n;
	const char *why = parse_number("N", times, 10, MAX_FLIPS, &n);

	if (why)
		return why;
	for (u64 i = 0; i < n && !monitor_stopped(); i++) {
		icept_set(vm, what, !icept_is_on(vm, what));
		enforce_intercepts(monitor_vcpu());
	}
	return NULL;
}

static const char *other(struct vm *vm, const struct arguments *args)
{
	int on = state_of(args->word[2]);
	bool flips = args->word[2] && !strcmp(args->word[2], "flip");
	unsigned what = 0;

	while (what < NR_ICEPTS && strcmp(args->word[1], names[what].name) != 0)
		what++;
	if (what == NR_ICEPTS)
		return "there is no such thing to intercept; icept lists them";
	if (on < 0 && !flips)
		return ON_OR_OFF;
	if (args->word[3] && (!flips || args->word[4]))
		return TOO_MANY;
	if (on && !icept_is_possible((enum icept)what))
		return "this CPU cannot intercept that: it lacks the control";
	if (flips)
		return flip(vm, (enum icept)what, args->word[3]);
	icept_set(vm, (enum icept)what, on);
	return NULL;
}

const char *command_icept(const struct arguments *args)
{
	struct vm *vm = monitor_vcpu()->vm;
	const char *why;

	if (!args->word[1])
		return list(vm);
	if (!strcmp(args->word[1], "exc"))
		why = exception(vm, args);
	else if (!strcmp(args->word[1], "msr"))
		why = msr(vm, args);
	else if (!strcmp(args->word[1], "port"))
		why = port(vm, args);
	else
		why = other(vm, args);
	enforce_intercepts(monitor_vcpu());
	return why;
}
