// SPDX-License-Identifier: MIT
/*
 * Intercepts: the bitmap that a VMCS points at changes only when its vCPU takes the change over.
 */
#include "tests/unit/stubs.h"
#include "vmm/vmx/vmx.h"

static u8 master[PAGE_SIZE], io[2 * PAGE_SIZE], own[2][PAGE_SIZE];
static struct vm_vmx arch;
static struct vcpu_vmx vcpus[2];
static struct vm vm;

static int setup(void **state)
{
	(void)state;
	memset(master, 0, sizeof(master));
	memset(io, 0, sizeof(io));
	memset(own, 0, sizeof(own));
	arch = (struct vm_vmx){master, io};
	memset(&vm, 0, sizeof(vm));
	vm.arch = &arch;
	for (vm.nr_vcpus = 0; vm.nr_vcpus < 2; vm.nr_vcpus++) {
		memset(&vcpus[vm.nr_vcpus], 0, sizeof(vcpus[0]));
		vcpus[vm.nr_vcpus].msr_bitmap = own[vm.nr_vcpus];
		vcpus[vm.nr_vcpus].vcpu.vm = &vm;
		vm.vcpus[vm.nr_vcpus] = &vcpus[vm.nr_vcpus].vcpu;
	}
	return 0;
}

static void a_running_vcpu_keeps_its_bitmap(void **state)
{
	(void)state;
	vmx_set_msr_intercept(&vm, 0x830, false, true);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(own[i][2048 + 0x830 / 8], 0);
		assert_int_equal(vcpus[i].vcpu.requests, REQ_INTERCEPTS);
	}
	vmx_load_intercepts(&vcpus[1].vcpu);
	assert_int_equal(own[0][2048 + 0x830 / 8], 0);
	assert_int_equal(own[1][2048 + 0x830 / 8], 1);

	vmx_set_msr_intercept(&vm, 0x830, false, false);
	assert_int_equal(own[1][2048 + 0x830 / 8], 1);
	vmx_load_intercepts(&vcpus[1].vcpu);
	assert_int_equal(own[1][2048 + 0x830 / 8], 0);
}

static void each_msr_has_its_bits(void **state)
{
	(void)state;
	vmx_set_msr_intercept(&vm, 0x1fff, true, false);
	vmx_set_msr_intercept(&vm, 0xc0000081, true, true);
	vmx_load_intercepts(&vcpus[0].vcpu);
	assert_int_equal(own[0][1023], 0x80);
	assert_int_equal(own[0][1024 + 0x10], 2);
	assert_int_equal(own[0][3072 + 0x10], 2);
	assert_int_equal(own[0][3071], 0);
}

static void ports_cross_from_a_to_b(void **state)
{
	(void)state;
	vmx_set_io_intercept(&vm, 0x7fff, 2, true);
	assert_int_equal(io[PAGE_SIZE - 1], 0x80);
	assert_int_equal(io[PAGE_SIZE], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_running_vcpu_keeps_its_bitmap, setup),
		cmocka_unit_test_setup(each_msr_has_its_bits, setup),
		cmocka_unit_test_setup(ports_cross_from_a_to_b, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
