/* SPDX-License-Identifier: MIT */
/*
 * Emulate port I/O.
 */
#include "vmm/x86/io.h"
#include "vmm/x86/breakpoint.h"
#include "vmm/steps.h"
#include "vmm/vcpu.h"
#include "vmm/virt_ops.h"
#include "vmm/vm.h"

u32 kernel_pio(struct vcpu *vcpu, const struct pio_access *io, u32 value)
{
	STEP(kernel_pio);
	breakpoint_access(vcpu, BREAKPOINT_PORT, io->port, io->size);
	return vcpu->vm->ops->pio(vcpu, io, value);
}

void assign_register(u64 *reg, unsigned size, u64 value)
{
	u64 mask = size < 4 ? BIT(8 * size) - 1 : ~0ull;

	*reg = (*reg & ~mask) | (size == 4 ? (u32)value : value & mask);
}

/* Put the value that IN read into AL, AX or EAX, and skip the instruction. */
static int complete_io(struct vcpu *vcpu, const struct pio_access *io, u32 value)
{
	STEP(complete_io);
	if (io->in)
		assign_register(&vcpu->regs[VCPU_RAX], io->size, value);
	virt->skip_emulated_instruction(vcpu);
	return 1;
}

int emulate_pio(struct vcpu *vcpu, const struct pio_access *io)
{
	STEP(emulate_pio);
	return complete_io(vcpu, io, kernel_pio(vcpu, io, (u32)vcpu->regs[VCPU_RAX]));
}
