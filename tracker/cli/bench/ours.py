"""A packet made in a process of its own: `python -m tracker.cli.bench.ours VALUES DATA OUT [signed]`.

VALUES is a pickle of `PacketValues`; DATA a data folder with fonts, store, cache and, for `signed`, a demo key.
"""

from __future__ import annotations

import json
import pickle
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from tracker.cli.bench.folder import KEY, PASSPHRASE
from tracker.config import load_settings
from tracker.reporting.packet import Step
from tracker.tasks.packets import Workshop


def main(values_path: str, data: str, out: str, *words: str) -> None:
    """Make the packet; tell the pages, and the seconds spent in each step and in all."""
    values = pickle.loads(Path(values_path).read_bytes())  # noqa: S301  written by our parent
    keys = {"signing_key": Path(data) / KEY, "signing_passphrase": (Path(data) / PASSPHRASE).read_text("utf-8").strip()}
    settings = load_settings(data_dir=Path(data), **(keys if "signed" in words else {}))
    start = time.monotonic()
    begun: dict[str, float] = {}

    def progress(step: Step, _done: int, _total: int) -> None:
        begun.setdefault(step.value, round(time.monotonic() - start, 3))

    with Workshop(settings, language="zh", now=datetime.now(UTC)) as workshop:
        made = workshop.make(values, Path(out), progress)
        done = time.monotonic() - start
    size = sum(path.stat().st_size for path in made.files)
    sys.stdout.write(json.dumps({"pages": made.pages, "work": done, "begun": begun, "size": size}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
