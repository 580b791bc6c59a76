/* SPDX-License-Identifier: MIT */
/*
 * The words of the command `cycle`, which exits they mean, and the words of its steps.
 */
#include "tests/unit/stubs.h"

#include "monitor/cycle.h"

static const char *exit_name(u32 reason)
{
	static const char *const names[] = {"EXCEPTION_NMI", "CPUID", "IO_INSTRUCTION"};

	return reason < ARRAY_SIZE(names) ? names[reason] : "?";
}

struct virt_ops virt_ops = {.exit_name = exit_name};

static struct cycle_request request;

/* Parse @line, whose first word is the command. */
static const char *parse(const char *line)
{
	static char text[100];
	struct arguments args;

	assert_true(strlen(line) < sizeof(text));
	strcpy(text, line);
	split(text, &args);
	return cycle_parse(&args, &request);
}

static bool wants(const char *reason, enum subject_kind kind, u64 value, u64 rip, bool beat)
{
	struct exit_subject subject = {kind, value};

	return tracer_wants(&request.wanted, reason, &subject, rip, beat);
}

static void test_any(void **state)
{
	(void)state;
	assert_null(parse("cycle"));
	assert_int_equal(request.form, CYCLE_EXIT);
	assert_null(request.vcpu);
	assert_true(wants("CPUID", SUBJECT_NONE, 0, 1, false));
	assert_true(wants("IO_INSTRUCTION", SUBJECT_PORT, 0x70, 1, false));
	assert_false(wants("PREEMPTION_TIMER", SUBJECT_NONE, 0, 1, true));
	assert_null(parse("cycle 12"));
	assert_string_equal(request.vcpu, "12");
	assert_true(wants("CPUID", SUBJECT_NONE, 0, 1, false));
}

static void test_filters(void **state)
{
	(void)state;
	assert_null(parse("cycle 1 reason cpuid"));
	assert_string_equal(request.vcpu, "1");
	assert_true(wants("CPUID", SUBJECT_NONE, 0, 1, false));
	assert_true(wants("CPUID", SUBJECT_NONE, 0, 1, true)); /* asked for by its name */
	assert_false(wants("EXCEPTION_NMI", SUBJECT_NONE, 0, 1, false));

	assert_null(parse("cycle port 3f8"));
	assert_null(request.vcpu);
	assert_true(wants("IO_INSTRUCTION", SUBJECT_PORT, 0x3f8, 1, false));
	assert_false(wants("IO_INSTRUCTION", SUBJECT_PORT, 0x3f9, 1, false));
	assert_false(wants("EXCEPTION_NMI", SUBJECT_LINEAR, 0x3f8, 1, false));

	assert_null(parse("cycle 0 rip ffffffff81000000"));
	assert_true(wants("CPUID", SUBJECT_NONE, 0, 0xffffffff81000000, false));
	assert_false(wants("CPUID", SUBJECT_NONE, 0, 0xffffffff81000002, false));
	assert_false(wants("PREEMPTION_TIMER", SUBJECT_NONE, 0, 0xffffffff81000000, true));
}

static void test_forms(void **state)
{
	(void)state;
	assert_null(parse("cycle io 1"));
	assert_int_equal(request.form, CYCLE_EXIT);
	assert_string_equal(request.vcpu, "1");
	assert_true(wants("IO_INSTRUCTION", SUBJECT_PORT, 0, 1, false));
	assert_false(wants("CPUID", SUBJECT_NONE, 0, 1, false));
	assert_null(parse("cycle pf"));
	assert_int_equal(request.form, CYCLE_PF);
	assert_true(wants("EXCEPTION_NMI", SUBJECT_LINEAR, 0, 1, false));
	assert_false(wants("EPT_VIOLATION", SUBJECT_GUEST_PHYSICAL, 0, 1, false));
	assert_null(parse("cycle init 1"));
	assert_int_equal(request.form, CYCLE_INIT);
	assert_string_equal(request.vcpu, "1");
	assert_null(parse("cycle create"));
	assert_int_equal(request.form, CYCLE_CREATE);
	assert_null(parse("cycle steps"));
	assert_int_equal(request.form, CYCLE_STEPS);
}

static void test_wrong(void **state)
{
	static const char *const lines[] = {
		"cycle reason",       "cycle reason CPUI", "cycle reason CPUIDX", "cycle port",
		"cycle port xyz",     "cycle rip",         "cycle 0 rip 12g",     "cycle nonsense",
		"cycle 0 nonsense 1", "cycle 0 steps"};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(lines); i++)
		assert_non_null(parse(lines[i]));
}

/* Each step says what happens; each name of KVM's is one word. */
static void test_words(void **state)
{
	(void)state;
	for (unsigned i = 0; i < NR_STEP_IDS; i++) {
		const struct step_words *w = &step_words[i];

		assert_true(strlen(w->name) > 1 && strlen(w->does) > 2);
		for (unsigned k = 0; k < STEP_KVMS; k++)
			assert_true(w->kvm[k] && !strchr(w->kvm[k], ' '));
		assert_non_null(w->sdm);
		assert_null(strchr(w->does, ':') ? strstr(w->does, ": to") : NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any),   cmocka_unit_test(test_filters),
		cmocka_unit_test(test_forms), cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
