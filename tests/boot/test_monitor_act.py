# SPDX-License-Identifier: MIT
"""The commands of the monitor that act: on a guest of two CPUs that executes, and checks, what may be intercepted."""
import re
import subprocess

import mkiso
import monitor

GUEST = mkiso.BUILD / "guest/busy.img"

# What can be intercepted, and the exit reasons that show it.
ICEPTS = {
    "cr0": "CR_ACCESS", "cr4": "CR_ACCESS", "cr3-load": "CR_ACCESS", "cr3-store": "CR_ACCESS",
    "cr8-load": "CR_ACCESS", "cr8-store": "CR_ACCESS", "dr": "DR_ACCESS", "desc": "GDTR_IDTR",
    "pause": "PAUSE_INSTRUCTION", "rdtsc": "RDTSC", "invlpg": "INVLPG", "wbinvd": "WBINVD", "hlt": "HLT",
    "interrupt": "EXTERNAL_INTERRUPT"}


def boot(name, words, **machine):
    """Boots the guest. Returns the Run, the Monitor, and the address of the byte that ends the guest."""
    spec = mkiso.glasshouse("monitor=com2 console=e9", GUEST, f"cpus=2 {words}", None)
    run, line = monitor.boot(name, spec, memory=128, ticks=30_000_000_000, ignore_bad_msrs=False, **machine)
    line.until(monitor.PROMPT)
    return run, line, int(run.expect(r"# stop at ([0-9a-f]+)\n")[1], 16)


def end(run, line, stop):
    """Ends the guest, by a write to its memory; nothing has gone wrong. Returns its log."""
    line.ask(f"w -p {stop:x} 01")
    assert run.wait() == "power-off"
    assert run.results()
    return run.log("glasshouse.log")


def counts(line):
    """The numbers of exits, by reason."""
    return {name: int(n) for name, n in re.findall(r"(\w+) +(\d+) +[\d.]+%", "\n".join(line.ask("stat")))}


def wait_for_more(line, reason, old):
    """Waits until there are more exits of `reason` than there were."""
    while counts(line).get(reason, 0) <= old.get(reason, 0) + 3:
        pass


def test_icept():
    """Each interception shows exits while it is on, and none any more when it is off; the guest notices nothing."""
    run, line, stop = boot("act-icept", "")
    for what, reason in ICEPTS.items():
        before = counts(line)
        line.ask(f"icept {what} on")
        wait_for_more(line, reason, before)
        line.ask(f"icept {what} off")
    end(run, line, stop)


def test_flips():
    """Interceptions switched 10,000 times under load lose nothing."""
    run, line, stop = boot("act-flips", "")
    for what in ICEPTS:
        line.ask(f"icept {what} flip 721")
    for what in ICEPTS:
        line.ask(f"icept {what} off")
    end(run, line, stop)


def test_page_faults():
    """Each page fault that exits has the address and the error code that the guest expects, and reaches it so."""
    run, line, stop = boot("act-faults", "say=1")
    line.ask("icept exc pf on 2 2")
    seen = set()
    while len(seen) < 8:
        seen |= set(re.findall(r"reason EXCEPTION_NMI rip 0x[0-9a-f]+ info1 0x0*([0-9a-f]+)",
                               "\n".join(line.ask("trace 0 64"))))
    exits = int(re.search(r"exception 14 pf: on, (\d+) exits, where error code & 2 is 2",
                          "\n".join(line.ask("icept")))[1])
    end(run, line, stop)
    faults = re.findall(r"^fault ([0-9a-f]+) ([0-9a-f]+)$", run.text, re.M)
    assert seen <= {address for address, error in faults if int(error, 16) & 2}
    assert 8 <= exits <= len(faults)


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
    assert line.answer("step 1")[-1] == "err: the vCPU must not run: pause stops all"
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
    line.ask("pause")
    line.ask("set r9 1234567890abcdef 1")
    assert monitor.number(r"R9  ([0-9a-f]+)", line.ask("regs 1")) == 0x1234567890abcdef
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
    _, answers = monitor.ask_random_guest("act-random", "cpus=2 seed=5 n=8000 init=1", RANDOM)
    legal = r"ok|err: (this vCPU waits for a SIPI|no instruction within a second).*"
    wrong = [(command, told[-1]) for command, told in answers if not re.fullmatch(legal, told[-1])]
    assert len(answers) > 2 * len(RANDOM) and not wrong, (len(answers), wrong)


def test_refused():
    """What cannot be done is refused in words."""
    run, line, stop = boot("act-refused", "")
    for command, why in (("icept exc 2 on", "no such exception"), ("icept exc pf", "say on or off"),
                         ("icept foo on", "no such thing"), ("icept msr 12345678 r", "always exit"),
                         ("icept exc ud on 1 1", "for pf only"), ("icept port 10000 on", "no number"),
                         ("inject 9 nmi", "no such vCPU"), ("inject 1 irq 3", "16 to 255"),
                         ("inject 1 exc 2", "without 2"), ("set rbp zz", "no number"), ("w 0 0", "pairs"),
                         ("set cr3 0", "set changes"), ("w -p fffffffff000 00", "not mapped"),
                         ("set rip 8000000000000000 1", "no address of an instruction")):
        answer = line.answer(command)[-1]
        assert answer.startswith("err: ") and why in answer, (command, answer)
    end(run, line, stop)
