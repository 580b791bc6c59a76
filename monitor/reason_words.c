/* SPDX-License-Identifier: MIT */
/*
 * The names of exit reasons, as a person types them.
 */
#include "monitor/commands.h"
#include "vmm/recorder.h"
#include "vmm/virt_ops.h"

static char upper(char c)
{
	return (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
}

/* The names of exit reasons are in capitals. */
static bool same_name(const char *name, const char *word)
{
	while (*name && *name == upper(*word))
		name++, word++;
	return !*name && !*word;
}

bool reason_of(const char *word, u32 *reason)
{
	for (*reason = 0; word && *reason < RECORDER_REASONS; ++*reason)
		if (same_name(virt->exit_name(*reason), word))
			return true;
	return false;
}
