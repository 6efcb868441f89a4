"""Typst, in a process of its own: `python ceiling.py FONTS SOURCE`; nothing else imports it."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import typst


def main(fonts: str, source: str) -> None:
    """Print the source beside it, and tell the seconds of the call."""
    start = time.monotonic()
    made = typst.compile(source, font_paths=[fonts], ignore_system_fonts=True)
    seconds = time.monotonic() - start
    Path(source).with_suffix(".typst.pdf").write_bytes(made)
    sys.stdout.write(json.dumps({"call": seconds, "size": len(made)}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
