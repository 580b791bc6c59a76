/* SPDX-License-Identifier: MIT */
/*
 * Delays by channel 2 of the 8254. Source: Intel 8254, "Mode 0: Interrupt on Terminal Count". Port
 * 61h: gate in bit 0, speaker in bit 1, output in bit 5.
 */
#include "drivers/pit.h"
#include "arch/x86/cpu.h"
#include "arch/x86/io.h"

#define PIT_HZ      1193182ull
#define PIT_CH2     0x42
#define PIT_COMMAND 0x43
#define CH2_MODE0   0xb0 /* channel 2, low then high byte, mode 0, binary */
#define PORT61      0x61
#define GATE        0x01
#define SPEAKER     0x02
#define OUT2        0x20
#define SLICE_US    50000u /* the 16-bit counter holds 54,924 us */
#define MAX_TSC_MHZ 8000u  /* ends the wait if the 8254 does not count */

static void delay_slice(u32 us)
{
	u64 count = MAX(us * PIT_HZ / 1000000 + 1, 2), start = rdtsc();
	u8 saved = inb(PORT61);
	bool works;

	outb(PORT61, (u8)((saved & ~SPEAKER) | GATE));
	outb(PIT_COMMAND, CH2_MODE0);
	/* The command sets the output low, and without a count it stays so. Where it is high,
	 * nothing is there, or its clock is gated: then its output says nothing. */
	works = !(inb(PORT61) & OUT2);
	outb(PIT_CH2, (u8)count);
	outb(PIT_CH2, (u8)(count >> 8));
	while (!(works && inb(PORT61) & OUT2) && rdtsc() - start < (u64)us * MAX_TSC_MHZ)
		cpu_relax();
	outb(PORT61, saved);
}

void pit_delay_us(u32 us)
{
	for (; us > SLICE_US; us -= SLICE_US)
		delay_slice(SLICE_US);
	delay_slice(us);
}
