/* SPDX-License-Identifier: MIT */
/*
 * VM 0's ports.
 */
#include "vmm/vm0/ports.h"
#include "arch/x86/io.h"
#include "errno.h"
#include "vmm/virt_ops.h"
#include "vmm/vm0/vm0.h"

int watch_port(struct vm0 *vm0, u16 port,
	       void (*written)(struct vcpu *vcpu, const struct pio_access *io, u32 value, u8 byte))
{
	struct port_watches *ports = &vm0->ports;

	if (ports->nr == PORTS_MAX_WATCHED)
		return -ENOSPC;
	ports->watch[ports->nr++] = (struct port_watch){port, written};
	virt->set_io_intercept(&vm0->vm, port, 1, true);
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
	const struct port_watches *ports = &to_vm0(vcpu->vm)->ports;

	if (io->in)
		return pio_in(io);
	for (unsigned i = 0; i < ports->nr; i++) {
		u16 offset = (u16)(ports->watch[i].port - io->port);

		if (offset < io->size)
			ports->watch[i].written(vcpu, io, value, (u8)(value >> 8 * offset));
	}
	pio_out(io, value);
	return value;
}
