// SPDX-License-Identifier: MIT
/*
 * Which ports are watched for a reset or power-off, and how the machine is reset. The machine's end
 * is a jump back into the test.
 */
#include "tests/unit/stubs.h"
#include "tests/unit/guest_registers.h"

#include "arch/x86/lapic.h"
#include "arch/x86/smp.h"
#include "drivers/acpi.h"
#include "drivers/console.h"
#include "drivers/pit.h"
#include "drivers/reset.h"
#include "errno.h"
#include "lib/integrity.h"
#include "vmm/recorder_text.h"
#include "vmm/vcpu.h"
#include "vmm/virt_ops.h"
#include "vmm/vm0/bios.h"
#include "vmm/vm0/cmos.h"
#include "vmm/vm0/ports.h"

#include "vmm/vm0/power.c"

struct virt_ops virt_ops;

static struct acpi_info acpi;
static struct vm0 vm0;
static struct cpu machine_cpus[2];
static struct vcpu vcpus[2];
static bool apic_ready; /* smp_set_apic_mode() has been called */
static jmp_buf end;

/* ---- What power.c uses ---- */

int watch_port(struct vm0 *of, const struct port_watch *watch)
{
	of->watched[of->nr_watched++] = *watch;
	return 0;
}

bool port_is_watched(const struct vm0 *of, u16 port)
{
	for (unsigned i = 0; i < of->nr_watched; i++)
		if (of->watched[i].port == port)
			return true;
	return false;
}

void pio_out(struct vcpu *by, u16 port, unsigned size, u32 value)
{
	(void)by;
	(void)port;
	(void)size;
	(void)value;
	fail();
}

int cmos_init(struct vm0 *of)
{
	(void)of;
	return 0;
}

bool cmos_bios_returns(struct vm0 *of)
{
	(void)of;
	return false;
}

bool bios_present(struct vm *vm)
{
	(void)vm;
	return true;
}

bool acpi_is_power_off(const struct acpi_info *info, const struct acpi_reg *reg, unsigned slp_typ)
{
	(void)info;
	(void)reg;
	(void)slp_typ;
	return false;
}

void smp_set_apic_mode(void)
{
	apic_ready = true;
}

void vcpu_make_request(struct vcpu *vcpu, u32 request)
{
	assert_int_equal(request, REQ_STOP);
	assert_true(apic_ready);
	vcpu->cpu->virt_on = false;
}

void vcpu_deliver_init(struct vcpu *vcpu)
{
	(void)vcpu;
	fail();
}

bool lapic_send_ipi(u32 icr, u32 dest)
{
	(void)icr;
	(void)dest;
	return true;
}

void pit_delay_us(u32 us)
{
	(void)us;
}

void recorder_summary(const struct vcpu *vcpu)
{
	(void)vcpu;
}

void recorder_dump(const struct vcpu *vcpu, unsigned n)
{
	(void)vcpu;
	(void)n;
}

void integrity_check(void)
{
}

void console_flush(void)
{
}

void machine_reset(const struct acpi_info *info)
{
	assert_ptr_equal(info, &acpi);
	longjmp(end, 1);
}

static void hardware_disable(void)
{
}

/* ---- */

static int setup(void **state)
{
	(void)state;
	memset(&vm0, 0, sizeof(vm0));
	memset(&acpi, 0, sizeof(acpi));
	vm0.acpi = &acpi;
	vm0.vm.nr_vcpus = 2;
	for (unsigned i = 0; i < 2; i++) {
		machine_cpus[i] = (struct cpu){.id = i, .virt_on = true};
		vcpus[i] = (struct vcpu){.id = i, .vm = &vm0.vm, .cpu = &machine_cpus[i]};
		vm0.vm.vcpus[i] = &vcpus[i];
	}
	virt_ops =
		(struct virt_ops){.hardware_disable = hardware_disable, .get_sysreg = get_sysreg};
	log_clear();
	return 0;
}

/* Does power_init() watch the reset register at @address of @space? */
static bool watches(u64 address, u8 space)
{
	unsigned before = vm0.nr_watched;

	acpi.reset_reg = (struct acpi_reg){.address = address, .space = space};
	assert_int_equal(power_init(&vm0), 0);
	return vm0.nr_watched > before;
}

static void which_reset_registers(void **state)
{
	(void)state;
	assert_false(watches(0, ACPI_SPACE_IO));
	assert_false(watches(0x4ff, ACPI_SPACE_IO + 1));
	assert_false(watches(0x10064, ACPI_SPACE_IO));
	assert_false(watches(0xcf9, ACPI_SPACE_IO)); /* also PCI configuration */
	acpi.reset_is_smi = true;
	assert_false(watches(0xb2, ACPI_SPACE_IO));
	acpi.reset_is_smi = false;
	assert_true(watches(0xb2, ACPI_SPACE_IO));
	assert_int_equal(vm0.watched[0].port, 0xb2);
	assert_false(watches(0xb2, ACPI_SPACE_IO)); /* is watched already */
}

/* Their second bytes. */
static void which_power_registers(void **state)
{
	(void)state;
	acpi.pm1a_cnt = (struct acpi_reg){.address = 0xb004, .space = ACPI_SPACE_IO};
	assert_int_equal(power_init(&vm0), 0);
	assert_int_equal(vm0.nr_watched, 1);
	assert_int_equal(vm0.watched[0].port, 0xb005);
	acpi.pm1a_cnt.address = 0xffff;
	acpi.pm1b_cnt = (struct acpi_reg){.address = 0xb104, .space = ACPI_SPACE_IO + 1};
	assert_int_equal(power_init(&vm0), 0);
	assert_int_equal(vm0.nr_watched, 1);
}

/* Only its value resets, after the other CPU has left virtualisation, which needs the local APIC.
 */
static void the_reset_register_resets(void **state)
{
	const struct port_watch *watch = vm0.watched;
	u8 byte = 5;

	(void)state;
	acpi.reset_value = 6;
	assert_true(watches(0x4ff, ACPI_SPACE_IO));
	assert_true(watch->written(&vcpus[0], NULL, byte, &byte));
	assert_false(apic_ready);
	byte = 6;
	if (!setjmp(end)) {
		watch->written(&vcpus[0], NULL, byte, &byte);
		fail();
	}
	assert_true(apic_ready && !machine_cpus[1].virt_on);
	assert_true(log_has("Virtualisation is off on all CPUs.\nResetting the machine."));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(which_reset_registers, setup),
		cmocka_unit_test_setup(which_power_registers, setup),
		cmocka_unit_test_setup(the_reset_register_resets, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
