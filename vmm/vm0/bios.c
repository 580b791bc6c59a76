/* SPDX-License-Identifier: MIT */
/*
 * Calls to the BIOS, and its memory map. See bios.h.
 *
 * The resident segment at the end of conventional memory holds what vmm/vm0/int15.c writes, and
 * after it the thunk of bios_call(): INT n, VMCALL.
 */
#include "vmm/vm0/bios.h"
#include "arch/x86/cpu.h"
#include "errno.h"
#include "lib/log.h"
#include "lib/string.h"
#include "vmm/vm0/int15.h"
#include "vmm/x86/start.h"
#include "vmm/vcpu.h"
#include "vmm/virt_ops.h"
#include "vmm/vm0/vm0.h"
#include "vmm/memslot.h"

#define VECTOR(n)    ((gpa_t)(n)*4)
#define MEMORY_SIZE  0x413 /* BIOS data area: conventional memory, in KiB */
#define CONVENTIONAL 0xa0000
#define LOWEST       0x40000 /* below it, conventional memory is left to boot sectors */
#define RESIDENT_MAX KIB(16)

static const u8 thunk[] = {0xcd, 0, 0x0f, 0x01, 0xc1}; /* INT n; VMCALL */
#define THUNK_VMCALL 2

u32 bios_memory_end(struct vm *vm)
{
	u16 kib = 0;

	read_guest(vm, MEMORY_SIZE, &kib, sizeof(kib));
	return MIN(kib * 1024u, CONVENTIONAL);
}

static int no_room(struct vm *vm, size_t size)
{
	pr_err("There is no room for %zu bytes of resident code below %x, the end of conventional "
	       "memory according to the BIOS. The guest needs this code to get a memory map that "
	       "reserves Glasshouse's memory. To free memory, switch off network boot or option "
	       "ROMs in the firmware's setup.\n",
	       size, bios_memory_end(vm));
	return -ENOSPC;
}

bool bios_present(struct vm *vm)
{
	u32 vector = 0;

	/* Only VM 0 has the machine's. UEFI firmware may have anything in this table. */
	if (!is_vm0(vm) || !to_vm0(vm)->bios)
		return false;
	read_guest(vm, VECTOR(0x15), &vector, sizeof(vector));
	return vector && vector != ~0u;
}

int bios_init(struct vm *vm)
{
	static u8 resident[RESIDENT_MAX];
	/* Reserving the segment may split a range: two more at most. */
	size_t thunk_offset = int15_size(vm->memmap.nr + 2);
	size_t size = ALIGN_UP(thunk_offset + sizeof(thunk), PAGE_SIZE);
	u32 old = 0, entry;
	u64 base;
	u16 kib;
	int r;

	if (!bios_present(vm)) {
		pr_err("There is no BIOS (the machine booted by UEFI, or the BIOS' interrupt table "
		       "is empty), which this guest needs. If it booted by UEFI, choose legacy "
		       "boot (CSM) in the firmware's setup.\n");
		return -ENODEV;
	}
	read_guest(vm, VECTOR(0x15), &old, sizeof(old));
	base = memmap_find(&vm->memmap, &(struct memmap_query){.size = size,
							       .align = PAGE_SIZE,
							       .min = LOWEST,
							       .max = bios_memory_end(vm),
							       .top_down = true});
	if (size > sizeof(resident) || base == MEMMAP_NONE)
		return no_room(vm, size);
	r = memmap_reserve(&vm->memmap, base, size);
	if (r)
		return r;
	entry = (u32)base << 12 | int15_build(resident, &vm->memmap, old);
	memcpy(resident + thunk_offset, thunk, sizeof(thunk));
	to_vm0(vm)->bios_resident = (struct mem_range){base, size, MEM_RESERVED};
	to_vm0(vm)->bios_thunk = (u32)(base + thunk_offset);
	kib = (u16)(base / KIB(1));
	r = write_guest(vm, base, resident, size);
	if (!r)
		r = write_guest(vm, VECTOR(0x15), &entry, sizeof(entry));
	return r ? r : write_guest(vm, MEMORY_SIZE, &kib, sizeof(kib));
}

int bios_call(struct vcpu *vcpu, u8 number, struct bios_regs *regs)
{
	struct vm0 *vm0 = to_vm0(vcpu->vm);
	u32 thunk_at = vm0->bios_thunk;
	struct segment es;
	u64 *r = vcpu->regs;
	int err = write_guest(vcpu->vm, thunk_at + 1, &number, 1);

	if (err)
		return err;
	start_real_mode(vcpu, (u16)(thunk_at >> 16 << 12), (u16)thunk_at);
	r[VCPU_RAX] = regs->eax;
	r[VCPU_RBX] = regs->ebx;
	r[VCPU_RCX] = regs->ecx;
	r[VCPU_RDX] = regs->edx;
	r[VCPU_RSI] = regs->esi;
	r[VCPU_RDI] = regs->edi;
	virt->get_segment(vcpu, SEG_ES, &es);
	es.selector = regs->es;
	es.base = (u64)regs->es << 4;
	virt->set_segment(vcpu, SEG_ES, &es);
	start_enable_interrupts(vcpu);

	vm0->bios_calling = true;
	vcpu_set_mp_state(vcpu, MP_STATE_RUNNABLE);
	err = vcpu_run(vcpu);
	vm0->bios_calling = false;
	*regs = (struct bios_regs){
		.eax = (u32)r[VCPU_RAX],
		.ebx = (u32)r[VCPU_RBX],
		.ecx = (u32)r[VCPU_RCX],
		.edx = (u32)r[VCPU_RDX],
		.esi = (u32)r[VCPU_RSI],
		.edi = (u32)r[VCPU_RDI],
		.carry = virt->get_sysreg(vcpu, SYSREG_RFLAGS) & RFLAGS_CF,
	};
	virt->get_segment(vcpu, SEG_ES, &es);
	regs->es = es.selector;
	return err ? -EIO : 0;
}

bool bios_call_ends(struct vcpu *vcpu)
{
	const struct vm0 *vm0 = to_vm0(vcpu->vm);
	struct segment cs;

	if (!vm0->bios_calling)
		return false;
	virt->get_segment(vcpu, SEG_CS, &cs);
	return cs.base + virt->get_sysreg(vcpu, SYSREG_RIP) == vm0->bios_thunk + THUNK_VMCALL;
}
