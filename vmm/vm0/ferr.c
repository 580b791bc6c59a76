/* SPDX-License-Identifier: MIT */
/*
 * IRQ 13 for x87 errors. See ferr.h. Source for the 8259: Intel 8259A data sheet, "Programming the
 * 8259A".
 */
#include "vmm/vm0/ferr.h"
#include "arch/x86/cpu.h"
#include "arch/x86/io.h"
#include "lib/log.h"
#include "vmm/event.h"
#include "vmm/virt_ops.h"
#include "vmm/vm0/ports.h"

#define MASTER       0x20
#define SLAVE        0xa0
#define PIC_DATA     1 /* the second port of each: masks, and initialisation */
#define BUSY         0xf0
#define MASTER_INPUT 2 /* of the slave */
#define SLAVE_INPUT  5 /* of IRQ 13 */
#define BIOS_BASE    0x70

/* Commands: ICW1, OCW3; or OCW2, of which bit 5 is the end of interrupt. */
#define ICW1          BIT(4)
#define OCW2_EOI      BIT(5)
#define OCW2_SPECIFIC BIT(6)
#define OCW2_KIND     (ICW1 | BIT(3) | OCW2_EOI)
#define OCW3_READ_IRR 0x0a
#define OCW3_READ_ISR 0x0b

/* The ports beside the slave's command port exit only during its initialisation, and from an error
 * on until the guest has acknowledged it. */
static void watch(struct vcpu *vcpu, const struct ferr *ferr)
{
	virt->use_rare_intercepts(vcpu, ferr->awaits_base || ferr->raised || ferr->in_service);
}

static u8 in_service(u16 pic)
{
	u8 isr;

	outb(pic, OCW3_READ_ISR);
	isr = inb(pic);
	outb(pic, OCW3_READ_IRR);
	return isr;
}

/* Is @command the end of the interrupt at @input of @pic that Glasshouse has delivered? The 8259
 * takes one that names no input for the one of the highest priority. */
static bool ends_interrupt(const struct ferr *ferr, u16 pic, unsigned input, u8 command)
{
	if (!(ferr->in_service & BIT(pic == SLAVE)) || (command & OCW2_KIND) != OCW2_EOI)
		return false;
	if (command & OCW2_SPECIFIC)
		return (command & 7) == input;
	return !(in_service(pic) & (BIT(input) - 1));
}

/* A command to one of the two: an end of interrupt, or ICW1, which begins the initialisation. */
static bool command(struct vcpu *vcpu, u16 pic, u8 byte)
{
	struct ferr *ferr = &to_vm0(vcpu->vm)->ferr;
	bool slave = pic == SLAVE, ends;

	spin_lock(&ferr->lock);
	ends = ends_interrupt(ferr, pic, slave ? SLAVE_INPUT : MASTER_INPUT, byte);
	if (ends || byte & ICW1)
		ferr->in_service &= (u8)~BIT(slave);
	if (slave && byte & ICW1) {
		ferr->awaits_base = true;
		ferr->pending = false;
	}
	watch(vcpu, ferr);
	spin_unlock(&ferr->lock);
	return !ends;
}

static bool master_command(struct vcpu *vcpu, const struct pio_access *io, u32 value, u8 *byte)
{
	(void)io;
	(void)value;
	return command(vcpu, MASTER, *byte);
}

static bool slave_command(struct vcpu *vcpu, const struct pio_access *io, u32 value, u8 *byte)
{
	(void)io;
	(void)value;
	return command(vcpu, SLAVE, *byte);
}

/* The first word after ICW1, ICW2. The next ones do not matter, and would be more exits: if the
 * guest chooses that interrupts end by themselves, the end of IRQ 13 is awaited in vain. */
static bool slave_data(struct vcpu *vcpu, const struct pio_access *io, u32 value, u8 *byte)
{
	struct ferr *ferr = &to_vm0(vcpu->vm)->ferr;

	(void)io;
	(void)value;
	spin_lock(&ferr->lock);
	if (ferr->awaits_base)
		ferr->base = *byte & 0xf8;
	ferr->awaits_base = false;
	watch(vcpu, ferr);
	spin_unlock(&ferr->lock);
	return true;
}

static bool busy_written(struct vcpu *vcpu, const struct pio_access *io, u32 value, u8 *byte)
{
	struct ferr *ferr = &to_vm0(vcpu->vm)->ferr;

	(void)io;
	(void)value;
	(void)byte;
	spin_lock(&ferr->lock);
	if (ferr->raised)
		virt->ignore_fpu_error(vcpu);
	ferr->raised = ferr->pending = false;
	watch(vcpu, ferr);
	spin_unlock(&ferr->lock);
	return true;
}

/* What keeps the interrupt from the guest, or NULL. An interrupt in service does not: without
 * Glasshouse, a guest with an x87 error in its handler would wait for ever. */
static const char *kept_by(struct vcpu *vcpu, const struct ferr *ferr)
{
	if (!ferr->pending)
		return "the guest has not acknowledged the last one at port F0h";
	if (!(virt->get_sysreg(vcpu, SYSREG_RFLAGS) & RFLAGS_IF))
		return "interrupts are off (IF is 0)";
	if (ferr->awaits_base)
		return "an interrupt controller is being initialised";
	if (inb(SLAVE + PIC_DATA) & BIT(SLAVE_INPUT) || inb(MASTER + PIC_DATA) & BIT(MASTER_INPUT))
		return "an interrupt controller masks it";
	return NULL;
}

void ferr_assert(struct vcpu *vcpu)
{
	struct ferr *ferr = &to_vm0(vcpu->vm)->ferr;
	const char *why;

	spin_lock(&ferr->lock);
	if (!ferr->raised) {
		ferr->raised = ferr->pending = true;
		ferr->told = false;
	}
	watch(vcpu, ferr); /* also if another CPU has raised it: this one may acknowledge it */
	why = kept_by(vcpu, ferr);
	if (!why) {
		ferr->pending = false;
		ferr->in_service = BIT(0) | BIT(1);
		queue_interrupt(vcpu, (u8)(ferr->base + SLAVE_INPUT));
	} else if (!ferr->told) {
		ferr->told = true;
		pr_warn_ratelimited(
			"vCPU %u: x87 error with CR0.NE = 0 at RIP %lx: the CPU waits for "
			"IRQ 13, as without Glasshouse: %s",
			vcpu->id, virt->get_sysreg(vcpu, SYSREG_RIP), why);
	}
	spin_unlock(&ferr->lock);
}

int ferr_init(struct vm0 *vm0)
{
	static const struct port_watch watches[] = {
		{.port = SLAVE, .written = slave_command},
		{.port = SLAVE + PIC_DATA, .written = slave_data, .rare = true},
		{.port = MASTER, .written = master_command, .rare = true},
		{.port = BUSY, .written = busy_written, .rare = true},
	};
	int r = 0;

	vm0->ferr.base = BIOS_BASE;
	for (unsigned i = 0; !r && i < ARRAY_SIZE(watches); i++)
		r = watch_port(vm0, &watches[i]);
	return r;
}
