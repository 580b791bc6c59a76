/* SPDX-License-Identifier: MIT */
/*
 * The way back into the firmware: the modes of the CPU that it does not restore.
 */
#include "tests/unit/stubs.h"

#include "arch/x86/cpu.h"
#include "arch/x86/early.h"
#include "arch/x86/firmware.h"
#include "arch/x86/paging.h"

char boot_pml4[1];

u64 virt_to_phys(const void *p)
{
	return (u64)p;
}

/* CET's bit may be set only with CR0.WP, PCIDE's only with a CR3 whose low bits are 0, and LA57's
 * not in IA-32e mode. SDM: "Control Registers". */
static void test_can_leave(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 32; bit++) {
		struct firmware_state firmware = {.cr4 = CR4_PAE | BIT(bit)};
		bool refused = bit == 12 || bit == 17 || bit == 23;

		assert_true(firmware_can_leave(&firmware) == !refused);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_can_leave)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
