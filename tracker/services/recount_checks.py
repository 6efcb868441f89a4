"""Working out anew what checks keep: states of findings and good practice, drawn samples, handed-in tables.

Nothing is written here; one check, or one finding, at a time.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from hashlib import sha256

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session

from tracker.domain.errors import RuleError
from tracker.domain.good_practice import STEPS
from tracker.domain.inspection import STATE_AFTER, RectificationState
from tracker.domain.self_check_table import table_digest
from tracker.models import (
    Finding,
    GoodPractice,
    GoodPracticeStep,
    Inspection,
    InspectionDraw,
    Organization,
    RectificationStep,
    SelfCheckHandIn,
)
from tracker.queries.sampling import redrawn
from tracker.queries.self_check_tables import table_of
from tracker.services.recount import Difference

STREAM = 1_000
_TO = {action: step.to for (_, action), step in STEPS.items()}  # wherever an action comes from, it leads to one state


def verify_checks(session: Session) -> Iterator[Difference]:
    """Yield each state that its steps do not lead to, each sample that is drawn otherwise, and each wrong digest."""
    yield from _finding_states(session)
    yield from _good_practice_states(session)
    yield from _draws(session)
    yield from _tables(session)


def _finding_states(session: Session) -> Iterator[Difference]:
    last = (
        select(RectificationStep.finding_id, func.max(RectificationStep.number).label("number"))
        .group_by(RectificationStep.finding_id)
        .subquery()
    )
    of_last: ColumnElement[bool] = and_(
        RectificationStep.finding_id == last.c.finding_id, RectificationStep.number == last.c.number
    )
    rows = session.execute(
        select(Finding.key, Finding.state, RectificationStep.action)
        .join(last, last.c.finding_id == Finding.id, isouter=True)
        .join(RectificationStep, of_last, isouter=True)
        .order_by(Finding.id)
        .execution_options(yield_per=STREAM)
    )
    for key, found, action in rows:
        expected = STATE_AFTER[action] if action else RectificationState.NOT_STARTED
        if found is not expected:
            yield Difference("finding", key, "state", found.value, expected.value)


def _good_practice_states(session: Session) -> Iterator[Difference]:
    last = (
        select(GoodPracticeStep.good_practice_id, func.max(GoodPracticeStep.number).label("number"))
        .group_by(GoodPracticeStep.good_practice_id)
        .subquery()
    )
    rows = session.execute(
        select(GoodPractice.key, GoodPractice.state, GoodPracticeStep.action)
        .join(last, last.c.good_practice_id == GoodPractice.id)
        .join(
            GoodPracticeStep,
            and_(GoodPracticeStep.good_practice_id == GoodPractice.id, GoodPracticeStep.number == last.c.number),
        )
        .order_by(GoodPractice.id)
        .execution_options(yield_per=STREAM)
    )
    for key, found, action in rows:
        if found is not _TO[action]:
            yield Difference("good_practice", key, "state", found.value, _TO[action].value)


def _draws(session: Session) -> Iterator[Difference]:
    query = select(Inspection).join(InspectionDraw, InspectionDraw.inspection_id == Inspection.id)
    for inspection in session.scalars(query.where(InspectionDraw.superseded_at.is_(None)).order_by(Inspection.number)):
        for what, found, expected in _drawn_again(session, inspection):
            if found != expected:
                yield Difference("draw", str(inspection.number), what, found, expected)


def _drawn_again(session: Session, inspection: Inspection) -> Iterator[tuple[str, str, str]]:
    try:
        again = redrawn(session, inspection)
    except (LookupError, ValueError, TypeError, ArithmeticError, zlib.error, RuleError) as error:
        yield "rule", type(error).__name__, "one by which the sample can be drawn again"
        return
    if again is not None:
        population = sha256(zlib.decompress(again.draw.population)).hexdigest()
        yield "population_sha256", again.draw.population_sha256, population
        yield "picked_sha256", again.draw.picked_sha256, again.sample.picked_sha256


def _tables(session: Session) -> Iterator[Difference]:
    rows = session.execute(
        select(SelfCheckHandIn, Inspection, Organization)
        .join(Inspection, Inspection.id == SelfCheckHandIn.inspection_id)
        .join(Organization, Organization.id == SelfCheckHandIn.unit_id)
        .order_by(SelfCheckHandIn.id)
    ).all()
    for row, inspection, unit in rows:
        lines = table_of(session, inspection, unit, as_of=row.at)
        expected = table_digest(lines, inspection=inspection.number, unit=unit.code)
        if row.digest != expected:
            key = f"{inspection.number}-{unit.code}-{row.number}"
            yield Difference("self_check", key, "digest", row.digest, expected)
