# SPDX-License-Identifier: MIT
"""Which functions handle an exit, outermost first, and what KVM calls them: from the tables of Glasshouse's source."""
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_KVM = {name: kvm for name, kvm in re.findall(
    r'^STEP_ROW\((\w+), "\w*", "\w*", "(\w*)"', (ROOT / "vmm/steps.def").read_text(), re.M)}
_TABLE = re.search(r"\*vmx_exit_handlers\[.*?\n};", (ROOT / "vmm/vmx/exits.c").read_text(), re.S)[0]
_HANDLERS = dict(re.findall(r"\[EXIT_REASON_(\w+)\] = (\w+),", _TABLE))

# The step in which the exit's handler is chosen, and the handler of what has no row of its own.
DISPATCH, OTHERS = "vmx_handle_exit", "handle_rare_exit"


def functions(reason):
    """The functions for an exit reason's name: pairs of ours and KVM's in Linux 6.1, which may be ""."""
    handler = _HANDLERS.get(reason, OTHERS)
    return [(DISPATCH, _KVM["dispatch"]), (handler, _KVM.get(handler, ""))]
