# SPDX-License-Identifier: MIT
"""What Glasshouse says, as the tests know it: all patterns in one place."""

# A CPU that cannot: what it lacks, each on the serial line.
NO_VMX = r"(?i)no VT-x|lacks VT-x|without VT-x|VMX is missing|has no VMX"
NO_EPT = r"(?i)\bEPT\b.*(missing|lacks|required)|(missing|lacks|required).*\bEPT\b"
NOT_64_BIT = r"(?i)64-bit"

# Printed at power-off: all exits so far, one line per reason, and their sum.
EXIT_COUNT = r"(?m)^.*exits?:? +(\w[\w -]*?) +(\d+)$"
