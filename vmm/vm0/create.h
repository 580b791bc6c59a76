/* SPDX-License-Identifier: MIT */
/*
 * Creation of VM 0, and running it.
 */
#ifndef GH_VMM_VM0_CREATE_H
#define GH_VMM_VM0_CREATE_H

#include "vmm/vm0/memory.h"

/* The configuration of VM 0. */
struct vm0_config {
	struct vm0_memory memory;
	const struct acpi_info *acpi; /* used until the machine stops */
	bool keep_icr_trap;           /* option icr=trap */
	bool bios;                    /* the machine was started by its BIOS */
	bool intercept_pf;            /* option icept=pf */
	u32 trace_records;            /* exits that are kept of each vCPU: 1 or more */
};

/*
 * Create VM 0, with a vCPU for each CPU that is online. After virt->hardware_setup(). Returns NULL
 * on an error, which is logged.
 */
struct vm *vm0_create(const struct vm0_config *config);

/*
 * On the boot CPU: switch virtualisation on and load the first vCPU, in its state after power-up,
 * so that a loader can set it up. Returns 0, or a negative error, which is logged.
 */
int vm0_load_boot_vcpu(struct vm *vm);

/*
 * On each other CPU: do the same for its vCPU, which waits for a SIPI, and run it. Returns when the
 * vCPU has stopped, or when it could not be loaded; vm0_wait_loaded() returns that error.
 */
void vm0_run_cpu(struct vcpu *vcpu);

/* On the boot CPU: wait until all other vCPUs are loaded. Returns 0, or -EIO if one could not be
 * loaded, which is logged. */
int vm0_wait_loaded(struct vm *vm);

/* On the boot CPU: run the first vCPU. Returns when it has stopped, with virtualisation off. */
void vm0_run(struct vm *vm);

#endif
