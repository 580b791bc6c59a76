// SPDX-License-Identifier: MIT
/*
 * greet: says on how many CPUs this Linux runs, and under whom.
 */
#include <cpuid.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

int main(void)
{
	unsigned int eax, ebx, ecx, edx;
	struct utsname uts;
	char who[13] = "";

	__cpuid(0x40000000, eax, ebx, ecx, edx);
	memcpy(who, &ebx, 4);
	memcpy(who + 4, &ecx, 4);
	memcpy(who + 8, &edx, 4);
	for (int i = 11; i >= 0 && (who[i] <= ' ' || who[i] > '~'); i--)
		who[i] = 0;

	uname(&uts);
	printf("\nLinux %s, %ld CPUs, under %s.\n", uts.release, sysconf(_SC_NPROCESSORS_ONLN),
	       *who ? who : "no hypervisor");
	return 0;
}
