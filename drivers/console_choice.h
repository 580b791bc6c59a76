/* SPDX-License-Identifier: MIT */
/*
 * Which consoles are Glasshouse's while a guest runs. Pure.
 */
#ifndef GH_CONSOLE_CHOICE_H
#define GH_CONSOLE_CHOICE_H

#include "drivers/acpi.h"
#include "drivers/console.h"

/*
 * The UARTs, CONSOLE_COM1 and CONSOLE_COM2, that the guest's command line @words names: by Linux'
 * name (console=ttyS1, earlyprintk=serial,ttyS1), by the I/O port (console=uart8250,io,0x2f8), or
 * as Xen and others do (com2=115200,8n1).
 */
unsigned console_named(const char *words);

/* The UART, as above, that ACPI's table SPCR names: its register @uart. 0: neither of the two. */
unsigned console_of_spcr(const struct acpi_reg *uart);

/*
 * The consoles for the time in which a guest runs: those that are @chosen, or, for CONSOLE_AUTO,
 * CONSOLE_OURS without those that are the @guests; limited to @present.
 */
unsigned console_choose(unsigned chosen, unsigned guests, unsigned present);

#define CONSOLE_NAMES_SIZE 64

/* Write the names of the consoles in @mask to @text, of CONSOLE_NAMES_SIZE bytes: "COM2 and port
 * E9". Returns @text. */
const char *console_names(char *text, unsigned mask);

#endif
