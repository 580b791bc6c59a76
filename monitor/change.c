/* SPDX-License-Identifier: MIT */
/*
 * Commands that change what the guest has: set, w.
 */
#include "arch/x86/cpu.h"
#include "errno.h"
#include "lib/string.h"
#include "monitor/commands.h"
#include "monitor/host_memory.h"
#include "vmm/icept.h"
#include "vmm/memslot.h"
#include "vmm/registers.h"
#include "vmm/x86/cpuid.h"
#include "vmm/x86/guest_mem.h"

#define MAX_WRITE 64u

/* For set_on(), on the vCPU's CPU. */
static struct {
	const char *name;
	u64 value;
	const char *why;
} wanted;

static const char *const general[VCPU_NR_REGS] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp",
						  "rsi", "rdi", "r8",  "r9",  "r10", "r11",
						  "r12", "r13", "r14", "r15"};

/* RFLAGS without its reserved bits, and without VM, which changes the segments. */
#define RFLAGS_SETTABLE 0x3d7fd5ull

/* The bits of CR0 and CR4 that every CPU with virtualisation has, and that change neither the mode
 * nor the form of the page tables. */
#define CR0_SETTABLE (CR0_MP | CR0_EM | CR0_TS | CR0_WP | CR0_AM)
#define CR4_SETTABLE \
	(CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_MCE | CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT)
/* Those that only some CPUs have may be cleared. */
#define CR4_CLEARABLE (CR4_SETTABLE | CR4_UMIP | CR4_SMEP | CR4_SMAP)

static const char *set_rip(struct vcpu *vcpu, u64 rip)
{
	if (!rip_is_valid(vcpu, rip))
		return "this is no address of an instruction in the guest's mode";
	virt->set_sysreg(vcpu, SYSREG_RIP, rip);
	return NULL;
}

/* Returns a word that is not 0 if @wanted has changes of @old that are not in @may_set and
 * @may_clear. */
static u64 wrong_changes(u64 old, u64 wanted, u64 may_set, u64 may_clear)
{
	return (wanted & ~old & ~may_set) | (old & ~wanted & ~may_clear);
}

static const char *set_mode_register(struct vcpu *vcpu, enum sysreg reg, u64 value)
{
	virt->set_sysreg(vcpu, reg, value);
	virt->flush_tlb(vcpu);
	return NULL;
}

static const char *set_cr0(struct vcpu *vcpu, u64 cr0)
{
	bool cet = virt->get_sysreg(vcpu, SYSREG_CR4) & CR4_CET; /* which needs WP */

	if (wrong_changes(virt->get_sysreg(vcpu, SYSREG_CR0), cr0, CR0_SETTABLE,
			  cet ? CR0_SETTABLE & ~CR0_WP : CR0_SETTABLE))
		return "of CR0 MP, EM, TS, WP and AM can be changed: the others change the "
		       "guest's mode";
	return set_mode_register(vcpu, SYSREG_CR0, cr0);
}

static const char *set_cr3(struct vcpu *vcpu, u64 cr3)
{
	if (cr3 >> vcpu->vm->phys_bits)
		return "CR3 has no more bits than the machine's physical addresses";
	virt->set_sysreg(vcpu, SYSREG_CR3, cr3);
	return NULL;
}

static const char *set_cr4(struct vcpu *vcpu, u64 cr4)
{
	if (wrong_changes(virt->get_sysreg(vcpu, SYSREG_CR4), cr4, CR4_SETTABLE, CR4_CLEARABLE))
		return "of CR4 VME, PVI, TSD, DE, MCE, PCE, OSFXSR and OSXMMEXCPT can be changed, "
		       "and UMIP, SMEP and SMAP cleared";
	return set_mode_register(vcpu, SYSREG_CR4, cr4);
}

static const char *set_rflags(struct vcpu *vcpu, u64 rflags)
{
	u64 kept = virt->get_sysreg(vcpu, SYSREG_RFLAGS) & ~RFLAGS_SETTABLE;

	rflags = kept | (rflags & RFLAGS_SETTABLE);
	if (!virt->rflags_allowed(vcpu, rflags))
		return "IF and TF cannot change now: the vCPU is in HLT or in the shadow of STI or "
		       "MOV SS, or takes an interrupt; step it first";
	virt->set_sysreg(vcpu, SYSREG_RFLAGS, rflags);
	return NULL;
}

static const char *set_register(struct vcpu *vcpu)
{
	for (unsigned i = 0; i < VCPU_NR_REGS; i++) {
		if (strcmp(wanted.name, general[i]) != 0)
			continue;
		set_general_register(vcpu, (enum vcpu_reg)i, wanted.value);
		return NULL;
	}
	if (!strcmp(wanted.name, "rip"))
		return set_rip(vcpu, wanted.value);
	if (!strcmp(wanted.name, "cr0"))
		return set_cr0(vcpu, wanted.value);
	if (!strcmp(wanted.name, "cr2")) {
		write_cr2(wanted.value);
		return NULL;
	}
	if (!strcmp(wanted.name, "cr3"))
		return set_cr3(vcpu, wanted.value);
	if (!strcmp(wanted.name, "cr4"))
		return set_cr4(vcpu, wanted.value);
	if (strcmp(wanted.name, "rflags") != 0)
		return "set changes rax to r15, rip, rflags, cr0, cr2, cr3 and cr4; or say set "
		       "cpuid, set msr";
	return set_rflags(vcpu, wanted.value);
}

static void set_on(struct vcpu *vcpu)
{
	wanted.why = set_register(vcpu);
}

static const char *set_msr(struct vm *vm, const struct arguments *args)
{
	u64 msr, value = 0;
	bool off = args->word[3] && !strcmp(args->word[3], "off");
	const char *why = parse_number("MSR", args->word[2], 16, ~0u, &msr);
	int r;

	if (!why && !off)
		why = parse_number("VALUE", args->word[3], 16, ~0ull, &value);
	if (why)
		return why;
	if (args->word[4])
		return TOO_MANY;
	r = icept_answer(vm, (u32)msr, !off, value);
	if (r == -EINVAL)
		return "the CPU's bitmaps have no bit for this MSR";
	return r ? "no more MSRs: switch others off" : NULL;
}

static const char *set_cpuid(struct vm *vm, const struct arguments *args)
{
	static const char *const registers[] = {"eax", "ebx", "ecx", "edx"};
	u64 leaf, subleaf, bit, value;
	const char *why;
	unsigned reg = 0;

	if (args->word[2] && !strcmp(args->word[2], "off")) {
		if (args->word[3])
			return TOO_MANY;
		cpuid_forget_changes(vm);
		return monitor_pass_all();
	}
	why = parse_number("LEAF", args->word[2], 16, ~0u, &leaf);
	if (!why)
		why = parse_number("SUBLEAF", args->word[3], 16, ~0u, &subleaf);
	if (why)
		return why;
	if (!args->word[4])
		return missing("REGISTER");
	why = parse_number("BIT", args->word[5], 10, 31, &bit);
	if (!why)
		why = parse_number("0 or 1", args->word[6], 10, 1, &value);
	if (why)
		return why;
	while (reg < ARRAY_SIZE(registers) && strcmp(args->word[4], registers[reg]) != 0)
		reg++;
	if (reg == ARRAY_SIZE(registers))
		return "the registers of CPUID are eax, ebx, ecx and edx";
	return cpuid_change(vm, (u32)leaf, (u32)subleaf, (enum cpuid_reg)reg, BIT(bit), value)
		       ? "no more changes of CPUID: set cpuid off takes all back"
		       : NULL;
}

const char *command_set(const struct arguments *args)
{
	struct vcpu *vcpu;
	const char *why;

	if (!args->word[1])
		return missing("REGISTER, msr or cpuid");
	if (!strcmp(args->word[1], "msr"))
		return set_msr(monitor_vcpu()->vm, args);
	if (!strcmp(args->word[1], "cpuid"))
		return set_cpuid(monitor_vcpu()->vm, args);
	if (args->word[4])
		return TOO_MANY;
	vcpu = vcpu_of(args->word[3]);
	if (!vcpu)
		return NO_VCPU;
	wanted.name = args->word[1];
	why = parse_number("VALUE", args->word[2], 16, ~0ull, &wanted.value);
	if (why)
		return why;
	why = on_vcpu(vcpu, set_on);
	return why ? why : wanted.why;
}

/* Bytes from pairs of hexadecimal digits. Returns how many, or 0. */
static unsigned bytes_of(const char *word, u8 *bytes)
{
	unsigned n = 0;

	while (word && *word && n < MAX_WRITE) {
		char pair[3] = {word[0], word[1], '\0'};
		u64 value;

		if (!word[1] || !number_of(pair, 16, &value))
			return 0;
		bytes[n++] = (u8)value;
		word += 2;
	}
	return word && *word ? 0 : n;
}

/* For write_on(), on the vCPU's CPU. */
static struct {
	u64 address;
	u8 bytes[MAX_WRITE];
	unsigned n;
	int r;
} written;

static void write_on(struct vcpu *vcpu)
{
	written.r = write_guest_virt(vcpu, written.address, written.bytes, written.n);
}

static const char *write_virtual(const char *vcpu_word)
{
	struct vcpu *vcpu = vcpu_of(vcpu_word);

	return vcpu ? on_vcpu(vcpu, write_on)
		    : "there is no such vCPU; ls lists them. The bytes are one word, as 90c3";
}

const char *command_w(const struct arguments *args)
{
	struct arguments rest = *args;
	bool physical = take_word(&rest, "-p"), host = !physical && take_word(&rest, "-h");
	const char *const *word = &rest.word[1];
	const char *why;

	if (has_option(&rest))
		return NO_OPTION;
	if (word[0] && word[1] && word[2] && (physical || host || word[3]))
		return TOO_MANY;
	why = parse_number("ADDR", word[0], 16, ~0ull, &written.address);
	if (!why && !word[1])
		why = missing("BYTES");
	if (why)
		return why;
	written.n = bytes_of(word[1], written.bytes);
	if (!written.n)
		return "say what to write as pairs of hexadecimal digits: 1 to 64 bytes";
	if (host)
		written.r = write_host(written.address, written.bytes, written.n);
	else if (physical)
		written.r =
			write_guest(monitor_vcpu()->vm, written.address, written.bytes, written.n);
	else
		why = write_virtual(word[2]);
	if (why || !written.r)
		return why;
	return !host                 ? "this address is not mapped to memory of the guest"
	       : written.r == -EROFS ? HOST_READ_ONLY
				     : HOST_NOT_MAPPED;
}
