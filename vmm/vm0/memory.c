/* SPDX-License-Identifier: MIT */
/*
 * VM 0's memory. See memory.h.
 */
#include "vmm/vm0/memory.h"
#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"
#include "arch/x86/paging.h"
#include "errno.h"
#include "lib/log.h"
#include "lib/string.h"
#include "vmm/event.h"
#include "vmm/steps.h"
#include "vmm/vm0/hidden.h"
#include "vmm/vm0/icr.h"
#include "vmm/vm0/lapic_page.h"
#include "vmm/vm0/wall.h"
#include "vmm/x86/cpuid.h"
#include "vmm/memslot.h"

#define LOW_MEMORY MIB(1)

/* @keyid_mask: address bits that the MTRRs do not compare. */
static void read_mtrrs(struct mtrr_state *m, u64 keyid_mask)
{
	static const u32 fixed[MTRR_NR_FIXED] = {
		MSR_MTRRfix64K_00000,    MSR_MTRRfix16K_80000,    MSR_MTRRfix16K_A0000,
		MSR_MTRRfix4K_C0000,     MSR_MTRRfix4K_C0000 + 1, MSR_MTRRfix4K_C0000 + 2,
		MSR_MTRRfix4K_C0000 + 3, MSR_MTRRfix4K_C0000 + 4, MSR_MTRRfix4K_C0000 + 5,
		MSR_MTRRfix4K_C0000 + 6, MSR_MTRRfix4K_F8000,
	};
	u64 cap, def = 0;

	m->phys_bits = keyid_mask ? (u8)__builtin_ctzll(keyid_mask) : cpu_phys_bits();
	if (rdmsr_safe(MSR_MTRRcap, &cap) || rdmsr_safe(MSR_MTRRdefType, &def))
		return; /* no MTRRs: all memory is uncached, which is always correct */
	m->enabled = def & MTRRDEFTYPE_E;
	m->fixed_enabled = def & MTRRDEFTYPE_FE && cap & MTRRCAP_FIX;
	m->default_type = (u8)def;
	m->nr_var = (u8)MIN(cap & MTRRCAP_VCNT, MTRR_MAX_VAR);
	for (u32 i = 0; i < m->nr_var; i++) {
		rdmsr_safe(MSR_MTRRphysBase0 + 2 * i, &m->var[i].base);
		rdmsr_safe(MSR_MTRRphysMask0 + 2 * i, &m->var[i].mask);
	}
	for (u32 i = 0; m->fixed_enabled && i < MTRR_NR_FIXED; i++)
		rdmsr_safe(fixed[i], &m->fixed[i]);
}

/* By CPUID, as IA32_TME_ACTIVATE is no MSR of other CPUs. */
static u64 read_keyid_mask(void)
{
	u64 activate = 0;

	if (cpuid(0, 0).eax >= 7 && cpuid(7, 0).ecx & BIT(13))
		rdmsr_safe(MSR_IA32_TME_ACTIVATE, &activate);
	return keyid_mask(activate, cpu_phys_bits());
}

/* Hide [@base, @base + @size). The logs can be read from the start; below 1 MiB the page of all
 * ones, too: kernels search that memory for tables, and each access would log a warning. */
static int hide(struct vm0 *vm0, u64 base, u64 size)
{
	int r = ept_unmap(&vm0->vm.ept, base, size);

	for (u64 at = base; !r && at < base + size; at += PAGE_SIZE)
		if (at < LOW_MEMORY || vm0_is_log(vm0, at))
			r = map_hidden(vm0, at);
	return r;
}

static int map_machine(struct vm0 *vm0)
{
	struct ept *ept = &vm0->vm.ept;
	const struct memmap *map = &vm0->vm.memmap;
	int r = ept_map_identity(ept, &vm0->mtrr, 0, GIB(4), EPT_RWX);

	for (unsigned i = 0; !r && i < map->nr; i++) {
		u64 start = MAX(ALIGN_DOWN(map->r[i].base, PAGE_SIZE), GIB(4));
		u64 end = ALIGN_UP(map->r[i].base + map->r[i].size, PAGE_SIZE);

		/* Reserved ranges above 4 GiB can be huge: the first access maps them. */
		if (map->r[i].type != MEM_RESERVED && end > start)
			r = ept_map_identity(ept, &vm0->mtrr, start, end, EPT_RWX);
	}
	for (unsigned i = 0; !r && i < vm0->nr_hidden; i++)
		r = hide(vm0, vm0->hidden[i].base, vm0->hidden[i].size);
	/* No CPU uses the tables yet, so unused ones can be freed. Later only lifting the ICR trap
	 * makes one unused. */
	ept_reclaim(ept);
	return r;
}

/* Add a slot for the pages of [@start, @end) from *@next on, and set *@next to their end. */
static int add_slot(struct vm0 *vm0, u64 start, u64 end, u64 *next)
{
	start = MAX(ALIGN_DOWN(start, PAGE_SIZE), *next);
	end = ALIGN_UP(end, PAGE_SIZE);
	if (end <= start)
		return 0;
	*next = end;
	return set_memory_region(&vm0->vm, start >> PAGE_SHIFT, (end - start) >> PAGE_SHIFT,
				 (u64)phys_to_virt(start));
}

/* Add slots for all of the first MiB that is not hidden: the firmware's code and tables there are
 * memory, although the memory map does not list all of them. */
static int add_low_memory(struct vm0 *vm0)
{
	u64 at = 0, next = 0;
	int r = 0;

	while (!r && at < LOW_MEMORY) {
		u64 end = at;

		while (end < LOW_MEMORY && !vm0_is_hidden(vm0, end, PAGE_SIZE))
			end += PAGE_SIZE;
		r = add_slot(vm0, at, end, &next);
		at = end + PAGE_SIZE;
	}
	return r;
}

int vm0_memory_init(struct vm0 *vm0, const struct vm0_memory *memory)
{
	struct memmap *map = &vm0->vm.memmap;
	u64 next = LOW_MEMORY;
	int r;

	vm0->keyid_mask = read_keyid_mask();
	read_mtrrs(&vm0->mtrr, vm0->keyid_mask);
	vm0->plain_from = ALIGN_UP(mtrr_last_change(&vm0->mtrr, GIB(4)), GIB(1));
	vm0->plain_type = (unsigned)mtrr_type(&vm0->mtrr, vm0->plain_from);
	*map = *memory->machine;
	vm0->nr_hidden = memory->nr_hidden;
	for (unsigned i = 0; i < memory->nr_hidden; i++) {
		vm0->hidden[i] = memory->hidden[i];
		r = memmap_reserve(map, memory->hidden[i].base, memory->hidden[i].size);
		if (r)
			return r;
	}
	memcpy(vm0->logs, memory->logs, sizeof(vm0->logs));
	vm0->logs[LOG_RING_TRACE] = memory->trace;
	vm0->vm.cpuid->logs = vm0->logs;
	r = add_low_memory(vm0);
	for (unsigned i = 0; !r && i < map->nr; i++)
		if (mem_holds_bytes(map->r[i].type))
			r = add_slot(vm0, map->r[i].base, map->r[i].base + map->r[i].size, &next);
	return r ? r : map_machine(vm0);
}

static bool allowed(const struct ept_mapping *map, const struct page_fault *fault)
{
	unsigned need = fault->fetch ? EPT_X : fault->write ? EPT_R | EPT_W : EPT_R;

	return (map->prot & need) == need;
}

/*
 * The page that one access to @gpa maps: of at most @max bytes, stored in *@size, all of one memory
 * type by the MTRRs. Returns that type. All below 4 GiB is mapped from the start, except under
 * addresses with a KeyID.
 */
static unsigned page_to_map(const struct vm0 *vm0, gpa_t gpa, u64 max, u64 *size)
{
	*size = max;
	gpa &= ~vm0->keyid_mask; /* the MTRRs do not see KeyIDs */
	if (gpa >= vm0->plain_from)
		return vm0->plain_type;
	*size = mtrr_uniform_page(&vm0->mtrr, gpa, max);
	return (unsigned)mtrr_type(&vm0->mtrr, gpa);
}

/* Log the first access to an address that the memory map does not describe, such as a device above
 * RAM. @error: the result of mapping it with @type; if negative, inject #GP. */
static int report_first_access(struct vcpu *vcpu, gpa_t gpa, int error, unsigned type)
{
	if (error) {
		pr_warn_ratelimited(
			"vCPU %u: guest-physical %lx cannot be mapped (error %d): #GP to the guest",
			vcpu->id, gpa, -error);
		queue_exception_e(vcpu, GP_VECTOR, 0);
		return 1;
	}
	pr_warn_ratelimited("vCPU %u: first access to %lx, which the memory map does not describe: "
			    "mapped %s, as the MTRRs say",
			    vcpu->id, gpa, memtype_name(type));
	return 1;
}

bool vm0_keeps_page(struct vm *vm, gpa_t gpa)
{
	const struct vm0 *vm0 = to_vm0(vm);

	return !vm0_touch_size(vm0, gpa, PAGE_SIZE) || icr_page_fault(vm0, gpa);
}

int vm0_page_fault(struct vcpu *vcpu, const struct page_fault *fault)
{
	struct vm0 *vm0 = to_vm0(vcpu->vm);
	struct ept *ept = &vcpu->vm->ept;
	gpa_t gpa = fault->address;
	/* One access maps one large page, so that a guest that touches all addresses does not use
	 * up the memory for tables. */
	u64 block = ept->caps.page_1g ? GIB(1) : MIB(2);
	struct ept_mapping map;
	unsigned type;
	int r;

	STEP(vm0_page_fault);
	block = vm0_touch_size(vm0, gpa, block);
	if (!block)
		return emulate_hidden_access(vcpu, fault);
	type = page_to_map(vm0, gpa, block, &block);
	r = ept_map_hole(ept, gpa, block, type);
	if (r != -EEXIST)
		return report_first_access(vcpu, gpa, r, type);
	if (icr_page_fault(vm0, gpa) && fault->write)
		return emulate_lapic_write(vcpu, fault);
	/* Another CPU may have mapped the address or lifted the ICR trap meanwhile. */
	if (ept_walk(ept, gpa, &map) && allowed(&map, fault))
		return 1;
	pr_warn_ratelimited("vCPU %u: guest-physical %lx may not be %s: #GP to the guest", vcpu->id,
			    gpa, fault->write ? "written" : "read or executed");
	queue_exception_e(vcpu, GP_VECTOR, 0);
	return 1;
}
