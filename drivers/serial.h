/* SPDX-License-Identifier: MIT */
/*
 * 16550 UARTs, by polling.
 */
#ifndef GH_SERIAL_H
#define GH_SERIAL_H

#include "types.h"

#define SERIAL_COM1 0x3f8
#define SERIAL_COM2 0x2f8

/*
 * Set the UART at I/O port @port to 115200 8N1, FIFOs on, interrupts off. Returns false, without
 * doing so, if there is no UART.
 */
bool serial_init(u16 port);

/*
 * Does somebody else drive the UART at @port, after serial_init()? That is so while its interrupts
 * are on, or its divisor latch is open.
 */
bool serial_in_use(u16 port);

/*
 * Write @n bytes at @s to the UART at @port, with \n as \r\n. Waits at most 100,000 polls, for
 * every FIFO full, until the UART is ready, and then writes all the same.
 */
void serial_write(u16 port, const char *s, size_t n);

#define SERIAL_LOST 0x100

/* Returns the next byte that the UART at @port has received, with SERIAL_LOST added if it has lost
 * others since the last call, which came later; -1: none. */
int serial_read(u16 port);

/* Wait until the UART at @port has sent the last byte, at most 100,000 polls. */
void serial_flush(u16 port);

#endif
