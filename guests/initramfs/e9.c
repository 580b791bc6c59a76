// SPDX-License-Identifier: MIT
/*
 * e9: copies its standard input to port E9, which Bochs and QEMU print at once: a serial line would
 * take a second for each 11 KiB. With an argument, e9 64, it is another port, in hexadecimal.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/io.h>

int main(int argc, char **argv)
{
	unsigned short port = argc > 1 ? (unsigned short)strtoul(argv[1], NULL, 16) : 0xe9;
	static char text[65536];
	size_t n;

	if (ioperm(port, 1, 1)) {
		perror("e9: ioperm");
		return 1;
	}
	while ((n = fread(text, 1, sizeof(text), stdin)) > 0)
		outsb(port, text, n);
	return 0;
}
