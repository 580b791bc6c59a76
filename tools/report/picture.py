#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Shows report.html in headless Chromium: makes a picture of it, or tells what is in it then.

Usage: picture.py REPORT PICTURE
"""
import subprocess
import sys
import tempfile
from pathlib import Path

WIDTH, HEIGHT = 1240, 930


def chromium(page, *options):
    """What Chromium prints about the page: its standard output, and its messages."""
    with tempfile.TemporaryDirectory() as home:
        told = subprocess.run(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
             f"--user-data-dir={home}", f"--window-size={WIDTH},{HEIGHT}", "--virtual-time-budget=4000",
             "--enable-logging=stderr", *options, f"file://{Path(page).resolve()}?theme=light"],
            capture_output=True, text=True, check=False, timeout=300)
    return told.stdout, told.stderr


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: picture.py REPORT PICTURE")
    said = chromium(sys.argv[1], f"--screenshot={Path(sys.argv[2]).resolve()}")[1]
    if not Path(sys.argv[2]).exists():
        sys.exit(f"picture.py: Chromium has made no picture: {said[-500:]}")
