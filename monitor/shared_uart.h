/* SPDX-License-Identifier: MIT */
/*
 * A UART that the guest's driver and the monitor share: who gets what is received, and whose bytes
 * are sent. Ctrl-T switches what is typed between them. The UART is the guest's but for that: what
 * it programs is programmed, and what it reads is what the UART says. Pure: the registers and the
 * clock are functions of the caller. Source: National Semiconductor PC16550D, "Registers".
 *
 * - Received bytes are taken out of the UART to look for Ctrl-T when the guest reads a register
 *   that would tell of them, and kept for it. If it does not fetch them, nor looks, they are taken
 *   at a beat, so that Ctrl-T calls the monitor of a guest that hangs, too.
 * - Bytes that were taken no longer raise the UART's interrupt. Where the guest must have one, the
 *   interrupt "transmitter empty" rings for it, and what it reads in IIR is the reason that it
 *   would find in its own UART.
 * - While the monitor has the terminal, what the guest sends is kept, and its transmitter is empty
 *   as long as there is room for more. Later it is sent at the line's pace.
 */
#ifndef GH_MONITOR_SHARED_UART_H
#define GH_MONITOR_SHARED_UART_H

#include "bits.h"

/* Its registers, as offsets of ports. That of the scratch register, which follows, the guest may
 * have to itself. */
enum uart_register {
	UART_DATA, /* with DLAB: the divisor's low byte */
	UART_IER,  /* with DLAB: the divisor's high byte */
	UART_IIR,  /* written: FCR */
	UART_LCR,
	UART_MCR,
	UART_LSR,
	UART_MSR,
	UART_SHARED, /* so many are shared */
};

#define UART_INPUT 4096u  /* bytes that are kept for each; a power of two */
#define UART_KEPT  16384u /* of the guest's output; a power of two */
#define UART_LOG   4096u  /* of the log */

struct shared_uart {
	/* Set by the caller: */
	u8 (*in)(unsigned reg);
	void (*out)(unsigned reg, u8 value);
	u64 (*now)(void);
	u64 second; /* of that clock */

	/* What the guest has programmed. */
	u8 ier, lcr, mcr, fcr;
	u8 machine_ier; /* what is in the UART */
	bool own_fifo;  /* its FIFOs are on for the monitor, and off for the guest */
	bool borrowed;  /* it does its everyday work, although the guest has other plans */

	/* Input. */
	bool to_monitor;       /* what comes now is the monitor's */
	bool raw;              /* Ctrl-T is a byte as any other */
	u64 switched;          /* when Ctrl-T came last */
	bool typed;            /* something has come since then */
	bool lost;             /* the UART has lost bytes that were the monitor's */
	bool overrun;          /* and bytes that were the guest's, which does not know yet */
	u8 errors;             /* bits of LSR, of the byte that comes next */
	u16 guest[UART_INPUT]; /* bytes, with their errors above them */
	u32 guest_put, guest_taken;
	char monitor[UART_INPUT];
	u32 monitor_put, monitor_taken;
	u8 last_byte; /* that the guest has read */

	/* Interrupts. */
	bool empty; /* "transmitter empty" is pending for the guest, but no longer in the UART */
	bool bell;  /* the UART is to interrupt the guest, for what is pending here */

	/* Output. */
	bool held;     /* the monitor has the terminal */
	bool drains;   /* it has, or what was kept meanwhile is being sent */
	u8 polled;     /* THRE and TEMT as the guest has just read them in LSR, or both */
	bool mid_line; /* the guest has not ended its line */
	u64 last_sent; /* when its last byte left for the line */
	char kept[UART_KEPT];
	u32 kept_put, kept_taken;
	char log[UART_LOG];
	size_t log_length;
	u64 log_since;

	/* Beats. */
	bool served;  /* the guest has looked at the UART since the last one */
	bool waiting; /* at the last one a byte was waiting */
	unsigned odd; /* beats since when the guest has been programming the UART */
};

/* The UART is as the guest will find it: nothing of it is pending. */
void shared_uart_init(struct shared_uart *uart);

/* The guest reads or writes register @reg, one of the shared. */
u8 shared_uart_read(struct shared_uart *uart, unsigned reg);
void shared_uart_write(struct shared_uart *uart, unsigned reg, u8 value);

/* Some time has passed: a hundredth of a second, or a thousandth. */
void shared_uart_beat(struct shared_uart *uart);

/* Is there something for the monitor: what comes now, or what has come? */
bool shared_uart_calls(const struct shared_uart *uart);

/*
 * The monitor, which is called, wants to print. Returns true if it may: the guest's line has ended,
 * or does not end soon, as the guest sends no more of it; then it is ended here.
 */
bool shared_uart_hold(struct shared_uart *uart);
/* The monitor has printed its last. */
void shared_uart_release(struct shared_uart *uart);

/* Returns the next byte for the monitor; -1: none. */
int shared_uart_receive(struct shared_uart *uart);

/* Send the monitor's @n bytes at @s, with \n as \r\n, and wait until the last of them has left for
 * the line. While it has the terminal. */
void shared_uart_send(struct shared_uart *uart, const char *s, size_t n);

/* Print @n bytes of the log between two lines of the guest: now, or when its line ends, or when
 * the guest has sent no more of it for half a second. What is more than is kept meanwhile is left
 * out. */
void shared_uart_log(struct shared_uart *uart, const char *s, size_t n);

/* The machine ends, or is the guest's alone from now on: send all that is kept, and leave the UART
 * as the guest has programmed it. */
void shared_uart_end(struct shared_uart *uart);

#endif
