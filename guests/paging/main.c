// SPDX-License-Identifier: MIT
/*
 * The paging guest: tests what page tables do, as the SDM says it and an operating system relies on
 * it. It runs without a hypervisor, too, and the results must be the same.
 *
 * Command line:
 *   deep=1    all combinations of rights, not some
 *   steps=N   how many random changes of tables
 *   long=1    only in long mode
 *   cpus=N    instead: N CPUs, of which one changes the tables that the others use
 */
#include "guests/paging/paging.h"

void guest_main(void)
{
	say("# paging %s Glasshouse\n", under_glasshouse() ? "under" : "without");
	apic_init(false);
	probe_init();
	if (param("cpus")) {
		check_smp((unsigned)param_number("cpus", 2));
		plan();
		return;
	}
	check_rights();
	check_stale();
	check_changes();
	check_pcid();
	check_odd();
	if (param("long")) {
		plan();
		return;
	}
	check_legacy_rights();
	check_pdptes();
	plan();
}
