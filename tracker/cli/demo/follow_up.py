"""What follows on the findings of the checks: each is left at another place between its notice and its closing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select

from tracker.cli.demo import words
from tracker.cli.demo.clock import YEAR, moment
from tracker.cli.demo.diary import latest_record
from tracker.cli.demo.stage import Stage
from tracker.cli.demo.visits import LEADER, MEMBER
from tracker.domain.actor import Actor
from tracker.models import Finding, Inspection
from tracker.services import rectification

Step = Callable[[Stage, Finding, Actor, datetime], object]


@dataclass(frozen=True)
class Turn:
    """A step on a day: by the unit, or by the inspector with this account."""

    day: date
    take: Step
    by: str | None = None


def notify(stage: Stage, finding: Finding, actor: Actor, now: datetime) -> object:
    """The notice is given."""
    return rectification.notify(stage.session, finding, actor=actor, now=now)


def receive(stage: Stage, finding: Finding, actor: Actor, now: datetime) -> object:
    """The unit signs for it."""
    return rectification.receive(stage.session, finding, actor=actor, now=now)


def measure(days: int) -> Step:
    """The unit says what it will do by a day of the month that comes."""

    def take(stage: Stage, finding: Finding, actor: Actor, now: datetime) -> object:
        return rectification.measure(
            stage.session,
            finding,
            post=stage.town.ladder.base_post.id,
            planned_on=date(YEAR, now.month + 1, days),
            text=words.MEASURES[finding.number % len(words.MEASURES)],
            actor=actor,
            now=now,
        )

    return take


def attach(stage: Stage, finding: Finding, actor: Actor, now: datetime) -> object:
    """A record that is there already shows what was done; nothing is entered twice."""
    record = latest_record(stage, finding.organization.code)
    if record is None:
        return None
    return rectification.attach(stage.session, finding, evidence=record, actor=actor, now=now)


def ask_extension(until: date) -> Step:
    """The unit asks for more time."""

    def take(stage: Stage, finding: Finding, actor: Actor, now: datetime) -> object:
        text = words.EXTENSION_ASKED
        return rectification.ask_extension(stage.session, finding, deadline=until, text=text, actor=actor, now=now)

    return take


def grant_extension(until: date) -> Step:
    """The team gives it."""

    def take(stage: Stage, finding: Finding, actor: Actor, now: datetime) -> object:
        text = words.EXTENSION_GRANTED
        return rectification.grant_extension(stage.session, finding, deadline=until, text=text, actor=actor, now=now)

    return take


def fix(stage: Stage, finding: Finding, actor: Actor, now: datetime) -> object:
    """It is put right on the spot."""
    return rectification.fix(stage.session, finding, text=words.FIXED, actor=actor, now=now)


def report(stage: Stage, finding: Finding, actor: Actor, now: datetime) -> object:
    """The unit reports it as put right."""
    text = words.REPORTED[finding.number % len(words.REPORTED)]
    return rectification.report(stage.session, finding, text=text, actor=actor, now=now)


def return_(stage: Stage, finding: Finding, actor: Actor, now: datetime) -> object:
    """The second inspector is not satisfied."""
    return rectification.return_(stage.session, finding, text=words.NOT_ENOUGH, actor=actor, now=now)


def close(stage: Stage, finding: Finding, actor: Actor, now: datetime) -> object:
    """The second inspector is."""
    return rectification.close(stage.session, finding, text=words.CLOSED, actor=actor, now=now)


def _day(month: int, day: int) -> date:
    return date(YEAR, month, day)


_BEGIN = (Turn(_day(9, 15), notify, LEADER), Turn(_day(9, 16), receive))
# One life for each finding of the first check, by its number.
LIVES: dict[int, tuple[Turn, ...]] = {
    1: (
        *_BEGIN,
        Turn(_day(9, 17), measure(8)),
        Turn(_day(9, 28), attach),
        Turn(_day(9, 29), report),
        Turn(_day(10, 9), close, MEMBER),
    ),
    2: (
        *_BEGIN,
        Turn(_day(9, 18), measure(9)),
        Turn(_day(9, 30), ask_extension(_day(10, 30))),
        Turn(_day(10, 8), grant_extension(_day(10, 30)), LEADER),
        Turn(_day(10, 28), report),
        Turn(_day(11, 2), return_, MEMBER),
    ),
    3: (*_BEGIN, Turn(_day(9, 21), measure(14)), Turn(_day(9, 25), attach), Turn(_day(10, 13), report)),
    4: (Turn(_day(9, 15), fix), Turn(_day(9, 16), close, MEMBER)),
    5: (
        *_BEGIN,
        Turn(_day(9, 22), measure(20)),
        Turn(_day(10, 19), ask_extension(_day(11, 30))),
        Turn(_day(10, 20), grant_extension(_day(11, 30)), LEADER),
    ),
}


def put_on_queue(stage: Stage) -> None:
    """Every step of the findings of the first check, and the notice of what the second one has found so far."""
    for number, life in LIVES.items():
        for turn in life:
            stage.at(moment(turn.day, 14, number), take_turn, 1, number, turn)
    stage.at(moment(_day(11, 12), 9), take_turn, 2, 1, Turn(_day(11, 12), notify, LEADER))


def take_turn(stage: Stage, inspection: int, number: int, turn: Turn, now: datetime) -> None:
    """One step of one finding; a smaller city has fewer findings."""
    query = select(Finding).join(Inspection, Inspection.id == Finding.inspection_id)
    finding = stage.session.scalars(
        query.where(Inspection.number == inspection, Finding.number == number)
    ).one_or_none()
    if finding is None:
        return
    actor = stage.actor(turn.by, now) if turn.by else _for_unit(stage, finding, now)
    turn.take(stage, finding, actor, now)


def _for_unit(stage: Stage, finding: Finding, now: datetime) -> Actor:
    """Whoever signs at the lowest level where the finding is, or the head of the unit."""
    ladder, code = stage.town.ladder, finding.organization.code
    below = {ladder.base.id: ladder.base_post, ladder.middle.id: ladder.middle_post}
    post = below.get(finding.organization.level)
    actor = stage.signer(stage.town.seat(code, post), now) if post else None
    return actor or _head(stage, finding.organization.unit.code, now)


def _head(stage: Stage, unit: str, now: datetime) -> Actor:
    actor = stage.signer(stage.town.seat(unit, stage.town.ladder.head), now)
    if actor is None:
        raise LookupError(f"nobody sits at the head of {unit}")
    return actor
