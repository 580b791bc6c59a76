/* SPDX-License-Identifier: MIT */
/*
 * Reset, power-off, sleep. See power.h.
 */
#include "vmm/vm0/power.h"
#include "arch/x86/cpu.h"
#include "arch/x86/io.h"
#include "arch/x86/lapic.h"
#include "arch/x86/smp.h"
#include "drivers/console.h"
#include "drivers/pit.h"
#include "drivers/reset.h"
#include "lib/log.h"
#include "lib/integrity.h"
#include "vmm/recorder_text.h"
#include "vmm/vcpu.h"
#include "vmm/virt_ops.h"
#include "vmm/vm0/bios.h"
#include "vmm/vm0/cmos.h"
#include "vmm/vm0/ports.h"

#define RESET_PORT 0xcf9
#define SLP_EN     (1u << 5) /* in the second byte of a PM1 control register */
#define SLP_TYP(b) ((b) >> 2 & 7u)

/* Has @vcpu's CPU switched virtualisation off? While it waits for a SIPI as a guest, a SIPI makes
 * it exit; an NMI does not. One that comes too early is lost, so each call sends it. */
static bool has_stopped(const struct vcpu *vcpu)
{
	if (!__atomic_load_n(&vcpu->cpu->virt_on, __ATOMIC_ACQUIRE))
		return true;
	if (__atomic_load_n(&vcpu->mp_state, __ATOMIC_ACQUIRE) == MP_STATE_WAIT_FOR_SIPI)
		lapic_send_ipi(ICR_DELIVERY_STARTUP << 8 | (u32)ICR_ASSERT, vcpu->cpu->apic_id);
	return false;
}

/* Make all other CPUs leave their run loop and switch virtualisation off. Returns false if one has
 * not done so within 100 ms. */
static bool stop_others(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;

	smp_set_apic_mode();
	for (unsigned i = 0; i < vm->nr_vcpus; i++)
		if (vm->vcpus[i] != vcpu)
			vcpu_make_request(vm->vcpus[i], REQ_STOP);
	for (int waited = 0; waited < 1000; waited++) {
		bool all = true;

		for (unsigned i = 0; i < vm->nr_vcpus; i++)
			if (vm->vcpus[i] != vcpu && !has_stopped(vm->vcpus[i]))
				all = false;
		if (all)
			return true;
		pit_delay_us(100);
	}
	return false;
}

/* Stop all vCPUs, print the statistics and switch virtualisation off, before a reset or power-off.
 * If several CPUs call this at the same time, it returns on the first and stops the others. */
static void leave_virtualisation(struct vcpu *vcpu)
{
	static bool ending;
	bool all;

	if (__atomic_exchange_n(&ending, true, __ATOMIC_ACQ_REL)) {
		virt->hardware_disable();
		cpu_stop();
	}
	all = stop_others(vcpu); /* before the summaries, as exits change the counts */
	for (unsigned i = 0; i < vcpu->vm->nr_vcpus; i++)
		recorder_summary(vcpu->vm->vcpus[i]);
	integrity_check();
	virt->hardware_disable();
	if (all)
		pr_info("Virtualisation is off on all CPUs.\n");
	else
		pr_warn("Some CPUs did not switch virtualisation off within 100 ms; the guest's "
			"reset or power-off continues.\n");
	console_flush();
}

void vm_reset(struct vcpu *vcpu)
{
	leave_virtualisation(vcpu);
	pr_info("Resetting the machine.\n");
	machine_reset(to_vm0(vcpu->vm)->acpi);
}

/* The vCPUs can start in real mode, as the BIOS does, and the BIOS returns to the guest. */
static bool returns_to_guest(struct vcpu *vcpu)
{
	return bios_present(vcpu->vm) && cmos_bios_returns(to_vm0(vcpu->vm));
}

static void init_all(struct vm *vm)
{
	for (unsigned i = 0; i < vm->nr_vcpus; i++)
		vcpu_deliver_init(vm->vcpus[i]);
}

void reset_cpus(struct vcpu *vcpu, const char *by)
{
	if (!returns_to_guest(vcpu)) {
		pr_info("vCPU %u: reset by %s.\n", vcpu->id, by);
		vm_reset(vcpu);
	}
	pr_info_ratelimited("vCPU %u: reset by %s. INIT to all CPUs: the shutdown code makes the "
			    "BIOS return to the guest",
			    vcpu->id, by);
	init_all(vcpu->vm);
}

void vm0_boot_cpu_init(struct vcpu *vcpu)
{
	if (returns_to_guest(vcpu))
		return;
	pr_info("vCPU %u: INIT to the boot CPU: resetting the machine.\n", vcpu->id);
	vm_reset(vcpu);
}

int vm0_triple_fault(struct vcpu *vcpu)
{
	if (returns_to_guest(vcpu)) {
		reset_cpus(vcpu, "a triple fault");
		return 1;
	}
	pr_err("vCPU %u: triple fault at RIP %lx, CR3 %lx: the guest cannot continue, the machine "
	       "is reset, as it would be without Glasshouse.\n",
	       vcpu->id, virt->get_sysreg(vcpu, SYSREG_RIP), virt->get_sysreg(vcpu, SYSREG_CR3));
	recorder_dump(vcpu, 8);
	vm_reset(vcpu);
}

int vm0_invalid_state(struct vcpu *vcpu)
{
	pr_err("vCPU %u: the CPU does not run the guest in this state, at RIP %lx: the guest is "
	       "lost, the machine is reset. Please report this with the lines above.\n",
	       vcpu->id, virt->get_sysreg(vcpu, SYSREG_RIP));
	recorder_dump(vcpu, 8);
	vm_reset(vcpu);
}

static bool reset_reg_written(struct vcpu *vcpu, __unused const struct pio_access *io,
			      __unused u32 value, u8 *byte)
{
	if (*byte == to_vm0(vcpu->vm)->acpi->reset_value) {
		pr_info("vCPU %u: reset by the ACPI reset register.\n", vcpu->id);
		vm_reset(vcpu);
	}
	return true;
}

/* The guest, which has written @reg, cannot write the other block itself; if there is one, both
 * must be written. */
static void power_off(struct vcpu *vcpu, const struct pio_access *io, u32 value,
		      const struct acpi_reg *reg) __noreturn;
static void power_off(struct vcpu *vcpu, const struct pio_access *io, u32 value,
		      const struct acpi_reg *reg)
{
	const struct acpi_info *acpi = to_vm0(vcpu->vm)->acpi;
	bool is_b = reg == &acpi->pm1b_cnt;
	const struct acpi_reg *other = is_b ? &acpi->pm1a_cnt : &acpi->pm1b_cnt;
	unsigned type = is_b ? acpi->slp_typa : acpi->slp_typb;

	pr_info("vCPU %u: power off.\n", vcpu->id);
	leave_virtualisation(vcpu);
	pio_out(vcpu, io->port, io->size, value);
	if (other->address && other->space == ACPI_SPACE_IO)
		pio_out(vcpu, (u16)other->address, 2,
			(inw((u16)other->address) & ~(7u << 10)) | (type << 2 | SLP_EN) << 8);
	cpu_stop();
}

/* The second byte of a PM1 control register. SLP_EN with the SLP_TYP of S5 switches the machine
 * off, with another SLP_TYP the machine sleeps. ACPI: "PM1 Control Registers". */
static bool pm1_written(struct vcpu *vcpu, const struct pio_access *io, u32 value,
			const struct acpi_reg *reg, u8 byte)
{
	if (!(byte & SLP_EN))
		return true;
	if (acpi_is_power_off(to_vm0(vcpu->vm)->acpi, reg, SLP_TYP(byte)))
		power_off(vcpu, io, value, reg);
	pr_warn_ratelimited(
		"vCPU %u: the machine goes to sleep (type %u). From a sleep in which the "
		"CPUs lose their state, the guest wakes without Glasshouse",
		vcpu->id, SLP_TYP(byte));
	return true;
}

static bool pm1a_written(struct vcpu *vcpu, const struct pio_access *io, u32 value, u8 *byte)
{
	return pm1_written(vcpu, io, value, &to_vm0(vcpu->vm)->acpi->pm1a_cnt, *byte);
}

static bool pm1b_written(struct vcpu *vcpu, const struct pio_access *io, u32 value, u8 *byte)
{
	return pm1_written(vcpu, io, value, &to_vm0(vcpu->vm)->acpi->pm1b_cnt, *byte);
}

static int watch_pm1(struct vm0 *vm0, const struct acpi_reg *reg,
		     bool (*written)(struct vcpu *vcpu, const struct pio_access *io, u32 value,
				     u8 *byte))
{
	if (!reg->address || reg->space != ACPI_SPACE_IO || reg->address > 0xfffe)
		return 0;
	return watch_port(
		vm0, &(struct port_watch){.port = (u16)(reg->address + 1), .written = written});
}

/* A reset register that is SMI_CMD gets many other commands, too, whose handlers read the caller's
 * registers. It is not watched: the guest's write resets the machine. */
static int watch_reset_reg(struct vm0 *vm0)
{
	const struct acpi_reg *reg = &vm0->acpi->reset_reg;

	if (!reg->address || reg->space != ACPI_SPACE_IO || reg->address > 0xffff ||
	    (reg->address & ~3ull) == (RESET_PORT & ~3ull) || vm0->acpi->reset_is_smi ||
	    port_is_watched(vm0, (u16)reg->address))
		return 0;
	return watch_port(
		vm0, &(struct port_watch){.port = (u16)reg->address, .written = reset_reg_written});
}

int power_init(struct vm0 *vm0)
{
	int r = cmos_init(vm0);

	if (!r)
		r = watch_pm1(vm0, &vm0->acpi->pm1a_cnt, pm1a_written);
	if (!r)
		r = watch_pm1(vm0, &vm0->acpi->pm1b_cnt, pm1b_written);
	return r ? r : watch_reset_reg(vm0);
}
