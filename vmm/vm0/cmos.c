/* SPDX-License-Identifier: MIT */
/*
 * The CMOS RAM's shutdown byte, and the memory sizes stored there.
 */
#include "vmm/vm0/cmos.h"
#include "arch/x86/io.h"
#include "bits.h"
#include "lib/string.h"
#include "vmm/virt_ops.h"
#include "vmm/vm0/ports.h"

#define CMOS_INDEX    0x70
#define CMOS_DATA     0x71
#define CMOS_ALIAS    4 /* chipsets decode 74h and 75h alike */
#define CMOS_SHUTDOWN 0x0f
#define INDEX_BITS    0x7fu /* bit 7 masks NMIs */

/* With these codes a BIOS jumps by the vector at 40:67 (with or without an EOI), or does IRET or
 * RETF with the stack that it points to. With others, 9 among them, some BIOSes start the
 * machine: the machine is reset then. */
#define CODE_EOI_JUMP 0x05
#define CODE_JUMP     0x0a
#define CODE_IRET     0x0b
#define CODE_RETF     0x0c

static bool at_shutdown(const struct cmos *cmos)
{
	return (READ_ONCE(cmos->index) & INDEX_BITS) == CMOS_SHUTDOWN;
}

/* Return memory sizes that end where Glasshouse's memory, or its resident code, begins. */
static u8 memory_byte(const struct vm0 *vm0, u8 index)
{
	struct mem_range taken[VM0_MAX_HIDDEN + 1];

	memcpy(taken, vm0->hidden, sizeof(vm0->hidden));
	taken[VM0_MAX_HIDDEN] = vm0->bios_resident;
	return cmos_memory_byte(vm0->cmos.machine, index, taken, ARRAY_SIZE(taken));
}

/* Is the register at the current index emulated? */
static bool register_is_emulated(const struct vm0 *vm0)
{
	u8 index = READ_ONCE(vm0->cmos.index) & INDEX_BITS;

	return index == CMOS_SHUTDOWN ||
	       (cmos_is_memory(index) && memory_byte(vm0, index) != vm0->cmos.machine[index]);
}

/* The data port exits only while the index selects an emulated register: guests
 * read the clock often. */
static void watch_data(struct vm0 *vm0, bool on)
{
	if (vm0->cmos.watched == on)
		return;
	vm0->cmos.watched = on;
	virt->set_io_intercept(&vm0->vm, CMOS_DATA, 1, on);
	virt->set_io_intercept(&vm0->vm, CMOS_DATA + CMOS_ALIAS, 1, on);
}

/* No access to an emulated register may reach the machine: the data port exits before the index
 * selects one, until it selects another. */
static bool index_written(struct vcpu *vcpu, const struct pio_access *io, u32 value, u8 *byte)
{
	struct vm0 *vm0 = to_vm0(vcpu->vm);

	(void)io;
	(void)value;
	spin_lock(&vm0->cmos.lock);
	vm0->cmos.index = *byte;
	if (register_is_emulated(vm0))
		watch_data(vm0, true);
	pio_out(vcpu, CMOS_INDEX, 1, *byte);
	if (!register_is_emulated(vm0))
		watch_data(vm0, false);
	spin_unlock(&vm0->cmos.lock);
	return false;
}

/* By the alias: bit 7 does not reach the mask of NMIs. */
static bool alias_index_written(struct vcpu *vcpu, const struct pio_access *io, u32 value, u8 *byte)
{
	u8 index =
		(READ_ONCE(to_vm0(vcpu->vm)->cmos.index) & (u8)~INDEX_BITS) | (*byte & INDEX_BITS);

	return index_written(vcpu, io, value, &index);
}

static bool data_written(struct vcpu *vcpu, const struct pio_access *io, u32 value, u8 *byte)
{
	struct cmos *cmos = &to_vm0(vcpu->vm)->cmos;

	(void)io;
	(void)value;
	spin_lock(&cmos->lock);
	if (at_shutdown(cmos))
		cmos->shutdown = *byte;
	else
		pio_out(vcpu, CMOS_DATA, 1, *byte);
	spin_unlock(&cmos->lock);
	return false;
}

static u8 data_read(struct vcpu *vcpu, u8 byte)
{
	const struct vm0 *vm0 = to_vm0(vcpu->vm);
	u8 index = READ_ONCE(vm0->cmos.index) & INDEX_BITS;

	if (index == CMOS_SHUTDOWN)
		return vm0->cmos.shutdown;
	return cmos_is_memory(index) ? memory_byte(vm0, index) : byte;
}

int cmos_init(struct vm0 *vm0)
{
	int r = 0;

	for (u8 i = 0; i < CMOS_REGISTERS; i++) {
		if (!cmos_is_memory(i))
			continue;
		outb(CMOS_INDEX, i);
		vm0->cmos.machine[i] = inb(CMOS_DATA);
	}
	outb(CMOS_INDEX, CMOS_SHUTDOWN);
	vm0->cmos.index = CMOS_SHUTDOWN;
	vm0->cmos.shutdown = inb(CMOS_DATA);
	outb(CMOS_DATA, 0);
	for (u16 alias = 0; !r && alias <= CMOS_ALIAS; alias += CMOS_ALIAS) {
		r = watch_port(vm0, &(struct port_watch){.port = CMOS_INDEX + alias,
							 .written = alias ? alias_index_written
									  : index_written});
		if (!r)
			r = watch_port(vm0, &(struct port_watch){.port = CMOS_DATA + alias,
								 .written = data_written,
								 .read = data_read});
	}
	vm0->cmos.watched = true;
	return r;
}

bool cmos_bios_returns(struct vm0 *vm0)
{
	u8 code = READ_ONCE(vm0->cmos.shutdown);

	return code == CODE_EOI_JUMP || (code >= CODE_JUMP && code <= CODE_RETF);
}

void cmos_before_reset(void)
{
	outb(CMOS_INDEX, CMOS_SHUTDOWN);
	outb(CMOS_DATA, 0);
}

void cmos_leave(struct vm0 *vm0)
{
	outb(CMOS_INDEX, CMOS_SHUTDOWN);
	outb(CMOS_DATA, vm0->cmos.shutdown);
	outb(CMOS_INDEX, vm0->cmos.index);
}
