/* SPDX-License-Identifier: MIT */
/*
 * vmm/vmx/vmcs: the table of fields, names, decoded fields, and the dump.
 */
#include "tests/unit/stubs.h"
#include "vmm/vmx/vmcs_text.h"

static bool is_named(enum vmx_word word, u64 bit)
{
	for (unsigned i = 0; i < vmx_control_count; i++)
		if (vmx_controls[i].word == word && vmx_controls[i].bit == bit)
			return true;
	return false;
}

static void fields_are_ordered_and_well_formed(void **state)
{
	(void)state;
	for (unsigned i = 0; i < vmcs_field_count; i++) {
		const struct vmcs_field_info *f = &vmcs_fields[i];

		/* "Structure of VMCS Component Encoding": bit 0 is the high half, 12 and 15 are 0.
		 */
		assert_int_equal(f->encoding & 0x9001, 0);
		assert_true(f->word < NR_VMX_WORDS);
		assert_int_equal(f->word == VMX_ALWAYS, f->bit == 0);
		assert_ptr_equal(vmcs_field_by_encoding(f->encoding), f);
		assert_ptr_equal(vmcs_field_by_name(f->name), f);
		if (i > 0)
			assert_true(vmcs_fields[i - 1].encoding < f->encoding);
		/* The control on which a field depends has a name. */
		if (f->word != VMX_ALWAYS && f->word != VMX_VMFUNC)
			assert_true(is_named((enum vmx_word)f->word, f->bit));
		if (strncmp(f->name, "HOST_", 5) == 0)
			assert_int_equal(vmcs_field_kind(f->encoding), VMCS_HOST);
		assert_int_equal(vmcs_field_kind(f->encoding) == VMCS_HOST,
				 strncmp(f->name, "HOST_", 5) == 0);
	}
	assert_null(vmcs_field_by_encoding(0x681f));
	assert_null(vmcs_field_by_encoding(1ull << 32 | GUEST_RIP));
	assert_null(vmcs_field_by_name("GUEST_RI"));
}

/* A few encodings copied from the SDM's appendix, independent of the table. */
static void encodings_are_the_sdms(void **state)
{
	(void)state;
	assert_int_equal(GUEST_RIP, 0x681e);
	assert_int_equal(HOST_RIP, 0x6c16);
	assert_int_equal(EPT_POINTER, 0x201a);
	assert_int_equal(VM_EXIT_REASON, 0x4402);
	assert_int_equal(GUEST_LINEAR_ADDRESS, 0x640a);
	assert_int_equal(VMX_PREEMPTION_TIMER_VALUE, 0x482e);
	assert_int_equal(HOST_IA32_SYSENTER_CS, 0x4c00);
	assert_int_equal(HOST_INTR_SSP_TABLE, 0x6c1c);
	assert_int_equal(vmcs_field_bits(VIRTUAL_PROCESSOR_ID), 16);
	assert_int_equal(vmcs_field_bits(TSC_OFFSET), 64);
	assert_int_equal(vmcs_field_bits(GUEST_TR_AR_BYTES), 32);
	assert_int_equal(vmcs_field_bits(GUEST_CR0), 64);
	assert_int_equal(vmcs_field_width(GUEST_CR0), VMCS_NATURAL);
	assert_int_equal(vmcs_field_kind(GUEST_PHYSICAL_ADDRESS), VMCS_READ_ONLY);
	assert_int_equal(vmcs_field_kind(CR4_READ_SHADOW), VMCS_CONTROL);
}

static void fields_exist_when_their_control_may_be_1(void **state)
{
	struct vmx_capability cap = {0};
	const struct vmcs_field_info *f = vmcs_field_by_encoding(EPT_POINTER);

	(void)state;
	assert_false(vmcs_field_exists(f, &cap));
	assert_true(vmcs_field_exists(vmcs_field_by_encoding(GUEST_RIP), &cap));
	cap.ctl[VMX_PROC2] = SECONDARY_EXEC_ENABLE_EPT; /* only in allowed-0 */
	assert_false(vmcs_field_exists(f, &cap));
	cap.ctl[VMX_PROC2] = SECONDARY_EXEC_ENABLE_EPT << 32;
	assert_true(vmcs_field_exists(f, &cap));
	f = vmcs_field_by_encoding(
		HLAT_POINTER); /* its control is in a 64-bit word of allowed-1 bits */
	cap.ctl[VMX_PROC3] = TERTIARY_EXEC_ENABLE_HLAT;
	assert_true(vmcs_field_exists(f, &cap));
}

static void exit_reasons_have_names(void **state)
{
	(void)state;
	assert_string_equal(exit_reason_name(EXIT_REASON_EPT_VIOLATION), "EPT_VIOLATION");
	assert_string_equal(exit_reason_name(0x80000021), "INVALID_STATE");
	assert_string_equal(exit_reason_name(35), "unknown");
	assert_string_equal(exit_reason_name(NR_EXIT_REASONS), "unknown");
	assert_string_equal(exit_reason_name(0xffff), "unknown");
	assert_int_equal(EXIT_REASON_XRSTORS, 64);
}

static void instruction_errors_have_texts(void **state)
{
	(void)state;
	assert_string_equal(vm_instruction_error_text(0), "no error");
	assert_string_equal(vm_instruction_error_text(7), "VM entry with invalid control field(s)");
	assert_string_equal(vm_instruction_error_text(14), "unknown error");
	assert_string_equal(vm_instruction_error_text(29), "unknown error");
	assert_string_equal(vm_instruction_error_text(~0u), "unknown error");
}

static void words_are_decoded(void **state)
{
	char buf[200];

	(void)state;
	assert_string_equal(intr_info_text(buf, sizeof(buf), 0), "none");
	assert_string_equal(intr_info_text(buf, sizeof(buf), 0x80000b0e),
			    "hardware exception #PF vector 14, error code");
	assert_string_equal(intr_info_text(buf, sizeof(buf), 0x80000202), "NMI vector 2");
	assert_string_equal(intr_info_text(buf, sizeof(buf), 0x80000320),
			    "hardware exception vector 32");
	assert_string_equal(intr_info_text(buf, sizeof(buf), 0x80000030),
			    "external interrupt vector 48");
	assert_string_equal(access_rights_text(buf, sizeof(buf), 0xa09b),
			    "code readable DPL0 P L G");
	assert_string_equal(access_rights_text(buf, sizeof(buf), 0xc0f3),
			    "data writable DPL3 P D/B G");
	assert_string_equal(access_rights_text(buf, sizeof(buf), 0x8b), "busy TSS DPL0 P");
	assert_string_equal(access_rights_text(buf, sizeof(buf), 0x1009b), "unusable");
	assert_string_equal(controls_text(buf, sizeof(buf), VMX_PIN, 0x3f),
			    "external-interrupt exiting, NMI exiting, virtual NMIs");
	/* Too small a buffer cuts the text. */
	assert_string_equal(controls_text(buf, 10, VMX_PIN, 0x3f), "external-");
	assert_string_equal(controls_text(buf, 1, VMX_PIN, 0x3f), "");
}

static char dump_text[32768];
static unsigned reads_failed_for;

static u64 fake_read(u64 field, bool *ok)
{
	*ok = field != reads_failed_for;
	switch (field) {
	case GUEST_CS_AR_BYTES:
		return 0xa09b;
	case GUEST_PENDING_DBG_EXCEPTIONS:
		return ~0ull;
	case VM_EXIT_REASON:
		return 0x80000021;
	case CPU_BASED_VM_EXEC_CONTROL:
		return ~0u;
	default:
		return field;
	}
}

static void collect(const char *line)
{
	assert_in_range(strlen(line), 1, 100);
	assert_true(strlen(dump_text) + strlen(line) + 2 < sizeof(dump_text));
	strcat(dump_text, line);
	strcat(dump_text, "\n");
}

static void dump_shows_what_exists(void **state)
{
	struct vmx_capability cap = {0};

	(void)state;
	dump_text[0] = '\0';
	reads_failed_for = GUEST_RIP;
	assert_true(vmcs_dump(&cap, NULL, fake_read, NULL, collect));
	if (getenv("GH_TEST_LOG"))
		fputs(dump_text, stderr);
	assert_non_null(strstr(dump_text, "INVALID_STATE, the VM entry failed"));
	assert_non_null(strstr(dump_text, "CS   0802 base=0000000000006808 limit=00004802 "
					  "ar=0a09b code readable DPL0 P L G"));
	assert_non_null(strstr(dump_text, "GUEST_RIP=?"));
	assert_non_null(strstr(dump_text, "HOST_RIP=6c16"));
	assert_non_null(strstr(dump_text, "GUEST_PENDING_DBG_EXCEPTIONS=ffffffffffffffff"));
	assert_null(strstr(dump_text, "EPT_POINTER"));

	dump_text[0] = '\0';
	assert_true(vmcs_dump(&cap, "6C16", fake_read, NULL, collect));
	assert_string_equal(dump_text, "HOST_RIP=6c16\n");
	assert_true(vmcs_dump(&cap, "0x6c16", fake_read, NULL, collect));
	assert_false(vmcs_dump(&cap, "6c17", fake_read, NULL, collect));
	assert_false(vmcs_dump(&cap, "6c1", fake_read, NULL, collect));

	/* With every capability, the dump has every field once. */
	for (unsigned i = 0; i < NR_VMX_WORDS; i++)
		cap.ctl[i] = ~0ull;
	dump_text[0] = '\0';
	assert_true(vmcs_dump(&cap, NULL, fake_read, NULL, collect));
	for (unsigned i = 0; i < vmcs_field_count; i++) {
		char item[64];

		if (strncmp(vmcs_fields[i].name, "GUEST_", 6) == 0)
			continue;
		snprintf(item, sizeof(item), "%s=", vmcs_fields[i].name);
		if (!strstr(dump_text, item))
			fail_msg("%s is not in the dump", item);
	}
}

/* A part of the dump: a group, or fields by letters of their names. */
static void dump_shows_a_part(void **state)
{
	struct vmx_capability cap = {0};

	(void)state;
	reads_failed_for = 0;
	dump_text[0] = '\0';
	assert_true(vmcs_dump(&cap, "host", fake_read, NULL, collect));
	assert_memory_equal(dump_text, "-- VMCS: host state --\n", 23);
	assert_null(strstr(dump_text, "GUEST_"));
	dump_text[0] = '\0';
	assert_true(vmcs_dump(&cap, "st_rIp", fake_read, NULL, collect));
	assert_string_equal(dump_text, "GUEST_RIP=681e                   HOST_RIP=6c16\n");
	assert_true(vmcs_dump(&cap, "guest_cs_ar", fake_read, NULL, collect));
	dump_text[0] = '\0';
	assert_false(vmcs_dump(&cap, "ept_pointer", fake_read, NULL, collect));
	assert_false(vmcs_dump(&cap, "guests", fake_read, NULL, collect));
	assert_string_equal(dump_text, "");
}

/* What has changed is marked, once. */
static void dump_marks_changes(void **state)
{
	struct vmx_capability cap = {0};
	u64 seen[256];
	unsigned rip = (unsigned)(vmcs_field_by_name("GUEST_RIP") - vmcs_fields);
	unsigned ss = (unsigned)(vmcs_field_by_name("GUEST_SS_BASE") - vmcs_fields);

	(void)state;
	assert_true(vmcs_field_count <= ARRAY_SIZE(seen));
	for (unsigned i = 0; i < vmcs_field_count; i++) {
		bool ok;

		seen[i] = fake_read(vmcs_fields[i].encoding, &ok);
	}
	dump_text[0] = '\0';
	assert_true(vmcs_dump(&cap, NULL, fake_read, seen, collect));
	assert_null(strchr(dump_text, '*'));
	seen[rip]++;
	seen[ss]--;
	dump_text[0] = '\0';
	assert_true(vmcs_dump(&cap, "st_rip", fake_read, seen, collect));
	assert_string_equal(dump_text, "GUEST_RIP=681e*                  HOST_RIP=6c16\n");
	dump_text[0] = '\0';
	assert_true(vmcs_dump(&cap, "guest", fake_read, seen, collect));
	assert_non_null(strstr(dump_text, "SS   0804 base=000000000000680a* limit="));
	assert_ptr_equal(strchr(dump_text, '*'), strrchr(dump_text, '*'));
}

static unsigned emitted;
static char last_field[256];

static void emit(const char *group, const char *name, u64 value, const char *words, bool changed)
{
	emitted++;
	snprintf(last_field, sizeof(last_field), "%s %s %lx %s%s", group, name, value, words,
		 changed ? "*" : "");
}

static void each_field_has_group_and_words(void **state)
{
	struct vmx_capability cap = {0};
	u64 seen[256] = {0};

	(void)state;
	for (unsigned i = 0; i < NR_VMX_WORDS; i++)
		cap.ctl[i] = ~0ull;
	emitted = 0;
	assert_true(vmcs_each_field(&cap, NULL, fake_read, NULL, emit));
	assert_int_equal(emitted, vmcs_field_count - 1); /* fake_read() cannot read one */
	emitted = 0;
	assert_true(vmcs_each_field(&cap, "guest_cs_ar", fake_read, NULL, emit));
	assert_int_equal(emitted, 1);
	assert_string_equal(last_field, "guest GUEST_CS_AR_BYTES a09b code readable DPL0 P L G");
	assert_true(vmcs_each_field(&cap, "host_rip", fake_read, NULL, emit));
	assert_string_equal(last_field, "host HOST_RIP 6c16 ");
	emitted = 0;
	assert_true(vmcs_each_field(&cap, "host", fake_read, NULL, emit));
	assert_true(emitted > 10);
	assert_int_equal(strncmp(last_field, "host HOST_", 10), 0);
	assert_false(vmcs_each_field(&cap, "guests", fake_read, NULL, emit));
	assert_true(vmcs_each_field(&cap, "host_rip", fake_read, seen, emit));
	assert_string_equal(last_field, "host HOST_RIP 6c16 *");
	assert_true(vmcs_each_field(&cap, "host_rip", fake_read, seen, emit));
	assert_string_equal(last_field, "host HOST_RIP 6c16 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_field_has_group_and_words),
		cmocka_unit_test(fields_are_ordered_and_well_formed),
		cmocka_unit_test(encodings_are_the_sdms),
		cmocka_unit_test(fields_exist_when_their_control_may_be_1),
		cmocka_unit_test(exit_reasons_have_names),
		cmocka_unit_test(instruction_errors_have_texts),
		cmocka_unit_test(words_are_decoded),
		cmocka_unit_test(dump_shows_a_part),
		cmocka_unit_test(dump_marks_changes),
		cmocka_unit_test(dump_shows_what_exists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
