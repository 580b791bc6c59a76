/* SPDX-License-Identifier: MIT */
/*
 * Sends INIT and SIPI to a CPU that no ACPI table names. It must not start: it would run natively,
 * outside VMX.
 */
#include "guests/lib/guest.h"

#define INIT_TICKS 500000 /* 10 ms in Bochs */

void guest_main(void)
{
	apic_init(false);
	ok(!ap_boot_once(1, INIT_TICKS, false), "INIT and SIPI do not start CPU 1");
	plan();
}
