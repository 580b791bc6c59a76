#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make run, make gdb: boots the image in Bochs on this terminal.

CPUS, CPU, MEM choose the machine; OPTS, APPEND, GUEST_KERNEL, GUEST_INITRD what runs on it.
"""
import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import termios
import tty
from pathlib import Path

import bochs
import mkiso

FOLDER = mkiso.BUILD / "run"
ESCAPE = 0x01  # Ctrl-A
HELP = """
Ctrl-A x    switch the machine off, at once
Ctrl-A h    this help
Ctrl-A a    send a Ctrl-A to the machine
What Glasshouse says while the guest has the serial line: {log}
"""


def machine():
    """The machine and the guest that the environment asks for; builds the ISO."""
    extra = bochs.LINUX_QUICK
    if sys.stdout.isatty():
        size = shutil.get_terminal_size()
        extra += f" gh.size={size.columns}x{size.lines}"
    iso = mkiso.make_iso(FOLDER / "glasshouse.iso", mkiso.from_environment(extra))
    try:
        cpus, memory = int(os.environ.get("CPUS", "2")), int(os.environ.get("MEM", "512"))
    except ValueError as error:
        sys.exit(f"run: CPUS and MEM are numbers (MEM in MiB): {error}")
    if not 1 <= cpus <= 8 or not 64 <= memory <= 1024:
        sys.exit("run: Bochs takes CPUS=1..8, and MEM=64..1024 (MiB) before it gets slow")
    model = os.environ.get("CPU", "corei7_haswell_4770")
    known = bochs.models()
    if model not in known:
        sys.exit(f"run: Bochs has no CPU={model}; it has: {' '.join(known)}")
    return bochs.Machine(iso, model, cpus, memory)


@contextlib.contextmanager
def raw_terminal():
    """stdin passes every key on as it is typed, if it is a terminal; restored in any case."""
    if not sys.stdin.isatty():
        yield
        return
    saved = termios.tcgetattr(sys.stdin)
    try:
        tty.setraw(sys.stdin)
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, saved)


def keys(data, escaped):
    """What of the typed bytes goes to the machine, whether Ctrl-A is pending, and what is asked."""
    out, asked = bytearray(), None
    for byte in data:
        if escaped:
            escaped = False
            if byte in b"xX":
                asked = "quit"
            elif byte in b"a\x01":
                out.append(ESCAPE)
            else:
                asked = asked or "help"
        elif byte == ESCAPE and sys.stdin.isatty():
            escaped = True
        else:
            out.append(byte)
    return bytes(out), escaped, asked


def show(data):
    """Writes bytes to the terminal, all of them, now."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def relay(serial, log):
    """Carries bytes between terminal and serial line until the machine ends or the person asks."""
    sources, escaped = [serial], False
    # What a person types goes at once; what a pipe holds waits for a prompt.
    seen, prompt = b"", b"" if sys.stdin.isatty() else b"# "
    while True:
        if prompt is not None and prompt in seen:
            sources.append(sys.stdin.fileno())
            prompt = None
        for ready in select.select(sources, [], [])[0]:
            if ready is serial:
                try:
                    data = serial.recv(4096)
                except ConnectionError:
                    data = b""
                if not data:
                    return "ended"
                log.write(data)
                show(data)
                seen = (seen + data)[-80:]
                continue
            data = os.read(ready, 1024)
            if not data:
                sources.remove(ready)
                continue
            out, escaped, asked = keys(data, escaped)
            with contextlib.suppress(ConnectionError):
                serial.sendall(out)
            if asked == "quit":
                return "quit"
            if asked == "help":
                show(HELP.format(log=FOLDER / "glasshouse.log").replace("\n", "\r\n").encode())


def run():
    """Boots on this terminal. Returns the exit status."""
    this = machine()
    print(f"""\
Starting a PC with {this.cpus} CPUs ({this.model}) and {this.memory} MiB in Bochs. You will see:
  in 10 seconds  Glasshouse, from GRUB, and what it found on each CPU
  in 1 minute    Linux under it, and its shell: type there; 'poweroff' ends it
Glasshouse's own lines: {FOLDER}/glasshouse.log. Bochs': {FOLDER}/bochs.log.
Ctrl-A x ends it at once, Ctrl-A h helps.
""", flush=True)
    process, serial = bochs.start(this, FOLDER, bochs.script(resets=1000))
    how = "quit"
    try:
        with serial, raw_terminal(), (FOLDER / "com1.log").open("wb", buffering=0) as log:
            how = relay(serial, log)
    except KeyboardInterrupt:
        pass
    finally:
        if how == "quit":
            process.kill()
        process.wait()
    if how == "quit":
        print("\nSwitched off.")
        return 0
    words = (FOLDER / "stderr.log").read_text(errors="replace")
    if "soft power off" in words:
        print("\nThe machine has powered off.")
        return 0
    print("\nThe machine ended unexpectedly. Bochs says:\n" + words[words.find("====="):]
          + f"More in {FOLDER}/bochs.log and glasshouse.log.", file=sys.stderr)
    return 1


def debug():
    """Boots under Bochs' debugger, which gets this terminal. Returns the exit status."""
    this = machine()
    names = subprocess.run(["nm", "-n", mkiso.ELF], capture_output=True, text=True, check=True)
    symbols = [line.split() for line in names.stdout.splitlines()]
    (FOLDER / "symbols").write_text("".join(f"{s[0]} {s[2]}\n" for s in symbols if len(s) == 3))
    (FOLDER / "com1.log").unlink(missing_ok=True)
    (FOLDER / "bochsrc").write_text(this.bochsrc("mode=file, dev=com1.log"))
    (FOLDER / "script").write_text('ldsym global "symbols"\n')
    print(f"""\
Bochs has no gdb stub; this is its own debugger, with Glasshouse's symbols. The serial line, on a
second terminal:  tail -f {FOLDER}/com1.log
  lb 0xADDRESS, c    stop at a linear address (nm build/glasshouse.elf), go on
  vmexitbp           stop at each VM exit          show "cpu0.VMX"   the VMCS
  page 0xADDRESS     page walk, through EPT too    info symbols "x"  names that begin with x
  s, r, u, x /8gx    step, registers, disassemble, memory    help    everything else, q ends
""", flush=True)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the debugger's: it stops the machine
    return subprocess.run(["bochs-bin", "-q", "-f", "bochsrc", "-rc", "script"], cwd=FOLDER,
                          stderr=(FOLDER / "stderr.log").open("wb"), check=False).returncode


def interrupted(*_):
    """SIGTERM and SIGHUP end us as Ctrl-C does: Bochs ends too, the terminal is put right."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, interrupted)
    sys.exit(debug() if "--debugger" in sys.argv else run())
