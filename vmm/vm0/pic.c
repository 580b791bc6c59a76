/* SPDX-License-Identifier: MIT */
/*
 * An 8259 with an interrupt in service that it does not know of. See pic.h.
 *
 * Handlers end in the order opposite to that in which they began. So an end of interrupt that names
 * no input is for the chip while an interrupt is in service that came later than Glasshouse's.
 * Hence the chip's modes do not matter: whether the guest has rotated the priorities, or masks what
 * is in service (special mask mode), or ends what is in the slave before it asks whether to end the
 * master's (special fully nested mode). If interrupts end by themselves (automatic end of
 * interrupt), nothing is in service, and an end that the guest writes has no effect.
 */
#include "vmm/vm0/pic.h"
#include "bits.h"

/* Commands: ICW1, OCW3, else OCW2. */
#define ICW1        BIT(4)
#define OCW3        BIT(3)
#define OCW3_READ   BIT(1) /* bit 0 chooses: ISR or IRR */
#define OCW3_ISR    BIT(0)
#define OCW3_POLL   BIT(2)
#define OCW2_EOI    BIT(5)
#define OCW2_INPUT  BIT(6) /* of the input in bits 2:0 */
#define OCW2_ROTATE BIT(7) /* and that input gets the lowest priority */
#define OCW2_NUMBER 0x07u

void pic_deliver(struct pic *pic, u8 isr)
{
	pic->serving = true;
	pic->older = isr;
}

static void choose_read(struct pic *pic, u8 command)
{
	if (command & OCW3_READ)
		pic->reads_isr = command & OCW3_ISR;
	pic->polls = command & OCW3_POLL;
}

/* Does the end of interrupt @command end the one that the chip does not know of? */
static bool ends(struct pic *pic, u8 command, u8 isr)
{
	u8 number = command & OCW2_NUMBER, newer;

	pic->older &= isr;
	newer = isr & (u8)~pic->older;
	if (!(command & OCW2_INPUT))
		return !newer;
	if (number == pic->input)
		return !(newer & BIT(number));
	pic->older &= (u8)~BIT(number);
	return false;
}

bool pic_command(struct pic *pic, u8 *command, u8 (*read_isr)(const struct pic *pic))
{
	if (*command & ICW1) {
		pic->serving = pic->reads_isr = pic->polls = false;
		return true;
	}
	if (*command & OCW3) {
		choose_read(pic, *command);
		return true;
	}
	if (!pic->serving || !(*command & OCW2_EOI) || !ends(pic, *command, read_isr(pic)))
		return true;
	pic->serving = false;
	if (!(*command & OCW2_ROTATE))
		return false;
	*command = (u8)(OCW2_ROTATE | OCW2_INPUT | pic->input);
	return true;
}

u8 pic_read(struct pic *pic, u8 byte, bool requested)
{
	bool polled = pic->polls;

	pic->polls = false;
	if (!polled && (pic->reads_isr ? pic->serving : requested))
		byte |= (u8)BIT(pic->input);
	return byte;
}
