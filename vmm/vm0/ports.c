/* SPDX-License-Identifier: MIT */
/*
 * VM 0's I/O ports. See ports.h.
 */
#include "vmm/vm0/ports.h"
#include "arch/x86/io.h"
#include "errno.h"
#include "vmm/vcpu.h"
#include "vmm/virt_ops.h"

int watch_port(struct vm0 *vm0, const struct port_watch *watch)
{
	if (vm0->nr_watched == VM0_MAX_WATCHED)
		return -ENOSPC;
	vm0->watched[vm0->nr_watched++] = *watch;
	virt->set_io_intercept(&vm0->vm, watch->port, 1, true);
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

u32 vm0_pio(struct vcpu *vcpu, const struct pio_access *io, u32 value)
{
	const struct vm0 *vm0 = to_vm0(vcpu->vm);

	if (io->in)
		return pio_in(io);
	for (unsigned i = 0; i < vm0->nr_watched; i++) {
		u16 offset = (u16)(vm0->watched[i].port - io->port);

		if (offset < io->size)
			vm0->watched[i].written(vcpu, io, value, (u8)(value >> 8 * offset));
	}
	pio_out(io, value);
	return value;
}
