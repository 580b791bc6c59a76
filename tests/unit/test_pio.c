// SPDX-License-Identifier: MIT
/*
 * An access to a port that Glasshouse carries out for the guest: an SMI that it causes must find
 * the guest's registers, none of Glasshouse's.
 */
#include "tests/unit/stubs.h"
#include "vmm/vcpu.h"

enum { OUT8, OUT16, OUT32, IN8, IN16, IN32, NR_KINDS };

void pio_as_guest(u64 *regs, u64 kind);

u32 kind_seen;
u64 seen[VCPU_NR_REGS];

static u64 regs[VCPU_NR_REGS];

/* The guest's value of a register: another one in each byte of each register. */
static u64 value_of(unsigned reg)
{
	return 0x1011121314151617 + 0x0808080808080808 * (u64)reg;
}

static void access(unsigned kind)
{
	for (unsigned i = 0; i < VCPU_NR_REGS; i++)
		regs[i] = value_of(i);
	memset(seen, 0, sizeof(seen));
	kind_seen = ~0u;
	pio_as_guest(regs, kind);
	assert_int_equal(kind_seen, kind);
}

static void an_smi_finds_the_guests_registers(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < NR_KINDS; kind++) {
		access(kind);
		for (unsigned i = 0; i < VCPU_NR_REGS; i++)
			if (i != VCPU_RSP)
				assert_true(seen[i] == value_of(i));
	}
}

/* RAX is the guest's but for what is read. SDM: "General-Purpose Registers in 64-Bit Mode". */
static void what_is_read_goes_to_rax_only(void **state)
{
	static const u64 read[] = {0x1011121314151617, 0x1011121314151617, 0x1011121314151617,
				   0x101112131415165a, 0x1011121314155a5b, 0x5a5b5c5d};

	(void)state;
	for (unsigned kind = 0; kind < NR_KINDS; kind++) {
		access(kind);
		assert_true(regs[VCPU_RAX] == read[kind]);
		for (unsigned i = 1; i < VCPU_NR_REGS; i++)
			assert_true(regs[i] == value_of(i));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_smi_finds_the_guests_registers),
		cmocka_unit_test(what_is_read_goes_to_rax_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
