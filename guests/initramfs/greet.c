// SPDX-License-Identifier: MIT
/*
 * greet SHELL: prints the number of CPUs and the name of the hypervisor, then executes the shell.
 */
#include <cpuid.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	unsigned int eax, ebx, ecx, edx;
	struct utsname uts;
	char hypervisor[13] = "";

	__cpuid(0x40000000, eax, ebx, ecx, edx);
	memcpy(hypervisor, &ebx, 4);
	memcpy(hypervisor + 4, &ecx, 4);
	memcpy(hypervisor + 8, &edx, 4);
	for (int i = 11; i >= 0 && (hypervisor[i] <= ' ' || hypervisor[i] > '~'); i--)
		hypervisor[i] = 0;

	uname(&uts);
	printf("\nLinux %s, %ld CPUs, under %s.\n", uts.release, sysconf(_SC_NPROCESSORS_ONLN),
	       *hypervisor ? hypervisor : "no hypervisor");
	printf("Commands are busybox's. 'poweroff' and 'reboot' do what they say.\n");
	fflush(stdout);

	/* init started us in the background, where shells ignore Ctrl-C and Ctrl-\. */
	signal(SIGINT, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
	if (argc > 1)
		execvp(argv[1], argv + 1);
	perror("greet");
	return 1;
}
