# SPDX-License-Identifier: MIT
"""UEFI: OVMF as the firmware, in Bochs and in QEMU; disks with an EFI system partition."""
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

import bochs
import harness
import mkacpi
import mkdisk
import mkesp
import mkiso
import nx_compat
import screen
import test_disk
import words

sys.path.append(str(Path(__file__).resolve().parent.parent / "bench"))

import bench  # noqa: E402  pylint: disable=wrong-import-position

PROGRAM = "EFI/glasshouse/glasshouse.efi"
CONF = "EFI/glasshouse/glasshouse.conf"
# The kernel that Debian installs on a PC, and an initramfs with its module.
STOCK = {"kernel": mkiso.BUILD / "guest" / "stock" / "vmlinuz", "initrd": mkiso.BUILD / "guest" / "stock" / "initrd.img"}

CPUS = [2, pytest.param(1, marks=pytest.mark.soak)]


def linux(under, cpus, boots=1, append=""):
    """The words of a Linux that runs guests/initramfs/tests/uefi.sh, `under` Glasshouse or not, and boots that often."""
    return f"efi=debug gh.cpus={cpus} gh.under={int(under)} gh.boots={boots} {bochs.KEEP_WATCHED} {append}"


def boot(name, files, cpus=1, resets=0, memory=512):
    """Boots the files of an EFI system partition in Bochs. Returns a Run."""
    disk = mkesp.make_esp(harness.FOLDER / f"{name}.img", files)
    return harness.boot(name, disk, cpus=cpus, memory=memory, resets=resets, ticks=4 * harness.TICKS, bios=bochs.OVMF)


def passed(run):
    """The guest's tests passed, to the power-off."""
    assert run.wait() == "power-off"
    assert run.results()


def hidden(run):
    """Linux found as much memory that is not there as Glasshouse says that it hides, but for its pages below 1 MiB."""
    said = int(re.search(r"Memory hidden from the guest: (\d+) KiB", run.text)[1])
    ranges = re.findall(r"^# hole (\w+) (\w+)$", run.text, re.M)
    found = sum(int(last, 16) + 1 - int(first, 16) for first, last in ranges) >> 10
    assert said - 64 <= found <= said, (said, found)


@pytest.mark.soak
@pytest.mark.parametrize("cpus, how", [(1, "efi"), (2, "acpi")])
def test_native(cpus, how):
    """Without Glasshouse: Debian's GRUB, Linux on all CPUs, a reboot by the firmware and by ACPI's register, power-off."""
    spec = harness.native_linux("uefi", linux(False, cpus, 2, f"reboot={how}"))
    files = mkesp.debian(spec, mkacpi.tables(cpus))
    passed(boot(f"uefi-native-{cpus}", files | {mkesp.REMOVABLE: mkesp.GRUB}, cpus, resets=1))


@pytest.mark.parametrize("cpus, how, boots", [
    (2, "acpi", 2), pytest.param(1, "efi", 6, marks=pytest.mark.soak), pytest.param(2, "efi", 6, marks=pytest.mark.soak)])
def test_program(cpus, how, boots):
    """The firmware starts glasshouse.efi, this the installed GRUB, this Linux, which reboots, once or five times in a row.

    The load options win over glasshouse.conf, whose program is not there, and which leaves out a CPU.
    """
    files = mkesp.debian(harness.native_linux("uefi", linux(True, cpus, boots, f"reboot={how}")))
    files |= {PROGRAM: mkesp.EFI, CONF: rb"boot=\EFI\gone.efi cpus=1"}
    files = mkesp.started_by_acpi(files, PROGRAM, cpus, rf"boot=\EFI\debian\grubx64.efi cpus={cpus}")
    run = boot(f"uefi-program-{cpus}-{how}", files, cpus, resets=boots - 1)
    passed(run)
    hidden(run)


@pytest.mark.parametrize("cpus", [1, pytest.param(2, marks=pytest.mark.soak)])
def test_removable(cpus):
    """The firmware starts glasshouse.efi as the removable path; its options are in the same folder.

    There are no ACPI tables, without which Glasshouse does not see the power-off. The guest's GRUB loads some, for Linux.
    """
    files = mkesp.debian(harness.native_linux("uefi", linux(True, cpus)), mkacpi.tables(cpus))
    files |= {mkesp.REMOVABLE: mkesp.EFI, "EFI/BOOT/glasshouse.conf": rb"boot=\EFI\debian\grubx64.efi"}
    run = boot(f"uefi-removable-{cpus}", files, cpus)
    passed(run)
    hidden(run)
    assert "No ACPI tables" in run.text


@pytest.mark.parametrize("cpus", CPUS)
def test_grub(cpus):
    """GRUB, started by the firmware, loads glasshouse.elf and a Linux."""
    files = mkesp.debian(harness.linux("uefi", "", linux(True, cpus)))
    run = boot(f"uefi-grub-{cpus}", mkesp.started_by_acpi(files, "EFI/debian/grubx64.efi", cpus), cpus)
    passed(run)
    hidden(run)


def costs(bios, uefi):
    """The figures of two runs, and the exits until the second's boot services ended. Glasshouse keeps at most a fifth more memory."""
    for run in (bios, uefi):
        run.wait()
    firmware = int(re.search(r"boot services have ended, after (\d+) exits", uefi.log("glasshouse.log"))[1])
    bios, uefi = bench.figures(bios), bench.figures(uefi)
    print(bios.exits, uefi.exits, firmware, uefi.reasons, bios.kept_kib, uefi.kept_kib)
    assert 0 < firmware < sum(uefi.exits)
    assert uefi.kept_kib <= 1.2 * bios.kept_kib
    return sum(bios.exits), sum(uefi.exits), firmware


COSTS = f"{bench.LINUX} -- off"


def test_cost():
    """By UEFI, Linux reaches its first process with at most a fifth more exits than by BIOS.

    Although the firmware is a part of the guest until its boot services end. docs/costs.md has the figures.
    """
    spec = mkiso.glasshouse("", cmdline=COSTS, initrd=bench.INITRD)
    bios, uefi, _ = costs(harness.boot("uefi-cost-bios", spec),
                          boot("uefi-cost", mkesp.started_by_acpi(mkesp.debian(spec), "EFI/debian/grubx64.efi", 1)))
    assert uefi <= 1.2 * bios


@pytest.mark.soak
def test_cost_of_installed():
    """An installed GRUB as the guest reads the kernel by the firmware, BIOS or UEFI, which has exits of its own.

    Those of UEFI are nearly all CPUIDs, and stay within 600. From the end of its boot services on the limit is that of test_cost().
    """
    linux_boot = mkiso.native(cmdline=COSTS, initrd=bench.INITRD)
    text, files = mkiso.grub_cfg(linux_boot)
    files["glasshouse.elf"] = mkiso.ELF
    disk = mkdisk.make_disk(harness.FOLDER / "uefi-cost-disk.img", test_disk.TWICE.format(linux=text), files)
    files = mkesp.debian(linux_boot) | {PROGRAM: mkesp.EFI}
    bios, uefi, firmware = costs(
        harness.boot("uefi-cost-disk", disk, ticks=3 * harness.TICKS),
        boot("uefi-cost-program", mkesp.started_by_acpi(files, PROGRAM, 1, r"boot=\EFI\debian\grubx64.efi")))
    assert firmware <= 600
    assert uefi - firmware <= 1.2 * bios


# The EFI shell adds a boot entry, and runs the program that starts Glasshouse.
SHELL = """\
fs0:\r
bcfg boot add 0 \\EFI\\debian\\grubx64.efi "debian"\r
\\EFI\\test\\acpi.efi\r
"""


def from_shell(files):
    """The files of started_by_acpi(), but the firmware starts its shell, which does so."""
    files = files | {"EFI/test/acpi.efi": files[mkesp.REMOVABLE], "startup.nsh": SHELL.encode()}
    del files[mkesp.REMOVABLE]
    return files


@pytest.mark.parametrize("cpus", CPUS)
def test_boot_order(cpus):
    """Without boot= Glasshouse starts the first entry of BootOrder that is not itself.

    The machine has memory above 4 GiB, and ACPI tables there.
    """
    files = mkesp.debian(harness.native_linux("uefi", linux(True, cpus))) | {PROGRAM: mkesp.EFI}
    run = boot(f"uefi-boot-order-{cpus}", from_shell(mkesp.started_by_acpi(files, PROGRAM, cpus)), cpus,
               memory=5 << 10)
    passed(run)
    assert "acpi: the XSDT is at 100000000 now" in run.text and "No ACPI tables" not in run.text
    added = re.search(r"bcfg: Add Boot(\w{4}) as 0", run.text)[1]
    assert re.search(r"^# boot entry (\d+)$", run.text, re.M)[1] == str(int(added, 16))


@pytest.mark.soak
@pytest.mark.parametrize("cpus", [1, 2])
@pytest.mark.parametrize("how", ["path", "order", "grub"])
def test_stock(how, cpus):
    """The kernel that Debian installs on a PC, twice. Decompressing itself (XZ) takes most of the time.

    Glasshouse starts the installed GRUB by boot=, or by BootOrder; or GRUB loads Glasshouse and the kernel.
    """
    test = linux(True, cpus, 2, "reboot=acpi")
    if how == "grub":
        files = mkesp.started_by_acpi(mkesp.debian(harness.linux("uefi", "", test, **STOCK)), "EFI/debian/grubx64.efi", cpus)
    else:
        files = mkesp.debian(harness.native_linux("uefi", test, **STOCK)) | {PROGRAM: mkesp.EFI}
        files = mkesp.started_by_acpi(files, PROGRAM, cpus, r"boot=\EFI\debian\grubx64.efi" if how == "path" else "")
    run = boot(f"uefi-stock-{how}-{cpus}", from_shell(files) if how == "order" else files, cpus, resets=1)
    passed(run)
    hidden(run)


def test_shell():
    """Where nothing is installed, the firmware's shell is the guest, and switches the machine off by the runtime services."""
    run = boot("uefi-shell", {mkesp.REMOVABLE: mkesp.EFI})
    run.expect("Entering the guest")
    run.expect("Shell> ")
    run.send("reset -s\r")
    assert run.wait() == "power-off"


def test_refused():
    """Glasshouse refuses a CPU without VT-x, on the screen and the serial line. Then the firmware starts its shell.

    It has taken nothing from the firmware before: its own code has not run.
    """
    disk = mkesp.make_esp(harness.FOLDER / "uefi-refused.img", {mkesp.REMOVABLE: mkesp.EFI})
    run = harness.boot_qemu("uefi-refused", disk, firmware=harness.UEFI)
    why = run.expect(words.NO_VMX)
    run.expect("Glasshouse was not started. Press a key.")
    assert screen.firmware_shows(run.look(), why[0])
    assert "Ready?" not in run.text and not run.log("glasshouse.log")
    run.send("\r")
    run.expect("UEFI Interactive Shell")


def test_no_volume():
    """Where no file system is, boot= is refused in words, and nothing can be listed: QEMU itself loads the program.

    The load options are not ASCII, but text all the same.
    """
    run = harness.boot_qemu("uefi-no-volume", mkesp.EFI, firmware=harness.UEFI, program=r"boot=\EFI\Müller\grubx64.efi")
    run.expect(r"boot=\\EFI\\M\?+ller\\grubx64.efi: the program cannot be started: it is not there. Give one that is there:")
    run.expect(r"no programs below \\EFI")
    run.expect("Glasshouse was not started. Press a key.")


def test_grub_path():
    """GRUB loads glasshouse.elf without modules: boot= names GRUB, which is loaded; then Glasshouse refuses QEMU's CPU."""
    files = mkesp.debian(mkiso.Boot(mkiso.Entry(mkiso.ELF, "boot=/EFI/debian/grubx64.efi")))
    disk = mkesp.make_esp(harness.FOLDER / "uefi-grub-path.img", files | {mkesp.REMOVABLE: mkesp.GRUB})
    run = harness.boot_qemu("uefi-grub-path", disk, firmware=harness.UEFI)
    run.expect(words.NO_VMX)
    assert "boot=/EFI/debian/grubx64.efi: the program cannot be started" not in run.text
    run.expect("Glasshouse was not started. Press a key.")


def test_file():
    """One file of at most 400 KiB. It says that it obeys memory protection, and no section is writable and executable."""
    program = mkesp.EFI.read_bytes()
    assert len(program) <= 400 << 10
    optional, sections = nx_compat.sections(program)
    assert struct.unpack_from("<H", program, optional + nx_compat.CHARACTERISTICS)[0] & nx_compat.NX_COMPAT
    both = nx_compat.EXECUTE | nx_compat.WRITE
    assert sections and not [name for name, _, flags in sections if flags & both == both]


@pytest.mark.parametrize("name, firmware", [("bios", ()), ("uefi", harness.UEFI)])
def test_iso(name, firmware):
    """The ISO of `make iso` boots by BIOS and by UEFI: Glasshouse starts, and refuses QEMU's CPU."""
    iso = mkiso.make_iso(harness.FOLDER / f"iso-{name}.iso", harness.linux("basic"), uefi=True)
    run = harness.boot_qemu(f"iso-{name}", iso, firmware=firmware)
    run.expect(words.NO_VMX)


def sign(program, out):
    """Signs an EFI program by the key that harness.SECURE_BOOT trusts. Returns the path of the signed one."""
    key, certificate = (harness.SNAKEOIL.with_suffix(ending) for ending in (".key", ".pem"))
    out.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["openssl", "pkey", "-in", key, "-passin", "pass:snakeoil", "-out", out.with_suffix(".key")], check=True)
    subprocess.run([mkiso.ROOT / "tools/image/sign", out.with_suffix(".key"), certificate, program, out], check=True)
    return out


@pytest.mark.parametrize("signed", [False, True])
def test_secure_boot(signed):
    """Firmware with Secure Boot refuses a program that is not signed, and starts one that tools/image/sign has signed."""
    name = "secure-boot-signed" if signed else "secure-boot-unsigned"
    program = sign(mkesp.EFI, harness.FOLDER / f"{name}.efi") if signed else mkesp.EFI
    disk = mkesp.make_esp(harness.FOLDER / f"{name}.img", {mkesp.REMOVABLE: program})
    run = harness.boot_qemu(name, disk, firmware=harness.SECURE_BOOT)
    run.expect(words.NO_VMX if signed else r"failed to load Boot\w+ .*: (Access Denied|Security Violation)")
