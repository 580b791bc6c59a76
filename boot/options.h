/* SPDX-License-Identifier: MIT */
/*
 * Glasshouse's own command line, as values. The words are in the table in options.c, and in
 * docs/options.md.
 */
#ifndef GH_BOOT_OPTIONS_H
#define GH_BOOT_OPTIONS_H

#include "lib/options.h"

enum icr_option { ICR_LIFT, ICR_TRAP };
/* Modules, hard disks by number, the CD. */
enum boot_option { BOOT_FROM_MODULES, BOOT_HD0, BOOT_HD7 = BOOT_HD0 + 7, BOOT_CD, BOOT_DISK };
enum panic_option { PANIC_HALT, PANIC_RESET };
enum icept_option { ICEPT_NONE, ICEPT_PF };

struct boot_options {
	bool strict;      /* stop at an exit that has no handler */
	unsigned icr;     /* enum icr_option */
	unsigned icept;   /* enum icept_option */
	unsigned log;     /* enum log_level: what is printed */
	unsigned boot;    /* enum boot_option: what VM 0 starts from */
	unsigned console; /* bits of enum console: ours while a guest runs */
	unsigned panic;   /* enum panic_option */
	u64 cpus;         /* at most so many CPUs; 0: all */
	u64 reserve;      /* bytes more for the heap */
	char provoke[64]; /* a way to fail, for tests; "": none */
};

/* The table itself, for docs/options.md, which tests/unit/test_boot_options.c writes. */
extern const struct option boot_option_table[];
extern const unsigned boot_option_count;

/*
 * Read @cmdline into @options. Wrong words are named, with the nearest right one or what is
 * allowed, and have no effect. Returns how many there were.
 */
unsigned boot_options_parse(struct boot_options *options, const char *cmdline);

#endif
