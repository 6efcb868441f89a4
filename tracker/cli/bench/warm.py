"""Unit reports laid out in one warm worker: `python -m tracker.cli.bench.warm REPORTS DATA`, measured by itself."""

from __future__ import annotations

import json
import pickle
import sys
import time
from pathlib import Path

from tracker.reporting.fonts import load_fonts
from tracker.reporting.press import Press
from tracker.reporting.sections import Section
from tracker.tasks.documents import TEMPLATES
from tracker.tasks.words import TRANSLATIONS


def main(reports: str, data: str) -> None:
    """Tell the seconds of each call of the press."""
    fonts = load_fonts(Path(data) / "fonts")
    calls, pages = [], 0
    cache = Path(data) / "sections"
    with Press(fonts=fonts, templates=TEMPLATES, translations=TRANSLATIONS, cache=cache, workers=1) as press:
        for report in pickle.loads(Path(reports).read_bytes()):  # noqa: S301  written by our parent
            start = time.monotonic()
            pages = press.print([Section(report)])[0].pages
            calls.append(time.monotonic() - start)
    sys.stdout.write(json.dumps({"calls": calls, "pages": pages}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
