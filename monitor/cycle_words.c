/* SPDX-License-Identifier: MIT */
/*
 * The words of the command `cycle`, and which exits they mean. See cycle.h and tracer.h.
 */
#include "monitor/cycle.h"
#include "lib/string.h"
#include "vmm/recorder.h"

static const char *parse_filter(const char *const *word, struct cycle_wanted *wanted)
{
	if (!strcmp(word[0], "reason")) {
		u32 reason;

		if (!word[1])
			return missing("NAME");
		if (!reason_of(word[1], &reason))
			return "there is no such exit reason; stat shows some";
		wanted->reason = virt->exit_name(reason);
		return NULL;
	}
	if (!strcmp(word[0], "port")) {
		wanted->subject = SUBJECT_PORT;
		wanted->has_value = true;
		return parse_number("N", word[1], 16, 0xffff, &wanted->value);
	}
	if (!strcmp(word[0], "rip")) {
		wanted->has_rip = true;
		return parse_number("ADDR", word[1], 16, ~0ull, &wanted->rip);
	}
	return "there is no such form; help cycle lists them";
}

const char *cycle_parse(const struct arguments *args, struct cycle_request *request)
{
	static const struct {
		const char *word;
		struct cycle_request request;
	} forms[] = {
		{"pf", {.form = CYCLE_PF, .wanted.subject = SUBJECT_LINEAR}},
		{"io", {.form = CYCLE_EXIT, .wanted.subject = SUBJECT_PORT}},
		{"init", {.form = CYCLE_INIT}},
		{"create", {.form = CYCLE_CREATE}},
		{"steps", {.form = CYCLE_STEPS}},
	};
	const char *const *word = &args->word[1];
	u64 number;

	*request = (struct cycle_request){.form = CYCLE_EXIT};
	for (unsigned i = 0; word[0] && i < ARRAY_SIZE(forms); i++) {
		if (strcmp(word[0], forms[i].word) != 0)
			continue;
		if (word[1] && (forms[i].request.form == CYCLE_STEPS || word[2]))
			return TOO_MANY;
		*request = forms[i].request;
		request->vcpu = word[1];
		return NULL;
	}
	if (number_of(word[0], 10, &number))
		request->vcpu = *word++;
	if (word[0] && word[1] && word[2])
		return TOO_MANY;
	return word[0] ? parse_filter(word, &request->wanted) : NULL;
}

bool tracer_wants(const struct cycle_wanted *want, const char *reason,
		  const struct exit_subject *subject, u64 rip, bool ours)
{
	if (want->reason ? strcmp(want->reason, reason) != 0 : ours)
		return false;
	if (want->subject != SUBJECT_NONE && want->subject != subject->kind)
		return false;
	if (want->has_value && want->value != subject->value)
		return false;
	return !want->has_rip || rip == want->rip;
}
