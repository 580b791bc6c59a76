# SPDX-License-Identifier: MIT
"""Modules with the role "script": the monitor's commands before the guest's first instruction, and later."""
import re
import subprocess

import harness
import mkiso
import monitor

# The guest prints, and ends, on its own.
GUEST = mkiso.BUILD / "guest/bench.img"

FIRST = """\
# Comments and empty lines

version
expect Glasshouse
regs
   expect RIP 0000000000000000
ls
expect vCPU 0 on CPU 0: answers you, 0 exits
regs 1
expect RIP 000000000000fff0
"""

# Of the lines with expect, one is wrong on purpose. The guest's first exits are there after the wait.
SECOND = """\
vmcs -j guest_rip
expect {"ok":true}
nonsense
expect there is no such command
regs 7
wait 20ms
ls
expect vCPU 0
stat
expect CPUID
"""


def with_scripts(name, opts, scripts):
    """The guest with scripts, {name: text}, as a mkiso.Boot."""
    harness.FOLDER.mkdir(parents=True, exist_ok=True)
    spec = mkiso.glasshouse(opts, GUEST, "", None)
    for script, text in scripts.items():
        path = harness.FOLDER / f"{name}-{script}"
        path.write_text(text)
        spec.modules.append(mkiso.Entry(path, f"script {script}"))
    return spec


def boot(name, opts, scripts, image=mkiso.ELF, cpus=1):
    """Runs the guest with scripts, {name: text}. Returns Glasshouse's log."""
    spec = with_scripts(name, opts, scripts)
    spec.first.path = image
    run = harness.boot(name, spec, cpus=cpus)
    run.wait()
    assert "bench end" in run.text
    return run.log("glasshouse.log")


def test_script():
    """Commands, expectations and errors are in the log, with the script's name and line; a wait lets the guest run."""
    log = boot("script", "console=e9", {"first.gh": FIRST, "second.gh": SECOND}, cpus=2)
    before, _, after = log.partition("1..8\n")
    assert "Entering the guest" in before
    tests = re.findall(r"^(not ok|ok) (\d+) - (\S+): (.*)$", after, re.M)
    assert tests == [("ok", "1", "first.gh:4", "Glasshouse"), ("not ok", "2", "first.gh:6", "RIP 0000000000000000"),
                     ("ok", "3", "first.gh:8", "vCPU 0 on CPU 0: answers you, 0 exits"),
                     ("ok", "4", "first.gh:10", "RIP 000000000000fff0"), ("ok", "5", "second.gh:2", '{"ok":true}'),
                     ("ok", "6", "second.gh:4", "there is no such command"), ("ok", "7", "second.gh:8", "vCPU 0"),
                     ("ok", "8", "second.gh:10", "CPUID")]
    assert "first.gh:3: version\n  Glasshouse " in after
    assert 'Script second.gh, line 3: the command "nonsense" could not be done: there is no such command' in after
    assert 'Script second.gh, line 5: the command "regs 7" could not be done: there is no such vCPU' in after


AT_EXIT = """\
at exit cpuid
ls
expect vCPU 0 on CPU 0: answers you
trace 0 1
expect reason CPUID
wait 2s
watch 2002000 w 1
at exit ept_violation
ls
expect vCPU 1 on CPU 1: paused
trace 1 1
expect reason EPT_VIOLATION
watch off all
icept cr8-load on
at exit CR_ACCESS
icept cr8-load off
wait 10ms
ls
expect vCPU 1 on CPU 1: runs
w -p STOP 01
at exit nonsense
"""


def test_at_exit():
    """A script goes on right after an exit, while that vCPU stands; it runs again at the next wait."""
    script = harness.FOLDER / "at-exit.gh"
    harness.FOLDER.mkdir(parents=True, exist_ok=True)
    guest = mkiso.BUILD / "guest/busy.img"
    names = subprocess.run(["nm", guest.with_suffix(".elf")], capture_output=True, text=True, check=True).stdout
    script.write_text(AT_EXIT.replace("STOP", re.search(r"^(\w+) \w stop$", names, re.M)[1]))
    spec = mkiso.glasshouse("console=e9", guest, "cpus=2", None)
    spec.modules.append(mkiso.Entry(script, "script at.gh"))
    run = harness.boot("script-at-exit", spec, cpus=2, memory=128, ignore_bad_msrs=False)
    assert run.wait() == "power-off"
    assert run.results()
    log = run.log("glasshouse.log")
    assert re.findall(r"^(not ok|ok) (\d+) - at.gh:", log, re.M) == [("ok", str(n)) for n in range(1, 6)]
    assert "at.gh:8: vCPU 1\n" in log
    assert "Script at.gh, line 21: there is no such exit reason; stat shows some. The rest is not run." in log


def test_without_wait():
    """A script that does not wait costs the guest no exit; what cannot be run is named."""
    long = "ls".ljust(256, "x")
    log = boot("script-short", "console=e9", {"a": f"ls\nstat -w\ncycle\n{long}\nexpect {long}\n#{long}\nwait long\nls\n", "b": "pause\n", "big": "#" * 9000})
    assert "The script big of 9000 bytes is not run: there may be 4, of 8192 bytes in all." in log
    for line, command in (2, "stat -w"), (3, "cycle"):
        assert f'Script a, line {line}: the command "{command}" could not be done: it goes on until Ctrl-C' in log
    for line in 4, 5:
        assert f"Script a, line {line}: the line is too long; there is room for 255 characters." in log
    assert "1..1\n" in log and "not ok 1 - a:5: too long\n" in log and "line 6" not in log
    assert "Script a, line 7: wait takes a time: as 500ms, or 2s; at most an hour. The rest is not run." in log
    assert log.count(": ls\n") == 1 and "PREEMPTION_TIMER" not in log
    log = boot("script-bare", "console=e9", {"a": "ls\n"}, mkiso.BARE_ELF)
    assert 'The module "script a" is not run: this image was built without the monitor.' in log


def test_pause():
    """What a script has paused runs on at its end, when there is no monitor to resume it; and the heart stops."""
    log = boot("script-pause", "console=e9", {"a": "wait 20ms\npause\n"})
    assert 1 <= int(re.search(r"PREEMPTION_TIMER (\d+)", log)[1]) <= 4
    assert "The scripts have ended with pause, and there is no monitor to resume: the vCPUs run on." in log


def test_first_instructions():
    """With the monitor, `pause` in a script keeps the guest from its first instruction, and `step` executes that one."""
    run, line = monitor.boot("script-first", with_scripts("first", "monitor=com2 console=e9", {"a": "pause\n"}), cpus=1)
    line.until(monitor.PROMPT)
    first = monitor.number(r"RIP ([0-9a-f]+)", line.ask("regs"))
    assert "0 exits" in line.ask("ls")[-1] and line.ask(f"x {first:x} 16")
    steps = [int(told.partition(":")[0], 16) for told in line.ask("step 0 3")]
    assert len(steps) == 3 and steps[-1] != first
    line.ask("resume")
    assert run.wait() == "power-off"
    assert "bench end" in run.text
