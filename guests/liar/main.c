// SPDX-License-Identifier: MIT
/*
 * A boot loader that passes whatever boot information a test wants. Its initrd is a list of pieces
 * of memory: a kernel, boot information, modules. It copies them to their addresses and starts the
 * kernel as a multiboot 2 loader does.
 *
 * Command line, for what it leaves on in the machine:
 *   cr0=, cr4=  bits of these registers
 *   eflags=     the flags
 *   scet=       IA32_S_CET
 *   watch=      a breakpoint on writes to this physical address, as Glasshouse reaches it
 *   nmi=        an NMI after so many ticks of the 8254 (1.19 MHz), by the I/O APIC
 */
#include "guests/lib/guest.h"

#include "arch/x86/cpu.h"
#include "arch/x86/io.h"
#include "arch/x86/layout.h"
#include "arch/x86/msr.h"
#include "lib/string.h"

#define IOAPIC      0xfec00000
#define IOAPIC_NMI  0x400 /* delivery mode: to CPU 0, unmasked */
#define TIMER_PIN   2
#define PIT_MODE0   0x30 /* channel 0, low then high byte, once */
#define DR7_WRITES0 0x10402

/* The start of the initrd. Pieces, each a multiple of 8 bytes long, follow up to its end. */
struct initrd {
	u32 entry, info; /* addresses of the kernel's entry point and of the boot information */
};

struct piece {
	u32 to, size;
	u8 data[];
};

u32 liar_entry, liar_info, liar_cr0, liar_cr4, liar_eflags;

void liar_enter(void);
void legacy_call(void (*code32)(void));

static void watch(u64 physical)
{
	write_dr0(DIRECT_BASE + physical);
	asm volatile("mov %0, %%dr7" : : "r"((u64)DR7_WRITES0));
}

static void send_nmi_after(u16 ticks)
{
	volatile u32 *select = (u32 *)IOAPIC, *window = (u32 *)(IOAPIC + 0x10);

	*select = 0x11 + 2 * TIMER_PIN;
	*window = 0;
	*select = 0x10 + 2 * TIMER_PIN;
	*window = IOAPIC_NMI;
	outb(0x43, PIT_MODE0);
	outb(0x40, (u8)ticks);
	outb(0x40, (u8)(ticks >> 8));
}

static void leave_things_on(void)
{
	liar_cr0 = (u32)param_number("cr0", 0);
	liar_cr4 = (u32)param_number("cr4", 0);
	liar_eflags = (u32)param_number("eflags", 2);
	if (param("scet"))
		wrmsr(MSR_IA32_S_CET, param_number("scet", 0));
	if (param("watch"))
		watch(param_number("watch", 0));
	if (param("nmi"))
		send_nmi_after((u16)param_number("nmi", 0));
}

void guest_main(void)
{
	u32 size;
	const u8 *at = initrd(&size), *end = at + size;
	const struct initrd *head = (const void *)at;

	liar_entry = head->entry;
	liar_info = head->info;
	for (at += sizeof(*head); at < end;) {
		const struct piece *p = (const void *)at;

		memcpy((void *)(u64)p->to, p->data, p->size);
		at += sizeof(*p) + p->size;
	}
	leave_things_on();
	legacy_call(liar_enter);
}
