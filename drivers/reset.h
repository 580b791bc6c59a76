/* SPDX-License-Identifier: MIT */
/*
 * Machine reset.
 */
#ifndef GH_RESET_H
#define GH_RESET_H

#include "drivers/acpi.h"

/*
 * Reset the machine. Tries the FADT's reset register, port CF9h, the keyboard controller and a
 * triple fault, until one works. The caller should have switched virtualisation off on all CPUs.
 * @acpi: the reset register, or NULL to try only the others. One that is SMI_CMD is not tried: its
 * handler would see Glasshouse's registers.
 * Source: ACPI Specification, "Reset Register".
 */
void machine_reset(const struct acpi_info *acpi) __noreturn;

#endif
