# SPDX-License-Identifier: MIT
"""Debian's gdb on the monitor's line, while Debian's Linux runs on two CPUs."""
import re
import subprocess

import pytest

import gdb
import harness
import mkiso
from cable import Cable
from monitor import PROMPT, boot, number

NAMES = ("linux_banner", "_stext", "_etext", "__x64_sys_umask", "do_syscall_64")
DEBUGGEE = mkiso.BUILD / "guest/bin/debuggee"
ROUNDS = 8  # of the program debuggee, for each line
SUM = sum(3 * i + 1 for i in range(ROUNDS))
FIRST_ARGUMENT = "*(long *)($rdi + 0x70)"  # of a system call: in struct pt_regs


def kernel_symbols(folder, symbols):
    """An ELF file with these symbols of the kernel, for gdb: {name: address}."""
    base = symbols["_stext"]
    lines = ['.section .kernel, "ax", @nobits']
    for name, address in sorted(symbols.items(), key=lambda item: item[1]):
        if base <= address < symbols["_etext"]:
            lines += [f".org {address - base}", f".globl {name}", f".type {name}, @function", f"{name}:"]
    (folder / "kernel.S").write_text("\n".join(lines + [f".org {symbols['_etext'] - base}", ""]))
    subprocess.run(["gcc", "-c", "kernel.S"], cwd=folder, check=True)
    subprocess.run(["ld", f"--section-start=.kernel={base:#x}", "-e", "_stext", "-o", "kernel.elf", "kernel.o"],
                   cwd=folder, check=True)
    return folder / "kernel.elf"


def counts(run):
    """The next count that Linux prints from now on."""
    run.skip()
    return int(run.expect(r"\n# count (\d+)\n")[1])


def attach(cable, *files):
    """A gdb that has stopped the guest."""
    this = gdb.Gdb(*map(str, files))
    assert "0x" in this.ask(f"target remote localhost:{cable.port}")
    return this


def threads(this):
    """Two vCPUs, with the names that the monitor has for them."""
    told = this.ask("info threads")
    assert re.findall(r"Thread (\d) \(vCPU (\d)\)", told) == [("1", "0"), ("2", "1")], told


def registers(this):
    """gdb's registers are those that the monitor prints."""
    for thread in 1, 2:
        this.ask(f"thread {thread}")
        told = this.ask(f"monitor regs {thread - 1}").splitlines()
        for name in ("RAX", "RBX", "RSP", "R8 ", "R15", "RIP", "EFER", "CR0", "CR3", "CR4"):
            assert this.number(f"${name.strip().lower()}") == number(rf"\b{name} ([0-9a-f]+)", told), name
        for name in ("CS", "SS", "GS"):
            assert this.number(f"${name.lower()}") == number(rf"{name}   ([0-9a-f]+) base", told), name
        assert this.number("$gs_base") == number(r"GS   [0-9a-f]+ base ([0-9a-f]+)", told)
        assert re.search(r"eflags .*\[.*\]", this.ask("info registers eflags"))
        before = this.number("$r15")
        this.ask("set $r15 = 0x1122334455667788")
        assert this.number("$r15") == 0x1122334455667788
        assert "R15 1122334455667788" in this.ask(f"monitor regs {thread - 1}")
        this.ask(f"set $r15 = {before}")
        assert "Could not write register" in this.ask("set $cr3 = 0")
    assert "err: there is no such vCPU; ls lists them" in this.ask("monitor regs 7")
    assert "err: the vCPUs are gdb's" in this.ask("monitor resume")


def memory(this, symbols):
    """The kernel's memory, read and written; what is not mapped; Glasshouse's memory."""
    banner = symbols["linux_banner"]
    assert '"Linux version 6.' in this.ask(f"x/s {banner:#x}")
    this.ask(f"set *(char *){banner + 6:#x} = 'V'")
    assert '"Linux Version 6.' in this.ask(f"x/s {banner:#x}")
    this.ask(f"set *(char *){banner + 6:#x} = 'v'")
    assert "Cannot access memory at address 0x10" in this.ask("x/x 0x10")
    image = number(r"image at ([0-9a-f]+)", this.ask("monitor log").splitlines())
    assert "err: this address is not mapped" in this.ask(f"monitor x -p {image:x}")
    assert this.ask(f"find {banner:#x}, +4096, 'v', 'e', 'r', 's'").split()[0] == f"{banner + 6:#x}"


def glasshouse(this):
    """Glasshouse's own variables, by its symbols; and on each CPU its registers and stack, as threads."""
    this.ask(f"add-symbol-file {mkiso.ELF}")
    assert this.number("vm->nr_vcpus") == 2
    assert this.number("vm->vcpus[1]->id") == 1
    told = this.ask("info threads")
    assert re.findall(r"Thread (\d) \(Glasshouse, vCPU (\d)\)", told) == [("3", "0"), ("4", "1")], told
    for thread, path in (3, ("gdb_input", "handle_preemption_timer", "vcpu_run")), (4, ("handle_call", "handle_requests", "vcpu_run")):
        this.ask(f"thread {thread}")
        frames = re.findall(r"(?m)^#\d+ +(?:0x[0-9a-f]+ in )?(\w+) \(", this.ask("backtrace"))
        places = [frames.index(name) for name in path if name in frames]
        assert "own_registers" in frames[:2] and len(places) >= 2 and places == sorted(places), frames
        assert this.number("$rip") >= 0xffffffff80000000
        assert "Could not write register" in this.ask("set $rbx = 0")
        assert "unavailable" in this.ask("output $rax")
    this.ask("thread 1")


def work(run):
    """Has the program debuggee do its work, which must succeed."""
    run.send("do\n")
    run.expect(rf"# sum {SUM}\n")


def straight_on(this, most):
    """Single steps over instructions that neither jump nor call, up to `most`: each ends at the next instruction."""
    code = re.findall(r"(?m)^(?:=>)? *(0x[0-9a-f]+)[^:\n]*:\t(\S+)", this.ask(f"x/{most + 1}i $rip"))
    steps = 0
    for (_, name), (after, _) in zip(code, code[1:]):
        if re.match("j|call|ret|loop", name):
            break
        this.ask("stepi")
        assert this.number("$rip") == int(after, 16), (name, code)
        steps += 1
    return steps


def kernel_breakpoint(run, this):
    """A break in a system call, its caller, steps there, and a condition that is counted at each call."""
    this.ask("break __x64_sys_umask")
    this.start("continue")
    run.send("do\n")
    told = this.result()
    assert re.search(r"Breakpoint 1, 0x[0-9a-f]+ in __x64_sys_umask", told), told
    assert this.number(FIRST_ARGUMENT) == 0
    assert re.search(r"#0 .* __x64_sys_umask.*\n#1 .* do_syscall_64", this.ask("backtrace 2"))
    for i in 1, 2:
        this.ask("continue")
        assert this.number(FIRST_ARGUMENT) == i
    assert straight_on(this, 4) >= 2
    this.ask(f"condition 1 {FIRST_ARGUMENT} == {ROUNDS - 3}")
    this.ask("continue")
    assert this.number(FIRST_ARGUMENT) == ROUNDS - 3
    this.ask("set $hits = 0")
    this.ask("condition 1 (($hits = $hits + 1), 0)")
    this.start("continue")
    run.expect(rf"# sum {SUM}\n")
    work(run)
    assert "SIGINT" in this.interrupt()
    assert this.number("$hits") == 2 + ROUNDS
    this.ask("delete")


def program(run, this):
    """A breakpoint, a back-trace, steps and a watchpoint in one program. Others have code at the same address."""
    code = subprocess.run(["gdb", "-batch", "-ex", "output/x *(unsigned long *)work", DEBUGGEE], capture_output=True,
                          text=True, check=True).stdout
    this.ask(f"add-symbol-file {DEBUGGEE}")
    this.ask(f"hbreak work if *(unsigned long *)$rip == {code}")
    this.start("continue")
    run.send("do\n")
    told = this.result()
    assert re.search(r"Breakpoint 2, 0x[0-9a-f]+ in work \(\)", told), told
    assert re.search(r"#0 .* work \(\)\n#1 .* main \(\)", this.ask("backtrace"))
    assert this.number("$rdi") == 0 and this.number("$cs & 3") == 3
    assert straight_on(this, 4) >= 2
    this.ask("delete")
    this.ask("break work")  # in the code of this program only
    for n in 1, 2:
        assert re.search(r"Breakpoint 3, 0x[0-9a-f]+ in work \(\)", this.ask("continue"))
        assert this.number("$rdi") == n
    this.ask("delete")
    this.ask("watch *(long *)&watched")
    for old, new in (3, 6), (6, 9), (9, 12):
        told = this.ask("continue")
        assert re.search(rf"Hardware watchpoint 4:.*\s+Old value = {old}\s+New value = {new}\s", told), told
        assert this.number("$xmm9.v2_int64[0]") == new // 3
        assert this.ask("output $st0").startswith("3.14159265358979")
        assert (this.number("$fctrl"), this.number("$mxcsr"), this.number("$ftag")) == (0x37f, 0x1f80, 0x3fff)
    this.ask("delete")
    this.ask("awatch *(long *)&watched")
    told = this.ask("continue")  # work() reads it
    assert re.search(r"Hardware access \(read/write\) watchpoint 5:.*\s+Value = 12\s", told), told
    told = this.ask("continue")
    assert re.search(r"Hardware access \(read/write\) watchpoint 5:.*\s+Old value = 12\s+New value = 15\s", told), told
    this.ask("delete")
    this.ask("break leaf")  # the program has it at another address, too: there it is not hit
    for n in 5, 6:
        assert re.search(r"Breakpoint 6, 0x[0-9a-f]+ in leaf \(\)", this.ask("continue"))
        assert this.number("$rdi") == n
    assert re.search("^[0-9a-f]{16}:( [0-9a-f]{2})+$", this.ask("monitor step 0"), re.M)
    this.ask("delete")
    this.start("continue")
    run.expect(rf"# sum {SUM}\n")
    assert "SIGINT" in this.interrupt()


def begin(name, append):
    """Linux, with the program. Returns the Run, the Monitor, a count that it has printed, and the kernel's symbols."""
    run, monitor = boot(name, harness.linux("gdb", "monitor=com2", f"gh.cpus=2 {append}"), ticks=60_000_000_000)
    monitor.until(PROMPT)
    first = counts(run)
    symbols = {name: int(re.search(rf"# {name} ([0-9a-f]{{16}})\n", run.text)[1], 16) for name in NAMES}
    return run, monitor, first, symbols


def finish(run):
    """The guest ends, and has noticed nothing."""
    run.send("end\n")
    assert run.wait() == "power-off"
    assert run.results()


def test_session():
    """A session with all that gdb does; between, Linux goes on; at the end it has noticed nothing."""
    run, monitor, first, symbols = begin("gdb", "nopti")
    elf = kernel_symbols(run.folder, symbols)
    cable = Cable(monitor.line)
    this = attach(cable, elf)
    threads(this)
    registers(this)
    memory(this, symbols)
    glasshouse(this)
    this.start("continue")
    assert counts(run) > first
    assert "SIGINT" in this.interrupt()
    assert "detached" in this.ask("detach")
    this.end()
    assert counts(run) > first
    run.send("quiet\n")
    this = attach(cable, elf)
    threads(this)
    kernel_breakpoint(run, this)
    program(run, this)
    this.ask("break __x64_sys_umask")
    this.vanish()
    this = attach(cable, elf)
    this.start("continue")
    work(run)
    assert "SIGINT" in this.interrupt()
    this.ask("hbreak __x64_sys_umask")
    this.end()
    work(run)
    this = attach(cable, elf)
    this.vanish()
    monitor.line.sendall(b"\r\r")  # whoever sits at the line says that gdb has gone
    work(run)
    finish(run)


@pytest.mark.soak
def test_isolated():
    """Breakpoints in kernel and program where Linux isolates its page tables, and has moved its code (KASLR)."""
    run, monitor, _, symbols = begin("gdb-pti", "pti=on")
    assert symbols["_stext"] % 2**30 != 0x1000000  # where it is without KASLR
    run.send("quiet\n")
    this = attach(Cable(monitor.line), kernel_symbols(run.folder, symbols))
    kernel_breakpoint(run, this)
    program(run, this)
    this.end()
    work(run)
    finish(run)
