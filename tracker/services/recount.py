"""Working out anew what is kept beside the facts: signatures, digests of texts, caches. Every difference is named.

Nothing is written here. Memory use does not grow with the years, the units or the sign-offs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from tracker.domain.canonical import digest
from tracker.domain.sign_off import signature_digest, text_digest
from tracker.models import (
    Appointment,
    Cycle,
    Duty,
    Evidence,
    EvidenceFact,
    Inspection,
    InspectionFact,
    Organization,
    OrganizationAncestor,
    Person,
    PersonFact,
    SignOff,
)
from tracker.queries.duties import duties_as_of
from tracker.queries.history import SHANGHAI, known
from tracker.queries.organizations import Node, tree

STREAM = 1_000

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Difference:
    """A row that does not agree with what it was made from: `kind` and `key` of the object, and the member."""

    kind: str
    key: str
    what: str
    found: str
    expected: str


def verify_sign_offs(session: Session) -> Iterator[Difference]:
    """Redo every signature, and yield where bytes, digest, predecessor or reason do not agree."""
    rows = session.execute(
        select(SignOff, Person.key, Appointment.key)
        .join(Person, Person.id == SignOff.person_id)
        .join(Appointment, Appointment.id == SignOff.appointment_id)
        .order_by(SignOff.duty_id, SignOff.number)
        .execution_options(yield_per=STREAM)
    )
    before: SignOff | None = None
    for row, person, appointment in rows:
        previous = before.digest if before and before.duty_id == row.duty_id else None
        for what, found, expected in _signed(row, person, appointment, previous):
            if found != expected:
                yield Difference("sign_off", row.key, what, str(found), str(expected))
        before = row


def _signed(row: SignOff, person: str, appointment: str, previous: str | None) -> Iterator[tuple[str, Any, Any]]:
    yield "content_digest", row.content_digest, digest(row.covered)
    yield "previous_digest", row.previous_digest, previous
    yield (
        "digest",
        row.digest,
        signature_digest(
            content_digest=row.content_digest,
            action=row.action.value,
            person=person,
            appointment=appointment,
            at=row.at,
            previous=row.previous_digest,
            reason_sha256=row.reason_sha256,
        ),
    )
    if row.sealed_at is None:
        yield "reason_sha256", row.reason_sha256, text_digest(row.reason) if row.reason else None


def verify_texts(session: Session) -> Iterator[Difference]:
    """Hash every sentence of the records again. One that is gone without a seal is a difference."""
    sealed = (
        select(EvidenceFact.evidence_id).where(EvidenceFact.sealed_at.is_not(None)).distinct()
    )  # what is withdrawn after a seal repeats the digest of a sentence that is gone
    rows = session.execute(
        select(Evidence.key, EvidenceFact.sentence, EvidenceFact.sentence_sha256, Evidence.id.in_(sealed))
        .join(Evidence, Evidence.id == EvidenceFact.evidence_id)
        .order_by(EvidenceFact.id)
        .execution_options(yield_per=STREAM)
    )
    for key, sentence, expected, is_sealed in rows:
        found = text_digest(sentence) if sentence is not None else None
        if found != expected and not (found is None and is_sealed):
            yield Difference("evidence", key, "sentence", str(found), expected)


# ---------------------------------------------------------------- caches

_DUTY_CACHES = (
    "starts_on",
    "ends_on",
    "due_on",
    "in_force",
    "state",
    "content_digest",
    "signed_digest",
    "is_changed",
    "act_on",
    "first_submitted_on",
)


def verify_caches(session: Session, *, now: datetime, progress: Progress | None = None) -> Iterator[Difference]:
    """Work out anew what is kept for speed (duties, the tree, names, withdrawn records) and yield each difference."""
    yield from _organization_differences(session, today=now.astimezone(SHANGHAI).date())
    yield from _name_differences(session)
    yield from _flag_differences(session)
    years = list(session.scalars(select(Cycle).order_by(Cycle.year)))
    units = list(session.scalars(select(Duty.unit_id).distinct().order_by(Duty.unit_id)))
    for done, (cycle, unit) in enumerate(((c, u) for c in years for u in units), start=1):
        yield from _duty_differences(session, cycle, unit, now)
        if progress:
            progress(done, len(years) * len(units))


def _duty_differences(session: Session, cycle: Cycle, unit: int, now: datetime) -> Iterator[Difference]:
    """One unit's year at a time, and then forgotten."""
    replayed = {duty.key: duty for duty in duties_as_of(session, cycle=cycle, as_of=now, units=[unit])}
    stored = session.execute(
        select(Duty.key, *(getattr(Duty, name) for name in _DUTY_CACHES))
        .where(Duty.cycle_id == cycle.id, Duty.unit_id == unit, Duty.created_at <= now)
        .order_by(Duty.key)
    )
    for key, *values in stored:
        then = replayed.get(key)
        if then is None:
            yield Difference("duty", key, "plan", "", "one in force")
            continue
        for name, found in zip(_DUTY_CACHES, values, strict=True):
            if found != getattr(then, name):
                yield Difference("duty", key, name, str(found), str(getattr(then, name)))


def _organization_differences(session: Session, *, today: date) -> Iterator[Difference]:
    nodes = {node.id: node for node in tree(session, on=today)}
    for row in session.scalars(select(Organization).order_by(Organization.code)):
        node = nodes.get(row.id)
        if node is None:
            continue  # nothing is said of it for today: its first fact begins later
        for name, found, expected in _organization_values(row, node):
            if found != expected:
                yield Difference("organization", row.code, name, str(found), str(expected))
    yield from _ancestor_differences(session, nodes)


def _organization_values(row: Organization, node: Node) -> Iterator[tuple[str, object, object]]:
    for name in ("name", "level", "is_unit", "position", "opened_on", "closed_on", "term_ends_on"):
        yield name, getattr(row, name), getattr(node.facts, name)
    yield "tags", sorted(row.tags), sorted(node.facts.tags)
    yield "parent_id", row.parent_id, node.parent_id
    yield "unit_id", row.unit_id, node.unit_id


def _ancestor_differences(session: Session, nodes: dict[int, Node]) -> Iterator[Difference]:
    table = OrganizationAncestor
    found: dict[int, set[tuple[int, int]]] = {}
    for above, below, distance in session.execute(select(table.ancestor_id, table.descendant_id, table.distance)):
        found.setdefault(below, set()).add((above, distance))
    for number, node in nodes.items():
        expected = {(above, distance) for distance, above in enumerate(_line(number, nodes))}
        if found.get(number, set()) != expected:
            yield Difference(
                "organization", node.code, "ancestors", str(sorted(found.get(number, set()))), str(sorted(expected))
            )


def _line(number: int, nodes: dict[int, Node]) -> Iterator[int]:
    node: int | None = number
    while node is not None:
        yield node
        node = nodes[node].parent_id if node in nodes else None


def _name_differences(session: Session) -> Iterator[Difference]:
    rows = session.execute(
        select(Person.key, Person.name, PersonFact.name)
        .outerjoin(PersonFact, (PersonFact.person_id == Person.id) & known(PersonFact))
        .where(or_(PersonFact.name.is_(None), PersonFact.name != Person.name))
        .order_by(Person.key)
    )
    for key, found, expected in rows:
        yield Difference("person", key, "name", found, str(expected))


def _flag_differences(session: Session) -> Iterator[Difference]:
    for kind, what, query in (("evidence", "withdrawn", _withdrawn()), ("inspection", "state", _inspection_states())):
        for key, found, expected in session.execute(query):
            yield Difference(kind, str(key), what, str(found), str(expected))


def _withdrawn() -> Any:  # noqa: ANN401  a SELECT
    fact: ColumnElement[bool] = (EvidenceFact.evidence_id == Evidence.id) & known(EvidenceFact)
    query = select(Evidence.key, Evidence.withdrawn, EvidenceFact.withdrawn)
    return query.outerjoin(EvidenceFact, fact).where(
        or_(EvidenceFact.id.is_(None), EvidenceFact.withdrawn != Evidence.withdrawn)
    )


def _inspection_states() -> Any:  # noqa: ANN401  a SELECT
    fact: ColumnElement[bool] = (InspectionFact.inspection_id == Inspection.id) & known(InspectionFact)
    query = select(Inspection.number, Inspection.state, InspectionFact.state)
    return query.outerjoin(InspectionFact, fact).where(
        or_(InspectionFact.id.is_(None), InspectionFact.state != Inspection.state)
    )
