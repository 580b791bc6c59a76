# SPDX-License-Identifier: MIT
"""What the monitor tells about exits, compared with a guest whose exits are known: stat, trace, why, bt, log last."""
import json
import re
import socket
import subprocess

import harness
import mkiso
from monitor import PROMPT, Monitor

GUEST = mkiso.BUILD / "guest/exits.img"

# What the guest says that it has caused, by the words that it uses; and what stat calls them.
NAMES = {"cpuid": "CPUID", "rdmsr": "MSR_READ", "out": "IO_INSTRUCTION", "vmcall": "VMCALL"}


def boot(folder):
    """The guest, with its symbols, a recorder of 4,096 exits, and the monitor."""
    symbols = folder / "symbols"
    listed = subprocess.run(["nm", "-n", GUEST.with_suffix(".elf")], capture_output=True, check=True).stdout
    symbols.write_bytes(listed)
    spec = mkiso.glasshouse("monitor=com2 trace=4K", GUEST, "", None)
    spec.modules.append(mkiso.Entry(symbols, "symbols"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        run = harness.boot("monitor-trace", spec, com2=server, resets=1)
        return run, Monitor(server), {name: int(address, 16) for address, _, name in
                                      re.findall(r"^([0-9a-f]+) (\w) (\w+)$", listed.decode(), re.M)}


def cause(run):
    """Has the guest cause its exits. Returns their numbers, by stat's names."""
    run.send("x")
    told = run.expect(r"exits ((?:\w+ \d+ ?)+)\n")[1].split()
    return {NAMES[name]: int(n) for name, n in zip(told[::2], told[1::2])}


def rows(lines):
    """The table of stat: {name: (samples, min, max, avg)}; times in microseconds, None where there are none."""
    assert lines[0].split() == ["VM-EXIT", "Samples", "Samples%", "Time%", "Min", "Time", "Max", "Time", "Avg", "time"]
    table = {}
    for line in lines[1:-1]:
        name, samples, share, time_share, *times = re.split(r"  +", line.strip())
        assert share.endswith("%") and (time_share.endswith("%") or time_share == "-")
        table[name] = (int(samples), *(None if time == "-" else float(time.removesuffix("us")) for time in times))
    total = re.match(r"Total Samples:(\d+), Total events handled time:\d+\.\d\dus \(of \d+ exits\)$", lines[-1])
    assert int(total[1]) == sum(row[0] for row in table.values())
    return table


def check_stat(run, monitor):
    """stat counts by reason, port, MSR and RIP exactly what the guest does, and its times are sound."""
    before = rows(monitor.ask("stat"))
    caused = cause(run)
    table = rows(monitor.ask("stat 0"))
    for name, n in caused.items():
        assert table[name][0] - before.get(name, (0,))[0] == n, name
        _, least, most, mean = table[name]
        assert 0 < least <= mean <= most, name
    # A CPUID exit takes some 60 ticks of 20 ns in Glasshouse.
    assert 0.5 < table["CPUID"][1] < 3
    assert list(table) == sorted(table, key=lambda name: -table[name][0])
    ports = rows(monitor.ask("stat -p"))
    assert ports["IO_INSTRUCTION 64"][0] >= caused["IO_INSTRUCTION"] and "CPUID" not in "".join(ports)
    assert rows(monitor.ask("stat -m"))["MSR_READ 3a"][0] >= caused["MSR_READ"]
    rips = rows(monitor.ask("stat -r"))
    assert max(rips.values())[0] >= caused["CPUID"]
    assert monitor.answer("stat -x") == ["err: there is no such option; help NAME lists them"]
    assert monitor.answer("stat 1") == ["err: there is no such vCPU; ls lists them"]


def check_live(run, monitor):
    """stat -w counts from its start on, while the guest runs, until Ctrl-C."""
    monitor.type("stat -w")
    monitor.line.sendall(b"\r")
    monitor.until("Ctrl-C ends it.")
    caused = cause(run)
    told = {}
    while told.keys() < caused.keys() or any(told[name] < n for name, n in caused.items()):  # tables from before are first
        monitor.until("\x1b[H\x1b[J")
        table = rows(monitor.until("Ctrl-C ends it.").strip("\n").split("\n"))
        told = {name: row[0] for name, row in table.items() if name != "PREEMPTION_TIMER"}
    assert told == caused
    monitor.line.sendall(b"\x03")
    assert monitor.until(PROMPT).endswith("^C\nok\n")


def check_trace(run, monitor, symbols):
    """trace has the exits in their order, with RIP, MSR and what was injected; why tells the last."""
    caused = cause(run)
    told = monitor.ask("trace -f hlt 0 4")
    assert len(told) == 1 and told[0].startswith("Of vCPU 0 the flight recorder has no such exit: stat lists what has come.")
    assert monitor.answer("trace -j -f hlt 0 4") == ['{"ok":true}']
    last = monitor.ask("trace -f msr_read 0 1000")
    assert len(last) >= 2 * caused["MSR_READ"] and len(last) % caused["MSR_READ"] == 0
    exit_line = re.compile(r"(\d+): kvm_exit: vcpu 0 reason (\w+) rip 0x([0-9a-f]+) info1 0x([0-9a-f]{16})$")
    for entry, left in zip(last[::2], last[1::2]):
        assert re.match(r"\d+: kvm_entry: vcpu 0$", entry)
        _, reason, rip, info = exit_line.match(left).groups()
        assert reason == "MSR_READ" and int(info, 16) == 0x3a
        assert symbols["read_msrs"] <= int(rip, 16) < symbols["read_msrs"] + 0x40
    told = monitor.ask("trace 0 5")
    reasons = [match[2] for match in map(exit_line.match, told) if match]
    assert reasons == ["IO_INSTRUCTION"] * 2 + ["VMCALL"] * 3
    injected = [line for line in told if "kvm_inj_exception" in line]
    assert len(injected) == 3 and all(line.endswith(": vcpu 0 vector 6") for line in injected)
    ticks = [int(line.partition(":")[0]) for line in told]
    assert ticks == sorted(ticks)
    assert re.match(r"vCPU 0 exited last \d+ ticks ago, after \d+ in the guest, at RIP [0-9a-f]+: VMCALL; "
                    r"the entry after it delivered vector 6; it took \d+ ticks\.$", monitor.ask("why")[0])


def check_bt(monitor):
    """bt shows where the guest waits, and who called, by name."""
    names = [line.split()[1].partition("+")[0] for line in monitor.ask("bt")]
    assert names[0] in ("wait_for_status", "inb") and "wait_for_byte" in names and "guest_main" in names
    assert names.index("wait_for_byte") < names.index("guest_main")
    own = [line.split()[1].partition("+")[0] for line in monitor.ask("bt -h")]
    path = [own.index(name) for name in ("command_bt", "handle_preemption_timer", "vcpu_run")]
    assert path == sorted(path), own


def check_memory(monitor):
    """x -h shows the machine's memory, also Glasshouse's, which the guest's addresses do not show."""
    image = int(re.search(r"image at ([0-9a-f]+)", "\n".join(monitor.ask("log")))[1], 16)
    assert monitor.answer(f"x -p {image:x}")[-1].startswith("err:")
    shown = bytes.fromhex(monitor.ask(f"x -h {image:x} 16")[0][17:17 + 48].replace(" ", ""))
    assert shown in mkiso.ELF.read_bytes()
    assert monitor.ask("x -h 100000 48") == monitor.ask("x -p 100000 48")
    for command in "x -h fffffffff000", "w -h fffffffff000 00":
        assert monitor.answer(command) == ["err: this address is not memory that Glasshouse maps"]


def host_bytes(monitor, address):
    """The 8 bytes at a host-physical address."""
    return bytes.fromhex(monitor.ask(f"x -h {address:x} 8")[0].split(":")[1][:24])


def check_writes(monitor):
    """w -h writes the guest's memory and Glasshouse's data, not its code."""
    before = host_bytes(monitor, 0x1000)
    monitor.ask("w -h 1000 0102")
    assert monitor.ask("x -p 1000 8")[0].split()[1:3] == ["01", "02"]
    monitor.ask(f"w -h 1000 {before.hex()}")
    assert host_bytes(monitor, 0x1000) == before
    image = int(re.search(r"image at ([0-9a-f]+)", "\n".join(monitor.ask("log")))[1], 16)
    names = subprocess.run(["nm", mkiso.ELF], capture_output=True, text=True, check=True).stdout
    at = {name: int(address, 16)
          for address, name in re.findall(r"^(\w+) \w (__image_start|__rodata_end|__image_end|watches)$", names, re.M)}
    at = {name: address - at["__image_start"] + image for name, address in at.items()}
    unused = at["watches"] + 24
    for byte in "08", "00":
        monitor.ask(f"w -h {unused:x} {byte}")
        assert host_bytes(monitor, unused) == bytes.fromhex(byte) + bytes(7)
    # The image ends on a page, and is not where its neighbours are.
    across, behind = (monitor.answer(f"x -h {at['__image_end'] - before:x} {before + 8}") for before in (8, 0))
    assert across[-1] == behind[-1] == "ok"
    assert across[0].split()[9:17] == behind[0].split()[1:9]
    for address in at["__image_start"], at["__rodata_end"] - 1, at["__image_start"] - 1:
        code = monitor.answer(f"x -h {address:x} 8")[0]
        assert monitor.answer(f"w -h {address:x} 0000") == [
            "err: these are Glasshouse's code and constants, which are never written"]
        assert monitor.answer(f"x -h {address:x} 8")[0] == code


def check_log(monitor, symbols):
    """What an exit prints in a step is in the log, not in the answer."""
    code = subprocess.run(["objdump", "-d", GUEST.with_suffix(".elf")], capture_output=True, text=True, check=True).stdout
    vmcall = re.search(r"^ *([0-9a-f]+):.*\tvmcall", code, re.M)[1]
    monitor.ask("pause")
    rip = re.search(r"RIP ([0-9a-f]+)", "\n".join(monitor.ask("regs")))[1]
    monitor.ask(f"w {symbols['trap_resume']:x} {int(rip, 16).to_bytes(8, 'little').hex()}")  # where its #UD handler goes on
    monitor.ask(f"set rip {vmcall}")
    monitor.ask("set rax 1234")
    assert len(monitor.ask("step")) == 1
    assert monitor.ask("log")[-1] == f"vCPU 0: VMCALL with RAX 1234 at RIP {vmcall} is not a hypercall of Glasshouse: #UD to the guest"
    monitor.ask("resume")


def check_marks(run, monitor):
    """vmcs marks what has changed since the exit before, each time; and while nothing runs, since it was last looked at."""
    cause(run)
    told = "".join(monitor.ask("vmcs 0 guest"))
    assert not re.search(r"GUEST_(CR3|IDTR_BASE)=[0-9a-f]+\*", told) and re.search(r"GUEST_CR3=[0-9a-f]+ ", told)
    # The exit before is that of the beat in which we ask, and the guest has no other.
    assert monitor.ask("vmcs exit_reason") == ["VM_EXIT_REASON=34: PREEMPTION_TIMER"]
    # Now it has: it reads a port all the time.
    monitor.ask("icept port 3fd on")
    for _ in range(3):
        assert monitor.ask("vmcs exit_reason") == ["VM_EXIT_REASON=1e*: IO_INSTRUCTION"]
    assert [json.loads(line)["changed"] for line in monitor.answer("vmcs -j exit_reason")[:-1]] == [True]
    monitor.ask("icept port 3fd off")
    monitor.ask("pause")
    at = monitor.ask("vmcs guest_rip")[0].rstrip("*")
    for _ in range(2):
        assert monitor.ask("vmcs guest_rip") == [at]
    monitor.ask("step")
    assert re.fullmatch(r"GUEST_RIP=[0-9a-f]+\*", monitor.ask("vmcs guest_rip")[0])
    monitor.ask("resume")


def test_exits(tmp_path):
    """All of that in one boot; and after a reset, the log of the boot before."""
    run, monitor, symbols = boot(tmp_path)
    run.expect("ready\n")
    monitor.until(PROMPT)
    assert monitor.answer("log last")[-1].startswith("err: there is no log of the boot before")
    check_log(monitor, symbols)
    check_stat(run, monitor)
    check_live(run, monitor)
    check_trace(run, monitor, symbols)
    check_bt(monitor)
    check_memory(monitor)
    check_writes(monitor)
    check_marks(run, monitor)
    run.send("d")
    run.expect(r"dumps 10, then -16\n")
    log = run.log("glasshouse.log")
    assert log.count("vCPU 0 asks for the recorded exits, 10 times now.") == 1
    dump = log.rpartition("times now.\n")[2]
    assert re.match(r"The last exits of vCPU 0 \(\d+ in all\):\n(  tsc \d+, after \d+ in the guest: \w+ rip .*\n){8}", dump)
    monitor.type("reset")
    monitor.line.sendall(b"\r")
    run.expect("ready\n")
    monitor.until("listens")
    monitor.until(PROMPT)
    told = monitor.ask("log last")
    assert any("Entering the guest." in line for line in told) and "Resetting the machine." in told[-1]
    assert "Resetting the machine." not in "\n".join(monitor.ask("log"))
    run.send("q")
    assert run.wait() == "power-off"
    assert run.results()
    assert "Memory hidden from the guest:" in run.text
