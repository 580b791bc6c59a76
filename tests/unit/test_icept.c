// SPDX-License-Identifier: MIT
/*
 * Interceptions on demand: the answers to RDMSR that somebody at the monitor has given.
 */
#include "tests/unit/stubs.h"

#include "errno.h"
#include "vmm/icept.h"

#define ANSWER 0x123456789abcdef0ull

struct virt_ops virt_ops;

static struct vm vm;
static struct vcpu vcpu;
static u64 rsp;

void vcpu_make_request(struct vcpu *v, u32 request)
{
	assert_ptr_equal(v, &vcpu);
	assert_int_equal(request, REQ_INTERCEPTS);
}

static void set_sysreg(struct vcpu *v, enum sysreg reg, u64 value)
{
	assert_ptr_equal(v, &vcpu);
	assert_int_equal(reg, SYSREG_RSP);
	rsp = value;
}

static int setup(void **state)
{
	(void)state;
	memset(&vcpu, 0, sizeof(vcpu));
	vcpu.vm = &vm;
	memset(&vm, 0, sizeof(vm));
	vm.nr_vcpus = 1;
	vm.vcpus[0] = &vcpu;
	rsp = 0;
	virt_ops = (struct virt_ops){.set_sysreg = set_sysreg};
	return 0;
}

static void only_msrs_with_an_answer(void **state)
{
	(void)state;
	assert_false(icept_give_answer(&vcpu, 0x10, NULL));
	assert_int_equal(icept_msr(&vm, 0x10, true, true), 0);
	assert_false(icept_give_answer(&vcpu, 0x10, NULL));
	assert_int_equal(icept_answer(&vm, 0x10, true, ANSWER), 0);
	assert_true(icept_give_answer(&vcpu, 0x10, NULL));
	assert_int_equal(vcpu.regs[VCPU_RAX], (u32)ANSWER);
	assert_int_equal(vcpu.regs[VCPU_RDX], ANSWER >> 32);
	assert_int_equal(icept_answer(&vm, 0x10, false, 0), 0);
	assert_false(icept_give_answer(&vcpu, 0x10, NULL));
	assert_int_equal(icept_answer(&vm, 0x2000, true, 0), -EINVAL);
}

/* RDMSR with an immediate reads into any of them: RSP is not in vcpu->regs. */
static void each_register_gets_it(void **state)
{
	for (enum vcpu_reg reg = VCPU_RAX; reg < VCPU_NR_REGS; reg++) {
		setup(state);
		icept_answer(&vm, 0xc0000080, true, ANSWER);
		assert_true(icept_give_answer(&vcpu, 0xc0000080, &reg));
		for (unsigned i = VCPU_RAX; i < VCPU_NR_REGS; i++)
			assert_true(vcpu.regs[i] == (i == reg && i != VCPU_RSP ? ANSWER : 0));
		assert_true(rsp == (reg == VCPU_RSP ? ANSWER : 0));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(only_msrs_with_an_answer, setup),
		cmocka_unit_test_setup(each_register_gets_it, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
