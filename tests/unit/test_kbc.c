// SPDX-License-Identifier: MIT
/*
 * What reaches the machine of the guest's writes to the keyboard controller and to port 92h: never
 * what switches A20 off or resets the CPUs.
 */
#include "tests/unit/stubs.h"
#include "tests/unit/guest_registers.h"

#include "vmm/vcpu.h"
#include "vmm/virt_ops.h"
#include "vmm/vm0/kbc.h"
#include "vmm/vm0/ports.h"
#include "vmm/vm0/power.h"

struct virt_ops virt_ops;

static struct vm0 vm0;
static struct vcpu vcpu = {.vm = &vm0.vm};
static u8 port92;
static unsigned resets, data_exits;

int watch_port(struct vm0 *of, const struct port_watch *watch)
{
	of->watched[of->nr_watched++] = *watch;
	return 0;
}

void watch_later(struct vcpu *by, u16 first, u16 last)
{
	(void)by;
	assert_true(first == 0x60 && last == 0x60);
	data_exits++;
}

u8 pio_in(struct vcpu *by, u16 port)
{
	(void)by;
	assert_int_equal(port, 0x92);
	return port92;
}

void reset_cpus(struct vcpu *by, const char *what)
{
	(void)by;
	(void)what;
	resets++;
}

static int setup(void **state)
{
	(void)state;
	memset(&vm0, 0, sizeof(vm0));
	virt_ops.get_sysreg = get_sysreg;
	resets = data_exits = 0;
	port92 = 2;
	assert_int_equal(kbc_init(&vm0), 0);
	return 0;
}

/* The guest writes @byte to @port. Returns what the machine gets, or -1. */
static int out(u16 port, u8 byte)
{
	for (unsigned i = 0; i < vm0.nr_watched; i++)
		if (vm0.watched[i].port == port)
			return vm0.watched[i].written(&vcpu, NULL, byte, &byte) ? byte : -1;
	fail();
	return -1;
}

static void port_92h(void **state)
{
	(void)state;
	for (unsigned byte = 0; byte < 256; byte += 2)
		assert_int_equal(out(0x92, (u8)byte), byte | 2);
	assert_int_equal(resets, 0);
	for (unsigned byte = 1; byte < 256; byte += 2)
		assert_int_equal(out(0x92, (u8)byte), -1);
	assert_int_equal(resets, 128);
	port92 = 3; /* the bit is set already: no edge */
	assert_int_equal(out(0x92, 0x01), 0x03);
	assert_int_equal(resets, 128);
}

static void commands(void **state)
{
	(void)state;
	for (unsigned byte = 0; byte < 0xf0; byte++)
		if (byte != 0xd1 && byte != 0xdd)
			assert_int_equal(out(0x64, (u8)byte), byte);
	assert_int_equal(out(0x64, 0xdd), -1); /* A20 off */
	assert_int_equal(data_exits, 0);
	/* Pulses of the lines whose bits are 0. */
	for (unsigned byte = 0xf0; byte < 0x100; byte++)
		assert_int_equal(out(0x64, (u8)byte), byte & 1 ? (int)byte | 2 : -1);
	assert_int_equal(resets, 8);
}

/* The command D1h and its byte. Another command between them takes the byte away. */
static void output_port(void **state)
{
	(void)state;
	assert_int_equal(out(0x60, 0x00), 0x00);
	assert_int_equal(out(0x64, 0xd1), -1);
	assert_int_equal(data_exits, 1);
	assert_int_equal(out(0x60, 0xdd), -1);
	assert_true(log_has("switches A20 off"));
	assert_int_equal(out(0x60, 0xdd), 0xdd);
	assert_int_equal(resets, 0);
	out(0x64, 0xd1);
	assert_int_equal(out(0x60, 0xde), -1);
	assert_int_equal(resets, 1);
	out(0x64, 0xd1);
	assert_int_equal(out(0x64, 0x20), 0x20);
	assert_int_equal(out(0x60, 0xde), 0xde);
	assert_int_equal(resets, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(port_92h, setup),
		cmocka_unit_test_setup(commands, setup),
		cmocka_unit_test_setup(output_port, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
