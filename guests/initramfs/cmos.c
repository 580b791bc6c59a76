// SPDX-License-Identifier: MIT
/*
 * cmos INDEX [VALUE]: reads or writes a byte of the CMOS RAM, which survives a reset.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/io.h>

int main(int argc, char **argv)
{
	if (argc < 2 || ioperm(0x70, 2, 1)) {
		perror("cmos");
		return 2;
	}
	outb(strtoul(argv[1], NULL, 0), 0x70);
	if (argc > 2)
		outb(strtoul(argv[2], NULL, 0), 0x71);
	else
		printf("%u\n", inb(0x71));
	return 0;
}
