/* SPDX-License-Identifier: MIT */
/*
 * Lab 4, holes 5 and 6: port I/O. Your file takes the place of vmm/x86/io.c.
 */
#include "vmm/x86/io.h"
#include "lib/log.h"
#include "vmm/steps.h"
#include "vmm/vcpu.h"
#include "vmm/virt_ops.h"
#include "vmm/vm.h"
#include "vmm/x86/breakpoint.h"

/* Given: whoever owns the port does it. */
u32 kernel_pio(struct vcpu *vcpu, const struct pio_access *io, u32 value)
{
	STEP(kernel_pio);
	breakpoint_access(vcpu, BREAKPOINT_PORT, io->port, io->size);
	return vcpu->vm->ops->pio(vcpu, io, value);
}

/*
 * Hole 5. Assign the low @size bytes (1, 2, 4 or 8) of @value to the register *@reg, as
 * instructions do: AL and AX leave the rest of RAX as it is, EAX clears the upper half.
 */
void assign_register(u64 *reg, unsigned size, u64 value)
{
	(void)reg, (void)size, (void)value; /* yours to write */
}

/*
 * Hole 6. Emulate IN (@io->in) or OUT by kernel_pio(): OUT writes what is in EAX, IN puts what
 * kernel_pio() returns into AL, AX or EAX, by @io->size. Then skip the instruction
 * (virt->skip_emulated_instruction), and return 1: enter the guest again.
 */
int emulate_pio(struct vcpu *vcpu, const struct pio_access *io)
{
	(void)vcpu, (void)io;
	STEP(emulate_pio);
	pr_warn_ratelimited("Lab 4: emulate_pio() is yours to write.");
	STEP(complete_io); /* before the value goes into the register */
	return 1;
}
