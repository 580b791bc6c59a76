/* SPDX-License-Identifier: MIT */
/*
 * The ICR trap. See icr.h.
 */
#include "vmm/vm0/icr.h"
#include "arch/x86/cpu.h"
#include "arch/x86/lapic.h"
#include "arch/x86/msr.h"
#include "arch/x86/smp.h"
#include "errno.h"
#include "lib/log.h"
#include "lib/spinlock.h"
#include "vmm/recorder_text.h"
#include "vmm/vcpu.h"
#include "vmm/virt_ops.h"

#define XAPIC_BROADCAST  0xffu
#define X2APIC_BROADCAST 0xffffffffu
#define DFR_MODEL(dfr)   ((dfr) >> 28) /* the other bits are reserved */
#define DFR_CLUSTER      0u

/* Reserved in x2APIC mode. Bit 12 is, too, but Intel's CPUs ignore it. SDM: "ICR Operation in
 * x2APIC Mode". */
#define X2APIC_ICR_RESERVED 0xfff32000u

/* Is the CPU with @apic_id under Glasshouse's control, so that the guest cannot start it natively?
 * It is if it runs a vCPU or is parked in root mode. */
static bool is_controlled(u32 apic_id)
{
	const struct cpu *cpu = cpu_find(apic_id);

	return cpu && (cpu->vcpu || __atomic_load_n(&cpu->virt_on, __ATOMIC_ACQUIRE));
}

int icr_trap(struct vm0 *vm0, bool keep)
{
	struct vm *vm = &vm0->vm;

	/* The guest must not start a CPU that Glasshouse does not control: it would run natively
	 * and could access Glasshouse's memory. */
	for (unsigned i = 0; i < vm0->acpi->nr_cpus; i++)
		keep |= !is_controlled(vm0->acpi->cpus[i].apic_id);
	keep |= vm0->acpi->nr_skipped_cpus > 0;
	/* A hypervisor below may add CPUs that its tables call absent. */
	keep |= vm0->acpi->nr_absent_cpus > 0 && cpu_is_virtual();
	/* Neither ACPI nor the firmware has named a CPU: there may be more than this one. */
	keep |= !vm0->acpi->nr_cpus && vm->nr_vcpus == 1;
	/* A CPU that waits in root mode does not receive SIPIs that are not trapped. */
	keep |= !virt->can_wait_for_sipi();
	vm0->icr_keep = keep;
	vm0->in_firmware = vm->vcpus[0]->cpu->firmware;
	vm0->lapic_gpa = rdmsr(MSR_IA32_APICBASE) & PAGE_MASK & GENMASK(51, 12);
	vm0->icr_trapped = vm->nr_vcpus > 1 || keep;
	virt->set_msr_intercept(vm, MSR_X2APIC_ICR, false, vm0->icr_trapped);
	return vm0->icr_trapped ? ept_protect(&vm->ept, vm0->lapic_gpa, PAGE_SIZE, EPT_R) : 0;
}

static void icr_lift(struct vm0 *vm0)
{
	struct vm *vm = &vm0->vm;

	virt->set_msr_intercept(vm, MSR_X2APIC_ICR, false, false);
	/* No TLB flush: a CPU that still caches the old entry faults once more, and
	 * vm0_page_fault() finds the access allowed. */
	ept_protect(&vm->ept, vm0->lapic_gpa, PAGE_SIZE, EPT_RWX);
	/* Only now: the handler of a fault meanwhile must find the trap or the permission. */
	__atomic_store_n(&vm0->icr_trapped, false, __ATOMIC_RELEASE);
	pr_info("All %u CPUs run: IPIs no longer exit.\n", vm->nr_vcpus);
}

/* The vCPUs whose CPUs cpus= leaves out run only the firmware. */
static unsigned nr_to_start(const struct vm *vm)
{
	unsigned n = 0;

	for (unsigned i = 0; i < vm->nr_vcpus; i++)
		n += !vm->vcpus[i]->cpu->parked;
	return n;
}

void icr_vcpu_started(struct vcpu *vcpu)
{
	struct vm0 *vm0 = to_vm0(vcpu->vm);
	struct vm0_vcpu *v = to_vm0_vcpu(vcpu);

	if (v->started || vcpu->cpu->parked || vm0->in_firmware)
		return;
	spin_lock(&vm0->icr_lock);
	v->started = true;
	vm0->nr_started++;
	if (vm0->nr_started == nr_to_start(&vm0->vm) && vm0->icr_trapped && !vm0->icr_keep)
		icr_lift(vm0);
	spin_unlock(&vm0->icr_lock);
}

bool icr_vcpu_stops(struct vcpu *vcpu)
{
	struct vm0 *vm0 = to_vm0(vcpu->vm);
	struct vm0_vcpu *v = to_vm0_vcpu(vcpu);
	bool trapped;

	spin_lock(&vm0->icr_lock);
	trapped = vm0->icr_trapped;
	if (trapped && v->started) {
		v->started = false;
		vm0->nr_started--;
	}
	spin_unlock(&vm0->icr_lock);
	return trapped;
}

void icr_firmware_ends(struct vcpu *vcpu)
{
	struct vm0 *vm0 = to_vm0(vcpu->vm);
	u64 exits = 0;

	if (!__atomic_exchange_n(&vm0->in_firmware, false, __ATOMIC_ACQ_REL))
		return;
	for (unsigned i = 0; i < vcpu->vm->nr_vcpus; i++)
		exits += recorder_total(vcpu->vm->vcpus[i]);
	pr_info("The firmware's boot services have ended, after %lu exits: "
		"the operating system has the machine.\n",
		exits);
	icr_vcpu_started(vcpu);
}

void icr_apic_reset(struct vcpu *vcpu)
{
	to_vm0_vcpu(vcpu)->lapic_ldr = 0;
	to_vm0_vcpu(vcpu)->lapic_dfr = ~0u;
}

bool icr_page_fault(const struct vm0 *vm0, gpa_t gpa)
{
	return vm0->icr_trapped && ALIGN_DOWN(gpa, PAGE_SIZE) == vm0->lapic_gpa;
}

/* SDM: "Determining IPI Destination", "Logical Destination Mode in x2APIC Mode". */
static bool matches_logical(const struct vcpu *target, u32 dest, bool x2apic)
{
	const struct vm0_vcpu *v;

	if (x2apic) {
		u32 id = target->cpu->apic_id;

		return dest >> 16 == id >> 4 && dest & 1u << (id & 15);
	}
	v = to_vm0_vcpu(target);
	if (DFR_MODEL(v->lapic_dfr) == DFR_CLUSTER)
		return dest >> 4 == v->lapic_ldr >> 28 && dest & (v->lapic_ldr >> 24 & 0xf);
	return dest & v->lapic_ldr >> 24;
}

static bool is_target(const struct vcpu *sender, const struct vcpu *target, u32 icr, u32 dest,
		      bool x2apic)
{
	if (target->cpu->apic_off)
		return false;
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

/* Send INIT or SIPI to the vCPUs that it is for. */
static void deliver_icr(struct vcpu *vcpu, u32 icr, u32 dest, bool x2apic)
{
	u32 delivery = ICR_DELIVERY(icr);
	struct vm *vm = vcpu->vm;

	/* Drop INIT level de-assert: it only synchronises the arbitration IDs of old CPUs. */
	if (delivery == ICR_DELIVERY_INIT && icr & ICR_LEVEL && !(icr & ICR_ASSERT))
		return;
	for (unsigned i = 0; i < vm->nr_vcpus; i++) {
		struct vcpu *target = vm->vcpus[i];

		if (!is_target(vcpu, target, icr, dest, x2apic))
			continue;
		if (delivery == ICR_DELIVERY_INIT)
			vcpu_deliver_init(target);
		else
			vcpu_deliver_sipi(target, (u8)icr);
	}
}

/*
 * Emulate INIT and SIPI, which do not reach the hardware while the trap is there. Returns false for
 * other commands, and if the trap has been lifted, which this vCPU need not know yet. The lock: a
 * vCPU that finds the trap lifted when an INIT arrives has got all emulated SIPIs.
 */
static bool emulate_icr(struct vcpu *vcpu, u32 icr, u32 dest, bool x2apic)
{
	struct vm0 *vm0 = to_vm0(vcpu->vm);
	u32 delivery = ICR_DELIVERY(icr);
	bool trapped;

	if (delivery != ICR_DELIVERY_INIT && delivery != ICR_DELIVERY_STARTUP)
		return false;
	spin_lock(&vm0->icr_lock);
	trapped = vm0->icr_trapped;
	if (trapped)
		deliver_icr(vcpu, icr, dest, x2apic);
	spin_unlock(&vm0->icr_lock);
	return trapped;
}

void icr_write_mmio(struct vcpu *vcpu, u32 offset, u32 value)
{
	/* While the local APIC is off or in x2APIC mode, it has no memory-mapped registers. */
	if (!lapic_is_on() || lapic_is_x2apic())
		return;
	if (offset == LAPIC_LDR)
		to_vm0_vcpu(vcpu)->lapic_ldr = value;
	else if (offset == LAPIC_DFR)
		to_vm0_vcpu(vcpu)->lapic_dfr = value;
	else if (offset == LAPIC_ICR &&
		 emulate_icr(vcpu, value, lapic_read(LAPIC_ICR_HI) >> 24, false))
		return;
	lapic_write(offset, value);
}

int icr_write_x2apic(struct vcpu *vcpu, u32 msr, u64 value)
{
	if (lapic_is_x2apic() && !(value & X2APIC_ICR_RESERVED) &&
	    emulate_icr(vcpu, (u32)value, (u32)(value >> 32), true))
		return 0;
	return wrmsr_safe(msr, value) ? -EINVAL : 0;
}
