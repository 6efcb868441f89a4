"""The look-back at what was closed: from what its sample is drawn, what was picked, and how each was judged."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from tracker.domain.inspection import InspectionState, RectificationAction, RectificationState
from tracker.domain.sampling import Candidate, Draw, Rule, Sample, candidates_in, drawn
from tracker.models import (
    Finding,
    Inspection,
    InspectionFact,
    InspectionUnit,
    LookBackDraw,
    LookBackFinding,
    LookBackVerdict,
    RectificationStep,
)
from tracker.queries.history import known
from tracker.queries.people import names_of
from tracker.queries.rectification import Row, doers_on, narrowed_rows, stands


@dataclass(frozen=True)
class Seen:
    """A finding in the sample as it was closed, and how the look-back judged it (None: not yet), with who did."""

    row: Row
    verdict: LookBackVerdict | None
    person: str
    earlier: Sequence[LookBackVerdict]


@dataclass(frozen=True)
class Drawn:
    """A stored draw, and what drawing it again from what is stored gives."""

    draw: LookBackDraw
    rule: Rule
    sample: Sample

    @property
    def same(self) -> bool:
        """Whether drawing again gives the stored sample."""
        return (self.sample.population_sha256, self.sample.picked_sha256) == (
            self.draw.population_sha256,
            self.draw.picked_sha256,
        )


def closed_before(session: Session, inspection: Inspection) -> dict[str, int]:
    """The findings of earlier checks in the units of this one that stand as closed: row numbers by key."""
    units = select(InspectionUnit.organization_id).where(
        InspectionUnit.inspection_id == inspection.id, known(InspectionUnit)
    )
    query = (
        select(Finding.key, Finding.id)
        .join(Inspection, Inspection.id == Finding.inspection_id)
        .where(
            Inspection.number < inspection.number,
            Finding.unit_id.in_(units),
            stands(RectificationState.CLOSED, None),
        )
    )
    return dict(session.execute(query).all())


def candidates_of(keys: Sequence[str]) -> list[Candidate]:
    """The findings as one stratum, to be drawn from."""
    return [Candidate(key) for key in sorted(keys)]


def drawn_of(session: Session, inspection: Inspection, *, as_of: datetime | None = None) -> Drawn | None:
    """How the sample of a look-back was drawn, and the same drawn again; None where nothing was drawn."""
    query = select(LookBackDraw).where(LookBackDraw.inspection_id == inspection.id, known(LookBackDraw, as_of))
    stored = session.scalar(query)
    if stored is None:
        return None
    rule = Rule.read(stored.rule)
    population = candidates_in(zlib.decompress(stored.population), [()])
    return Drawn(stored, rule, drawn(Draw(stored.seed, rule), population))


def seen_of(session: Session, inspection: Inspection, *, today: date, as_of: datetime | None = None) -> list[Seen]:
    """The sample of a look-back with what was said of each, in the order of check and number."""
    sampled = select(LookBackFinding.finding_id).where(
        LookBackFinding.inspection_id == inspection.id, known(LookBackFinding, as_of)
    )
    rows = narrowed_rows(session, Finding.id.in_(sampled), today=today, as_of=as_of)
    query = select(LookBackVerdict).where(LookBackVerdict.inspection_id == inspection.id)
    if as_of is not None:
        query = query.where(LookBackVerdict.recorded_at <= as_of)
    said: dict[int, list[LookBackVerdict]] = {}
    for verdict in session.scalars(query.order_by(LookBackVerdict.id.desc())):
        said.setdefault(verdict.finding_id, []).append(verdict)
    names = names_of(session, [one[0].person_id for one in said.values()], as_of=as_of)
    found = []
    for row in rows:
        current, *earlier = said.get(row.finding.id, [None])
        person = names.get(current.person_id, "") if current else ""
        found.append(Seen(row, current, person, [one for one in earlier if one is not None]))
    return found


@dataclass(frozen=True)
class Outcome:
    """What a look-back that is closed said of a finding: in which check, and by whom."""

    number: int
    verdict: LookBackVerdict
    person: str


def outcomes_of(
    session: Session, findings: Iterable[Finding], *, as_of: datetime | None = None
) -> dict[int, list[Outcome]]:
    """What closed look-backs said of these findings, by row number, the latest check first."""
    closed = [finding.id for finding in findings if finding.state is RectificationState.CLOSED]  # no others are drawn
    if not closed:
        return {}
    query = (
        select(Inspection.number, LookBackVerdict)
        .join(Inspection, Inspection.id == LookBackVerdict.inspection_id)
        .join(InspectionFact, and_(InspectionFact.inspection_id == Inspection.id, known(InspectionFact, as_of)))
        .where(
            LookBackVerdict.finding_id.in_(closed),
            known(LookBackVerdict, as_of),
            InspectionFact.state == InspectionState.CLOSED,
        )
        .order_by(Inspection.number.desc())
    )
    said = session.execute(query).all()
    names = names_of(session, {verdict.person_id for _, verdict in said}, as_of=as_of) if said else {}
    found: dict[int, list[Outcome]] = {}
    for number, verdict in said:
        found.setdefault(verdict.finding_id, []).append(Outcome(number, verdict, names.get(verdict.person_id, "")))
    return found


def is_sampled(session: Session, inspection: Inspection, finding: Finding) -> bool:
    """Whether the finding is in the sample of the look-back."""
    query = select(LookBackFinding.id).where(
        LookBackFinding.inspection_id == inspection.id,
        LookBackFinding.finding_id == finding.id,
        known(LookBackFinding),
    )
    return session.scalar(query) is not None


def concerned_in(session: Session, finding: Finding) -> set[int]:
    """Who does not judge whether it held: whoever put it right or closed it."""
    closed = select(RectificationStep.person_id).where(
        RectificationStep.finding_id == finding.id, RectificationStep.action == RectificationAction.CLOSE
    )
    return doers_on(session, finding) | set(session.scalars(closed))


def unseen(session: Session, inspection: Inspection) -> int:
    """How many findings of the sample have not been judged."""
    query = (
        select(LookBackFinding.id)
        .outerjoin(
            LookBackVerdict,
            and_(
                LookBackVerdict.inspection_id == LookBackFinding.inspection_id,
                LookBackVerdict.finding_id == LookBackFinding.finding_id,
                known(LookBackVerdict),
            ),
        )
        .where(LookBackFinding.inspection_id == inspection.id, known(LookBackFinding), LookBackVerdict.id.is_(None))
    )
    return len(session.scalars(query).all())
