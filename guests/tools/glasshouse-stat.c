// SPDX-License-Identifier: MIT
/*
 * glasshouse-stat: counts and times the exits of this Linux to the Glasshouse that it runs under,
 * from its flight recorder, as `perf kvm stat` does; or writes the recorded exits to a file.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <x86intrin.h>

#include "guests/tools/own_memory.h"
#include "vmm/trace_stat.h"
#include "vmm/vmx/vmcs.h"

static const char usage[] =
	"glasshouse-stat [-p | -m | -r] [-c VCPU] [-w]: counts and times VM exits, by reason.\n"
	"  -p       by port; -m by MSR; -r by the guest's RIP: of the exits that are still "
	"recorded\n"
	"  -c VCPU  only those of one vCPU\n"
	"  -w       from now on, printed each second, until Ctrl-C\n"
	"glasshouse-stat -t FILE: writes the recorded exits to FILE (- is the standard output).\n"
	"The option trace= of Glasshouse says how many are kept.\n";

#define POLL_NS    10000000L   /* how often -w reads the rings */
#define PRINT_NS   1000000000u /* and prints */
#define MEASURE_NS 2000000u    /* how long to compare the clocks */
#define MAX_VCPUS  1024

static struct options {
	enum trace_key key;
	long vcpu; /* -1: all */
	bool watch;
	const char *file;
} options = {.vcpu = -1};

static const void *area; /* the rings */
static unsigned nr;
static size_t size;

/* For -w: of each vCPU, the newest entry that has been seen, and its exits when -w began. */
static u64 newest[MAX_VCPUS], (*began)[TRACE_REASONS];

static struct trace_stat table;
static volatile sig_atomic_t ended;

static u64 now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_RAW, &now);
	return (u64)now.tv_sec * 1000000000 + (u64)now.tv_nsec;
}

/* How often the time-stamp counter counts in a millisecond. */
static u64 measure_khz(void)
{
	u64 start = now_ns(), ticks = __rdtsc(), ns;

	do
		ns = now_ns() - start;
	while (ns < MEASURE_NS);
	return (__rdtsc() - ticks) * 1000000 / ns;
}

static void map_rings(void)
{
	const char *why;

	area = map_own(LOG_RING_TRACE, &size);
	if (!area)
		fail("This Glasshouse does not show its exits: it is older than this program.");
	why = trace_check(area, size, &nr);
	if (why)
		fail(why);
	nr = nr > MAX_VCPUS ? MAX_VCPUS : nr;
	if (options.vcpu >= (long)nr)
		fail("There is no such vCPU.");
}

static void add(const struct trace_exit *exit, void *context)
{
	(void)context;
	trace_stat_add(&table, exit, exit_about, table.key == TRACE_BY_REASON);
}

static bool is_meant(unsigned vcpu)
{
	return options.vcpu < 0 || options.vcpu == (long)vcpu;
}

/* By its CPUID. */
static void renew_counts(void)
{
	find_own(LOG_RING_TRACE, &size);
}

/* Add what the rings have, or with -w what is new there. */
static void collect(void)
{
	for (unsigned i = 0; i < nr; i++) {
		const struct trace_ring *ring = trace_ring_at(area, i);

		if (is_meant(i))
			newest[i] = trace_each(ring, ring->records, newest[i], add, NULL);
	}
}

static void emit(const char *line)
{
	if (puts(line) < 0)
		fail("The table cannot be written to the standard output.");
}

static void print(u64 khz)
{
	struct trace_stat kept = table;

	renew_counts();
	for (unsigned i = 0; table.key == TRACE_BY_REASON && i < nr; i++)
		for (u32 reason = 0; is_meant(i) && reason < TRACE_REASONS; reason++)
			trace_stat_count(&table, reason,
					 trace_ring_at(area, i)->count[reason] -
						 (began ? began[i][reason] : 0));
	trace_stat_print(&table, khz, exit_reason_name, emit);
	fflush(stdout);
	table = kept;
}

static void on_signal(int signal)
{
	(void)signal;
	ended = 1;
}

static void watch(u64 khz)
{
	const struct timespec pause = {.tv_nsec = POLL_NS};

	signal(SIGINT, on_signal);
	collect(); /* what there was before does not count */
	trace_stat_init(&table, options.key);
	began = calloc(nr, sizeof(*began));
	if (!began)
		fail("Out of memory.");
	renew_counts();
	for (unsigned i = 0; i < nr; i++)
		memcpy(began[i], trace_ring_at(area, i)->count, sizeof(*began));
	for (u64 printed = now_ns(); !ended;) {
		nanosleep(&pause, NULL);
		collect();
		if (now_ns() - printed < PRINT_NS)
			continue;
		printed = now_ns();
		fputs("\x1b[H\x1b[J", stdout);
		print(khz);
	}
}

static void write_file(u64 khz)
{
	FILE *f = strcmp(options.file, "-") ? fopen(options.file, "wb") : stdout;
	size_t bytes = trace_ring_at(area, 0)->size;
	struct trace_ring *copy = calloc(1, bytes);

	if (!f || !copy)
		fail("The file cannot be created.");
	for (unsigned i = 0; i < nr; i++) {
		trace_copy(copy, trace_ring_at(area, i));
		copy->khz = (u32)khz;
		if (fwrite(copy, 1, bytes, f) != bytes)
			fail("The file cannot be written.");
	}
	if (fflush(f))
		fail("The file cannot be written.");
}

static void wrong(void) __attribute__((noreturn));
static void wrong(void)
{
	fputs(usage, stderr);
	exit(2);
}

static void parse(char **word)
{
	char *end;

	for (; *word; word++) {
		if (!strcmp(*word, "-p"))
			options.key = TRACE_BY_PORT;
		else if (!strcmp(*word, "-m"))
			options.key = TRACE_BY_MSR;
		else if (!strcmp(*word, "-r"))
			options.key = TRACE_BY_RIP;
		else if (!strcmp(*word, "-w"))
			options.watch = true;
		else if (!strcmp(*word, "-t") && word[1])
			options.file = *++word;
		else if (!strcmp(*word, "-c") && word[1]) {
			options.vcpu = strtol(*++word, &end, 10);
			if (*end || !**word || options.vcpu < 0)
				wrong();
		} else
			wrong();
	}
}

int main(int argc, char **argv)
{
	u64 khz;

	(void)argc;
	parse(argv + 1);
	map_rings();
	khz = measure_khz();
	trace_stat_init(&table, options.key);
	if (options.file) {
		write_file(khz);
	} else if (options.watch) {
		watch(khz);
	} else {
		collect();
		print(khz);
	}
	return 0;
}
