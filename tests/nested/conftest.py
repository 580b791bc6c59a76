# SPDX-License-Identifier: MIT
"""What the nested tests share: their paths, the ISO of all inner machines, the outer machine."""
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / folder) for folder in ("tools/image", "tools/run", "tests/boot", "tests/nested")]

import harness  # noqa: E402  pylint: disable=wrong-import-position
import inner  # noqa: E402  pylint: disable=wrong-import-position
import mkiso  # noqa: E402  pylint: disable=wrong-import-position
import outer  # noqa: E402  pylint: disable=wrong-import-position

harness.FOLDER = mkiso.BUILD / "nested" / "run"


def pytest_configure(config):
    """Names the mark of the tests that take long."""
    config.addinivalue_line("markers", "soak: takes long; `make soak` runs it")


@pytest.fixture(scope="session", name="iso")
def make_iso():
    """One ISO with a menu of all inner machines."""
    harness.FOLDER.mkdir(parents=True, exist_ok=True)
    return mkiso.write_iso(harness.FOLDER / "inner.img", *mkiso.grub_menu(inner.MENU),
                           ["multiboot2", "linux", "configfile"])


@pytest.fixture(scope="session", name="machines")
def keep_machines():
    """The running outer machine, in a list, so that one boot of it serves many tests."""
    kept = []
    yield kept
    for machine in kept:
        machine.run.stop()


@pytest.fixture(name="outer")
def get_outer(request, iso, machines):
    """An outer machine with the `cpus` and the `model` that the test's parameter says, if it has one.

    A test that fails may leave it in any state: the next one gets a new one.
    """
    kind = {"cpus": 1, "model": outer.MODEL} | getattr(request, "param", {})
    if machines and machines[0].kind != kind:
        machines.pop().run.stop()
    if not machines:
        machines.append(outer.Outer(iso, **kind))
    yield machines[0]
    if getattr(request.node, "failed", True):
        machines.pop().run.stop()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure shows the end of the machines' output; all of it is in serial.log."""
    report = (yield).get_result()
    if call.when == "call":
        item.failed = report.failed
    if report.failed:
        for run in harness.runs[-1:]:
            report.sections += run.logs()
            (run.folder / "serial.log").write_text(run.text)
