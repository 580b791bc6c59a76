/* SPDX-License-Identifier: MIT */
/*
 * What a hypervisor needs from the ACPI tables: the CPUs, and the registers that reset the machine
 * and switch it off. Source: ACPI Specification, "ACPI Software Programming Model".
 */
#ifndef GH_ACPI_H
#define GH_ACPI_H

#include "bits.h"

#define ACPI_CPUS 1024 /* entries in acpi_info's cpus; further CPUs are skipped */

/* How the parser reads physical memory. */
struct acpi_mem {
	/*
	 * Map @len bytes of physical memory at @pa for reading. Returns their linear address, which
	 * must stay valid until the parser returns, or NULL. @pa + @len does not exceed MEM_LIMIT.
	 */
	const void *(*map)(u64 pa, size_t len);
};

struct acpi_cpu {
	u32 apic_id;
	u32 uid;      /* ACPI processor UID */
	bool enabled; /* false: online-capable, it may be added later */
};

/* A register ("Generic Address Structure"). */
#define ACPI_SPACE_IO 1
struct acpi_reg {
	u64 address; /* 0: no such register */
	u8 space;    /* ACPI_SPACE_IO, or another Address Space ID */
};

struct acpi_info {
	/* MADT: enabled or online-capable CPUs in the table's order, each APIC ID once. */
	struct acpi_cpu cpus[ACPI_CPUS];
	unsigned nr_cpus;
	unsigned nr_skipped_cpus; /* that found no room in cpus[], or may be in damaged entries */
	unsigned nr_absent_cpus;  /* empty sockets, or CPUs that the firmware has disabled */
	u64 madt;                 /* physical address of the table; 0: there is none */
	u32 madt_length;          /* bytes */

	/* FADT */
	struct acpi_reg pm1a_cnt, pm1b_cnt;
	struct acpi_reg reset_reg; /* address 0 if the FADT does not set RESET_REG_SUP */
	u8 reset_value;            /* the byte that resets the machine when written there */
	bool reset_is_smi;         /* reset_reg is SMI_CMD, the port of many other commands */

	/* \_S5: the values of SLP_TYP, 0 to 7, in pm1a_cnt and pm1b_cnt for power-off */
	bool has_s5;
	u8 slp_typa, slp_typb;

	/* SPCR: the UART of the firmware's console redirection; address 0: none */
	struct acpi_reg spcr_uart;
};

/* Does SLP_EN with this value of SLP_TYP in @reg, which is @info's pm1a_cnt or pm1b_cnt, switch the
 * machine off? Without \_S5 that is unknown: false. */
bool acpi_is_power_off(const struct acpi_info *info, const struct acpi_reg *reg, unsigned slp_typ);

/*
 * Search for the root pointer (RSDP) where a BIOS puts it: in the first KiB of the EBDA, then at
 * E0000h to FFFFFh. Returns its physical address, or 0 if there is none.
 * Source: ACPI Specification, "Finding the RSDP on IA-PC Systems".
 */
u64 acpi_find_rsdp(const struct acpi_mem *mem);

/*
 * Parse the tables to which the root pointer at physical address @rsdp_pa leads, and fill @info.
 *
 * A damaged table (length, checksum, an entry beyond its end) is logged and skipped, or used up to
 * the damage. Returns 0; -EINVAL if there is no usable RSDP, RSDT or XSDT; -ENOENT if no MADT lists
 * a CPU (nr_cpus is 0 then). Errors are logged, and @info holds what was found in every case.
 */
int acpi_parse(struct acpi_info *info, const struct acpi_mem *mem, u64 rsdp_pa);

/* The same, with a copy of the root pointer: @len bytes at @rsdp, as boot loaders pass them. */
int acpi_parse_rsdp(struct acpi_info *info, const struct acpi_mem *mem, const void *rsdp,
		    size_t len);

/*
 * Does an enabled CPU have an APIC ID that only x2APIC mode can address? SDM: "x2APIC State
 * Transitions", "Determining IPI Destination": in xAPIC mode an ID has 8 bits, and 255 is the
 * broadcast.
 */
bool acpi_needs_x2apic(const struct acpi_info *info);

/*
 * Mark the CPUs in the MADT at @madt, of @length bytes, that @runs() denies as unusable, so that an
 * operating system does not try to start them. Keeps the table's checksum right. Returns how many
 * entries have been changed. Source: ACPI Specification, "Local APIC Flags".
 */
unsigned acpi_hide_cpus(void *madt, u32 length, bool (*runs)(u32 apic_id));

#endif
