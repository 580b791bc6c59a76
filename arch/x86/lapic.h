/* SPDX-License-Identifier: MIT */
/*
 * Access to the local APIC, in xAPIC and x2APIC mode. SDM: "Advanced Programmable Interrupt
 * Controller (APIC)".
 */
#ifndef GH_LAPIC_H
#define GH_LAPIC_H

#include "bits.h"

/* Register offsets in the xAPIC page; the x2APIC MSR is LAPIC_MSR(offset). */
#define LAPIC_ID      0x020
#define LAPIC_VERSION 0x030
#define LAPIC_TPR     0x080
#define LAPIC_EOI     0x0b0
#define LAPIC_ISR     0x100 /* 8 registers, 16 bytes apart */
#define LAPIC_LDR     0x0d0
#define LAPIC_DFR     0x0e0
#define LAPIC_SVR     0x0f0
#define LAPIC_CMCI    0x2f0
#define LAPIC_ICR     0x300
#define LAPIC_ICR_HI  0x310
#define LAPIC_TIMER   0x320
#define LAPIC_THERMAL 0x330
#define LAPIC_PERF    0x340
#define LAPIC_LINT0   0x350
#define LAPIC_LINT1   0x360
#define LAPIC_ERROR   0x370
#define LAPIC_TMICT   0x380
#define LAPIC_TDCR    0x3e0

#define LAPIC_MSR(offset) (0x800u + ((offset) >> 4))

#define ICR_DELIVERY(icr)    ((u32)(icr) >> 8 & 7)
#define ICR_DELIVERY_NMI     4u
#define ICR_DELIVERY_INIT    5u
#define ICR_DELIVERY_STARTUP 6u
#define ICR_LOGICAL          BIT(11)
#define ICR_BUSY             BIT(12)
#define ICR_ASSERT           BIT(14)
#define ICR_LEVEL            BIT(15)
#define ICR_SHORTHAND(icr)   ((u32)(icr) >> 18 & 3)
#define ICR_SHORTHAND_SELF   1u
#define ICR_SHORTHAND_ALL    2u
#define ICR_SHORTHAND_OTHERS 3u

/*
 * Map the xAPIC page at physical address @pa (from the MADT or IA32_APIC_BASE). Called once, on the
 * boot CPU, also if the firmware enabled x2APIC mode, since the guest may switch back. Returns 0,
 * or -ENOMEM when there is no free page.
 */
int lapic_init(u64 pa);

/*
 * Set a bit of this CPU's IA32_APIC_BASE. APICBASE_ENABLE: switch its local APIC on, which a guest
 * has switched off: it then sends IPIs, but takes no interrupts, as after power-up. APICBASE_EXTD:
 * put it into x2APIC mode; it must be on, and the CPU must have the mode. SDM: "Enabling or
 * Disabling the Local APIC", "x2APIC State Transitions".
 */
void lapic_set_mode(u64 bit);

/* Is this CPU's local APIC switched on (IA32_APIC_BASE.EN)? The guest may change that at any time.
 */
bool lapic_is_on(void);

/* Is this CPU's local APIC in x2APIC mode now? The guest may change that at any time. */
bool lapic_is_x2apic(void);

/* This CPU's APIC ID (32 bits in x2APIC mode, else 8). */
u32 lapic_id(void);

/* Read or write a register of this CPU's local APIC. @offset: LAPIC_..., as in the xAPIC page. */
u32 lapic_read(u32 offset);
void lapic_write(u32 offset, u32 value);

/*
 * Send an interprocessor interrupt. @icr: the low half of ICR (vector, delivery mode, shorthand);
 * @dest: the APIC ID. In xAPIC mode, waits for up to 100000 reads until the APIC has accepted it.
 * SDM: "Interrupt Command Register (ICR)". Returns false, and sends nothing, when this CPU's local
 * APIC cannot: a guest has switched it off, or has left x2APIC mode and @dest has more than 8 bits.
 */
bool lapic_send_ipi(u32 icr, u32 dest);

/* Send an NMI to the CPU with APIC ID @dest. Returns as lapic_send_ipi(). */
bool lapic_send_nmi(u32 dest);

/*
 * Disable this CPU's local APIC by software (SVR), as INIT does: it then accepts only NMI, SMI,
 * INIT and SIPI. SDM: "Local APIC State After It Has Been Software Disabled".
 */
void lapic_disable(void);

/*
 * Set the registers of this CPU's local APIC to their values after INIT, as far as software can;
 * the ID and the mode are kept. SDM: "Local APIC State After It Receives an INIT-Deassert IPI".
 */
void lapic_init_reset(void);

#endif
