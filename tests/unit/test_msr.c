// SPDX-License-Identifier: MIT
/*
 * RDMSR and WRMSR: which registers hold the number and the value, in the classic forms and in those
 * with the number as an immediate.
 */
#include "tests/unit/stubs.h"
#include "arch/x86/vmx.h"
#include "vmm/virt_ops.h"
#include "vmm/x86/cpuid.h"
#include "vmm/x86/guest_mem.h"
#include "vmm/x86/msr.h"

#define VALUE 0x123456789abcdef0ull

struct virt_ops virt_ops;

static u64 rsp, written;
static u32 number;

unsigned guest_cpl(struct vcpu *vcpu)
{
	(void)vcpu;
	return 0;
}

static u64 get_rsp(struct vcpu *vcpu, enum sysreg reg)
{
	(void)vcpu;
	assert_int_equal(reg, SYSREG_RSP);
	return rsp;
}

static void set_rsp(struct vcpu *vcpu, enum sysreg reg, u64 value)
{
	(void)vcpu;
	assert_int_equal(reg, SYSREG_RSP);
	rsp = value;
}

static int read_msr(struct vcpu *vcpu, u32 msr, u64 *value)
{
	(void)vcpu;
	number = msr;
	*value = VALUE;
	return msr == 0xbad ? -EINVAL : 0;
}

static int write_msr(struct vcpu *vcpu, u32 msr, u64 value)
{
	(void)vcpu;
	number = msr;
	written = value;
	return msr == 0xbad ? -EINVAL : 0;
}

static const struct vm_ops ops = {.rdmsr = read_msr, .wrmsr = write_msr};
static struct vm vm = {.ops = &ops};
static struct vcpu vcpu;

static int setup(void **state)
{
	(void)state;
	memset(&vcpu, 0, sizeof(vcpu));
	vcpu.vm = &vm;
	vcpu.regs[VCPU_RCX] = 0xffffffff00000600;
	rsp = written = number = 0;
	virt_ops = (struct virt_ops){.get_sysreg = get_rsp, .set_sysreg = set_rsp};
	return 0;
}

static void classic_forms_take_halves(void **state)
{
	(void)state;
	assert_int_equal(emulate_rdmsr(&vcpu), 0);
	assert_int_equal(number, 0x600);
	assert_int_equal(vcpu.regs[VCPU_RAX], (u32)VALUE);
	assert_int_equal(vcpu.regs[VCPU_RDX], VALUE >> 32);
	vcpu.regs[VCPU_RAX] |= 0xffffffff00000000;
	assert_int_equal(emulate_wrmsr(&vcpu), 0);
	assert_true(written == VALUE);
}

static void immediate_forms_take_one_register(void **state)
{
	(void)state;
	assert_int_equal(emulate_rdmsr_imm(&vcpu, 0x12, VCPU_R15), 0);
	assert_int_equal(number, 0x12);
	assert_true(vcpu.regs[VCPU_R15] == VALUE);
	assert_int_equal(vcpu.regs[VCPU_RAX], 0);
	assert_int_equal(emulate_wrmsrns_imm(&vcpu, 0x13, VCPU_R15), 0);
	assert_int_equal(number, 0x13);
	assert_true(written == VALUE);
}

static void the_register_may_be_rsp(void **state)
{
	(void)state;
	assert_int_equal(emulate_rdmsr_imm(&vcpu, 0x12, VCPU_RSP), 0);
	assert_true(rsp == VALUE);
	assert_int_equal(emulate_wrmsrns_imm(&vcpu, 0x12, VCPU_RSP), 0);
	assert_true(written == VALUE);
}

static void a_refusal_changes_nothing(void **state)
{
	(void)state;
	vcpu.regs[VCPU_RBX] = 5;
	assert_true(emulate_rdmsr_imm(&vcpu, 0xbad, VCPU_RBX) < 0);
	assert_int_equal(vcpu.regs[VCPU_RBX], 5);
	assert_true(emulate_wrmsrns_imm(&vcpu, 0xbad, VCPU_RBX) < 0);
}

/* Components of XCR0 that belong to a hidden feature: the CPU itself would take them. */
static void xsetbv_refuses_what_is_hidden(void **state)
{
	struct cpuid_policy policy = {.hidden_xstate = BIT(3) | BIT(4)};

	(void)state;
	vm.cpuid = &policy;
	vcpu.regs[VCPU_RCX] = 0;
	vcpu.regs[VCPU_RAX] = 0x1f;
	assert_true(emulate_xsetbv(&vcpu) < 0);
}

/* SDM: bits 6:3; the others say nothing about the register. */
static void the_exit_names_the_register(void **state)
{
	(void)state;
	for (unsigned reg = VCPU_RAX; reg < VCPU_NR_REGS; reg++) {
		assert_int_equal(INSN_INFO_REG1(reg << 3), reg);
		assert_int_equal(INSN_INFO_REG1(reg << 3 | 0xffffff87), reg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(classic_forms_take_halves, setup),
		cmocka_unit_test_setup(immediate_forms_take_one_register, setup),
		cmocka_unit_test_setup(the_register_may_be_rsp, setup),
		cmocka_unit_test_setup(a_refusal_changes_nothing, setup),
		cmocka_unit_test_setup(xsetbv_refuses_what_is_hidden, setup),
		cmocka_unit_test(the_exit_names_the_register),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
