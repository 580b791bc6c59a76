// SPDX-License-Identifier: MIT
/*
 * Intercepts: the bitmaps that a VMCS points at change only when its vCPU takes the change over;
 * who needs the change waits for that.
 */
#include "tests/unit/stubs.h"
#include "vmm/intercepts.h"
#include "vmm/vmx/vmx.h"

struct virt_ops virt_ops = {.load_intercepts = vmx_load_intercepts};

static u8 master[BITMAP_SIZE], own[2][BITMAP_SIZE];
static struct vm_vmx arch;
static struct vcpu_vmx vcpus[2];
static struct vm vm;

/* What a kick of the second vCPU does. */
static enum { EXITS, ASKS_TOO, NOTHING } kicked_vcpu;
static unsigned kicks;

void vcpu_kick(struct vcpu *vcpu)
{
	kicks++;
	if (vcpu == vm.vcpus[0] || kicked_vcpu == NOTHING)
		return;
	if (kicked_vcpu == ASKS_TOO) {
		vmx_set_io_intercept(&vm, 0x71);
		kicked_vcpu = EXITS;
		enforce_intercepts(vcpu);
	}
	vmx_load_intercepts(vcpu);
}

void vmx_load_icepts(struct vcpu *vcpu)
{
	(void)vcpu;
}

static int setup(void **state)
{
	(void)state;
	memset(master, 0, sizeof(master));
	memset(own, 0, sizeof(own));
	arch = (struct vm_vmx){.bitmaps = master};
	kicked_vcpu = EXITS;
	kicks = 0;
	memset(&vm, 0, sizeof(vm));
	vm.arch = &arch;
	for (vm.nr_vcpus = 0; vm.nr_vcpus < 2; vm.nr_vcpus++) {
		memset(&vcpus[vm.nr_vcpus], 0, sizeof(vcpus[0]));
		vcpus[vm.nr_vcpus].bitmaps = own[vm.nr_vcpus];
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
	vmx_set_io_intercept(&vm, 0x7fff);
	vmx_set_io_intercept(&vm, 0x8000);
	assert_int_equal(own[0][BITMAP_IO_B - 1] | own[0][BITMAP_IO_B], 0);
	vmx_load_intercepts(&vcpus[0].vcpu);
	assert_int_equal(own[0][BITMAP_IO_B - 1], 0x80);
	assert_int_equal(own[0][BITMAP_IO_B], 1);
}

static bool port_exits(unsigned cpu, u16 port)
{
	return own[cpu][BITMAP_IO_A + port / 8] & 1 << port % 8;
}

static void who_needs_a_change_waits_for_all(void **state)
{
	(void)state;
	vmx_set_io_intercept(&vm, 0x60);
	enforce_intercepts(vm.vcpus[0]);
	assert_true(port_exits(0, 0x60) && port_exits(1, 0x60));
	assert_int_equal(kicks, 2);
	enforce_intercepts(vm.vcpus[0]);
	assert_int_equal(kicks, 2);
}

/* The second vCPU asks for another port before it exits: its wait ends, too. */
static void two_may_wait_for_each_other(void **state)
{
	(void)state;
	kicked_vcpu = ASKS_TOO;
	vmx_set_io_intercept(&vm, 0x60);
	enforce_intercepts(vm.vcpus[0]);
	for (unsigned cpu = 0; cpu < 2; cpu++)
		assert_true(port_exits(cpu, 0x60) && port_exits(cpu, 0x71));
}

static void nobody_waits_for_a_cpu_that_waits_for_a_sipi(void **state)
{
	(void)state;
	vm.vcpus[1]->mp_state = MP_STATE_WAIT_FOR_SIPI;
	vmx_set_io_intercept(&vm, 0x60);
	enforce_intercepts(vm.vcpus[0]);
	assert_int_equal(kicks, 1);
	assert_true(port_exits(0, 0x60));
	assert_int_equal(vm.vcpus[1]->requests, REQ_INTERCEPTS);
}

static void nor_for_ever(void **state)
{
	(void)state;
	kicked_vcpu = NOTHING;
	vmx_set_io_intercept(&vm, 0x60);
	enforce_intercepts(vm.vcpus[0]);
	assert_false(port_exits(1, 0x60));
}

static void rare_ports_exit_on_one_cpu_only(void **state)
{
	(void)state;
	vmx_add_rare_io_intercept(&vm, 0xf0);
	vmx_set_io_intercept(&vm, 0x60);
	vmx_load_intercepts(vm.vcpus[0]);
	assert_false(port_exits(0, 0xf0));
	vmx_use_rare_intercepts(vm.vcpus[0], true);
	assert_true(port_exits(0, 0xf0) && port_exits(0, 0x60) && !port_exits(1, 0xf0));
	vmx_set_io_intercept(&vm, 0x71);
	vmx_load_intercepts(vm.vcpus[0]);
	assert_true(port_exits(0, 0xf0) && port_exits(0, 0x71));
	vmx_use_rare_intercepts(vm.vcpus[0], false);
	assert_true(!port_exits(0, 0xf0) && port_exits(0, 0x71));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_running_vcpu_keeps_its_bitmap, setup),
		cmocka_unit_test_setup(each_msr_has_its_bits, setup),
		cmocka_unit_test_setup(ports_cross_from_a_to_b, setup),
		cmocka_unit_test_setup(who_needs_a_change_waits_for_all, setup),
		cmocka_unit_test_setup(two_may_wait_for_each_other, setup),
		cmocka_unit_test_setup(nobody_waits_for_a_cpu_that_waits_for_a_sipi, setup),
		cmocka_unit_test_setup(nor_for_ever, setup),
		cmocka_unit_test_setup(rare_ports_exit_on_one_cpu_only, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
