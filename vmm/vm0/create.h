/* SPDX-License-Identifier: MIT */
/*
 * Creating VM 0 and running it.
 */
#ifndef GH_VMM_VM0_CREATE_H
#define GH_VMM_VM0_CREATE_H

#include "vmm/vm0/memory.h"

/* What VM 0 is made from. */
struct vm0_config {
	struct vm0_memory memory;
	const struct acpi_info *acpi; /* must stay */
	bool keep_icr_trap;           /* option icr=trap */
	bool intercept_pf;            /* option icept=pf */
};

/*
 * Make VM 0, with a vCPU for each CPU that is online. After virt->hardware_setup(). Returns NULL on
 * an error, which has been logged.
 */
struct vm *vm0_create(const struct vm0_config *config);

/*
 * On the boot CPU: switch virtualisation on and load the first vCPU, in its state after power-up,
 * so that a loader can set it up. Returns 0 or a negative error, which has been logged.
 */
int vm0_load_boot_vcpu(struct vm *vm);

/*
 * On each other CPU of a vCPU: the same for that vCPU, then run it, which waits for its SIPI.
 * Returns when the vCPU has stopped, or when the CPU cannot run it: vm0_wait_loaded() tells.
 */
void vm0_run_cpu(struct vcpu *vcpu);

/* On the boot CPU: wait until every other vCPU is loaded. Returns 0, or -EIO when a CPU could not,
 * which has been logged. */
int vm0_wait_loaded(struct vm *vm);

/* On the boot CPU: run the first vCPU until the machine ends. Returns when it has stopped. */
void vm0_run(struct vm *vm);

#endif
