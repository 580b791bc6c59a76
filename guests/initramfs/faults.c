// SPDX-License-Identifier: MIT
/*
 * faults: causes page faults of every kind, many times. CR2 and error code must be exact, as Linux
 * reports them to the signal handler.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

/* "Page-Fault Error Code" of the SDM. */
enum { PF_P = 1, PF_W = 2, PF_U = 4, PF_I = 16 };
enum access { READ, WRITE, EXECUTE };

static sigjmp_buf back;
static volatile uint64_t got_cr2, got_code, got_vector;
static int failures;

static void on_fault(int signal, siginfo_t *info, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)info;
	got_cr2 = regs[REG_CR2];
	got_code = regs[REG_ERR];
	got_vector = regs[REG_TRAPNO];
	siglongjmp(back, signal);
}

/* Access @p in the given way, which must cause a page fault with error code @code. */
static void must_fault(const char *what, uint8_t *p, enum access access, uint64_t code)
{
	got_cr2 = got_code = got_vector = 0;
	if (!sigsetjmp(back, 1)) {
		if (access == READ)
			(void)*(volatile uint8_t *)p;
		else if (access == WRITE)
			*(volatile uint8_t *)p = 1;
		else
			((void (*)(void))p)();
	}
	if (got_vector == 14 && got_cr2 == (uintptr_t)p && got_code == code)
		return;
	failures++;
	printf("# %s at %p: vector %lu, CR2 %#lx, error code %#lx, wanted %#lx\n", what, (void *)p,
	       got_vector, got_cr2, got_code, code);
}

static uint8_t *map(size_t size, int protection)
{
	return mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* Demand paging: each page is mapped at its first access, and keeps what is written to it. */
static void demand(size_t pages)
{
	uint8_t *p = map(pages * 4096, PROT_READ | PROT_WRITE);

	for (size_t i = 0; i < pages; i++)
		*(size_t *)(p + i * 4096) = i;
	for (size_t i = 0; i < pages; i++)
		failures += *(size_t *)(p + i * 4096) != i;
	munmap(p, pages * 4096);
}

/* Copy on write: the child's writes do not reach the parent. */
static void copy_on_write(size_t pages)
{
	uint8_t *p = map(pages * 4096, PROT_READ | PROT_WRITE);
	int status = 1;
	pid_t child;

	memset(p, 1, pages * 4096);
	child = fork();
	if (!child) {
		memset(p, 2, pages * 4096);
		_exit(p[pages * 4096 - 1] != 2);
	}
	waitpid(child, &status, 0);
	failures += status != 0;
	for (size_t i = 0; i < pages; i++)
		failures += p[i * 4096] != 1;
	munmap(p, pages * 4096);
}

int main(void)
{
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
	uint8_t *none = map(4096, PROT_NONE), *ro = map(4096, PROT_READ);
	uint8_t *rw = map(4096, PROT_READ | PROT_WRITE);
	uint8_t *kernel = (uint8_t *)0xffff888000000000;

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	rw[0] = 0xc3;

	for (int round = 0; round < 100; round++) {
		must_fault("read of nothing", none + round, READ, PF_U);
		must_fault("write to nothing", none + round, WRITE, PF_U | PF_W);
		(void)*(volatile uint8_t *)ro;
		must_fault("write to a read-only page", ro + round, WRITE, PF_U | PF_W | PF_P);
		must_fault("execution of data", rw, EXECUTE, PF_U | PF_I | PF_P);
		must_fault("execution of nothing", none, EXECUTE, PF_U | PF_I);
		must_fault("read of address 8", (uint8_t *)8, READ, PF_U);
	}
	/* Linux always sets P for kernel addresses, so as not to reveal what is mapped. */
	must_fault("read of the kernel", kernel, READ, PF_U | PF_P);
	demand(4096);
	copy_on_write(256);
	return failures != 0;
}
