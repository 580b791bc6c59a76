// SPDX-License-Identifier: MIT
/*
 * glasshouse-log: prints the log of the Glasshouse that this Linux runs under, from its memory.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "guests/tools/log_reader.h"

static const char usage[] =
	"glasshouse-log [-f | -p]: prints the log of the hypervisor Glasshouse.\n"
	"  -f  then waits for further lines, and prints them\n"
	"  -p  prints the log of the boot before, if it is still there\n";

static void fail(const char *why) __attribute__((noreturn));
static void fail(const char *why)
{
	fprintf(stderr, "glasshouse-log: %s\n", why);
	exit(1);
}

/* Where CPUID says that the log @which is. Stores its size, in bytes, in *@size. */
static off_t find_log(enum log_ring_of which, size_t *size)
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
	if (!c)
		fail("There is no log of the boot before: the machine was off, or memory has been "
		     "cleared or used since, or that was another version.");
	*size = c;
	return (off_t)((u64)b << 32 | a);
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
	fprintf(stderr, "glasshouse-log: /dev/mem cannot be read: %s. ", strerror(number));
	fprintf(stderr,
		"In a container, run this on the host; otherwise the kernel forbids it, and "
		"the kernel's log may say why.\n");
	exit(1);
}

static const struct log_ring *map_log(off_t at, size_t size)
{
	int fd = open("/dev/mem", O_RDONLY | O_CLOEXEC);
	void *ring;

	if (fd < 0)
		fail_mem(errno);
	ring = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, at);
	if (ring == MAP_FAILED)
		fail_mem(errno);
	close(fd);
	return ring;
}

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
	size_t size;
	off_t at;
	char *text;

	if (argc > 1 && !follow && !last) {
		fputs(usage, stderr);
		return 2;
	}
	at = find_log(last ? LOG_RING_LAST : LOG_RING_NOW, &size);
	why = log_reader_open(&reader, map_log(at, size), size, last);
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
