/* SPDX-License-Identifier: MIT */
/*
 * Running scripts. Before the guest runs, and after each wait at a heartbeat, on the boot CPU. The
 * log gets each command with its answer, and TAP for the lines with expect.
 */
#include "monitor/script.h"
#include "arch/x86/cpu.h"
#include "drivers/console.h"
#include "lib/string.h"
#include "monitor/commands.h"
#include "vmm/room.h"
#include "vmm/virt_ops.h"

#define MAX_SCRIPTS 4
#define TEXT_SIZE   8192u /* bytes of all scripts */
#define NAME_SIZE   32
#define ANSWER_SIZE 8192u /* bytes of an answer that are kept */

static struct {
	char name[NAME_SIZE];
	size_t start, end; /* in text[] */
} scripts[MAX_SCRIPTS];
static char text[TEXT_SIZE];
static size_t text_used;
static unsigned nr_scripts, nr_expects;

static unsigned now, number, expects; /* the script, its line and the tests until now */
static size_t at;                     /* where the next line begins */
static bool waits;
static u64 until; /* when a wait is over */

static bool awaits;         /* an exit; see at_exit() */
static struct vcpu *exited; /* who has had it; NULL: nobody yet */
static struct vcpu *kept;   /* the same, if it is paused for that */

static char answer[ANSWER_SIZE];
static size_t answer_length;

static void keep(const char *s, size_t n)
{
	n = MIN(n, ANSWER_SIZE - 1 - answer_length);
	memcpy(answer + answer_length, s, n);
	answer_length += n;
	answer[answer_length] = '\0';
}

static void print_answer(void)
{
	for (const char *s = answer; *s;) {
		const char *end = strchr(s, '\n');
		int n = end ? (int)(end - s) : (int)strlen(s);

		pr_info("  %.*s\n", n, s);
		s += n + (end != NULL);
	}
}

static void run_command(char *line)
{
	struct arguments args;
	char name[SCRIPT_LINE];
	const char *why;

	strlcpy(name, line, sizeof(name));
	pr_info("%s:%u: %s\n", scripts[now].name, number, name);
	answer_length = 0;
	answer[0] = '\0';
	split(line, &args);
	console_divert(this_cpu(), row_text);
	row_begin(take_word(&args, "-j"), keep);
	why = command_run(&args);
	if (monitor_end_live())
		why = "it goes on until Ctrl-C, which is not for scripts";
	row_end(why);
	console_divert(NULL, NULL);
	print_answer();
	if (why)
		pr_warn("Script %s, line %u: the command \"%s\" could not be done: %s\n",
			scripts[now].name, number, name, why);
}

static bool answer_has(const char *part)
{
	size_t n = strlen(part);

	for (const char *s = answer; *s; s++)
		if (!strncmp(s, part, n))
			return true;
	return !n;
}

static void give_up(const char *why)
{
	pr_warn("Script %s, line %u: %s The rest is not run.\n", scripts[now].name, number, why);
	if (nr_expects)
		pr_info("Bail out! %s:%u: %s\n", scripts[now].name, number, why);
	now = nr_scripts;
}

static void begin_wait(u64 ms)
{
	if (!ms)
		give_up("wait takes a time: as 500ms, or 2s; at most an hour.");
	else if (!monitor_start_beat())
		give_up("wait needs the VMX-preemption timer, and this CPU has none.");
	else
		until = rdtsc() + ms * (monitor_second() / 1000);
	waits = true;
}

static void beat_now(struct vcpu *vcpu)
{
	virt->request_immediate_exit(vcpu);
}

/* On the vCPU's CPU: it comes no further until the script has run on. */
static void at_exit(struct vcpu *vcpu)
{
	if (vcpu == monitor_vcpu()) {
		beat_now(vcpu);
	} else {
		vcpu_pause(vcpu);
		vcpu_post_call(monitor_vcpu(), beat_now);
	}
	__atomic_store_n(&exited, vcpu, __ATOMIC_RELEASE);
}

static void begin_at_exit(const char *name)
{
	u32 reason;

	exited = NULL;
	if (!reason_of(name, &reason))
		give_up("there is no such exit reason; stat shows some.");
	else if (!monitor_start_beat())
		give_up("at exit needs the VMX-preemption timer, and this CPU has none.");
	else
		awaits = true;
	if (awaits)
		virt->watch_exit(reason, at_exit);
}

static void release(void)
{
	if (kept)
		monitor_release(kept);
	kept = NULL;
}

/* May the script go on? */
static bool is_over(void)
{
	if (waits && (s64)(rdtsc() - until) < 0)
		return false;
	waits = false;
	if (awaits) {
		kept = __atomic_load_n(&exited, __ATOMIC_ACQUIRE);
		if (!kept)
			return false;
		pr_info("%s:%u: vCPU %u\n", scripts[now].name, number, kept->id);
	}
	awaits = false;
	return true;
}

/* What is longer than a line may be is not done, and an expectation there fails. */
static void refuse(const struct script_line *line)
{
	pr_warn("Script %s, line %u: the line is too long; there is room for %u characters.\n",
		scripts[now].name, number, SCRIPT_LINE - 1);
	if (line->kind == SCRIPT_EXPECT)
		pr_info("not ok %u - %s:%u: too long\n", ++expects, scripts[now].name, number);
}

static void run_line(struct script_line *line)
{
	if (line->too_long && line->kind != SCRIPT_NOTHING) {
		refuse(line);
		return;
	}
	switch (line->kind) {
	case SCRIPT_NOTHING:
		break;
	case SCRIPT_COMMAND:
		run_command(line->text);
		break;
	case SCRIPT_EXPECT:
		pr_info("%sok %u - %s:%u: %s\n", answer_has(line->text) ? "" : "not ", ++expects,
			scripts[now].name, number, line->text);
		break;
	case SCRIPT_WAIT:
		release();
		begin_wait(line->ms);
		break;
	case SCRIPT_AT_EXIT:
		release();
		begin_at_exit(line->text);
		break;
	}
}

bool script_pending(void)
{
	return now < nr_scripts;
}

bool script_keeps(const struct vcpu *vcpu)
{
	return vcpu == kept;
}

void script_continue(void)
{
	struct script_line line;

	while (script_pending()) {
		if (!is_over())
			return;
		if (at == scripts[now].end) {
			number = 0;
			at = ++now < nr_scripts ? scripts[now].start : at;
			continue;
		}
		at = script_read(text, scripts[now].end, at, &line);
		number++;
		run_line(&line);
	}
	release();
}

static void count_expects(size_t from, size_t end)
{
	struct script_line line;

	while (from < end) {
		from = script_read(text, end, from, &line);
		nr_expects += line.kind == SCRIPT_EXPECT;
	}
}

/* Take a copy of a script: the guest may overwrite the module. */
static bool take(const struct room_setup *setup)
{
	const char *name = *setup->words ? setup->words : "script";

	if (nr_scripts == MAX_SCRIPTS || setup->size > TEXT_SIZE - text_used) {
		pr_warn("The script %.*s of %zu bytes is not run: there may be %u, of %u bytes in "
			"all.\n",
			NAME_SIZE - 1, name, setup->size, MAX_SCRIPTS, TEXT_SIZE);
		return false;
	}
	monitor_attach(setup->vm);
	strlcpy(scripts[nr_scripts].name, name, NAME_SIZE);
	scripts[nr_scripts].start = text_used;
	memcpy(text + text_used, setup->bytes, setup->size);
	text_used += setup->size;
	scripts[nr_scripts].end = text_used;
	count_expects(scripts[nr_scripts].start, text_used);
	nr_scripts++;
	return true;
}

/* The guest's first instruction is next. */
static void enter(void)
{
	if (!nr_scripts)
		return;
	if (nr_expects)
		pr_info("1..%u\n", nr_expects);
	script_continue();
	monitor_after_scripts();
}

ROOM(.name = "script", .start = take, .enter = enter);
