# SPDX-License-Identifier: MIT
"""Patterns of Glasshouse's messages that several tests use."""

# A refused CPU: the missing feature, on the serial line, and the last message.
NO_VMX = r"VT-x +none: CPUID\.1:ECX\.VMX is 0"
NOT_64_BIT = r"Glasshouse: this CPU has no 64-bit mode"
NO_XD = r"Glasshouse: this CPU has no execute-disable bit"
STOPPED = r"(?i)Glasshouse has stopped|Stopped\."

# Printed before a reset or power-off; also as plain text.
VIRT_OFF = "Virtualisation is off on all CPUs."

# Printed at power-off for each vCPU: its exits, in total and by reason.
EXITS = r"(?m)^exits: vcpu (\d+) total (\d+) (.*)$"
