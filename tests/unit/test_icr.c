// SPDX-License-Identifier: MIT
/*
 * The trap of the local APIC's ICR: which vCPUs get an INIT or a SIPI, and what reaches the
 * machine.
 */
#include "tests/unit/stubs.h"

#include "arch/x86/lapic.h"
#include "arch/x86/msr.h"
#include "arch/x86/percpu.h"
#include "arch/x86/smp.h"
#include "vmm/recorder_text.h"
#include "vmm/virt_ops.h"

#define rdmsr(msr)             ((u64)(msr))
#define wrmsr_safe(msr, value) fake_wrmsr(msr, value)
static int fake_wrmsr(u32 msr, u64 value);
#include "vmm/vm0/icr.c"
#undef rdmsr
#undef wrmsr_safe

#define CPUS 4
#define INIT 0x4500u
#define SIPI 0x4610u

struct virt_ops virt_ops;

static struct vm0 vm0;
static struct cpu machine_cpus[CPUS];
static struct vcpu vcpus[CPUS];
static unsigned inits, sipis; /* bits: the vCPUs that got one */
static u32 regs[0x400], written_msr;
static u64 written_value;
static bool x2apic;

/* ---- What icr.c uses ---- */

static int fake_wrmsr(u32 msr, u64 value)
{
	written_msr = msr;
	written_value = value;
	return value & X2APIC_ICR_RESERVED ? -1 : 0;
}

bool lapic_is_on(void)
{
	return true;
}

bool lapic_is_x2apic(void)
{
	return x2apic;
}

u32 lapic_read(u32 offset)
{
	return regs[offset];
}

void lapic_write(u32 offset, u32 value)
{
	regs[offset] = value;
}

void vcpu_deliver_init(struct vcpu *vcpu)
{
	inits |= 1u << vcpu->id;
}

void vcpu_deliver_sipi(struct vcpu *vcpu, u8 vector)
{
	assert_int_equal(vector, 0x10);
	sipis |= 1u << vcpu->id;
}

bool cpu_is_virtual(void)
{
	return false;
}

struct cpu *cpu_find(u32 apic_id)
{
	return apic_id < CPUS ? &machine_cpus[apic_id] : NULL;
}

int ept_protect(struct ept *ept, gpa_t gpa, u64 size, unsigned prot)
{
	(void)ept;
	(void)gpa;
	(void)size;
	(void)prot;
	return 0;
}

u64 recorder_total(const struct vcpu *vcpu)
{
	(void)vcpu;
	return 0;
}

/* ---- */

static int setup(void **state)
{
	(void)state;
	memset(&vm0, 0, sizeof(vm0));
	memset(regs, 0, sizeof(regs));
	vm0.icr_trapped = true;
	vm0.vm.nr_vcpus = CPUS;
	for (unsigned i = 0; i < CPUS; i++) {
		machine_cpus[i].apic_id = i;
		vcpus[i] = (struct vcpu){.id = i, .vm = &vm0.vm, .cpu = &machine_cpus[i]};
		vm0.vm.vcpus[i] = &vcpus[i];
		icr_apic_reset(&vcpus[i]);
	}
	inits = sipis = written_msr = 0;
	x2apic = false;
	return 0;
}

/* vCPU 0 sends @icr to @dest, in xAPIC mode. */
static void send(u32 icr, u32 dest)
{
	inits = sipis = 0;
	icr_write_mmio(&vcpus[0], LAPIC_ICR_HI, dest << 24);
	icr_write_mmio(&vcpus[0], LAPIC_ICR, icr);
}

static void set_model(u32 dfr, const u8 *ids)
{
	for (unsigned i = 0; i < CPUS; i++) {
		icr_write_mmio(&vcpus[i], LAPIC_DFR, dfr);
		icr_write_mmio(&vcpus[i], LAPIC_LDR, (u32)ids[i] << 24);
	}
}

static void physical_destinations(void **state)
{
	(void)state;
	send(INIT, 2);
	assert_int_equal(inits, 1 << 2);
	send(SIPI, 3);
	assert_int_equal(sipis, 1 << 3);
	send(INIT, 7);
	assert_int_equal(inits, 0);
	send(INIT, 0xff);
	assert_int_equal(inits, 0xf);
	send(INIT | ICR_SHORTHAND_OTHERS << 18, 0);
	assert_int_equal(inits, 0xe);
	send(INIT | ICR_SHORTHAND_ALL << 18, 0);
	assert_int_equal(inits, 0xf);
	send(ICR_DELIVERY_INIT << 8 | (u32)ICR_LEVEL, 2); /* de-assert */
	assert_int_equal(inits, 0);
	assert_int_equal(regs[LAPIC_ICR], 0);
}

/* After a reset the model is flat, and no destination reaches the CPU. */
static void flat_destinations_are_bits(void **state)
{
	(void)state;
	send(INIT | (u32)ICR_LOGICAL, 0x0f);
	assert_int_equal(inits, 0);
	set_model(0xffffffff, (u8[]){1, 2, 4, 0x88});
	assert_int_equal(regs[LAPIC_DFR], 0xffffffff);
	assert_int_equal(regs[LAPIC_LDR], 0x88000000);
	send(INIT | (u32)ICR_LOGICAL, 0x05);
	assert_int_equal(inits, 5);
	send(SIPI | (u32)ICR_LOGICAL, 0x80);
	assert_int_equal(sipis, 8);
	/* Only the model's four bits count. */
	set_model(0xf0000000, (u8[]){1, 2, 4, 0x88});
	send(INIT | (u32)ICR_LOGICAL, 0x06);
	assert_int_equal(inits, 6);
	icr_apic_reset(&vcpus[1]);
	send(INIT | (u32)ICR_LOGICAL, 0x06);
	assert_int_equal(inits, 4);
}

/* SDM: "Logical Destination Mode": bits 31:28 of DFR choose the model, and the others are reserved.
 */
static void clusters_have_a_number(void **state)
{
	static const u32 models[] = {0x0fffffff, 0, 0x00000001};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(models); i++) {
		set_model(models[i], (u8[]){0x01, 0x02, 0x11, 0x12});
		send(INIT | (u32)ICR_LOGICAL, 0x03);
		assert_int_equal(inits, 0x3);
		send(INIT | (u32)ICR_LOGICAL, 0x12);
		assert_int_equal(inits, 0x8);
		send(SIPI | (u32)ICR_LOGICAL, 0x23);
		assert_int_equal(sipis, 0);
		send(SIPI | (u32)ICR_LOGICAL, 0xff);
		assert_int_equal(sipis, 0xf);
	}
}

static void x2apic_destinations(void **state)
{
	(void)state;
	x2apic = true;
	assert_int_equal(icr_write_x2apic(&vcpus[0], MSR_X2APIC_ICR, 3ull << 32 | INIT), 0);
	assert_int_equal(inits, 8);
	assert_int_equal(
		icr_write_x2apic(&vcpus[0], MSR_X2APIC_ICR, 6ull << 32 | SIPI | ICR_LOGICAL), 0);
	assert_int_equal(sipis, 6);
	assert_int_equal(icr_write_x2apic(&vcpus[0], MSR_X2APIC_ICR, 0xffffffffull << 32 | INIT),
			 0);
	assert_int_equal(inits, 0xf);
	assert_int_equal(written_msr, 0);
	/* An interrupt goes to the machine. */
	assert_int_equal(icr_write_x2apic(&vcpus[0], MSR_X2APIC_ICR, 2ull << 32 | 0x4033), 0);
	assert_int_equal(written_msr, MSR_X2APIC_ICR);
	assert_true(written_value == (2ull << 32 | 0x4033));
}

/* SDM: "Error Handling in x2APIC Mode": #GP. The machine decides, and sends nothing. */
static void reserved_bits_send_nothing(void **state)
{
	(void)state;
	x2apic = true;
	for (unsigned bit = 0; bit < 32; bit++) {
		bool reserved = bit == 13 || bit == 16 || bit == 17 || bit >= 20;
		u64 value = 2ull << 32 | INIT | BIT(bit);

		inits = 0;
		if (bit >= 8 && bit <= 10)
			continue;
		assert_int_equal(icr_write_x2apic(&vcpus[0], MSR_X2APIC_ICR, value),
				 reserved ? -EINVAL : 0);
		assert_true(reserved ? !inits && written_value == value : inits);
	}
}

/* SDM: "Enabling or Disabling the Local APIC": such a CPU is one without it. */
static void a_local_apic_that_is_off_gets_nothing(void **state)
{
	(void)state;
	machine_cpus[2].apic_off = true;
	send(INIT, 2);
	assert_int_equal(inits, 0);
	send(SIPI | ICR_SHORTHAND_OTHERS << 18, 0);
	assert_int_equal(sipis, 0xa);
	machine_cpus[2].apic_off = false;
	send(INIT, 2);
	assert_int_equal(inits, 1 << 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(physical_destinations, setup),
		cmocka_unit_test_setup(flat_destinations_are_bits, setup),
		cmocka_unit_test_setup(clusters_have_a_number, setup),
		cmocka_unit_test_setup(x2apic_destinations, setup),
		cmocka_unit_test_setup(reserved_bits_send_nothing, setup),
		cmocka_unit_test_setup(a_local_apic_that_is_off_gets_nothing, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
