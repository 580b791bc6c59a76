/* SPDX-License-Identifier: MIT */
/*
 * The table of commands: finding one, its help, and the words that Tab completes.
 */
#include "monitor/commands.h"
#include "lib/string.h"

#define NO_COMMAND "there is no such command; help lists them"
#define WORD_SIZE  32 /* bytes of a word that Tab completes, with the NUL */

static const struct command {
	const char *name, *takes, *help, *example; /* takes: with a space before it, or nothing */
	const char *(*run)(const struct arguments *args);
	unsigned most;                  /* how many words may follow it */
	const char *words;              /* what may follow it, separated by spaces; NULL: unknown */
	const char *gdb, *bochs, *qemu; /* the same in these debuggers, or NULL */
} commands[] = {
#define COMMAND(id, arguments, text, shown, ...)              \
	{.name = #id,                                         \
	 .takes = sizeof(arguments) > 1 ? " " arguments : "", \
	 .help = text,                                        \
	 .example = shown,                                    \
	 .run = command_##id,                                 \
	 __VA_ARGS__},
#include "monitor/commands.def"
#undef COMMAND
};

static const struct command *find(const char *name, size_t length)
{
	for (unsigned i = 0; i < ARRAY_SIZE(commands); i++)
		if (strlen(commands[i].name) == length && !strncmp(name, commands[i].name, length))
			return &commands[i];
	return NULL;
}

const char *command_run(const struct arguments *args)
{
	const struct command *command = find(args->word[0], strlen(args->word[0]));

	if (!command)
		return NO_COMMAND;
	return args->word[command->most + 1] ? TOO_MANY : command->run(args);
}

static void print_same(const char *where, const char *words)
{
	if (words)
		row("debugger same", "in %s: %s\n", where, words);
}

static const char *help_about(const char *name)
{
	const struct command *c = find(name, strlen(name));

	if (!c)
		return NO_COMMAND;
	row("name takes help example", "%s%s: %s\nexample: %s\n", c->name, c->takes, c->help,
	    c->example);
	print_same("gdb", c->gdb);
	print_same("Bochs' debugger", c->bochs);
	print_same("QEMU's monitor", c->qemu);
	return NULL;
}

const char *command_help(const struct arguments *args)
{
	if (args->word[1])
		return help_about(args->word[1]);
	for (unsigned i = 0; i < ARRAY_SIZE(commands); i++)
		row("name takes help", "%-8s%-19s %s\n", commands[i].name, commands[i].takes,
		    commands[i].help);
	say("Addresses, ports, MSRs, leaves, values and bytes are hexadecimal, other numbers "
	    "decimal. VCPU is a number; without it: 0.\n");
	return NULL;
}

/* Copy word @i of @words to @word. Returns it, or NULL if there are fewer. */
static const char *nth(const char *words, unsigned i, char word[WORD_SIZE])
{
	size_t n = 0;

	for (; words && i; i--) {
		words = strchr(words, ' ');
		words = words ? words + 1 : NULL;
	}
	if (!words)
		return NULL;
	for (; words[n] && words[n] != ' ' && n + 1 < WORD_SIZE; n++)
		word[n] = words[n];
	word[n] = '\0';
	return word;
}

const char *command_word(const char *text, size_t at, unsigned i)
{
	static char word[WORD_SIZE];
	const struct command *command;
	size_t n = 0;

	while (n < at && text[n] != ' ')
		n++;
	command = find(text, n);
	if (!at || (command && command->run == command_help))
		return i < ARRAY_SIZE(commands) ? commands[i].name : NULL;
	return command ? nth(command->words, i, word) : NULL;
}
