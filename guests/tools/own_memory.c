// SPDX-License-Identifier: MIT
/*
 * Finding and mapping Glasshouse's memory in Linux. See own_memory.h.
 */
#define _GNU_SOURCE
#include "guests/tools/own_memory.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void fail(const char *why)
{
	fprintf(stderr, "%s: %s\n", program_invocation_short_name, why);
	exit(1);
}

u64 find_own(enum log_ring_of which, size_t *size)
{
	unsigned int a, b, c, d, name[3];

	__cpuid(LOG_RING_LEAF - 1, a, name[0], name[1], name[2]);
	if (memcmp(name, "Glasshouse  ", sizeof(name)))
		fail("This system does not run under Glasshouse: CPUID 40000000h does not name "
		     "it.");
	if (a < LOG_RING_LEAF)
		fail("This Glasshouse does not show its log: it is older than this program. Read "
		     "its lines on its console, or start a newer one.");
	__cpuid_count(LOG_RING_LEAF, which, a, b, c, d);
	*size = c;
	return (u64)b << 32 | a;
}

static bool is_locked_down(void)
{
	char text[80] = "";
	FILE *f = fopen("/sys/kernel/security/lockdown", "r");

	if (f && !fgets(text, sizeof(text), f))
		text[0] = 0;
	if (f)
		fclose(f);
	return text[0] && !strstr(text, "[none]");
}

/* Says what to do about the error @number of opening or mapping /dev/mem. */
static void fail_mem(int number)
{
	if (number == ENOENT || number == ENXIO || number == ENODEV)
		fail("There is no /dev/mem. If the kernel has it (CONFIG_DEVMEM), create it: mknod "
		     "/dev/mem c 1 1.");
	if (is_locked_down())
		fail("The kernel is locked down and refuses to open /dev/mem. Secure Boot causes "
		     "that: switch it off in the firmware's setup, or read Glasshouse's lines on "
		     "its console.");
	if (number == EACCES || (number == EPERM && geteuid()))
		fail("Reading /dev/mem is root's: run this as root.");
	fprintf(stderr, "%s: /dev/mem cannot be read: %s. ", program_invocation_short_name,
		strerror(number));
	fprintf(stderr,
		"In a container, run this on the host; otherwise the kernel forbids it, and "
		"the kernel's log may say why.\n");
	exit(1);
}

const void *map_own(enum log_ring_of which, size_t *size)
{
	u64 at = find_own(which, size);
	void *memory;
	int fd;

	if (!*size)
		return NULL;
	fd = open("/dev/mem", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fail_mem(errno);
	memory = mmap(NULL, *size, PROT_READ, MAP_SHARED, fd, (off_t)at);
	if (memory == MAP_FAILED)
		fail_mem(errno);
	close(fd);
	return memory;
}
