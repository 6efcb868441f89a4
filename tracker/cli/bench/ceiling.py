"""Typst, in a process of its own: `python ceiling.py FONTS SOURCE…`; nothing else imports it."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import typst


def main(fonts: str, *sources: str) -> None:
    """Print each source, and tell the seconds of each call."""
    calls, size = [], 0
    for source in sources:
        start = time.monotonic()
        made = typst.compile(source, font_paths=[fonts], ignore_system_fonts=True)
        calls.append(time.monotonic() - start)
        size += len(made)
        Path(source).with_suffix(".typst.pdf").write_bytes(made)
    sys.stdout.write(json.dumps({"calls": calls, "size": size}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
