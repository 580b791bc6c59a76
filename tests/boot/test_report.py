# SPDX-License-Identifier: MIT
"""The files that tools/report makes of recorded exits: all exits are in them, and only these; viewers can read them."""
import html.parser
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest

import bochs
import harness
import mkiso

sys.path.append(str(mkiso.ROOT / "tools/report"))

import picture  # noqa: E402  pylint: disable=wrong-import-position
import recorded  # noqa: E402  pylint: disable=wrong-import-position
import report  # noqa: E402  pylint: disable=wrong-import-position
import steps  # noqa: E402  pylint: disable=wrong-import-position
from symbols import Symbols  # noqa: E402  pylint: disable=wrong-import-position

NMI, CPUID, IO, MSR_READ, TIMER = 0, 10, 30, 31, 52
KICKS = 60  # in the boot of Linux, of its second CPU, which is not always there
SYMBOLS = Symbols("ffffffff81000000 T _text\nffffffff81000100 T first\nffffffff81000200 t second\n")


def ring(number, records, counts, capacity=8):
    """A ring as Glasshouse writes it; records: (reason, qualification, rip, entered, exited), the oldest first."""
    size = -(-(recorded.HEADER.size + capacity * recorded.RECORD.size) // 4096) * 4096
    slots = [(0, 0, 0, 0, 0)] * capacity
    for i, record in enumerate(records):
        slots[(i + 1) % capacity] = record
    data = recorded.HEADER.pack(recorded.MAGIC, 1, size, capacity, number, number * 2, 1000,
                                *(counts.get(i, 0) for i in range(128)))
    return (data + b"".join(recorded.RECORD.pack(*slot) for slot in slots)).ljust(size, b"\0")


def two_rings():
    """Two vCPUs: the first has more exits than its ring has room; the second is in the guest."""
    first = [(CPUID, 0, 0xffffffff81000110 + i, 1000 + 100 * i, 1090 + 100 * i) for i in range(9)]
    first += [(IO | recorded.EVENT | 13 << 32, 0x640000, 0xffffffff81000204, 1900, 1995),
              (52 | recorded.BEAT, 0, 0, 2000, 2100)]
    second = [(MSR_READ, 0x3a, 0xffffffff81000208, 5000, 6000), (0, 0, 0, 6500, 0)]
    return ring(0, first, {CPUID: 9, IO: 1, 52: 40}) + ring(1, second, {MSR_READ: 1})


def test_reading():
    """The order, the times, what is left out, and files that are none."""
    trace = recorded.parse(two_rings())
    assert [vcpu.number for vcpu in trace.vcpus] == [0, 1] and trace.khz == 1000
    first, second = (vcpu.exits for vcpu in trace.vcpus)
    assert [e.entered for e in first] == [1300, 1400, 1500, 1600, 1700, 1800, 1900]
    assert [e.left for e in first] == [1400, 1500, 1600, 1700, 1800, 1900, 2000]
    assert first[-1].about == "port 64" and first[-1].vector == 13 and first[0].name == "CPUID"
    assert [(e.about, e.left) for e in second] == [("MSR 3a", 6500)]
    assert trace.vcpus[0].counts == {"CPUID": 9, "IO_INSTRUCTION": 1, "PREEMPTION_TIMER": 40}
    for damaged in (b"", b"x" * 4096, two_rings()[:5000], two_rings()[:-1],
                    two_rings().replace(b"exits\1", b"exits\2", 1)):
        with pytest.raises(recorded.Damaged):
            recorded.parse(damaged)


def test_texts(tmp_path):
    """KVM's trace points in the order of time; stacks whose numbers are nanoseconds in Glasshouse."""
    report.make(two_rings(), tmp_path, SYMBOLS)
    lines = (tmp_path / "trace.txt").read_text().splitlines()
    assert lines[0] == "cpus=2" and len(lines) == 1 + 2 * 8 + 1
    form = re.compile(r" +vcpu-(\d)-\1 +\[00\1\] +(\d+\.\d{6}): (kvm_\w+): +(.*)$")
    found = [form.match(line).groups() for line in lines[1:]]
    assert [float(line[1]) for line in found] == sorted(float(line[1]) for line in found)
    assert found[0][2:] == ("kvm_entry", "vcpu 0")
    assert found[1][2:] == ("kvm_exit", "vcpu 0 reason CPUID rip 0xffffffff81000113 info1 0x0000000000000000")
    assert [line[3] for line in found if line[2] == "kvm_inj_exception"] == ["vector 13"]
    assert (tmp_path / "stacks.txt").read_text().splitlines() == [
        "VM 0;vCPU 0;CPUID;first 60000", "VM 0;vCPU 0;IO_INSTRUCTION;port 64;second 5000",
        "VM 0;vCPU 1;MSR_READ;MSR 3a;second 500000"]


def decoded(folder):
    """The packets of trace.pftrace, each as protoc's text."""
    proto = Path(__file__).with_name("perfetto.proto")
    told = subprocess.run(["protoc", f"--proto_path={proto.parent}", "--decode=Trace", proto.name],
                          stdin=(folder / "trace.pftrace").open("rb"), capture_output=True, text=True, check=True)
    assert not told.stderr and not re.search(r"^\s*\d+:", told.stdout, re.M), "fields that the definition lacks"
    return told.stdout.split("packet {\n")[1:]


def slices(packets):
    """The slices in the packets: (vCPU, category, name, the slices around it, begin, end, packet); each is ended, and they
    are in the order of time."""
    found, open_, last = [], defaultdict(list), defaultdict(int)
    for p in packets:
        if "track_event" not in p:
            continue
        vcpu = int(re.search(r"track_uuid: (\d+)", p)[1]) - 100
        at = int((re.search(r"timestamp: (\d+)", p) or [0, 0])[1])
        assert at >= last[vcpu]
        last[vcpu] = at
        if "TYPE_SLICE_BEGIN" in p:
            category, name = (re.search(rf'^    {field}: "(.*)"', p, re.M)[1] for field in ("categories", "name"))
            found.append([vcpu, category, name, [each[2] for each in open_[vcpu]], at, None, p])
            open_[vcpu].append(found[-1])
        else:
            open_[vcpu].pop()[5] = at
    assert not any(open_.values())
    return found


def arrows(found):
    """The flows of slices(): {(vCPU, slice's name) where it begins: how many}, and the same for whole flows."""
    begins = {flow: each for each in found for flow in re.findall(r"^    flow_ids: (\w+)", each[6], re.M)}
    ends = {flow: each for each in found for flow in re.findall(r"^    terminating_flow_ids: (\w+)", each[6], re.M)}
    assert set(ends) <= set(begins)
    assert all(begins[flow][4] <= end[4] for flow, end in ends.items())
    whole = Counter((begins[flow][0], begins[flow][2], end[0], end[2]) for flow, end in ends.items())
    return len(begins), whole


def check_perfetto(folder, trace):
    """As many slices as exits, on their vCPUs' tracks, well nested, in the order of time, with the functions that handle
    them; a flow for each event. Returns the flows, as arrows() does."""
    packets = decoded(folder)
    threads = [re.search(r'thread_name: "vCPU (\d+)"', p)[1] for p in packets if "thread_name" in p]
    assert threads == [str(vcpu.number) for vcpu in trace.vcpus]
    found = slices(packets)
    exits = [each for each in found if each[1] == "exit"]
    assert Counter((vcpu, name) for vcpu, _, name, *_ in exits) == Counter((e.vcpu, e.name) for e in trace.exits)
    assert not any(around for _, _, _, around, *_ in exits)
    assert Counter(each[2] for each in found if each[1] == "guest") == Counter(
        "guest, one step" if e.step else "guest" for e in trace.exits)
    for vcpu, category, name, around, begin, end, _ in (each for each in found if each[1] == "step"):
        stack = [ours for ours, _ in steps.functions(around[0])]
        assert [*around, name][1:] == stack[:len(around)], (vcpu, category, begin, end)
    assert sum(each[1] == "step" for each in found) == 2 * len(exits)
    begun, whole = arrows(found)
    assert begun >= sum(e.vector is not None for e in trace.exits)
    return whole


def test_perfetto(tmp_path):
    """Protobuf's own decoder reads what we wrote."""
    whole = check_perfetto(tmp_path, report.make(two_rings(), tmp_path, SYMBOLS))
    assert not whole  # the entry after the exit with the event is the timer's


def test_kicks(tmp_path):
    """Arrows from the exit in which a vCPU kicks another one, to what that makes it do; steps."""
    def kicked(by):
        return recorded.KICKED | by << 44

    timer = TIMER | recorded.BEAT
    first = [(timer, 0, 0, 900, 1000), (timer | recorded.KICKS, 0, 1, 1100, 2000), (CPUID, 0, 2, 2500, 2600),
             (IO | recorded.KICKS | recorded.EVENT | 5 << 32, 0, 3, 2700, 3000), (CPUID | recorded.STEP, 0, 4, 3500, 3600)]
    second = [(NMI | kicked(0), 0, 5, 500, 2100), (MSR_READ | kicked(0), 0, 6, 2200, 2900),
              (CPUID | kicked(9), 0, 7, 3100, 3200), (0, 0, 0, 3300, 0)]
    trace = report.make(ring(0, first, {}) + ring(1, second, {}), tmp_path, SYMBOLS)
    assert [(e.name, e.kicks, e.kicked_by, e.step) for e in trace.vcpus[0].exits] == [
        ("PREEMPTION_TIMER", True, None, False), ("CPUID", False, None, False), ("IO_INSTRUCTION", True, None, False),
        ("CPUID", False, None, True)]
    assert check_perfetto(tmp_path, trace) == Counter({
        (0, "PREEMPTION_TIMER", 1, "EXCEPTION_NMI"): 1,  # an NMI
        (0, "IO_INSTRUCTION", 1, "guest"): 1,  # it was in Glasshouse already
        (0, "IO_INSTRUCTION", 0, "guest, one step"): 1})  # the event


class Links(html.parser.HTMLParser):
    """What a page loads from elsewhere."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in ("src", "href", "action", "data")]


def check_page(folder, trace):
    """All exits are in the page, which loads nothing from elsewhere."""
    text = (folder / "report.html").read_text()
    links = Links()
    links.feed(text)
    assert not links.found and "@import" not in text and "url(" not in text and "http" not in text
    data = json.loads(re.search(r"^const data = (.*);$", text, re.M)[1])
    assert Counter(data["reasons"][e[1]] for e in data["exits"]) == Counter(e.name for e in trace.exits)


def test_page(tmp_path):
    """Names cannot break out of the page's script."""
    trace = report.make(two_rings(), tmp_path, Symbols("ffffffff81000000 T </script><b>\n"), "A & <b>", "label")
    check_page(tmp_path, trace)
    assert (tmp_path / "report.html").read_text().count("</script>") == 1


@pytest.mark.skipif(not shutil.which("chromium"), reason="Chromium is not installed: make setup-picture does it")
def test_in_chromium(tmp_path):
    """The page's program runs to its end without an error, and its tables have the numbers."""
    report.make(two_rings(), tmp_path, SYMBOLS, "The title", "The label")
    page, said = picture.chromium(tmp_path / "report.html", "--dump-dom")
    assert "CONSOLE" not in said, said
    assert 'data-ready="8"' in page and ">The title<" in page and ">The label<" in page
    cells = [re.sub("<[^>]*>", "", cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", page)]
    assert cells[:7] == ["CPUID", "9", "81.82 %", "10.62 %", "10.00 µs", "10.00 µs", "10.00 µs"]
    assert "MSR 3a" in cells and "port 64" in cells and "second+4" in cells
    shot = tmp_path / "page.png"
    picture.chromium(tmp_path / "report.html", f"--screenshot={shot}")
    assert shot.read_bytes().startswith(b"\x89PNG") and shot.stat().st_size > 20_000


def test_linux():
    """`make report`: every exit that Glasshouse has counted in a boot of Linux on two CPUs is in the files, and the kicks
    of a script."""
    folder = harness.FOLDER / "report"
    shutil.rmtree(folder, ignore_errors=True)
    script = harness.FOLDER / "report.gh"
    script.write_text(KICKS * "wait 1s\nkick 1\n")
    told = subprocess.run([sys.executable, mkiso.ROOT / "tools/report/record.py", folder], capture_output=True, text=True,
                          check=False, env={**os.environ, "SCRIPT": str(script)})
    assert told.returncode == 0, told.stdout + told.stderr
    assert len(harness.tap((folder / "boot/com1.log").read_text(errors="replace").replace("\r", ""))) == 3
    trace = recorded.parse((folder / "exits").read_bytes())
    assert len(trace.vcpus) == 2 and abs(trace.khz * 1000 / bochs.IPS - 1) < 0.02
    said = (folder / "boot/glasshouse.log").read_text(errors="replace")
    for vcpu in trace.vcpus:
        found = Counter(e.name for e in vcpu.exits)
        vcpu.counts.pop("PREEMPTION_TIMER", 0)  # of them only those with kicks are recorded
        # The counts were taken before the records.
        assert all(vcpu.counts[name] <= found[name] <= vcpu.counts[name] + 8 for name in vcpu.counts), (vcpu.counts, found)
        total = int(re.search(rf"^exits: vcpu {vcpu.number} total (\d+)", said, re.M)[1])
        beats = sum(map(int, re.findall(rf"^exits: vcpu {vcpu.number} .*PREEMPTION_TIMER (\d+)", said, re.M)))
        assert len(vcpu.exits) > 100 and total - beats - 1000 < len(vcpu.exits) <= total  # programs have run since
        assert all(e.left is not None for e in vcpu.exits[:-1])
    whole = check_perfetto(folder, trace)
    kicked = [e for e in trace.vcpus[1].exits if e.kicked_by == 0]
    assert whole[0, "PREEMPTION_TIMER", 1, "EXCEPTION_NMI"] >= 5, (whole, len(kicked))
    check_page(folder, trace)
    stacks = (folder / "stacks.txt").read_text()
    assert re.search(r"^VM 0;vCPU 0;CPUID;\w*cpuid\w* \d+$", stacks, re.M) or "VM 0;vCPU 0;CPUID;" in stacks
