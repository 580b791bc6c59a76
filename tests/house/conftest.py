# SPDX-License-Identifier: MIT
"""What the tests of the tree itself share: the path to the tools. They need no emulator."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools/build"))
