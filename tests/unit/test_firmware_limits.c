// SPDX-License-Identifier: MIT
/*
 * What each CPU does on its way to long mode when firmware has switched off XD, or limited CPUID,
 * by IA32_MISC_ENABLE: the assembly macro, on CPUs that this file describes. No emulator has such a
 * CPU.
 */
#include "tests/unit/stubs.h"

#define MISC_ENABLE 0x1a0u
#define LIMIT_CPUID BIT(22)
#define XD_OFF      BIT(34)
#define OTHERS      (BIT(0) | BIT(16) | BIT(18) | BIT(38)) /* must stay as they are */

/* The registers after one of the three instructions: EAX, EBX, ECX, EDX. */
u32 regs[4];

static bool intel, has_xd;
static u64 misc_enable;
static u32 last_leaf;
static unsigned msr_accesses;

bool lift_limits(void);
void fake_cpuid(u32 leaf, u32 subleaf);
void fake_rdmsr(u32 unused, u32 msr);
void fake_wrmsr(u32 low, u32 msr, u32 high);

static void set_regs(u32 eax, u32 ebx, u32 ecx, u32 edx)
{
	regs[0] = eax;
	regs[1] = ebx;
	regs[2] = ecx;
	regs[3] = edx;
}

/* SDM: "CPUID—CPU Identification", "Execute Disable Bit Capability". */
void fake_cpuid(u32 leaf, u32 subleaf)
{
	(void)subleaf;
	if (!leaf && intel)
		set_regs(misc_enable & LIMIT_CPUID ? MIN(last_leaf, 3) : last_leaf, 0x756e6547,
			 0x6c65746e, 0x49656e69);
	else if (!leaf)
		set_regs(last_leaf, 0x68747541, 0x444d4163, 0x69746e65);
	else if (leaf == 0x80000001)
		set_regs(1, 2, 3, BIT(29) | (has_xd && !(misc_enable & XD_OFF) ? BIT(20) : 0));
	else
		fail_msg("CPUID leaf %x is not needed", leaf);
}

void fake_rdmsr(u32 unused, u32 msr)
{
	(void)unused;
	assert_int_equal(msr, MISC_ENABLE);
	msr_accesses++;
	set_regs((u32)misc_enable, 0xbad, msr, (u32)(misc_enable >> 32));
}

void fake_wrmsr(u32 low, u32 msr, u32 high)
{
	assert_int_equal(msr, MISC_ENABLE);
	msr_accesses++;
	misc_enable = (u64)high << 32 | low;
	set_regs(low, 0xbad, msr, high);
}

static int setup(void **state)
{
	(void)state;
	intel = has_xd = true;
	misc_enable = OTHERS;
	last_leaf = 0x16;
	msr_accesses = 0;
	return 0;
}

/* A CPU whose firmware limits nothing may be an emulator without the MSR. */
static void without_a_limit_nothing_is_touched(void **state)
{
	(void)state;
	assert_true(lift_limits());
	assert_int_equal(msr_accesses, 0);
	assert_true(misc_enable == OTHERS);
}

static void xd_is_switched_on(void **state)
{
	(void)state;
	misc_enable = OTHERS | XD_OFF;
	assert_true(lift_limits());
	assert_true(misc_enable == OTHERS);
}

static void all_of_cpuid_is_shown(void **state)
{
	(void)state;
	misc_enable = OTHERS | LIMIT_CPUID;
	assert_true(lift_limits());
	assert_true(misc_enable == OTHERS);
	fake_cpuid(0, 0);
	assert_int_equal(regs[0], 0x16);
}

static void both_at_once(void **state)
{
	(void)state;
	misc_enable = OTHERS | LIMIT_CPUID | XD_OFF;
	assert_true(lift_limits());
	assert_true(misc_enable == OTHERS);
}

/* The MSR cannot give a CPU what it does not have. */
static void a_cpu_without_xd_is_told_apart(void **state)
{
	(void)state;
	has_xd = false;
	assert_false(lift_limits());
	assert_true(misc_enable == OTHERS);
}

/* Its MSR 1A0h, if it has one, means something else. */
static void another_vendors_cpu_keeps_its_msr(void **state)
{
	(void)state;
	intel = false;
	last_leaf = 1;
	misc_enable = OTHERS | XD_OFF;
	assert_false(lift_limits());
	misc_enable = OTHERS;
	assert_true(lift_limits());
	assert_int_equal(msr_accesses, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(without_a_limit_nothing_is_touched, setup),
		cmocka_unit_test_setup(xd_is_switched_on, setup),
		cmocka_unit_test_setup(all_of_cpuid_is_shown, setup),
		cmocka_unit_test_setup(both_at_once, setup),
		cmocka_unit_test_setup(a_cpu_without_xd_is_told_apart, setup),
		cmocka_unit_test_setup(another_vendors_cpu_keeps_its_msr, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
