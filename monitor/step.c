/* SPDX-License-Identifier: MIT */
/*
 * The command step: execute instructions of a vCPU one by one.
 */
#include "vmm/step.h"
#include "arch/x86/cpu.h"
#include "lib/print.h"
#include "monitor/commands.h"
#include "vmm/virt_ops.h"
#include "vmm/x86/guest_mem.h"

#define MAX_STEPS 1000u

/* Where the guest is after a step: written on the vCPU's CPU before done is. */
static struct {
	bool done;
	u64 rip;
	u8 bytes[INSN_MAX_LENGTH];
	unsigned n;
} now;

static void look(struct vcpu *vcpu)
{
	struct insn insn;

	now.rip = virt->get_sysreg(vcpu, SYSREG_RIP);
	now.n = (unsigned)fetch_guest_insn(vcpu, now.bytes, sizeof(now.bytes));
	if (insn_decode(&insn, now.bytes, now.n, guest_mode(vcpu)) > 0)
		now.n = insn.length;
}

static void stepped(struct vcpu *vcpu)
{
	look(vcpu);
	if (vcpu != monitor_vcpu())
		vcpu_pause(vcpu);
	__atomic_store_n(&now.done, true, __ATOMIC_RELEASE);
}

static void begin(struct vcpu *vcpu)
{
	vcpu_step(vcpu, STEP_MONITOR, stepped);
}

static void cancel(struct vcpu *vcpu)
{
	vcpu_cancel_step(vcpu, STEP_MONITOR);
}

static bool is_done(void)
{
	return __atomic_load_n(&now.done, __ATOMIC_ACQUIRE);
}

static void show(void)
{
	char hex[3 * INSN_MAX_LENGTH + 1] = "";

	for (unsigned i = 0; i < now.n; i++)
		snprintf(hex + 3ul * i, 4, " %02x", now.bytes[i]);
	row("rip bytes", "%016lx:%s\n", now.rip, now.n ? hex : " cannot be read");
}

static const char *step(struct vcpu *vcpu)
{
	u64 start = rdtsc();
	const char *why;

	now.done = false;
	why = on_vcpu(vcpu, begin);
	if (why)
		return why;
	if (vcpu != monitor_vcpu())
		vcpu_resume(vcpu);
	while (!is_done() && rdtsc() - start < monitor_second()) {
		if (vcpu == monitor_vcpu())
			monitor_run_once();
		else
			cpu_relax();
	}
	if (!is_done() && vcpu != monitor_vcpu())
		vcpu_pause(vcpu);
	if (!is_done())
		why = on_vcpu(vcpu, cancel);
	if (is_done())
		return NULL;
	return why ? why
		   : "no instruction within a second: this vCPU is halted, and nothing has woken "
		     "it up";
}

const char *command_step(const struct arguments *args)
{
	struct vcpu *vcpu = vcpu_of(args->word[1]);
	const char *why = NULL;
	u64 n = 1;

	if (!vcpu)
		return NO_VCPU;
	if (args->word[1] && args->word[2])
		why = parse_number("N", args->word[2], 10, MAX_STEPS, &n);
	if (why)
		return why;
	if (vcpu->mp_state != MP_STATE_RUNNABLE)
		return "this vCPU waits for a SIPI: it executes nothing";
	if (!monitor_is_paused() ||
	    (vcpu == monitor_vcpu() ? !monitor_beats() : !(READ_ONCE(vcpu->requests) & REQ_PAUSE)))
		return "the vCPU must not run: pause stops all";
	for (u64 i = 0; !why && i < n; i++) {
		why = step(vcpu);
		if (!why)
			show();
	}
	return why;
}
