// SPDX-License-Identifier: MIT
/*
 * Machine checks in root mode: a CPU whose guest gets #MC leaves MCG_STATUS to its handler; on any
 * other CPU MCIP is cleared, because with it the next machine check would shut the CPU down.
 */
#include "tests/unit/stubs.h"

#include <asm/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arch/x86/msr.h"
#include "vmm/virt_ops.h"

#define RIPV_MCIP 5u

static u64 mcg_status;

static int fake_rdmsr(u32 msr, u64 *value)
{
	*value = msr == MSR_IA32_MCG_STATUS ? mcg_status : 0;
	return 0;
}

static int fake_wrmsr(u32 msr, u64 value)
{
	assert_int_equal(msr, MSR_IA32_MCG_STATUS);
	mcg_status = value;
	return 0;
}

#define rdmsr_safe(msr, value) fake_rdmsr(msr, value)
#define wrmsr_safe(msr, value) fake_wrmsr(msr, value)
#include "vmm/vm0/mcheck.c"
#undef rdmsr_safe
#undef wrmsr_safe

struct virt_ops virt_ops;

static struct cpu cpu;
static struct vcpu vcpu;
static unsigned requests;

void vcpu_make_request(struct vcpu *v, u32 request)
{
	assert_ptr_equal(v, &vcpu);
	requests |= request;
}

static void request_immediate_exit(struct vcpu *v)
{
	(void)v;
}

static u64 get_cr4(struct vcpu *v, enum sysreg reg)
{
	(void)v;
	assert_int_equal(reg, SYSREG_CR4);
	return CR4_MCE;
}

static int setup(void **state)
{
	(void)state;
	cpu = (struct cpu){.self = &cpu, .vcpu = &vcpu};
	vcpu = (struct vcpu){.cpu = &cpu};
	syscall(SYS_arch_prctl, ARCH_SET_GS, &cpu); /* this_cpu() */
	virt_ops = (struct virt_ops){.request_immediate_exit = request_immediate_exit,
				     .get_sysreg = get_cr4};
	mcg_status = RIPV_MCIP;
	requests = 0;
	log_clear();
	return 0;
}

static void the_guest_gets_it(void **state)
{
	(void)state;
	machine_check(NULL);
	assert_int_equal(requests, REQ_MACHINE_CHECK);
	deliver_machine_check(&vcpu);
	assert_true(vcpu.event.valid && vcpu.event.vector == MC_VECTOR);
	assert_int_equal(mcg_status, RIPV_MCIP);
}

static void a_parked_cpu_is_ready_for_the_next(void **state)
{
	(void)state;
	cpu.parked = true;
	machine_check(NULL);
	assert_int_equal(requests, 0);
	assert_int_equal(mcg_status, 0);
}

static void so_is_one_that_waits_for_a_sipi(void **state)
{
	static const enum mp_state states[] = {MP_STATE_INIT_RECEIVED, MP_STATE_WAIT_FOR_SIPI};

	for (unsigned i = 0; i < ARRAY_SIZE(states); i++) {
		setup(state);
		vcpu.mp_state = states[i];
		machine_check(NULL);
		deliver_machine_check(&vcpu);
		assert_false(vcpu.event.valid);
		assert_int_equal(mcg_status, 0);
		assert_true(log_has("while it waits for a SIPI"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_guest_gets_it, setup),
		cmocka_unit_test_setup(a_parked_cpu_is_ready_for_the_next, setup),
		cmocka_unit_test_setup(so_is_one_that_waits_for_a_sipi, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
