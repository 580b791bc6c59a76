# SPDX-License-Identifier: MIT
"""The screen in graphics mode: messages until the guest starts, and panics after it. Each pixel is compared."""
import re
import struct
import time

import pytest

import bochs
import harness
import mkesp
import mkiso
import screen
import test_bad_loader as liar
import words
from mkiso import Boot, Entry
from test_budgets import START

GUESTS = mkiso.BUILD / "guest"
CONFORMANCE, PAINTER, RAW, STOCK = (GUESTS / name for name in ("conformance.img", "painter.img", "raw.img", "stock/vmlinuz"))

# Where QEMU's framebuffer is.
QEMU_SCREEN = 0xfd000000
# Where Bochs 2.7 shows the machine's screen in its window.
BOCHS_ORIGIN = 4, 36


def all_said(run):
    """All that Glasshouse has printed in QEMU, where it stops before the guest.

    From port E9: QEMU's COM1 loses characters when the host is so busy that its timers are late.
    """
    run.wait()
    said = run.log("glasshouse.log")
    assert said.startswith("\nGlasshouse ") and re.search(words.NO_VMX, said)
    return said


def until_refused(name, mode):
    """Boots Glasshouse in QEMU. Returns the run, what it said, and the picture on its screen."""
    run = harness.boot_qemu(f"screen-{name}", mkiso.glasshouse("", CONFORMANCE, "", None, mode))
    picture = run.picture()
    return run, all_said(run), picture


@pytest.mark.parametrize("width, height, depth", [
    (1024, 768, 32), (800, 600, 24), (1280, 1024, 24), (640, 400, 32)])
def test_mode(width, height, depth):
    """The screen shows what the other consoles show, from the first line on, and nothing else.

    It is mapped by entry 1 of the PAT, which is write-combining: QEMU's T is PWT, C is PCD.
    """
    run, said, picture = until_refused(f"{width}-{depth}", f"{width}x{height}x{depth}")
    assert (picture.width, picture.height) == (width, height)
    lines, expected = screen.text(picture), screen.wrapped(said, width // 8)
    assert lines[:len(expected)] == expected
    assert not any(lines[len(expected):])
    flags = re.findall(rf": 0+{QEMU_SCREEN:x} ([-A-Z]+)", run.mappings)
    assert flags and all("T" in flag and "C" not in flag for flag in flags), run.mappings


UNUSED = "The screen is in graphics mode, and stays without messages: its pixels do not have 24 or 32 bits"


def test_unsupported():
    """In another mode the other consoles say that the screen is not used."""
    run, said, picture = until_refused("16", "800x600x16")
    assert (picture.width, picture.height) == (800, 600)
    assert f"{UNUSED} of direct colour (type 1, 800x600, 16 bits per pixel, " in said
    assert UNUSED in run.text and UNUSED in run.log("com2.log")


def test_text_mode():
    """GRUB keeps text mode, whatever gfxpayload says, for an image that does not ask for a framebuffer."""
    spec = mkiso.glasshouse("", CONFORMANCE, "", None)
    spec.mode = "1024x768x32"
    run = harness.boot_qemu("screen-text", spec)
    assert re.search(words.NO_VMX.replace(" +", " "), run.screen())


def framebuffer_tag(address, width, height, pitch, depth):
    """The boot information's tag for a framebuffer: blue has the lowest bits, or there is a palette."""
    kind = depth > 8
    return liar.tag(8, struct.pack("<QIIIBBH", address, pitch, width, height, depth, kind, 0) +
                    (bytes([16, 8, 8, 8, 0, 8]) if kind else struct.pack("<I", 0)))


def until_refused_with(name, *tag):
    """Boots Glasshouse in QEMU with a framebuffer_tag. Returns what it said, and the framebuffer's bytes."""
    spec = liar.spec(f"screen-{name}", liar.info(liar.memory(), liar.KERNEL_TAG, framebuffer_tag(*tag)))
    run = harness.boot_qemu(f"screen-{name}", spec, memory=5 << 10)
    pixels = run.folder / "pixels"
    address, _, height, pitch, _ = tag
    answer = run.last_commands(f'pmemsave {address} {pitch * height} "{pixels}"')
    assert pixels.exists(), answer
    return all_said(run), pixels.read_bytes()


def test_above_4_gib():
    """A framebuffer that the boot page tables do not map shows all lines, too, from the first one on."""
    width, height, pitch = 1000, 500, 3007
    said, pixels = until_refused_with("high", (4 << 30) + 0x123000, width, height, pitch, 24)
    lines = screen.text(screen.read_framebuffer(pixels, width, height, pitch, 3))
    expected = screen.wrapped(said, width // 8)
    assert lines[:len(expected)] == expected and not any(lines[len(expected):])


def test_palette():
    """A screen with a palette is not used. (GRUB 2.06 crashes when it should pass on such a mode.)"""
    said, pixels = until_refused_with("palette", 100 * liar.MIB, 640, 480, 640, 8)
    assert f"{UNUSED} of direct colour (type 0, 640x480, 8 bits per pixel, " in said
    assert not any(pixels)


def test_in_ram():
    """A loader that gives RAM as a framebuffer cannot have Glasshouse overwrite itself."""
    lie = liar.info(liar.memory(), liar.KERNEL_TAG, framebuffer_tag(liar.IMAGE, 640, 480, 640 * 4, 32))
    run = liar.lie("screen-ram", lie)
    assert run.wait() == "power-off"
    assert run.results()
    assert "the framebuffer at 0x2000000, of 1228800 bytes, is in RAM by the memory map; skipped" in run.text


def test_cost():
    """On a screen as large as most, the report delays the guest by 20 million ticks at most."""
    ram = [liar.RAM[0], (liar.RAM[1][0], 47 * liar.MIB, 1)]
    tag = framebuffer_tag(50 * liar.MIB, 1920, 1200, 1920 * 4, 32)
    ticks = []
    for name, tags in (("without", ()), ("with", (tag,))):
        run = liar.lie(f"screen-{name}", liar.info(liar.memory(ram), liar.KERNEL_TAG, *tags))
        assert run.wait() == "power-off"
        assert run.results()
        ticks.append(int(re.search(r"The guest starts (\d+) ticks", run.log("com2.log"))[1]))
    assert START // 10 < ticks[1] - ticks[0] < 20_000_000, ticks


@pytest.fixture(name="x_server")
def start_x_server(request):
    """An X server for Bochs' window. Only the installed Bochs has the display library for it."""
    if bochs.program() != "bochs-bin":
        pytest.skip("this Bochs has no display library for an X server")
    server = screen.XServer(harness.FOLDER / f"x-{request.node.name}")
    yield server
    server.stop()


def bochs_screen(run, x_server, width, height, last):
    """Waits until the machine has halted in Bochs and `last`, a line, is on its screen. Returns the lines there."""
    def lines():
        return screen.text(x_server.picture(), *BOCHS_ORIGIN, width, height)
    run.halted()
    before, now = None, lines()
    while (now != before or last not in now) and time.monotonic() < run.deadline:
        time.sleep(1)
        before, now = now, lines()
    return now


def check_panic(run, x_server, width, height):
    """After what `run` has printed so far, Glasshouse panics: the report's start and its end stand on the screen, nothing else."""
    start = run.seen
    last = run.expect(r"\*\*\* Stopped\..*\*\*\*")[0]
    lines = bochs_screen(run, x_server, width, height, last)
    report = screen.wrapped(run.text[start:], width // 8)
    assert screen.UNKNOWN not in "".join(lines)
    assert re.search(r"panics on CPU 0", report[1]) and report[2] == "  provoked"
    fixed = height // 16 // 2
    assert lines[:fixed] == report[:fixed]
    while not lines[-1]:
        lines.pop()
    assert fixed + fixed // 2 < len(lines) and lines[fixed:] == report[fixed - len(lines):]
    assert report[-1] == last


@pytest.mark.parametrize("depth", [32, 24])
def test_panic(x_server, depth):
    """A panic stands on the screen, although the guest has drawn over all of it."""
    spec = mkiso.glasshouse("provoke=panic", PAINTER, "", None, f"1024x768x{depth}")
    run = harness.boot(f"screen-panic-{depth}", spec, memory=64, ignore_bad_msrs=False, x_display=x_server.display)
    run.expect(rf"# painted 1024x768, {depth} bits, {depth * 128} bytes per line, at e0000000\n")
    check_panic(run, x_server, 1024, 768)


@pytest.mark.soak
@pytest.mark.parametrize("depth", [32, 24])
def test_panic_over_linux(x_server, depth):
    """The same after Linux has drawn: the kernel that Debian installs on a PC, whose vesafb uses the mode that GRUB has set."""
    spec = harness.linux("draw", "provoke=panic/5000", kernel=STOCK, mode=f"1024x768x{depth}")
    run = harness.boot(f"screen-linux-{depth}", spec, ticks=4 * harness.TICKS, x_display=x_server.display)
    run.expect("# drawn by VESA VGA\n")
    check_panic(run, x_server, 1024, 768)


def test_uefi():
    """The report on the screen of UEFI firmware. The guest needs no boot services, so Glasshouse stops for good."""
    files = mkesp.debian(Boot(Entry(mkiso.ELF), [Entry(RAW, "raw addr=0x4000000 mode=64")]))
    disk = mkesp.make_esp(harness.FOLDER / "screen-uefi.img", files | {mkesp.REMOVABLE: mkesp.GRUB})
    run = harness.boot_qemu("screen-uefi", disk, firmware=harness.UEFI)
    picture = run.picture()
    said = all_said(run)
    lines, expected = screen.text(picture), screen.wrapped(said, picture.width // 8)
    assert lines[:len(expected)] == expected
    assert not any(lines[len(expected):])


@pytest.mark.soak
def test_uefi_panic(x_server):
    """A panic on a screen that UEFI offers (GOP), over which the guest, a program of UEFI, has painted: guests/efi/screen.c."""
    painter = GUESTS / "screen.efi"
    files = {mkesp.REMOVABLE: painter, "EFI/test/screen.efi": painter, "EFI/glasshouse/glasshouse.efi": mkesp.EFI,
             "EFI/glasshouse/glasshouse.conf": rb"boot=\EFI\test\screen.efi provoke=panic/500"}
    disk = mkesp.make_esp(harness.FOLDER / "screen-uefi-panic.img", files)
    run = harness.boot("screen-uefi-panic", disk, bios=bochs.OVMF, x_display=x_server.display)
    run.expect(r"screen: painted 800x600\.\n")
    check_panic(run, x_server, 800, 600)


def test_console(x_server):
    """With console=fb Glasshouse logs to the screen while the guest runs."""
    spec = mkiso.glasshouse("console=fb", CONFORMANCE, "end=pm1", None, "800x600x24")
    run = harness.boot("screen-console", spec, memory=128, ignore_bad_msrs=False, x_display=x_server.display)
    lines = bochs_screen(run, x_server, 800, 600, words.VIRT_OFF)
    assert words.VIRT_OFF in lines and screen.UNKNOWN not in "".join(lines)
    assert "From here on Glasshouse logs to the graphics screen." in run.log("com2.log")
    assert words.VIRT_OFF not in run.log("com2.log")
