/* SPDX-License-Identifier: MIT */
/*
 * A UART that the guest and the monitor share. See shared_uart.h.
 */
#include "monitor/shared_uart.h"
#include "lib/string.h"

#define CTRL_T 0x14

#define IER_RDI    0x01 /* received data */
#define IER_THRI   0x02 /* the transmitter is empty */
#define IER_RLSI   0x04 /* errors of received data */
#define IER_CAUSES 0x0f

/* The low four bits of IIR, from the most urgent cause to the least. */
#define IIR_CAUSE   0x0f
#define IIR_RLS     0x06
#define IIR_RDA     0x04
#define IIR_TIMEOUT 0x0c
#define IIR_THRE    0x02
#define IIR_MODEM   0x00
#define IIR_NONE    0x01
#define IIR_FIFO    0xc0 /* FIFOs are on */

#define FCR_ENABLE   0x01
#define FCR_CLEAR_RX 0x02

#define LCR_EXTENDED 0xbf /* UARTs after the 16550 have EFR at IIR's place then */
#define LCR_BREAK    0x40
#define LCR_DLAB     0x80

#define MCR_LOOP 0x10

#define LSR_DR     0x01
#define LSR_OE     0x02
#define LSR_BYTES  0x1c /* errors of the byte that is read next: parity, framing, break */
#define LSR_THRE   0x20
#define LSR_TEMT   0x40
#define LSR_EMPTY  (LSR_THRE | LSR_TEMT)
#define LSR_ERRORS 0x80 /* there are such in the FIFO */
#define LSR_NONE   0xff

#define FIFO_SIZE    16u
#define MAX_PULL     64     /* bytes at a time, as a UART may be broken */
#define MAX_POLLS    100000 /* for the same reason */
#define MAX_WAIT     10000  /* of a second: a tenth of a millisecond is a byte, at 115200 baud */
#define MAX_PATIENCE 2      /* seconds until a line of the guest's is broken */
#define ODD_BEATS    50     /* how long a guest may take to program the UART */

/* ---- What is kept ---- */

static u32 guest_count(const struct shared_uart *u)
{
	return u->guest_put - u->guest_taken;
}

static u32 kept_count(const struct shared_uart *u)
{
	return u->kept_put - u->kept_taken;
}

/* More than is kept is lost, so that Ctrl-T is found behind it. */
static void give_guest(struct shared_uart *u, u16 byte)
{
	if (guest_count(u) < UART_INPUT)
		u->guest[u->guest_put++ % UART_INPUT] = byte;
	else
		u->overrun = true;
}

static u16 *next_of_guest(struct shared_uart *u)
{
	return &u->guest[u->guest_taken % UART_INPUT];
}

static bool loops(const struct shared_uart *u)
{
	return u->mcr & MCR_LOOP;
}

/* Is the guest's output put where it is kept first? */
static bool keeps(const struct shared_uart *u)
{
	return u->held || u->drains;
}

static bool has_room(const struct shared_uart *u)
{
	return kept_count(u) + FIFO_SIZE <= UART_KEPT;
}

/* Does the guest have the UART do something that is not its everyday work? */
static bool is_odd(const struct shared_uart *u)
{
	return loops(u) || u->lcr & (LCR_DLAB | LCR_BREAK);
}

/* ---- Interrupts ---- */

/* What is to be in the UART's IER, for the guest's. */
static u8 wanted_ier(const struct shared_uart *u)
{
	u8 ier = u->ier;

	if (loops(u))
		return ier;
	if (u->to_monitor)
		ier &= (u8) ~(IER_RDI | IER_RLSI);
	if (keeps(u))
		ier &= (u8)~IER_THRI;
	return u->bell ? ier | IER_THRI : ier;
}

static void set_ier(struct shared_uart *u, u8 ier)
{
	u->machine_ier = ier;
	u->out(UART_IER, ier);
}

/* Something that decides about IER has changed. */
static void update_ier(struct shared_uart *u)
{
	if (!(u->lcr & LCR_DLAB) && wanted_ier(u) != u->machine_ier)
		set_ier(u, wanted_ier(u));
}

/* Returns the UART's IIR. Reading it clears that the transmitter is empty: remember that, unless it
 * is only the bell. */
static u8 machine_iir(struct shared_uart *u)
{
	u8 iir = u->in(UART_IIR);

	if ((iir & IIR_CAUSE) == IIR_THRE && !keeps(u) && u->ier & IER_THRI)
		u->empty = true;
	return iir;
}

static bool has_fifo(struct shared_uart *u)
{
	return (machine_iir(u) & IIR_FIFO) == IIR_FIFO;
}

/* Is there a cause for an interrupt that only this code knows of? */
static bool is_pending(struct shared_uart *u)
{
	bool error = u->overrun || (guest_count(u) && *next_of_guest(u) >> 8);

	return (u->ier & IER_RLSI && error) || (u->ier & IER_RDI && guest_count(u)) ||
	       (u->ier & IER_THRI && u->empty && has_room(u));
}

/* Have the UART interrupt the guest as soon as its transmitter is empty. */
static void ring(struct shared_uart *u)
{
	if (u->lcr & LCR_DLAB || loops(u))
		return;
	u->bell = true;
	set_ier(u, wanted_ier(u) & (u8)~IER_THRI);
	set_ier(u, wanted_ier(u));
}

/* ---- Input ---- */

/* Ctrl-T, and at once again: that is for the guest. */
static void switch_input(struct shared_uart *u)
{
	u64 now = u->now();

	if (u->to_monitor && !u->typed && now - u->switched < u->second / 4)
		give_guest(u, CTRL_T);
	u->to_monitor = !u->to_monitor;
	u->switched = now;
	u->typed = false;
}

static bool is_full(const struct shared_uart *u)
{
	return u->to_monitor && u->monitor_put - u->monitor_taken == UART_INPUT;
}

static void take(struct shared_uart *u, u8 byte)
{
	u16 errors = u->errors;

	u->errors = 0;
	if (byte == CTRL_T && !errors && !u->raw) {
		switch_input(u);
		return;
	}
	u->typed = true;
	if (u->to_monitor)
		u->monitor[u->monitor_put++ % UART_INPUT] = (char)byte;
	else
		give_guest(u, (u16)(byte | errors << 8));
}

/* Returns LSR. Reading it clears its errors: remember them. */
static u8 status_of(struct shared_uart *u)
{
	u8 status = u->in(UART_LSR);

	if (status == LSR_NONE)
		return LSR_EMPTY;
	u->errors |= status & LSR_BYTES;
	if (status & LSR_OE && u->to_monitor)
		u->lost = true;
	else if (status & LSR_OE)
		u->overrun = true;
	return status;
}

/*
 * The guest has switched the FIFOs off, or never on: have them on while the monitor gets what
 * comes, which is looked at now and then only. Changing that empties them.
 */
static void use_fifo(struct shared_uart *u)
{
	if (u->to_monitor ? has_fifo(u) : !u->own_fifo)
		return;
	for (unsigned i = 0; i < MAX_POLLS && !(status_of(u) & LSR_TEMT); i++)
		;
	u->own_fifo = u->to_monitor;
	u->out(UART_IIR, u->own_fifo ? FCR_ENABLE : 0);
}

/* Take what has been received, unless it is what the guest sends to itself, or out of reach.
 * Returns LSR after that. */
static u8 pull(struct shared_uart *u)
{
	bool in_reach = u->borrowed || !(loops(u) || u->lcr & LCR_DLAB), was = u->to_monitor;
	u8 status = status_of(u);

	for (unsigned i = 0; in_reach && i < MAX_PULL && status & LSR_DR && !is_full(u); i++) {
		take(u, u->in(UART_DATA));
		status = status_of(u);
	}
	if (was != u->to_monitor) {
		use_fifo(u);
		update_ier(u);
	}
	return status;
}

/* ---- Output ---- */

/* Wait until a bit of LSR is set, and take what is received meanwhile. */
static void wait_for(struct shared_uart *u, u8 bit)
{
	for (unsigned i = 0; i < MAX_POLLS && !(pull(u) & bit); i++)
		;
}

/* Have the UART do everyday work, whatever the guest does with it, until give_back(). */
static void borrow(struct shared_uart *u)
{
	if (!is_odd(u))
		return;
	/* What it sends to itself is its own, and is complete. */
	for (unsigned i = 0; loops(u) && i < MAX_POLLS && !(status_of(u) & LSR_TEMT); i++)
		;
	u->out(UART_LCR, u->lcr & (u8) ~(LCR_DLAB | LCR_BREAK));
	for (unsigned i = 0; loops(u) && i < MAX_PULL && status_of(u) & LSR_DR; i++) {
		give_guest(u, (u16)(u->in(UART_DATA) | u->errors << 8));
		u->errors = 0;
	}
	u->out(UART_MCR, u->mcr & (u8)~MCR_LOOP);
	u->borrowed = true;
}

static void give_back(struct shared_uart *u)
{
	if (!u->borrowed)
		return;
	wait_for(u, LSR_TEMT);
	u->borrowed = false;
	u->out(UART_MCR, u->mcr);
	if (wanted_ier(u) != u->machine_ier)
		set_ier(u, wanted_ier(u));
	u->out(UART_LCR, u->lcr);
}

static void send_byte(struct shared_uart *u, char byte)
{
	wait_for(u, LSR_THRE);
	u->out(UART_DATA, (u8)byte);
}

/* Ours. The guest may believe afterwards that the transmitter is empty, as it was before. */
static void send(struct shared_uart *u, const char *s, size_t n)
{
	borrow(u);
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\n')
			send_byte(u, '\r');
		send_byte(u, s[i]);
	}
	wait_for(u, LSR_THRE);
	give_back(u);
}

/* Print the lines of the log that are complete, or all of it if its time is up. */
static void print_log(struct shared_uart *u, bool now)
{
	size_t n = u->log_length;

	while (!now && n && u->log[n - 1] != '\n')
		n--;
	if (!n)
		return;
	if (u->mid_line)
		send(u, "\n", 1);
	u->mid_line = false;
	send(u, u->log, n);
	u->log_length -= n;
	memmove(u->log, u->log + n, u->log_length);
}

/* The monitor takes the terminal. */
static void hold(struct shared_uart *u)
{
	u->held = u->drains = true;
	u->empty = u->ier & IER_THRI;
	update_ier(u);
}

/*
 * Will the guest's line end soon? At @since somebody wanted to print. The line does not end when
 * the guest's last byte left the UART a @patience ago, as after a prompt, nor when it has gone on
 * for seconds, as what draws in one line.
 */
static bool ends_soon(struct shared_uart *u, u64 since, u64 patience)
{
	u64 now = u->now();

	if (!u->mid_line || now - since > MAX_PATIENCE * u->second)
		return false;
	if (!(status_of(u) & LSR_TEMT))
		u->last_sent = now;
	return now - since < patience || now - u->last_sent < patience;
}

/* A byte of the guest's has been sent. */
static void has_sent(struct shared_uart *u, char byte)
{
	u->last_sent = u->now();
	u->mid_line = byte != '\n';
	if (u->mid_line)
		return;
	print_log(u, false);
	if (shared_uart_calls(u))
		hold(u);
}

/* Send as much as the UART accepts of what was kept. When that has been sent, too, the guest writes
 * to the UART again: not before, as it may have been told that there is room. */
static void pump(struct shared_uart *u)
{
	unsigned room;

	if (u->held || !u->drains || is_odd(u) || !(status_of(u) & LSR_THRE))
		return;
	if (!kept_count(u)) {
		u->drains = u->empty = false; /* the UART itself tells the guest again */
		update_ier(u);
		return;
	}
	for (room = has_fifo(u) ? FIFO_SIZE : 1; room && kept_count(u) && !u->held; room--) {
		char byte = u->kept[u->kept_taken++ % UART_KEPT];

		u->out(UART_DATA, (u8)byte);
		has_sent(u, byte);
	}
}

/* ---- The guest ---- */

static u8 read_data(struct shared_uart *u)
{
	pull(u);
	if (guest_count(u)) {
		u->last_byte = (u8)*next_of_guest(u);
		u->guest_taken++;
	} else if (loops(u)) {
		u->last_byte = u->in(UART_DATA);
	}
	return u->last_byte;
}

/* A guest that polls until it may send the next byte, or until the last one has been sent, is
 * answered when that changes: an exit for each time that it looks would come late by half the time
 * of one. Not for long. */
static u8 wait_for_room(struct shared_uart *u)
{
	u64 start = u->now(), most = u->second / MAX_WAIT;
	u8 status = pull(u);

	if (u->polled != LSR_EMPTY && !guest_count(u)) {
		while ((status & LSR_EMPTY) == u->polled && !(status & LSR_DR) &&
		       u->now() - start < most)
			status = status_of(u);
		if (status & LSR_DR)
			status = pull(u);
	}
	u->polled = status & LSR_EMPTY;
	return status;
}

static u8 read_lsr(struct shared_uart *u)
{
	u8 status;

	pump(u);
	if (loops(u) && !guest_count(u))
		return u->in(UART_LSR);
	status = (keeps(u) ? pull(u) : wait_for_room(u)) & LSR_EMPTY;
	if (keeps(u) && !loops(u))
		status = has_room(u) ? LSR_EMPTY : 0;
	if (u->overrun)
		status |= LSR_OE;
	u->overrun = false;
	if (!guest_count(u))
		return status;
	for (u32 i = u->guest_taken; i != u->guest_put && u->fcr & FCR_ENABLE; i++)
		if (u->guest[i % UART_INPUT] >> 8)
			status |= LSR_ERRORS;
	status |= (u8)(*next_of_guest(u) >> 8) | LSR_DR;
	*next_of_guest(u) &= 0xff;
	return status;
}

/* Data is available: as much as the guest wants at once, or less, for which the UART waits longer.
 */
static u8 data_cause(const struct shared_uart *u, bool fifo)
{
	static const u8 trigger[] = {1, 4, 8, 14};

	return fifo && guest_count(u) < trigger[u->fcr >> 6] ? IIR_TIMEOUT : IIR_RDA;
}

/* Read the UART's own IIR until it has no cause that is kept here. */
static u8 read_last_iir(struct shared_uart *u)
{
	u8 iir = IIR_NONE;

	for (unsigned i = 0; i < 4; i++) {
		u8 cause;

		pull(u);
		iir = machine_iir(u);
		cause = iir & IIR_CAUSE;
		if (cause == IIR_NONE || cause == IIR_MODEM || (loops(u) && cause != IIR_THRE))
			break;
	}
	return iir;
}

static u8 read_iir(struct shared_uart *u)
{
	u8 iir = read_last_iir(u), cause = iir & IIR_CAUSE;

	u->bell = false;
	update_ier(u);
	if (u->ier & IER_RLSI && (u->overrun || (guest_count(u) && *next_of_guest(u) >> 8))) {
		cause = IIR_RLS;
	} else if (u->ier & IER_RDI && guest_count(u)) {
		cause = data_cause(u, (iir & IIR_FIFO) == IIR_FIFO);
	} else if (u->ier & IER_THRI && u->empty && has_room(u)) {
		cause = IIR_THRE;
		u->empty = false;
	} else if (cause != IIR_MODEM && !loops(u)) {
		cause = IIR_NONE;
	}
	iir &= u->own_fifo ? (u8) ~(IIR_CAUSE | IIR_FIFO) : (u8)~IIR_CAUSE;
	return iir | cause;
}

u8 shared_uart_read(struct shared_uart *u, unsigned reg)
{
	if (reg != UART_LSR)
		u->polled = LSR_EMPTY;
	if (u->lcr & LCR_DLAB && (reg <= UART_IER || (reg == UART_IIR && u->lcr == LCR_EXTENDED)))
		return u->in(reg);
	if (reg == UART_DATA || reg == UART_IIR || reg == UART_LSR)
		u->served = true;
	switch (reg) {
	case UART_DATA:
		return read_data(u);
	case UART_IER:
		return (u->in(UART_IER) & (u8)~IER_CAUSES) | (u->ier & IER_CAUSES);
	case UART_IIR:
		return read_iir(u);
	case UART_LSR:
		return read_lsr(u);
	default:
		return u->in(reg);
	}
}

static void write_data(struct shared_uart *u, u8 byte)
{
	if (!keeps(u) || loops(u)) {
		u->empty = false;
		u->out(UART_DATA, byte);
		if (!loops(u))
			has_sent(u, (char)byte);
		return;
	}
	/* A guest that does not look whether there is room loses bytes, as with any UART. */
	if (kept_count(u) < UART_KEPT)
		u->kept[u->kept_put++ % UART_KEPT] = (char)byte;
	u->empty = true;
	pump(u);
}

static void write_ier(struct shared_uart *u, u8 ier)
{
	bool was_pending = is_pending(u), enables = ier & (u8)~u->ier & IER_THRI;

	u->ier = ier;
	if (!(ier & IER_THRI))
		u->empty = false;
	else if (enables && keeps(u))
		u->empty = true;
	u->bell = u->bell && is_pending(u);
	set_ier(u, wanted_ier(u));
	if (is_pending(u) && !was_pending)
		ring(u);
}

static void write_fcr(struct shared_uart *u, u8 fcr)
{
	pull(u);
	/* What the monitor has sent, and what was kept, would have left long ago. */
	if (keeps(u) && !loops(u))
		wait_for(u, LSR_TEMT);
	if (fcr & FCR_CLEAR_RX || (fcr ^ u->fcr) & FCR_ENABLE)
		u->guest_taken = u->guest_put;
	u->fcr = fcr;
	if (u->own_fifo && !(fcr & FCR_ENABLE))
		return;
	u->own_fifo = false;
	u->out(UART_IIR, fcr);
}

static void write_mcr(struct shared_uart *u, u8 mcr)
{
	pull(u);
	if (keeps(u) && !loops(u))
		wait_for(u, LSR_TEMT);
	u->mcr = mcr;
	u->out(UART_MCR, mcr);
	update_ier(u);
}

void shared_uart_write(struct shared_uart *u, unsigned reg, u8 value)
{
	u->polled = LSR_EMPTY;
	if (u->lcr & LCR_DLAB && (reg <= UART_IER || (reg == UART_IIR && u->lcr == LCR_EXTENDED))) {
		u->out(reg, value);
		return;
	}
	switch (reg) {
	case UART_DATA:
		write_data(u, value);
		break;
	case UART_IER:
		write_ier(u, value);
		break;
	case UART_IIR:
		write_fcr(u, value);
		break;
	case UART_LCR:
		u->lcr = value;
		u->out(UART_LCR, value);
		update_ier(u);
		break;
	case UART_MCR:
		write_mcr(u, value);
		break;
	default:
		u->out(reg, value);
	}
}

/* ---- The monitor ---- */

void shared_uart_init(struct shared_uart *u)
{
	u->ier = u->machine_ier = u->in(UART_IER);
	u->lcr = u->in(UART_LCR);
	u->mcr = u->in(UART_MCR);
	u->fcr = has_fifo(u) ? FCR_ENABLE : 0;
	u->polled = LSR_EMPTY;
}

bool shared_uart_calls(const struct shared_uart *u)
{
	return u->to_monitor || u->monitor_put != u->monitor_taken;
}

bool shared_uart_hold(struct shared_uart *u)
{
	if (u->held || !shared_uart_calls(u))
		return u->held;
	if (ends_soon(u, u->switched, u->second / 5))
		return false;
	hold(u);
	if (u->mid_line)
		send(u, "\n", 1);
	u->mid_line = false;
	return true;
}

void shared_uart_release(struct shared_uart *u)
{
	u->held = false;
	if (!kept_count(u))
		print_log(u, false);
	pump(u);
}

int shared_uart_receive(struct shared_uart *u)
{
	if (u->monitor_put == u->monitor_taken) {
		borrow(u);
		pull(u);
		give_back(u);
	}
	if (u->monitor_put == u->monitor_taken)
		return -1;
	return (u8)u->monitor[u->monitor_taken++ % UART_INPUT];
}

void shared_uart_send(struct shared_uart *u, const char *s, size_t n)
{
	send(u, s, n);
}

void shared_uart_log(struct shared_uart *u, const char *s, size_t n)
{
	if (n > UART_LOG - u->log_length && !u->held)
		print_log(u, true);
	n = MIN(n, UART_LOG - u->log_length);
	if (!u->log_length)
		u->log_since = u->now();
	memcpy(u->log + u->log_length, s, n);
	u->log_length += n;
	if (!u->held && !kept_count(u) && !u->mid_line)
		print_log(u, false);
}

/* Has a byte been there since the last beat? */
static bool waits(struct shared_uart *u)
{
	bool waited = u->waiting;

	u->waiting = status_of(u) & LSR_DR;
	return waited && u->waiting;
}

void shared_uart_beat(struct shared_uart *u)
{
	bool served = u->served;

	u->odd = is_odd(u) ? u->odd + 1 : 0;
	if (u->odd && u->odd < ODD_BEATS)
		return;
	u->served = false;
	borrow(u);
	if (u->to_monitor || (!served && waits(u)))
		pull(u);
	give_back(u);
	pump(u);
	if (u->log_length && !u->held && u->now() - u->log_since > u->second / 2 &&
	    !ends_soon(u, u->log_since, u->second / 2))
		print_log(u, true);
	if (!served && is_pending(u))
		ring(u);
}

void shared_uart_end(struct shared_uart *u)
{
	u->to_monitor = u->held = u->bell = false;
	for (unsigned i = 0; i < MAX_POLLS && u->drains; i++) {
		u32 before = kept_count(u);

		pump(u);
		if (kept_count(u) != before)
			i = 0;
	}
	print_log(u, true);
	wait_for(u, LSR_TEMT);
	use_fifo(u);
	update_ier(u);
}
