/* SPDX-License-Identifier: MIT */
/*
 * Making VMs.
 */
#include "vmm/vm.h"
#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"
#include "arch/x86/paging.h"
#include "lib/pages.h"
#include "vmm/virt_ops.h"

static void read_mtrrs(struct mtrr_state *m)
{
	static const u32 fixed[MTRR_NR_FIXED] = {
		MSR_MTRRfix64K_00000,    MSR_MTRRfix16K_80000,    MSR_MTRRfix16K_A0000,
		MSR_MTRRfix4K_C0000,     MSR_MTRRfix4K_C0000 + 1, MSR_MTRRfix4K_C0000 + 2,
		MSR_MTRRfix4K_C0000 + 3, MSR_MTRRfix4K_C0000 + 4, MSR_MTRRfix4K_C0000 + 5,
		MSR_MTRRfix4K_C0000 + 6, MSR_MTRRfix4K_F8000,
	};
	u64 cap, def = 0;

	m->phys_bits = (u8)cpuid(0x80000008, 0).eax;
	if (rdmsr_safe(MSR_MTRRcap, &cap) || rdmsr_safe(MSR_MTRRdefType, &def))
		return; /* none: all is uncached, which is always right */
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

struct vm *create_vm(void)
{
	struct vm *vm = pages_alloc(ALIGN_UP(sizeof(*vm), PAGE_SIZE) / PAGE_SIZE);

	if (!vm)
		return NULL;
	read_mtrrs(&vm->mtrr);
	if (virt->vm_init(vm))
		return NULL;
	return vm;
}

int set_memory_region(struct vm *vm, gfn_t base_gfn, u64 npages, u64 hva)
{
	struct memory_slot slot = {base_gfn, npages, hva};

	for (unsigned i = 0; i < vm->nr_slots; i++)
		if (ranges_overlap(base_gfn, npages, vm->slots[i].base_gfn, vm->slots[i].npages))
			return -EEXIST;
	if (vm->nr_slots == VM_MAX_SLOTS)
		return -ENOSPC;
	vm->slots[vm->nr_slots++] = slot;
	return 0;
}

struct vcpu *create_vcpu(struct vm *vm, struct cpu *cpu)
{
	struct vcpu *vcpu = vm->nr_vcpus < VM_MAX_VCPUS ? virt->vcpu_create(vm, cpu) : NULL;

	if (!vcpu)
		return NULL;
	vcpu->id = vm->nr_vcpus;
	vcpu->lapic_dfr = ~0u;
	vcpu_set_mp_state(vcpu, MP_STATE_INIT_RECEIVED);
	vm->vcpus[vm->nr_vcpus++] = vcpu;
	return vcpu;
}
