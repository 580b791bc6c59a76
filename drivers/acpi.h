/* SPDX-License-Identifier: MIT */
/*
 * The ACPI tables, as far as a hypervisor needs them: CPUs, and how the machine is reset and
 * switched off. Source: ACPI Specification, "ACPI Software Programming Model".
 */
#ifndef GH_ACPI_H
#define GH_ACPI_H

#include "bits.h"

#define ACPI_CPUS 256

/* How the tables are reached. */
struct acpi_mem {
	/*
	 * @len bytes of physical memory at @pa, readable until the call that uses this returns, or
	 * NULL. @pa + @len does not exceed MEM_LIMIT.
	 */
	const void *(*map)(u64 pa, size_t len);
};

struct acpi_cpu {
	u32 apic_id;
	u32 uid;      /* ACPI's own number of the processor */
	bool enabled; /* if not, it can become so later */
};

/* A register ("Generic Address Structure"). */
#define ACPI_SPACE_IO 1
struct acpi_reg {
	u64 address; /* 0: there is none */
	u8 space;    /* ACPI_SPACE_IO, or another that the specification has */
};

struct acpi_info {
	/* MADT: enabled or online-capable CPUs in the table's order, each APIC ID once. */
	struct acpi_cpu cpus[ACPI_CPUS];
	unsigned nr_cpus;

	/* FADT */
	struct acpi_reg pm1a_cnt, pm1b_cnt;
	struct acpi_reg reset_reg; /* none unless the FADT says that it is supported */
	u8 reset_value;

	/* \_S5: what switches the machine off. */
	bool has_s5;
	u8 slp_typa, slp_typb; /* 0-7, for SLP_TYP in pm1a_cnt and pm1b_cnt */
};

/*
 * Look for the root pointer where a BIOS puts it: the EBDA's first KiB, then E0000-FFFFF. Returns
 * its physical address, or 0. Source: ACPI Specification, "Finding the RSDP on IA-PC Systems".
 */
u64 acpi_find_rsdp(const struct acpi_mem *mem);

/*
 * Read all tables that the root pointer at physical address @rsdp_pa leads to into @info.
 *
 * A table that is damaged (length, checksum, an entry that reaches beyond its end) is named by
 * pr_warn and skipped, or taken as far as it is good. Returns 0; -EINVAL when there is no usable
 * RSDP, RSDT or XSDT; -ENOENT when no MADT with a CPU was found (nr_cpus is 0 then). The error has
 * been said; @info holds what was found in every case.
 */
int acpi_parse(struct acpi_info *info, const struct acpi_mem *mem, u64 rsdp_pa);

/* The same, from a copy of the root pointer, of @len bytes, as boot loaders pass it on. */
int acpi_parse_rsdp(struct acpi_info *info, const struct acpi_mem *mem, const void *rsdp,
		    size_t len);

#endif
