/* SPDX-License-Identifier: MIT */
/*
 * A range of physical memory and what it is good for. The types' values are those of the E820 map
 * and of multiboot 2 alike.
 */
#ifndef GH_MEM_RANGE_H
#define GH_MEM_RANGE_H

#include "types.h"

enum mem_type {
	MEM_RAM = 1,      /* free for the operating system */
	MEM_RESERVED = 2, /* not memory, or not to be touched */
	MEM_ACPI = 3,     /* ACPI tables; RAM once they have been read */
	MEM_NVS = 4,      /* the firmware's; to be kept across sleep */
	MEM_BAD = 5,      /* broken RAM */
};

struct mem_range {
	u64 base, size; /* bytes */
	u32 type;       /* enum mem_type */
};

/* No physical address of this architecture is as high as this. */
#define MEM_LIMIT (1ull << 52)

/* Does a range of that type hold bytes that can be read and written? */
static inline bool mem_holds_bytes(u32 type)
{
	return type == MEM_RAM || type == MEM_ACPI || type == MEM_NVS;
}

/* The word for a type: "RAM", "reserved", ... */
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
	default:
		return "reserved";
	}
}

#endif
