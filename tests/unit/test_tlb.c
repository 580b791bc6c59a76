// SPDX-License-Identifier: MIT
/*
 * Invalidation of cached guest translations, after VMXON and later, by the types of INVEPT and
 * INVVPID that the CPU has.
 */
#include "tests/unit/stubs.h"

/* Instead of the instructions: what they were given. */
#define GH_VMX_INSN_H
static int invepts, invvpids;
static u64 invept_type, invvpid_type, invvpid_id;

static inline int invept(u64 type, u64 eptp)
{
	(void)eptp;
	invepts++;
	invept_type = type;
	return 0;
}

static inline int invvpid(u64 type, u16 vpid)
{
	invvpids++;
	invvpid_type = type;
	invvpid_id = vpid;
	return 0;
}

static inline u64 vmread(u64 field)
{
	return field;
}

static inline void vmwrite(u64 field, u64 value)
{
	(void)field;
	(void)value;
}

#include "vmm/vmx/tlb.c"

struct vmcs_config vmcs_config;

u64 ept_pointer(const struct ept *ept)
{
	return (u64)ept;
}

static int setup(void **state)
{
	(void)state;
	invepts = invvpids = 0;
	vmcs_config = (struct vmcs_config){
		.has_ept = true,
		.has_vpid = true,
		.has_invept_single = true,
		.has_invept_all = true,
		.has_invvpid_single = true,
		.has_invvpid_all = true,
	};
	return 0;
}

static void all_contexts_where_the_cpu_can(void **state)
{
	(void)state;
	vmx_flush_all();
	assert_int_equal(invepts, 1);
	assert_int_equal(invept_type, VMX_EPT_EXTENT_GLOBAL);
	assert_int_equal(invvpids, 1);
	assert_int_equal(invvpid_type, VMX_VPID_EXTENT_ALL_CONTEXT);
}

static void no_type_that_the_cpu_lacks(void **state)
{
	struct vcpu_vmx vmx = {.vpid = 7};
	struct vm vm = {0};

	(void)state;
	vmx.vcpu.vm = &vm;
	vmcs_config.has_invept_all = vmcs_config.has_invvpid_all = false;
	vmx_flush_all();
	assert_int_equal(invepts + invvpids, 0);
	vmx_flush_tlb(&vmx.vcpu);
	assert_int_equal(invept_type, VMX_EPT_EXTENT_CONTEXT);
	vmx_flush_guest_tlb(&vmx.vcpu);
	assert_int_equal(invvpid_type, VMX_VPID_EXTENT_SINGLE_CONTEXT);
	assert_int_equal(invvpid_id, 7);
}

static void without_vpids_no_invvpid(void **state)
{
	struct vcpu_vmx vmx = {.vpid = 7};

	(void)state;
	vmcs_config.has_vpid = false;
	vmx_flush_all();
	vmx_flush_guest_tlb(&vmx.vcpu);
	assert_int_equal(invvpids, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(all_contexts_where_the_cpu_can, setup),
		cmocka_unit_test_setup(no_type_that_the_cpu_lacks, setup),
		cmocka_unit_test_setup(without_vpids_no_invvpid, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
