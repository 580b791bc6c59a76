/* SPDX-License-Identifier: MIT */
/*
 * What the files of the monitor share. A command returns NULL; or why it could not do it, in words.
 *
 * What it finds out it gives by row(): one call names each value and says how the row looks as
 * text; after -j, which the command itself does not see, the same call gives JSON. Words that are
 * of no use to a program it prints by say(), which becomes an object with the key "text".
 */
#ifndef GH_MONITOR_COMMANDS_H
#define GH_MONITOR_COMMANDS_H

#include "lib/log.h"
#include "monitor/row.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

/* The words of a line that are kept: the command and its arguments, one more than any takes at
 * least. */
#define COMMAND_WORDS 12u

/* The words of the line, the command first; NULL where there are no more. */
struct arguments {
	const char *word[COMMAND_WORDS + 1];
};

#define COMMAND(name, takes, help, example, ...) \
	const char *command_##name(const struct arguments *args);
#include "monitor/commands.def"
#undef COMMAND

/* Print to the monitor's terminal: the console is diverted to it while a command runs. */
#define say(...) pr_info(__VA_ARGS__)

/* ---- monitor.c ---- */

/* The vCPU that has the heartbeat, which runs on this CPU. */
struct vcpu *monitor_vcpu(void);

/* Returns the vCPU with the decimal number @word; without a @word, monitor_vcpu(); NULL: none. */
struct vcpu *vcpu_of(const char *word);

/* shadow.c: print what has been done about the page faults of @vcpu, with shadow page tables. */
void tell_outcomes(const struct vcpu *vcpu);

/* Have @vcpu's own CPU call @function, whose say() goes to the terminal, too. Returns NULL, or why
 * it could not be done. */
const char *on_vcpu(struct vcpu *vcpu, void (*function)(struct vcpu *vcpu));

/* Have monitor_vcpu() enter its guest, until the next exit has been handled. */
void monitor_run_once(void);

/* Wait until each vCPU has left the exit that it is handling now. Returns NULL, or why one has not.
 */
const char *monitor_pass_all(void);

/* Let a single vCPU run again, unless all are to stay out of the guest. */
void monitor_release(struct vcpu *vcpu);

/* Have all vCPUs stay out of the guest, or let them run again. Returns NULL, or which did not stop.
 */
const char *monitor_pause(bool pause);

/* Are all vCPUs kept out of the guest, by monitor_pause() or by gdb? */
bool monitor_is_paused(void);
/* Does the monitor attend to its lines now, and keep its vCPU out of the guest? Not while a script
 * runs before the guest's first instruction. */
bool monitor_beats(void);

/* Does @vcpu go on once the command has been answered? Nobody keeps it out of the guest, and it is
 * in none of its waits. */
bool monitor_lets_run(const struct vcpu *vcpu);

/* Ticks of the time-stamp counter in a second. */
u64 monitor_second(void);

/*
 * Has the person stopped this command, by Ctrl-C? What it prints is dropped then, and its answer
 * will be "err: stopped". A command that runs for long without printing, or until it is stopped,
 * asks again and again; others need not.
 */
bool monitor_stopped(void);

/*
 * Have the command that runs now go on: call @beat at each heartbeat, between which the guest runs,
 * until it returns false; the last time when Ctrl-C has come, with @stopped. It ends with "ok".
 */
void monitor_live(bool (*beat)(bool stopped));

/* End a command that would go on. Returns whether there was one. */
bool monitor_end_live(void);

/* Reset the machine once this command has been answered. */
void monitor_reset(void);

/* ---- monitor.c, for scripts ---- */

/* Commands are for @vm from now on. On the boot CPU. */
void monitor_attach(struct vm *vm);

/* Begin to beat: script_continue() is called 100 times per second. Returns false if this CPU
 * cannot. */
bool monitor_start_beat(void);

/* All lines that come before the guest have been run: have a beat do what they have left to do.
 * After a pause that is now, if somebody is there who can resume. */
void monitor_after_scripts(void);

/* ---- commands.c ---- */

/* Run the command that @args begins with. Returns NULL, or why it could not be done. */
const char *command_run(const struct arguments *args);

/* Returns word @i of those that may stand at @at in the line @text, or NULL if there are no more.
 * It is valid until the next call. */
const char *command_word(const char *text, size_t at, unsigned i);

/* ---- stack.c ---- */

/* bt takes names from the @size bytes at @text: see struct room_setup. */
void bt_symbols(const char *text, size_t size);

/* ---- words.c ---- */

/* Cut @line, which is changed, into words. */
void split(char *line, struct arguments *args);

/* Is the first argument @word? Then it is taken away. */
bool take_word(struct arguments *args, const char *word);

/* Is the first argument an option, as -x, that nobody has taken away? */
bool has_option(const struct arguments *args);

/*
 * Parse all of @word as a number of the @base 10 or 16; one with 0x is hexadecimal in any case.
 * Returns false, without a change of *@value, if it is none, has more than 64 bits, or is NULL.
 */
bool number_of(const char *word, unsigned base, u64 *value);

/*
 * The same for the argument that help calls @name, which may be at most @most. Returns NULL, or why
 * it cannot be done: it is missing, no number, or more. The text is valid until the next call.
 */
const char *parse_number(const char *name, const char *word, unsigned base, u64 most, u64 *value);

/* Why it cannot be done: the argument @name is missing. Valid until the next call. */
const char *missing(const char *name);

/* The number of the exit reason with this name, in small letters or capitals. Returns false if
 * there is none, or @word is NULL. */
bool reason_of(const char *word, u32 *reason);

#define NO_VCPU   "there is no such vCPU; ls lists them"
#define TOO_MANY  "too many words; help NAME tells which there are"
#define NO_OPTION "there is no such option; help NAME lists them"

#endif
