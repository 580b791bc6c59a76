// SPDX-License-Identifier: MIT
/*
 * Bochs' PC in ACPI's words. OVMF has no ACPI tables of its own in Bochs, whose BIOS brings them.
 * tools/image/mkacpi.py makes the other tables.
 */

DefinitionBlock ("", "DSDT", 2, "GLASSH", "BOCHSPC", 1)
{
	/* SLP_TYPa 0 is power-off in Bochs. */
	Name (\_S5, Package () { 0, 0, 0, 0 })

	Scope (\_SB)
	{
		Device (PCI0)
		{
			Name (_HID, EisaId ("PNP0A03"))
			Name (_UID, 0)
			Name (_CRS, ResourceTemplate ()
			{
				WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
					0, 0, 0xff, 0, 0x100)
				IO (Decode16, 0xcf8, 0xcf8, 1, 8)
				WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
					0, 0, 0xcf7, 0, 0xcf8)
				WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
					0, 0xd00, 0xffff, 0, 0xf300)
				DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, Cacheable,
					ReadWrite, 0, 0xa0000, 0xbffff, 0, 0x20000)
				DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable,
					ReadWrite, 0, 0xc0000000, 0xfebfffff, 0, 0x3ec00000)
			})
			/* OVMF routes PCI's lines A and B to IRQ 11, C and D to IRQ 10. */
			Name (_PRT, Package ()
			{
				Package () { 0x1ffff, 0, 0, 11 },
				Package () { 0x1ffff, 1, 0, 11 },
				Package () { 0x1ffff, 2, 0, 10 },
				Package () { 0x1ffff, 3, 0, 10 },
				Package () { 0x2ffff, 0, 0, 11 },
				Package () { 0x2ffff, 1, 0, 10 },
				Package () { 0x2ffff, 2, 0, 10 },
				Package () { 0x2ffff, 3, 0, 11 },
				Package () { 0x3ffff, 0, 0, 10 },
				Package () { 0x3ffff, 1, 0, 10 },
				Package () { 0x3ffff, 2, 0, 11 },
				Package () { 0x3ffff, 3, 0, 11 }
			})
		}
	}
}
