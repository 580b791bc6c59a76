// SPDX-License-Identifier: MIT
/*
 * glasshouse-log: prints the log of the Glasshouse that this Linux runs under, from its memory.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "guests/tools/log_reader.h"
#include "guests/tools/own_memory.h"

static const char usage[] =
	"glasshouse-log [-f | -p]: prints the log of the hypervisor Glasshouse.\n"
	"  -f  then waits for further lines, and prints them\n"
	"  -p  prints the log of the boot before, if it is still there\n";

static void print(const char *text, size_t n)
{
	if (fwrite(text, 1, n, stdout) != n || fflush(stdout))
		fail("The log cannot be written to the standard output.");
}

/* Print what is new in the log. */
static void print_new(struct log_reader *r, char *text)
{
	u64 lost;
	size_t n = log_reader_read(r, text, &lost);
	char note[80];

	if (lost) {
		snprintf(note, sizeof(note),
			 "--- %llu bytes are lost: newer lines needed their place ---\n",
			 (unsigned long long)lost);
		print(note, strlen(note));
	}
	print(text, n);
}

int main(int argc, char **argv)
{
	const struct timespec pause = {.tv_nsec = 200000000};
	bool follow = argc == 2 && !strcmp(argv[1], "-f"),
	     last = argc == 2 && !strcmp(argv[1], "-p");
	struct log_reader reader;
	const char *why;
	const void *ring;
	size_t size;
	char *text;

	if (argc > 1 && !follow && !last) {
		fputs(usage, stderr);
		return 2;
	}
	ring = map_own(last ? LOG_RING_LAST : LOG_RING_NOW, &size);
	if (!ring)
		fail("There is no log of the boot before: the machine was off, or memory has been "
		     "cleared or used since, or that was another version.");
	why = log_reader_open(&reader, ring, size, last);
	if (why)
		fail(why);
	text = malloc(reader.size);
	if (!text)
		fail("Out of memory.");
	print_new(&reader, text);
	while (follow) {
		nanosleep(&pause, NULL);
		print_new(&reader, text);
	}
	return 0;
}
