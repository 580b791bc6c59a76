# SPDX-License-Identifier: MIT
"""The documents match the tree: files, functions, messages, platforms."""
import re
import subprocess
from pathlib import Path

import pytest

import bochs
import check_includes
import mkiso

FILES = [str(path.relative_to(mkiso.ROOT)) for folder in mkiso.ROOT.iterdir()
         if folder.name not in ("build", ".git") for path in [folder, *folder.rglob("*.*")]
         if path.is_file() and "__pycache__" not in path.parts]
SOURCES = [name for name in FILES if not name.endswith(".md")]
# Placeholders for names, not names of files.
PLACEHOLDER = re.compile(r"NAME|\*")


def read(name):
    """The text of a file of the tree."""
    return (mkiso.ROOT / name).read_text(errors="replace")


def ours(name):
    """The text of a document, without docs/kvm.md's columns of KVM's names and the SDM's titles."""
    text, head, table = read(name).partition("| what happens | here | in KVM | in the SDM |")
    return text + head + re.sub(r"^(\|[^|]*\|[^|]*\|).*", r"\1", table, flags=re.M)


@pytest.fixture(scope="module", name="words")
def all_words():
    """All identifiers in the sources."""
    return set(re.findall(r"[A-Za-z_]\w*", "\n".join(read(name) for name in SOURCES)))


@pytest.mark.parametrize("document", [name for name in FILES if name.endswith(".md")])
def test_names(document, words):
    """Functions and fields in code type, source files and links exist."""
    text = ours(document)
    code = " ".join(re.findall(r"`([^`/.]+)`", text))
    missing = {name for name in re.findall(r"\b[a-z]\w*_\w+", code) if name not in words}
    endings = tuple(f"/{name}" for name in
                    re.findall(r"[\w/*-]+\.(?:c|h|S|py|def|ld)\b", text) if not PLACEHOLDER.search(name))
    paths = [f"/{name}" for name in FILES]
    missing |= {name for name in endings if not any(path.endswith(name) for path in paths)}
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        if not (mkiso.ROOT / Path(document).parent / link).exists():
            missing.add(link)
    assert not missing


def test_readme():
    """README fits on three screens, and its map lists each folder of the hypervisor and of the tree."""
    text = read("README.md")
    assert text.count("\n") <= 145
    rows = re.findall(r"^ {4}(\S+/)(?: (\S+/))?  ", text.partition("## The rooms")[2], re.M)
    listed = {name.rstrip("/") for row in rows for name in row if name}
    folders = {check_includes.folder(path) for path in check_includes.sources()} | {
        path.name for path in mkiso.ROOT.iterdir()
        if path.is_dir() and path.name[0] != "." and path.name not in ("build", "docs", "arch")}
    assert listed == folders


@pytest.mark.parametrize("document", ["README.md", "docs/uefi.md", "docs/guests.md"])
def test_grub(document):
    """GRUB's own checker finds no fault in the entries of its menu, nor in the lines for them."""
    entries = re.findall(r"^ {4}(?:menuentry .* \{\n(?s:.*?)^ {4}\}|multiboot2 .*|module2 .*)$", read(document), re.M)
    assert entries
    check = subprocess.run(["grub-script-check"], input="\n".join(entries) + "\n", stderr=subprocess.PIPE, text=True, check=False)
    assert not check.returncode, check.stderr


def test_layers():
    """docs/architecture.md lists the folders of the include rules, from top to bottom."""
    text = read("docs/architecture.md").partition("## Include rules")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\S+)/` \|", text, re.M) == [name for row in check_includes.TABLE for name in row]
    for name in check_includes.ROW:
        row = re.search(rf"^\| `{name}/` \| (.*) \|$", text, re.M)[1]
        assert row.startswith("to be written") != (mkiso.ROOT / name).is_dir(), name


@pytest.mark.parametrize("name", ["virt_ops", "vm_ops"])
def test_operations(name):
    """docs/architecture.md lists exactly the members of each table of operations."""
    body = re.search(rf"^struct {name} \{{(.*?)^\}};", read(f"vmm/{name}.h"), re.M | re.S)[1]
    members = re.findall(r"\(\*(\w+)\)\(|\*(\w+);", re.sub(r"(?s)/\*.*?\*/", "", body))
    table = read("docs/architecture.md").partition(f"**`struct {name}`**")[2].partition("\n\n|")[2]
    told = " ".join(re.findall(r"^\| (`[^|]*)\|", table.partition("\n\n")[0], re.M))
    assert len(members) > 5 and set(re.findall(r"\w+", told)) == {one or other for one, other in members}


def test_platforms():
    """docs/platforms.md lists exactly the models that the tests name."""
    table = read("docs/platforms.md")
    tests = "\n".join(read(name) for name in SOURCES if name.startswith("tests/boot/test_"))
    tests += " ".join(bochs.CAPABLE)
    models = bochs.models()
    assert ({name for name in models if re.search(rf"\b{name}\b", table)} ==
            {name for name in models if re.search(rf"\b{name}\b(?!-pc)", tests.replace("quit_sim", ""))})


# Adjacent literals, with macros between them.
LITERALS = r'((?:"(?:\\.|[^"\\])*"\s*|[A-Z_]{3,}\s*)+)'
TROUBLE = r"\b(?:(?:pr_err|pr_warn|pr_warn_ratelimited|boot_stop|panic)\(|door_print\(\s*door,|snprintf\(\s*why, VMXON_REFUSAL_SIZE,)\s*"
# These files print a panic's report, which docs/debugging.md describes; the last, a list of programs.
REPORT = ("report/panic_report.c", "vmm/recorder_text.c", "vmm/vmx/dump.c", "boot/efi/list_programs.c")


def messages(before):
    """The string literals after `before` in Glasshouse's sources: (file, text), with 0 for each conversion."""
    for name in SOURCES:
        if not re.match(rf"({'|'.join(check_includes.TOP)})/.*\.[chS]$", name):
            continue
        text = re.sub(r"(?s)/\*.*?\*/|'(?:\\.|[^'\\])'", "", read(name))  # the character '"' does not start a literal
        for run in re.findall(before + LITERALS, text):
            run = re.sub(r"\b[A-Z_]{3,}\b(?=\s*\"|\s*$)", '"..."', run, flags=re.M)
            text = "".join(re.findall(r'"((?:\\.|[^"\\])*)"', run)).replace("\\n", " ")
            text = re.sub(r"%[-+ #0]*[\d*]*(?:\.[\d*]+)?(?:hh|h|ll|l|z)?[diuxXcsp]", "0", text)
            yield name, " ".join(text.replace('\\"', '"').split())


def described():
    """The messages in tables or quotes of docs/troubleshooting.md, as patterns."""
    text = read("docs/troubleshooting.md").partition("## Glasshouse stops before the guest")[2]
    cells = re.findall(r"^\| (?!message|---)(.*?) \|", text, re.M)
    cells += re.findall(r'"([^"|]{8,})"', re.sub(r"(?m)^\|.*", "", text))
    for part in "; ".join(cells).split("; "):
        # A shorter pattern would match any message.
        assert len(re.findall(r"\w", part)) > 7 or ":" in part, part
        yield re.compile(".*?".join(re.escape(words.strip()) for words in part.split("...")))


def test_messages():
    """docs/troubleshooting.md lists all warnings and errors of Glasshouse, and no others."""
    known = list(described())
    wanted = {text for name, text in messages(TROUBLE)
              if re.search(r"[a-z]{3}", text) and not f"{name}: {text}".startswith(REPORT)}
    assert len(wanted) > 100 and len(known) > 100
    assert not {text for text in wanted if not any(part.search(text) for part in known)}
    said = "\n".join(text for _, text in messages(""))
    assert not {part.pattern for part in known if not part.search(said)}
