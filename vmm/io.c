/* SPDX-License-Identifier: MIT */
/*
 * Port I/O for the guest.
 */
#include "vmm/io.h"
#include "arch/x86/cpu.h"
#include "arch/x86/io.h"
#include "errno.h"
#include "lib/log.h"
#include "vmm/guest_mem.h"
#include "vmm/unknown.h"
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

static u32 kernel_pio(struct vcpu *vcpu, const struct pio_access *io, u32 value)
{
	struct vm *vm = vcpu->vm;

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
static void set_low(u64 *reg, unsigned size, u64 value)
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

/* Where the memory operand is, once it is known that the access will not fault: ES:rDI of INS,
 * DS:rSI of OUTS or another segment's. */
static int find_operand(struct vcpu *vcpu, const struct pio_access *io, const struct insn *insn,
			gva_t *gva)
{
	enum segment_reg seg = io->in ? SEG_ES : insn_segment(insn, SEG_DS);
	u64 offset = vcpu->regs[io->in ? VCPU_RDI : VCPU_RSI];
	u32 access = io->in ? PF_ERROR_W : 0;

	if (insn->adsize < 8)
		offset &= BIT(8 * insn->adsize) - 1;
	if (guest_linear(vcpu, seg, offset, io->size, io->in, gva))
		return -EFAULT;
	if (guest_cpl(vcpu) == 3)
		access |= PF_ERROR_U;
	return probe_guest_virt(vcpu, *gva, io->size, access);
}

/* One iteration: the instruction is left behind when the count is down to 0. */
static int emulate_string_pio(struct vcpu *vcpu, const struct pio_access *io)
{
	u64 *index = &vcpu->regs[io->in ? VCPU_RDI : VCPU_RSI], *count = &vcpu->regs[VCPU_RCX];
	u64 step = virt->get_sysreg(vcpu, SYSREG_RFLAGS) & RFLAGS_DF ? -(u64)io->size : io->size;
	u64 left = *count;
	struct insn insn;
	u32 value = ~0u;
	gva_t gva;

	if (!decode_guest_insn(vcpu, &insn))
		return handle_unknown(vcpu, "string I/O by an instruction that cannot be read");
	if (insn.adsize < 8)
		left &= BIT(8 * insn.adsize) - 1;
	if (io->rep && !left) {
		virt->skip_emulated_instruction(vcpu);
		return 1;
	}
	if (find_operand(vcpu, io, &insn, &gva))
		return 1;
	/* What is no memory reads as ones, and is not written. */
	if (!io->in)
		read_guest_virt(vcpu, gva, &value, io->size);
	value = kernel_pio(vcpu, io, value);
	if (io->in)
		write_guest_virt(vcpu, gva, &value, io->size);
	set_low(index, insn.adsize, *index + step);
	if (io->rep)
		set_low(count, insn.adsize, left - 1);
	if (io->rep && left > 1)
		virt->skip_to(vcpu, virt->get_sysreg(vcpu, SYSREG_RIP));
	else
		virt->skip_emulated_instruction(vcpu);
	return 1;
}

int emulate_pio(struct vcpu *vcpu, const struct pio_access *io)
{
	if (io->string)
		return emulate_string_pio(vcpu, io);
	return complete_io(vcpu, io, kernel_pio(vcpu, io, (u32)vcpu->regs[VCPU_RAX]));
}
