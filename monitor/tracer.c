/* SPDX-License-Identifier: MIT */
/*
 * Single-step one vCPU's way through root mode. See tracer.h.
 *
 * An exit clears TF, and DR7 too: virt->trace_exits sets TF again, directly before the code that
 * exits reach. VMRESUME is executed without TF. The #DBs of single steps change DR6, which is the
 * guest's: struct cpu keeps its value, and it is put back after each. A #DB's IRETQ unblocks NMIs,
 * which an exit by NMI has blocked: the next one may come a little early, and is handled the same.
 */
#include "monitor/tracer.h"
#include "arch/x86/cpu.h"
#include "arch/x86/percpu.h"
#include "arch/x86/trap.h"
#include "vmm/vcpu.h"

static struct vcpu *traced; /* NULL: none */
static const struct cycle_wanted *wanted;
static struct cycle cycle;
static bool found;

/* Since the last step. */
static u32 instructions, reads, writes;
/* The instruction that is executed next. */
static enum { INSN_OTHER, INSN_READ, INSN_WRITE } next;

static const struct exit_record *record; /* of the exit of this cycle; NULL: not yet */
static bool ours; /* the exit is the heartbeat's, or one that Glasshouse has requested */

/* By the low part of an address: may a marker be there? Most instructions have none. */
#define MARKED 1024u
static bool marked[MARKED];

static u64 left;     /* time-stamp counter at the end of the last #DB */
static u64 shortest; /* time between two #DBs, which is what a #DB costs */
static bool entered; /* it was before VMRESUME */

/* SDM: "VMREAD", "VMWRITE", with a REX prefix or none. */
static void look_at(const u8 *insn)
{
	if ((*insn & 0xf0) == 0x40)
		insn++;
	next = insn[0] != 0x0f   ? INSN_OTHER
	       : insn[1] == 0x78 ? INSN_READ
	       : insn[1] == 0x79 ? INSN_WRITE
				 : INSN_OTHER;
}

static void clear_counts(void)
{
	instructions = reads = writes = 0;
}

static void count_instruction(void)
{
	instructions++;
	reads += next == INSN_READ;
	writes += next == INSN_WRITE;
}

static void begin(void)
{
	cycle.nr = 0;
	record = NULL;
	ours = false;
	clear_counts();
}

static void note(const struct step *step)
{
	struct cycle_step *s = &cycle.steps[cycle.nr];

	/* What sets TF after an exit is not counted. */
	if (step->id == STEP_exit)
		clear_counts();
	if (cycle.nr++ < TRACER_STEPS) {
		*s = (struct cycle_step){step, instructions, reads, writes, 0};
		if (step->id == STEP_vmresume)
			s->rip = virt->get_sysreg(traced, SYSREG_RIP);
	}
	clear_counts();
}

/* At the top of the loop: is the cycle that ends here the one? */
static bool ends(void)
{
	if (!record)
		return false;
	cycle.exit = *record; /* other exits take its place in the ring */
	cycle.subject = virt->exit_subject(record);
	cycle.next_rip = virt->get_sysreg(traced, SYSREG_RIP);
	return tracer_wants(wanted, virt->exit_name((u32)record->reason), &cycle.subject,
			    record->rip, ours);
}

/* Returns false if nothing is to be traced any more. */
static bool pass(struct vcpu *vcpu, const struct step *step)
{
	if (step->id == STEP_loop) {
		if (ends()) {
			note(step);
			__atomic_store_n(&found, true, __ATOMIC_RELEASE);
			return false;
		}
		begin();
	}
	ours |= step->id == STEP_handle_preemption_timer;
	if (step->id == STEP_dispatch)
		record = vcpu->recorder.now;
	note(step);
	return step->id != STEP_hardware_disable;
}

/* Before the instruction at frame->rip, at the time @now. Returns false if nothing is to be traced
 * any more. */
static bool before(struct vcpu *vcpu, struct trap_frame *frame, u64 now)
{
	bool on = true;

	if (entered)
		cycle.guest = now - left > shortest ? now - left - shortest : 0;
	else
		shortest = MIN(shortest, now - left);
	entered = false;
	count_instruction();
	look_at((const u8 *)frame->rip);
	if (!marked[frame->rip % MARKED])
		return true;
	for (const struct step *s = steps_start; on && s < steps_end; s++) {
		if (step_address(s) != frame->rip)
			continue;
		on = pass(vcpu, s);
		entered = s->id == STEP_vmresume;
		if (entered)
			frame->rflags &= ~RFLAGS_TF;
	}
	return on;
}

/* The handler of #DB. A CPU steps on until here when its vCPU is traced no more. */
static bool single_step(struct trap_frame *frame)
{
	u64 now = rdtsc();
	struct vcpu *vcpu = this_cpu()->vcpu;
	bool mine = vcpu && vcpu == __atomic_load_n(&traced, __ATOMIC_ACQUIRE);

	if (!(frame->rflags & RFLAGS_TF))
		return false;
	if (!mine || !before(vcpu, frame, now)) {
		frame->rflags &= ~RFLAGS_TF;
		if (mine)
			tracer_stop();
		if (vcpu)
			virt->trace_exits(vcpu, false);
	}
	write_dr6(this_cpu()->dr6);
	if (mine)
		left = rdtsc();
	return true;
}

void tracer_start(struct vcpu *vcpu, const struct cycle_wanted *want)
{
	debug_handler = single_step;
	for (const struct step *s = steps_start; s < steps_end; s++)
		marked[step_address(s) % MARKED] = true;
	wanted = want;
	found = entered = false;
	shortest = ~0ull;
	begin();
	__atomic_store_n(&traced, vcpu, __ATOMIC_RELEASE);
	virt->trace_exits(vcpu, true);
	this_cpu()->dr6 = read_dr6();
	left = rdtsc();
	start_single_steps();
}

const struct cycle *tracer_found(void)
{
	return __atomic_load_n(&found, __ATOMIC_ACQUIRE) ? &cycle : NULL;
}

void tracer_stop(void)
{
	__atomic_store_n(&traced, NULL, __ATOMIC_RELEASE);
}
