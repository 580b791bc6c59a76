/* SPDX-License-Identifier: MIT */
/*
 * The UART that the guest and the monitor share, on a model of a 16550A with its line and a clock,
 * with a driver as Linux has one.
 */
#include "tests/unit/stubs.h"

#include "monitor/shared_uart.h"

#define BYTE_TIME byte_time
#define FAST      87u      /* of the clock, in microseconds: at 115200 baud */
#define SLOW      1042u    /* at 9600 baud */
#define BEAT      1000u    /* of the clock, between two beats */
#define SECOND    1000000u /* of the clock */
#define LINE_SIZE (1u << 20)
#define CTRL_T    "\x14"

/* ---- The model ---- */

static u64 byte_time = FAST;
static u64 clock;
static bool wild; /* the guest does not look whether there is room */
static struct {
	u8 ier, lcr, mcr, fcr, dll, dlm;
	u8 rx[16], rx_count;
	u8 tx[16], tx_count, shift;
	bool shifts, overrun, empty; /* the interrupt "transmitter empty" is pending */
	u64 shifted, received, last_read;
	u64 edges; /* of its interrupt line */
	bool line;
	unsigned lost;
} chip;
static const char *coming; /* bytes on their way to it */
static size_t coming_count;
static char terminal[LINE_SIZE]; /* what it has sent */
static size_t shown;

static bool fifo(void)
{
	return chip.fcr & 1;
}

static u8 cause(void)
{
	static const u8 trigger[] = {1, 4, 8, 14};
	u8 limit = fifo() ? trigger[chip.fcr >> 6] : 1;

	if (chip.ier & 4 && chip.overrun)
		return 6;
	if (chip.ier & 1 && chip.rx_count >= limit)
		return 4;
	if (chip.ier & 1 && chip.rx_count && clock - chip.last_read > 4 * BYTE_TIME)
		return 0xc;
	return chip.ier & 2 && chip.empty ? 2 : 1;
}

static void update_line(void)
{
	bool line = cause() != 1 && chip.mcr & 8 && !(chip.mcr & 0x10);

	chip.edges += line && !chip.line;
	chip.line = line;
}

static void arrive(u8 byte)
{
	chip.last_read = clock;
	if (chip.rx_count == (fifo() ? 16 : 1)) {
		chip.overrun = true;
		chip.lost++;
		return;
	}
	chip.rx[chip.rx_count++] = byte;
}

static void load_shift(void)
{
	if (chip.shifts || !chip.tx_count)
		return;
	chip.shift = chip.tx[0];
	memmove(chip.tx, chip.tx + 1, --chip.tx_count);
	chip.shifts = true;
	chip.shifted = clock + BYTE_TIME;
	if (!chip.tx_count)
		chip.empty = true;
}

static void pass(u64 time)
{
	for (; time; time--) {
		clock++;
		if (chip.shifts && clock >= chip.shifted) {
			chip.shifts = false;
			if (chip.mcr & 0x10)
				arrive(chip.shift);
			else
				terminal[shown++] = (char)chip.shift;
			assert_true(shown < LINE_SIZE);
		}
		load_shift();
		if (coming_count && clock - chip.received >= BYTE_TIME) {
			chip.received = clock;
			if (!(chip.mcr & 0x10))
				arrive((u8)*coming);
			coming++;
			coming_count--;
		}
		update_line();
	}
}

static u8 chip_in(unsigned reg)
{
	u8 value = 0;

	pass(1);
	if (chip.lcr & 0x80 && reg < 2)
		return reg ? chip.dlm : chip.dll;
	if (reg == UART_DATA && chip.rx_count) {
		value = chip.rx[0];
		memmove(chip.rx, chip.rx + 1, --chip.rx_count);
		chip.last_read = clock;
	}
	if (reg == UART_IER)
		value = chip.ier;
	if (reg == UART_IIR) {
		value = cause() | (fifo() ? 0xc0 : 0);
		if (cause() == 2)
			chip.empty = false;
	}
	if (reg == UART_LCR)
		value = chip.lcr;
	if (reg == UART_MCR)
		value = chip.mcr;
	if (reg == UART_LSR) {
		value = (u8)((chip.rx_count ? 1 : 0) | chip.overrun << 1 |
			     (chip.tx_count ? 0 : 0x20) |
			     (chip.tx_count || chip.shifts ? 0 : 0x40));
		chip.overrun = false;
	}
	if (reg == UART_MSR)
		value = chip.mcr & 0x10 ? (u8)((chip.mcr & 1) << 5 | (chip.mcr & 2) << 3 |
					       (chip.mcr & 0xc) << 4)
					: 0xb0;
	update_line();
	return value;
}

static void chip_out(unsigned reg, u8 value)
{
	pass(1);
	if (chip.lcr & 0x80 && reg < 2) {
		*(reg ? &chip.dlm : &chip.dll) = value;
	} else if (reg == UART_DATA) {
		if (chip.tx_count == (fifo() ? 16 : 1)) {
			assert_true(wild); /* a byte is lost */
			chip.tx_count--;
		}
		chip.tx[chip.tx_count++] = value;
		chip.empty = false;
		load_shift();
	} else if (reg == UART_IER) {
		if (value & ~chip.ier & 2 && !chip.tx_count)
			chip.empty = true;
		chip.ier = value & 0xf;
	} else if (reg == UART_IIR) {
		if (value & 2 || (value ^ chip.fcr) & 1)
			chip.rx_count = 0;
		if (value & 4 || (value ^ chip.fcr) & 1)
			chip.tx_count = 0;
		chip.fcr = value & 1 ? value : 0;
	} else if (reg == UART_LCR) {
		chip.lcr = value;
	} else if (reg == UART_MCR) {
		chip.mcr = value & 0x1f;
	}
	update_line();
}

static u64 chip_now(void)
{
	return clock;
}

/* ---- The driver, as Linux' ---- */

static struct shared_uart uart;
static char got[LINE_SIZE]; /* what it has received */
static size_t got_count;
static const char *to_send;
static size_t send_count;
static u64 handled; /* edges */
static u64 chaos;   /* a seed: beats come between any two accesses; 0: between two interrupts */

static void other_cpu(void)
{
	if (!chaos || rand_below(&chaos, 8))
		return;
	pass(rand_below(&chaos, 2 * BYTE_TIME));
	shared_uart_beat(&uart);
}

static u8 rd(unsigned reg)
{
	other_cpu();
	return shared_uart_read(&uart, reg);
}

static void wr(unsigned reg, u8 value)
{
	other_cpu();
	shared_uart_write(&uart, reg, value);
}

static void interrupt(void)
{
	for (unsigned i = 0; i < 100 && !(rd(UART_IIR) & 1); i++) {
		u8 status = rd(UART_LSR);

		for (; status & 1; status = rd(UART_LSR)) {
			got[got_count++] = (char)rd(UART_DATA);
			assert_true(got_count < LINE_SIZE);
		}
		for (unsigned n = 0; status & 0x20 && n < 16 && send_count; n++, send_count--)
			wr(UART_DATA, (u8)*to_send++);
		if (!send_count)
			wr(UART_IER, 5);
	}
}

static void driver_sends(const char *s, size_t n)
{
	to_send = s;
	send_count = n;
	wr(UART_IER, 7);
}

static u64 beaten; /* the number of the last beat */

/* Time passes, with beats; the driver has its interrupts handled. */
static void run(u64 time, bool interrupts)
{
	for (; time >= 10; time -= 10) {
		pass(10);
		if (interrupts && chip.edges != handled) {
			handled = chip.edges;
			interrupt();
		}
		if (clock / BEAT != beaten)
			shared_uart_beat(&uart);
		beaten = clock / BEAT;
	}
}

static void type(const char *s, size_t n)
{
	coming = s;
	coming_count = n;
	chip.received = clock;
}

static void begin(bool driver)
{
	memset(&chip, 0, sizeof(chip));
	memset(&uart, 0, sizeof(uart));
	coming_count = send_count = got_count = shown = 0;
	clock = 10 * SECOND;
	handled = 0;
	chip.lcr = 3;
	chip.fcr = 1;
	chip.mcr = 3;
	uart.in = chip_in;
	uart.out = chip_out;
	uart.now = chip_now;
	uart.second = SECOND;
	byte_time = FAST;
	shared_uart_init(&uart);
	if (!driver)
		return;
	wr(UART_MCR, 0xb);
	wr(UART_IIR, 0x81);
	wr(UART_IER, 5);
}

static void shows(const char *text)
{
	assert_int_equal(shown, strlen(text));
	assert_memory_equal(terminal, text, shown);
}

static void has_got(const char *text)
{
	assert_int_equal(got_count, strlen(text));
	assert_memory_equal(got, text, got_count);
}

static void monitor_gets(const char *text)
{
	for (; *text; text++)
		assert_int_equal(shared_uart_receive(&uart), *text);
	assert_int_equal(shared_uart_receive(&uart), -1);
}

/* ---- The tests ---- */

/* What Linux' driver does to find out what UART it has. */
static void test_probe(void **state)
{
	u8 iir;

	(void)state;
	begin(false);
	wr(UART_IER, 0);
	assert_int_equal(rd(UART_IER), 0);
	wr(UART_IER, 0xf);
	assert_int_equal(rd(UART_IER), 0xf);
	wr(UART_IER, 0);
	wr(UART_MCR, 0x1a);
	assert_int_equal(rd(UART_MSR), 0x90);
	/* The size of the FIFO. */
	wr(UART_LCR, 0xbf);
	wr(UART_IIR, 0);
	wr(UART_LCR, 0);
	wr(UART_IIR, 7);
	assert_int_equal(rd(UART_IIR), 0xc1);
	wr(UART_LCR, 0x83);
	wr(UART_DATA, 0x34);
	wr(UART_IER, 0x12);
	assert_int_equal(rd(UART_DATA), 0x34);
	assert_int_equal(rd(UART_IER), 0x12);
	assert_int_equal(chip.dll | chip.dlm << 8, 0x1234);
	wr(UART_LCR, 3);
	for (unsigned i = 0; i < 16; i++)
		wr(UART_DATA, (u8)(0x10 + i)); /* one is Ctrl-T */
	run(20 * BYTE_TIME, false);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(rd(UART_DATA), 0x10 + i);
	assert_int_equal(rd(UART_LSR), 0x60);
	assert_false(shared_uart_calls(&uart));
	wr(UART_MCR, 0xb);
	/* Does it interrupt again when the interrupt is switched on again? */
	wr(UART_IER, 2);
	iir = rd(UART_IIR);
	assert_int_equal(iir, 0xc2);
	assert_int_equal(rd(UART_IIR), 0xc1);
	wr(UART_IER, 0);
	wr(UART_IER, 2);
	assert_int_equal(rd(UART_IIR), 0xc2);
	wr(UART_IER, 0);
	assert_int_equal(chip.ier, 0);
	shows("");
}

/* Nobody calls: the driver has the UART to itself. */
static void test_alone(void **state)
{
	(void)state;
	begin(true);
	driver_sends("hello\r\nworld, this is more than one FIFO full\r\n", 47);
	type("typed, and more than one FIFO full", 34);
	run(100 * BYTE_TIME, true);
	shows("hello\r\nworld, this is more than one FIFO full\r\n");
	has_got("typed, and more than one FIFO full");
	assert_int_equal(chip.ier, 5);
	assert_int_equal(uart.kept_put, 0);
}

/* What is typed goes to whoever has the terminal; of Ctrl-T nothing is seen. */
static void test_switch(void **state)
{
	(void)state;
	begin(true);
	type("one" CTRL_T "help\r" CTRL_T "two", 13);
	run(40 * BYTE_TIME, true);
	assert_true(shared_uart_calls(&uart));
	assert_true(shared_uart_hold(&uart));
	monitor_gets("help\r");
	shared_uart_release(&uart);
	run(3 * BEAT, true);
	has_got("onetwo");
	assert_false(shared_uart_calls(&uart));
	assert_int_equal(chip.ier, 5);
	/* Twice at once: one for the guest. */
	type(CTRL_T CTRL_T "x", 3);
	run(20 * BYTE_TIME, true);
	has_got("onetwo" CTRL_T "x");
	assert_false(shared_uart_calls(&uart));
	/* Not at once: for nobody. */
	type(CTRL_T, 1);
	run(SECOND / 2, true);
	assert_true(shared_uart_hold(&uart));
	type(CTRL_T "y", 2);
	run(5 * BEAT, true);
	shared_uart_release(&uart);
	has_got("onetwo" CTRL_T "xy");
	/* For gdb it is a byte. */
	type(CTRL_T, 1);
	run(5 * BEAT, true);
	uart.raw = true;
	type("$" CTRL_T, 2);
	run(5 * BEAT, true);
	monitor_gets("$" CTRL_T);
}

/* A guest that does not look, with its interrupts on or off, can be left. */
static void test_hangs(void **state)
{
	for (unsigned ier = 0; ier < 8; ier++) {
		(void)state;
		begin(true);
		wr(UART_IER, (u8)ier);
		wr(UART_LCR, ier & 1 ? 3 : 0x83); /* with the divisor latch open */
		if (ier & 2)
			wr(UART_MCR, 0x1b); /* in a loop */
		type("a" CTRL_T "b", 3);
		run(100 * BEAT, false);
		if (!(ier & 2)) {
			assert_true(shared_uart_calls(&uart));
			monitor_gets("b");
		}
		type(CTRL_T "b", 2);
		run(100 * BEAT, false);
		assert_true(ier & 2 || !shared_uart_calls(&uart));
		assert_int_equal(chip.lcr, ier & 1 ? 3 : 0x83);
		assert_int_equal(chip.mcr, ier & 2 ? 0x1b : 0xb);
	}
}

/* A guest that polls, and has its interrupts off. */
static void test_polls(void **state)
{
	(void)state;
	begin(false);
	type("pol" CTRL_T "m" CTRL_T "led", 9);
	for (unsigned i = 0; i < 5000; i++) {
		if (rd(UART_LSR) & 1)
			got[got_count++] = (char)rd(UART_DATA);
		pass(1);
	}
	has_got("polled");
	monitor_gets("m");
	assert_int_equal(chip.edges, 0);
}

/* What comes while the driver has its interrupt off, as while it prints by polling, is told when it
 * is on again. */
static void test_interrupt_again(void **state)
{
	(void)state;
	begin(true);
	wr(UART_IER, 0);
	type("abc", 3);
	for (unsigned i = 0; i < 500; i++) {
		rd(UART_LSR);
		pass(1);
	}
	assert_int_equal(chip.rx_count, 0);
	handled = chip.edges;
	wr(UART_IER, 5);
	run(3 * BYTE_TIME, true);
	has_got("abc");
	/* What it has seen in passing, and not fetched. */
	type("def", 3);
	for (unsigned i = 0; i < 290; i++) {
		rd(UART_LSR);
		pass(1);
	}
	handled = chip.edges;
	run(5 * BEAT, true);
	has_got("abcdef");
}

/* The monitor's text and the log do not break lines of the guest's, unless these do not end. */
static void test_lines(void **state)
{
	(void)state;
	begin(false);
	for (const char *s = "half a "; *s; s++) {
		wr(UART_DATA, (u8)*s);
		pass(BYTE_TIME);
	}
	type(CTRL_T "x", 2);
	run(5 * BEAT, false);
	shared_uart_log(&uart, "log\n", 4);
	shared_uart_log(&uart, "not complete", 12);
	assert_false(shared_uart_hold(&uart));
	for (const char *s = "line\r\nnext\n"; *s; s++) {
		while (!(rd(UART_LSR) & 0x20))
			;
		wr(UART_DATA, (u8)*s);
	}
	assert_true(shared_uart_hold(&uart));
	monitor_gets("x");
	shared_uart_send(&uart, "monitor\n", 8);
	type(CTRL_T, 1);
	run(5 * BEAT, false);
	assert_int_equal(shared_uart_receive(&uart), -1);
	shared_uart_release(&uart);
	run(5 * BEAT, false);
	shows("half a line\r\nlog\r\nmonitor\r\nnext\n");
	shared_uart_log(&uart, "!\n", 2);
	run(5 * BEAT, false);
	shows("half a line\r\nlog\r\nmonitor\r\nnext\nnot complete!\r\n");
	/* A prompt: a line that does not end. */
	shown = 0;
	wr(UART_DATA, '#');
	shared_uart_log(&uart, "log\n", 4);
	run(SECOND / 4, false);
	shows("#");
	run(SECOND / 2, false);
	shows("#\r\nlog\r\n");
	wr(UART_DATA, '#');
	type(CTRL_T, 1);
	run(SECOND / 4, false);
	assert_true(shared_uart_hold(&uart));
	run(5 * BEAT, false);
	shows("#\r\nlog\r\n#\r\n");
}

/* The guest sends @n bytes, as the line takes them. */
static void guest_sends(const char *s, size_t n)
{
	while (n--) {
		while (!(rd(UART_LSR) & 0x20))
			run(10, false);
		assert_false(shared_uart_hold(&uart));
		wr(UART_DATA, (u8)*s++);
	}
}

/* A slow line: a line of the guest's takes longer than anybody waits for a prompt. */
static void test_slow(void **state)
{
	static const char rest[400] = {[0 ... 398] = 'g', '\n'};

	(void)state;
	begin(false);
	byte_time = SLOW;
	guest_sends("begin ", 6);
	type(CTRL_T, 1);
	shared_uart_log(&uart, "log\n", 4);
	guest_sends(rest, 399);
	assert_false(shared_uart_hold(&uart));
	guest_sends(rest + 399, 1);
	assert_true(shared_uart_hold(&uart));
	run(50 * SLOW, false);
	assert_int_equal(shown, 6 + 400 + 5);
	assert_memory_equal(terminal + 6, rest, 400);
	assert_memory_equal(terminal + 406, "log\r\n", 5);
	/* What never ends is broken all the same. */
	type(CTRL_T, 1);
	run(5 * BEAT, false);
	shared_uart_release(&uart);
	run(5 * BEAT, false);
	type(CTRL_T, 1);
	for (unsigned i = 0; i < 3000 && !uart.held; i++) {
		while (!(rd(UART_LSR) & 0x20))
			run(10, false);
		wr(UART_DATA, '|');
		shared_uart_hold(&uart);
		assert_true(i > 1000 || !uart.held);
	}
	assert_true(uart.held);
}

/* A guest that polls for room is answered when there is some, soon after; not one that only looks.
 */
static void test_room_soon(void **state)
{
	u64 start;

	(void)state;
	begin(false);
	wr(UART_IIR, 0);
	wr(UART_DATA, 'a');
	wr(UART_DATA, 'b'); /* waits until a has left */
	start = clock;
	assert_int_equal(rd(UART_LSR) & 0x20, 0);
	assert_in_range(clock - start, 1, 10);
	assert_int_equal(rd(UART_LSR) & 0x60, 0x20);
	assert_in_range(clock - start, FAST / 2, FAST + 10);
	/* One that waits until the last byte has been sent, too. */
	start = clock;
	assert_int_equal(rd(UART_LSR) & 0x60, 0x60);
	assert_in_range(clock - start, FAST / 2, FAST + 10);
	start = clock;
	assert_int_equal(rd(UART_LSR) & 0x60, 0x60);
	assert_in_range(clock - start, 1, 10);
	/* It is not kept for long, nor when it looks at other registers between. */
	run(BEAT, false);
	byte_time = SECOND;
	wr(UART_DATA, 'c');
	wr(UART_DATA, 'd');
	for (unsigned i = 0; i < 3; i++) {
		start = clock;
		assert_int_equal(rd(UART_LSR) & 0x20, 0);
		assert_in_range(clock - start, 1, i ? SECOND / 10000 + 10 : 10);
	}
	assert_int_equal(rd(UART_IIR), 1);
	start = clock;
	assert_int_equal(rd(UART_LSR) & 0x20, 0);
	assert_in_range(clock - start, 1, 10);
}

static char pattern[UART_INPUT * 20];

static void fill_pattern(void)
{
	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = i % 41 == 40 ? '\n' : (char)('!' + i % 89);
}

/* 4 KiB come at once, for either side. */
static void test_paste(void **state)
{
	(void)state;
	fill_pattern();
	begin(true);
	type(pattern, 4096);
	run(4100 * BYTE_TIME, true);
	assert_int_equal(got_count, 4096);
	assert_memory_equal(got, pattern, 4096);
	type(CTRL_T, 1);
	run(5 * BEAT, true);
	type(pattern, 4096);
	run(4100 * BYTE_TIME, true);
	for (unsigned i = 0; i < 4096; i++)
		assert_int_equal(shared_uart_receive(&uart), pattern[i]);
	assert_false(uart.lost);
	assert_int_equal(chip.lost, 0);
	assert_int_equal(got_count, 4096);
	/* More than is kept is told. */
	type(pattern, 8192);
	run(8200 * BYTE_TIME, true);
	while (shared_uart_receive(&uart) >= 0)
		;
	assert_true(uart.lost);
	/* A guest that has its FIFO off does not take it from the monitor. */
	begin(false);
	wr(UART_IIR, 0);
	type(CTRL_T, 1);
	run(5 * BEAT, false);
	type(pattern, 4096);
	run(4100 * BYTE_TIME, false);
	assert_int_equal(rd(UART_IIR), 1);
	for (unsigned i = 0; i < 4096; i++)
		assert_int_equal(shared_uart_receive(&uart), pattern[i]);
	assert_false(uart.lost);
	type(CTRL_T, 1);
	run(5 * BEAT, false);
	assert_int_equal(chip.fcr, 0);
}

/* What a busy guest sends while the monitor has the terminal comes afterwards, complete; when there
 * is no room it waits. */
static void test_busy(void **state)
{
	(void)state;
	fill_pattern();
	begin(true);
	driver_sends(pattern, sizeof(pattern));
	run(100 * BYTE_TIME, true);
	type(CTRL_T, 1);
	run(50 * BYTE_TIME, true);
	assert_true(uart.held); /* since the end of a line */
	shared_uart_send(&uart, "<monitor>\n", 10);
	for (unsigned i = 0; i < 10; i++)
		run(SECOND, true);
	assert_in_range(uart.kept_put - uart.kept_taken, UART_KEPT - 16, UART_KEPT);
	assert_int_equal(rd(UART_LSR) & 0x60, 0);
	assert_true(send_count > 0);
	type(CTRL_T, 1);
	run(5 * BEAT, true);
	shared_uart_release(&uart);
	for (unsigned i = 0; i < 10; i++)
		run(SECOND, true);
	assert_int_equal(send_count, 0);
	assert_int_equal(uart.kept_put - uart.kept_taken, 0);
	assert_int_equal(chip.ier, 5);
	terminal[shown] = '\0';
	{
		char *ours = strstr(terminal, "<monitor>\r\n");

		assert_non_null(ours);
		assert_int_equal(ours[-1], '\n');
		memmove(ours, ours + 11, strlen(ours + 11) + 1);
	}
	assert_int_equal(shown - 11, sizeof(pattern));
	assert_memory_equal(terminal, pattern, sizeof(pattern));
}

/* What the guest has read of the transmitter still holds when the line is given back meanwhile. */
static void test_room(void **state)
{
	(void)state;
	begin(false);
	type(CTRL_T, 1);
	run(5 * BEAT, false);
	assert_true(shared_uart_hold(&uart));
	for (unsigned i = 0; i < 9; i++)
		wr(UART_DATA, (u8)('0' + i));
	assert_int_equal(rd(UART_LSR), 0x60);
	type(CTRL_T, 1);
	run(2 * BEAT, false);
	shared_uart_release(&uart);
	for (unsigned i = 0; i < 16; i++)
		wr(UART_DATA, (u8)('a' + i));
	assert_int_equal(rd(UART_LSR) & 0x20, 0x20); /* there is room where it is kept */
	run(50 * BEAT, false);
	for (unsigned i = 0; i < 16; i++)
		wr(UART_DATA, (u8)('A' + i));
	assert_int_equal(rd(UART_LSR) & 0x20, 0);
	run(50 * BEAT, false);
	shows("012345678abcdefghijklmnopABCDEFGHIJKLMNOP");
	/* And when the log is printed meanwhile. */
	begin(false);
	assert_int_equal(rd(UART_LSR), 0x60);
	shared_uart_log(&uart, "a line of the log\n", 18);
	for (unsigned i = 0; i < 16; i++)
		wr(UART_DATA, (u8)('a' + i));
	run(50 * BEAT, false);
	shows("a line of the log\r\nabcdefghijklmnop");
}

/* The guest empties its FIFO: what was taken out of it is gone, too, but not what is the monitor's.
 */
static void test_clear(void **state)
{
	(void)state;
	begin(false);
	type("abc" CTRL_T "def", 7);
	for (unsigned i = 0; i < 300; i++) {
		pass(1);
		rd(UART_LSR);
	}
	assert_int_equal(rd(UART_LSR) & 1, 1);
	run(3 * BEAT, false);
	wr(UART_IIR, 3);
	assert_int_equal(rd(UART_LSR) & 1, 0);
	monitor_gets("def");
}

/* The machine ends while the monitor has the terminal: nothing that was kept is lost. */
static void test_end(void **state)
{
	(void)state;
	fill_pattern();
	begin(true);
	type(CTRL_T, 1);
	run(5 * BEAT, true);
	assert_true(shared_uart_hold(&uart));
	driver_sends(pattern, 1000);
	run(SECOND, true);
	shared_uart_log(&uart, "the end\n", 8);
	assert_int_equal(shown, 0);
	shared_uart_end(&uart);
	assert_int_equal(chip.ier, uart.ier);
	assert_true(chip.ier & 1);
	terminal[shown] = '\0';
	assert_int_equal(shown, 1000 + 9);
	assert_non_null(strstr(terminal, "\nthe end\r\n"));
}

/* The terminal shows the first @n bytes of the pattern, and between its lines what is ours. A line
 * of its that did not end in time has been ended by CR and LF. */
static void sends_all_but_ours(size_t n)
{
	size_t length = 0;

	for (size_t i = 0; i < shown;) {
		const char *at = terminal + i;

		if (!memcmp(at, "<m>\r\n", 5) || !memcmp(at, "<l>\r\n", 5)) {
			assert_true(i == 0 || at[-1] == '\n');
			i += 5;
		} else if (!memcmp(at, "\r\n", 2)) {
			i += 2;
		} else {
			terminal[length++] = terminal[i++];
		}
	}
	assert_int_equal(length, n);
	assert_memory_equal(terminal, pattern, n);
}

/* Who types, who sends, and what is switched, in any order: all bytes come to whom they are for. */
static void test_random(void **state)
{
	static char typed[4096], guests[4096], monitors[4096];
	u64 seed = 12;

	(void)state;
	fill_pattern();
	for (unsigned round = 0; round < 200; round++) {
		size_t n = 0, guest = 0, monitor = 0, sent = rand_below(&seed, 3000), heard = 0;
		bool to_monitor = false, just = false;

		begin(true);
		chaos = round % 2 ? round : 0;
		while (n < 600) {
			char byte = (char)('a' + rand_below(&seed, 26));

			if (!just && rand_below(&seed, 20) == 0) {
				typed[n++] = CTRL_T[0];
				to_monitor = !to_monitor;
				just = true;
				continue;
			}
			just = false;
			typed[n++] = byte;
			*(to_monitor ? &monitors[monitor++] : &guests[guest++]) = byte;
		}
		type(typed, n);
		driver_sends(pattern, sent);
		for (unsigned i = 0; i < 2000; i++) {
			int byte;

			run(rand_below(&seed, 500), false);
			run(rand_below(&seed, 500), true);
			if (i > 1500)
				run(BEAT, true);
			if (shared_uart_hold(&uart)) {
				shared_uart_send(&uart, "<m>\n", rand_below(&seed, 2) ? 4 : 0);
				while ((byte = shared_uart_receive(&uart)) >= 0)
					assert_int_equal(byte, monitors[heard++]);
				if (!shared_uart_calls(&uart))
					shared_uart_release(&uart);
			}
			if (rand_below(&seed, 30) == 0)
				shared_uart_log(&uart, "<l>\n", 4);
		}
		shared_uart_end(&uart);
		run(10 * BEAT, true);
		assert_int_equal(heard, monitor);
		assert_int_equal(got_count, guest);
		assert_memory_equal(got, guests, guest);
		sends_all_but_ours(sent);
		assert_int_equal(chip.lost, 0);
	}
	chaos = 0;
}

/* A guest that accesses the registers at random finds in them what it has written, and does not
 * keep Ctrl-T from working. */
static void test_wild(void **state)
{
	u64 seed = 7;

	(void)state;
	wild = true;
	for (unsigned round = 0; round < 60; round++) {
		u8 mcr = 3, lcr = 3;

		begin(false);
		for (unsigned i = 0; i < 1000; i++) {
			unsigned reg = (unsigned)rand_below(&seed, UART_SHARED);
			u8 value = (u8)rand_next(&seed);

			if (rand_below(&seed, 2) && shown < LINE_SIZE / 2)
				wr(reg, value);
			else
				rd(reg);
			lcr = chip.lcr;
			mcr = chip.mcr;
			assert_int_equal(rd(UART_LCR), uart.lcr);
			assert_int_equal(lcr, uart.lcr);
			assert_int_equal(mcr, uart.mcr & 0x1f);
			if (!(lcr & 0x80))
				assert_int_equal(rd(UART_IER), uart.ier & 0xf);
			if (rand_below(&seed, 100) == 0)
				type("abc" CTRL_T "def", rand_below(&seed, 8));
			if (rand_below(&seed, 20) == 0)
				run(BEAT, false);
			if (rand_below(&seed, 50) == 0 && shared_uart_hold(&uart)) {
				shared_uart_send(&uart, "x", 1);
				shared_uart_receive(&uart);
				shared_uart_release(&uart);
			}
		}
		run(100 * BEAT, false);
		while (shared_uart_receive(&uart) >= 0)
			;
		wr(UART_MCR, 3);
		run(SECOND, false);
		while (shared_uart_receive(&uart) >= 0)
			;
		{
			bool was = uart.to_monitor;

			type(CTRL_T, 1);
			run(100 * BEAT, false);
			assert_int_equal(uart.to_monitor, !was);
		}
	}
	wild = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_probe),     cmocka_unit_test(test_alone),
		cmocka_unit_test(test_switch),    cmocka_unit_test(test_hangs),
		cmocka_unit_test(test_polls),     cmocka_unit_test(test_interrupt_again),
		cmocka_unit_test(test_lines),     cmocka_unit_test(test_slow),
		cmocka_unit_test(test_room_soon), cmocka_unit_test(test_paste),
		cmocka_unit_test(test_busy),      cmocka_unit_test(test_end),
		cmocka_unit_test(test_room),      cmocka_unit_test(test_random),
		cmocka_unit_test(test_wild),      cmocka_unit_test(test_clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
