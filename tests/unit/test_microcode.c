// SPDX-License-Identifier: MIT
/*
 * The size of a microcode update, from a header that the guest wrote.
 */
#include "tests/unit/stubs.h"
#include "vmm/vm0/microcode.h"
#include "vmm/x86/guest_mem.h"

int read_guest_virt(struct vcpu *vcpu, gva_t gva, void *buf, size_t len)
{
	(void)vcpu;
	(void)gva;
	(void)buf;
	(void)len;
	return -1;
}

void *pages_alloc(size_t nr)
{
	(void)nr;
	return NULL;
}

static u32 size_of(u32 data_size, u32 total_size)
{
	return microcode_size(&(struct microcode_header){.header_version = 1,
							 .loader_version = 1,
							 .data_size = data_size,
							 .total_size = total_size});
}

static void sizes_are_the_headers(void **state)
{
	(void)state;
	assert_int_equal(size_of(0, 0), 2048);
	assert_int_equal(size_of(0, 0xffffffff), 2048);
	assert_int_equal(size_of(2000, 2048), 2048);
	assert_int_equal(size_of(1663952, 1664000), 1664000);
	assert_int_equal(size_of(MICROCODE_MAX - 48, MICROCODE_MAX), MICROCODE_MAX);
}

static void what_cannot_be_is_refused(void **state)
{
	struct microcode_header h = {.header_version = 2, .loader_version = 1};

	(void)state;
	assert_int_equal(size_of(MICROCODE_MAX - 48, MICROCODE_MAX + 1024), 0);
	assert_int_equal(size_of(2004, 2048), 0);
	assert_int_equal(size_of(2001, 3072), 0);
	assert_int_equal(size_of(2000, 2049), 0);
	assert_int_equal(size_of(2000, 0), 0);
	assert_int_equal(size_of(0xfffffffc, 1024), 0);
	assert_int_equal(size_of(0xfffffffc, 0xfffffc00), 0);
	assert_int_equal(microcode_size(&h), 0);
	h = (struct microcode_header){.header_version = 1, .loader_version = 0};
	assert_int_equal(microcode_size(&h), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_are_the_headers),
		cmocka_unit_test(what_cannot_be_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
