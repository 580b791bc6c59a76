/* SPDX-License-Identifier: MIT */
/*
 * Resetting the machine.
 */
#ifndef GH_RESET_H
#define GH_RESET_H

#include "drivers/acpi.h"

/*
 * Reset the machine: by the FADT's reset register, port CF9h, the keyboard controller, a triple
 * fault, whichever works first. Virtualisation should be off. @acpi: may be NULL.
 */
void machine_reset(const struct acpi_info *acpi) __noreturn;

#endif
