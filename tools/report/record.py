#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boots Linux under Glasshouse in Bochs and makes the report of all its exits: `make report`.

Usage: record.py FOLDER, with CPUS, CPU, MEM, OPTS in the environment, as for `make run`; and SCRIPT, a file of commands
of the monitor that run meanwhile.
"""
import base64
import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / folder) for folder in ("tools/image", "tools/run")]

import bochs  # noqa: E402  pylint: disable=wrong-import-position
import mkiso  # noqa: E402  pylint: disable=wrong-import-position
import report  # noqa: E402  pylint: disable=wrong-import-position
from symbols import Symbols  # noqa: E402  pylint: disable=wrong-import-position

# Exits of each vCPU that are kept: more than a boot has.
RECORDS = "16K"


def boot(folder, model, cpus, memory, opts, script=None):
    """Boots Linux, with a script, and waits until it has switched the machine off. Returns what it has sent to port
    E9."""
    folder.mkdir(parents=True, exist_ok=True)
    cmdline = f"{mkiso.CMDLINE} panic=-1 {bochs.LINUX_QUICK} gh.test=report gh.cpus={cpus}"
    spec = mkiso.glasshouse(f"trace={RECORDS} {opts}".strip(), cmdline=cmdline)
    if script:
        spec.modules.append(mkiso.Entry(script, f"script {script.name}"))
    iso = mkiso.make_iso(folder / "boot.iso", spec)
    process, serial = bochs.start(bochs.Machine(iso, model, cpus, memory), folder, bochs.script())
    text = b""
    with serial:
        while data := serial.recv(65536):
            text += data
    process.wait()
    (folder / "com1.log").write_bytes(text)
    said = (folder / "glasshouse.log").read_bytes().decode("latin-1").replace("\r", "")
    if script:  # its commands and their answers may break into a line of the guest's
        said = re.sub(rf"{re.escape(script.name)}:\d+: .*\n(?:  .*\n)*", "", said)
    if "=== end" not in said:
        sys.exit(f"record.py: Linux has not sent its exits; {folder}/glasshouse.log may say why. Its last words:\n"
                 + text.decode("latin-1")[-800:])
    return said


def main():
    """The command."""
    folder = Path(sys.argv[1])
    model, cpus = os.environ.get("CPU") or "corei7_haswell_4770", int(os.environ.get("CPUS") or 2)
    script = Path(os.environ["SCRIPT"]) if os.environ.get("SCRIPT") else None
    said = boot(folder / "boot", model, cpus, int(os.environ.get("MEM") or 512), os.environ.get("OPTS", ""), script)
    exits, names = re.search(r"^=== exits\n(.*)=== symbols\n(.*)=== end", said, re.M | re.S).groups()
    version = re.search(r"^Glasshouse (\S+)", said, re.M)[1]
    (folder / "exits").write_bytes(base64.b64decode(exits))
    (folder / "symbols").write_text(names)
    cpus_said = "1 CPU" if cpus == 1 else f"{cpus} CPUs"
    trace = report.make((folder / "exits").read_bytes(), folder, Symbols(names), "Every exit of a boot of Linux",
                        f"Debian 12's Linux on {cpus_said} ({model} in Bochs), under Glasshouse {version}, from its "
                        "first instruction to the end of a small test")
    print(f"{len(trace.exits)} exits of {len(trace.vcpus)} vCPUs: {folder}/report.html, trace.pftrace, trace.txt, "
          "stacks.txt")


if __name__ == "__main__":
    main()
