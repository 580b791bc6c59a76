// SPDX-License-Identifier: MIT
/*
 * spawn N: on each CPU at the same time, starts N processes one after the other, each of which
 * executes a program.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int work(int cpu, int count)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		return 1;
	for (int i = 0; i < count; i++) {
		int status = 1;
		pid_t child = fork();

		if (!child) {
			execl("/bin/busybox", "true", (char *)NULL);
			_exit(1);
		}
		if (child < 0 || waitpid(child, &status, 0) != child || status)
			return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 10, bad = 0, status;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	for (int cpu = 0; cpu < cpus; cpu++)
		if (!fork())
			_exit(work(cpu, count));
	while (wait(&status) > 0)
		bad |= status;
	return bad != 0;
}
