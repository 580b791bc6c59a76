# SPDX-License-Identifier: MIT
"""The tests' own ground: what tests/boot/conftest.py adds to pytest."""
import os
import subprocess
import sys

import mkiso


def test_mark_skips():
    """A test that a mark skips, for a program is not installed, is skipped; the others run on."""
    ran = subprocess.run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", "-q",
                          "tests/boot/test_report.py::test_in_chromium"], cwd=mkiso.ROOT, capture_output=True, text=True,
                         check=False, env={**os.environ, "PATH": "/nonexistent", "PYTEST_ADDOPTS": ""})
    assert ran.returncode == 0 and "1 skipped" in ran.stdout, ran.stdout + ran.stderr
