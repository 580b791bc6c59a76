# SPDX-License-Identifier: MIT
"""What all boot tests share: their paths, and the logs of a failure in its report."""
import fcntl
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / folder) for folder in ("tools/build", "tools/image", "tools/run", "tests/boot")]

import harness  # noqa: E402  pylint: disable=wrong-import-position


def pytest_configure(config):
    """Gives this call of pytest a folder of its own, and removes those of calls that have ended.

    A call under way holds a lock on its folder. Workers inherit the folder by the environment.
    """
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
