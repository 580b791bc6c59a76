/* SPDX-License-Identifier: MIT */
/*
 * 16550 UARTs, polled. Source: National Semiconductor PC16550D, "Registers".
 */
#include "drivers/serial.h"
#include "arch/x86/io.h"

enum {
	RBR = 0,
	THR = 0,
	DLL = 0,
	IER = 1,
	DLM = 1,
	FCR = 2,
	IIR = 2,
	LCR = 3,
	MCR = 4,
	LSR = 5,
	SCRATCH = 7
};

#define LCR_8N1   0x03
#define LCR_DLAB  0x80
#define FCR_CLEAR 0x07 /* FIFOs on, both emptied */
#define IER_ALL   0x0f
#define IIR_FIFO  0xc0 /* read: FIFOs are on */
#define MCR_READY 0x03 /* DTR, RTS */
#define LSR_DR    0x01
#define LSR_OE    0x02 /* a byte was lost; until LSR is read */
#define LSR_NONE  0xff /* there is no UART */
#define LSR_THRE  0x20
#define LSR_TEMT  0x40
#define FIFO_SIZE 16
#define MAX_POLLS 100000

static void wait_for(u16 port, u8 bit)
{
	for (int i = 0; i < MAX_POLLS && !(inb(port + LSR) & bit); i++)
		;
}

bool serial_init(u16 port)
{
	outb(port + SCRATCH, 0x5a);
	if (inb(port + SCRATCH) != 0x5a || inb(port + LSR) == LSR_NONE)
		return false;
	wait_for(port, LSR_TEMT); /* FCR_CLEAR would drop bytes that are being sent */
	outb(port + IER, 0);
	outb(port + LCR, LCR_8N1 | LCR_DLAB);
	outb(port + DLL, 1);
	outb(port + DLM, 0);
	outb(port + LCR, LCR_8N1);
	outb(port + FCR, FCR_CLEAR);
	outb(port + MCR, MCR_READY);
	return true;
}

bool serial_in_use(u16 port)
{
	return inb(port + LCR) & LCR_DLAB || inb(port + IER) & IER_ALL;
}

/* How many bytes an empty transmitter accepts. Not a constant: a guest that probes for UARTs may
 * have switched the FIFO off. */
static unsigned fifo_size(u16 port)
{
	return (inb(port + IIR) & IIR_FIFO) == IIR_FIFO ? FIFO_SIZE : 1;
}

void serial_write(u16 port, const char *s, size_t n)
{
	unsigned room = 0;
	bool returned = false;

	for (size_t i = 0; i < n;) {
		/* Poll once, then fill the whole FIFO. */
		if (!room) {
			wait_for(port, LSR_THRE);
			room = fifo_size(port);
		}
		if (s[i] == '\n' && !returned) {
			outb(port + THR, '\r');
			returned = true;
		} else {
			outb(port + THR, (u8)s[i++]);
			returned = false;
		}
		room--;
	}
}

int serial_read(u16 port)
{
	u8 status = inb(port + LSR);

	if (status == LSR_NONE || !(status & LSR_DR))
		return -1;
	return inb(port + RBR) | (status & LSR_OE ? SERIAL_LOST : 0);
}

void serial_flush(u16 port)
{
	wait_for(port, LSR_TEMT);
}
