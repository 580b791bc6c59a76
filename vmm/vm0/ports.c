/* SPDX-License-Identifier: MIT */
/*
 * VM 0's I/O ports. See ports.h.
 */
#include "vmm/vm0/ports.h"
#include "errno.h"
#include "lib/string.h"
#include "vmm/intercepts.h"
#include "vmm/vcpu.h"
#include "vmm/virt_ops.h"

void pio_as_guest(u64 *regs, u64 kind); /* pio.S */

int watch_port(struct vm0 *vm0, const struct port_watch *watch)
{
	if (vm0->nr_watched == VM0_MAX_WATCHED)
		return -ENOSPC;
	vm0->watched[vm0->nr_watched++] = *watch;
	if (watch->rare)
		virt->add_rare_io_intercept(&vm0->vm, watch->port);
	else if (!watch->later)
		virt->set_io_intercept(&vm0->vm, watch->port);
	return 0;
}

static bool is_later(const struct port_watch *watch, u16 first, u16 last)
{
	return watch->port >= first && watch->port <= last &&
	       __atomic_load_n(&watch->later, __ATOMIC_ACQUIRE);
}

void watch_later(struct vcpu *vcpu, u16 first, u16 last)
{
	struct vm0 *vm0 = to_vm0(vcpu->vm);
	unsigned n = 0;

	for (unsigned i = 0; i < vm0->nr_watched; i++) {
		if (!is_later(&vm0->watched[i], first, last))
			continue;
		virt->set_io_intercept(&vm0->vm, vm0->watched[i].port);
		n++;
	}
	if (!n)
		return;
	enforce_intercepts(vcpu);
	/* Only now: another CPU that finds it cleared need not wait. */
	for (unsigned i = 0; i < vm0->nr_watched; i++)
		if (is_later(&vm0->watched[i], first, last))
			__atomic_store_n(&vm0->watched[i].later, false, __ATOMIC_RELEASE);
}

static u64 pio_kind(const struct pio_access *io)
{
	return (io->in ? 3 : 0) + (io->size == 4 ? 2u : io->size - 1u);
}

/* The access with the guest's registers, except the port and the value. */
static u32 pio(struct vcpu *vcpu, const struct pio_access *io, u32 value)
{
	u64 regs[VCPU_NR_REGS];

	memcpy(regs, vcpu->regs, sizeof(regs));
	memcpy(&regs[VCPU_RDX], &io->port, sizeof(io->port));
	if (!io->in)
		memcpy(&regs[VCPU_RAX], &value, io->size);
	pio_as_guest(regs, pio_kind(io));
	return (u32)regs[VCPU_RAX];
}

void pio_out(struct vcpu *vcpu, u16 port, unsigned size, u32 value)
{
	pio(vcpu, &(struct pio_access){.port = port, .size = (u8)size}, value);
}

u8 pio_in(struct vcpu *vcpu, u16 port)
{
	return (u8)pio(vcpu, &(struct pio_access){.port = port, .size = 1, .in = true}, 0);
}

static const struct port_watch *find_watch(const struct vm0 *vm0, u16 port)
{
	for (unsigned i = 0; i < vm0->nr_watched; i++)
		if (vm0->watched[i].port == port)
			return &vm0->watched[i];
	return NULL;
}

bool port_is_watched(const struct vm0 *vm0, u16 port)
{
	return find_watch(vm0, port);
}

/* Write to the machine what the watchers allow: in one access if that is every byte, else byte by
 * byte. */
static void watched_out(struct vcpu *vcpu, const struct pio_access *io, u32 value)
{
	unsigned passed = 0, all = (1u << io->size) - 1;
	u8 bytes[4];

	for (unsigned i = 0; i < io->size; i++) {
		const struct port_watch *watch = find_watch(to_vm0(vcpu->vm), (u16)(io->port + i));

		bytes[i] = (u8)(value >> 8 * i);
		if (!watch || watch->written(vcpu, io, value, &bytes[i]))
			passed |= 1u << i;
	}
	for (unsigned i = 0; i < io->size && passed != all; i++)
		if (passed & 1u << i)
			pio_out(vcpu, (u16)(io->port + i), 1, bytes[i]);
	memcpy(&value, bytes, io->size);
	if (passed == all)
		pio_out(vcpu, io->port, io->size, value);
}

/* In one access, unless a watcher reads one of the bytes. */
static u32 watched_in(struct vcpu *vcpu, const struct pio_access *io)
{
	const struct port_watch *watch[4];
	bool whole = true;
	u32 value = 0;

	for (unsigned i = 0; i < io->size; i++) {
		watch[i] = find_watch(to_vm0(vcpu->vm), (u16)(io->port + i));
		whole = whole && !(watch[i] && watch[i]->read);
	}
	if (whole)
		return pio(vcpu, io, 0);
	for (unsigned i = 0; i < io->size; i++) {
		u16 port = (u16)(io->port + i);
		bool reads = watch[i] && watch[i]->read;

		value |= (u32)(reads ? watch[i]->read(vcpu, port) : pio_in(vcpu, port)) << 8 * i;
	}
	return value;
}

void hide_ports(struct vm *vm, u16 first, u16 nr)
{
	to_vm0(vm)->own_ports = first;
	to_vm0(vm)->nr_own_ports = nr;
	for (u16 i = 0; i < nr; i++)
		virt->set_io_intercept(vm, (u16)(first + i));
}

static bool touches_own_ports(const struct vm0 *vm0, const struct pio_access *io)
{
	return ranges_overlap(io->port, io->size, vm0->own_ports, vm0->nr_own_ports);
}

u32 vm0_pio(struct vcpu *vcpu, const struct pio_access *io, u32 value)
{
	if (touches_own_ports(to_vm0(vcpu->vm), io))
		return io->in ? ~0u : value;
	if (io->in)
		return watched_in(vcpu, io);
	watched_out(vcpu, io, value);
	return value;
}
