// SPDX-License-Identifier: MIT
/*
 * hole START END: checks that the physical addresses START to END (hexadecimal, END included) read
 * as all ones by every kind of access, and that writes have no effect. Of these, the pages of the
 * logs that CPUID names must be text that can be read only, and those of the exits can be read
 * only.
 *
 * hole START END find: prints which pages among them read as all ones, START END in each line.
 */
#include <cpuid.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "log_ring.h"

static int failures;

static void check(int good, const char *what, uint64_t address)
{
	if (good)
		return;
	if (++failures <= 10)
		printf("# %s at %#lx\n", what, address);
}

/* Reads of each width, by string instructions and by SSE. */
static void read_all_ways(volatile uint8_t *p, uint64_t address)
{
	uint8_t copy[64], ones[64];
	uint64_t xmm[2], in_place = 1;
	void *to = copy;
	const void *from = (const void *)p;
	uint64_t count = sizeof(copy);

	memset(ones, 0xff, sizeof(ones));
	check(*p == 0xff, "8-bit read", address);
	check(*(volatile uint16_t *)p == 0xffff, "16-bit read", address);
	check(*(volatile uint32_t *)p == 0xffffffff, "32-bit read", address);
	check(*(volatile uint64_t *)p == ~0ull, "64-bit read", address);
	check(*(volatile int8_t *)p == -1, "sign-extending read", address);
	asm volatile("add %1, %0" : "+r"(in_place) : "m"(*(volatile uint64_t *)p));
	check(in_place == 0, "add from memory", address);
	asm volatile("movdqu %1, %%xmm0; movdqu %%xmm0, %0"
		     : "=m"(xmm)
		     : "m"(*(volatile uint64_t(*)[2])p)
		     : "xmm0");
	check(xmm[0] == ~0ull && xmm[1] == ~0ull, "SSE read", address);
	asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
	check(!memcmp(copy, ones, sizeof(copy)), "rep movsb from", address);
}

/* Writes of each width, by string instructions, by SSE, and by read-modify-write. */
static void write_all_ways(volatile uint8_t *p)
{
	void *to = (void *)p;
	uint64_t count = 64, old = ~0ull, pair[2] = {0, 0};

	*p = 0x12;
	*(volatile uint16_t *)p = 0x1234;
	*(volatile uint32_t *)p = 0x12345678;
	*(volatile uint64_t *)p = 0x123456789abcdef0;
	asm volatile("movl $0, %0" : "=m"(*(volatile uint32_t *)p));
	asm volatile("lock xaddq %0, %1" : "+r"(count), "+m"(*(volatile uint64_t *)p));
	asm volatile("lock cmpxchgq %2, %1" : "+a"(old), "+m"(*(volatile uint64_t *)p) : "r"(0ull));
	asm volatile("xchgq %0, %1" : "+r"(old), "+m"(*(volatile uint64_t *)p));
	asm volatile("movdqu %1, %%xmm0; movdqu %%xmm0, %0"
		     : "=m"(*(volatile uint64_t(*)[2])p)
		     : "m"(pair)
		     : "xmm0");
	count = 64;
	asm volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(0) : "memory");
}

/* Is @address on a page of a log, or of the exits? Returns 1 + enum log_ring_of; 0: no. */
static int is_log(uint64_t address)
{
	unsigned int a, b, size, d;

	for (unsigned int i = 0; i < LOG_RINGS; i++) {
		__cpuid_count(LOG_RING_LEAF, i, a, b, size, d);
		if (address - ((uint64_t)b << 32 | a) < size)
			return 1 + (int)i;
	}
	return 0;
}

/* A page of a log is text, also after writes of what is no text. Glasshouse may add lines. Nor is
 * what was written on a page of the exits, where each exit changes something. */
static void check_log(volatile uint8_t *p, uint64_t address, int is_text)
{
	const uint64_t other = 0xa5a5a5a5a5a5a5a5;
	uint64_t old = *(volatile uint64_t *)(p + 64), added = other, count = 64;
	uint64_t pair[2] = {other, other};
	void *to = (void *)(p + 64);

	asm volatile("lock xaddq %0, %1" : "+r"(added), "+m"(*(volatile uint64_t *)(p + 64)));
	check(added == old || *(volatile uint64_t *)(p + 64) != old, "another read by xadd",
	      address);
	*(p + 64) = (uint8_t)other;
	*(volatile uint64_t *)(p + 72) = other;
	asm volatile("movdqu %1, %%xmm0; movdqu %%xmm0, %0"
		     : "=m"(*(volatile uint64_t(*)[2])(p + 80))
		     : "m"(pair)
		     : "xmm0");
	asm volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(other) : "memory");
	for (unsigned int i = 64; i < 144; i += 8)
		check(*(volatile uint64_t *)(p + i) != other, "a write to the log", address + i);
	for (unsigned int i = sizeof(struct log_ring); is_text && i < 4096; i++)
		if (p[i] >= 0x80) {
			check(0, "the log is no text", address + i);
			break;
		}
}

static sigjmp_buf out;

static void on_fault(int signal)
{
	siglongjmp(out, signal);
}

/* An instruction fetch gets all ones, an undefined opcode, or faults. */
static void run_there(void *p, uint64_t address)
{
	int how = sigsetjmp(out, 1);

	if (!how) {
		((void (*)(void))p)();
		how = -1;
	}
	check(how == SIGILL || how == SIGSEGV || how == SIGBUS, "execution", address);
}

static int reads_ones(const volatile uint64_t *page)
{
	for (int i = 0; i < 512; i++)
		if (page[i] != ~0ull)
			return 0;
	return 1;
}

static void find(const uint8_t *base, uint64_t start, uint64_t size)
{
	uint64_t from = 0;

	for (uint64_t at = 0; at <= size; at += 4096) {
		if (at < size && reads_ones((const volatile uint64_t *)(base + at)))
			continue;
		if (at > from)
			printf("%lx %lx\n", start + from, start + at - 1);
		from = at + 4096;
	}
}

int main(int argc, char **argv)
{
	static const int signals[] = {SIGILL, SIGSEGV, SIGBUS};
	uint64_t start, size;
	unsigned int logs = 0;
	uint8_t *base;
	int fd;

	if (argc != 3 && argc != 4)
		return 2;
	start = strtoul(argv[1], NULL, 16);
	size = strtoul(argv[2], NULL, 16) + 1 - start;
	fd = open("/dev/mem", O_RDWR);
	base = mmap(NULL, size, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED, fd, (off_t)start);
	if (fd < 0 || base == MAP_FAILED) {
		perror("# hole: /dev/mem");
		return 2;
	}

	if (argc == 4) {
		find(base, start, size);
		return 0;
	}

	/* A read and a write of each page; accesses of every kind to some pages. */
	for (uint64_t at = 0; at < size; at += 4096) {
		if (is_log(start + at)) {
			logs++;
			check_log(base + at, start + at, is_log(start + at) != 1 + LOG_RING_TRACE);
			continue;
		}
		check(*(volatile uint64_t *)(base + at + 8) == ~0ull, "read", start + at);
		*(volatile uint64_t *)(base + at + 8) = 0;
	}
	for (uint64_t at = 0; at<size; at += size> 64 * 4096 ? size / 8 : 4096) {
		if (is_log(start + at))
			continue;
		read_all_ways(base + at + 64, start + at + 64);
		write_all_ways(base + at + 64);
		read_all_ways(base + at + 64, start + at + 64);
	}
	for (uint64_t at = 0; at < size; at += 4096)
		check(is_log(start + at) || *(volatile uint64_t *)(base + at + 8) == ~0ull,
		      "read after writes", start + at);
	/* An access across a page boundary. */
	check(is_log(start) || *(volatile uint64_t *)(base + 4092) == ~0ull, "read across pages",
	      start + 4092);

	for (unsigned int i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], on_fault);
	run_there(base, start);

	printf("# hole: %lu KiB at %#lx, of these %u pages of a log, %d failures\n", size >> 10,
	       start, logs, failures);
	return failures != 0;
}
