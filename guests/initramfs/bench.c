// SPDX-License-Identifier: MIT
/*
 * The benchmark's first process of Linux (rdinit=/bin/bench). It prints a line "bench NAME TICKS"
 * for each operation, of one of several rounds, and switches the machine off. "init" is the
 * time-stamp counter at its start. With the argument "off" it measures nothing else.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <x86intrin.h>

#define PAGE       4096
#define MAX_ROUNDS 100

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

/* Time @rounds calls, at most MAX_ROUNDS, with @loops operations each. Print the time of that round
 * than which @faster rounds are faster. */
static void measure(const char *name, void (*fn)(unsigned loops), unsigned rounds, unsigned loops,
		    unsigned faster)
{
	static uint64_t ticks[MAX_ROUNDS];

	fn(loops); /* warm-up */
	for (unsigned i = 0; i < rounds; i++) {
		uint64_t start = __rdtsc();

		fn(loops);
		ticks[i] = __rdtsc() - start;
	}
	qsort(ticks, rounds, sizeof(*ticks), compare);
	printf("bench %s %llu\n", name, (unsigned long long)ticks[faster] / loops);
}

static void bench_getpid(unsigned loops)
{
	while (loops--)
		syscall(SYS_getpid);
}

static void bench_page_fault(unsigned loops)
{
	char *p = mmap(NULL, (size_t)loops * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return;
	for (unsigned i = 0; i < loops; i++)
		*(volatile char *)(p + (size_t)i * PAGE) = 1;
	munmap(p, (size_t)loops * PAGE);
}

/* Send a byte to another process and back. The first call starts that process. */
static void bench_pipe(unsigned loops)
{
	static int there[2], back[2];
	static pid_t child;
	char byte = 0;

	if (!child) {
		if (pipe(there) || pipe(back))
			return;
		child = fork();
		if (!child)
			while (read(there[0], &byte, 1) == 1 && write(back[1], &byte, 1) == 1)
				;
	}
	while (loops-- && write(there[1], &byte, 1) == 1 && read(back[0], &byte, 1) == 1)
		;
}

static void bench_fork_exec(unsigned loops)
{
	while (loops--) {
		pid_t child = fork();

		if (!child) {
			execl("/bin/busybox", "true", (char *)NULL);
			_exit(1);
		}
		waitpid(child, NULL, 0);
	}
}

int main(int argc, char **argv)
{
	uint64_t init = __rdtsc();

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("bench init %llu\n", (unsigned long long)init);
	if (argc < 2 || strcmp(argv[1], "off") != 0) {
		/* These are so short that some rounds run between two timer interrupts. */
		measure("getpid", bench_getpid, 30, 1000, 0);
		measure("page-fault", bench_page_fault, 50, 16, 0);
		measure("pipe", bench_pipe, 50, 5, 0);
		/* This takes four timer periods, and now and then the kernel has something else to
		 * do. In most rounds there are four timer interrupts: see the median. In the
		 * fastest there may be three, and whether that happens is a matter of phase. */
		measure("fork-exec", bench_fork_exec, 100, 1, 50);
	}
	printf("bench end 0\n");
	tcdrain(STDOUT_FILENO);
	reboot(RB_POWER_OFF);
	return 0;
}
