/* SPDX-License-Identifier: MIT */
/*
 * Boot the system that is installed on a drive, as the firmware does. Sources: "BIOS Boot
 * Specification"; "El Torito Bootable CD-ROM Format Specification".
 */
#include "drivers/console.h"
#include "errno.h"
#include "lib/log.h"
#include "lib/string.h"
#include "vmm/vm0/bios.h"
#include "vmm/load/loader.h"
#include "vmm/x86/start.h"
#include "vmm/memslot.h"

#define BOOT_ADDRESS   0x7c00u
#define SECTOR_SIZE    512u
#define BOOT_SIGNATURE 0xaa55
#define NR_HARD_DISKS  0x475 /* BIOS data area */
#define READ_TRIES     3

#define VIDEO         0x10
#define SET_TEXT_MODE 0x0003 /* 80 by 25 */
#define DISK          0x13
#define DISK_RESET    0x0000
#define DISK_READ_ONE 0x0201
#define DISK_READ_EXT 0x4200

#define CD_SECTOR      2048u
#define CD_BOOT_RECORD 17
#define CD_NO_EMUL     0
#define CD_BOOTABLE    0x88
#define CD_SEGMENT     0x7c0 /* the meaning of a load segment of 0 */
#define CD_BUFFER      BOOT_ADDRESS

/* "Boot Record Volume Descriptor". */
struct cd_boot_record {
	u8 type; /* 0 */
	char id[5], version;
	char system[32];
	u8 unused[32];
	u32 catalog; /* sector */
} __packed;

/* "Booting Catalog": its first two entries. */
struct cd_catalog {
	struct {
		u8 header, platform;
		u8 words[28]; /* the sum of all words of this entry is 0 */
		u16 key;
	} __packed validation;
	struct {
		u8 indicator, media;
		u16 segment;
		u8 system, unused;
		u16 sectors; /* of 512 bytes */
		u32 start;   /* sector of 2048 bytes */
	} __packed initial;
} __packed;

/* "Disk Address Packet". It is put at 500h, which is unused until an operating system runs. */
struct disk_address_packet {
	u8 size, reserved;
	u16 sectors, offset, segment;
	u64 start;
} __packed;
#define PACKET_ADDRESS 0x500

static int no_signature(unsigned drive)
{
	pr_err("The first sector of drive %xh (hd%u) is no boot sector: it does not end with 55h "
	       "AAh. No system that a BIOS can start is installed there. Choose another drive with "
	       "boot=.\n",
	       drive, drive - 0x80);
	return -ENOEXEC;
}

static int unreadable(struct vm *vm, unsigned drive, unsigned status)
{
	u8 disks = 0;

	read_guest(vm, NR_HARD_DISKS, &disks, 1);
	pr_err("The boot sector of drive %xh (hd%u) cannot be read: the BIOS reports error %02xh. "
	       "It knows %u hard disk%s; hd0 is the one that it boots from. Choose another with "
	       "boot=.\n",
	       drive, drive - 0x80, status, disks, disks == 1 ? "" : "s");
	return -EIO;
}

static int read_boot_sector(struct vcpu *vcpu, unsigned drive)
{
	struct bios_regs regs;
	unsigned status = 0;
	u16 signature = 0;
	int r;

	for (int i = 0; i < READ_TRIES; i++) {
		/* Cylinder 0, head 0, sector 1. */
		regs = (struct bios_regs){
			.eax = DISK_READ_ONE, .ebx = BOOT_ADDRESS, .ecx = 1, .edx = drive};
		r = bios_call(vcpu, DISK, &regs);
		if (r)
			return r;
		if (!regs.carry) {
			read_guest(vcpu->vm, BOOT_ADDRESS + SECTOR_SIZE - 2, &signature, 2);
			return signature == BOOT_SIGNATURE ? 0 : no_signature(drive);
		}
		status = regs.eax >> 8 & 0xff;
		regs = (struct bios_regs){.eax = DISK_RESET, .edx = drive};
		r = bios_call(vcpu, DISK, &regs);
		if (r)
			return r;
	}
	return unreadable(vcpu->vm, drive, status);
}

/* Read one sector of a CD to @address. Returns 0, 1 if the BIOS fails, or a negative error. */
static int read_cd(struct vcpu *vcpu, unsigned drive, u32 sector, u32 address)
{
	struct disk_address_packet packet = {
		.size = sizeof(packet),
		.sectors = 1,
		.offset = (u16)(address & 0xf),
		.segment = (u16)(address >> 4),
		.start = sector,
	};
	struct bios_regs regs = {.eax = DISK_READ_EXT, .edx = drive, .esi = PACKET_ADDRESS};
	int r = write_guest(vcpu->vm, PACKET_ADDRESS, &packet, sizeof(packet));

	if (!r)
		r = bios_call(vcpu, DISK, &regs);
	return r ? r : regs.carry;
}

/* Returns the boot catalog's sector of the CD in @drive, 0 if there is none, or a negative error.
 */
static s64 find_catalog(struct vcpu *vcpu, unsigned drive)
{
	struct cd_boot_record record;
	int r;

	memset(&record, 0, sizeof(record));
	write_guest(vcpu->vm, CD_BUFFER, &record, sizeof(record));
	r = read_cd(vcpu, drive, CD_BOOT_RECORD, CD_BUFFER);
	if (r)
		return MIN(r, 0);
	read_guest(vcpu->vm, CD_BUFFER, &record, sizeof(record));
	if (record.type || memcmp(record.id, "CD001", 5) != 0 ||
	    memcmp(record.system, "EL TORITO SPECIFICATION", 23) != 0)
		return 0;
	return record.catalog;
}

/*
 * Find the first bootable CD, and its drive number in *@drive. The numbers of CD drives depend on
 * the firmware; most start at E0h.
 */
static s64 find_cd(struct vcpu *vcpu, unsigned *drive)
{
	for (unsigned i = 0; i < 0x80; i++) {
		s64 catalog;

		*drive = 0x80 | ((i + 0x60) & 0x7f);
		catalog = find_catalog(vcpu, *drive);
		if (catalog)
			return catalog;
	}
	pr_err("There is no CD to boot from: no drive that the BIOS knows has a CD with an El "
	       "Torito boot record. Many BIOSes know a CD drive only after they have booted from "
	       "it. Choose a hard disk with boot=.\n");
	return -ENOENT;
}

static int bad_catalog(const struct cd_catalog *c, const char *why)
{
	pr_err("The CD's boot catalog cannot be used: %s (header %02x, key %04x, indicator %02x, "
	       "media %02x, segment %04x, %u sectors). Only a CD that boots without emulation can "
	       "be started, as nearly all since 2000 do. Use another CD.\n",
	       why, c->validation.header, c->validation.key, c->initial.indicator, c->initial.media,
	       c->initial.segment, c->initial.sectors);
	return -ENOEXEC;
}

static int check_catalog(struct vm *vm, const struct cd_catalog *c, u32 address)
{
	const u8 *bytes = (const u8 *)&c->validation;
	u64 size = ALIGN_UP((u64)c->initial.sectors * SECTOR_SIZE, CD_SECTOR);
	u16 sum = 0;

	for (unsigned i = 0; i < sizeof(c->validation); i += 2)
		sum = (u16)(sum + bytes[i] + (bytes[i + 1] << 8));
	if (c->validation.header != 1 || c->validation.key != BOOT_SIGNATURE || sum)
		return bad_catalog(c, "its validation entry is damaged");
	if (c->initial.indicator != CD_BOOTABLE)
		return bad_catalog(c, "its default entry is not bootable");
	if ((c->initial.media & 0xf) != CD_NO_EMUL)
		return bad_catalog(c, "its default entry emulates a disk");
	if (!c->initial.sectors || address < BOOT_ADDRESS || address + size > bios_memory_end(vm))
		return bad_catalog(c, "its image does not fit into conventional memory");
	return 0;
}

/* Load the boot image of the first bootable CD. Returns its drive number and load segment too. */
static int read_cd_image(struct vcpu *vcpu, unsigned *drive, u16 *segment)
{
	struct cd_catalog catalog;
	s64 at = find_cd(vcpu, drive);
	int r = at < 0 ? (int)at : read_cd(vcpu, *drive, (u32)at, CD_BUFFER);
	u32 address;

	if (r < 0)
		return r;
	read_guest(vcpu->vm, CD_BUFFER, &catalog, sizeof(catalog));
	*segment = catalog.initial.segment ? catalog.initial.segment : CD_SEGMENT;
	address = (u32)*segment << 4;
	r = r ? bad_catalog(&catalog, "it cannot be read")
	      : check_catalog(vcpu->vm, &catalog, address);
	for (u32 n = 0; !r && n * CD_SECTOR < catalog.initial.sectors * SECTOR_SIZE; n++)
		r = read_cd(vcpu, *drive, catalog.initial.start + n, address + n * CD_SECTOR);
	return r > 0 ? bad_catalog(&catalog, "its image cannot be read") : r;
}

int load_drive(struct vm *vm, struct vcpu *vcpu, unsigned drive)
{
	struct bios_regs text = {.eax = SET_TEXT_MODE};
	u16 segment = CD_SEGMENT;
	int r = bios_init(vm);

	if (!r)
		r = drive == DRIVE_CD ? read_cd_image(vcpu, &drive, &segment)
				      : read_boot_sector(vcpu, drive);
	if (r)
		return r;
	pr_info("Starting the boot sector of drive %xh at %x. From here on the screen belongs to "
		"the guest.\n",
		drive, segment << 4);
	/* Restore the firmware's text mode, so that screen and cursor match the BIOS data. */
	console_select(CONSOLE_ALL & ~CONSOLE_SCREEN);
	r = bios_call(vcpu, VIDEO, &text);
	if (r)
		return r;
	if (segment == CD_SEGMENT)
		start_real_mode(vcpu, 0, BOOT_ADDRESS);
	else
		start_real_mode(vcpu, segment, 0);
	vcpu->regs[VCPU_RDX] = drive;
	start_enable_interrupts(vcpu);
	return 0;
}
