# SPDX-License-Identifier: MIT
"""Common to all boot tests: import paths, a folder for each pytest run, logs in the report of a failure."""
import fcntl
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / folder) for folder in ("tools/build", "tools/image", "tools/labs", "tools/run", "tests/boot")]

import faults  # noqa: E402  pylint: disable=wrong-import-position
import harness  # noqa: E402  pylint: disable=wrong-import-position

COSTLY = int(os.environ.get("COSTLY") or 12)  # so many of the most expensive tests are listed


def pytest_configure(config):
    """Creates a folder for this pytest run, and removes the folders of finished runs.

    A running pytest holds a lock on its folder. Workers get the folder by the environment.
    """
    config.addinivalue_line("markers", "needs(ability): only in a Bochs that has it; see faults.py")
    config.addinivalue_line("markers", "soak: a long test, for `make soak`")
    if hasattr(config, "workerinput"):
        return
    base = ROOT / "build" / "boot"
    base.mkdir(parents=True, exist_ok=True)
    for old in base.iterdir():
        lock = os.open(old, os.O_RDONLY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(old)
        except BlockingIOError:
            pass
        finally:
            os.close(lock)
    own = tempfile.mkdtemp(prefix="run-", dir=base)
    config.folder_lock = os.open(own, os.O_RDONLY)
    fcntl.flock(config.folder_lock, fcntl.LOCK_EX)
    os.environ["BOOT_FOLDER"] = own
    harness.FOLDER = Path(own)


def cpu_seconds():
    """The CPU time of this worker and of its machines that have ended: on a busy computer as on an idle one."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item):
    """Notes when the test begins, before a mark can skip it."""
    item.began = cpu_seconds()


def pytest_runtest_setup(item):
    """Skips a test of something that this Bochs lacks, with the reason."""
    if why := faults.lacks(item):
        pytest.skip(why)


def expect_fault(fault, report, call):
    """Changes the report of a test that this fault of Bochs makes fail: expected, or reported as gone."""
    if report.passed:
        report.outcome = "failed"
        report.longrepr = f"{faults.name()} no longer has this fault, or not in this test: {fault.why}"
    elif call.excinfo and re.fullmatch(fault.says, str(call.excinfo.value), re.S):
        report.outcome, report.wasxfail = "skipped", fault.why


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Adds the last lines of the machines' logs to the report of a failure that is no known fault of Bochs."""
    report = (yield).get_result()
    if call.when == "call":
        if fault := faults.fault(item):
            expect_fault(fault, report, call)
        item.failed = report.failed
        if report.failed:
            for run in harness.runs:
                report.sections += run.logs()
    if call.when == "teardown":
        report.user_properties.append(("CPU seconds", cpu_seconds() - item.began))


def pytest_terminal_summary(terminalreporter):
    """Prints what the tests have cost: the sum, and the most expensive."""
    costs = sorted(((dict(report.user_properties)["CPU seconds"], report.nodeid)
                    for reports in terminalreporter.stats.values() for report in reports
                    if "CPU seconds" in dict(getattr(report, "user_properties", ()))), reverse=True)
    terminalreporter.section(f"CPU time: {sum(cost for cost, _ in costs):.0f} s in all")
    for cost, name in costs[:COSTLY]:
        terminalreporter.line(f"{cost:6.1f} s {name}")


@pytest.fixture(autouse=True)
def machines(request):
    """Stops the machines of a test. Keeps the ISOs of a failed test for inspection."""
    yield
    for run in harness.runs:
        run.stop()
        if not getattr(request.node, "failed", True):
            (run.folder / "boot.iso").unlink(missing_ok=True)
    harness.runs.clear()
