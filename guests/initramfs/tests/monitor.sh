# SPDX-License-Identifier: MIT
# Runs while the host's part of the test asks Glasshouse's monitor about this Linux: tells where
# things are, then counts, until a line comes. COM2 must not be there.
. /tests/tap.inc

plan 2
ok '! grep "port:000002F8" /proc/tty/driver/serial | grep -vq "uart:unknown"' "Linux has no COM2"
for name in linux_banner _stext _etext jiffies; do
	echo "# $name $(sed -n "s/ . $name\$//p" /proc/kallsyms)"
done
(n=0; while usleep 20000; do n=$((n + 1)); echo "# count $n"; done) &
read -r line
kill $!
is "$line" "end" "the test ends"
