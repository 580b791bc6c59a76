/* SPDX-License-Identifier: MIT */
/*
 * The CPUs that the guest does not find in its ACPI tables.
 */
#ifndef GH_VMM_VM0_HIDE_CPUS_H
#define GH_VMM_VM0_HIDE_CPUS_H

#include "drivers/acpi.h"

/*
 * Remove the CPUs that have no vCPU (left out by cpus=, or not started) from the machine's MADT,
 * which the guest reads: an operating system waits ten seconds for each CPU that does not start.
 * After the vCPUs have been created.
 */
void hide_cpus(const struct acpi_info *acpi);

#endif
