/* SPDX-License-Identifier: MIT */
/*
 * What a command answers, for people or for programs. A command gives rows of named fields; each
 * row is printed as text, or, after -j, as one JSON object on a line of its own. Pure: the text
 * goes to a function of the caller.
 */
#ifndef GH_MONITOR_ROW_H
#define GH_MONITOR_ROW_H

#include "bits.h"

/* An answer begins, whose text goes to @write: as text, or as JSON. */
void row_begin(bool json, void (*write)(const char *s, size_t n));

/* Does the answer go to a program, as JSON? */
bool row_is_json(void);

/*
 * Give a row. As text it is @fmt, as printk() prints it. As JSON it has the values that @fmt
 *prints, and no other words: @keys has a key for each conversion of @fmt, in their order, separated
 *by spaces. A key "-" leaves the value out of the JSON. A key that ends with "?" gets true if the
 *value, a string, is not empty, otherwise false. Strings are without the spaces at both ends. %x
 *becomes a string with 0x; %u and %d a number, or a string if it is above 2^53, which not every
 *program can read.
 *
 *	row("cpu apic_id parked?", "CPU %u: APIC ID %x%s\n", 1, 16, "");
 *
 * is "CPU 1: APIC ID 10", or {"cpu":1,"apic_id":"0x10","parked":false}.
 */
void row(const char *keys, const char *fmt, ...) __printf(2, 3);

/* Print @n bytes at @s that are in no row. As JSON each line is {"text":"..."}. */
void row_text(const char *s, size_t n);

/* The answer ends: "ok", or "err: " and @why; as JSON {"ok":true} or {"err":"..."}. What follows is
 * text. */
void row_end(const char *why);

#endif
