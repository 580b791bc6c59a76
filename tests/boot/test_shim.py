# SPDX-License-Identifier: MIT
"""Secure Boot with Debian's shim, which the firmware trusts by Microsoft's key: it starts what a key of one's own has signed.

The key is in shim's list, MokList, as mokutil and MokManager put it there; here it is written into the firmware's flash memory.
"""
import struct
import subprocess
import uuid
from pathlib import Path

import pytest

import harness
import mkesp
import mkiso
import words

SHIM, MANAGER = (mkiso.BUILD / "guest" / "shim" / f"{name}.efi" for name in ("shimx64", "mmx64"))
FLASH = Path("/usr/share/OVMF/OVMF_VARS_4M.ms.fd")
FOLDER = "EFI/glasshouse"
OTHER = "EFI/other/other.efi"


def guid(text):
    """A GUID as UEFI stores it."""
    return uuid.UUID(text).bytes_le


STORE = guid("aaf32c78-947b-439a-a180-2e144ec37792")   # of the variables, in the flash memory
GLOBAL = guid("8be4df61-93ca-11d2-aa0d-00e098032b8c")
OF_SHIM = guid("605dab50-e046-4300-abb6-3dd810dd8b23")
X509 = guid("a5c059a1-94e4-4aa7-87b5-ab155c2bf072")
# Attributes of a variable: it lasts, and is there until the boot services end; also afterwards.
BOOT, RUNTIME = 3, 7
ADDED, DELETED = 0x3f, 0x3c


def set_variable(flash, name, owner, attributes, value):
    """Adds a variable to the contents of OVMF's flash memory, a bytearray, in place of one of the same name."""
    name = f"{name}\0".encode("utf-16le")
    at = flash.index(STORE) + 28
    while flash[at:at + 2] == b"\xaa\x55":
        of_name, of_value = struct.unpack_from("<II", flash, at + 36)
        if flash[at + 60:at + 60 + of_name] == name:
            flash[at + 2] = DELETED
        at += -(-(60 + of_name + of_value) // 4) * 4
    new = struct.pack("<HBBIQ16sIII16s", 0x55aa, ADDED, 0, attributes, 0, b"", 0, len(name), len(value), owner)
    new += name + value
    assert not flash[at:at + len(new)].strip(b"\xff"), "no room"
    flash[at:at + len(new)] = new


def boot_entry(title, path, words_):
    """The value of a variable Boot####: a file of mkesp's partition, and its load options."""
    def node(kind, subtype, data):
        return struct.pack("<BBH", kind, subtype, len(data) + 4) + data

    def wide(text):
        return f"{text}\0".encode("utf-16le")
    where = (node(4, 1, struct.pack("<IQQ", 1, mkesp.START, 0) + mkesp.PARTITION.bytes_le + b"\2\2") +
             node(4, 4, wide(path)) + node(0x7f, 0xff, b""))
    return struct.pack("<IH", 1, len(where)) + wide(title) + where + wide(words_)


def boot(name, files, certificate=None):
    """Boots shim, which starts glasshouse.efi, in QEMU. Returns a Run. `certificate`: is in MokList."""
    flash = bytearray(FLASH.read_bytes())
    set_variable(flash, "Boot0000", GLOBAL, RUNTIME,
                 boot_entry("Glasshouse", r"\EFI\glasshouse\shimx64.efi", r"\EFI\glasshouse\glasshouse.efi"))
    set_variable(flash, "BootOrder", GLOBAL, RUNTIME, struct.pack("<H", 0))
    if certificate:
        size = 16 + len(certificate)
        set_variable(flash, "MokList", OF_SHIM, BOOT, X509 + struct.pack("<III", 28 + size, 0, size) + OF_SHIM + certificate)
    path = harness.FOLDER / f"{name}.fd"
    disk = mkesp.make_esp(harness.FOLDER / f"{name}.img",
                          files | {f"{FOLDER}/shimx64.efi": SHIM, f"{FOLDER}/mmx64.efi": MANAGER})
    path.write_bytes(flash)
    return harness.boot_qemu(name, disk, firmware=harness.secure_boot(path))


@pytest.fixture(name="key", scope="module")
def make_key():
    """A key and its certificate, as docs/uefi.md makes them. Returns their paths, and the certificate in DER form."""
    folder = harness.FOLDER / "mok"
    folder.mkdir(parents=True, exist_ok=True)
    key, certificate = folder / "mok.key", folder / "mok.pem"
    subprocess.run(["openssl", "req", "-new", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj",
                    "/CN=my own key/", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    der = subprocess.run(["openssl", "x509", "-in", certificate, "-outform", "DER"], check=True, capture_output=True).stdout
    return key, certificate, der


def signed(key, certificate):
    """The bytes of glasshouse.efi, signed."""
    out = key.parent / "glasshouse.efi"
    subprocess.run([mkiso.ROOT / "tools/image/sign", key, certificate, mkesp.EFI, out], check=True, capture_output=True)
    return out.read_bytes()


def test_enrolled(key):
    """shim starts glasshouse.efi, and this loads another program by shim: one that is signed, from a file."""
    program = signed(*key[:2])
    run = boot("shim-enrolled", {f"{FOLDER}/glasshouse.efi": program, OTHER: program,
                                 f"{FOLDER}/glasshouse.conf": b"boot=/" + OTHER.encode()}, key[2])
    run.expect(words.NO_VMX)
    assert "cannot be started" not in run.text


def test_unsigned_guest(key):
    """What nobody has signed is refused by shim, also when glasshouse.efi loads it."""
    run = boot("shim-guest", {f"{FOLDER}/glasshouse.efi": signed(*key[:2]), OTHER: mkesp.EFI,
                              f"{FOLDER}/glasshouse.conf": b"boot=/" + OTHER.encode()}, key[2])
    run.expect(r"the program cannot be started: Secure Boot does not allow it")


def test_unknown_key(key):
    """shim refuses what a key has signed that is not in its list."""
    run = boot("shim-unknown", {f"{FOLDER}/glasshouse.efi": signed(*key[:2])})
    run.expect(r"Verification failed: \(0x1A\) Security Violation")
