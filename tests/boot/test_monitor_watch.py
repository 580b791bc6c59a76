# SPDX-License-Identifier: MIT
"""The monitor's command watch: the guest guests/watched makes known numbers of accesses, from two CPUs."""
import json
import re
import statistics

import pytest

import mkiso
from monitor import PROMPT, ask_random_guest, boot, number

TIMES, FAR_TIMES = 20, 10  # guests/watched: each access, in a round; the stores far from all others, for each
IMAGE = mkiso.BUILD / "guest/watched.img"


class Watched:
    """A machine that runs the guest. `at`: the addresses that it has printed, by their names."""

    def __init__(self, name, opts="", **machine):
        spec = mkiso.glasshouse(f"monitor=com2 console=e9 {opts}", IMAGE, "cpus=2", None)
        self.run, self.monitor = boot(name, spec, memory=256, ticks=30_000_000_000, ignore_bad_msrs=False, **machine)
        self.monitor.until("The monitor of Glasshouse listens")
        self.monitor.until(PROMPT)
        self.run.expect("# waits")
        self.rounds = 0

    def start(self):
        """Lets the guest start its other CPU."""
        self.run.send("s")
        self.run.expect("# ready")
        self.at = {name: int(at, 16) for name, at in re.findall(r"# (\w+) ([0-9a-f]+)\n", self.run.text)}

    def round(self):
        """Lets the guest make its accesses."""
        self.rounds += 1
        self.run.send("r")
        self.run.expect(f"# done {self.rounds}\n")

    def probe(self):
        """Makes a round. Returns what the function gives on both CPUs, the byte that may be patched as the guest reads
        it, and what the function gives after the guest has changed another byte of it."""
        self.round()
        return re.findall(r"# probe (\w+) (\w+) (\w+) (\w+)\n", self.run.text)[-1]

    def watch(self, name, kinds, words="", offset=0, length=8):
        """Watches bytes by their name. Returns the watch's number."""
        told = self.monitor.ask(f"watch {self.at[name] + offset:x},{length} {kinds} {words}".strip())
        return int(re.fullmatch(r"watch (\d+)", told[-1])[1])

    def hits(self):
        """The number of hits of each watch."""
        return {int(n): int(hits) for n, hits in
                re.findall(r"watch (\d+): .*: (\d+) hits", "\n".join(self.monitor.ask("watch")))}

    def log(self):
        """The hits: dictionaries of strings."""
        told = self.monitor.ask("watch log")
        pattern = (r"watch (?P<watch>\d+): vCPU (?P<vcpu>\d+) RIP (?P<rip>[0-9a-f]+) (?P<kinds>[rwx]+) "
                   r"(?P<at>[0-9a-f]+)(?: (?P<size>\d+) bytes)?(?P<how>[a-z ]*)"
                   r"(?:: (?P<before>[0-9a-f]{16})(?: -> (?P<after>[0-9a-f]{16}))?)?")
        matches = [re.fullmatch(pattern, line) for line in told]
        assert all(matches), told
        return [match.groupdict() for match in matches]

    def end(self):
        """Ends the guest, which compares its data."""
        self.run.send("e")
        assert self.run.wait() == "power-off"
        assert self.run.results()
        assert "defect of Glasshouse" not in self.run.log("glasshouse.log")


def check_counts(watched):
    """Two rounds with all watches: the numbers of hits are exact."""
    wanted = {
        watched.watch("both", "rw"): 2 * TIMES,
        watched.watch("both", "r"): 2 * TIMES,
        watched.watch("own", "w"): TIMES,
        watched.watch("own", "w", length=16): 2 * TIMES,
        watched.watch("own", "w", "1", length=16): TIMES,
        watched.watch("read", "r"): 2 * TIMES,
        watched.watch("read", "w"): 0,
        watched.watch("from", "r", length=16): 16,
        watched.watch("to", "w", length=16): 16,
        watched.watch("moved_from", "r"): TIMES,
        watched.watch("moved_to", "w"): TIMES,
        watched.watch("edge", "w"): TIMES,
        watched.watch("stack_top", "rw", offset=-8): 2 * TIMES,
        watched.watch("gate", "r", length=16): TIMES,
        watched.watch("code_add", "x", length=1): TIMES,
        watched.watch("code_word", "rw"): TIMES,
    }
    assert list(wanted) == list(range(16))
    assert watched.monitor.answer(f"watch {watched.at['pte']:x} r")[-1].startswith("err: there are 16 watches")
    for times in 1, 2:
        watched.round()
        assert watched.hits() == {n: times * hits for n, hits in wanted.items()}
    told = watched.monitor.ask("watch log")
    assert len(told) == 257
    lost = 2 * sum(wanted.values()) - 256
    assert told[-1] == f"{lost} hits are not here: more came than are kept."
    watched.monitor.ask("watch off all")
    assert watched.monitor.ask("watch") == ["There are no watches."]
    assert watched.monitor.ask("watch log") == ["No accesses have come since they were printed last."]
    assert watched.monitor.answer("watch -j") == ['{"ok":true}']


def check_values(watched):
    """What the log tells of each hit."""
    own, both = watched.watch("own", "w"), watched.watch("both", "rw")
    moved = watched.watch("moved_to", "w")
    to = watched.watch("to", "w", length=16)
    watched.round()
    log = watched.log()
    assert len(log) == TIMES + 2 * TIMES + TIMES + 16
    of = {n: [hit for hit in log if int(hit["watch"]) == n] for n in (own, both, moved, to)}
    first = (watched.rounds - 1) * TIMES
    for i, hit in enumerate(of[own]):
        assert (int(hit["before"], 16), int(hit["after"], 16)) == (first + i, first + i + 1)
        assert (hit["vcpu"], hit["kinds"], hit["size"], int(hit["at"], 16)) == ("0", "w", "8", watched.at["own"])
    assert len({hit["rip"] for hit in of[own]}) == 1
    assert {hit["vcpu"] for hit in of[both]} == {"0", "1"} and {hit["kinds"] for hit in of[both]} == {"rw"}
    # Another CPU's addition may come between an access and a look at the value.
    assert max(int(hit["after"], 16) for hit in of[both]) == 2 * TIMES * watched.rounds
    assert [int(hit["after"], 16) for hit in of[moved]] == [3 * i for i in range(TIMES)]
    assert [(int(hit["at"], 16), hit["size"]) for hit in of[to]] == [(watched.at["to"] + i, "1") for i in range(16)]
    watched.monitor.ask(f"watch off {own}")
    assert watched.monitor.answer(f"watch off {own}")[-1].startswith("err: there is no such watch")
    watched.monitor.ask("watch off all")


def check_kinds_of_access(watched):
    """Accesses that no instruction names: events and page walks; live output."""
    stack = watched.watch("stack_top", "rw", offset=-8)
    gate = watched.watch("gate", "r", length=16)
    code = watched.watch("code_add", "x", length=1)
    watched.round()
    log = watched.log()
    assert len(log) == 4 * TIMES
    of = {n: [hit for hit in log if int(hit["watch"]) == n] for n in (stack, gate, code)}
    assert {(hit["kinds"], hit["how"]) for hit in of[gate]} == {("r", " delivery of an event")}
    assert [hit["how"] for hit in of[stack]] == [" delivery of an event", ""] * TIMES
    assert {(hit["kinds"], int(hit["rip"], 16)) for hit in of[code]} == {("x", watched.at["code_add"])}
    watched.monitor.ask("watch off all")

    watched.watch("pte", "r")
    watched.round()
    log = watched.log()
    walks = [hit for hit in log if hit["how"] == " page walk"]
    assert len(walks) >= TIMES and all(int(hit["at"], 16) == watched.at["pte"] for hit in walks)
    assert [hit for hit in log if hit not in walks]
    watched.monitor.ask("watch off all")

    watched.watch("moved_to", "w")
    watched.monitor.ask("watch live")
    watched.round()
    for i in range(TIMES):
        line = watched.monitor.until("\n")
        while not line.startswith("watch 0: vCPU 0 "):
            line = watched.monitor.until("\n")
        assert line.endswith(f" -> {3 * i:016x}")
    watched.monitor.ask("watch quiet")
    watched.monitor.ask("watch off all")


def check_state(watched):
    """FXSAVE, FXRSTOR and XSAVE access bytes far behind the first, and only those of their area."""
    wanted = {watched.watch("fxsave", "w", offset=offset): times * TIMES
              for offset, times in ((0, 1), (100, 1), (408, 1), (456, 1), (464, 0), (-8, 0))}
    wanted[watched.watch("fxsave", "r", offset=400)] = TIMES
    if "# has XSAVE: 1" in watched.run.text:
        # The area has 832 bytes with AVX; the first 512 are on the page of FXSAVE's.
        wanted |= {watched.watch("xsave", "w", offset=offset): times * TIMES
                   for offset, times in ((200, 1), (512, 1), (700, 1), (824, 1), (832, 0))}
    watched.round()
    assert watched.hits() == wanted
    log = watched.log()
    assert {(hit["kinds"], int(hit["size"]), int(hit["at"], 16)) for hit in log if hit["watch"] == "2"} == {
        ("w", 464, watched.at["fxsave"])}
    watched.monitor.ask("watch off all")


def check_patch(watched):
    """A patch is executed by both CPUs and not read; the guest's own changes on its page are executed, too."""
    monitor, at = watched.monitor, watched.at["probe"]
    assert watched.probe() == ("11", "11", "1", "21")
    monitor.ask(f"patch {at + 1:x} 5")
    assert monitor.ask(f"ept {at:x}")[-1].endswith(": x, WB, a page of 4 KiB, watched or patched")
    assert [line.split()[2] for line in monitor.ask(f"x -p {at:x} 8")] == ["01"]
    assert watched.probe() == ("15", "15", "1", "25")
    # The same page, with a watch on the code, on both operands, and two patches.
    monitor.ask(f"patch {at + 6:x} e0")
    monitor.ask(f"patch {at + 6:x} c0")
    code = watched.watch("probe", "x", length=1)
    data = watched.watch("probe", "rw", length=8)
    assert watched.probe() == ("15", "15", "1", "25")
    assert watched.hits() == {code: 3, data: 3}
    monitor.ask("watch off all")
    monitor.ask(f"patch {at + 1:x} off")
    assert watched.probe() == ("11", "11", "1", "21")
    monitor.ask(f"patch {at + 6:x} off")
    assert monitor.answer(f"patch {at + 6:x} off") == ["err: there is no patch at this address"]
    assert watched.probe() == ("11", "11", "1", "21")
    assert "watched or patched" not in monitor.ask(f"ept {at:x}")[-1]


def check_words(watched):
    """What is refused, and the virtual form."""
    answer = watched.monitor.answer
    image = number(r"image at ([0-9a-f]+)", watched.monitor.ask("log"))
    assert answer(f"watch {image:x} r")[-1].startswith("err: this page is Glasshouse's")
    assert answer("watch 100000000000 r")[-1] == "err: nothing is mapped there"
    assert answer("patch fec00000 90")[-1] == "err: there is no memory"
    for words, says in (("1000 rr", "which accesses"), ("1000", "r, w or x is missing"), ("zz r", "ADDR is no hexadecimal"), ("1000,5000 r", "LEN is at most 4096"),
                        ("1000,0 r", "1 to 4096"), ("1000 r 7", "there is no such vCPU"), ("off", "there is no such"),
                        ("-v ffff800000000000 r", "this address is not mapped"),
                        ("fffffffffffff000 r", "guest-physical addresses have 48 bits")):
        assert answer(f"watch {words}")[-1].startswith(f"err: {says}"), words
    # The page that the guest's page table maps at 4 GiB begins 256 bytes before `both`.
    told = watched.monitor.ask("watch -v 100000100 rw 0")
    assert told[0] == f"100000100 is guest-physical {watched.at['both']:x} now, and that is watched"
    assert watched.monitor.ask("watch") == [f"watch 0: {watched.at['both']:x}, 8 bytes, rw, vCPU 0: 0 hits"]
    assert json.loads(watched.monitor.answer("watch -j")[0]) == {
        "watch": 0, "gpa": hex(watched.at["both"]), "bytes": 8, "kinds": "rw", "vcpu": "vCPU 0", "hits": 0}
    watched.monitor.ask("watch off 0")


def violations(watched):
    """The number of EPT violations until now."""
    return sum(int(line.split()[1]) for line in watched.monitor.ask("stat") if line.split()[0] == "EPT_VIOLATION")


@pytest.mark.parametrize("model, subpage", [
    pytest.param("corei7_icelake_u", True, marks=pytest.mark.needs("sub-page write permissions")),
    ("corei7_haswell_4770", False),
])
def test_far_writes(model, subpage):
    """Writes to the watched page, but in other parts of 128 bytes, exit only without sub-page write permissions."""
    watched = Watched(f"watch-far-{model}", model=model)
    watched.start()
    own = watched.watch("own", "w")
    before = violations(watched)
    watched.round()
    caused = violations(watched) - before
    far = 2 * TIMES * FAR_TIMES
    assert watched.hits()[own] == TIMES
    assert TIMES <= caused < far if subpage else caused >= far, caused
    # A second watch adds its part, and another kind of access needs the whole page.
    both, read = watched.watch("both", "rw"), watched.watch("read", "r")
    watched.round()
    assert watched.hits() == {own: 2 * TIMES, both: 2 * TIMES, read: 2 * TIMES}
    watched.end()
    # What an access costs: CPU 0 makes most of them one after the other.
    ticks = [int(at) for at in re.findall(r"^(\d+)e\[CPU0  \] VMEXIT: EPT violation", watched.run.log("bochs.log"), re.M)]
    cost = statistics.median(after - before for before, after in zip(ticks, ticks[1:]))
    print(f"{cost} ticks for each access to a watched page")
    # Most of them are not near the watched bytes then: only their opcodes are looked at.
    assert subpage or cost < 6500


@pytest.mark.parametrize("model", ["corei7_skylake_x", "corei5_arrandale_m520"])
def test_hits(model):
    """Hits are exact with two CPUs and timer interrupts, values are right, and so is the guest's data."""
    watched = Watched(f"watch-{model}", model=model)
    assert watched.monitor.answer("watch fee00000 w")[-1].startswith("err: this page is Glasshouse's")
    watched.start()
    before = watched.monitor.ask(f"ept {watched.at['both']:x}")
    check_counts(watched)
    check_values(watched)
    check_kinds_of_access(watched)
    check_state(watched)
    check_patch(watched)
    check_words(watched)
    assert watched.monitor.ask(f"ept {watched.at['both']:x}")[-1] == before[-1]
    watched.end()


# The random guest's code begins at 16 MiB.
RANDOM = ("watch 1000000,4096 x", "watch 1010000,64 rw 1", "watch 8000,4096 rwx", "watch log", "watch off all",
          "patch 1000400 90", "watch 1000000,4096 w", "patch 1000400 off", "watch off all")


def test_random_guest():
    """The random guest ends well although its code and data are watched and not watched again, all the time."""
    _, answers = ask_random_guest("watch-random", "cpus=2 seed=11 n=1000 init=1", RANDOM, 3)
    assert not [(command, told[-1]) for command, told in answers if told[-1] != "ok"]
