/* SPDX-License-Identifier: MIT */
/*
 * The ICR trap.
 */
#include "vmm/vm0/icr.h"
#include "arch/x86/lapic.h"
#include "arch/x86/msr.h"
#include "lib/log.h"
#include "vmm/virt_ops.h"

#define XAPIC_BROADCAST  0xffu
#define X2APIC_BROADCAST 0xffffffffu
#define DFR_CLUSTER      0x0fffffffu

int icr_trap(struct vm *vm, bool keep)
{
	/* A CPU that Glasshouse does not run must not be started by the guest either: it would run
	 * beside us. */
	for (unsigned i = 0; vm->acpi && i < vm->acpi->nr_cpus; i++) {
		bool ours = false;

		for (unsigned v = 0; v < vm->nr_vcpus; v++)
			ours |= vm->vcpus[v]->cpu->apic_id == vm->acpi->cpus[i].apic_id;
		keep |= !ours;
	}
	/* A CPU that cannot wait for a SIPI in non-root mode never sees one that is not trapped. */
	keep |= !virt->can_wait_for_sipi();
	vm->icr_keep = keep;
	vm->lapic_gpa = rdmsr(MSR_IA32_APICBASE) & PAGE_MASK & GENMASK(51, 12);
	if (vm->nr_vcpus == 1 && !keep)
		return 0;
	vm->icr_trapped = true;
	virt->set_msr_intercept(vm, MSR_X2APIC_ICR, false, true);
	return ept_protect(&vm->ept, vm->lapic_gpa, PAGE_SIZE, EPT_R);
}

static void icr_lift(struct vm *vm)
{
	virt->set_msr_intercept(vm, MSR_X2APIC_ICR, false, false);
	/* Who still has the old entry cached faults once more and finds that he may. */
	ept_protect(&vm->ept, vm->lapic_gpa, PAGE_SIZE, EPT_RWX);
	/* Not before: a CPU that faults meanwhile must find either the trap or the permission. */
	__atomic_store_n(&vm->icr_trapped, false, __ATOMIC_RELEASE);
	pr_info("All %u CPUs run: IPIs no longer exit.\n", vm->nr_vcpus);
}

void icr_vcpu_started(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;

	if (vcpu->started)
		return;
	vcpu->started = true;
	if (__atomic_add_fetch(&vm->nr_started, 1, __ATOMIC_ACQ_REL) == vm->nr_vcpus &&
	    vm->icr_trapped && !vm->icr_keep)
		icr_lift(vm);
}

bool icr_page_fault(const struct vm *vm, gpa_t gpa)
{
	return vm->icr_trapped && ALIGN_DOWN(gpa, PAGE_SIZE) == vm->lapic_gpa;
}

/* SDM: "Determining IPI Destination", "Logical Destination Mode in x2APIC Mode". */
static bool matches_logical(const struct vcpu *target, u32 dest, bool x2apic)
{
	if (x2apic) {
		u32 id = target->cpu->apic_id;

		return dest >> 16 == id >> 4 && dest & 1u << (id & 15);
	}
	if (target->lapic_dfr == DFR_CLUSTER)
		return dest >> 4 == target->lapic_ldr >> 28 &&
		       dest & (target->lapic_ldr >> 24 & 0xf);
	return dest & target->lapic_ldr >> 24;
}

static bool is_target(const struct vcpu *sender, const struct vcpu *target, u32 icr, u32 dest,
		      bool x2apic)
{
	switch (ICR_SHORTHAND(icr)) {
	case ICR_SHORTHAND_SELF:
		return target == sender;
	case ICR_SHORTHAND_ALL:
		return true;
	case ICR_SHORTHAND_OTHERS:
		return target != sender;
	}
	if (dest == (x2apic ? X2APIC_BROADCAST : XAPIC_BROADCAST))
		return true;
	return icr & ICR_LOGICAL ? matches_logical(target, dest, x2apic)
				 : target->cpu->apic_id == dest;
}

/* Returns true when the command was INIT or SIPI, which never reach the hardware. */
static bool carry_out(struct vcpu *vcpu, u32 icr, u32 dest, bool x2apic)
{
	u32 delivery = ICR_DELIVERY(icr);
	struct vm *vm = vcpu->vm;

	if (delivery != ICR_DELIVERY_INIT && delivery != ICR_DELIVERY_STARTUP)
		return false;
	/* INIT level de-assert only synchronised the arbitration IDs of long ago. */
	if (delivery == ICR_DELIVERY_INIT && icr & ICR_LEVEL && !(icr & ICR_ASSERT))
		return true;
	for (unsigned i = 0; i < vm->nr_vcpus; i++) {
		struct vcpu *target = vm->vcpus[i];

		if (!is_target(vcpu, target, icr, dest, x2apic))
			continue;
		if (delivery == ICR_DELIVERY_INIT)
			vcpu_deliver_init(target);
		else
			vcpu_deliver_sipi(target, (u8)icr);
	}
	return true;
}

void icr_write_mmio(struct vcpu *vcpu, u32 offset, u32 value)
{
	/* In x2APIC mode nothing is there. */
	if (lapic_is_x2apic())
		return;
	if (offset == LAPIC_LDR)
		vcpu->lapic_ldr = value;
	else if (offset == LAPIC_DFR)
		vcpu->lapic_dfr = value;
	else if (offset == LAPIC_ICR &&
		 carry_out(vcpu, value, lapic_read(LAPIC_ICR_HI) >> 24, false))
		return;
	lapic_write(offset, value);
}

int icr_write_x2apic(struct vcpu *vcpu, u64 value)
{
	if (lapic_is_x2apic() && carry_out(vcpu, (u32)value, (u32)(value >> 32), true))
		return 0;
	return wrmsr_safe(MSR_X2APIC_ICR, value) ? -EINVAL : 0;
}
