#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make gdb: boots the ISO in Bochs; gdb, on this terminal, debugs its Linux through Glasshouse.

The variables are those of make run. The first argument: the kernel's vmlinux, with its symbols.
"""
import os
import signal
import socket
import subprocess
import sys
import threading

import run
from run import FOLDER, bochs
from cable import Cable
from progress import Progress

# What Glasshouse and Linux need for it: addresses as in vmlinux, and the kernel mapped while programs run.
OPTS, APPEND = "monitor=com2", "nokaslr nopti"

# What the guest does meanwhile, so that there is something to see.
WORK = "while sleep 1; do cat /proc/uptime; done >/tmp/uptime &\n"

SESSION = r"""set remotetimeout 60
set pagination off
echo \n--- target remote localhost:{port}\n
target remote localhost:{port}
echo \n--- info threads\n
info threads
echo \n--- break do_sys_openat2, continue: the next system call that opens a file\n
break do_sys_openat2
continue
echo \n--- backtrace\n
backtrace
echo \n--- print the name of the file\n
print (char *)filename
delete
echo \n
echo Linux stands. Type gdb's commands: next, info registers, watch jiffies_64, monitor help, ...\n
echo continue lets it run, Ctrl-C stops it again; detach, quit.\n
"""


def boot():
    """Boots until the shell's prompt. Returns Bochs' process, and the port for gdb."""
    this = run.machine()
    with socket.create_server(("127.0.0.1", 0)) as com2:
        process, serial = bochs.start(this, FOLDER, bochs.script(resets=1000), com2)
        cable = Cable(com2.accept()[0])
    progress = Progress(FOLDER, run.SHELL_INSTRUCTIONS[bochs.BIOS])
    log = (FOLDER / "com1.log").open("wb", buffering=0)
    seen = b""
    serial.settimeout(1)
    while b"# " not in seen:
        try:
            data = serial.recv(4096)
        except TimeoutError:
            progress.idle()
            continue
        if not data or run.STOP_MESSAGE.search(seen):
            process.kill()
            sys.exit(f"The guest has not come to its shell: see {FOLDER}/com1.log and glasshouse.log.")
        progress.output(data)
        log.write(data)
        seen = (seen + data)[-500:]
    progress.erase()
    serial.settimeout(None)
    serial.sendall(WORK.encode())
    threading.Thread(target=keep, args=(serial, log), daemon=True).start()
    return process, cable.port


def keep(serial, log):
    """Writes what the guest prints to the log."""
    while data := serial.recv(4096):
        log.write(data)


def main():
    """Boots, and runs gdb. Returns its exit status."""
    os.environ["OPTS"] = f"{os.environ.get('OPTS', '')} {OPTS}".strip()
    os.environ["APPEND"] = f"{os.environ.get('APPEND', '')} {APPEND}".strip()
    print(f"""\
Booting Linux under Glasshouse in Bochs; then gdb debugs it here, over the machine's second serial line.
The guest's terminal: {FOLDER}/com1.log.
""", flush=True)
    process, port = boot()
    session = FOLDER / "session.gdb"
    session.write_text(SESSION.format(port=port))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for gdb
    try:
        return subprocess.run(["gdb", "-q", "-x", session, *sys.argv[1:2]], check=False).returncode
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
