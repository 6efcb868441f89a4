"""What can be measured, how much of it is done, and what a process that measures one thing is told (see `one`)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass

from tracker.cli.bench import acts, pages, stored
from tracker.cli.bench.ground import Ground
from tracker.cli.bench.table import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """How much is done: seconds and rounds of each page, ticks, megabytes, files."""

    seconds: float
    rounds: int
    ticks: int
    megabytes: int
    files: int


QUICK = Amounts(seconds=2, rounds=3, ticks=200, megabytes=250, files=10_000)
FULL = Amounts(seconds=6, rounds=3, ticks=500, megabytes=1_000, files=100_000)
Measure = Callable[[Ground, Amounts], Iterator[Row]]

MEASURES: Mapping[str, Measure] = {
    "pages": lambda ground, much: pages.against_floor(ground, seconds=much.seconds, rounds=much.rounds),
    "signing": lambda ground, much: acts.signing(ground, ticks=much.ticks),
    "opening": lambda ground, _: acts.opening(ground),
    "uploads": lambda ground, much: stored.uploads(ground, megabytes=much.megabytes),
    "verify": lambda ground, much: stored.verifying(ground, files=much.files),
    "log": lambda ground, _: stored.log_checking(ground),
    "export": lambda ground, _: stored.exporting(ground),
}
GROWTHS = {"growth": False, "province": True}  # against a smaller ground


def measure(name: str, ground: Ground, much: Amounts, *, small: Ground | None = None) -> Iterator[Row]:
    """Measure one thing on a ground; a growth against a smaller one."""
    if small is None:
        return MEASURES[name](ground, much)
    return pages.grown(ground, small, seconds=much.seconds, rounds=much.rounds, province=GROWTHS[name])


def order(name: str, ground: Ground, much: Amounts, *, small: Ground | None = None) -> str:
    """What a process is told, to measure one thing."""
    grounds = [[str(one.root), one.url] for one in (ground, small) if one]
    return json.dumps({"name": name, "grounds": grounds, "amounts": asdict(much)})
