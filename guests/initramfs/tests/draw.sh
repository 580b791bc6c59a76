# SPDX-License-Identifier: MIT
# Draws on the screen in graphics mode, and says so; then executes CPUID, which exits, for ever: Glasshouse is to panic
# (provoke=panic/N).
. /tests/tap.inc

cat /proc/cpuinfo /proc/meminfo >/dev/tty0
echo "# drawn by $(cat /sys/class/graphics/fb0/name)"
while cpuid 0 0 eax >/dev/null; do :; done
