// SPDX-License-Identifier: MIT
/*
 * Causes exits whose number is known, whenever a byte comes on COM1, until that is 'q'; for 'd' it
 * has Glasshouse dump the recorded exits. It waits for the byte in a function that another has
 * called.
 */
#include "guests/lib/guest.h"

#include "arch/x86/cpu.h"
#include "arch/x86/io.h"
#include "arch/x86/msr.h"

#define COM1_DATA   0x3f8
#define COM1_STATUS 0x3fd
#define KBC_COMMAND 0x64
#define PULSE_NONE  0xff /* a command that does nothing */

#define CPUIDS  1000
#define RDMSRS  20
#define OUTS    10
#define VMCALLS 3

static __noinline void read_msrs(void)
{
	for (int i = 0; i < RDMSRS; i++)
		rdmsr(MSR_IA32_FEAT_CTL);
}

static __noinline void write_ports(void)
{
	for (int i = 0; i < OUTS; i++)
		outb(KBC_COMMAND, PULSE_NONE);
}

static void cause_exits(void)
{
	for (int i = 0; i < CPUIDS; i++)
		cpuid(0, 0);
	read_msrs();
	write_ports();
	for (int i = 0; i < VMCALLS; i++)
		TRY("vmcall", : : "a"(0x1234) : "r11", "memory"); /* #UD */
}

static __noinline void wait_for_status(void)
{
	while (!(inb(COM1_STATUS) & 1))
		cpu_relax();
}

static __noinline u8 wait_for_byte(void)
{
	wait_for_status();
	return inb(COM1_DATA);
}

/* At CPL 0 in 64-bit mode; until it is refused. */
static void dump_exits(void)
{
	u64 result, n = 0;

	do
		asm volatile("vmcall" : "=a"(result) : "a"(HYPERCALL_DUMP_EXITS) : "memory");
	while (!result && n++ < 100);
	say("dumps %llu, then %lld\n", (unsigned long long)n, (long long)result);
}

void guest_main(void)
{
	u8 byte;

	say("ready\n");
	while ((byte = wait_for_byte()) != 'q') {
		if (byte == 'd') {
			dump_exits();
			continue;
		}
		cause_exits();
		say("exits cpuid %u rdmsr %u out %u vmcall %u\n", CPUIDS, RDMSRS, OUTS, VMCALLS);
	}
	ok(true, "the guest ends");
	plan();
}
