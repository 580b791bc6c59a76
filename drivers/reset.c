/* SPDX-License-Identifier: MIT */
/*
 * Machine reset.
 */
#include "drivers/reset.h"
#include "arch/x86/cpu.h"
#include "arch/x86/desc.h"
#include "arch/x86/io.h"
#include "drivers/console.h"
#include "drivers/pit.h"

#define KBC_COMMAND 0x64
#define KBC_RESET   0xfe
#define RESET_PORT  0xcf9

void machine_reset(const struct acpi_info *acpi)
{
	struct desc_ptr empty = {0, 0};

	console_flush();
	wbinvd(); /* write the log ring back to RAM, for the next boot */
	if (acpi && acpi->reset_reg.address && acpi->reset_reg.space == ACPI_SPACE_IO &&
	    !acpi->reset_is_smi) {
		outb((u16)acpi->reset_reg.address, acpi->reset_value);
		pit_delay_us(50000);
	}
	outb(RESET_PORT, 0x02);
	pit_delay_us(50);
	outb(RESET_PORT, 0x06);
	pit_delay_us(50000);
	outb(KBC_COMMAND, KBC_RESET);
	pit_delay_us(50000);
	/* The last resort: a fault without an IDT. */
	asm volatile("lidt %0; int3" : : "m"(empty));
	cpu_stop();
}
