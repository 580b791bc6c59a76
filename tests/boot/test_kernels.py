# SPDX-License-Identifier: MIT
"""Kernels of other projects, by several boot protocols, print the same natively and as guests."""
import re
import subprocess

import pytest

import bochs
import harness
import mkiso

FOREIGN = mkiso.BUILD / "guest" / "foreign"

# GRUB's command for the kernel: its command for a module, and the module's role under Glasshouse.
MODULES = {
    "multiboot": ("module", "module"),
    "multiboot2": ("module2", "module"),
    "linux": ("initrd", "initrd"),
    "linux16": ("initrd16", "initrd"),
}

XEN = "placeholder com1=115200,8n1 console=com1 noreboot"
XEN_WORDS = [
    r"\(XEN\) Xen version 4\.17",
    r"\(XEN\) Bootloader: (GRUB 2|Glasshouse)",
    r"\(XEN\) Command line: (placeholder )?com1=115200,8n1 console=com1 noreboot",
    r"\(XEN\) Xen-e820 RAM map:",
    r"\(XEN\) System RAM: 5\d\dMB",
    r"\(XEN\) Brought up 1 CPUs",
    r"\(XEN\) Could not construct domain 0",  # its module is not a Linux kernel
]
MACH_WORDS = [
    r"GNU Mach 1\.8",
    r"biosmem: 0+:0+9[9a-f]000, available",
    r"vm_page: DMA32: pages: \d+ \(4\d\dM\)",
    r"module 0: a module \$\{x\}",
    r"1 multiboot modules",
]
MEMTEST = "console=ttyS0,115200"
MEMTEST_WORDS = [
    r"Memtest86\+ v6\.10",
    r"Memory  :  5\d\dMB",
    r"Errors: 0",
]
GRUB_CONFIG = """\
serial --unit=0 --speed=115200
terminal_output serial
echo GRUB is a guest
lsmmap
"""
GRUB_WORDS = [
    r"GRUB is a guest",
    r"base_addr = 0x0, length = 0x9[9a-f]000, available RAM",
    r"base_addr = 0x100000, length = 0x1f\w{6}, available RAM",
]

# An iPXE script; afterwards, without a network card, iPXE gives up.
IPXE = "echo iPXE runs && sleep 3"
IPXE_WORDS = [
    r"iPXE initialising devices\.\.\.ok",
    r"iPXE 1\.0\.0\+git-2019",
    r"Features: .* ELF MBOOT PXE bzImage",
    r"iPXE runs",
]
IPXE_SLEEPS = 240_000_000  # a tick during its sleep

# GRUB's command, the file, its arguments, its module's arguments, patterns on the serial line (iPXE: on the screen).
KERNELS = {
    "xen-1": ("multiboot", "xen", XEN, "placeholder dom0", XEN_WORDS),
    "xen-2": ("multiboot2", "xen", XEN, "placeholder dom0", XEN_WORDS),
    "gnumach": ("multiboot", "gnumach", "console=com0", "a module ${x}", MACH_WORDS),
    "grub": ("multiboot", "core.img", "", None, GRUB_WORDS),
    "memtest-64": ("linux", "memtest64", MEMTEST, None, MEMTEST_WORDS),
    "memtest-32": ("linux", "memtest32", MEMTEST, None, MEMTEST_WORDS),
    "memtest-16": ("linux16", "memtest64", MEMTEST, None, MEMTEST_WORDS),
    "ipxe": ("linux16", "ipxe", IPXE, None, IPXE_WORDS),
}

# In Bochs, GRUB itself triple-faults when it loads Xen natively by multiboot 2.
NATIVE = [name for name in KERNELS if name != "xen-2"]


def load(name, native, opts=""):
    """The mkiso.Boot of the kernel `name`, natively or under Glasshouse with `opts`."""
    command, file, words, module_words, _ = KERNELS[name]
    module, role = MODULES[command]
    kernel, extra = FOREIGN / file, FOREIGN / "example"
    has_module = module_words is not None
    if native:
        modules = [mkiso.Entry(extra, module_words)] if has_module else []
        return mkiso.Boot(mkiso.Entry(kernel, words), modules, command, module)
    modules = [mkiso.Entry(kernel, f"{command} {words}".rstrip())]
    if has_module:
        modules.append(mkiso.Entry(extra, f"{role} {module_words}"))
    return mkiso.Boot(mkiso.Entry(mkiso.ELF, opts), modules)


@pytest.fixture(name="grub_image", scope="module", autouse=True)
def make_grub_image():
    """Makes a GRUB image, which is a multiboot kernel."""
    harness.FOLDER.mkdir(parents=True, exist_ok=True)
    config = harness.FOLDER / "core.cfg"
    config.write_text(GRUB_CONFIG)
    subprocess.run(["grub-mkimage", "-O", "i386-pc", "-c", config, "-p", "/boot/grub", "-o",
                    FOREIGN / "core.img", "biosdisk", "serial", "terminal", "echo", "lsmmap"],
                   check=True)


def start(name, native, opts="", **extra):
    """Boots the kernel `name`. Returns a Run."""
    kind = "native" if native else f"guest{opts}"
    return harness.boot(f"kernel-{name}-{kind}", load(name, native, opts), **extra)


def check_ipxe(native):
    """iPXE prints to the screen by the BIOS: the debugger dumps the screen while iPXE sleeps.

    Then iPXE gives up by INT 18h, as a boot sector does.
    """
    run = start("ipxe", native, commands="\n".join([
        bochs.script(IPXE_SLEEPS).partition("ptime")[0] + "xp /2000hx 0xb8000",
        "sba 1500000000", "c", "q", ""]))
    assert "No bootable device" in run.wait()
    text = harness.screen_text(run.log("glasshouse.log"))
    for word in IPXE_WORDS:
        assert re.search(word, text), f"{word} is not on the screen: {text}"
    return run


def check(name, native, opts=""):
    """Boots the kernel and waits for all its patterns, in order."""
    if name == "ipxe":
        return check_ipxe(native)
    run = start(name, native, opts, ticks=1_500_000_000)
    for word in KERNELS[name][-1]:
        run.expect(word)
    return run


@pytest.mark.parametrize("name", NATIVE)
def test_native(name):
    """The kernel prints the expected text natively."""
    check(name, True)


@pytest.mark.parametrize("name", KERNELS)
def test_guest(name):
    """The kernel prints the same text under Glasshouse."""
    run = check(name, False)
    assert "Entering the guest" in run.text


@pytest.mark.soak
@pytest.mark.parametrize("name", [name for name in KERNELS if name != "ipxe"])
def test_guest_without_ept(name):
    """The same where the CPU runs neither real mode nor protected mode without paging."""
    run = check(name, False, "ept=off")
    assert "Memory    shadow page tables" in run.text


@pytest.mark.parametrize("role, words", [
    ("multiboot", "module multiboot: magic is 0x"),
    ("multiboot2", "module multiboot2: magic is 0x"),
    ("linux16", "module linux: size is 0x"),
])
def test_refused(role, words):
    """A file that is not a kernel of its role is refused."""
    boot = mkiso.Boot(mkiso.Entry(mkiso.ELF), [mkiso.Entry(harness.FOLDER / "core.cfg", role)])
    run = harness.boot(f"kernel-refused-{role}", boot, ticks=200_000_000)
    run.expect(words)
    run.expect("Glasshouse has stopped")
