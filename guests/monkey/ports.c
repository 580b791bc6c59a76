// SPDX-License-Identifier: MIT
/*
 * Which values may be written to which ports. Ports without a rule may get any value. The rules
 * keep the guest from losing the machine or its way to report, which would happen without
 * Glasshouse, too.
 */
#include "guests/monkey/monkey.h"

#define NEVER 0x100 /* in set: do not write at all */

/* In a byte written to these ports, the bits in clear are 0, those in set are 1. */
static const struct rule {
	u16 first, last, clear, set;
	const char *why;
} rules[] = {
	{0x0009, 0x0009, 0x04, 0, "DMA 1: no software request"},
	{0x000b, 0x000b, 0x0c, 0, "DMA 1: verify transfers only, which write no memory"},
	{0x00d2, 0x00d2, 0x04, 0, "DMA 2, the same"},
	{0x00d6, 0x00d6, 0x0c, 0, "DMA 2, the same"},
	{0x0060, 0x0060, 0x02, 0, "the keyboard: Bochs exits on FEh"},
	{0x0064, 0x0064, 0x50, 0, "the keyboard controller: no reset, output port, A20"},
	{0x0092, 0x0092, 0x01, 2,
	 "reset, and A20, which VMX blocks on hardware and Bochs does not"},
	{0x00e9, 0x00e9, 0xff, '\n', "Bochs' debugging console: Glasshouse's log goes there"},
	{0x0170, 0x0170, 0, NEVER, "disk data without a command: Bochs exits"},
	{0x01f0, 0x01f0, 0, NEVER, "the same"},
	{0x0377, 0x0377, 0, NEVER, "the disks' address register is read-only: Bochs exits"},
	{0x03f2, 0x03f2, 0, 4, "the floppy: no reset, which lasts too long"},
	{0x03f4, 0x03f4, 0x80, 0, "the same"},
	{0x03f5, 0x03f5, 0xff, 8, "the floppy's commands: Bochs exits on a partial one"},
	{0x03f7, 0x03f7, 0, NEVER, "the same"},
	{0x03f8, 0x03ff, 0, NEVER, "COM1: the guest reports there"},
	{0x0400, 0x0401, 0, NEVER, "Bochs' BIOS reports a panic there, which ends Bochs"},
	{0x0501, 0x0502, 0, NEVER, "its VGA BIOS, the same"},
	{0x0cf9, 0x0cf9, 0x04, 0, "reset"},
	{0x8900, 0x8900, 0xff, 0, "Bochs' shutdown port"},
	{0xb005, 0xb005, 0x20, 0, "PM1 control: sleep and power-off"},
	{0xc000, 0xc000, 0x01, 0, "IDE, first channel: no start of DMA"},
	{0xc008, 0xc008, 0x01, 0, "IDE, second channel, the same"},
	{0xc020, 0xc020, 0x21, 0,
	 "USB: no start, which would read and write memory; no debug mode, which ends Bochs"},
};

static const struct rule *rule(u64 port)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rules); i++)
		if (port >= rules[i].first && port <= rules[i].last)
			return &rules[i];
	return NULL;
}

const char *port_rule(u64 port)
{
	const struct rule *r = rule(port);

	return r && port == r->first ? r->why : NULL;
}

int port_value(u64 port, u8 value)
{
	const struct rule *r = rule(port);

	if (!r)
		return value;
	return r->set & NEVER ? -1 : (value & ~r->clear) | r->set;
}

bool has_rule(u64 port)
{
	bool has = false;

	for (u64 i = 0; i < 4; i++)
		has |= rule(port + i) != NULL;
	return has;
}

bool may_write_port(u64 port)
{
	/* Devices, and Glasshouse's console. Only the sweep writes to them: sooner or later, random
	 * writes of several CPUs would find a sequence that ends the emulator. */
	static const struct {
		u16 first, last;
	} devices[] = {
		{0x00, 0x3f},   {0x60, 0x60},   {0x70, 0x77},     {0x80, 0xdf},
		{0x170, 0x177}, {0x1ce, 0x1d1}, {0x1f0, 0x1f7},   {0x2f8, 0x2ff},
		{0x370, 0x377}, {0x3b0, 0x3df}, {0x3e8, 0x403},   {0x4d0, 0x4d1},
		{0x500, 0x503}, {0xcf8, 0xcff}, {0xb000, 0xb13f}, {0xc000, 0xc0ff},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(devices); i++)
		if (port + 3 >= devices[i].first && port <= devices[i].last)
			return false;
	return !has_rule(port);
}
