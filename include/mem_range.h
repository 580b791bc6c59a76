/* SPDX-License-Identifier: MIT */
/*
 * A range of physical memory and its type. The types have the values of the E820 map; those up to 5
 * are multiboot 2's, too, and any other is reserved there.
 */
#ifndef GH_MEM_RANGE_H
#define GH_MEM_RANGE_H

#include "types.h"

enum mem_type {
	MEM_RAM = 1,      /* usable by the operating system */
	MEM_RESERVED = 2, /* not RAM, or not usable */
	MEM_ACPI = 3,     /* ACPI tables; usable after the OS has read them */
	MEM_NVS = 4,      /* the firmware's; must be preserved across sleep */
	MEM_BAD = 5,      /* defective RAM */
	MEM_PMEM = 7,     /* persistent memory; not for general use */
};

/* The type of a range that firmware calls @type: all that we do not know counts as reserved. ACPI:
 * "Address Range Types". */
static inline u32 mem_known_type(u32 type)
{
	return (type >= MEM_RAM && type <= MEM_BAD) || type == MEM_PMEM ? type : MEM_RESERVED;
}

struct mem_range {
	u64 base, size; /* bytes */
	u32 type;       /* enum mem_type */
};

/* The end of physical addresses, 52 bits. SDM: "4-Level Paging and 5-Level Paging". */
#define MEM_LIMIT (1ull << 52)

/* True if a range of @type, an enum mem_type, is memory that can be read and written. */
static inline bool mem_holds_bytes(u32 type)
{
	return type == MEM_RAM || type == MEM_ACPI || type == MEM_NVS || type == MEM_PMEM;
}

/* The name of an enum mem_type, "RAM" for example; "reserved" for an unknown type. */
static inline const char *mem_type_name(u32 type)
{
	switch (type) {
	case MEM_RAM:
		return "RAM";
	case MEM_ACPI:
		return "ACPI tables";
	case MEM_NVS:
		return "ACPI NVS";
	case MEM_BAD:
		return "bad RAM";
	case MEM_PMEM:
		return "persistent memory";
	default:
		return "reserved";
	}
}

#endif
