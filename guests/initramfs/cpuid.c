// SPDX-License-Identifier: MIT
/*
 * cpuid LEAF name: prints the 12 characters in EBX, ECX, EDX.
 * cpuid LEAF SUBLEAF REGISTER [BIT]: prints a register of the result, or one bit of it.
 */
#include <cpuid.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
	static const char *const names[] = {"eax", "ebx", "ecx", "edx"};
	unsigned int r[4];

	if (argc < 3)
		return 2;
	__cpuid_count(strtoul(argv[1], NULL, 0), strtoul(argv[2], NULL, 0), r[0], r[1], r[2], r[3]);
	if (!strcmp(argv[2], "name")) {
		printf("%.4s%.4s%.4s\n", (char *)&r[1], (char *)&r[2], (char *)&r[3]);
		return 0;
	}
	for (int i = 0; argc > 3 && i < 4; i++) {
		if (strcmp(argv[3], names[i]))
			continue;
		if (argc > 4)
			printf("%u\n", r[i] >> strtoul(argv[4], NULL, 0) & 1);
		else
			printf("%#x\n", r[i]);
		return 0;
	}
	return 2;
}
