# SPDX-License-Identifier: MIT
# Reads `nm -n` of the hypervisor from stdin and writes its symbol table as assembly to stdout: the
# functions' distances, each from the one before it (the first from __image_start), and their names.
# The hypervisor uses it in reports.

function hex(s,    i, n) {
	n = 0
	for (i = 1; i <= length(s); i++)
		n = n * 16 + index("0123456789abcdef", substr(s, i, 1)) - 1
	return n
}

BEGIN { count = 0 }

# Use only the low 32 bits: awk's numbers cannot hold 64, and the image is smaller than 4 GiB.
$3 == "__image_start" { base = hex(substr($1, 9)) }

$2 ~ /^[tTwW]$/ && $3 !~ /^\./ {
	if ($1 == last)
		next
	last = $1
	address[count] = hex(substr($1, 9))
	name[count++] = $3
}

function word(label, align) {
	printf "\t.globl %s\n\t.balign %d\n%s:\n", label, align, label
}

END {
	print "\t.section .symtab_gh, \"a\", @progbits"
	word("symbols_count", 4)
	printf "\t.long %d\n", count
	word("symbols_distances", 2)
	for (i = 0; i < count; i++) {
		if (address[i] - base > 65535) {
			print "mksyms.awk: no distance of 64 KiB fits in the table: before " name[i] >"/dev/stderr"
			exit 1
		}
		printf "\t.2byte %d\n", address[i] - base
		base = address[i]
	}
	word("symbols_strings", 1)
	for (i = 0; i < count; i++)
		printf "\t.asciz \"%s\"\n", name[i]
	print "\t.section .note.GNU-stack, \"\", @progbits"
}
