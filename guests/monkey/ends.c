// SPDX-License-Identifier: MIT
/*
 * The ends: Glasshouse leaves, or the machine is reset.
 */
#include "arch/x86/cpu.h"
#include "arch/x86/io.h"
#include "errno.h"
#include "guests/lib/guest.h"
#include "guests/monkey/monkey.h"
#include "lib/string.h"

static const u8 vmcall[] = {0x0f, 0x01, 0xc1};

static void any_but_rax(struct mcpu *m, u64 rax)
{
	for (unsigned i = 0; i < NR_REGS; i++)
		m->in[i] = any(m);
	m->in[RAX] = rax;
}

/* A hypercall with a wrong number, in another ring or in another mode: each must be #UD. */
static bool ask_wrongly(struct mcpu *m)
{
	unsigned ring = (unsigned)rnd(m) % 4, bits = 16u << rnd(m) % 3;
	u64 rax = HYPERCALL_LEAVE;
	struct frame *f;

	if (one_in(m, 2) || (!ring && bits == 64)) {
		rax ^= one_in(m, 4) ? any(m) | 2 : BIT(rnd(m) % 64);
		ring = bits = 0;
	}
	any_but_rax(m, rax);
	f = bits ? run_code(m, vmcall, sizeof(vmcall), ring, bits)
		 : run_quiet(m, vmcall, sizeof(vmcall));
	/* The timer's interrupt may come first. */
	return f->vector == UD_VECTOR || (bits && f->vector >= 32);
}

void ask_to_leave(struct mcpu *m, unsigned tries)
{
	unsigned wrong = 0, busy = 0;
	struct frame *f;
	u64 rax;

	for (unsigned i = 0; i < tries; i++) {
		if (!ask_wrongly(m))
			wrong++;
		if (i % 16 == 0)
			act(m);
	}
	ok(!wrong && under_glasshouse(), "Glasshouse stays at %u wrong requests to leave", tries);
	do {
		any_but_rax(m, HYPERCALL_LEAVE);
		f = run_quiet(m, vmcall, sizeof(vmcall));
		rax = f->regs[RAX];
	} while (f->vector == END_VECTOR && rax == -(u64)EBUSY && ++busy < 1000);
	ok(f->vector == END_VECTOR && !rax, "at the right request it leaves, after %u times %d",
	   busy, -EBUSY);
	for (unsigned i = 0; i < NR_REGS; i++)
		wrong += i != RAX && f->regs[i] != m->in[i];
	ok(!wrong, "no register but RAX has changed");
	ok(!under_glasshouse() && cpuid(1, 0).ecx & BIT(5), "CPUID has VT-x and no Glasshouse");
}

void end_machine(const char *how)
{
	struct {
		u16 limit;
		u64 base;
	} __packed none = {0, 0};
	bool port = !strncmp(how, "port64", 6);

	say("# the end: %s\n", port ? "FEh to port 64h" : "a triple fault");
	if (port)
		outb(0x64, 0xfe);
	else
		asm volatile("lidt %0; ud2" : : "m"(none));
	wait_ticks(100000000);
	bail_out("the machine has not been reset");
}
