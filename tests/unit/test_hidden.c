// SPDX-License-Identifier: MIT
/*
 * Hidden features: with each go its bits of CR4, its state components and its MSRs; and what CPUID
 * hides does not depend on what the CPU showed at boot.
 */
#include "tests/unit/stubs.h"
#include "arch/x86/msr_index.h"
#include "lib/pages.h"
#include "vmm/vmx/vmx.h"
#include "vmm/x86/cpuid.h"
#include "vmm/x86/guest_mem.h"

struct vmcs_config vmcs_config;
struct vmx_capability vmx_capability;
struct virt_ops virt_ops;

static struct cpuid_policy policy;
static struct vm vm;

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

static u8 intercepted[0x2000];

static void set_msr_intercept(struct vm *for_vm, u32 msr, bool read, bool write)
{
	(void)for_vm;
	if (msr < 0x2000)
		intercepted[msr] = read && write;
	else
		assert_in_range(msr, 0xc0000000, 0xc0001fff);
}

/* The policy for a CPU with all of the optional controls, or none. */
static void hide(bool has_all)
{
	memset(intercepted, 0, sizeof(intercepted));
	virt_ops.set_msr_intercept = set_msr_intercept;
	vmcs_config = (struct vmcs_config){0};
	vmx_capability = (struct vmx_capability){0};
	if (has_all) {
		vmcs_config.has_bndcfgs = vmcs_config.has_cet = vmcs_config.has_pkrs = true;
		vmcs_config.has_ept = true;
		vmcs_config.cpu_based_2nd_exec_ctrl = ~0u;
		vmx_capability.cr4_fixed1 = ~0ull;
	}
	assert_int_equal(cpuid_policy_init(&vm), 0);
	vmx_hide_features(&vm);
}

static bool closed(u32 msr)
{
	return cpuid_hides_msr(&vm, msr) && intercepted[msr];
}

static void some_are_always_hidden(void **state)
{
	static const u32 msrs[] = {0x480,  0x493,  0x1cc,  0x1d4,  0x3f4,  0x3f5,  0x1903,
				   0x1907, 0x197f, 0x1983, 0x14ce, 0x14cf, 0x1200, 0x151f,
				   0x1600, 0x570,  0x600,  0x9b,   0x17d0, 0x17d4, 0x2f};

	(void)state;
	hide(true);
	for (unsigned i = 0; i < ARRAY_SIZE(msrs); i++)
		assert_true(closed(msrs[i]));
	assert_true(vm.cpuid->hidden_cr4 == (CR4_VMXE | CR4_SMXE | CR4_FRED));
	assert_true(vm.cpuid->hidden_xstate == (BIT(8) | BIT(15)));
}

static void their_neighbours_are_not(void **state)
{
	static const u32 msrs[] = {0x10,   0x1cb,  0x1d5,  0x3f3, 0x3f6, 0x1900, 0x1904, 0x1980,
				   0x14cd, 0x14d0, 0x1220, 0x6a2, 0x6e1, 0xd90,  0xda0,  0xe1};

	(void)state;
	hide(true);
	for (unsigned i = 0; i < ARRAY_SIZE(msrs); i++)
		assert_false(cpuid_hides_msr(&vm, msrs[i]) || intercepted[msrs[i]]);
}

static void without_its_control_a_feature_is_hidden_as_a_whole(void **state)
{
	static const u32 msrs[] = {0x6a0, 0x6a2, 0x6a8, 0x6e1, 0xd90, 0xda0, 0xe1};

	(void)state;
	hide(false);
	for (unsigned i = 0; i < ARRAY_SIZE(msrs); i++)
		assert_true(closed(msrs[i]));
	assert_true(cpuid_hides_msr(&vm, MSR_TSC_AUX));
	assert_true(vm.cpuid->hidden_cr4 ==
		    (CR4_VMXE | CR4_SMXE | CR4_FRED | CR4_CET | CR4_PKS | CR4_LA57 | CR4_LAM_SUP));
	assert_true(vm.cpuid->hidden_xstate ==
		    (BIT(3) | BIT(4) | BIT(8) | BIT(11) | BIT(12) | BIT(15)));
}

static void without_ept_some_are_hidden_though_there_is_a_control(void **state)
{
	(void)state;
	hide(true);
	assert_false(vm.cpuid->hidden_cr4 & (CR4_PKS | CR4_LAM_SUP) || closed(0x6e1));
	vmcs_config.has_ept = false;
	assert_int_equal(cpuid_policy_init(&vm), 0);
	vmx_hide_features(&vm);
	assert_true(vm.cpuid->hidden_cr4 & CR4_PKS && vm.cpuid->hidden_cr4 & CR4_LAM_SUP);
	assert_true(closed(0x6e1));
}

/* A microcode update may add a feature that the CPU did not have at boot. */
static void a_feature_that_appears_later_is_hidden(void **state)
{
	struct vcpu vcpu = {.vm = &vm};

	(void)state;
	assert_int_equal(cpuid_policy_init(&vm), 0);
	cpuid_hide(&vm, 0, 0, CPUID_EBX, ~0u, "vendor", "test");
	policy.hidden[0].present = false;
	vcpu.cpuid_plain = policy.plain_leaves;
	assert_false(cpuid_is_plain(&vcpu));
	emulate_cpuid_masked(&vcpu);
	assert_int_equal(vcpu.regs[VCPU_RBX], 0);
	assert_int_not_equal(vcpu.regs[VCPU_RCX], 0);
}

static void cpuid_is(u32 leaf, u32 subleaf, u32 eax, u32 ebx, u32 ecx, u32 edx)
{
	struct vcpu vcpu = {.vm = &vm, .cpuid_plain = policy.plain_leaves};

	vcpu.regs[VCPU_RAX] = leaf | BIT(40); /* CPUID ignores the upper halves */
	vcpu.regs[VCPU_RCX] = subleaf | BIT(40);
	assert_false(cpuid_is_plain(&vcpu));
	emulate_cpuid_masked(&vcpu);
	assert_int_equal(vcpu.regs[VCPU_RAX], eax);
	assert_int_equal(vcpu.regs[VCPU_RBX], ebx);
	assert_int_equal(vcpu.regs[VCPU_RCX], ecx);
	assert_int_equal(vcpu.regs[VCPU_RDX], edx);
}

static unsigned published;

void recorder_publish(const struct vm *of)
{
	assert_ptr_equal(of, &vm);
	published++;
}

static void a_leaf_names_the_log(void **state)
{
	static const struct mem_range logs[LOG_RINGS] = {
		[LOG_RING_NOW] = {0x123456000, 0x5000, MEM_RESERVED},
		[LOG_RING_TRACE] = {0x7000, 0x2000, MEM_RESERVED}};

	(void)state;
	assert_int_equal(cpuid_policy_init(&vm), 0);
	cpuid_is(CPUID_GLASSHOUSE, 0, CPUID_EXITS, CPUID_GLASSHOUSE_EBX, CPUID_GLASSHOUSE_ECX,
		 CPUID_GLASSHOUSE_EDX);
	cpuid_is(LOG_RING_LEAF, LOG_RING_NOW, 0, 0, 0, 0);
	policy.logs = logs;
	cpuid_is(LOG_RING_LEAF, LOG_RING_NOW, 0x23456000, 1, 0x5000, 0);
	cpuid_is(LOG_RING_LEAF, LOG_RING_LAST, 0, 0, 0, 0);
	assert_int_equal(published, 0);
	cpuid_is(LOG_RING_LEAF, LOG_RING_TRACE, 0x7000, 0, 0x2000, 0);
	assert_int_equal(published, 1);
	cpuid_is(LOG_RING_LEAF, LOG_RINGS, 0, 0, 0, 0);
	cpuid_is(LOG_RING_LEAF, ~0u, 0, 0, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(some_are_always_hidden),
		cmocka_unit_test(their_neighbours_are_not),
		cmocka_unit_test(without_its_control_a_feature_is_hidden_as_a_whole),
		cmocka_unit_test(without_ept_some_are_hidden_though_there_is_a_control),
		cmocka_unit_test(a_feature_that_appears_later_is_hidden),
		cmocka_unit_test(a_leaf_names_the_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
