/* SPDX-License-Identifier: MIT */
/*
 * The CPUs that the guest does not find in its ACPI tables.
 */
#include "vmm/vm0/hide_cpus.h"
#include "arch/x86/paging.h"
#include "arch/x86/smp.h"
#include "lib/log.h"

static bool runs_the_guest(u32 apic_id)
{
	const struct cpu *cpu = cpu_find(apic_id);

	return cpu && cpu->vcpu && !cpu->parked;
}

void hide_cpus(const struct acpi_info *acpi)
{
	unsigned hidden = 0;

	if (acpi->madt && !paging_map_direct(acpi->madt, acpi->madt_length))
		hidden =
			acpi_hide_cpus(phys_to_virt(acpi->madt), acpi->madt_length, runs_the_guest);
	if (hidden)
		pr_info("The ACPI tables no longer list the %u CPUs that do not run the guest.\n",
			hidden);
}
