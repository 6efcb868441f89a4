"""Starts a module of this folder as a program, `entry.py MODULE ARGUMENT…`, without loading the application.

The package `tracker` builds the whole application when it is imported. A child that looks into one file needs none of
it, and would spend most of its time on it; so the package is entered as a bare folder.
"""

from __future__ import annotations

import importlib
import sys
import types
from pathlib import Path

if __name__ == "__main__":
    package = types.ModuleType("tracker")
    package.__path__ = [str(Path(__file__).resolve().parent.parent)]
    sys.modules["tracker"] = package
    importlib.import_module(f"tracker.storage.{sys.argv[1]}").main(sys.argv[2:])
