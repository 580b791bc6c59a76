// SPDX-License-Identifier: MIT
/*
 * The benchmark's first process of Linux (rdinit=/bin/bench). It prints a line "bench NAME TICKS"
 * for each operation, the minimum of several rounds, and switches the machine off. "init" is the
 * time-stamp counter at its start. With the argument "off" it measures nothing else.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <x86intrin.h>

#define PAGE 4096

/* Print the minimum of @rounds calls with @loops operations each. A call is so short that some run
 * between two timer interrupts. */
static void measure(const char *name, void (*fn)(unsigned loops), unsigned rounds, unsigned loops)
{
	uint64_t best = UINT64_MAX;

	fn(loops); /* warm-up */
	while (rounds--) {
		uint64_t start = __rdtsc(), ticks;

		fn(loops);
		ticks = __rdtsc() - start;
		if (ticks < best)
			best = ticks;
	}
	printf("bench %s %llu\n", name, (unsigned long long)best / loops);
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
		measure("getpid", bench_getpid, 30, 1000);
		measure("page-fault", bench_page_fault, 50, 16);
		measure("pipe", bench_pipe, 50, 5);
		/* So often because it takes four timer periods, almost exactly: the best round is
		 * that with the fewest timer interrupts, and their phase moves little from round to
		 * round. */
		measure("fork-exec", bench_fork_exec, 100, 1);
	}
	printf("bench end 0\n");
	tcdrain(STDOUT_FILENO);
	reboot(RB_POWER_OFF);
	return 0;
}
