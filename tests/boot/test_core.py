# SPDX-License-Identifier: MIT
"""The core: what is needed to run a guest stays small, and runs one without the parts apart."""
import re
import subprocess

import harness
import mkiso

MAKE = ["make", "--no-print-directory", "-s", "-C", str(mkiso.ROOT)]
LIMIT = 10_000


def test_size():
    """Lines of code of the core, as `make size` counts them."""
    told = subprocess.run(MAKE + ["size"], capture_output=True, text=True, check=True).stdout
    sizes = {name: int(lines.replace(",", ""))
             for lines, name in re.findall(r"^ *([\d,]+)  (.+)$", told, re.M)}
    assert sizes["core"] <= LIMIT, told
    assert sizes["in all"] == sum(sizes.values()) - sizes["in all"]
    assert len(sizes) > 5 and min(sizes.values()) > 0, told


def test_boots_linux():
    """build/core.elf boots Debian's Linux on two CPUs, to a clean end."""
    spec = harness.linux("basic", "", "gh.cpus=2", elf=mkiso.BUILD / "core.elf")
    run = harness.boot("core", spec, cpus=2)
    assert run.wait() == "power-off"
    assert run.results()
    assert "Virtualisation is off on all CPUs." in run.log("glasshouse.log")


def test_says_what_is_left_out():
    """What the core cannot do it names."""
    spec = mkiso.glasshouse("boot=disk", elf=mkiso.BUILD / "core.elf")
    run = harness.boot("core-drive", spec, memory=64)
    run.expect(r"This Glasshouse was built without systems on drives: take the whole one")
    run.stop()
