# SPDX-License-Identifier: MIT
"""For programs outside of the tree, such as the guest of a bug report, that have tools/ on their path: `import bochs`
is run/bochs.py, and image/ can be imported from afterwards, too."""
import importlib
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent / folder) for folder in ("run", "image")]
del sys.modules[__name__]  # importlib is to find the other one
importlib.import_module("bochs")
