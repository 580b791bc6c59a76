/* SPDX-License-Identifier: MIT */
/*
 * monitor/insn_size.c: how many bytes instructions access that insn_memory_op() does not know.
 */
#include "tests/unit/stubs.h"

#include "monitor/insn_size.h"

static struct insn_size of(enum insn_mode mode, const char *bytes, size_t n)
{
	struct insn_size size;
	struct insn insn;

	assert_int_equal(insn_decode(&insn, (const u8 *)bytes, n, mode), n);
	insn_size(&insn, &size);
	assert_true(!size.state || insn_may_have_state((const u8 *)bytes, n));
	return size;
}

static void is(struct insn_size size, struct insn_size wanted)
{
	assert_int_equal(size.bytes, wanted.bytes);
	assert_int_equal(size.area, wanted.area);
	assert_int_equal(size.state, wanted.state);
	assert_int_equal(size.partly, wanted.partly);
	assert_int_equal(size.downwards, wanted.downwards);
	assert_int_equal(size.reads_too, wanted.reads_too);
}

#define IS(mode, bytes, ...) \
	is(of(INSN_##mode, bytes, sizeof(bytes) - 1), (struct insn_size){__VA_ARGS__})

static void test_state(void **state)
{
	(void)state;
	IS(64, "\x0f\xae\x00", .bytes = 464, .state = true);          /* fxsave (%rax) */
	IS(64, "\x48\x0f\xae\x00", .bytes = 464, .state = true);      /* fxsave64 */
	IS(32, "\x0f\xae\x08", .bytes = 464, .state = true);          /* fxrstor */
	IS(64, "\x0f\xae\x10", .bytes = 4);                           /* ldmxcsr */
	IS(64, "\x0f\xae\x18", .bytes = 4);                           /* stmxcsr */
	IS(64, "\x0f\xae\x20", .area = INSN_STANDARD, .state = true); /* xsave */
	IS(64, "\x0f\xae\x28", .area = INSN_STANDARD, .state = true); /* xrstor */
	IS(64, "\x48\x0f\xae\x30", .area = INSN_STANDARD, .state = true, .partly = true);
	IS(64, "\x0f\xae\x38", .bytes = 0);                            /* clflush */
	IS(64, "\x66\x0f\xae\x30", .bytes = 0);                        /* clwb */
	IS(64, "\x0f\xae\xf0", .bytes = 0);                            /* mfence */
	IS(64, "\x0f\xc7\x18", .area = INSN_COMPACTED, .state = true); /* xrstors */
	IS(64, "\x0f\xc7\x20", .area = INSN_COMPACTED, .state = true, .partly = true);
	IS(64, "\x48\x0f\xc7\x28", .area = INSN_COMPACTED, .state = true, .partly = true);
	IS(64, "\x0f\xc7\x08", .bytes = 8, .reads_too = true);      /* cmpxchg8b */
	IS(64, "\x48\x0f\xc7\x08", .bytes = 16, .reads_too = true); /* cmpxchg16b */
	IS(64, "\x0f\xc7\x30", .bytes = 8);                         /* vmptrld */
	IS(64, "\x0f\xc7\xf0", .bytes = 0);                         /* rdrand */
	IS(32, "\xdd\x30", .bytes = 108, .state = true);            /* fnsave */
	IS(16, "\xdd\x34", .bytes = 94, .state = true);
	IS(64, "\xdd\x20", .bytes = 108, .state = true); /* frstor */
	IS(64, "\xd9\x30", .bytes = 28, .state = true);  /* fnstenv */
	IS(64, "\x66\xd9\x20", .bytes = 14, .state = true);
	IS(64, "\xd9\x00", .bytes = 0); /* flds */
	IS(64, "\xd9\xe0", .bytes = 0); /* fchs */
}

static void test_others(void **state)
{
	(void)state;
	assert_false(insn_may_have_state((const u8 *)"\x48\x89\x00", 3));
	assert_false(insn_may_have_state((const u8 *)"\x66\x0f", 2));
	assert_false(insn_may_have_state((const u8 *)"\x66\x66", 2));
	IS(64, "\x50", .bytes = 8);
	IS(64, "\x66\x50", .bytes = 2);
	IS(32, "\xe8\0\0\0\0", .bytes = 4);
	IS(64, "\xff\x10", .bytes = 8);          /* call *(%rax) */
	IS(64, "\xff\x18", .downwards = true);   /* lcall *(%rax) */
	IS(64, "\xff\x28", .bytes = 0);          /* ljmp */
	IS(32, "\x60", .downwards = true);       /* pusha */
	IS(64, "\xc8\0\0\2", .downwards = true); /* enter */
	IS(64, "\xa6", .bytes = 1);
	IS(64, "\x48\xa7", .bytes = 8);
	IS(64, "\x0f\x11\x00", .bytes = 0);     /* movups */
	IS(64, "\xc5\xf8\x11\x00", .bytes = 0); /* vmovups */
	IS(64, "\xc5\xf8\xae\x18", .bytes = 0); /* vstmxcsr */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_state),
		cmocka_unit_test(test_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
