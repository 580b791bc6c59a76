# SPDX-License-Identifier: MIT
# Runs while the host's part of the test debugs this Linux with gdb: tells where things are, then
# counts, and gives each line that comes to the program debuggee; the line "end" ends it.
. /tests/tap.inc

plan 2
grep -E ' (linux_banner|_stext|_etext|__x64_sys_umask|do_syscall_64)$' /proc/kallsyms |
	sed 's/\(.*\) . \(.*\)/# \2 \1/'
mkfifo /tmp/lines
debuggee </tmp/lines &
exec 3>/tmp/lines
(n=0; while usleep 20000; do n=$((n + 1)); echo "# count $n"; done) &
counter=$!
while read -r line && [ "$line" != end ]; do
	[ "$line" != quiet ] || kill $counter
	[ "$line" != do ] || echo >&3
done
exec 3>&-
is "$line" "end" "the test ends"
is "$(each_cpu sh -c 'echo $((6 * 7))' | sort -u)" 42 "each CPU still computes"
