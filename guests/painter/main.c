/* SPDX-License-Identifier: MIT */
/*
 * Draws over the whole screen in graphics mode, of which the boot loader tells it, and says so.
 * Then it executes instructions that exit, so that a failure of Glasshouse can be provoked after
 * it.
 */
#include "guests/lib/guest.h"

#include "arch/x86/cpu.h"
#include "lib/string.h"

#define EXITS 200

void guest_main(void)
{
	const struct guest_screen *s = guest_screen();

	if (!s->base)
		bail_out("the boot loader tells of no framebuffer");
	memset((void *)(u64)s->base, 0xa5, (size_t)s->pitch * s->height);
	say("# painted %ux%u, %u bits, %u bytes per line, at %x\n", s->width, s->height, s->depth,
	    s->pitch, s->base);
	for (unsigned i = 0; i < EXITS; i++)
		cpuid(0, 0);
	ok(true, "the screen is painted over");
	plan();
}
