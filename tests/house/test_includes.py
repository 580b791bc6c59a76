# SPDX-License-Identifier: MIT
"""tools/build/check_includes.py: the tree keeps to its table, and the check reports each sort of violation."""
import re
import subprocess
import sys

import pytest

import check_includes

# A tree with every sort of include that is allowed.
RIGHT = {
    "include/types.h": "#include <stdint.h>",
    "lib/log.h": '#include "types.h"\n/*\n#include "lib/gone.h"\n*/',
    "arch/x86/vmx.h": '#include "lib/log.h"',
    "arch/x86/vmx_insn.h": '#include "arch/x86/vmx.h"',
    "drivers/acpi.h": '#include "lib/log.h"',
    "ept/ept.h": '#include "lib/log.h"',
    "vmm/room.h": "",
    "vmm/vm.h": '#include "ept/ept.h"\n#include "drivers/acpi.h"',
    "vmm/vm.c": '#include "vmm/vm.h"\n/* vmread(RIP) is for vmm/vmx/ */',
    "vmm/x86/insn.h": '#include "vmm/vm.h"',
    "vmm/vmx/vmcs.def": '#include "types.h"',
    "vmm/vmx/reasons.def": "",
    "vmm/vmx/reasons.h": '#include "vmm/vmx/reasons.def"',
    "vmm/vmx/reasons.c": '#include "vmm/vmx/vmx.h"',
    "vmm/vmx/vmx.h": '#include "vmm/x86/insn.h"\n# include "vmm/vmx/vmcs.def"\n#include "vmm/vmx/reasons.def"',
    "vmm/vmx/vmx.c": '#include "vmm/vmx/vmx.h"\n#include "arch/x86/vmx_insn.h"\nu64 rip(void) { return vmread(RIP); }',
    "vmm/vmx/vmx.S": '#include "vmm/vmx/vmx.h"',
    "vmm/vmx/vmx_ops.h": '#include "vmm/vm.h"',
    "vmm/svm/svm.c": '#include "vmm/x86/insn.h"',
    "vmm/vm0/bios.h": '#include "vmm/x86/insn.h"',
    "vmm/dev/uart.h": '#include "vmm/vm.h"',
    "vmm/load/linux.h": '#include "vmm/vm0/bios.h"',
    "report/panic.c": '#include "vmm/vm0/bios.h"\n#include "build/version.h"',
    "report/entry_check.c": '#include "vmm/vmx/vmx.h"',
    "monitor/commands.h": '#include "vmm/dev/uart.h"',
    "boot/boot_info.h": '#include "types.h"',
    "boot/main.c": '#include "vmm/load/linux.h"\n#include "vmm/room.h"\n'
                   '#include "boot/boot_info.h"\n#include "vmm/vmx/vmx_ops.h"',
    "boot/efi/entry.c": '#include "boot/boot_info.h"',
    "guests/lib/guest.h": '#include "lib/log.h"',
    "tests/unit/stubs.c": '#include "vmm/vmx/vmx.h"',
}


def tree(root, files):
    """Writes files, {path: text}, below `root`. Returns `root`."""
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text + "\n")
    return root


def test_this_tree():
    """Every include of the hypervisor is as the table says."""
    assert len(check_includes.sources()) > 100
    wrong = check_includes.check()
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)


def test_right(tmp_path):
    """Allowed includes are not reported."""
    assert not check_includes.check(tree(tmp_path, RIGHT))


@pytest.mark.parametrize("by, line, name, words", [
    # A folder and its sub-folders.
    ("vmm/vm.c", 3, "vmm/x86/insn.h", r"vmm/ may not include its sub-folders\. Call through .*or move"),
    ("vmm/run.h", 1, "vmm/vm0/bios.h", r"vmm/ may not include its sub-folders.* a pointer that vmm/vm0/ sets"),
    ("vmm/run.c", 1, "vmm/dev/uart.h", r"vmm/ may not include its sub-folders"),
    # The CPUs' folders.
    ("vmm/vmx/vmx.c", 4, "vmm/vm0/bios.h", r"vmm/vmx/ may include neither other CPU vendors' folders.* Call through struct vm_ops"),
    ("vmm/vmx/exits.c", 1, "vmm/dev/uart.h", r"vmm/vmx/ may include neither other CPU vendors' folders"),
    ("vmm/vmx/exits.S", 1, "vmm/load/linux.h", r"vmm/vmx/ may include neither other CPU vendors' folders"),
    ("vmm/vmx/vmcs.def", 2, "vmm/svm/svm.h", r"vmm/vmx/ may include neither other CPU vendors' folders"),
    ("vmm/svm/svm.c", 2, "vmm/vm0/bios.h", r"vmm/svm/ may include neither other CPU vendors' folders"),
    # Upwards.
    ("include/types.h", 2, "lib/string.h", r"lib/ is a higher layer than include/\. Move .* down into include/"),
    ("lib/print.c", 1, "drivers/acpi.h", r"drivers/ is a higher layer than lib/"),
    ("arch/x86/smp.c", 1, "drivers/acpi.h", r"drivers/ is a higher layer than arch/x86/"),
    ("drivers/pit.c", 1, "ept/ept.h", r"ept/ is a higher layer than drivers/"),
    ("ept/ept.c", 1, "vmm/vm.h", r"vmm/ is a higher layer than ept/"),
    ("vmm/x86/msr.c", 1, "vmm/vm0/bios.h", r"vmm/vm0/ is a higher layer than vmm/x86/.* a pointer in vmm/x86/"),
    ("vmm/vmx/exits.c", 1, "report/entry_check.h", r"report/ is a higher layer than vmm/vmx/"),
    ("vmm/vm0/power.c", 1, "report/panic.h", r"report/ is a higher layer than vmm/vm0/"),
    ("report/panic.c", 3, "monitor/commands.h", r"monitor/ is a higher layer than report/"),
    ("monitor/trace.c", 1, "boot/boot_info.h", r"boot/ is a higher layer than monitor/"),
    ("boot/main.c", 5, "boot/efi/entry.h", r"boot/efi/ is a higher layer than boot/"),
    # A room that can be left out.
    ("boot/main.c", 5, "monitor/commands.h", r"an image may be built without monitor/\. Attach it by a row of struct room"),
    # Sideways.
    ("vmm/vm0/power.c", 1, "vmm/load/linux.h", r"vmm/vm0/ and vmm/load/ are in the same layer\. Move"),
    ("vmm/dev/uart.c", 1, "vmm/vm0/bios.h", r"vmm/dev/ and vmm/vm0/ are in the same layer"),
    # Out of the table.
    ("vmm/new/a.c", 1, "types.h", r"vmm/new/ is not in the table of tools/build/check_includes\.py\. Move"),
    ("vmm/x86/deep/a.c", 1, "types.h", r"vmm/x86/deep/ is not in the table"),
    ("lib/print.c", 1, "guests/lib/guest.h", r"guests/lib/ is not in the table"),
    ("vmm/x86/msr.c", 1, "insn.h", r"no such file\. Write the path relative to the root"),
    # VT-x.
    ("vmm/vm0/leave.c", 1, "vmm/vmx/vmx.h", r"only VT-x's own files may include this .*\. Call through struct virt_ops"),
    ("boot/main.c", 5, "arch/x86/vmx_insn.h", r"only VT-x's own files may include this"),
    ("report/panic.c", 3, "vmm/vmx/vmx.h", r"only VT-x's own files may include this"),
])
def test_wrong(tmp_path, by, line, name, words):
    """A forbidden include is reported with file, line, rule and remedy."""
    files = dict.fromkeys([name, by], "") if "/" in name else {}
    text = RIGHT.get(by, "") + ("\n" if by in RIGHT else "") + f'#include "{name}"'
    wrong = check_includes.check(tree(tmp_path, {**files, **RIGHT, by: text}))
    wrong = [message for message in wrong if "cycle" not in message]
    assert len(wrong) == 1 and re.fullmatch(rf'{by}:{line}: #include "{name}": {words}.*\.', wrong[0]), wrong


def test_wrong_instruction(tmp_path):
    """A VT-x instruction outside of vmm/vmx/ is reported."""
    files = {**RIGHT, "vmm/x86/msr.c": "\nu64 rip(void)\n{\n\treturn vmread(GUEST_RIP);\n}"}
    wrong, = check_includes.check(tree(tmp_path, files))
    assert re.fullmatch(r"vmm/x86/msr\.c:4: vmread\(\): only VT-x's own files may execute .* struct virt_ops .*\.", wrong)


def test_cycle_of_files(tmp_path):
    """A file and its header are one unit; a cycle of other files is reported with each include."""
    files = {**RIGHT, "lib/a.h": '#include "lib/b.h"', "lib/b.c": '#include "lib/b.h"\n#include "lib/c.h"',
             "lib/b.h": "", "lib/c.h": "", "lib/c.S": '\n#include "lib/a.h"', "lib/d.c": '#include "lib/a.h"'}
    wrong, = check_includes.check(tree(tmp_path, files))
    assert wrong.startswith("lib/a.h:1: an include cycle between files: lib/a includes lib/b (lib/a.h:1), lib/b includes lib/c "
                            "(lib/b.c:2), lib/c includes lib/a (lib/c.S:2). Remove one of these includes: ")


def test_cycle_of_folders(tmp_path):
    """A cycle of folders is reported even where no files form one."""
    files = {**RIGHT, "vmm/vm0/memory.c": '#include "vmm/load/plan.h"', "vmm/load/plan.h": ""}
    upward, cycle = check_includes.check(tree(tmp_path, files))
    assert "in the same layer" in upward
    assert cycle.startswith("vmm/load/linux.h:1: an include cycle between folders: vmm/load includes vmm/vm0 (vmm/load/linux.h:1), "
                             "vmm/vm0 includes vmm/load (vmm/vm0/memory.c:1). Remove one of these includes: ")


@pytest.mark.parametrize("files, status, words", [
    ({}, 0, ""), ({"lib/print.c": '#include "printf.h"'}, 1, 'lib/print.c:1: #include "printf.h": no such file')])
def test_program(tmp_path, files, status, words):
    """As `make lint` calls it."""
    done = subprocess.run([sys.executable, check_includes.__file__, tree(tmp_path, {**RIGHT, **files})],
                          capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert done.stdout.startswith(words) and done.stdout.count("\n") == status


def test_table():
    """The folders that are built are those of the table, except include/, which has nothing to build."""
    makefile = (check_includes.ROOT / "tools/build/hypervisor.mk").read_text()
    rooms = re.search(r"^ROOMS \?= (.*)$", makefile, re.M)[1]
    assert rooms.split() == list(check_includes.ROOMS)
    built = re.search(r"^FOLDERS := \$\(wildcard (.*)\)$", makefile, re.M)[1].replace("$(ROOMS)", rooms).split()
    assert set(built) == set(check_includes.TOP) - {"include"}
