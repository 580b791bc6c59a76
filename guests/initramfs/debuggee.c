// SPDX-License-Identifier: MIT
/*
 * A program to be debugged by tests/boot/test_gdb.py: at each line that it reads, it does the same
 * things, so that what breakpoints, watchpoints and steps tell can be compared with them.
 */
#include <stdio.h>
#include <sys/stat.h>

#define ROUNDS 20

volatile long watched;

/* Not inlined, and with more than one instruction. */
__attribute__((noinline)) long work(long n)
{
	watched = 3 * n;
	return watched + 1;
}

int main(void)
{
	char line[80];

	while (fgets(line, sizeof(line), stdin)) {
		long sum = 0;

		for (int i = 0; i < ROUNDS; i++) {
			umask((mode_t)i);
			sum += work(i);
		}
		printf("# sum %ld\n", sum);
		fflush(stdout);
	}
	return 0;
}
