// SPDX-License-Identifier: MIT
/*
 * The architecture guest: what a hypervisor has to do by hand must be as without one. All of it
 * runs natively, too, with the same results.
 */
#include "guests/arch/arch.h"

void guest_main(void)
{
	say("# architecture %s Glasshouse\n", under_glasshouse() ? "under" : "without");
	apic_init(false);
	check_tasks();
	check_modes();
	check_faults();
	check_strings();
	check_registers();
	check_steps();
	check_delivery();
	plan();
	if (param("end"))
		triple_fault();
}
