/* SPDX-License-Identifier: MIT */
/*
 * The check of lab 4: each function by itself, with random values, right before the guest's first
 * instruction; and the exits of the guest, counted for the answers. The machine's own MSRs and
 * ports are not touched: for a while the VM has operations that only note what they were called
 * with.
 */
#include "arch/x86/cpu.h"
#include "arch/x86/msr_index.h"
#include "errno.h"
#include "labs/common/lab.h"
#include "lib/log.h"
#include "lib/string.h"
#include "vmm/room.h"
#include "vmm/virt_ops.h"
#include "vmm/vmx/skip.h"
#include "vmm/vmx/vmx.h"
#include "vmm/x86/cpuid.h"
#include "vmm/x86/io.h"
#include "vmm/x86/msr.h"

enum test {
	TEST_SKIP_TO = 1,
	TEST_END_INSTRUCTION,
	TEST_RDMSR,
	TEST_WRMSR,
	TEST_ASSIGN,
	TEST_PIO,
	TEST_CPUID,
	TEST_EXITS
};

#define ROUNDS  200
#define NR_REGS 16

/* What else can be pending: B0 to B3, and that one of these is enabled. */
#define PENDING_DBG_OTHERS (GENMASK(3, 0) | PENDING_DBG_ENABLED_BP)

int __real_vmx_handle_exit(struct vcpu *vcpu), __wrap_vmx_handle_exit(struct vcpu *vcpu);
void __real_vmx_end_instruction(u64 rflags, u64 interruptibility),
	__wrap_vmx_end_instruction(u64 rflags, u64 interruptibility);
void __real_vmx_hardware_disable(void), __wrap_vmx_hardware_disable(void);

static struct vcpu *vcpu;

/* ---- 1 and 2: the end of an instruction ---- */

static struct {
	u64 rflags, blocking, pending, debugctl;
} guest;

static void set_guest(void)
{
	u64 random = lab_random();

	guest.rflags = 2 | (random & (RFLAGS_RF | RFLAGS_TF | RFLAGS_CF | RFLAGS_DF));
	guest.blocking = (random >> 32) & (GUEST_INTR_STATE_STI | GUEST_INTR_STATE_NMI);
	if (random & BIT(40))
		guest.blocking = (guest.blocking & GUEST_INTR_STATE_NMI) | GUEST_INTR_STATE_MOV_SS;
	guest.pending =
		(random & BIT(41) ? PENDING_DBG_BS : 0) | (random >> 48 & PENDING_DBG_OTHERS);
	guest.debugctl = random & BIT(42) ? DEBUGCTLMSR_BTF : 0;
	vmwrite(GUEST_RFLAGS, guest.rflags);
	vmwrite(GUEST_INTERRUPTIBILITY_INFO, guest.blocking);
	vmwrite(GUEST_PENDING_DBG_EXCEPTIONS, guest.pending);
	vmwrite(GUEST_IA32_DEBUGCTL, guest.debugctl);
}

static const char *wrong_end(void)
{
	u64 rflags = vmread(GUEST_RFLAGS), blocking = vmread(GUEST_INTERRUPTIBILITY_INFO);
	u64 pending = guest.pending;
	const char *why = NULL;

	if (guest.rflags & RFLAGS_TF)
		pending = (pending & ~PENDING_DBG_BS) | (guest.debugctl ? 0 : PENDING_DBG_BS);
	if (rflags & RFLAGS_RF)
		why = "RFLAGS.RF stays 1: the next instruction would not stop at a breakpoint";
	else if (rflags != (guest.rflags & ~RFLAGS_RF))
		why = "another bit of RFLAGS than RF has changed";
	else if (blocking & (GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS))
		why = "the shadow of STI or MOV SS stays: it is over after one instruction";
	else if (blocking != (guest.blocking & GUEST_INTR_STATE_NMI))
		why = "the blocking by NMI has changed: only IRET ends it";
	else if ((vmread(GUEST_PENDING_DBG_EXCEPTIONS) ^ pending) & ~PENDING_DBG_BS)
		why = "pending debug exceptions: another bit than BS has changed";
	else if (vmread(GUEST_PENDING_DBG_EXCEPTIONS) != pending)
		why = "pending debug exceptions: BS must be 1 after an instruction with TF, but "
		      "for BTF";
	if (why)
		pr_info("# RFLAGS %lx, interruptibility %lx, pending %lx, IA32_DEBUGCTL %lx: they "
			"have become "
			"%lx, %lx, %lx\n",
			guest.rflags, guest.blocking, guest.pending, guest.debugctl, rflags,
			blocking, vmread(GUEST_PENDING_DBG_EXCEPTIONS));
	return why;
}

static unsigned ends; /* calls of vmx_end_instruction() */

void __wrap_vmx_end_instruction(u64 rflags, u64 interruptibility)
{
	ends++;
	__real_vmx_end_instruction(rflags, interruptibility);
}

static const char *check_skip_to(void)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		u64 rip = lab_random() >> 18;

		set_guest();
		vmwrite(GUEST_RFLAGS, guest.rflags & ~(RFLAGS_RF | RFLAGS_TF));
		vmwrite(GUEST_INTERRUPTIBILITY_INFO, guest.blocking & GUEST_INTR_STATE_NMI);
		ends = 0;
		vmx_skip_to(rip);
		if (vmread(GUEST_RIP) != rip)
			return "RIP is not where it was to go: the guest would execute the "
			       "instruction again";
		if (ends)
			return "vmx_end_instruction() has been called, but there is neither RF, TF "
			       "nor a shadow";
	}
	return NULL;
}

static const char *check_end(void)
{
	const char *why = NULL;

	for (unsigned i = 0; i < ROUNDS && !why; i++) {
		set_guest();
		if (i % 2)
			vmx_end_instruction(guest.rflags, guest.blocking);
		else
			vmx_skip_to(0x1000);
		if (i % 2 || guest.rflags & (RFLAGS_RF | RFLAGS_TF) ||
		    guest.blocking & ~GUEST_INTR_STATE_NMI)
			why = wrong_end();
		if (why && !(i % 2))
			pr_info("# after vmx_skip_to()\n");
	}
	return why;
}

/* ---- 3 to 6: MSRs and ports, by operations that note what they are called with ---- */

static struct {
	u32 msr, value32;
	u64 value;
	int result;
	struct pio_access io;
	unsigned calls, skips;
} noted;

static int note_rdmsr(struct vcpu *v, u32 msr, u64 *value)
{
	(void)v;
	noted.calls++;
	noted.msr = msr;
	*value = noted.value;
	return noted.result;
}

static int note_wrmsr(struct vcpu *v, u32 msr, u64 value)
{
	(void)v;
	noted.calls++;
	noted.msr = msr;
	noted.value = value;
	return noted.result;
}

static u32 note_pio(struct vcpu *v, const struct pio_access *io, u32 value)
{
	(void)v;
	noted.calls++;
	noted.io = *io;
	if (!io->in)
		noted.value32 = value;
	return noted.value32;
}

static void note_skip(struct vcpu *v)
{
	(void)v;
	noted.skips++;
}

static u64 before[NR_REGS];

/* New random registers, and nothing noted. */
static void randomise(void)
{
	memset(&noted, 0, sizeof(noted));
	for (unsigned i = 0; i < NR_REGS; i++)
		vcpu->regs[i] = before[i] = lab_random();
}

/* Has another register changed than RAX, and @too? */
static bool others_changed(unsigned too)
{
	for (unsigned i = 0; i < NR_REGS; i++)
		if (i != VCPU_RAX && i != too && vcpu->regs[i] != before[i])
			return true;
	return false;
}

static const char *check_rdmsr(void)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		int r;

		randomise();
		noted.value = lab_random();
		noted.result = i % 4 ? 0 : -EINVAL;
		r = emulate_rdmsr(vcpu);
		if (noted.calls != 1 || noted.msr != (u32)before[VCPU_RCX])
			return "RDMSR: the VM must be asked once, for the MSR in ECX";
		if (!r != !noted.result)
			return "RDMSR: the value that it returns is not what the VM said";
		if (noted.result) {
			if (memcmp(vcpu->regs, before, sizeof(before)))
				return "RDMSR that is refused must not change registers";
			continue;
		}
		if (vcpu->regs[VCPU_RAX] != (u32)noted.value ||
		    vcpu->regs[VCPU_RDX] != noted.value >> 32)
			return "RDMSR: RAX and RDX are not the two halves of the value, each with "
			       "its upper half 0";
		if (others_changed(VCPU_RDX))
			return "RDMSR has changed another register";
	}
	return NULL;
}

static const char *check_wrmsr(void)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		int r;

		randomise();
		noted.result = i % 4 ? 0 : -EINVAL;
		r = emulate_wrmsr(vcpu);
		if (noted.calls != 1 || noted.msr != (u32)before[VCPU_RCX])
			return "WRMSR: the VM must be asked once, for the MSR in ECX";
		if (noted.value != ((u64)(u32)before[VCPU_RDX] << 32 | (u32)before[VCPU_RAX]))
			return "WRMSR: the value is EDX:EAX; the upper halves of RAX and RDX are "
			       "not part of it";
		if (!r != !noted.result)
			return "WRMSR: the value that it returns is not what the VM said";
		if (memcmp(vcpu->regs, before, sizeof(before)))
			return "WRMSR must not change registers";
	}
	return NULL;
}

static u64 assigned(u64 old, unsigned size, u64 value)
{
	if (size == 1)
		return (old & ~0xffull) | (value & 0xff);
	if (size == 2)
		return (old & ~0xffffull) | (value & 0xffff);
	return size == 4 ? (u32)value : value;
}

static const char *check_assign(void)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		u64 old = lab_random(), value = lab_random(), reg = old;
		unsigned size = 1u << (i % 4);

		assign_register(&reg, size, value);
		if (reg == assigned(old, size, value))
			continue;
		pr_info("# size %u, register %lx, value %lx: the register is %lx, it must be %lx\n",
			size, old, value, reg, assigned(old, size, value));
		return "assign_register: 1 and 2 bytes keep the rest of the register, 4 bytes "
		       "clear it";
	}
	return NULL;
}

static const char *check_pio(void)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct pio_access io = {.port = (u16)lab_random(), .size = (u8)(1u << (i % 3))};
		u64 rax;

		io.in = i % 2;
		randomise();
		noted.value32 = (u32)lab_random();
		rax = io.in ? assigned(before[VCPU_RAX], io.size, noted.value32) : before[VCPU_RAX];
		if (emulate_pio(vcpu, &io) != 1)
			return "emulate_pio must return 1: stay in the loop";
		if (noted.calls != 1 || memcmp(&noted.io, &io, sizeof(io)))
			return "the access must be made once, by kernel_pio, as it was decoded";
		if (!io.in && noted.value32 != (u32)before[VCPU_RAX])
			return "OUT writes EAX";
		if (noted.skips != 1)
			return "the instruction must be skipped once";
		if (vcpu->regs[VCPU_RAX] != rax || others_changed(VCPU_RAX))
			return "IN sets AL, AX or EAX, and nothing else; OUT sets nothing";
	}
	return NULL;
}

/* ---- 7: CPUID's hidden bits ---- */

static struct cpuid_policy policy;

/* Hide random bits of a few leaves, as cpuid_hide() does. */
static void make_policy(void)
{
	static const u32 leaves[] = {1, 7, 7, 0xd, 0x80000001, 0x80000008, 1, 7, 0x80000000, 0x23};

	memset(&policy, 0, sizeof(policy));
	for (unsigned i = 0; i < ARRAY_SIZE(leaves); i++) {
		u8 *first = &policy.first[leaves[i] >> 31][leaves[i] & 0x7fffffff];
		struct cpuid_hidden *h = &policy.hidden[i];

		h->leaf = leaves[i];
		h->subleaf = i % 2 && (leaves[i] == 7 || leaves[i] == 0xd || leaves[i] == 0x23);
		h->reg = (enum cpuid_reg)(lab_random() & 3);
		h->bits = (u32)(lab_random() & lab_random());
		h->next = *first;
		*first = (u8)(i + 1);
		policy.nr_hidden++;
	}
}

static u32 kept(u32 leaf, u32 subleaf, unsigned reg)
{
	u32 hidden = 0;

	if (leaf != 7 && leaf != 0xd && leaf != 0x23)
		subleaf = 0;
	for (unsigned i = 0; i < policy.nr_hidden; i++)
		if (policy.hidden[i].leaf == leaf && policy.hidden[i].subleaf == subleaf &&
		    policy.hidden[i].reg == reg)
			hidden |= policy.hidden[i].bits;
	return ~hidden;
}

static const char *check_cpuid(void)
{
	static const u32 leaves[] = {0,          1,          7,          0xd,
				     0x23,       63,         64,         0x40000000,
				     0x80000001, 0x80000008, 0x80000040, 0xffffffff};

	for (unsigned i = 0; i < ROUNDS; i++) {
		u32 leaf = leaves[lab_random() % ARRAY_SIZE(leaves)], subleaf = lab_random() & 1;
		u32 regs[4], was[4];

		make_policy();
		for (unsigned reg = 0; reg < 4; reg++)
			regs[reg] = was[reg] = (u32)lab_random();
		cpuid_mask(&policy, leaf, subleaf, regs);
		for (unsigned reg = 0; reg < 4; reg++)
			if (regs[reg] != (was[reg] & kept(leaf, subleaf, reg))) {
				pr_info("# leaf %x, subleaf %x, E%cX: %x of %x is left, it must be "
					"%x\n",
					leaf, subleaf, "ABCD"[reg], regs[reg], was[reg],
					was[reg] & kept(leaf, subleaf, reg));
				return "CPUID: other bits are hidden than the policy says";
			}
	}
	return NULL;
}

/* ---- 8: the leaf with counts ---- */

#define NR_VCPUS 3

static const char *check_exits(void)
{
	static struct vcpu vcpus[NR_VCPUS + 1]; /* behind the counts there are other numbers */
	static struct vm vm;

	for (unsigned i = 0; i <= NR_VCPUS; i++)
		memset(vcpus[i].regs, 0x5a, sizeof(vcpus[i].regs));
	for (unsigned i = 0; i < NR_VCPUS; i++)
		vm.vcpus[i] = &vcpus[i];
	for (unsigned i = 0; i < ROUNDS; i++) {
		u32 reason = (u32)lab_random() % (RECORDER_REASONS + 8), regs[4];
		u64 sum = 0;

		vm.nr_vcpus = 1 + i % NR_VCPUS;
		for (unsigned n = 0; n < NR_VCPUS; n++) {
			for (unsigned k = 0; k < RECORDER_REASONS; k++)
				vcpus[n].recorder.count[k] = lab_random() >> (i % 2 ? 8 : 40);
			if (n < vm.nr_vcpus && reason < RECORDER_REASONS)
				sum += vcpus[n].recorder.count[reason];
		}
		for (unsigned reg = 0; reg < 4; reg++)
			regs[reg] = (u32)lab_random();
		cpuid_exits(&vm, reason, regs);
		if (regs[CPUID_EAX] == (u32)sum && regs[CPUID_EBX] == sum >> 32 &&
		    regs[CPUID_ECX] == vm.nr_vcpus && !regs[CPUID_EDX])
			continue;
		pr_info("# %u vCPUs, reason %u, %lx exits: EAX is %x, EBX %x, ECX %x, EDX %x\n",
			vm.nr_vcpus, reason, sum, regs[CPUID_EAX], regs[CPUID_EBX], regs[CPUID_ECX],
			regs[CPUID_EDX]);
		return "cpuid_exits: EBX:EAX is the sum over the vCPUs, ECX how many these are, "
		       "EDX 0";
	}
	return NULL;
}

/* ---- All of them ---- */

static const u64 fields[] = {GUEST_RIP, GUEST_RFLAGS, GUEST_INTERRUPTIBILITY_INFO,
			     GUEST_PENDING_DBG_EXCEPTIONS, GUEST_IA32_DEBUGCTL};

/* Call @check while the VM only notes accesses. */
static void with_notes(enum test test, const char *(*check)(void))
{
	const struct vm_ops *ops = vcpu->vm->ops;
	struct vm_ops notes = *ops;
	void (*skip)(struct vcpu * v) = virt_ops.skip_emulated_instruction;
	u64 regs[NR_REGS];

	memcpy(regs, vcpu->regs, sizeof(regs));
	notes.rdmsr = note_rdmsr;
	notes.wrmsr = note_wrmsr;
	notes.pio = note_pio;
	vcpu->vm->ops = &notes;
	virt_ops.skip_emulated_instruction = note_skip;
	lab_result(test, check());
	virt_ops.skip_emulated_instruction = skip;
	vcpu->vm->ops = ops;
	memcpy(vcpu->regs, regs, sizeof(regs));
}

static void check_all(void)
{
	u64 saved[ARRAY_SIZE(fields)];

	vcpu = this_cpu()->vcpu;
	for (unsigned i = 0; i < ARRAY_SIZE(fields); i++)
		saved[i] = vmread(fields[i]);
	lab_result(TEST_SKIP_TO, check_skip_to());
	lab_result(TEST_END_INSTRUCTION, check_end());
	for (unsigned i = 0; i < ARRAY_SIZE(fields); i++)
		vmwrite(fields[i], saved[i]);
	with_notes(TEST_RDMSR, check_rdmsr);
	with_notes(TEST_WRMSR, check_wrmsr);
	lab_result(TEST_ASSIGN, check_assign());
	with_notes(TEST_PIO, check_pio);
	lab_result(TEST_CPUID, check_cpuid());
	lab_result(TEST_EXITS, check_exits());
	lab_stop_if_failed();
}

ROOM(.name = "lab", .enter = check_all);

/* ---- What the guest does, for the answers ---- */

static u64 cpuids, writes, ports[0x100];

int __wrap_vmx_handle_exit(struct vcpu *v)
{
	u32 reason = (u32)vmread(VM_EXIT_REASON);
	u64 port = IO_QUAL_PORT(vmread(EXIT_QUALIFICATION));

	if (reason == EXIT_REASON_CPUID)
		cpuids++;
	else if (reason == EXIT_REASON_MSR_WRITE)
		writes++;
	else if (reason == EXIT_REASON_IO_INSTRUCTION && port < ARRAY_SIZE(ports))
		ports[port]++;
	return __real_vmx_handle_exit(v);
}

void __wrap_vmx_hardware_disable(void)
{
	unsigned most = 0;

	for (unsigned i = 1; i < ARRAY_SIZE(ports); i++)
		if (ports[i] > ports[most])
			most = i;
	lab_key("cpuid-exits", "%lu", cpuids);
	lab_key("wrmsr-exits", "%lu", writes);
	lab_key("port", "%x %lu", most, ports[most]);
	__real_vmx_hardware_disable();
}
