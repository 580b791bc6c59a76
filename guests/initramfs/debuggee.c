// SPDX-License-Identifier: MIT
/*
 * A program to be debugged by tests/boot/test_gdb.py: at each line that it reads, it does the same
 * things, so that what breakpoints, watchpoints and steps tell can be compared with them.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define ROUNDS 8
#define PAGE   4096ul

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

/* It accesses no memory but its stack, so it may be executed at any address. */
__attribute__((noinline)) long leaf(long n)
{
	asm volatile("" : "+r"(n));
	return n;
}

/* leaf() once more, at another address of the same memory, as another process could have it. */
static long (*map_again(void))(long)
{
	extern const char __ehdr_start;
	unsigned long offset = (unsigned long)leaf - (unsigned long)&__ehdr_start;
	int fd = open("/proc/self/exe", O_RDONLY);
	char *page = mmap(NULL, 2 * PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd,
			  (off_t)(offset & ~(PAGE - 1)));

	return page == MAP_FAILED ? NULL : (long (*)(long))(page + (offset & (PAGE - 1)));
}

int main(void)
{
	long (*again)(long) = map_again();
	char line[80];

	while (fgets(line, sizeof(line), stdin)) {
		long sum = 0;

		for (int i = 0; i < ROUNDS; i++) {
			umask((mode_t)i);
			sum += work(i);
			sum += leaf(i) - again(i);
		}
		printf("# sum %ld\n", sum);
		fflush(stdout);
	}
	return 0;
}
