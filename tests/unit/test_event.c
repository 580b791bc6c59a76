// SPDX-License-Identifier: MIT
/*
 * Two exceptions at once: which the guest gets. SDM: "Interrupt 8—Double Fault Exception (#DF)",
 * the table of conditions.
 */
#include "tests/unit/stubs.h"
#include "arch/x86/cpu.h"
#include "vmm/event.h"
#include "vmm/virt_ops.h"

static u64 rflags;

static u64 get_sysreg(struct vcpu *vcpu, enum sysreg reg)
{
	(void)vcpu;
	return reg == SYSREG_RFLAGS ? rflags : 0;
}

static void set_sysreg(struct vcpu *vcpu, enum sysreg reg, u64 value)
{
	(void)vcpu;
	if (reg == SYSREG_RFLAGS)
		rflags = value;
}

struct virt_ops virt_ops = {.get_sysreg = get_sysreg, .set_sysreg = set_sysreg};

static enum { BENIGN, CONTRIBUTORY, PAGE_FAULT } class_of(unsigned vector)
{
	if (vector == PF_VECTOR)
		return PAGE_FAULT;
	return vector == 0 || (vector >= 10 && vector <= 13) || vector == 21 ? CONTRIBUTORY
									     : BENIGN;
}

static bool is_double(unsigned first, unsigned second)
{
	if (class_of(first) == CONTRIBUTORY)
		return class_of(second) == CONTRIBUTORY;
	return class_of(first) == PAGE_FAULT && class_of(second) != BENIGN;
}

static void two_exceptions(void **state)
{
	(void)state;
	for (unsigned first = 0; first < 22; first++) {
		for (unsigned second = 0; second < 22; second++) {
			struct vcpu vcpu = {0};

			if (first == DF_VECTOR)
				continue;
			queue_exception_e(&vcpu, (u8)first, 0x10);
			queue_event(&vcpu, (struct vcpu_event){.type = EVENT_EXCEPTION,
							       .vector = (u8)second,
							       .has_error_code = true,
							       .error_code = 0x28});
			assert_true(vcpu.event.valid && vcpu.event.has_error_code);
			assert_int_equal(vcpu.requests, REQ_EVENT);
			if (is_double(first, second)) {
				assert_int_equal(vcpu.event.vector, DF_VECTOR);
				assert_int_equal(vcpu.event.error_code, 0);
			} else {
				assert_int_equal(vcpu.event.vector, second);
				assert_int_equal(vcpu.event.error_code, 0x28);
			}
		}
	}
}

static void during_a_double_fault(void **state)
{
	(void)state;
	for (unsigned second = 0; second < 22; second++) {
		struct vcpu vcpu = {0};

		queue_exception_e(&vcpu, DF_VECTOR, 0);
		queue_exception(&vcpu, (u8)second);
		assert_int_equal(!!(vcpu.requests & REQ_TRIPLE_FAULT), class_of(second) != BENIGN);
	}
}

/* What comes during the delivery of an interrupt, an NMI or INT n is delivered in its stead. */
static void during_other_events(void **state)
{
	static const u8 types[] = {EVENT_EXT_INTR, EVENT_NMI, EVENT_SOFT_INTR,
				   EVENT_SOFT_EXCEPTION};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
		struct vcpu vcpu = {.event = {.valid = true, .type = types[i], .vector = 13}};

		queue_exception_e(&vcpu, GP_VECTOR, 0x123);
		assert_int_equal(vcpu.event.type, EVENT_EXCEPTION);
		assert_int_equal(vcpu.event.vector, GP_VECTOR);
		assert_int_equal(vcpu.event.error_code, 0x123);
	}
}

/* Of INT3, whose RFLAGS are as they are, and whose length is needed. */
static void other_types(void **state)
{
	struct vcpu vcpu = {0};

	(void)state;
	rflags = 2;
	queue_event(&vcpu, (struct vcpu_event){.type = EVENT_SOFT_EXCEPTION,
					       .vector = BP_VECTOR,
					       .insn_len = 1});
	assert_int_equal(vcpu.event.type, EVENT_SOFT_EXCEPTION);
	assert_int_equal(vcpu.event.insn_len, 1);
	assert_int_equal(rflags, 2);
	queue_exception(&vcpu, UD_VECTOR);
	assert_int_equal(rflags, 2 | RFLAGS_RF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_exceptions),
		cmocka_unit_test(during_a_double_fault),
		cmocka_unit_test(during_other_events),
		cmocka_unit_test(other_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
