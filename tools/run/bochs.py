# SPDX-License-Identifier: MIT
"""Configures and starts Bochs.

Emulated time is derived from the instruction count (sync=none) and starts at a fixed date, so that runs
without input are identical to the tick.

BOCHS in the environment chooses another Bochs than the installed one: the path of a program, or a
version that `make setup-bochs3` has unpacked into build/.
"""
import functools
import os
import re
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

import mkiso

# Of the machine's memory, this many MiB at most are in Bochs' own at a time; it has a limit of 2 GiB.
HOST_MEMORY = 1024

# Emulated instructions per emulated second.
IPS = 50_000_000

# Options that make Debian's kernel boot in Bochs fast and reproducibly: no crypto self-tests, no timer
# calibration (IPS determines the result), and an idle loop without MWAIT, on which Bochs stalls.
# Others make it boot on newer CPUs at all: Bochs has no IA32_MISC_ENABLE, so this kernel reads 0 and
# disables ERMS but not FSRM, on which its memmove then relies. 5-level paging and AMX's tiles fail in
# Bochs' guests.
LINUX_QUICK = (f"cryptomgr.notests lpj={IPS // 250} tsc=reliable no_timer_check idle=nomwait "
               "clearcpuid=rdrand,rdseed,fsrm,amx_tile no5lvl")

# The CPU models with VT-x and 64-bit mode; the first has no EPT. Bochs has the last two since 3.0.
CAPABLE = ("core2_penryn_t9600", "corei5_lynnfield_750", "corei5_arrandale_m520",
           "corei7_sandy_bridge_2600k", "corei7_ivy_bridge_3770k", "corei7_haswell_4770", "broadwell_ult", "corei7_skylake_x",
           "corei3_cnl", "corei7_icelake_u", "tigerlake", "sapphire_rapids", "arrow_lake")

# The firmware: Bochs' own BIOS, from the folder where this Bochs has it, or SeaBIOS, which leaves
# IA32_FEATURE_CONTROL unlocked and lists only one CPU in the MADT.
BIOS = "file=$BXSHARE/BIOS-bochs-latest, options=fastboot"
SEABIOS = "file=/usr/share/seabios/bios.bin"

# UEFI firmware. It also leaves IA32_FEATURE_CONTROL unlocked. In Bochs it has no ACPI tables, and its variables
# are in RAM, and new after each reset.
OVMF = "file=/usr/share/ovmf/OVMF.fd"

# The display: for a VNC client, if one comes; or a window on an X server, which true-colour modes need: rfb
# panics at 24 and 32 bits per pixel.
RFB = 'rfb, options="timeout=0"'
X11 = "x"

BOCHSRC = """\
plugin_ctrl: speaker=0, parallel=0
config_interface: textconfig
display_library: {display}
cpu: model={model}, count={cpus}, ips={ips}, reset_on_triple_fault=0, ignore_bad_msrs={bad_msrs}
memory: guest={memory}, host={host}
romimage: {bios}
vgaromimage: file=/usr/share/vgabios/vgabios-stdvga.bin
vga: extension=vbe, update_freq=5, realtime=0
pci: enabled=1, chipset=i440fx
clock: sync=none, time0=946684800
{cmos}ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=disk, path="{iso}", mode=volatile, cylinders=0
{second}boot: disk
com1: enabled=1, {com1}
com2: enabled=1, {com2}
port_e9_hack: enabled=1
log: bochs.log
panic: action=fatal, pic=report, keyboard=report{not_fatal}
error: action=report
info: action=report
debug: action=ignore
"""


def program():
    """The Bochs that is to run. RuntimeError when BOCHS names a version that is not there."""
    name = os.environ.get("BOCHS") or "bochs-bin"
    if name == "bochs-bin":
        return name
    if "/" in name:
        return os.path.abspath(name)
    path = mkiso.BUILD / f"bochs-{name}" / "bochs"
    if not path.exists():
        raise RuntimeError(f"BOCHS={name}: {path} is not there; make setup-bochs3 fetches Bochs 3.0")
    return str(path)


@functools.cache
def _help(*topic):
    """What `bochs --help` says of a topic, or of how it is called."""
    told = subprocess.run([program(), "--help", *topic], capture_output=True, text=True, check=False)
    return told.stdout + told.stderr


def version():
    """The version of this Bochs: (2, 7)."""
    return tuple(map(int, re.search(r"Bochs x86 Emulator (\d+)\.(\d+)", _help()).groups()))


def command(*arguments):
    """The command that starts this Bochs, its debugger ready, with the machine of ./bochsrc."""
    debugger = ["-debugger"] if "-debugger" in _help() else []
    return [program(), "-q", *debugger, "-dbglog", "debugger.log", "-f", "bochsrc", *arguments]


@dataclass
class Machine:
    """A PC: an ISO as its disk, a CPU model of Bochs, a number of CPUs, memory in MiB."""

    iso: Path
    model: str = "corei7_skylake_x"
    cpus: int = 1
    memory: int = 512
    ignore_bad_msrs: bool = True  # unknown MSRs read as 0 instead of raising #GP, as Linux expects
    second: Path | None = None  # the second drive: a CD if its name ends in .iso, otherwise a disk
    bios: str = BIOS
    display: str = RFB
    cmos: Path | None = None  # the contents of the CMOS RAM; 256 bytes: with a second bank

    def bochsrc(self, com1, com2="mode=file, dev=com2.log"):
        """The text of the configuration file; `com1` and `com2`: the options of the serial ports."""
        second = ""
        if self.second:
            kind = ("cdrom, status=inserted" if self.second.suffix == ".iso" else
                    "disk, mode=volatile, cylinders=0")
            second = f'ata0-slave: type={kind}, path="{self.second.resolve()}"\n'
        cmos = f'cmosimage: file="{self.cmos.resolve()}", rtc_init=time0\n' if self.cmos else ""
        # Bochs 3.0 panics when a CPU with CET sets a dirty flag for a write that CR0.WP=0 allows, and
        # continues correctly if not fatal.
        not_fatal = "".join(f", cpu{n}=report" for n in range(self.cpus) if version() == (3, 0))
        return BOCHSRC.format(not_fatal=not_fatal, model=self.model, cpus=self.cpus, memory=self.memory,
                              host=min(self.memory, HOST_MEMORY), ips=IPS,
                              iso=Path(self.iso).resolve(), com1=com1, com2=com2, second=second,
                              bios=self.bios, display=self.display, cmos=cmos, bad_msrs=int(self.ignore_bad_msrs))


def models():
    """The CPU models that this Bochs supports, in its own order: old to new."""
    listed = _help("cpu").partition("models:")[2].strip()
    return re.match(r"(?:\w+\n)*", listed + "\n")[0].split()


# What a debugger can watch to stop once the firmware starts: an address and its size, where only its
# start code writes, and how often. That is interrupt vector 0x72; OVMF's first page table, which must be
# kept from Linux by KEEP_WATCHED.
STOPS = {BIOS: ("0x1c8 4", 2), OVMF: ("0x800000 8", 4)}
KEEP_WATCHED = "memmap=4K$0x800000"


def script(ticks=0, resets=0, bios=BIOS):
    """The debugger commands that run the machine for `ticks` ticks (0: no limit) and `resets` resets.

    After a reset of a machine with several CPUs, this Bochs does not advance its clock until the
    debugger has stopped once, and the firmware fails because of that. Therefore a watch point stops the
    machine (STOPS). Each stop uses up one `c`; Bochs ends at the end of the script. After such a reset the
    clock may be 2^32 ticks ahead, so a limit of ticks cannot be combined with resets.
    """
    watched, stops = STOPS[bios]
    lines = [f"sba {ticks}"] if ticks else []
    lines += [f"watch w {watched}"] + ["c"] * (stops * (resets + 1) + 1)
    return "\n".join(lines + ["ptime", "q", ""])


# Debugger commands: run until a signal interrupts the machine, then print the text screen's cells.
SCREEN = "c\nxp /2000hx 0xb8000\nq\n"


def start(machine, folder, commands, com2=None, **environment):
    """Starts Bochs in `folder` with COM1 on a socket and `commands` for its debugger.

    Returns the process and the socket. Port E9 goes to folder/glasshouse.log, COM2 to com2.log, or, if given, to
    the server `com2`, a socket; Bochs' own messages to bochs.log and stderr.log.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with socket.create_server(("127.0.0.1", 0)) as server:
        ports = [f"mode=socket-client, dev=localhost:{this.getsockname()[1]}" for this in (server, com2) if this]
        (folder / "bochsrc").write_text(machine.bochsrc(*ports))
        (folder / "script").write_text(commands)
        # Bochs ends when this process ends, however that happens.
        arguments = ["setpriv", "--pdeathsig", "KILL", *command("-rc", "script")]
        with (folder / "glasshouse.log").open("wb") as e9, (folder / "stderr.log").open("wb") as errors:
            process = subprocess.Popen(arguments, cwd=folder, stdin=subprocess.DEVNULL, stdout=e9,
                                       stderr=errors, start_new_session=True,
                                       env={**os.environ, **environment})
        server.settimeout(1)
        for _ in range(60):
            try:
                return process, server.accept()[0]
            except TimeoutError:
                if process.poll() is not None:
                    break
    process.kill()
    process.wait()
    raise RuntimeError(f"Bochs did not start (status {process.returncode}); its messages:\n"
                       + tail(folder / "stderr.log") + tail(folder / "bochs.log"))


def tail(path, lines=15):
    """The last lines of a log; "" if there is no such file."""
    if not path.exists():
        return ""
    text = path.read_bytes().decode(errors="replace").replace("\r", "")
    return "\n".join(text.splitlines()[-lines:]) + "\n"
