/* SPDX-License-Identifier: MIT */
/*
 * An 8259 with an interrupt in service that it does not know of: Glasshouse has delivered it (see
 * ferr.h). The guest's ends of interrupt are for the chip, except one. Pure. Source: Intel 8259A
 * data sheet, "Programming the 8259A".
 */
#ifndef GH_VMM_VM0_PIC_H
#define GH_VMM_VM0_PIC_H

#include "types.h"

struct pic {
	u16 port; /* of commands */
	u8 input; /* of the interrupt */
	bool serving;
	u8 older;       /* inputs in service that were in service already when it was delivered */
	bool reads_isr; /* what the guest reads from the port: what is in service, or requests */
	bool polls;     /* the next read is a poll, and then it is as before */
};

/* The interrupt is delivered to the guest while the inputs @isr are in service. */
void pic_deliver(struct pic *pic, u8 isr);

/*
 * The guest writes *@command to the port. Returns true to write *@command, which it may have
 * changed, to the chip; false to write nothing: it ended the interrupt. @read_isr returns the
 * inputs that are in service, and leaves the chip so that the guest reads what it has chosen.
 */
bool pic_command(struct pic *pic, u8 *command, u8 (*read_isr)(const struct pic *pic));

/* The guest reads @byte from the port. @requested: the interrupt waits to be delivered. Returns
 * what it would read from a chip that knows the interrupt. */
u8 pic_read(struct pic *pic, u8 byte, bool requested);

#endif
