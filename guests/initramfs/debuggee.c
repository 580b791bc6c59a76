// SPDX-License-Identifier: MIT
/*
 * A program to be debugged by tests/boot/test_gdb.py: at each line that it reads, it does the same
 * things, so that what breakpoints, watchpoints and steps tell can be compared with them.
 */
#include <stdio.h>
#include <sys/stat.h>

#define ROUNDS 20

volatile long watched;

/* Not inlined, and with more than one instruction. While it stores, XMM9 has n, and ST(0) pi. */
__attribute__((noinline)) long work(long n)
{
	asm volatile("movq %1, %%xmm9\n\t"
		     "fldpi\n\t"
		     "movq %2, %0\n\t"
		     "fstp %%st(0)"
		     : "=m"(watched)
		     : "r"(n), "r"(3 * n)
		     : "xmm9", "st");
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
