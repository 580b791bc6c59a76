// SPDX-License-Identifier: MIT
/*
 * VM 0's MSRs: which exit, which the guest may not have, and what becomes of a value that is
 * written. Also where another hypervisor is below.
 */
#include "tests/unit/stubs.h"
#include "tests/unit/guest_registers.h"

#include "arch/x86/msr.h"
#include "vmm/virt_ops.h"

/* The machine's MSRs: each has its own number as value until it is written. */
static u32 written;
static u64 written_value;
static unsigned accesses;
static u64 apic_base;
static struct cpu cpu;
static bool kick_ended; /* since the local APIC was on, with no new one */
static bool refuses_apic_base;

static int fake_rdmsr(u32 msr, u64 *value)
{
	accesses++;
	*value = msr;
	return 0;
}

static int fake_wrmsr(u32 msr, u64 value)
{
	accesses++;
	if (msr == MSR_IA32_APICBASE && refuses_apic_base)
		return -EFAULT;
	if (msr == MSR_IA32_APICBASE) {
		assert_true(value & APICBASE_ENABLE || kick_ended);
		apic_base = value;
	}
	written = msr;
	written_value = value;
	return 0;
}

#define rdmsr(msr)             ((msr) == MSR_IA32_APICBASE ? apic_base : (u64)(msr))
#define rdmsr_safe(msr, value) fake_rdmsr(msr, value)
#define wrmsr_safe(msr, value) fake_wrmsr(msr, value)
#include "vmm/vm0/msr.c"
#undef rdmsr
#undef rdmsr_safe
#undef wrmsr_safe

static struct vm vm;
static struct vcpu vcpu = {.vm = &vm, .cpu = &cpu};
static struct cpuid_policy policy;
static bool virtual;
static u8 reads[0x4000], writes[0x4000]; /* which exit: 0 to 1FFFh, C0000000h to C0001FFFh */

struct virt_ops virt_ops;

/* ---- What msr.c uses ---- */

bool cpu_is_virtual(void)
{
	return virtual;
}

bool cpuid_hides_msr(const struct vm *of, u32 msr)
{
	(void)of;
	return msr == MSR_IA32_VMX_BASIC;
}

void vcpu_end_kick(struct vcpu *of)
{
	assert_ptr_equal(of, &vcpu);
	assert_true(lapic_is_on() && cpu.apic_off); /* one under way arrives; no other is sent */
	kick_ended = true;
}

bool lapic_is_on(void)
{
	return apic_base & APICBASE_ENABLE;
}

void icr_apic_reset(struct vcpu *of)
{
	(void)of;
}

int icr_write_x2apic(struct vcpu *by, u32 msr, u64 value)
{
	(void)by;
	(void)msr;
	(void)value;
	return 0;
}

int microcode_update(struct vcpu *by, u64 address)
{
	(void)by;
	(void)address;
	return 0;
}

static void set_intercept(struct vm *of, u32 msr, bool read, bool write)
{
	unsigned n = msr < 0x2000 ? msr : 0x2000 + (msr - 0xc0000000);

	(void)of;
	assert_true(n < ARRAY_SIZE(reads));
	reads[n] = read;
	writes[n] = write;
}

/* ---- */

static int setup(void **state)
{
	(void)state;
	vm.cpuid = &policy;
	virt_ops.set_msr_intercept = set_intercept;
	virt_ops.get_sysreg = get_sysreg;
	virtual = false;
	accesses = 0;
	log_clear();
	return 0;
}

static void which_exit(void **state)
{
	(void)state;
	vm0_msr_init(&vm);
	assert_true(reads[MSR_IA32_FEAT_CTL] && writes[MSR_IA32_FEAT_CTL]);
	assert_true(!reads[MSR_IA32_MISC_ENABLE] && writes[MSR_IA32_MISC_ENABLE]);
	assert_true(!reads[MSR_IA32_TME_ACTIVATE] && writes[MSR_IA32_TME_ACTIVATE]);
	assert_true(reads[0x11] && writes[0x11] && reads[0x12] && writes[0x12]);
	assert_true(!reads[0x10] && !writes[0x10] && !reads[0x13] && !writes[0x1fff]);
	assert_true(!reads[0x2000] && !writes[0x3fff]);
}

/* On the machine itself, the CPU decides. */
static void the_rest_is_the_machines(void **state)
{
	static const u32 msrs[] = {0x11, 0x2000, 0x40000000, 0x4b564d01, 0xbfffffff, 0xffffffff};
	u64 value;

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(msrs); i++) {
		assert_int_equal(vm0_rdmsr(&vcpu, msrs[i], &value), 0);
		assert_int_equal(value, msrs[i]);
		assert_int_equal(vm0_wrmsr(&vcpu, msrs[i], 5), 0);
		assert_int_equal(written, msrs[i]);
	}
}

/* A hypervisor below would write to the address: into Glasshouse's memory, if the guest wants. */
static void paravirtual_msrs_stay_below(void **state)
{
	static const u32 msrs[] = {0x11,       0x12,       0x2000,     0x40000000,
				   0x40000001, 0x4b564d00, 0x4b564d01, 0xbfffffff,
				   0xc0002000, 0xc0010015, 0xffffffff};
	u64 value;

	(void)state;
	virtual = true;
	for (unsigned i = 0; i < ARRAY_SIZE(msrs); i++) {
		assert_int_equal(vm0_rdmsr(&vcpu, msrs[i], &value), -EINVAL);
		assert_int_equal(vm0_wrmsr(&vcpu, msrs[i], 0x1001), -EINVAL);
	}
	assert_int_equal(accesses, 0);
	assert_true(log_has("MSR 11 at RIP 0, which Glasshouse hides"));
	assert_int_equal(vm0_rdmsr(&vcpu, 0x10, &value), 0);
	assert_int_equal(vm0_rdmsr(&vcpu, 0xc0000080, &value), 0);
	assert_int_equal(vm0_rdmsr(&vcpu, 0xc0001fff, &value), 0);
	assert_int_equal(accesses, 3);
}

static void hidden_ones_are_refused(void **state)
{
	u64 value;

	(void)state;
	assert_int_equal(vm0_rdmsr(&vcpu, MSR_IA32_VMX_BASIC, &value), -EINVAL);
	assert_int_equal(vm0_wrmsr(&vcpu, MSR_IA32_VMX_BASIC, 0), -EINVAL);
	assert_int_equal(vm0_wrmsr(&vcpu, MSR_IA32_TME_ACTIVATE, 3), -EINVAL);
	assert_int_equal(vm0_wrmsr(&vcpu, MSR_IA32_FEAT_CTL, 5), -EINVAL);
	assert_int_equal(vm0_wrmsr(&vcpu, MSR_IA32_PEBS_ENABLE, 1), -EINVAL);
	assert_int_equal(accesses, 0);
	policy.hidden_xstate = BIT(8);
	assert_int_equal(vm0_wrmsr(&vcpu, MSR_IA32_XSS, BIT(8)), -EINVAL);
	assert_int_equal(accesses, 0);
	assert_int_equal(vm0_wrmsr(&vcpu, MSR_IA32_XSS, BIT(11)), 0);
	assert_int_equal(written_value, BIT(11));
}

/* Bit 34 of IA32_MISC_ENABLE stays 0; the others are the guest's. */
static void the_guest_leaves_xd_on(void **state)
{
	(void)state;
	assert_int_equal(vm0_wrmsr(&vcpu, MSR_IA32_MISC_ENABLE, BIT(34) | BIT(22) | BIT(0)), 0);
	assert_int_equal(written, MSR_IA32_MISC_ENABLE);
	assert_true(written_value == (BIT(22) | BIT(0)));
	assert_true(log_has("switches the execute-disable bit off"));
	log_clear();
	assert_int_equal(vm0_wrmsr(&vcpu, MSR_IA32_MISC_ENABLE, BIT(0)), 0);
	assert_true(written_value == BIT(0));
	assert_false(log_has("execute-disable"));
}

/* An NMI that arrives while its local APIC is off is none of ours. */
static void a_cpu_without_local_apic_is_not_kicked(void **state)
{
	u64 off = 0xfee00100, on = off | APICBASE_ENABLE, x2 = on | APICBASE_EXTD;

	(void)state;
	apic_base = x2;
	kick_ended = false;
	assert_int_equal(vm0_wrmsr(&vcpu, MSR_IA32_APICBASE, off), 0);
	assert_true(apic_base == off && kick_ended && cpu.apic_off);
	assert_int_equal(vm0_wrmsr(&vcpu, MSR_IA32_APICBASE, on), 0);
	assert_true(apic_base == on && !cpu.apic_off);
	kick_ended = false;
	assert_int_equal(vm0_wrmsr(&vcpu, MSR_IA32_APICBASE, x2), 0);
	assert_false(kick_ended || cpu.apic_off);
	assert_int_equal(vm0_wrmsr(&vcpu, MSR_IA32_APICBASE, x2 + PAGE_SIZE), -EINVAL);
	assert_true(apic_base == x2);
}

/* It is kicked as before if the CPU refuses to switch it off. */
static void a_refused_write_changes_nothing(void **state)
{
	u64 on = 0xfee00100 | APICBASE_ENABLE;

	(void)state;
	apic_base = on;
	refuses_apic_base = true;
	assert_int_equal(vm0_wrmsr(&vcpu, MSR_IA32_APICBASE, on & ~APICBASE_ENABLE), -EINVAL);
	refuses_apic_base = false;
	assert_true(apic_base == on && !cpu.apic_off);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(which_exit, setup),
		cmocka_unit_test_setup(the_rest_is_the_machines, setup),
		cmocka_unit_test_setup(paravirtual_msrs_stay_below, setup),
		cmocka_unit_test_setup(hidden_ones_are_refused, setup),
		cmocka_unit_test_setup(the_guest_leaves_xd_on, setup),
		cmocka_unit_test_setup(a_cpu_without_local_apic_is_not_kicked, setup),
		cmocka_unit_test_setup(a_refused_write_changes_nothing, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
