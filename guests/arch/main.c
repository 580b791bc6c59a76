// SPDX-License-Identifier: MIT
/*
 * The architecture guest: tests what a hypervisor emulates. It runs without a hypervisor, too, and
 * the results must be the same.
 */
#include "guests/arch/arch.h"

void guest_main(void)
{
	say("# architecture %s Glasshouse\n", under_glasshouse() ? "under" : "without");
	apic_init(false);
	if (param("race")) {
		check_race();
		plan();
		return;
	}
	check_tasks();
	check_modes();
	check_faults();
	check_strings();
	check_registers();
	check_extensions();
	check_steps();
	check_delivery();
	plan();
	if (param("end"))
		triple_fault();
}
