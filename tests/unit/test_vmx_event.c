// SPDX-License-Identifier: MIT
/*
 * Events that an exit or a failed entry leaves to be delivered: what is read from the VMCS, also
 * where a hypervisor below has left fields as they were.
 */
#include "tests/unit/stubs.h"

/* A VMCS that can be read by its fields' numbers, instead of the instructions. */
#define GH_VMX_INSN_H
static u64 vmcs[0x8000];

static inline u64 vmread(u64 field)
{
	return vmcs[field];
}

static inline void vmwrite(u64 field, u64 value)
{
	vmcs[field] = value;
}

#include "vmm/vmx/blocking.c"
#include "vmm/vmx/controls.c"
#include "vmm/vmx/event.c"

struct virt_ops virt_ops;
struct vmcs_config vmcs_config;

void vmx_interrupt_window(struct vcpu *vcpu)
{
	(void)vcpu;
}

#define INFO(type, vector) (INTR_INFO_VALID_MASK | INTR_TYPE_##type | (vector))

/* The event that is queued again after an exit whose fields say this. */
static struct vcpu_event redelivered(u64 info, u64 error_code, u64 length)
{
	struct vcpu vcpu = {0};

	vmcs[IDT_VECTORING_INFO_FIELD] = info;
	vmcs[IDT_VECTORING_ERROR_CODE] = error_code;
	vmcs[VM_EXIT_INSTRUCTION_LEN] = length;
	vmx_complete_event(&vcpu);
	assert_int_equal(vcpu.requests, vcpu.event.valid ? REQ_EVENT : 0);
	return vcpu.event;
}

static void an_event_is_delivered_again(void **state)
{
	struct vcpu_event event;

	(void)state;
	assert_false(redelivered(0, 0x18, 2).valid);
	event = redelivered(INFO(EXT_INTR, 0x31), 0x18, 2);
	assert_true(event.valid && event.type == EVENT_EXT_INTR && event.vector == 0x31);
	assert_true(!event.has_error_code && !event.insn_len);
	event = redelivered(INFO(HARD_EXCEPTION, GP_VECTOR) | INTR_INFO_DELIVER_CODE_MASK, 0x18, 2);
	assert_true(event.type == EVENT_EXCEPTION && event.vector == GP_VECTOR);
	assert_true(event.has_error_code && event.error_code == 0x18 && !event.insn_len);
	event = redelivered(INFO(NMI_INTR, NMI_VECTOR), 0, 0);
	assert_int_equal(event.type, EVENT_NMI);
}

/* A VM entry refuses lengths that no instruction has. SDM: "VM-Entry Controls for Event Injection",
 * "Checks on VM-Entry Control Fields". */
static void the_length_is_one_that_an_instruction_has(void **state)
{
	static const u64 bad[] = {0, 16, 255, 0x100000002, ~0ull};

	(void)state;
	for (u64 length = 1; length <= 15; length++) {
		assert_int_equal(redelivered(INFO(SOFT_INTR, 0x80), 0, length).insn_len, length);
		assert_int_equal(redelivered(INFO(SOFT_EXCEPTION, 3), 0, length).insn_len, length);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(redelivered(INFO(SOFT_INTR, 0x80), 0, bad[i]).insn_len, 2);
		assert_int_equal(redelivered(INFO(SOFT_EXCEPTION, 3), 0, bad[i]).insn_len, 1);
		assert_int_equal(redelivered(INFO(PRIV_SW_EXCEPTION, 1), 0, bad[i]).insn_len, 1);
	}
}

/* The same for an exception that exits by itself. */
static void an_exception_is_read(void **state)
{
	struct exception exception;

	(void)state;
	vmcs[VM_EXIT_INSTRUCTION_LEN] = 0;
	vmcs[VM_EXIT_INTR_ERROR_CODE] = 6;
	vmx_read_exception((u32)INFO(SOFT_EXCEPTION, 3), 0, &exception);
	assert_true(exception.type == EVENT_SOFT_EXCEPTION && exception.vector == 3);
	assert_true(exception.insn_len == 1 && !exception.has_error_code);
	vmcs[VM_EXIT_INSTRUCTION_LEN] = 3;
	vmx_read_exception((u32)INFO(SOFT_EXCEPTION, 4), 0, &exception);
	assert_int_equal(exception.insn_len, 3);
	vmx_read_exception((u32)(INFO(HARD_EXCEPTION, PF_VECTOR) | INTR_INFO_DELIVER_CODE_MASK),
			   0x1234, &exception);
	assert_true(exception.type == EVENT_EXCEPTION && exception.payload == 0x1234);
	assert_true(exception.has_error_code && exception.error_code == 6 && !exception.insn_len);
}

/* What a failed entry was to deliver comes again, unchanged. */
static void an_injection_is_cancelled(void **state)
{
	struct vcpu vcpu = {0};

	(void)state;
	vmcs[VM_ENTRY_INTR_INFO_FIELD] = INFO(SOFT_INTR, 0x21);
	vmcs[VM_ENTRY_INSTRUCTION_LEN] = 4;
	vmx_cancel_injection(&vcpu);
	assert_true(vcpu.event.valid && vcpu.event.type == EVENT_SOFT_INTR);
	assert_true(vcpu.event.vector == 0x21 && vcpu.event.insn_len == 4);
	assert_int_equal(vcpu.requests, REQ_EVENT);
}

static bool allowed(u64 rflags, u64 blocked, u64 activity, u64 pending)
{
	struct vcpu vcpu = {0};

	vmcs[GUEST_INTERRUPTIBILITY_INFO] = blocked;
	vmcs[GUEST_ACTIVITY_STATE] = activity;
	vmcs[GUEST_PENDING_DBG_EXCEPTIONS] = pending;
	return vmx_rflags_allowed(&vcpu, rflags);
}

/* RFLAGS with which a VM entry would fail are refused. */
static void the_flags_fit_the_state(void **state)
{
	static const u64 shadows[] = {GUEST_INTR_STATE_STI, GUEST_INTR_STATE_MOV_SS, 0};
	const u64 on = RFLAGS_FIXED | RFLAGS_IF;
	struct vcpu vcpu = {.event = {.valid = true, .type = EVENT_EXT_INTR}};

	(void)state;
	assert_true(allowed(RFLAGS_FIXED, 0, GUEST_ACTIVITY_ACTIVE, 0));
	assert_true(allowed(on | RFLAGS_TF, 0, GUEST_ACTIVITY_ACTIVE, 0));
	assert_true(allowed(on, 0, GUEST_ACTIVITY_ACTIVE, PENDING_DBG_BS));
	assert_false(allowed(RFLAGS_FIXED, GUEST_INTR_STATE_STI, GUEST_ACTIVITY_ACTIVE, 0));
	assert_true(allowed(RFLAGS_FIXED, GUEST_INTR_STATE_MOV_SS, GUEST_ACTIVITY_ACTIVE, 0));
	assert_true(allowed(RFLAGS_FIXED, 0, GUEST_ACTIVITY_HLT, 0));
	for (unsigned i = 0; i < ARRAY_SIZE(shadows); i++) {
		u64 activity = shadows[i] ? GUEST_ACTIVITY_ACTIVE : GUEST_ACTIVITY_HLT;

		assert_true(allowed(on, shadows[i], activity, 0));
		assert_false(allowed(on | RFLAGS_TF, shadows[i], activity, 0));
		assert_false(allowed(on, shadows[i], activity, PENDING_DBG_BS));
		assert_true(allowed(on | RFLAGS_TF, shadows[i], activity, PENDING_DBG_BS));
		vmcs[GUEST_IA32_DEBUGCTL] = DEBUGCTLMSR_BTF;
		assert_true(allowed(on | RFLAGS_TF, shadows[i], activity, 0));
		assert_false(allowed(on | RFLAGS_TF, shadows[i], activity, PENDING_DBG_BS));
		vmcs[GUEST_IA32_DEBUGCTL] = 0;
	}
	vmcs[GUEST_ACTIVITY_STATE] = GUEST_ACTIVITY_ACTIVE;
	assert_true(vmx_rflags_allowed(&vcpu, on));
	assert_false(vmx_rflags_allowed(&vcpu, RFLAGS_FIXED));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_is_delivered_again),
		cmocka_unit_test(the_length_is_one_that_an_instruction_has),
		cmocka_unit_test(an_exception_is_read),
		cmocka_unit_test(an_injection_is_cancelled),
		cmocka_unit_test(the_flags_fit_the_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
