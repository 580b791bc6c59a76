// SPDX-License-Identifier: MIT
/*
 * Ports that begin to exit while the guest runs. One CPU selects a register whose accesses exit;
 * from then on the other CPU's accesses, too, reach what was selected.
 */
#include "guests/conformance/conformance.h"

#include "arch/x86/io.h"

#define SCRATCH   0x60 /* a register of the CMOS RAM that nobody uses */
#define MEMORY    0x34 /* one that holds a part of a memory size */
#define SHUTDOWN  0x0f
#define SCAN_KEYS 0xf4 /* commands for a keyboard, which answers each */
#define SET_RATE  0xf3 /* for the output port: A20 on, no reset */

static volatile bool selected;

static void write_cmos(unsigned cpu)
{
	bool last;

	(void)cpu;
	do {
		last = selected;
		outb(0x71, last ? 0x5a : 0x33);
	} while (!last);
}

static void write_keyboard(unsigned cpu)
{
	(void)cpu;
	while (!selected)
		inb(0x60);
	outb(0x60, SET_RATE);
}

static u8 cmos(u16 index_port, u8 index)
{
	outb(index_port, index);
	return inb(index_port + 1);
}

static void check_cmos_ports(unsigned other)
{
	u8 old = cmos(0x70, SCRATCH), status = cmos(0x70, 0x0d), shutdown, scratch;

	outb(0x70, SCRATCH);
	selected = false;
	ap_start_job(other, write_cmos);
	wait_ticks(10000);
	outb(0x70, SHUTDOWN);
	selected = true;
	ok(ap_wait(other), "cpu %u: writes to the CMOS RAM", other);
	shutdown = inb(0x71);
	outb(0x71, 0);
	scratch = cmos(0x70, SCRATCH);
	outb(0x71, old);
	say("# %x, %x\n", scratch, shutdown);
	ok(scratch == 0x33, "what it wrote before another register was selected");
	ok(shutdown == 0x5a, "and after");
	ok(cmos(0x70, 0x0d) == status, "and nothing anywhere else");
	ok(cmos(0x70, SHUTDOWN) == 0, "the shutdown byte can be cleared");
	old = cmos(0x70, MEMORY);
	outb(0x71, old ^ 0x55);
	ok(cmos(0x70, MEMORY) == (old ^ 0x55), "a memory size reads back as it was written");
	outb(0x71, old);
}

/* Bochs has a second bank at 72h, or nothing. */
static void check_other_banks(bool bank)
{
	u8 differs = cmos(0x70, SCRATCH + 1) ^ 0xff;

	outb(0x70, SCRATCH);
	outb(0x71, differs);
	for (u16 port = 0x72; port < 0x78; port += 2)
		outb(port, SCRATCH + 1);
	ok(inb(0x71) == differs, "the index ports from 72h on are not that of 70h");
	outb(0x72, SHUTDOWN);
	outb(0x73, 5);
	ok(cmos(0x72, SHUTDOWN) == (bank ? 5 : 0xff), "and have %s behind them",
	   bank ? "a second bank" : "nothing");
	ok(cmos(0x70, SHUTDOWN) == 0, "the shutdown byte is in the first bank");
}

static bool keyboard_answers(void)
{
	wait_ticks(1000000);
	return inb(0x64) & 1;
}

static void check_keyboard_ports(unsigned other)
{
	for (unsigned i = 0; i < 100 && keyboard_answers(); i++)
		inb(0x60);
	outb(0x60, SCAN_KEYS);
	ok(keyboard_answers(), "the keyboard answers");
	inb(0x60);
	selected = false;
	ap_start_job(other, write_keyboard);
	wait_ticks(10000);
	outb(0x64, 0xd1);
	selected = true;
	ok(ap_wait(other) && !keyboard_answers(),
	   "cpu %u: a byte for the controller's output port does not reach the keyboard", other);
}

void check_ports(unsigned other, bool bank)
{
	check_cmos_ports(other);
	check_other_banks(bank);
	check_keyboard_ports(other);
}
