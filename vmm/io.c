/* SPDX-License-Identifier: MIT */
/*
 * Port I/O for the guest.
 */
#include "vmm/io.h"
#include "arch/x86/cpu.h"
#include "arch/x86/io.h"
#include "arch/x86/msr.h"
#include "errno.h"
#include "lib/log.h"
#include "vmm/guest_mem.h"
#include "vmm/virt_ops.h"

int register_pio(struct vm *vm, const struct pio_device *device)
{
	if (vm->nr_pio == VM_MAX_PIO)
		return -ENOSPC;
	vm->pio[vm->nr_pio++] = *device;
	virt->set_io_intercept(vm, device->port, device->length, true);
	return 0;
}

static u32 port_in(u16 port, unsigned size)
{
	return size == 1 ? inb(port) : size == 2 ? inw(port) : inl(port);
}

static void port_out(u16 port, unsigned size, u32 value)
{
	if (size == 1)
		outb(port, (u8)value);
	else if (size == 2)
		outw(port, (u16)value);
	else
		outl(port, value);
}

/* A device of ours at that port, or the machine's. */
static void kernel_pio(struct vcpu *vcpu, const struct pio_access *io, u32 *value)
{
	struct vm *vm = vcpu->vm;

	for (unsigned i = 0; i < vm->nr_pio; i++) {
		const struct pio_device *d = &vm->pio[i];

		if (ranges_overlap(io->port, io->size, d->port, d->length)) {
			d->access(vcpu, io->port, io->size, io->in, value);
			return;
		}
	}
	if (io->in)
		*value = port_in(io->port, io->size);
	else
		port_out(io->port, io->size, *value);
}

/* What was read goes to AL, AX or EAX. */
static int complete_io(struct vcpu *vcpu, const struct pio_access *io, u32 value)
{
	u64 *rax = &vcpu->regs[VCPU_RAX];

	if (io->in) {
		if (io->size == 4)
			*rax = value;
		else
			*rax = (*rax & ~(BIT(8 * io->size) - 1)) |
			       (value & (BIT(8 * io->size) - 1));
	}
	virt->skip_emulated_instruction(vcpu);
	return 1;
}

static u64 address_mask(struct vcpu *vcpu)
{
	struct segment cs;

	virt->get_segment(vcpu, SEG_CS, &cs);
	if (cs.ar & BIT(13) && virt->get_sysreg(vcpu, SYSREG_EFER) & EFER_LMA)
		return ~0ull;
	return cs.ar & BIT(14) ? 0xffffffff : 0xffff;
}

/*
 * INS and OUTS: one iteration; the instruction is left behind when the count is down to 0. An
 * address-size prefix is not looked at: no one uses it here.
 */
static int emulate_string_pio(struct vcpu *vcpu, const struct pio_access *io)
{
	u64 mask = address_mask(vcpu);
	u64 *index = &vcpu->regs[io->in ? VCPU_RDI : VCPU_RSI], *count = &vcpu->regs[VCPU_RCX];
	u64 step = virt->get_sysreg(vcpu, SYSREG_RFLAGS) & RFLAGS_DF ? -(u64)io->size : io->size;
	u32 value = 0;

	if (io->rep && !(*count & mask)) {
		virt->skip_emulated_instruction(vcpu);
		return 1;
	}
	if (!io->in && read_guest_virt(vcpu, io->gva, &value, io->size))
		goto fault;
	kernel_pio(vcpu, io, &value);
	if (io->in && write_guest_virt(vcpu, io->gva, &value, io->size))
		goto fault;
	*index = (*index & ~mask) | ((*index + step) & mask);
	if (io->rep)
		*count = (*count & ~mask) | ((*count - 1) & mask);
	if (!io->rep || !(*count & mask))
		virt->skip_emulated_instruction(vcpu);
	return 1;
fault:
	pr_warn_ratelimited("vCPU %u: string I/O at port %x with memory at %llx that cannot be "
			    "reached: #GP to the guest",
			    vcpu->id, io->port, (unsigned long long)io->gva);
	queue_exception_e(vcpu, GP_VECTOR, 0);
	return 1;
}

int emulate_pio(struct vcpu *vcpu, const struct pio_access *io)
{
	u32 value = 0;

	if (io->string)
		return emulate_string_pio(vcpu, io);
	if (!io->in)
		value = (u32)(vcpu->regs[VCPU_RAX] & (BIT(8 * io->size) - 1));
	kernel_pio(vcpu, io, &value);
	return complete_io(vcpu, io, value);
}
