/* SPDX-License-Identifier: MIT */
/*
 * Commands that show CPUs, vCPUs and their exits.
 */
#include "arch/x86/cpu.h"
#include "build/version.h"
#include "drivers/console.h"
#include "lib/print.h"
#include "monitor/commands.h"
#include "vmm/virt_ops.h"

#define TRACE_LINES 16

const char *command_version(const struct arguments *args)
{
	(void)args;
	say("Glasshouse %s\n", GLASSHOUSE_VERSION);
	return NULL;
}

static u64 total(const struct vcpu *vcpu)
{
	u64 sum = 0;

	for (unsigned i = 0; i < RECORDER_REASONS; i++)
		sum += vcpu->recorder.count[i];
	return sum;
}

static const char *state_of(const struct vcpu *vcpu)
{
	if (READ_ONCE(vcpu->requests) & REQ_PAUSE)
		return "paused";
	if (vcpu->mp_state == MP_STATE_RUNNABLE)
		return vcpu == monitor_vcpu() ? "answers you" : "runs";
	return vcpu->mp_state == MP_STATE_INIT_RECEIVED ? "waits for a SIPI"
							: "waits for a SIPI, as a guest";
}

const char *command_ls(const struct arguments *args)
{
	const struct vm *vm = monitor_vcpu()->vm;
	const struct cpu *cpu;

	(void)args;
	for_each_cpu (cpu)
		say("CPU %u: APIC ID %u, %s%s\n", cpu->id, cpu->apic_id,
		    !cpu->online   ? "off"
		    : cpu->virt_on ? "virtualisation on"
				   : "virtualisation off",
		    cpu->parked ? ", left out by cpus=" : "");
	say("%s: %u vCPUs, %u memory slots\n", vm->ops->name, vm->nr_vcpus, vm->slots.nr);
	for (unsigned i = 0; i < vm->nr_vcpus; i++)
		say("  vCPU %u on CPU %u: %s, %lu exits\n", i, vm->vcpus[i]->cpu->id,
		    state_of(vm->vcpus[i]), total(vm->vcpus[i]));
	return NULL;
}

const char *command_caps(const struct arguments *args)
{
	(void)args;
	virt->print_capabilities();
	return NULL;
}

static const char *part; /* for dump_on() */
static bool found;

static void dump_on(struct vcpu *vcpu)
{
	found = virt->dump(vcpu, part);
}

const char *command_vmcs(const struct arguments *args)
{
	u64 number;
	bool numbered = number_of(args->word[1], 10, &number);
	struct vcpu *vcpu = vcpu_of(numbered ? args->word[1] : NULL);
	const char *why;

	if (!vcpu)
		return NO_VCPU;
	part = args->word[numbered ? 2 : 1];
	why = on_vcpu(vcpu, dump_on);
	if (why)
		return why;
	return found ? NULL : "there is no such group, and no field with these letters in its name";
}

static void print_segment(struct vcpu *vcpu, const char *name, enum segment_reg reg)
{
	struct segment seg;

	virt->get_segment(vcpu, reg, &seg);
	say("%-4s %04x base %016lx limit %08x rights %04x%s\n", name, seg.selector, seg.base,
	    seg.limit, seg.ar, seg.unusable ? " unusable" : "");
}

static void print_registers(struct vcpu *vcpu)
{
	static const char *const names[] = {"RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
					    "R8 ", "R9 ", "R10", "R11", "R12", "R13", "R14", "R15"};
	static const char *const segments[] = {"ES", "CS",   "SS", "DS",   "FS",
					       "GS", "LDTR", "TR", "GDTR", "IDTR"};

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		say("%s %016lx%s", names[i],
		    i == VCPU_RSP ? virt->get_sysreg(vcpu, SYSREG_RSP) : vcpu->regs[i],
		    i % 4 == 3 ? "\n" : " ");
	say("RIP %016lx RFLAGS %lx EFER %lx DR7 %lx\n", virt->get_sysreg(vcpu, SYSREG_RIP),
	    virt->get_sysreg(vcpu, SYSREG_RFLAGS), virt->get_sysreg(vcpu, SYSREG_EFER),
	    virt->get_sysreg(vcpu, SYSREG_DR7));
	say("CR0 %lx CR2 %lx CR3 %lx CR4 %lx\n", virt->get_sysreg(vcpu, SYSREG_CR0), read_cr2(),
	    virt->get_sysreg(vcpu, SYSREG_CR3), virt->get_sysreg(vcpu, SYSREG_CR4));
	for (unsigned i = 0; i < ARRAY_SIZE(segments); i++)
		print_segment(vcpu, segments[i], (enum segment_reg)i);
}

const char *command_regs(const struct arguments *args)
{
	struct vcpu *vcpu = vcpu_of(args->word[1]);

	return vcpu ? on_vcpu(vcpu, print_registers) : NO_VCPU;
}

/* The columns of `perf kvm stat` that a count gives. */
const char *command_stat(const struct arguments *args)
{
	const struct vm *vm = monitor_vcpu()->vm;
	struct vcpu *only = args->word[1] ? vcpu_of(args->word[1]) : NULL;
	static u64 counts[RECORDER_REASONS]; /* a copy: other vCPUs run on meanwhile */
	u64 sum = 0;

	if (args->word[1] && !only)
		return NO_VCPU;
	for (unsigned reason = 0; reason < RECORDER_REASONS; reason++) {
		counts[reason] = 0;
		for (unsigned i = 0; i < vm->nr_vcpus; i++)
			if (!only || only == vm->vcpus[i])
				counts[reason] += READ_ONCE(vm->vcpus[i]->recorder.count[reason]);
		sum += counts[reason];
	}
	say("%24s %10s %9s\n", "VM-EXIT", "Samples", "Samples%");
	for (unsigned reason = 0; reason < RECORDER_REASONS; reason++) {
		u64 n = counts[reason];

		if (n)
			say("%24s %10lu %6lu.%02lu%%\n", virt->exit_name(reason), n, n * 100 / sum,
			    n * 10000 / sum % 100);
	}
	say("Total samples: %lu\n", sum);
	return NULL;
}

static u64 stamp(const u32 halves[2])
{
	return (u64)halves[1] << 32 | halves[0];
}

/* The record of the exit that is @back exits before the newest; NULL: there is none any more. The
 * vCPU may run on meanwhile: then the newest record is of an entry whose exit is still to come. */
static const struct exit_record *record(const struct vcpu *vcpu, unsigned back)
{
	const struct recorder *rec = &vcpu->recorder;
	unsigned now = (unsigned)(READ_ONCE(rec->now) - rec->ring);
	const struct exit_record *r = &rec->ring[now];

	if (stamp(r->exited) < stamp(r->entered))
		back++;
	if (back >= RECORDER_SIZE)
		return NULL;
	r = &rec->ring[(now + RECORDER_SIZE - back) % RECORDER_SIZE];
	return stamp(r->exited) ? r : NULL;
}

const char *command_why(const struct arguments *args)
{
	struct vcpu *vcpu = vcpu_of(args->word[1]);
	const struct exit_record *r = vcpu ? record(vcpu, 0) : NULL;

	if (!vcpu)
		return NO_VCPU;
	if (!r)
		return "it has not exited yet";
	say("vCPU %u exited last %lu ticks ago, after %lu in the guest, at RIP %lx: %s%s", vcpu->id,
	    rdtsc() - stamp(r->exited), stamp(r->exited) - stamp(r->entered), r->rip,
	    virt->exit_name((u32)r->reason), r->qualification ? "" : ".\n");
	if (r->qualification)
		say(", qualification %lx.\n", r->qualification);
	return NULL;
}

const char *command_trace(const struct arguments *args)
{
	struct vcpu *vcpu = vcpu_of(args->word[1]);
	u64 n = TRACE_LINES;

	if (!vcpu)
		return NO_VCPU;
	if (args->word[1] && args->word[2] && !number_of(args->word[2], 10, &n))
		return NO_NUMBER;
	for (u64 i = MIN(n, RECORDER_SIZE); i-- > 0;) {
		const struct exit_record *r = record(vcpu, (unsigned)i);

		if (r)
			say("%lu: kvm_entry: vcpu %u\n"
			    "%lu: kvm_exit: vcpu %u reason %s rip 0x%lx info1 0x%016lx\n",
			    stamp(r->entered), vcpu->id, stamp(r->exited), vcpu->id,
			    virt->exit_name((u32)r->reason), r->rip, r->qualification);
	}
	return NULL;
}

/* The ring may end within a line, and begin there. */
const char *command_log(const struct arguments *args)
{
	const struct log_ring *ring = console_ring();
	u64 end = ring->written;

	(void)args;
	for (u64 at = end - MIN(end, ring->size); at < end;) {
		char text[128];
		unsigned n = 0;

		while (n < sizeof(text) - 1 && at < end) {
			text[n] = ring->text[at++ % ring->size];
			if (text[n++] == '\n')
				break;
		}
		text[n] = '\0';
		say("%s", text);
	}
	return NULL;
}
