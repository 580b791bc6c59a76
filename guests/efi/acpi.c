/* SPDX-License-Identifier: MIT */
/*
 * Gives a PC without ACPI tables those in \acpi of the volume that this program is on, then starts
 * the program that \acpi\start.txt names: its path, then its load options. Firmware in Bochs has no
 * tables, because Bochs' own BIOS makes them. Before that, it makes the machine like some that are
 * no emulators: see load_stale_tr() and move_high().
 */
#include "guests/efi/start.h"

#define STALE_TR       0x20
#define HIGH_PAGES     4
#define RSDP_V1_LENGTH 20

/* ACPI: "Root System Description Pointer", "System Description Table Header". */
struct rsdp {
	char signature[8];
	u8 checksum;
	char oem[6];
	u8 revision;
	u32 rsdt, length;
	u64 xsdt;
	u8 extended_checksum, reserved[3];
} __packed;

struct table {
	char signature[4];
	u32 length;
	u8 revision, checksum, others[26];
	u64 tables[]; /* the XSDT's */
} __packed;

struct acpi_table_protocol;

typedef EFI_STATUS EFIAPI install_table(struct acpi_table_protocol *, void *table, UINTN size,
					UINTN *key);

/* EFI_ACPI_TABLE_PROTOCOL of the UEFI specification. */
struct acpi_table_protocol {
	install_table *install;
	void *uninstall;
};

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *st);

/* Read the file @name. NULL, after a message, if it cannot be read. */
static char *must_read(const struct door *door, EFI_FILE *root, const CHAR16 *name, u64 *size)
{
	char *bytes = efi_read_file(door, root, name, size);

	if (!bytes)
		door_print(door, "acpi: a file in \\acpi cannot be read.\n");
	return bytes;
}

static void install(const struct door *door, EFI_FILE *root, const CHAR16 *name)
{
	EFI_GUID guid = {
		0xffe06bdd, 0x6107, 0x46a6, {0x7b, 0xb2, 0x5a, 0x9c, 0x7e, 0xc5, 0x27, 0x5c}};
	struct acpi_table_protocol *acpi;
	EFI_STATUS status;
	UINTN key;
	u64 size;
	char *table;

	status = door->st->BootServices->LocateProtocol(&guid, NULL, (void **)&acpi);
	table = status ? NULL : must_read(door, root, name, &size);
	if (table)
		status = acpi->install(acpi, table, size, &key);
	if (status)
		door_print(door, "acpi: a table cannot be installed: %s.\n", efi_why(status));
	efi_free(door, table);
}

/* End @text at its first character up to @last. Returns what is behind. */
static char *cut(char *text, char last)
{
	while (*text > last)
		text++;
	if (!*text)
		return text;
	*text = 0;
	return text + 1;
}

/* Start what the line @line says, on the volume @volume. */
static EFI_STATUS start(const struct door *door, EFI_HANDLE volume, char *line)
{
	char *words = cut(line, ' ');
	EFI_STATUS status;

	cut(words, '\n');
	status = start_file(door, volume, line, words);
	door_print(door, "acpi: %s has returned (EFI status %lx).\n", line, status);
	return status;
}

/*
 * Leave TR as EDK2 of 2025 does: with the selector of a TSS in a GDT that is no longer loaded. In
 * the firmware's own GDT it is that of a code segment.
 */
static void load_stale_tr(const struct door *door)
{
	struct {
		u16 limit;
		u64 base;
	} __packed old, new;
	u64 *gdt = efi_allocate(door, PAGE_SIZE);
	u64 tss = (u64)gdt + PAGE_SIZE / 2;

	asm volatile("cli; sgdt %0" : "=m"(old));
	memset(gdt, 0, PAGE_SIZE);
	memcpy(gdt, (const void *)old.base, old.limit + 1);
	gdt[STALE_TR / 8] =
		0x67 | (tss & 0xffffff) << 16 | 0x89ull << 40 | (tss >> 24 & 0xff) << 56;
	gdt[STALE_TR / 8 + 1] = tss >> 32;
	new.limit = old.limit;
	new.base = (u64)gdt;
	asm volatile("lgdt %0; ltr %w2; lgdt %1; sti" : : "m"(new), "m"(old), "r"(STALE_TR));
}

static struct rsdp *find_rsdp(const EFI_SYSTEM_TABLE *st)
{
	static const EFI_GUID acpi2 = ACPI_20_TABLE_GUID;

	for (UINTN i = 0; i < st->NumberOfTableEntries; i++)
		if (!memcmp(&st->ConfigurationTable[i].VendorGuid, &acpi2, sizeof(acpi2)))
			return st->ConfigurationTable[i].VendorTable;
	return NULL;
}

/* Make the sum of @size bytes 0, by that at @checksum. */
static void set_checksum(void *bytes, size_t size, u8 *checksum)
{
	u8 sum = 0;

	*checksum = 0;
	for (size_t i = 0; i < size; i++)
		sum = (u8)(sum + ((u8 *)bytes)[i]);
	*checksum = (u8)-sum;
}

/* Where RAM is above 4 GiB, move XSDT and MADT there. */
static void move_high(const struct door *door)
{
	struct rsdp *rsdp = find_rsdp(door->st);
	const struct table *old = rsdp ? (const void *)rsdp->xsdt : NULL;
	EFI_PHYSICAL_ADDRESS at = GIB(4);
	struct table *new;

	if (!old || door->st->BootServices->AllocatePages(AllocateAddress, EfiACPIReclaimMemory,
							  HIGH_PAGES, &at))
		return;
	new = (void *)at;
	memcpy(new, old, old->length);
	for (u32 i = 0; i < (new->length - sizeof(*new)) / sizeof(u64); i++) {
		const struct table *table = (const void *)new->tables[i];

		if (!memcmp(table->signature, "APIC", 4))
			new->tables[i] = (u64)memcpy((u8 *)at + PAGE_SIZE, table, table->length);
	}
	set_checksum(new, new->length, &new->checksum);
	rsdp->rsdt = 0;
	rsdp->xsdt = at;
	set_checksum(rsdp, RSDP_V1_LENGTH, &rsdp->checksum);
	set_checksum(rsdp, rsdp->length, &rsdp->extended_checksum);
	door_print(door, "acpi: the XSDT is at %lx now.\n", at);
}

EFI_STATUS efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *st)
{
	struct door door = {.image = image, .st = st};
	EFI_LOADED_IMAGE *own =
		efi_protocol(&door, image, (EFI_GUID)EFI_LOADED_IMAGE_PROTOCOL_GUID);
	EFI_FILE *root = efi_volume(&door, own->DeviceHandle);
	char *line;
	u64 size;

	load_stale_tr(&door);
	if (!find_rsdp(st)) {
		install(&door, root, L"\\acpi\\facp.aml");
		install(&door, root, L"\\acpi\\apic.aml");
		install(&door, root, L"\\acpi\\hpet.aml");
		install(&door, root, L"\\acpi\\dsdt.aml");
	}
	move_high(&door);
	line = must_read(&door, root, L"\\acpi\\start.txt", &size);
	return line ? start(&door, own->DeviceHandle, line) : EFI_NOT_FOUND;
}
