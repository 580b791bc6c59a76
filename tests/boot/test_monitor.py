# SPDX-License-Identifier: MIT
"""The monitor on COM2, while Debian's Linux runs on two CPUs."""
import re
import time

import pytest

import bochs
import harness
import mkiso
import words
from monitor import COMMANDS, PROMPT, ask_random_guest, boot, number


def look(monitor):
    """The commands that only look, where the answer does not depend on the guest."""
    assert re.match(r"Glasshouse \S+$", monitor.ask("version")[0])
    told = monitor.ask("help")
    names = [line.split()[0] for line in told[:-1]]
    assert names == COMMANDS and "vmcs" in names
    for name in names:
        assert monitor.ask(f"help {name}")[1].startswith(f"example: {name}")
    assert "CPU 1: APIC ID 1, virtualisation on" in monitor.ask("ls")
    assert any("Ready     yes" in line for line in monitor.ask("caps"))
    assert any("Entering the guest." in line for line in monitor.ask("log"))
    assert monitor.answer("nonsense") == ["err: there is no such command; help lists them"]
    assert monitor.answer("regs 2") == ["err: there is no such vCPU; ls lists them"]
    for words in "x", "x -p", "w", "ept", "pt", "spt", "patch", "w -h", "watch -v":
        assert monitor.answer(words) == ["err: ADDR is missing; help NAME shows an example"], words
    for words, name in (("kick", "VCPU"), ("inject", "VCPU"), ("inject 1 exc", "VECTOR"), ("w 0", "BYTES"), ("patch 0", "BYTE"),
                        ("watch 0", "r, w or x"), ("set", "REGISTER, msr or cpuid"), ("set rax", "VALUE"), ("set msr", "MSR"),
                        ("set msr 1b", "VALUE"), ("set cpuid", "LEAF"), ("set cpuid 1", "SUBLEAF"), ("set cpuid 1 0", "REGISTER"),
                        ("set cpuid 1 0 ecx", "BIT"), ("set cpuid 1 0 ecx 3", "0 or 1"), ("icept msr", "MSR"),
                        ("icept port", "PORT"), ("icept hlt flip", "N"), ("icept exc", "the exception's NAME"),
                        ("trace -f", "REASON"), ("cycle port", "N"), ("cycle rip", "ADDR"), ("cycle reason", "NAME")):
        assert monitor.answer(words) == [f"err: {name} is missing; help NAME shows an example"], words
    for words, why in (("x 12345g", "ADDR is no hexadecimal number; help NAME shows an example"),
                       ("x 0 1f", "BYTES is no decimal number; help NAME shows an example"), ("x 0 4097", "BYTES is at most 4096"),
                       ("patch 0 100", "BYTE is at most ff"), ("step 0 1001", "N is at most 1000"),
                       ("page many", "LINES is no decimal number; help NAME shows an example")):
        assert monitor.answer(words) == [f"err: {why}"], words
    for words in "x -q 0", "w -q 0 0", "bt -q":
        assert monitor.answer(words) == ["err: there is no such option; help NAME lists them"]


def look_at_vmcs(monitor):
    """The VMCS of both vCPUs."""
    for vcpu in "0", "1":
        whole = "\n".join(monitor.ask(f"vmcs {vcpu}"))
        for word in ("-- VMCS: the last exit --", "-- VMCS: host state --", "GUEST_RIP=", "enable EPT",
                     "TR   0040 base"):
            assert word in whole, word
        assert monitor.ask(f"vmcs {vcpu} check") == ["  None of the rules that Glasshouse checks is broken."]
        rip = monitor.ask(f"vmcs {vcpu} host_rip")
        assert len(rip) == 1 and rip[0].startswith("HOST_RIP=ffffffff80")
        assert monitor.ask(f"vmcs {vcpu} exit")[0] == "-- VMCS: the last exit --"
        assert monitor.ask(f"vmcs {vcpu} 6c16") == rip and monitor.ask("vmcs 0x6C16") == rip
    for words in "vmcs 1 xyzzy", "vmcs 6c17", "vmcs 6666":
        assert monitor.answer(words)[-1].startswith("err: there is no such group")
    assert monitor.answer("vmcs 666") == ["err: there is no such vCPU; ls lists them"]


def look_at_registers(monitor, symbols):
    """Registers have the values that Linux gives them."""
    for vcpu in "0", "1":
        told = monitor.ask(f"regs {vcpu}")
        assert number(r"EFER ([0-9a-f]+)", told) == 0xd01
        assert number(r"IDTR 0000 base ([0-9a-f]+)", told) == 0xfffffe0000000000
        assert number(r"TR   ([0-9a-f]+) base", told) == 0x40
        if number(r"CS   ([0-9a-f]+) base", told) == 0x10:
            assert symbols["_stext"] <= number(r"RIP ([0-9a-f]+)", told) < symbols["_etext"]


def look_at_memory(monitor, symbols):
    """Linux' banner, by its virtual and by its physical address; both walks; Glasshouse's memory."""
    banner = symbols["linux_banner"]
    for vcpu in "0", "1":
        told = monitor.ask(f"pt {banner:x} {vcpu}")
        physical = number(rf"^{banner:x} is guest-physical ([0-9a-f]+)$", told[-1:])
        assert [line.split()[1] for line in told[1:-1]] == ["4", "3", "2", "1"][:len(told) - 2]
        assert "no-execute" in told[-2]
    virtual = monitor.ask(f"x {banner:x} 32")
    assert virtual[0].endswith("  Linux version 6.") and virtual[0].startswith(f"{banner:016x}: 4c 69")
    assert [line[17:] for line in monitor.ask(f"x -p {physical:x} 32")] == [line[17:] for line in virtual]
    told = monitor.ask(f"ept {physical:x}")
    assert re.match(rf"{physical:x} is host-physical {physical:x}: rwx, WB, a page of \d+ KiB$", told[-1])
    assert 2 <= len(told) - 1 <= 4 and told[0].startswith("  level 4: ")
    image = number(r"image at ([0-9a-f]+)", monitor.ask("log"))
    assert monitor.answer(f"x -p {image:x}") == ["err: this address is not mapped to memory of the guest"]
    assert "is not mapped: a hole of" in monitor.ask(f"ept {image:x}")[-1]
    assert monitor.ask("pt 10 1")[-1].startswith("A read there is a page fault, with error code ")


def look_at_exits(monitor):
    """The counts and the flight recorder."""
    total = monitor.ask("stat")
    assert total[0].split()[:3] == ["VM-EXIT", "Samples", "Samples%"] and any("CPUID" in line for line in total)
    one, other = (int(re.match(r"Total Samples:(\d+),", monitor.ask(f"stat {vcpu}")[-1])[1]) for vcpu in "01")
    assert 0 < other < one
    assert re.match(r"vCPU 1 exited last at tick \d+ of its CPU, after \d+ in the guest, at RIP [0-9a-f]+: \w+",
                    monitor.ask("why 1")[0])
    told = monitor.ask("trace 0 8")
    assert len(told) == 16
    assert re.match(r"\d+: kvm_entry: vcpu 0$", told[0])
    assert re.match(r"\d+: kvm_exit: vcpu 0 reason \w+ rip 0x[0-9a-f]+ info1 0x[0-9a-f]{16}$", told[1])
    assert "PREEMPTION_TIMER" not in "".join(told)
    ticks = [int(line.partition(":")[0]) for line in told]
    assert ticks == sorted(ticks)


def watch_jiffies(monitor, symbols):
    """Linux' tick counter is seen to count: each write begins where the one before ended."""
    monitor.ask(f"watch -v {symbols['jiffies']:x} w")
    while int(re.search(r": (\d+) hits", monitor.ask("watch")[0])[1]) < 10:
        pass
    monitor.ask("watch off all")
    told = monitor.ask("watch log")
    if re.fullmatch(r"\d+ hits are not here: more came than are kept\.", told[-1]):
        del told[-1]  # the guest has gone on for longer than 256 of them before the watch was off
    values = []
    for line in told:
        match = re.fullmatch(r"watch 0: vCPU [01] RIP (\w+) r?w \w+ 8 bytes: (\w+) -> (\w+)", line)
        assert match, line
        assert symbols["_stext"] <= int(match[1], 16) < symbols["_etext"]
        values.append((int(match[2], 16), int(match[3], 16)))
    assert len(values) >= 10
    assert all(before < after for before, after in values)
    assert all(values[i][1] == values[i + 1][0] for i in range(len(values) - 1))


def counts(run):
    """The next count that Linux prints from now on."""
    run.skip()
    return int(run.expect(r"\n# count (\d+)\n")[1])


def use_tables_of(monitor):
    """x, w and pt translate by the tables of the vCPU that is named. vCPU 1 gets tables of its own, in a page each that
    Linux does not use, which map each address below 1 GiB to itself; vCPU 0 keeps Linux', which map none there."""
    before = {at: monitor.ask(f"x -p {at:x} 8")[0].split(":")[1][:24].replace(" ", "") for at in (0x1000, 0x2000, 0x3000)}
    cr3 = number(r"CR3 ([0-9a-f]+)", monitor.ask("regs 1"))
    for at, entry in (0x1000, 0x2003), (0x2000, 0x83), (0x3000, 0x1122334455667788):
        monitor.ask(f"w -p {at:x} {entry.to_bytes(8, 'little').hex()}")
    monitor.ask("set cr3 1000 1")
    assert monitor.ask("x 3000 8 1")[0].split()[1:9] == ["88", "77", "66", "55", "44", "33", "22", "11"]
    monitor.ask("w 3000 99aa 1")
    assert monitor.ask("x -p 3000 3")[0].split()[1:4] == ["99", "aa", "66"]
    assert monitor.ask("pt 3000 1")[-1] == "3000 is guest-physical 3000"
    for command in "x 3000 8", "x 3000", "x 3000 8 0", "w 3000 00", "w 3000 00 0":
        assert monitor.answer(command) == ["err: this address is not mapped to memory of the guest"], command
    assert monitor.answer("x 3000 8 2") == ["err: there is no such vCPU; ls lists them"]
    assert monitor.answer("w 3000 00 11") == ["err: there is no such vCPU; ls lists them. The bytes are one word, as 90c3"]
    for command in "x -p 3000 8 1", "w -h 3000 00 1":
        assert monitor.answer(command) == ["err: too many words; help NAME tells which there are"], command
    monitor.ask(f"set cr3 {cr3:x} 1")
    for at, data in before.items():
        monitor.ask(f"w -p {at:x} {data}")


def stop_and_go(run, monitor):
    """A paused Linux prints nothing, its vCPUs can be looked at, and it goes on."""
    monitor.ask("pause")
    assert any("vCPU 1 on CPU 1: paused" in line for line in monitor.ask("ls"))
    told = monitor.ask("regs 1")  # the answer takes longer than what the guest's UART still sends
    run.skip()
    before = run.text
    assert monitor.ask("regs 1") == told
    monitor.ask("vmcs 1 guest_rip")  # it may have a mark, as it has changed
    assert monitor.ask("vmcs 1 guest_rip") == monitor.ask("vmcs 1 guest_rip")
    use_tables_of(monitor)
    time.sleep(2)
    run.skip()
    assert run.text == before
    monitor.ask("resume")
    first = counts(run)
    assert counts(run) > first


def edit(monitor):
    """The line editor, over the real line: completion, the history, Ctrl-U, Ctrl-C."""
    monitor.line.sendall(b"ver\t")
    monitor.until("version ")
    assert monitor.answer("")[-1] == "ok"
    monitor.line.sendall(b"\x1b[A")
    monitor.until("version ")
    monitor.line.sendall(b"\x15")
    assert monitor.ask("help pause")[1] == "example: pause"
    monitor.line.sendall(b"reset\x03")
    monitor.until("^C\n" + PROMPT)


def test_commands():
    """Each command is answered, compared with facts; a paused Linux stands still, and goes on."""
    run, monitor = boot("monitor", harness.linux("monitor", "monitor=com2", "gh.cpus=2"), ticks=30_000_000_000)
    monitor.until("The monitor of Glasshouse listens")
    monitor.until(PROMPT)
    symbols = {name: int(run.expect(rf"# {name} ([0-9a-f]{{16}})\n")[1], 16)
               for name in ("linux_banner", "_stext", "_etext", "jiffies")}
    counts(run)
    look(monitor)
    look_at_vmcs(monitor)
    look_at_registers(monitor, symbols)
    look_at_memory(monitor, symbols)
    look_at_exits(monitor)
    watch_jiffies(monitor, symbols)
    edit(monitor)
    stop_and_go(run, monitor)
    run.send("end\n")
    assert run.wait() == "power-off"
    assert run.results()
    ticks = int(re.findall(r"^(\d{11,})[a-z]\[", run.log("bochs.log"), re.M)[-1])
    beats = int(re.search(r"^exits: vcpu 0 .* PREEMPTION_TIMER (\d+)", run.log("glasshouse.log"), re.M)[1])
    assert 0 < beats <= ticks * 1000 / bochs.IPS


def test_reset():
    """`reset` resets the machine, with the guest's vCPUs running or paused; the monitor is there again after it."""
    # Linux leaves the other CPU alone, and does not end, however long the questions take.
    run, monitor = boot("monitor-reset", harness.linux("monitor", "monitor=com2", "maxcpus=1"), resets=2)
    for _ in range(2):
        run.expect("Entering the guest")
        monitor.until("The monitor of Glasshouse listens")
        monitor.until(PROMPT)
        assert "  vCPU 1 on CPU 1: waits for a SIPI, 0 exits" in monitor.ask("ls")
        assert number(r"RIP ([0-9a-f]+) ", monitor.ask("regs 1")) == 0xfff0
        if run.text.count("Entering the guest") == 2:
            monitor.ask("pause")
        monitor.type("reset")
        monitor.line.sendall(b"\r")
        assert monitor.until("ok\n") == "\n"
        last = run.expect(r"ended with: ---\n((?s:.*))--- End ---")[1]
        assert words.VIRT_OFF in last and "Resetting the machine." in last
    monitor.until(PROMPT)


@pytest.mark.parametrize("opts, cmdline, image, says", [
    ("monitor=com2", "", mkiso.BARE_ELF, r"the monitor is not available: this image was built without it"),
    ("monitor=com2", "console=ttyS1", mkiso.ELF, r"the monitor is not available: COM2 is the guest's"),
])
def test_not_available(opts, cmdline, image, says):
    """Where COM2 is the guest's, or the image has no monitor, there is none, and the guest runs all the same."""
    spec = mkiso.glasshouse(opts, mkiso.BUILD / "guest/bench.img", cmdline, None)
    spec.first.path = image
    run = harness.boot(f"monitor-none-{opts[-1]}-{cmdline[-1:]}", spec)
    run.expect(says)
    run.expect("Entering the guest")
    run.wait()
    assert "bench end" in run.text
    assert "PREEMPTION_TIMER" not in re.search(r"^exits: vcpu 0 .*", run.log("glasshouse.log"), re.M)[0]


LOOKS = ("regs 0", "regs 1", "vmcs 1 guest", "pt 100000 1", "x 100000 32", "pause", "regs 1", "stat", "resume",
         "trace 1 2", "why 0")


def test_random_guest():
    """The random guest ends well although somebody looks at it, and stops it, all the time."""
    log, answers = ask_random_guest("monitor-random", "cpus=2 seed=5 n=5000 init=1", LOOKS, 5)
    wrong = [(command, told[-1]) for command, told in answers
             if told[-1] != "ok" and not told[-1].startswith("err: this address")]
    assert not wrong
    print(len(answers), re.findall(words.EXITS, log))
