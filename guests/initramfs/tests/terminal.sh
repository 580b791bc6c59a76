# SPDX-License-Identifier: MIT
# Uses COM2 as a terminal while Glasshouse has something to say: it logs writes to its memory.
. /tests/tap.inc

plan 2
exec 3<>/dev/ttyS1
ok "echo taken >&3" "Linux writes to COM2"
hole $(log_range)
ok "echo released >&3" "Linux writes to it again"
