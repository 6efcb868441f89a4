"""What a bench found: rows of ours against a floor, as a table, as JSON, and beside those of an earlier run."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import pysqlite3

from tracker.cli.bench.measure import BenchError

WORSE = 0.8  # of the earlier ratio: less is told as a step back
_LEAST = 0.01  # what is less is as good as nothing
_HEAD = f"{'what':<58} {'ours':>11} {'floor':>11} {'unit':<6} {'ratio':>7}   {'demand':<7} {'verdict':<7}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measurement beside its floor of the same run.

    `value` and `floor` are medians in `unit`, of which more is better where `more`; `p95` and `floor_p95` are those of
    single requests or acts, in milliseconds, where there are such. `ratio` shall be at least the demand, or at most
    where `at_most`.
    """

    name: str
    unit: str
    value: float
    floor: float
    demand: float
    more: bool = False
    at_most: bool = False
    p95: float | None = None
    floor_p95: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float:
        """How near we are to the floor (1: as good), or how much we grew where that shall be little."""
        ours, floor = max(self.value, 1e-9), max(self.floor, 1e-9)
        return ours / floor if self.more or self.at_most else floor / ours

    @property
    def met(self) -> bool:
        """Whether the demand is met."""
        return self.ratio <= self.demand if self.at_most else self.ratio >= self.demand

    def facts(self) -> dict[str, Any]:
        """Everything about the row as JSON values."""
        return {**asdict(self), "ratio": round(self.ratio, 4), "met": self.met}


def row_of(facts: Mapping[str, Any]) -> Row:
    """The row that these facts describe."""
    return Row(**{name: facts[name] for name in Row.__slots__ if name in facts})


def p95_of(seconds: Sequence[float]) -> float:
    """The time below which 95 of 100 lie, in milliseconds."""
    ordered = quantiles(seconds, n=20, method="inclusive")[-1] if len(seconds) > 1 else seconds[0]
    return 1000 * ordered


def middle(values: Sequence[float]) -> float:
    """The median."""
    return float(median(values))


def machine() -> dict[str, Any]:
    """What was measured on, and when."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sqlite": pysqlite3.sqlite_version or sqlite3.sqlite_version,
        "load": round(os.getloadavg()[0], 1),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def lines_of(rows: Iterable[Row]) -> Iterator[str]:
    """The rows as lines of text below a head."""
    yield _HEAD
    yield from map(line_of, rows)


def line_of(row: Row) -> str:
    """One row as a line of text."""
    sign, verdict = "≤" if row.at_most else "≥", "met" if row.met else "MISSED"
    line = (
        f"{row.name:<58} {row.value:>11.2f} {row.floor:>11.2f} {row.unit:<6} {row.ratio:>7.3f} {sign} {row.demand:<7}"
        f" {verdict:<7}"
    )
    if row.p95 is not None:
        line += f" p95 {row.p95:.1f} ms"
        line += "" if row.floor_p95 is None else f" : {row.floor_p95:.1f} ms"
    return f"{line} {row.note}".rstrip()


def as_json(rows: Iterable[Row], told: Mapping[str, Any]) -> str:
    """The whole run as JSON."""
    run = {"machine": dict(told), "rows": [row.facts() for row in rows]}
    return json.dumps(run, ensure_ascii=False, indent=2)


def read_run(path: Path) -> tuple[dict[str, Any], list[Row]]:
    """The machine and the rows of a run that was kept as JSON. Raises BenchError where the file is no such thing."""
    try:
        told = json.loads(path.read_text("utf-8"))
        return told["machine"], [row_of(facts) for facts in told["rows"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BenchError(f"{path} is not what `tracker bench run --json` prints: {error}") from error


def against(rows: Iterable[Row], earlier: Iterable[Row]) -> Iterator[str]:
    """How every ratio moved since an earlier run, which may have been on another machine."""
    before = {row.name: row for row in earlier}
    yield f"{'what':<58} {'before':>8} {'now':>8} {'change':>8}"
    for row in rows:
        old = before.pop(row.name, None)
        if old is None:
            yield f"{row.name:<58} {'–':>8} {row.ratio:>8.3f} {'new':>8}"
            continue
        then, now = max(old.ratio, _LEAST), max(row.ratio, _LEAST)
        step = then / now if row.at_most else now / then
        yield f"{row.name:<58} {old.ratio:>8.3f} {row.ratio:>8.3f} {step - 1:>+8.0%}{' WORSE' if step < WORSE else ''}"
    for row in before.values():
        yield f"{row.name:<58} {row.ratio:>8.3f} {'–':>8} {'not now':>8}"
