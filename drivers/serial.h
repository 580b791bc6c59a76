/* SPDX-License-Identifier: MIT */
/*
 * 16550 UARTs, output only, by polling.
 */
#ifndef GH_SERIAL_H
#define GH_SERIAL_H

#include "types.h"

#define SERIAL_COM1 0x3f8
#define SERIAL_COM2 0x2f8

/* Is there a UART at @port? Then set it to 115200 8N1 with FIFOs on, interrupts off. */
bool serial_init(u16 port);

/* Write @n bytes; \n becomes \r\n. Gives up on a UART that is not ready for some 100,000 polls. */
void serial_write(u16 port, const char *s, size_t n);

/* Wait until the last byte is on the wire. */
void serial_flush(u16 port);

#endif
