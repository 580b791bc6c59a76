# SPDX-License-Identifier: MIT
"""The commands of the monitor that act: on a guest of two CPUs that executes, and checks, what may be intercepted."""
import collections
import re
import subprocess

import pytest

import mkiso
import monitor

GUEST = mkiso.BUILD / "guest/busy.img"

# What can be intercepted, and the exit reasons that show it.
ICEPTS = {
    "cr0": "CR_ACCESS", "cr4": "CR_ACCESS", "cr3-load": "CR_ACCESS", "cr3-store": "CR_ACCESS",
    "cr8-load": "CR_ACCESS", "cr8-store": "CR_ACCESS", "dr": "DR_ACCESS", "desc": "GDTR_IDTR",
    "pause": "PAUSE_INSTRUCTION", "pause-loop": "PAUSE_INSTRUCTION", "rdtsc": "RDTSC", "invlpg": "INVLPG", "wbinvd": "WBINVD", "hlt": "HLT",
    "monitor": "MONITOR_INSTRUCTION", "mwait": "MWAIT_INSTRUCTION", "rdpmc": "RDPMC", "interrupt": "EXTERNAL_INTERRUPT"}


FIRST_ONLY = ("pause-loop", "hlt", "monitor", "mwait", "interrupt")  # the guest does these on its first CPU

# The exceptions that the guest causes.
EXCEPTIONS = {0: "de", 1: "db", 3: "bp", 6: "ud", 13: "gp", 14: "pf"}


def boot(name, words, opts="", **machine):
    """Boots the guest. Returns the Run, the Monitor, and the address of the byte that ends the guest."""
    spec = mkiso.glasshouse(f"monitor=com2 console=e9 {opts}", GUEST, words if "cpus=" in words else f"cpus=2 {words}", None)
    run, line = monitor.boot(name, spec, memory=128, ticks=30_000_000_000, ignore_bad_msrs=False, **machine)
    line.until(monitor.PROMPT)
    return run, line, int(run.expect(r"# stop at ([0-9a-f]+)\n")[1], 16)


def end(run, line, stop):
    """Ends the guest, by a write to its memory; nothing has gone wrong. Returns its log."""
    line.ask(f"w -p {stop:x} 01")
    assert run.wait() == "power-off"
    assert run.results()
    return run.log("glasshouse.log")


def counts(line, vcpu):
    """The numbers of exits of a vCPU, by reason."""
    return collections.Counter({name: int(n) for name, n in re.findall(
        r"(\w+) +(\d+) +[\d.]+%", "\n".join(line.ask(f"stat {vcpu}")))})


def check_icept(line, what, reasons, old, vcpu):
    """While `what` exits there are more exits for the reasons than there were. Returns how many there are then."""
    line.ask(f"icept {what[0]} {what[1]}")
    now = counts(line, vcpu)
    while any(now[reason] <= old[reason] + 3 for reason in reasons):
        now = counts(line, vcpu)
    return now


def check_msrs_and_ports(line):
    """Single MSRs, for reading or writing, and ports."""
    for msr, how, reasons in (("c0000102", "rw", ("MSR_READ", "MSR_WRITE")), ("176", "r", ("MSR_READ",)),
                              ("c0000100", "w", ("MSR_WRITE",))):
        check_icept(line, (f"msr {msr}", how), reasons, counts(line, 1), 1)
        told = "\n".join(line.ask("stat -m 1"))
        for reason in ("MSR_READ", "MSR_WRITE"):
            assert bool(re.search(rf"^ *{reason} {msr} ", told, re.M)) == (reason in reasons), (msr, told)
        line.ask(f"icept msr {msr} off")
    line.ask("icept port 80 on")
    while not re.search("IO_INSTRUCTION 80 ", "\n".join(line.ask("stat -p 1"))):
        pass
    assert "port 80: on" in line.ask("icept")
    line.ask("icept port 80 off")
    assert "port 80: on" not in line.ask("icept")


def check_exceptions(line):
    """Each exception that the guest causes."""
    for name in EXCEPTIONS.values():
        line.ask(f"icept exc {name} on")
    told = ""
    while not all(re.search(rf"exception {vector} {name}: on, ([4-9]|\d\d+) exits", told)
                  for vector, name in EXCEPTIONS.items()):
        told = "\n".join(line.ask("icept"))
    for name in EXCEPTIONS.values():
        line.ask(f"icept exc {name} off")


def test_icept():
    """Each interception shows exits while it is on, and none any more when it is off; the guest notices nothing."""
    run, line, stop = boot("act-icept", "spin=1")
    now = [counts(line, vcpu) for vcpu in (0, 1)]
    for what, reason in ICEPTS.items():
        vcpu = 0 if what in FIRST_ONLY else 1
        now[vcpu] = check_icept(line, (what, "on"), [reason], now[vcpu], vcpu)
        line.ask(f"icept {what} off")
    check_msrs_and_ports(line)
    check_exceptions(line)
    before = [counts(line, vcpu) for vcpu in (0, 1)]
    line.ask("stat -r")
    for vcpu in (0, 1):
        after = counts(line, vcpu)
        assert not [reason for reason in ICEPTS.values() if after[reason] != before[vcpu][reason]], (before[vcpu], after)
    end(run, line, stop)


def test_flips():
    """Interceptions switched 10,000 times under load lose nothing."""
    run, line, stop = boot("act-flips", "")
    for what in ICEPTS:
        line.ask(f"icept {what} flip 721")
    for what in ICEPTS:
        line.ask(f"icept {what} off")
    end(run, line, stop)


FAULT = r"reason EXCEPTION_NMI rip 0x[0-9a-f]+ info1 0x0*([0-9a-f]+)"


def page_faults(line, most):
    """Pauses the guest. Returns how many page faults have exited, and the addresses of the last ones in the trace."""
    line.ask("pause")
    exits = int(re.search(r"exception 14 pf: on, (\d+) exits", "\n".join(line.ask("icept")))[1])
    return exits, re.findall(FAULT, "\n".join(line.ask(f"trace -f EXCEPTION 0 {most}")))


def test_page_faults():
    """Of N random page faults each exits, once, and the trace shows its address; the guest gets address and error code,
    and checks them. A filter by the error code chooses among them."""
    run, line, stop = boot("act-faults", "say=1", "icept=pf trace=4K")
    for _ in range(100):
        run.expect("\nfault ")
    exits, seen = page_faults(line, 60)
    line.ask("icept exc pf on 2 2")
    line.ask("resume")
    for _ in range(len(re.findall("^fault ", run.text, re.M)), exits + 40):
        run.expect("\nfault ")
    more, later = page_faults(line, 10)
    line.ask("resume")
    end(run, line, stop)
    faults = re.findall(r"^fault ([0-9a-f]+) ([0-9a-f]+)$", run.text, re.M)
    told = [address for address, _ in faults[:exits]]
    assert exits >= 100 and len(seen) == 60 and seen == told[-60:], (exits, seen, told[-60:])
    writes = [address for address, error in faults[exits:] if int(error, 16) & 2][:more - exits]
    assert more - exits >= 10 and later == writes[-10:], (more, exits, later, writes[-10:])


@pytest.mark.parametrize("model", ["corei7_skylake_x", "tigerlake"])
def test_storm(model):
    """A guest whose interrupts come faster than an exit and a step take goes on all the same, on CPUs without and with the
    control for the monitor trap flag (which does nothing in Bochs 2.7)."""
    run, line, stop = boot(f"act-storm-{model}", "cpus=1 storm=600", model=model, cpus=1)
    run.expect("# storm")
    for command in "icept rdtsc on", "watch 2000000 rw":
        line.ask(command)
        before = word(line, 0x2000000)
        while word(line, 0x2000000) < before + 20:
            pass
    line.ask("icept rdtsc off")
    line.ask("watch off all")
    end(run, line, stop)


def symbol(name):
    """The address of a symbol of the guest."""
    names = subprocess.run(["nm", GUEST.with_suffix(".elf")], capture_output=True, text=True, check=True).stdout
    return int(re.search(rf"^([0-9a-f]+) . {name}$", names, re.M)[1], 16)


def instructions():
    """The guest's instructions: by address, the length, the text, and the address that a branch goes to."""
    text = subprocess.run(["objdump", "-d", "--insn-width=15", GUEST.with_suffix(".elf")], capture_output=True,
                          text=True, check=True).stdout
    table = {"stubs": [symbol("trap_stubs") + 16 * vector for vector in range(64)]}
    for at, code, what in re.findall(r"^ *([0-9a-f]+):\t((?:[0-9a-f]{2} )+) *\t(.*)$", text, re.M):
        target = re.search(r"^(?:j\w+|call\w*|loop\w*) +([0-9a-f]+)", what)
        table[int(at, 16)] = (bytes.fromhex(code), what, int(target[1], 16) if target else None)
    return table


def follow(line, vcpu, steps, table):
    """Steps a vCPU; each step goes where the instruction leads. Returns the texts of the instructions."""
    lines = [re.fullmatch(r"([0-9a-f]{16}):((?: [0-9a-f]{2})+)", text)
             for text in line.ask(f"step {vcpu} {steps}")]
    assert all(lines) and len(lines) == steps
    path = [int(match[1], 16) for match in lines]
    done = []
    for match, at, to in zip(lines, path, path[1:] + [None]):
        code, what, target = table[at]
        assert bytes.fromhex(match[2]) == code, (hex(at), match[2], what)
        done.append(what)
        follows = at + len(code)
        second = follows + len(table[follows][0]) if follows in table else None
        if to is None or re.search(r"\bret|^iretq|^syscall|\*|^int3|^int |^ud2|^hlt", what):
            continue
        legal = {follows, target, *table["stubs"]}  # a stub: an exception, or an interrupt
        late = {stub + len(table[stub][0]) for stub in table["stubs"] if stub in table} - legal
        assert to not in late, "a step has ended behind the first instruction of a handler"
        if what.startswith("rep"):
            legal.add(at)
        if re.search(r"mov +%eax,%ss", what):
            legal.add(second)  # without the monitor trap flag
        assert to in legal, (hex(at), what, hex(to))
    return done


def test_step():
    """Steps follow the program, through what is emulated and what changes the flags; the guest sees none of it."""
    table = instructions()
    run, line, stop = boot("act-step", "")
    for vcpu in 0, 1:
        assert line.answer(f"step {vcpu}")[-1] == "err: the vCPU must not run: pause stops all"
    line.ask("pause")
    before = line.ask("regs 1")
    assert line.ask("regs 1") == before
    wanted = {"iretq", "rep stos", "sti", "syscall", "mov    %cr3", "wbinvd", "pushf", "mov    %eax,%ss", "rdmsr"}
    texts = ""
    while not all(word in texts for word in wanted):
        texts += "\n".join(follow(line, 1, 300, table))
    wanted = {"int    $0x21", "cpuid", "hlt", "ud2"}
    texts = ""
    while not all(word in texts for word in wanted):
        texts += "\n".join(follow(line, 0, 300, table))
    line.ask("resume")
    end(run, line, stop)


def word(line, address):
    """The 8 bytes at a physical address, as a number."""
    text = line.ask(f"x -p {address:x} 8")[0].split(":")[1].split()
    return int.from_bytes(bytes.fromhex("".join(text[:8])), "little")


def test_moved(tmp_path):
    """bt finds out how far Linux has moved its code: by the address for SYSCALL."""
    listed = subprocess.run(["nm", "-n", GUEST.with_suffix(".elf")], capture_output=True, text=True, check=True).stdout
    names = [(int(at, 16), name) for at, name in re.findall(r"^([0-9a-f]+) \w (\w+)$", listed, re.M)]
    (tmp_path / "symbols").write_text("".join(
        f"{at - (14 << 20):016x} t {'entry_SYSCALL_64' if name == 'syscall_entry' else name}\n" for at, name in names))
    spec = mkiso.glasshouse("monitor=com2 console=e9", GUEST, "cpus=1 plain=1", None)
    spec.modules.append(mkiso.Entry(tmp_path / "symbols", "symbols"))
    run, line = monitor.boot("act-moved", spec, memory=128, ignore_bad_msrs=False)
    line.until(monitor.PROMPT)
    stop = int(run.expect(r"# stop at ([0-9a-f]+)\n")[1], 16)
    run.expect("# MSR")
    told = line.ask("bt")
    assert told[0] == "The guest has moved its code by e00000."
    found = [re.fullmatch(r" *([0-9a-f]{16}) (\w+)\+([0-9a-f]+)", text) for text in told[1:]]
    where = {int(match[1], 16) - int(match[3], 16): match[2] for match in found}
    assert where and all(name == "entry_SYSCALL_64" or (at, name) in names for at, name in where.items()), told
    assert "guest_main" in where.values()
    end(run, line, stop)


def check_control_registers(line):
    """CR0, CR3 and CR4 of a paused vCPU: what is set is there, what would end the guest is refused."""
    def control(name):
        return monitor.number(rf"{name} ([0-9a-f]+)", line.ask("regs 1"))

    cr0, cr3, cr4 = control("CR0"), control("CR3"), control("CR4")
    for name, old, change in (("cr0", cr0, 1 << 16), ("cr4", cr4, 1 << 2)):
        line.ask(f"set {name} {old ^ change:x} 1")
        assert control(name.upper()) == old ^ change
        line.ask("step 1 3")
        line.ask(f"set {name} {old:x} 1")
        assert control(name.upper()) == old
        for wrong in (1 << 31, 1) if name == "cr0" else (1 << 5, 1 << 13, 1 << 21):
            assert line.answer(f"set {name} {old ^ wrong:x} 1")[-1].startswith(f"err: of {name.upper()} "), wrong
    line.ask("set cr3 7654000 1")
    assert control("CR3") == 0x7654000
    line.ask(f"set cr3 {cr3:x} 1")
    line.ask("step 1 3")
    assert line.answer("set cr3 10000000000000 1")[-1].startswith("err: CR3 has no more bits")


def test_change():
    """What is injected arrives; what is set is what the guest finds."""
    run, line, _ = boot("act-change", "plain=1")
    trap = symbol("trap")
    cpuid = int(run.expect(r"# CPUID ([0-9a-f]+)\n")[1], 16)
    msr = run.expect(r"# MSR ([0-9a-f]+)\n")[1]
    line.ask("set cpuid 1 0 ecx 0 0")
    assert int(run.expect(r"# CPUID ([0-9a-f]+)\n")[1], 16) == cpuid & ~1
    line.ask("set cpuid off")
    assert int(run.expect(r"# CPUID ([0-9a-f]+)\n")[1], 16) == cpuid
    line.ask("set msr 1b 123456789ab")
    assert run.expect(r"# MSR ([0-9a-f]+)\n")[1] == "123456789ab"
    line.ask("set msr 1b off")
    assert run.expect(r"# MSR ([0-9a-f]+)\n")[1] == msr
    nmis = word(line, trap + 56)
    line.ask("inject 1 nmi")
    while word(line, trap + 56) != nmis + 1:
        pass
    line.ask("kick 1")
    told = line.ask("trace -f EXCEPTION 1 1")
    assert " kvm_exit: vcpu 1 reason EXCEPTION_NMI " in told[1]
    assert re.fullmatch(r"\d+: kick: vcpu 1 by vcpu 0", told[2])
    interrupts = word(line, trap + 48)
    while line.answer("inject 1 irq 52")[-1] != "ok":
        pass
    while word(line, trap + 48) != interrupts + 1:
        pass
    assert word(line, trap) == 52
    line.ask("pause")
    line.ask("step 1 1")
    assert "kvm_entry: vcpu 1 for one step" in "\n".join(line.ask("trace 1 1"))
    line.ask("set r9 1234567890abcdef 1")
    assert monitor.number(r"R9  ([0-9a-f]+)", line.ask("regs 1")) == 0x1234567890abcdef
    rflags = monitor.number(r"RFLAGS ([0-9a-f]+)", line.ask("regs 1"))
    for flags in rflags ^ 1, rflags:
        line.ask(f"set rflags {flags:x} 1")
        assert monitor.number(r"RFLAGS ([0-9a-f]+)", line.ask("regs 1")) == flags
    check_control_registers(line)
    line.ask("resume")
    line.ask("inject 1 exc 13 1230")
    run.expect(r"Bail out! exception 13, error 1230, at ")
    assert run.wait() == "power-off"


RANDOM = ("icept cr0 on", "icept cr4 on", "icept cr3-load on", "icept interrupt on", "icept desc on", "icept exc ud on",
          "icept exc gp on", "icept exc pf on", "icept exc db on", "kick 1", "pause", "step 1 30", "step 0 30", "resume",
          "icept cr0 off", "icept cr4 flip 51", "icept interrupt off", "icept exc pf on 1 0", "icept desc off",
          "icept exc gp off", "icept exc ud off", "icept rdtsc flip 50", "icept hlt flip 3")


def test_random_guest():
    """The random guest ends well although it is intercepted, and stepped, all the time."""
    _, answers = monitor.ask_random_guest("act-random", "cpus=2 seed=5 n=2000 init=1", RANDOM, 3)
    legal = r"ok|err: (this vCPU waits for a SIPI|no instruction within a second).*"
    wrong = [(command, told[-1]) for command, told in answers if not re.fullmatch(legal, told[-1])]
    assert not wrong


def test_refused():
    """What cannot be done is refused in words."""
    run, line, stop = boot("act-refused", "")
    for command, why in (("icept exc 2 on", "no such exception"), ("icept exc pf", "say on or off"),
                         ("icept foo on", "no such thing"), ("icept msr 12345678 r", "always exit"),
                         ("icept exc ud on 1 1", "for pf only"), ("icept port 10000 on", "PORT is at most ffff"),
                         ("inject 9 nmi", "no such vCPU"), ("inject 1 irq 3", "16 to 255"),
                         ("inject 1 exc 2", "without 2"), ("inject 1 exc 21", "no exception 21"), ("set rbp zz", "VALUE is no hexadecimal number"), ("w 0 0", "pairs"),
                         ("set cr8 0", "set changes"), ("w -p fffffffff000 00", "not mapped"),
                         ("set rip 8000000000000000 1", "no address of an instruction")):
        answer = line.answer(command)[-1]
        assert answer.startswith("err: ") and why in answer, (command, answer)
    before = line.ask("x -p 1000 8"), line.ask("icept")
    for command in ("w -p 1000 90 c3", "w 1000 90 1 2", "pause junk", "ls 0", "help w x", "x -p 0 1 1", "x 0 1 1 1", "bt 0 1", "stat 0 1",
                    "stat -p 0 1", "trace 0 1 2", "vmcs exit rip", "watch log 1", "watch off all 1", "watch 1000 r 1 2",
                    "patch 1000 off 1", "icept rdtsc on 1", "icept rdtsc flip 1 1", "icept port 80 on 1", "icept msr 176 r w",
                    "inject 1 nmi 2", "inject 1 irq 52 0", "set rax 0 1 2", "set msr 1b off 1", "set cpuid off 1",
                    "cycle steps 0", "cycle init 0 1", "cycle reason CPUID 0", "pause" + " 1" * 20):
        assert line.answer(command)[-1] == "err: too many words; help NAME tells which there are", command
    assert (line.ask("x -p 1000 8"), line.ask("icept")) == before
    line.type("version".ljust(250))
    line.line.sendall(b"overflow\r")
    assert line.until(monitor.PROMPT).endswith("err: the line is too long; there is room for 255 characters\n")
    end(run, line, stop)
