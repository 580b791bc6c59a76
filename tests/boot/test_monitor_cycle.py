# SPDX-License-Identifier: MIT
"""The monitor's command `cycle`: what it tells of an exit and of the boot agrees with facts."""
import re
import subprocess

import cycle
import mkiso
import monitor
import words

# The functions from the top of the loop into the guest, and from the exit to the handler.
IN = ["vcpu_run", "vcpu_enter_guest", "vmx_vcpu_run", "vmx_vcpu_run", "vmx_return", "vmx_handle_exit"]
FAULT = ["mmu_page_fault"]


def functions(told):
    """The functions of the steps, in their order."""
    return [step.function for step in told]


def value(told, pattern):
    """The hexadecimal number that `pattern` finds in what one of the steps says."""
    found = [match[1] for step in told if (match := re.search(pattern, step.does))]
    assert len(found) == 1, (pattern, told)
    return int(found[0], 16)


def is_exit(told, handled, reason, rip):
    """The steps are an exit for `reason` at `rip`, from the top of the loop to the top, handled by these functions."""
    assert functions(told) == IN + handled + ["vcpu_run"]
    assert value(told, rf"handler by the exit reason: {reason} at RIP ([0-9a-f]+)") == rip
    for step in told:
        # The line is that of the marker.
        assert "STEP(" in (mkiso.ROOT / step.file).read_text().splitlines()[step.line - 1], step


def symbol(name):
    """The address of a symbol of Glasshouse's."""
    told = subprocess.run(["nm", mkiso.ELF], capture_output=True, text=True, check=True).stdout
    return int(re.search(rf"^([0-9a-f]+) \w {name}$", told, re.M)[1], 16)


def look_at_cpuid(guest):
    """The hot path: order, addresses, costs."""
    told, = guest.cycle(f"0 rip {guest.labels['cpuid']:x}")
    is_exit(told, ["handle_cpuid", "vmx_skip_to"], "CPUID", guest.labels["cpuid"])
    assert value(told, r"HOST_RIP: .*: ([0-9a-f]+),") == symbol("vmx_return")
    assert value(told, r"from [0-9a-f]+ to ([0-9a-f]+)") == guest.labels["cpuid"] + 2
    told_host_rip = guest.monitor.ask("vmcs 0 host_rip")[0]
    assert int(told_host_rip.partition("=")[2], 16) in (symbol("vmx_return"), symbol("vmx_return_traced"))
    instructions, reads, writes = (sum(costs) for costs in zip(*(step.costs for step in told)))
    assert 80 < instructions <= 106 and 3 <= reads <= 6 and writes == 1, (instructions, reads, writes)
    told, = guest.cycle("1")
    is_exit(told, ["handle_cpuid", "vmx_skip_to"], "CPUID", guest.labels["cpuid_too"])


def look_at_ports(guest):
    """A port, by its number and as any port."""
    for command in "port 70", "io 0", f"0 rip {guest.labels['port']:x}", "reason io_instruction":
        told, = guest.cycle(command)
        is_exit(told, ["handle_io", "emulate_pio", "kernel_pio", "complete_io", "vmx_skip_to"], "IO_INSTRUCTION",
                guest.labels["port"])
        assert value(told, r"port ([0-9a-f]+)$") == 0x70


def look_at_faults(guest):
    """Both roads of a page fault lead through one place; afterwards #PF exits no more."""
    fault, violation = guest.cycle("pf", "in all")
    is_exit(fault, ["handle_exception", "handle_page_fault", *FAULT, "reflect_page_fault", "queue_event"], "EXCEPTION_NMI",
            guest.labels["fault"])
    assert value(fault, r"linear address ([0-9a-f]+)$") == 0x100000000
    is_exit(violation, ["handle_ept_violation", *FAULT, "vm0_page_fault"], "EPT_VIOLATION", guest.labels["touch"])
    first = value(violation, r"guest-physical address ([0-9a-f]+)$")
    assert first == 5 << 30
    told, = guest.cycle("0 reason EPT_VIOLATION", "")
    assert value(told, r"guest-physical address ([0-9a-f]+)$") == first + (1 << 30)
    assert guest.monitor.ask("vmcs 0 exception_bitmap") == ["EXCEPTION_BITMAP=0"]


def look_at_nothing(guest):
    """Ctrl-C ends the wait for an exit that does not come; what is wrong is said."""
    guest.monitor.type("cycle port 71")
    guest.monitor.line.sendall(b"\r")
    guest.monitor.until("\n")
    guest.monitor.line.sendall(b"\x03")
    assert guest.monitor.until(monitor.PROMPT).split() == ["^C", "ok"]
    told = guest.monitor.ask("cycle 1 port 71")
    assert told[0] == "Waiting for such an exit of vCPU 1, at most 10 seconds; Ctrl-C ends it." and len(told) == 2
    assert told[1].startswith("vCPU 1 has had no such exit for 10 seconds: ")
    assert guest.monitor.answer("cycle 2") == ["err: there is no such vCPU; ls lists them"]
    assert guest.monitor.answer("cycle reason xyz")[0].startswith("err: there is no such exit reason")
    assert guest.monitor.answer("cycle tomorrow")[0].startswith("err: there is no such form")
    heartbeat, = guest.cycle("0 reason preemption_timer")
    assert functions(heartbeat)[len(IN):-1] == ["handle_preemption_timer"]


def look_at_boot(guest):
    """What was done at boot, on each CPU."""
    enable = ["vmx_hardware_enable", "alloc_vmcs_cpu", "cpu_vmxon", "vmx_vcpu_load", "vmcs_load",
              "vmcs_load", "vmx_vcpu_setup", "vmx_vcpu_run"]
    said = "VMXON", "VMCLEAR: the VMCS is not launched", "VMPTRLD: it is the current one"
    for command, first in (("init", ["vmx_hardware_setup", "setup_vmcs_config"]), ("init 1", ["vmx_check_processor_compat"])):
        told, = guest.cycle(command)
        assert functions(told) == first + enable
        assert [step.does for step in told if step.does.startswith(said)] == list(said)
        assert told[-1].does.startswith("VMLAUNCH") and told[0].costs == [0]
        assert all(step.costs[0] > 10 for step in told[1:])
    told, = guest.cycle("create")
    assert [name for name in functions(told) if name != "set_memory_region"] == [
        "create_vm"] + 2 * ["create_vcpu", "vmx_create_vcpu", "alloc_vmcs_cpu"]
    slots = int(re.search(r", (\d+) memory slots$", "\n".join(guest.monitor.ask("ls")), re.M)[1])
    assert functions(told).count("set_memory_region") == min(slots, 8)


def test_cycle():
    """Each form, with two CPUs that run; docs/walkthrough.md is what they tell."""
    guest = cycle.Guest("cycle")
    look_at_cpuid(guest)
    look_at_ports(guest)
    look_at_faults(guest)
    look_at_nothing(guest)
    look_at_boot(guest)
    now = cycle.document(*cycle.walk(guest))
    guest.end()
    assert cycle.DOCUMENT.read_text() == now, "run `make walkthrough`"


COMMANDS = "cycle 0", "cycle 1", "cycle 1 reason cr_access", "cycle io", "cycle pf"


def test_random_guest():
    """The random guest sees nothing of single steps through all of Glasshouse's code."""
    log, answers = monitor.ask_random_guest("cycle-random", "cpus=2 seed=7 n=1000 init=1", COMMANDS, 2)
    told = [answer for _, answer in answers if answer[-1] == "ok" and "in all" in answer[-2]]
    assert len(told) >= 3, answers[-3:]
    print(len(answers), len(told), re.findall(words.EXITS, log))
