/* SPDX-License-Identifier: MIT */
/*
 * CPUID of leaves beyond the last: the CPU answers as for the last basic one, and what is hidden
 * there is hidden then, too.
 */
#include "tests/unit/stubs.h"

#include "arch/x86/cpu.h"

#define LAST 0x14u

/* A CPU whose last leaves are LAST and 80000008h. */
static bool clamps; /* other leaves are answered as LAST, else as 0 */

static struct cpuid_regs fake_cpuid(u32 leaf, u32 subleaf)
{
	if (leaf == 0x80000000)
		return (struct cpuid_regs){.eax = 0x80000008};
	if (leaf == 0x40000003)
		return (struct cpuid_regs){7, 7, 7, 7}; /* of a hypervisor below */
	if (leaf > LAST && (leaf < 0x80000000 || leaf > 0x80000008)) {
		if (!clamps)
			return (struct cpuid_regs){0};
		leaf = LAST;
	}
	if (!leaf)
		return (struct cpuid_regs){.eax = LAST};
	return (struct cpuid_regs){leaf + subleaf, 0xf0f0, 0xff00, 0x1111};
}

static bool virtual;

bool cpu_is_virtual(void)
{
	return virtual;
}

#define cpuid(leaf, subleaf) fake_cpuid(leaf, subleaf)
#include "vmm/x86/cpuid.c"
#undef cpuid

struct virt_ops virt_ops;
static struct cpuid_policy policy;
static struct vm vm;

void recorder_publish(const struct vm *of)
{
	(void)of;
}

void *page_alloc(void)
{
	memset(&policy, 0, sizeof(policy));
	return &policy;
}

enum insn_mode guest_mode(struct vcpu *vcpu)
{
	(void)vcpu;
	return INSN_64;
}

static void reads(u32 leaf, u32 subleaf, u32 eax, u32 ebx)
{
	struct vcpu vcpu = {.vm = &vm, .cpuid_plain = policy.plain_leaves};

	vcpu.regs[VCPU_RAX] = leaf;
	vcpu.regs[VCPU_RCX] = subleaf;
	assert_false(cpuid_is_plain(&vcpu));
	emulate_cpuid_masked(&vcpu);
	assert_int_equal(vcpu.regs[VCPU_RAX], eax);
	assert_int_equal(vcpu.regs[VCPU_RBX], ebx);
}

static int setup(void **state)
{
	(void)state;
	clamps = true;
	virtual = false;
	assert_int_equal(cpuid_policy_init(&vm), 0);
	cpuid_hide(&vm, LAST, 0, CPUID_EBX, 0xf000, "last", "test");
	return 0;
}

static void beyond_the_last_the_same_is_hidden(void **state)
{
	static const u32 beyond[] = {LAST + 1,   0x1f,       0x20, 0x50,
				     0x7fffffff, 0x80000009, ~0u,  0x40000004};

	(void)state;
	reads(LAST, 0, LAST, 0xf0);
	for (unsigned i = 0; i < ARRAY_SIZE(beyond); i++) {
		reads(beyond[i], 0, LAST, 0xf0);
		reads(beyond[i], 3, LAST + 3, 0xf0);
	}
}

static void what_is_answered_otherwise_is_not(void **state)
{
	(void)state;
	reads(0x40000003, 0, 7, 7);
	reads(0x80000008, 0, 0x80000008, 0xf0f0);
	clamps = false;
	reads(LAST + 1, 0, 0, 0);
}

/* Its name and its features are not the guest's. */
static void a_hypervisor_below_is_not_seen(void **state)
{
	(void)state;
	virtual = true;
	reads(0x40000003, 0, LAST, 0xf0);
	reads(0x40000003, 5, LAST + 5, 0xf0);
	reads(CPUID_GLASSHOUSE, 0, CPUID_EXITS, CPUID_GLASSHOUSE_EBX);
	clamps = false;
	reads(LAST + 1, 0, 0, 0);
	reads(0x80000008, 0, 0x80000008, 0xf0f0);
}

/* The sum over the vCPUs; a guest may ask for any reason. */
static void exits_are_counted(void **state)
{
	struct vcpu vcpus[2] = {0};

	(void)state;
	vm.nr_vcpus = 2;
	vm.vcpus[0] = &vcpus[0];
	vm.vcpus[1] = &vcpus[1];
	vcpus[0].recorder.count[10] = 0xffffffff;
	vcpus[1].recorder.count[10] = 2;
	vcpus[1].recorder.count[RECORDER_REASONS - 1] = 3;
	reads(CPUID_EXITS, 10, 1, 1);
	reads(CPUID_EXITS, RECORDER_REASONS - 1, 3, 0);
	reads(CPUID_EXITS, RECORDER_REASONS, 0, 0);
	reads(CPUID_EXITS, ~0u, 0, 0);
	vm.nr_vcpus = 0;
}

static void leaves_up_to_the_last_may_be_plain(void **state)
{
	struct vcpu vcpu = {.cpuid_plain = policy.plain_leaves};

	(void)state;
	for (u32 leaf = 0; leaf < 40; leaf++) {
		vcpu.regs[VCPU_RAX] = leaf;
		assert_int_equal(cpuid_is_plain(&vcpu), leaf < LAST && leaf != 1 && leaf != 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(beyond_the_last_the_same_is_hidden, setup),
		cmocka_unit_test_setup(what_is_answered_otherwise_is_not, setup),
		cmocka_unit_test_setup(a_hypervisor_below_is_not_seen, setup),
		cmocka_unit_test_setup(exits_are_counted, setup),
		cmocka_unit_test_setup(leaves_up_to_the_last_may_be_plain, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
