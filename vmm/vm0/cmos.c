/* SPDX-License-Identifier: MIT */
/*
 * The CMOS RAM's shutdown byte, and the memory sizes stored there.
 */
#include "vmm/vm0/cmos.h"
#include "arch/x86/cpu.h"
#include "arch/x86/io.h"
#include "bits.h"
#include "lib/string.h"
#include "vmm/vm0/ports.h"

#define CMOS_INDEX    0x70
#define CMOS_DATA     0x71
#define CMOS_LAST     0x77 /* pairs of an index and a data port end here */
#define CMOS_CONTROL  0x0b /* of the clock: how it counts, which interrupts it raises */
#define CMOS_STATUS   0x0d /* reading it changes nothing, nor does writing it, or only an alarm */
#define CMOS_SHUTDOWN 0x0f
#define CMOS_STATIC   0x10  /* the registers from here on change only when they are written */
#define CMOS_LOCKED   0x38  /* eight registers */
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
	return (cmos->index & INDEX_BITS) == CMOS_SHUTDOWN;
}

/* Return memory sizes that end where Glasshouse's memory, or its resident code, begins. */
static u8 memory_byte(const struct vm0 *vm0, u8 index)
{
	struct mem_range taken[VM0_MAX_HIDDEN + 1];

	memcpy(taken, vm0->hidden, sizeof(vm0->hidden));
	taken[VM0_MAX_HIDDEN] = vm0->bios_resident;
	return cmos_memory_byte(vm0->cmos.machine, index, taken, ARRAY_SIZE(taken));
}

/* Does the guest read another memory size than the machine's, in *@byte? What it has written
 * itself, it reads back. */
static bool is_clipped(const struct vm0 *vm0, u8 index, u8 *byte)
{
	if (!cmos_is_memory(index) || vm0->cmos.written[index])
		return false;
	*byte = memory_byte(vm0, index);
	return *byte != vm0->cmos.machine[index];
}

static bool is_emulated(const struct vm0 *vm0, u8 index)
{
	u8 byte;

	return index == CMOS_SHUTDOWN || is_clipped(vm0, index, &byte);
}

/*
 * The machine's index never selects the shutdown byte: whatever the other CPUs do meanwhile, they
 * do not reach it. Guests read the clock often, so the data ports exit only from the first time on
 * that the index selects an emulated register: before that write ends.
 */
static void write_index(struct vcpu *vcpu, u8 mask, u8 value)
{
	struct vm0 *vm0 = to_vm0(vcpu->vm);
	struct cmos *cmos = &vm0->cmos;
	u8 machine;

	if (is_emulated(vm0, value & INDEX_BITS))
		watch_later(vcpu, CMOS_DATA, CMOS_LAST);
	spin_lock(&cmos->lock);
	cmos->index = (u8)((cmos->index & ~mask) | (value & mask));
	machine = at_shutdown(cmos) ? cmos->index ^ CMOS_SHUTDOWN ^ CMOS_STATUS : cmos->index;
	pio_out(vcpu, CMOS_INDEX, 1, machine);
	spin_unlock(&cmos->lock);
}

static bool index_written(struct vcpu *vcpu, const struct pio_access *io, u32 value, u8 *byte)
{
	(void)io;
	(void)value;
	write_index(vcpu, 0xff, *byte);
	return false;
}

/* By an alias: bit 7 does not reach the mask of NMIs. */
static bool alias_index_written(struct vcpu *vcpu, const struct pio_access *io, u32 value, u8 *byte)
{
	(void)io;
	(void)value;
	write_index(vcpu, INDEX_BITS, *byte);
	return false;
}

/* Some chipsets have index ports that can be read. */
static u8 index_read(struct vcpu *vcpu, u16 port)
{
	struct cmos *cmos = &to_vm0(vcpu->vm)->cmos;
	u8 byte;

	spin_lock(&cmos->lock);
	byte = pio_in(vcpu, port);
	if (at_shutdown(cmos) && (byte & INDEX_BITS) == CMOS_STATUS)
		byte ^= CMOS_SHUTDOWN ^ CMOS_STATUS;
	spin_unlock(&cmos->lock);
	return byte;
}

static bool data_written(struct vcpu *vcpu, const struct pio_access *io, u32 value, u8 *byte)
{
	struct cmos *cmos = &to_vm0(vcpu->vm)->cmos;

	(void)io;
	(void)value;
	spin_lock(&cmos->lock);
	if (at_shutdown(cmos)) {
		cmos->shutdown = *byte;
	} else {
		cmos->written[cmos->index & INDEX_BITS] = true;
		pio_out(vcpu, CMOS_DATA, 1, *byte);
	}
	spin_unlock(&cmos->lock);
	return false;
}

static u8 data_read(struct vcpu *vcpu, u16 port)
{
	struct vm0 *vm0 = to_vm0(vcpu->vm);
	struct cmos *cmos = &vm0->cmos;
	u8 byte;

	spin_lock(&cmos->lock);
	if (at_shutdown(cmos))
		byte = cmos->shutdown;
	else if (!is_clipped(vm0, cmos->index & INDEX_BITS, &byte))
		byte = pio_in(vcpu, port);
	spin_unlock(&cmos->lock);
	return byte;
}

/* Do reads of @index show which registers they are? Others change by themselves; and where the
 * firmware has locked the last kind, reads are undefined. */
static bool is_compared(u8 index)
{
	if (index < CMOS_STATIC)
		return index == CMOS_CONTROL || index == CMOS_STATUS;
	return (index & 0xf8) != CMOS_LOCKED;
}

/* Do not all registers read the same, as they do where there are none? */
static bool is_there(const struct cmos *cmos)
{
	for (u8 i = 0; i < CMOS_REGISTERS; i++)
		if (is_compared(i) && cmos->machine[i] != cmos->machine[CMOS_STATUS])
			return true;
	return false;
}

/*
 * Do the ports @index and @index + 1 reach the same registers as 70h and 71h? Chipsets have such
 * aliases up to 77h, or there a second bank of registers, or nothing. Only index ports are written.
 * A second bank has no clock: where all else is the same, that tells it from an alias.
 */
static bool is_alias(const struct cmos *cmos, u16 index)
{
	for (u8 i = 0; i < CMOS_REGISTERS; i++) {
		if (!is_compared(i))
			continue;
		outb(index, i);
		if (inb(index + 1) != cmos->machine[i])
			return false;
	}
	return is_there(cmos);
}

static int watch_pair(struct vm0 *vm0, u16 index)
{
	int r = watch_port(vm0, &(struct port_watch){.port = index,
						     .written = index == CMOS_INDEX
									? index_written
									: alias_index_written,
						     .read = index_read});

	return r ? r
		 : watch_port(vm0, &(struct port_watch){.port = index + 1,
							.later = true,
							.written = data_written,
							.read = data_read});
}

int cmos_init(struct vm0 *vm0)
{
	struct cmos *cmos = &vm0->cmos;
	int r;

	if (vm0->vm.vcpus[0]->cpu->firmware)
		return 0;
	cmos->watched = true;
	r = watch_pair(vm0, CMOS_INDEX);
	for (u8 i = 0; i < CMOS_REGISTERS; i++) {
		if (!is_compared(i))
			continue;
		outb(CMOS_INDEX, i);
		cmos->machine[i] = inb(CMOS_DATA);
	}
	for (u16 index = CMOS_INDEX + 2; !r && index < CMOS_LAST; index += 2)
		if (is_alias(cmos, index))
			r = watch_pair(vm0, index);
	outb(CMOS_INDEX, CMOS_SHUTDOWN);
	cmos->shutdown = inb(CMOS_DATA);
	outb(CMOS_DATA, 0);
	outb(CMOS_INDEX, CMOS_STATUS);
	cmos->index = CMOS_STATUS;
	return r;
}

bool cmos_bios_returns(struct vm0 *vm0)
{
	u8 code = READ_ONCE(vm0->cmos.shutdown);

	return code == CODE_EOI_JUMP || (code >= CODE_JUMP && code <= CODE_RETF);
}

void cmos_leave(struct vm0 *vm0)
{
	if (!vm0->cmos.watched)
		return;
	outb(CMOS_INDEX, CMOS_SHUTDOWN);
	outb(CMOS_DATA, vm0->cmos.shutdown);
	outb(CMOS_INDEX, vm0->cmos.index);
}
