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

#define ICW1          BIT(4)
#define OCW3          BIT(3)
#define OCW3_READ_IRR 0x0a
#define OCW3_READ_ISR 0x0b

static bool is_active(const struct ferr *ferr)
{
	return ferr->raised || ferr->master.serving || ferr->slave.serving;
}

/* The ports beside the slave's command port exit only during its initialisation, and from an error
 * on until the guest has acknowledged it. */
static void watch(struct vcpu *vcpu, const struct ferr *ferr)
{
	virt->use_rare_intercepts(vcpu, ferr->awaits_base || is_active(ferr));
}

static u8 read_isr(const struct pic *pic)
{
	u8 isr;

	outb(pic->port, OCW3_READ_ISR);
	isr = inb(pic->port);
	if (!pic->reads_isr)
		outb(pic->port, OCW3_READ_IRR);
	return isr;
}

static struct pic *find_pic(struct ferr *ferr, u16 port)
{
	return port == SLAVE ? &ferr->slave : &ferr->master;
}

/* A command to one of the two. ICW1 begins the initialisation. */
static bool command_written(struct vcpu *vcpu, u16 port, u8 *byte)
{
	struct ferr *ferr = &to_vm0(vcpu->vm)->ferr;
	bool passes;

	spin_lock(&ferr->lock);
	/* The master's port does not exit now. Guests choose for both what they read. */
	if (port == SLAVE && *byte & (ICW1 | OCW3) && !is_active(ferr))
		pic_command(&ferr->master, &(u8){*byte}, read_isr);
	passes = pic_command(find_pic(ferr, port), byte, read_isr);
	if (port == SLAVE && *byte & ICW1) {
		ferr->awaits_base = true;
		ferr->pending = false;
	}
	watch(vcpu, ferr);
	spin_unlock(&ferr->lock);
	return passes;
}

static bool master_command(struct vcpu *vcpu, const struct pio_access *io, u32 value, u8 *byte)
{
	(void)io;
	(void)value;
	return command_written(vcpu, MASTER, byte);
}

static bool slave_command(struct vcpu *vcpu, const struct pio_access *io, u32 value, u8 *byte)
{
	(void)io;
	(void)value;
	return command_written(vcpu, SLAVE, byte);
}

static bool slave_masks(void)
{
	return inb(SLAVE + PIC_DATA) & BIT(SLAVE_INPUT);
}

/* What is requested or in service, see pic_read(). The slave's output requests the master's input.
 */
static u8 command_read(struct vcpu *vcpu, u16 port)
{
	struct ferr *ferr = &to_vm0(vcpu->vm)->ferr;
	bool requested;
	u8 byte;

	spin_lock(&ferr->lock);
	byte = pio_in(vcpu, port);
	requested = ferr->pending && (port == SLAVE || !slave_masks());
	byte = pic_read(find_pic(ferr, port), byte, requested);
	spin_unlock(&ferr->lock);
	return byte;
}

/* The first word after ICW1, ICW2. The next ones do not matter (see pic.c), and would be more
 * exits.
 */
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
	if (slave_masks() || inb(MASTER + PIC_DATA) & BIT(MASTER_INPUT))
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
		pic_deliver(&ferr->slave, read_isr(&ferr->slave));
		pic_deliver(&ferr->master, read_isr(&ferr->master));
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
		{.port = SLAVE, .written = slave_command, .read = command_read},
		{.port = SLAVE + PIC_DATA, .written = slave_data, .rare = true},
		{.port = MASTER, .written = master_command, .read = command_read, .rare = true},
		{.port = BUSY, .written = busy_written, .rare = true},
	};
	int r = 0;

	vm0->ferr.master = (struct pic){.port = MASTER, .input = MASTER_INPUT};
	vm0->ferr.slave = (struct pic){.port = SLAVE, .input = SLAVE_INPUT};
	vm0->ferr.base = BIOS_BASE;
	for (unsigned i = 0; !r && i < ARRAY_SIZE(watches); i++)
		r = watch_port(vm0, &watches[i]);
	return r;
}
