/* SPDX-License-Identifier: MIT */
/*
 * The guest's memory, seen from here.
 */
#include "vmm/guest_mem.h"
#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"
#include "arch/x86/paging.h"
#include "lib/string.h"
#include "vmm/virt_ops.h"

#define PT_PRESENT BIT(0)
#define PT_LARGE   BIT(7)
#define PT_ADDR    GENMASK(51, 12)

struct memory_slot *gfn_to_memslot(struct vm *vm, gfn_t gfn)
{
	for (unsigned i = 0; i < vm->nr_slots; i++) {
		struct memory_slot *slot = &vm->slots[i];

		if (gfn - slot->base_gfn < slot->npages)
			return slot;
	}
	return NULL;
}

u64 gfn_to_hva(struct vm *vm, gfn_t gfn)
{
	struct memory_slot *slot = gfn_to_memslot(vm, gfn);

	return slot ? slot->userspace_addr + ((gfn - slot->base_gfn) << PAGE_SHIFT) : 0;
}

pfn_t gfn_to_pfn(struct vm *vm, gfn_t gfn)
{
	u64 hva = gfn_to_hva(vm, gfn);

	return hva ? virt_to_phys((void *)hva) >> PAGE_SHIFT : ~0ull;
}

static int copy_guest(struct vm *vm, gpa_t gpa, void *buf, size_t len, bool write)
{
	char *p = buf;

	while (len) {
		size_t offset = gpa & ~PAGE_MASK, n = MIN(len, PAGE_SIZE - offset);
		u64 hva = gfn_to_hva(vm, gpa >> PAGE_SHIFT);

		if (!hva)
			return -EFAULT;
		if (write)
			memcpy((char *)hva + offset, p, n);
		else
			memcpy(p, (char *)hva + offset, n);
		gpa += n;
		p += n;
		len -= n;
	}
	return 0;
}

int read_guest(struct vm *vm, gpa_t gpa, void *buf, size_t len)
{
	return copy_guest(vm, gpa, buf, len, false);
}

int write_guest(struct vm *vm, gpa_t gpa, const void *buf, size_t len)
{
	return copy_guest(vm, gpa, (void *)buf, len, true);
}

/* 32-bit paging: two levels of 1024 entries, 4-MiB pages if CR4.PSE. */
static int walk_32bit(struct vcpu *vcpu, u64 cr3, u64 cr4, gva_t gva, gpa_t *gpa)
{
	u32 entry;

	if (read_guest(vcpu->vm, (cr3 & 0xfffff000) + (gva >> 22 & 0x3ff) * 4, &entry, 4) ||
	    !(entry & PT_PRESENT))
		return -EFAULT;
	if (entry & PT_LARGE && cr4 & CR4_PSE) {
		*gpa = (entry & 0xffc00000) | (u64)(entry >> 13 & 0xff) << 32 | (gva & 0x3fffff);
		return 0;
	}
	if (read_guest(vcpu->vm, (entry & 0xfffff000) + (gva >> 12 & 0x3ff) * 4, &entry, 4) ||
	    !(entry & PT_PRESENT))
		return -EFAULT;
	*gpa = (entry & 0xfffff000) | (gva & 0xfff);
	return 0;
}

/* PAE, 4-level and 5-level paging: 512 entries of 8 bytes per level; PAE's top level has 4. */
static int walk_64bit(struct vcpu *vcpu, u64 table, int levels, gva_t gva, gpa_t *gpa)
{
	for (int level = levels; level >= 1; level--) {
		unsigned shift = 12 + 9 * (unsigned)(level - 1);
		u64 entry, index = gva >> shift & (levels == 3 && level == 3 ? 3 : 511);

		if (read_guest(vcpu->vm, table + index * 8, &entry, 8) || !(entry & PT_PRESENT))
			return -EFAULT;
		if (level == 1 ||
		    (entry & PT_LARGE && level <= 3 && !(levels == 3 && level == 3))) {
			*gpa = (entry & PT_ADDR & ~(BIT(shift) - 1)) | (gva & (BIT(shift) - 1));
			return 0;
		}
		table = entry & PT_ADDR;
	}
	return -EFAULT;
}

int gva_to_gpa(struct vcpu *vcpu, gva_t gva, gpa_t *gpa)
{
	u64 cr0 = virt->get_sysreg(vcpu, SYSREG_CR0);
	u64 cr3 = virt->get_sysreg(vcpu, SYSREG_CR3);
	u64 cr4 = virt->get_sysreg(vcpu, SYSREG_CR4);

	if (!(cr0 & CR0_PG)) {
		*gpa = (u32)gva;
		return 0;
	}
	if (virt->get_sysreg(vcpu, SYSREG_EFER) & EFER_LMA)
		return walk_64bit(vcpu, cr3 & PT_ADDR, cr4 & CR4_LA57 ? 5 : 4, gva, gpa);
	if (cr4 & CR4_PAE)
		return walk_64bit(vcpu, cr3 & 0xffffffe0, 3, (u32)gva, gpa);
	return walk_32bit(vcpu, cr3, cr4, (u32)gva, gpa);
}

static int copy_guest_virt(struct vcpu *vcpu, gva_t gva, void *buf, size_t len, bool write)
{
	char *p = buf;

	while (len) {
		size_t n = MIN(len, PAGE_SIZE - (gva & ~PAGE_MASK));
		gpa_t gpa;
		int r = gva_to_gpa(vcpu, gva, &gpa);

		if (!r)
			r = copy_guest(vcpu->vm, gpa, p, n, write);
		if (r)
			return r;
		gva += n;
		p += n;
		len -= n;
	}
	return 0;
}

int read_guest_virt(struct vcpu *vcpu, gva_t gva, void *buf, size_t len)
{
	return copy_guest_virt(vcpu, gva, buf, len, false);
}

int write_guest_virt(struct vcpu *vcpu, gva_t gva, const void *buf, size_t len)
{
	return copy_guest_virt(vcpu, gva, (void *)buf, len, true);
}

size_t fetch_guest_insn(struct vcpu *vcpu, u8 *buf, size_t max)
{
	struct segment cs;
	gva_t gva;
	size_t first;

	virt->get_segment(vcpu, SEG_CS, &cs);
	gva = cs.base + virt->get_sysreg(vcpu, SYSREG_RIP);
	first = MIN(max, PAGE_SIZE - (gva & ~PAGE_MASK));
	if (read_guest_virt(vcpu, gva, buf, first))
		return 0;
	if (first == max || read_guest_virt(vcpu, gva + first, buf + first, max - first))
		return first;
	return max;
}
