"""Acts that write, against raw SQL: ticking with evidence, confirming many, opening a year."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from tracker.cli.bench.ground import Ground
from tracker.cli.bench.measure import BenchError
from tracker.cli.bench.replay import Overheard, connect, overhearing, replay
from tracker.cli.bench.table import Row, middle, p95_of
from tracker.db import db, transaction
from tracker.domain.actor import operator
from tracker.domain.canonical import digest
from tracker.domain.errors import RuleError
from tracker.domain.evidence import asked_counts
from tracker.models import Cycle, Duty
from tracker.queries import bench as acted
from tracker.queries import seed as seeded
from tracker.queries.actors import actor_numbered, actor_of_person
from tracker.queries.assignments import item_of
from tracker.queries.checklists import checklist_of
from tracker.queries.history import SHANGHAI
from tracker.services import cycles, sign_offs
from tracker.storage.intake import Accepted

SENTENCE = "集中学习半天，讨论了下一步的安排"


@dataclass(frozen=True)
class Signed:
    """What two acts took, ours and the floor's, and what they wrote where."""

    ticks: list[float]
    raw_ticks: list[float]
    confirm: float
    raw_confirm: float
    confirmed: int


def signing(ground: Ground, *, ticks: int) -> Iterator[Row]:
    """Tick duties one by one, each in a transaction of its own, and confirm all of them in one step."""
    with ground.copies("work", "floor") as (work, floor):
        done = signed(ground, work, floor, ticks=ticks)
    yield Row(
        name="tick with evidence : raw SQL",
        unit="ms",
        value=1000 * middle(done.ticks),
        floor=1000 * middle(done.raw_ticks),
        demand=0.4,
        p95=p95_of(done.ticks),
        floor_p95=p95_of(done.raw_ticks),
        note=f"{len(done.ticks)} ticks",
    )
    yield Row(
        name="confirm many duties in one step : raw SQL",
        unit="ms",
        value=1000 * done.confirm,
        floor=1000 * done.raw_confirm,
        demand=0.3,
        note=f"{done.confirmed} duties",
    )


def signed(ground: Ground, work: Path, floor: Path, *, ticks: int) -> Signed:
    """Do both acts on one copy, and write the same rows to the other one, in turn."""
    app = ground.application(work)
    with app.app_context(), closing(connect(floor)) as bare:
        session, engine = db.session(), db.engine
        duties = _open_duties(session, ticks)
        ours, raw = [], []
        for number, duty_id in enumerate(duties):
            taken, heard = _tick(engine, duty_id, number)
            ours.append(taken)
            raw.append(replay(bare, heard))
        confirm, heard, confirmed = _confirm(engine, duties)
        raw_confirm = replay(bare, heard)
        db.session.remove()
        engine.dispose()
    return Signed(ours, raw, confirm, raw_confirm, confirmed)


def _today() -> date:
    return datetime.now(SHANGHAI).date()


def _open_duties(session: Session, count: int) -> list[int]:
    """Open duties of one unit that the same seat confirms, which is that of its second level, and none else."""
    cycle = seeded.year(session, _today().year)
    if cycle is None:
        raise BenchError(f"the year {_today().year} is not there: seed it")
    unit = sorted(seeded.units(session).values())[0]
    found = acted.tickable(session, cycle, unit, level=_base(cycle), today=_today(), most=count)
    if not found:
        raise BenchError("no duty is open")
    return list(found)


def _base(cycle: Cycle) -> str:
    return checklist_of(cycle.checklist_version).levels[-1].id


def _tick(engine: Engine, duty_id: int, number: int) -> tuple[float, Overheard]:
    """Tick one duty as its holder, with a file that was taken in; the seconds from the request's first query on."""
    duty = db.session().get_one(Duty, duty_id)
    holder = acted.holder_of(db.session(), duty.seat_id, today=_today()).id
    db.session.remove()
    name = digest(f"bench tick {number}".encode())
    file = Accepted(name, 250_000, "纪要.jpg", "image/jpeg", {"kind": "jpeg", "scan": "not_scanned"}, False)
    with overhearing(engine) as heard:
        start = time.perf_counter()
        with transaction() as session:
            duty = session.get_one(Duty, duty_id)
            checklist = checklist_of(duty.cycle.checklist_version)
            item = item_of(session, duty)
            sign_offs.tick(
                session,
                duties=[duty],
                act_on=_act_on(duty),
                sentence=SENTENCE,
                counts={kind.id: 0 if kind.at_most else 12 for kind in asked_counts(item, checklist)},
                files=[file],
                actor=actor_numbered(session, holder, today=_today()),
                now=datetime.now(UTC),
            )
        taken = time.perf_counter() - start
    return taken, heard


def _act_on(duty: Duty) -> date:
    return min(max(duty.starts_on, duty.period_starts_on), _today())


def _confirm(engine: Engine, duties: Sequence[int]) -> tuple[float, Overheard, int]:
    db.session.remove()
    with overhearing(engine) as heard:
        start = time.perf_counter()
        with transaction() as session:
            found = [session.get_one(Duty, number) for number in duties[:1]]
            decider = acted.holder_of(session, found[0].waiting_seat_id, today=_today())
            actor = actor_of_person(session, decider, today=_today())
            outcomes = sign_offs.confirm_many(
                session, acted.duties_numbered(session, duties), actor=actor, now=datetime.now(UTC)
            )
        taken = time.perf_counter() - start
    refused: list[RuleError] = [outcome.refusal for outcome in outcomes if outcome.refusal]
    if refused:
        raise BenchError(f"{len(refused)} of {len(outcomes)} duties were not confirmed: {refused[0]}")
    return taken, heard, len(outcomes)


def opening(ground: Ground) -> Iterator[Row]:
    """Open one more year of everybody, against `executemany` of its duty rows."""
    with ground.copies("work", "floor") as (work, floor):
        ours, raw, duties, grown = opened(ground, work, floor)
    yield Row(
        name="open a year : executemany of its duty rows",
        unit="s",
        value=ours,
        floor=raw,
        demand=0.4,
        note=f"{duties} duties, {duties / ours:.0f}/s",
    )
    yield Row(
        name="memory at the end of opening : at a third of it",
        unit="MB",
        value=grown[1],
        floor=grown[0],
        demand=1.2,
        at_most=True,
    )


def opened(ground: Ground, work: Path, floor: Path) -> tuple[float, float, int, tuple[float, float]]:
    """Open the year on one copy, write its duty rows to the other; seconds, seconds, duties, and memory on the way."""
    app, memory = ground.application(work), dict[int, float]()

    def look(done: int, whole: int) -> None:
        memory[min(3 * done // whole, 2) if done < whole else 3] = held_megabytes()

    with app.app_context():
        year = _today().year + 1
        start = time.perf_counter()
        with transaction() as session:
            version = seeded.published(session)
            assert version is not None  # noqa: S101  (a ground has one)
            done = cycles.open_cycle(
                session, year=year, version=version, actor=operator(), now=datetime.now(UTC), progress=look
            )
            duties = done.duties
        ours = time.perf_counter() - start
        db.session.remove()
        db.engine.dispose()
    with closing(connect(work)) as source:
        cycle = source.execute("SELECT * FROM cycle WHERE year = ?", (year,)).fetchall()
        of_year = "SELECT * FROM duty WHERE cycle_id = (SELECT id FROM cycle WHERE year = ?)"
        rows = source.execute(of_year, (year,)).fetchall()
    with closing(connect(floor)) as bare:
        raw = replay(bare, Overheard([_insert("cycle", cycle), _insert("duty", rows)]))
    return ours, raw, duties, (memory.get(1, memory.get(0, memory[3])), memory[3])


def _insert(table: str, rows: list[Any]) -> tuple[str, list[Any]]:
    return f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows  # noqa: S608  names of our own


def held_megabytes() -> float:
    """What this process holds in memory now."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * 4096 / 1e6
