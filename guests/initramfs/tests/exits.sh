# SPDX-License-Identifier: MIT
# Executes CPUID, which exits, for ever, on the boot CPU: Glasshouse is to panic (provoke=panic/N), and to reset the machine.
restart taskset -c 0 cpuid 0 0 eax
