/* SPDX-License-Identifier: MIT */
/*
 * ACPI tables: the input is the physical memory from E0000h on. The target corrects the checksums,
 * so that the tables are parsed.
 */
#include "tests/fuzz/fuzz.h"

#include "drivers/acpi.h"

#define BASE 0xe0000u

static u8 *memory;
static size_t memory_size;

static const void *map(u64 pa, size_t len)
{
	return pa >= BASE && len <= memory_size && pa - BASE <= memory_size - len
		       ? memory + (pa - BASE)
		       : NULL;
}

static void fix_sum(size_t at, size_t len, size_t sum_at)
{
	u8 sum = 0;

	if (len > memory_size || at > memory_size - len || sum_at >= len)
		return;
	memory[at + sum_at] = 0;
	for (size_t i = 0; i < len; i++)
		sum = (u8)(sum + memory[at + i]);
	memory[at + sum_at] = (u8)-sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"RSDT", "XSDT", "APIC", "FACP", "DSDT", "SSDT"};
	static const struct acpi_mem mem = {map};
	static struct acpi_info info;
	u32 length;
	u64 rsdp;

	memory = malloc(size + 1);
	memory_size = size;
	memcpy(memory, data, size);
	for (size_t at = 0; at + 36 <= size; at += 4)
		for (unsigned n = 0; n < ARRAY_SIZE(names); n++)
			if (!memcmp(memory + at, names[n], 4)) {
				memcpy(&length, memory + at + 4, 4);
				fix_sum(at, length, 9);
			}
	for (size_t at = 0; at + 36 <= size; at += 16)
		if (!memcmp(memory + at, "RSD PTR ", 8)) {
			fix_sum(at, 20, 8);
			fix_sum(at, 36, 32);
		}
	rsdp = acpi_find_rsdp(&mem);
	memset(&info, 0, sizeof(info));
	acpi_parse(&info, &mem, rsdp ? rsdp : BASE);
	acpi_parse_rsdp(&info, &mem, data, size);
	if (info.nr_cpus > ARRAY_SIZE(info.cpus))
		abort();
	free(memory);
	return 0;
}
