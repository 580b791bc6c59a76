# SPDX-License-Identifier: MIT
"""What all boot tests share: their paths, and the logs of a failure in its report."""
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests" / "boot")]

import harness  # noqa: E402  pylint: disable=wrong-import-position


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failure shows the ends of its machines' logs."""
    report = (yield).get_result()
    if call.when == "call":
        item.failed = report.failed
        if report.failed:
            for run in harness.runs:
                report.sections += run.logs()


@pytest.fixture(autouse=True)
def machines(request):
    """A test leaves no machine running; the ISO of one that failed stays, to be looked into."""
    yield
    for run in harness.runs:
        run.stop()
        if not getattr(request.node, "failed", True):
            (run.folder / "boot.iso").unlink(missing_ok=True)
    harness.runs.clear()
