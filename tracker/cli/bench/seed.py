"""`tracker bench seed`: a city or a province with its years, to measure on."""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from datetime import date, datetime
from itertools import count

import click
from flask import Flask, current_app
from flask.cli import with_appcontext
from sqlalchemy.orm import Session

from tracker.cli.bench.seed_plan import ADMINISTRATOR, AUDITOR, INSPECTOR, ROOT, SCALES, STEP, Diary, Roster, Scale, at
from tracker.cli.progress import bar
from tracker.config import CHECKOUT
from tracker.db import db, transaction
from tracker.domain.actor import RoleName, operator
from tracker.domain.checklist import Checklist
from tracker.domain.inspection import InspectionKind, MemberRole
from tracker.domain.score import Verdict
from tracker.models import Cycle, Organization
from tracker.queries import seed as seeded
from tracker.queries.actors import actor_of_person
from tracker.queries.assignments import holdings
from tracker.queries.checklists import checklist_of
from tracker.queries.history import SHANGHAI
from tracker.queries.people import by_account
from tracker.services import accounts, bulk_roster, bulk_year, checklists, cycles, inspections, log, people
from tracker.services.bulk_year import BulkYear

LIST = CHECKOUT / "checklists" / "sanji-sigang.yaml"
WRONG_USE = 2
MOST_YEARS = 10
AT_ONCE = 2  # units that are written at the same time
SAMPLED, JUDGED = 300, 60  # duties of the check of each year
Progress = Callable[[int, int], None]


@click.command()
@click.option("--scale", type=click.Choice(list(SCALES)), required=True, help="How large.")
@click.option("--years", type=click.IntRange(1, MOST_YEARS), default=1, show_default=True, help="How many years.")
@click.option(
    "--until",
    "last",
    type=click.IntRange(cycles.EARLIEST + 10, cycles.LATEST),
    help="The last of the years; by default this one.",
)
@click.option(
    "--day",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The day up to which people have worked; by default yesterday. The same day gives the same rows.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@with_appcontext
def seed(scale: str, years: int, last: int | None, day: datetime | None, *, as_json: bool) -> None:
    """Fill an empty database with a city (100 units, 260,000 duties a year) or a province (1,500 units, 4 million).

    Files have rows and no bytes. Started again it goes on where it stopped. Exit code 2 where the database holds
    anything else. A province takes about 20 GB a year: PostgreSQL is the better place for it.
    """
    today = datetime.now(SHANGHAI).date()
    until, worked_until = last or today.year, day.date() if day else today - STEP
    _refuse_others(SCALES[scale])
    started = time.monotonic()
    with bar(f"{scale}, {years} years", quiet=as_json) as progress:
        made = fill(SCALES[scale], first=until - years + 1, last=until, day=worked_until, progress=progress)
    seconds = time.monotonic() - started
    if as_json:
        click.echo(json.dumps({**made, "seconds": round(seconds, 1)}))
    else:
        click.echo(", ".join(f"{number} {what}" for what, number in made.items()) + f" in {seconds:.0f} s")


def fill(scale: Scale, *, first: int, last: int, day: date, progress: Progress | None = None) -> dict[str, int]:
    """Write what is missing of the years up to a day, unit by unit, each in a transaction of its own."""
    with _few_collections():
        return _fill(scale, first=first, last=last, day=day, progress=progress)


@contextmanager
def _few_collections() -> Iterator[None]:
    """Millions of rows come and go without a ring among them: to look for rings all the time costs a sixth of it."""
    before = gc.get_threshold()
    gc.set_threshold(500_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _fill(scale: Scale, *, first: int, last: int, day: date, progress: Progress | None) -> dict[str, int]:
    roster, version_id, checklist = _begin(scale, first)
    made = {"units": scale.units, "duties": 0, "records": 0}
    whole, steps = scale.units * (last - first + 2), count(1)
    codes = [roster.code(number) for number in range(1, scale.units + 1)]
    for number in range(1, scale.units + 1):
        _add_unit(roster, number, first)
        _tell(progress, next(steps), whole)
    for year in range(first, last + 1):
        diary = Diary(checklist, year=year, day=day)
        cycle_id = _open(version_id, year)
        for duties, records in _filled(cycle_id, codes, diary):
            made["duties"] += duties
            made["records"] += records
            _tell(progress, next(steps), whole)
        _end(cycle_id, diary)
    return made


def _tell(progress: Progress | None, done: int, whole: int) -> None:
    if progress:
        progress(done, whole)


def _filled(cycle_id: int, codes: Sequence[str], diary: Diary) -> Iterator[tuple[int, int]]:
    """Fill the units; on PostgreSQL rows of one unit are made while those of another are taken in."""
    if db.engine.dialect.name == "sqlite":
        yield from (_fill_unit(cycle_id, code, diary) for code in codes)
        return
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]

    def fill_unit(code: str) -> tuple[int, int]:
        with app.app_context():
            return _fill_unit(cycle_id, code, diary)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        tasks = [pool.submit(fill_unit, code) for code in codes]
        try:
            yield from (task.result() for task in as_completed(tasks))
        finally:
            pool.shutdown(cancel_futures=True)


def _refuse_others(scale: Scale) -> None:
    session = db.session()
    found = seeded.roots(session)
    if seeded.is_empty(session):
        return
    if list(found) != [ROOT]:
        click.echo("bench: the database holds something else; give an empty one (TRACKER_DATABASE_URL)", err=True)
        sys.exit(WRONG_USE)
    there = len(seeded.units(session))
    if there > scale.units:
        click.echo(f"bench: the database holds {there} units of another scale; give an empty one", err=True)
        sys.exit(WRONG_USE)


def _begin(scale: Scale, first: int) -> tuple[Roster, int, Checklist]:
    """The checklist, the top of the tree, and those who are in no seat."""
    now = at(date(first, 1, 2), 9)
    with transaction() as session:
        version = checklists.publish(session, LIST.read_bytes(), actor=operator(), now=now)
        roster = Roster(checklist_of(version), scale)
        if not seeded.roots(session):
            root = roster.root()
            bulk_roster.append(session, root.statements, root.people, actor=operator(), now=now)
            _give_roles(session, now=now)
        return roster, version.id, checklist_of(version)


def _give_roles(session: Session, *, now: datetime) -> None:
    roles = {
        INSPECTOR: RoleName.INSPECTOR,
        ADMINISTRATOR: RoleName.ADMINISTRATOR,
        AUDITOR: RoleName.AUDITOR,
    }
    for name, role in roles.items():
        person = people.apply(session, account_name=name, staff_number=None, name=name, actor=operator(), now=now)
        account = accounts.create_account(session, person, actor=operator(), now=now)
        accounts.set_roles(session, account, roles=[role], actor=operator(), now=now)


def _add_unit(roster: Roster, number: int, first: int) -> None:
    code = roster.code(number)
    if seeded.is_there(db.session(), code):
        return
    part = roster.unit(number)
    with transaction() as session:
        now = at(date(first, 1, 2), 10)
        bulk_roster.append(session, part.statements, part.people, actor=operator(), now=now)


def _open(version_id: int, year: int) -> int:
    with transaction() as session:
        there = seeded.year(session, year)
        cycle = there or bulk_year.begin(session, year=year, version_id=version_id, now=_opened_at(year))
        return cycle.id


def _opened_at(year: int) -> datetime:
    return at(date(year, 1, 4), 9)


def _fill_unit(cycle_id: int, code: str, diary: Diary) -> tuple[int, int]:
    with transaction() as session:
        cycle, unit_id = session.get_one(Cycle, cycle_id), seeded.organization(session, code).id
        if seeded.is_laid_out(session, cycle, unit_id):
            return 0, 0
        bulk = BulkYear(session, cycle, actor=operator())
        held = list(holdings(session, cycle=cycle, organizations=seeded.organizations_of(session, unit_id)))
        written = bulk.write(held, diary.work, now=_opened_at(cycle.year), today=date(cycle.year, 1, 4))
    return written.duties, written.records


def _end(cycle_id: int, diary: Diary) -> None:
    """Once all units are written: say that the year is open, hold a check, write the heads, close what is over."""
    with transaction() as session:
        cycle = session.get_one(Cycle, cycle_id)
        if seeded.is_told(session, cycle):
            return
        organizations, duties = seeded.duties_of_year(session, cycle)
        now = at(diary.last, 17)
        bulk_year.finish(
            session, cycle, organizations=organizations, duties=duties, actor=operator(), now=_opened_at(cycle.year)
        )
        if diary.has_begun:
            _inspect(session, cycle, now=now)
        if diary.is_over:
            cycles.close_cycle(session, cycle, actor=operator(), now=at(diary.last, 18))
        log.record_heads(session, actor=operator(), now=at(diary.last, 18))


def _inspect(session: Session, cycle: Cycle, *, now: datetime) -> None:
    """A check of one unit: a few hundred duties of its lowest level, some of them judged."""
    day, checklist = now.astimezone(SHANGHAI).date(), checklist_of(cycle.checklist_version)
    unit: Organization = seeded.organization(session, sorted(seeded.units(session))[0])
    items = [item.id for item in checklist.items if item.level == checklist.levels[-1].id]
    picked = seeded.duties_in(session, cycle, unit.id, items=items, most=SAMPLED)
    person = by_account(session, INSPECTOR)
    assert person is not None  # noqa: S101  (they were added first)
    actor = actor_of_person(session, person, today=day)
    plan = inspections.Plan(
        title=f"{cycle.year} 年度督查",
        basis="基准测试",
        kind=InspectionKind.REGULAR,
        starts_on=day,
        ends_on=day,
        period_starts_on=date(cycle.year, 1, 1),
        period_ends_on=date(cycle.year, 12, 31),
        team=[(person, MemberRole.LEADER)],
        units=[unit],
        picked=picked,
    )
    check = inspections.plan(session, cycle=cycle, plan=plan, actor=actor, now=now)
    for duty in picked[:JUDGED]:
        inspections.judge(session, check, duty, value=Verdict.MET, note="看了记录", actor=actor, now=now)
