# SPDX-License-Identifier: MIT
"""What Glasshouse says, as the tests know it: all patterns in one place."""

# A CPU that cannot: what it lacks, on the serial line, and the last words.
NO_VMX = r"VT-x +none: CPUID\.1:ECX\.VMX is 0"
NO_EPT = r'MISSING +"enable EPT"'
NOT_64_BIT = r"Glasshouse: this CPU has no 64-bit mode"
STOPPED = r"(?i)Glasshouse has stopped|Stopped\."

# Printed at power-off for each vCPU: its exits, in all and by reason.
EXITS = r"(?m)^exits: vcpu (\d+) total (\d+) (.*)$"
