/* SPDX-License-Identifier: MIT */
/*
 * Port I/O for the guest.
 */
#include "vmm/x86/io.h"
#include "arch/x86/cpu.h"
#include "arch/x86/io.h"
#include "errno.h"
#include "vmm/x86/breakpoint.h"
#include "vmm/virt_ops.h"

int register_pio(struct vm *vm, const struct pio_device *device)
{
	if (vm->nr_pio == VM_MAX_PIO)
		return -ENOSPC;
	vm->pio[vm->nr_pio++] = *device;
	virt->set_io_intercept(vm, device->port, 1, true);
	return 0;
}

static u32 pio_in(const struct pio_access *io)
{
	return io->size == 1 ? inb(io->port) : io->size == 2 ? inw(io->port) : inl(io->port);
}

void pio_out(const struct pio_access *io, u32 value)
{
	if (io->size == 1)
		outb(io->port, (u8)value);
	else if (io->size == 2)
		outw(io->port, (u16)value);
	else
		outl(io->port, value);
}

u32 kernel_pio(struct vcpu *vcpu, const struct pio_access *io, u32 value)
{
	struct vm *vm = vcpu->vm;

	breakpoint_access(vcpu, BREAKPOINT_PORT, io->port, io->size);
	if (io->in)
		return pio_in(io);
	for (unsigned i = 0; i < vm->nr_pio; i++) {
		u16 offset = (u16)(vm->pio[i].port - io->port);

		if (offset < io->size)
			vm->pio[i].written(vcpu, io, value, (u8)(value >> 8 * offset));
	}
	pio_out(io, value);
	return value;
}

/* The low @size bytes of a register change; of those above, 32 bits clear what 8 and 16 leave. */
void set_low(u64 *reg, unsigned size, u64 value)
{
	u64 mask = size < 4 ? BIT(8 * size) - 1 : ~0ull;

	*reg = (*reg & ~mask) | (size == 4 ? (u32)value : value & mask);
}

/* What was read goes to AL, AX or EAX. */
static int complete_io(struct vcpu *vcpu, const struct pio_access *io, u32 value)
{
	if (io->in)
		set_low(&vcpu->regs[VCPU_RAX], io->size, value);
	virt->skip_emulated_instruction(vcpu);
	return 1;
}

int emulate_pio(struct vcpu *vcpu, const struct pio_access *io)
{
	if (io->string)
		return emulate_string_pio(vcpu, io);
	return complete_io(vcpu, io, kernel_pio(vcpu, io, (u32)vcpu->regs[VCPU_RAX]));
}
