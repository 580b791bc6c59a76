// SPDX-License-Identifier: MIT
/*
 * VM 0's CMOS RAM and keyboard controller, on machines of each kind: what the guest reads, and what
 * never reaches the machine, even if another CPU accesses a data port that does not exit yet.
 */
#include "tests/unit/stubs.h"

/* Instead of the ports: a CMOS RAM, a keyboard controller, port 92h. */
#define GH_IO_H
static enum { NOTHING, BANK, ALIAS } kind; /* of 72h to 77h */
static bool index_readable, guest_runs;
static u8 reg[128], bank[128], cmos_index, bank_index;
static u8 command, output_port, keyboard, port92;
static bool as_guest; /* an access that exits, with the guest's registers */

static u8 read_reg(void)
{
	static u8 undefined;
	u8 index = cmos_index & 0x7f;

	/* The firmware has locked these. */
	return index >= 0x38 && index <= 0x3f ? undefined++ : reg[index];
}

static u8 inb(u16 port)
{
	switch (port) {
	case 0x60:
		return 0x1c;
	case 0x70:
	case 0x74:
		return index_readable ? cmos_index & 0x7f : 0xff;
	case 0x71:
		return read_reg();
	case 0x73:
	case 0x75:
	case 0x77:
		if (kind == ALIAS)
			return read_reg();
		return kind == BANK && port != 0x75 ? bank[bank_index] : 0xff;
	case 0x92:
		assert_true(as_guest);
		return port92;
	default:
		return 0xff;
	}
}

static void outb(u16 port, u8 value)
{
	switch (port) {
	case 0x60:
		if (command == 0xd1)
			output_port = value;
		else
			keyboard = value;
		command = 0;
		break;
	case 0x64:
		command = value;
		break;
	case 0x70:
		cmos_index = value;
		break;
	case 0x71:
		reg[cmos_index & 0x7f] = value;
		break;
	case 0x72:
	case 0x74:
	case 0x76:
		if (kind == ALIAS)
			cmos_index = (cmos_index & 0x80) | (value & 0x7f);
		else if (kind == BANK && port != 0x74)
			bank_index = value & 0x7f;
		break;
	case 0x73:
	case 0x75:
	case 0x77:
		if (kind == ALIAS)
			reg[cmos_index & 0x7f] = value;
		else if (kind == BANK && port != 0x75)
			bank[bank_index] = value;
		break;
	case 0x92:
		port92 = value;
		break;
	}
	assert_true(!guest_runs || reg[0x0f] == 0);
	assert_true(output_port == 3 && command < 0xf0);
}

#include "vmm/vm0/cmos.c"
#include "vmm/vm0/kbc.c"

static struct vm0 vm0;
static struct cpu cpu;
static struct vcpu vcpu = {.cpu = &cpu};
static bool exits[0x100]; /* on this CPU and on the others */
static unsigned resets, waits;
static u64 rip;

static void set_io_intercept(struct vm *vm, u16 port)
{
	(void)vm;
	exits[port] = true;
}

static u64 get_sysreg(struct vcpu *v, enum sysreg sysreg)
{
	(void)v;
	(void)sysreg;
	return rip;
}

struct virt_ops virt_ops = {.set_io_intercept = set_io_intercept, .get_sysreg = get_sysreg};

/* The last that other CPUs write without an exit. */
void enforce_intercepts(struct vcpu *v)
{
	(void)v;
	waits++;
	outb(0x71, 0x0a);
	outb(0x60, 0xdd);
}

void reset_cpus(struct vcpu *v, const char *by)
{
	(void)v;
	(void)by;
	resets++;
}

/* An SMI that the access causes finds the guest's registers; only DX and AX are the access'. */
static void registers_are_the_guests(const u64 *regs)
{
	for (unsigned i = 0; i < VCPU_NR_REGS; i++) {
		u64 own = i == VCPU_RAX ? 0xffffffff : i == VCPU_RDX ? 0xffff : 0;

		assert_true((regs[i] & ~own) == (vcpu.regs[i] & ~own));
	}
}

void pio_as_guest(u64 *regs, u64 k);
void pio_as_guest(u64 *regs, u64 k)
{
	u16 port = (u16)regs[VCPU_RDX];
	unsigned size = 1u << k % 3;

	registers_are_the_guests(regs);
	as_guest = true;
	for (unsigned i = 0; i < size; i++) {
		if (k < 3)
			outb((u16)(port + i), (u8)(regs[VCPU_RAX] >> 8 * i));
		else
			((u8 *)&regs[VCPU_RAX])[i] = inb((u16)(port + i));
	}
	as_guest = false;
}

static void guest_out(u16 port, u8 value)
{
	if (exits[port])
		vm0_pio(&vcpu, &(struct pio_access){.port = port, .size = 1}, value);
	else
		outb(port, value);
}

static u8 guest_in(u16 port)
{
	if (!exits[port])
		return inb(port);
	return (u8)vm0_pio(&vcpu, &(struct pio_access){.port = port, .size = 1, .in = true}, 0);
}

static u8 guest_reg(u16 index_port, u8 index)
{
	guest_out(index_port, index);
	return guest_in(index_port + 1);
}

static void boot(void)
{
	guest_runs = false;
	for (unsigned i = 0; i < 128; i++) {
		reg[i] = (u8)(3 * i + 1);
		bank[i] = (u8)(5 * i);
	}
	memset(&vm0, 0, sizeof(vm0));
	memset(exits, 0, sizeof(exits));
	vm0.hidden[0] = (struct mem_range){.base = MIB(20), .size = MIB(2)};
	vcpu.vm = &vm0.vm;
	vm0.vm.vcpus[0] = &vcpu;
	for (unsigned i = 0; i < VCPU_NR_REGS; i++)
		vcpu.regs[i] = 0x0123456789abcdef * (i + 1);
	command = keyboard = 0;
	output_port = 3;
	port92 = 2;
	resets = waits = 0;
	cmos_index = 0x0f;
	reg[0x30] = 0;
	reg[0x31] = 0x80; /* 32 MiB from 1 MiB on */
	assert_int_equal(cmos_init(&vm0), 0);
	assert_int_equal(kbc_init(&vm0), 0);
	guest_runs = true;
}

static int setup(void **state)
{
	(void)state;
	kind = NOTHING;
	index_readable = false;
	cpu.firmware = NULL;
	boot();
	return 0;
}

static void the_clock_is_read_without_an_exit_for_data(void **state)
{
	(void)state;
	assert_int_equal(guest_reg(0x70, 4), 13);
	assert_int_equal(guest_reg(0x70, 0x8c), 0x25);
	assert_int_equal(cmos_index, 0x8c);
	assert_false(exits[0x71] || exits[0x60]);
	assert_int_equal(waits, 0);
}

static void the_shutdown_byte_is_the_guests(void **state)
{
	(void)state;
	guest_out(0x70, 0x50);
	assert_int_equal(guest_reg(0x70, 0x8f), 3 * 0x0f + 1);
	assert_int_equal(cmos_index & 0x80, 0x80);
	assert_true(exits[0x71]);
	guest_out(0x71, 0x0a);
	assert_int_equal(guest_in(0x71), 0x0a);
	assert_true(cmos_bios_returns(&vm0));
	assert_int_equal(reg[0x50], 0x0a); /* what enforce_intercepts() wrote */
	/* A write by a CPU that could not be kicked. */
	outb(0x71, 5);
	assert_int_equal(reg[0x0f], 0);
	assert_int_equal(guest_in(0x71), 0x0a);
	guest_out(0x70, 0x51);
	guest_out(0x71, 7);
	assert_int_equal(reg[0x51], 7);
	guest_out(0x70, 0x0f);
	assert_int_equal(waits, 1);
	guest_runs = false;
	cmos_leave(&vm0);
	assert_int_equal(reg[0x0f], 0x0a);
	assert_int_equal(cmos_index, 0x0f);
}

static void a_readable_index_is_the_guests(void **state)
{
	(void)state;
	index_readable = true;
	guest_out(0x70, 0x0f);
	assert_int_equal(guest_in(0x70), 0x0f);
	guest_out(0x70, 0x0d);
	assert_int_equal(guest_in(0x70), 0x0d);
	index_readable = false;
	guest_out(0x70, 0x0f);
	assert_int_equal(guest_in(0x70), 0xff);
}

static void sizes_end_before_hidden_memory(void **state)
{
	u32 wide;

	(void)state;
	assert_int_equal(guest_reg(0x70, 0x31) << 8 | guest_reg(0x70, 0x30), 19 << 10);
	assert_int_equal(reg[0x31], 0x80);
	/* 16 bits: the byte from port 70h, too. */
	guest_out(0x70, 0x31);
	wide = vm0_pio(&vcpu, &(struct pio_access){.port = 0x70, .size = 2, .in = true}, 0);
	assert_int_equal(wide, 0x4cff);
}

static void aliases_are_watched_where_they_are(void **state)
{
	(void)state;
	for (kind = NOTHING; kind <= ALIAS; kind++) {
		boot();
		for (u16 port = 0x72; port < 0x78; port += 2)
			assert_int_equal(exits[port], kind == ALIAS);
		for (unsigned i = 0x10; i < 128; i++)
			assert_int_equal(bank[i], (u8)(5 * i));
		for (u16 port = 0x72; port < 0x78; port += 2) {
			u8 own = kind == BANK && port != 0x74 ? 5 * 0x0f : 0xff;

			boot();
			assert_int_equal(guest_reg(port, 0x0f), kind == ALIAS ? 3 * 0x0f + 1 : own);
			guest_out(port + 1, 0x0a);
			assert_int_equal(cmos_bios_returns(&vm0), kind == ALIAS);
			assert_int_equal(reg[0x0f], 0);
			assert_int_equal(guest_in(0x71), kind == ALIAS ? 0x0a : reg[0x0d]);
			outb(0x71, 5); /* as above */
		}
	}
}

/* Its static registers read as the first bank's, but it has no clock. */
static void a_second_bank_of_the_same_content_is_no_alias(void **state)
{
	(void)state;
	guest_runs = false;
	kind = BANK;
	memcpy(bank + 0x10, reg + 0x10, sizeof(bank) - 0x10);
	memset(bank, 0, 0x10);
	assert_int_equal(cmos_init(&vm0), 0);
	assert_false(exits[0x72] || exits[0x76]);
	/* All the same. */
	memset(reg, 0, sizeof(reg));
	memset(bank, 0, sizeof(bank));
	reg[0x0b] = 2;
	assert_int_equal(cmos_init(&vm0), 0);
	assert_false(exits[0x72] || exits[0x76]);
}

static void where_nothing_is_there_are_no_aliases(void **state)
{
	(void)state;
	guest_runs = false;
	kind = BANK;
	memset(reg, 0xff, sizeof(reg));
	memset(bank, 0xff, sizeof(bank));
	assert_int_equal(cmos_init(&vm0), 0);
	assert_false(exits[0x72] || exits[0x74] || exits[0x76]);
}

static void uefi_firmware_has_the_machines(void **state)
{
	(void)state;
	cpu.firmware = (void *)&cpu;
	boot();
	assert_false(exits[0x70] || exits[0x71]);
	assert_int_equal(cmos_index, 0x0f);
	assert_int_equal(reg[0x0f], 3 * 0x0f + 1);
	cmos_leave(&vm0);
	assert_int_equal(reg[0x0f], 3 * 0x0f + 1);
	assert_false(cmos_bios_returns(&vm0));
	/* Not where Glasshouse loads the guest itself. */
	cpu.firmware = NULL;
	boot();
	assert_true(exits[0x70]);
}

static void an_alias_keeps_the_mask_of_nmis(void **state)
{
	(void)state;
	kind = ALIAS;
	boot();
	guest_out(0x70, 0x90);
	assert_int_equal(guest_reg(0x74, 0x12), 3 * 0x12 + 1);
	assert_int_equal(cmos_index, 0x92);
}

static void the_output_port_is_not_reached(void **state)
{
	(void)state;
	guest_out(0x60, 0xf4);
	assert_int_equal(keyboard, 0xf4);
	guest_out(0x64, 0xd1);
	assert_true(exits[0x60]);
	assert_int_equal(keyboard, 0xdd); /* what enforce_intercepts() wrote */
	outb(0x60, 0xfc);                 /* by a CPU that could not be kicked */
	guest_out(0x60, 0xdd);
	assert_int_equal(keyboard, 0xfc);
	assert_true(log_has("switches A20 off: ignored"));
	assert_int_equal(resets, 0);
	guest_out(0x60, 0xf5);
	assert_int_equal(keyboard, 0xf5);
	assert_int_equal(guest_in(0x60), 0x1c);
	guest_out(0x64, 0xd1);
	guest_out(0x60, 0xfe);
	assert_int_equal(resets, 1);
	assert_int_equal(waits, 1);
	/* A command in between takes the byte. */
	guest_out(0x64, 0xd1);
	guest_out(0x64, 0xa8);
	guest_out(0x60, 0x10);
	assert_int_equal(keyboard, 0x10);
}

static void port_92h_resets_by_an_edge(void **state)
{
	(void)state;
	guest_out(0x92, 0);
	assert_int_equal(port92, 2); /* A20 stays on */
	guest_out(0x92, 3);
	assert_int_equal(resets, 1);
	assert_int_equal(port92, 2);
	port92 = 3;
	guest_out(0x92, 3);
	assert_int_equal(resets, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_clock_is_read_without_an_exit_for_data, setup),
		cmocka_unit_test_setup(the_shutdown_byte_is_the_guests, setup),
		cmocka_unit_test_setup(a_readable_index_is_the_guests, setup),
		cmocka_unit_test_setup(sizes_end_before_hidden_memory, setup),
		cmocka_unit_test_setup(aliases_are_watched_where_they_are, setup),
		cmocka_unit_test_setup(a_second_bank_of_the_same_content_is_no_alias, setup),
		cmocka_unit_test_setup(where_nothing_is_there_are_no_aliases, setup),
		cmocka_unit_test_setup(uefi_firmware_has_the_machines, setup),
		cmocka_unit_test_setup(an_alias_keeps_the_mask_of_nmis, setup),
		cmocka_unit_test_setup(the_output_port_is_not_reached, setup),
		cmocka_unit_test_setup(port_92h_resets_by_an_edge, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
