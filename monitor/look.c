/* SPDX-License-Identifier: MIT */
/*
 * Commands that show CPUs, vCPUs and their exits.
 */
#include "arch/x86/cpu.h"
#include "build/version.h"
#include "monitor/commands.h"
#include "vmm/recorder_text.h"
#include "vmm/virt_ops.h"

const char *command_version(const struct arguments *args)
{
	(void)args;
	row("version", "Glasshouse %s\n", GLASSHOUSE_VERSION);
	return NULL;
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
		row("cpu apic_id state left_out?", "CPU %u: APIC ID %u, %s%s\n", cpu->id,
		    cpu->apic_id,
		    !cpu->online   ? "off"
		    : cpu->virt_on ? "virtualisation on"
				   : "virtualisation off",
		    cpu->parked ? ", left out by cpus=" : "");
	row("vm vcpus slots", "%s: %u vCPUs, %u memory slots\n", vm->ops->name, vm->nr_vcpus,
	    vm->slots.nr);
	for (unsigned i = 0; i < vm->nr_vcpus; i++)
		row("vcpu cpu state exits", "  vCPU %u on CPU %u: %s, %lu exits\n", i,
		    vm->vcpus[i]->cpu->id, state_of(vm->vcpus[i]), recorder_total(vm->vcpus[i]));
	return NULL;
}

static void give_capability(const char *group, const char *name, const char *use, bool has)
{
	row("group control use cpu_has?", "%s: %s: %s%s\n", group, name, use, has ? ", yes" : "");
}

const char *command_caps(const struct arguments *args)
{
	(void)args;
	if (row_is_json())
		virt->each_capability(give_capability);
	else
		virt->print_capabilities();
	return NULL;
}

static void print_segment(struct vcpu *vcpu, const char *name, enum segment_reg reg)
{
	struct segment seg;

	virt->get_segment(vcpu, reg, &seg);
	row("segment selector base limit rights unusable?",
	    "%-4s %04x base %016lx limit %08x rights %04x%s\n", name, seg.selector, seg.base,
	    seg.limit, seg.ar, seg.unusable ? " unusable" : "");
}

static void print_registers(struct vcpu *vcpu)
{
	static const char *const segments[] = {"ES", "CS",   "SS", "DS",   "FS",
					       "GS", "LDTR", "TR", "GDTR", "IDTR"};
	const u64 *r = vcpu->regs;

	row("rax rcx rdx rbx", "RAX %016lx RCX %016lx RDX %016lx RBX %016lx\n", r[VCPU_RAX],
	    r[VCPU_RCX], r[VCPU_RDX], r[VCPU_RBX]);
	row("rsp rbp rsi rdi", "RSP %016lx RBP %016lx RSI %016lx RDI %016lx\n",
	    virt->get_sysreg(vcpu, SYSREG_RSP), r[VCPU_RBP], r[VCPU_RSI], r[VCPU_RDI]);
	row("r8 r9 r10 r11", "R8  %016lx R9  %016lx R10 %016lx R11 %016lx\n", r[8], r[9], r[10],
	    r[11]);
	row("r12 r13 r14 r15", "R12 %016lx R13 %016lx R14 %016lx R15 %016lx\n", r[12], r[13], r[14],
	    r[15]);
	row("rip rflags efer dr7", "RIP %016lx RFLAGS %lx EFER %lx DR7 %lx\n",
	    virt->get_sysreg(vcpu, SYSREG_RIP), virt->get_sysreg(vcpu, SYSREG_RFLAGS),
	    virt->get_sysreg(vcpu, SYSREG_EFER), virt->get_sysreg(vcpu, SYSREG_DR7));
	row("cr0 cr2 cr3 cr4", "CR0 %lx CR2 %lx CR3 %lx CR4 %lx\n",
	    virt->get_sysreg(vcpu, SYSREG_CR0), read_cr2(), virt->get_sysreg(vcpu, SYSREG_CR3),
	    virt->get_sysreg(vcpu, SYSREG_CR4));
	for (unsigned i = 0; i < ARRAY_SIZE(segments); i++)
		print_segment(vcpu, segments[i], (enum segment_reg)i);
}

const char *command_regs(const struct arguments *args)
{
	struct vcpu *vcpu = vcpu_of(args->word[1]);

	return vcpu ? on_vcpu(vcpu, print_registers) : NO_VCPU;
}
