# SPDX-License-Identifier: MIT
"""The monitor's terminal: Tab, Ctrl-C, the pager, a paste; JSON. The random guest runs meanwhile."""
import json
import time

import bochs
import mkiso
from monitor import COMMANDS, PROMPT, boot, number


def lines_of(monitor, count):
    """The answers to `count` lines that have been sent at once: what follows each prompt."""
    return [monitor.until(PROMPT).strip("\n").split("\n") for _ in range(count)]


def tab(monitor):
    """Arguments are completed, and listed; a command tells what it is called elsewhere."""
    monitor.line.sendall(b"vmcs ho\t")
    monitor.until("vmcs host ")
    monitor.line.sendall(b"\x15help pa\t")
    monitor.until("\n" + " ".join(name for name in COMMANDS if name.startswith("pa")) + "\n" + PROMPT + "help pa")
    monitor.line.sendall(b"\x15")
    assert monitor.ask("help x")[2:] == ["in gdb: x/40xb", "in Bochs' debugger: x, xp", "in QEMU's monitor: x, xp"]


def stop(monitor):
    """Ctrl-C ends a long answer; what is typed while a command prints is the next one."""
    monitor.type("x -p 100000 4096")
    monitor.line.sendall(b"\r\x03")
    told = monitor.until(PROMPT).strip("\n").split("\n")
    assert told[-1] == "err: stopped" and len(told) < 250, told
    monitor.line.sendall(b"regs\rversion\r")
    regs, version = lines_of(monitor, 2)
    assert regs[0].endswith("regs") and regs[-1] == "ok"
    assert version[0] == "version" and version[1].startswith("Glasshouse ") and version[2] == "ok"


def page(monitor):
    """The pager waits when it has been asked to, and not otherwise."""
    monitor.ask("page 4")
    monitor.type("x -p 100000 160")
    monitor.line.sendall(b"\r")
    assert monitor.until("--more--").count("\n") == 4  # with the command's own
    monitor.line.sendall(b"\r")
    assert monitor.until("--more--").count("\n") == 1
    monitor.line.sendall(b" ")
    assert monitor.until("--more--").count("\n") == 3
    monitor.line.sendall(b"q")
    assert monitor.until(PROMPT).endswith("err: stopped\n")
    assert len(monitor.answer("x -j -p 100000 160")) == 11  # for a program: it does not wait
    monitor.ask("page")
    assert len(monitor.ask("x -p 100000 160")) == 10


def paste(monitor):
    """Of 4 KiB that come at once not one byte is lost; of more than is kept, the rest is dropped as a whole."""
    lines = [f"line-{number:03}-".ljust(100, "abcdefghijklmnopqrstuvwxyz"[number % 26]) for number in range(40)]
    monitor.line.sendall(b"\r")
    monitor.until(PROMPT)
    text = "".join(f"{line}\r" for line in lines).ljust(4096, " ")
    monitor.line.sendall(text.encode())
    for line, told in zip(lines, lines_of(monitor, len(lines))):
        assert told == [line, "err: there is no such command; help lists them"]
    monitor.line.sendall(b"\x15" + b"help vmcs\r" * 900)
    told = monitor.until("err: bytes were lost: more came at once than is kept. Before a paste, press Enter.\n" + PROMPT)
    assert told.count("example: vmcs 1 rip") > 5
    assert monitor.ask("help page")[1] == "example: page 24"


def pace(monitor):
    """The heart beats 100 times per second, also while somebody types; faster only when a paste has been announced."""
    def period():
        monitor.ask("pause")  # in a beat; at another exit the timer has run for a while
        value = number("VMX_PREEMPTION_TIMER_VALUE=([0-9a-f]+)", monitor.ask("vmcs 482e"))
        monitor.ask("resume")
        return value

    slow = period()
    assert abs(slow / (bochs.IPS / 100) - 1) < 0.02 and period() == slow
    for _ in range(20):
        monitor.line.sendall(b"\r")
        monitor.until(PROMPT)
        fast = period()
        if fast != slow:  # it is slow if a second of the machine's has passed between two keys
            break
    assert abs(fast - slow / 10) < 2
    for seconds in range(2, 40):  # each look is a key, after which it beats fast for a second of the machine's
        time.sleep(seconds)
        if period() == slow:
            return
    assert False, "it still beats fast"


def rows(monitor, command):
    """The objects of the answer to a command with -j, without the last one, which must be ok."""
    name, _, arguments = command.partition(" ")
    told = [json.loads(line) for line in monitor.answer(f"{name} -j {arguments}".rstrip())]
    assert all(isinstance(row, dict) for row in told) and told[-1] == {"ok": True}, told
    return told[:-1]


def as_json(monitor):
    """Each answer is JSON after -j, with the values that the text has."""
    assert [row["name"] for row in rows(monitor, "help")[:-1]] == COMMANDS
    about = rows(monitor, "help x")
    assert about[0]["example"].startswith("x ") and {"debugger": "gdb", "same": "x/40xb"} in about
    assert rows(monitor, "version") == [{"version": monitor.ask("version")[0].split()[1]}]
    listed = rows(monitor, "ls")
    assert listed[0] == {"cpu": 0, "apic_id": 0, "state": "virtualisation on", "left_out": False}
    assert listed[1]["vm"] == "VM 0" and listed[2]["state"] == "answers you" and listed[2]["exits"] > 0
    monitor.ask("pause")
    text = "\n".join(monitor.ask("regs"))
    registers = rows(monitor, "regs")
    values = {key: value for row in registers if "segment" not in row for key, value in row.items()}
    assert len(values) == 24 and f"RIP {int(values['rip'], 16):016x}" in text and f"CR3 {int(values['cr3'], 16):x}" in text
    segments = {row["segment"]: row for row in registers if "segment" in row}
    assert len(segments) == 10 and isinstance(segments["CS"]["unusable"], bool)
    rows(monitor, "vmcs")
    fields = rows(monitor, "vmcs")  # while all are paused nothing changes
    rip = [row for row in fields if row["field"] == "GUEST_RIP"]
    assert rip == rows(monitor, "vmcs guest_rip") == [{"group": "guest", "field": "GUEST_RIP", "value": values["rip"], "words": "", "changed": False}]
    assert {row["group"] for row in fields} == {"exit", "guest", "controls", "host"}
    assert rows(monitor, "vmcs host") == [row for row in fields if row["group"] == "host"]
    assert any(row["field"] == "SECONDARY_VM_EXEC_CONTROL" and "enable EPT" in row["words"] for row in fields)
    assert any(row["control"] == "use MSR bitmaps" and row["use"] == "required" and row["cpu_has"] for row in rows(monitor, "caps"))
    memory = rows(monitor, "x -p 100000 32")
    assert [row["address"] for row in memory] == ["0x100000", "0x100010"] and len(memory[0]["bytes"].split()) == 16
    walk = rows(monitor, "ept 100000")
    assert walk[-1]["gpa"] == walk[-1]["hpa"] == "0x100000" and walk[-1]["w"] is True and walk[0]["level"] == 4
    assert rows(monitor, "pt 100000")[0] == {"cr3": values["cr3"]}
    counts = {row["exit"]: row["samples"] for row in rows(monitor, "stat")}
    assert counts["CPUID"] > 0 and sum(counts.values()) > 1000
    assert {row["event"] for row in rows(monitor, "trace 0 4")} >= {"kvm_entry", "kvm_exit"}
    why, = rows(monitor, "why")
    assert why["reason"] in counts and why["rip"].startswith("0x")
    assert any("Entering the guest." in row["text"] for row in rows(monitor, "log"))
    assert rows(monitor, "vmcs check")[0]["text"].strip() == "None of the rules that Glasshouse checks is broken."
    assert all(row["state"] == "off" for row in rows(monitor, "icept") if "state" in row)
    steps = {row["step"]: row for row in rows(monitor, "cycle steps")}
    assert steps["handle_cpuid"]["kvm_6_1"] == "kvm_emulate_cpuid" and steps["loop"]["at"].startswith("vmm/vcpu.c:")
    created = rows(monitor, "cycle create")
    assert created[0]["function"] == "create_vm" and all(row["ticks"] >= 0 and row["kvm"] for row in created)
    assert {"rip", "bytes"} == set(rows(monitor, "step 0 1")[0])
    monitor.ask("resume")
    *told, total = rows(monitor, "cycle reason cpuid")
    assert total["in_all"] and sum(row["instructions"] for row in told) == total["instructions"] > 50
    assert [row["function"] for row in told if row["more"].startswith(": CPUID at RIP ")] == ["vmx_handle_exit"]
    assert monitor.answer("regs -j 9") == ['{"err":"there is no such vCPU; ls lists them"}']
    assert monitor.answer("nonsense -j") == ['{"err":"there is no such command; help lists them"}']


def test_terminal():
    """What a person does at the terminal, and a program that sends more than a person can type."""
    guest = mkiso.glasshouse("monitor=com2 console=e9", mkiso.BUILD / "guest/monkey.img", "seed=7 n=1000000000", None)
    run, monitor = boot("monitor-terminal", guest, cpus=1, memory=128, ticks=30_000_000_000, ignore_bad_msrs=False)
    monitor.until("The monitor of Glasshouse listens")
    monitor.until(PROMPT)
    tab(monitor)
    stop(monitor)
    page(monitor)
    pace(monitor)
    paste(monitor)
    as_json(monitor)
    assert "defect of Glasshouse" not in run.log("glasshouse.log")
    run.stop()
