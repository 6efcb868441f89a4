"""Measures one thing in a process of its own and tells its rows as JSON: `python -m tracker.cli.bench.one ORDER`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tracker.cli.bench.case import Amounts, measure
from tracker.cli.bench.ground import Ground
from tracker.cli.bench.measure import BenchError


def main(told: str) -> None:
    """Do what `case.order` wrote, and print the rows as the last line."""
    asked = json.loads(told)
    ground, *small = (Ground(Path(root), url=url) for root, url in asked["grounds"])
    much = Amounts(**asked["amounts"])
    rows = list(measure(asked["name"], ground, much, small=small[0] if small else None))
    sys.stdout.write(json.dumps({"rows": [row.facts() for row in rows]}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except BenchError as error:
        sys.exit(str(error))
