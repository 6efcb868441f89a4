"""Records and their files: what stands behind duties, who entered it, and how much room it takes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from itertools import pairwise
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Select, and_, bindparam, case, func, or_, select, true, union
from sqlalchemy.orm import Session, aliased

from tracker.domain.actor import Actor
from tracker.domain.duty import Standing, State
from tracker.domain.media import KINDS, Preview
from tracker.domain.sign_off import EvidenceContent, FileContent
from tracker.models import (
    Duty,
    Evidence,
    EvidenceFact,
    EvidenceFile,
    EvidenceLink,
    Organization,
    Person,
    Recorded,
    SignOff,
    StoredFile,
)
from tracker.policy import visible
from tracker.queries.columns import Columns, read
from tracker.queries.history import known
from tracker.queries.organizations import name_of as name_of_place
from tracker.queries.people import name_of

Ids = Collection[int] | Select[Any]
_SOME: BindParameter[int] = bindparam("duties", expanding=True)


def contents_of(session: Session, duties: Ids, *, as_of: datetime | None = None) -> dict[int, list[EvidenceContent]]:
    """The records behind duties, as a sign-off covers them, by the duty's row number; withdrawn ones among them.

    Two queries, however many duties there are.
    """
    if isinstance(duties, Select):
        stated, filed, given = _stated(duties, as_of), _filed(duties, as_of), {}
    else:
        (stated, filed), given = _contents_of_some(as_of), {"duties": list(duties)}
    files: defaultdict[int, list[FileContent]] = defaultdict(list)
    for evidence_id, *file in read(session, filed, given):
        files[evidence_id].append(FileContent(*file))
    found: defaultdict[int, list[EvidenceContent]] = defaultdict(list)
    for duty_id, evidence_id, key, act_on, sentence, counts, withdrawn in read(session, stated, given):
        content = EvidenceContent(key, act_on, sentence, counts, tuple(files.get(evidence_id, ())), withdrawn)
        found[duty_id].append(content)
    return dict(found)


@lru_cache(maxsize=16)
def _contents_of_some(as_of: datetime | None) -> tuple[Columns, Columns]:
    return _stated(_SOME, as_of), _filed(_SOME, as_of)


def _stated(duties: Select[Any] | BindParameter[int], as_of: datetime | None) -> Columns:
    """What the records of duties say, their files left out."""
    return (
        select(
            EvidenceLink.duty_id,
            Evidence.id,
            Evidence.key,
            EvidenceFact.act_on,
            EvidenceFact.sentence_sha256,
            EvidenceFact.counts,
            EvidenceFact.withdrawn,
        )
        .join(Evidence, Evidence.id == EvidenceLink.evidence_id)
        .join(EvidenceFact, EvidenceFact.evidence_id == Evidence.id)
        .where(EvidenceLink.duty_id.in_(duties), known(EvidenceLink, as_of), known(EvidenceFact, as_of))
        .order_by(EvidenceLink.duty_id, Evidence.id)
    )


def _filed(duties: Select[Any] | BindParameter[int], as_of: datetime | None) -> Columns:
    """The files of the records of duties."""
    serving = select(EvidenceLink.evidence_id).where(EvidenceLink.duty_id.in_(duties), known(EvidenceLink, as_of))
    return (
        select(EvidenceFile.evidence_id, EvidenceFile.name, StoredFile.sha256, StoredFile.size)
        .join(StoredFile, StoredFile.id == EvidenceFile.stored_file_id)
        .where(EvidenceFile.evidence_id.in_(serving), known(EvidenceFile, as_of))
        .order_by(EvidenceFile.id)
    )


def doers_of(session: Session, duties: Ids, *, as_of: datetime | None = None) -> dict[int, dict[int, str]]:
    """Who submitted duties or entered anything of the records behind them: person keys by row number, by duty.

    Corrections and files that were superseded count as well: whoever had a hand in it does not confirm it.
    """
    if isinstance(duties, Select):
        rows = read(session, _hands(duties, as_of))
    else:
        rows = read(session, _hands_of_some(as_of), {"duties": list(duties)})
    found: defaultdict[int, dict[int, str]] = defaultdict(dict)
    for duty_id, person_id, key in rows:
        found[duty_id][person_id] = key
    return dict(found)


@lru_cache(maxsize=16)
def _hands_of_some(as_of: datetime | None) -> Select[int, int, str]:
    return _hands(_SOME, as_of)


def _hands(duties: Select[Any] | BindParameter[int], as_of: datetime | None) -> Select[int, int, str]:
    """A duty and a person who had a hand in it, once for each pair."""
    link, fact, file = EvidenceLink, EvidenceFact, EvidenceFile
    linked = select(link.duty_id, link.evidence_id).where(link.duty_id.in_(duties), known(link, as_of)).subquery()
    hands = union(
        select(Duty.id.label("duty"), _submitter(as_of).label("person")).where(Duty.id.in_(duties)),
        select(link.duty_id, link.linked_by_id).where(link.duty_id.in_(duties), known(link, as_of)),
        select(linked.c.duty_id, Evidence.entered_by_id).join(Evidence, Evidence.id == linked.c.evidence_id),
        select(linked.c.duty_id, fact.entered_by_id).join(
            fact, and_(fact.evidence_id == linked.c.evidence_id, _recorded_by(fact, as_of))
        ),
        select(linked.c.duty_id, file.uploaded_by_id).join(
            file, and_(file.evidence_id == linked.c.evidence_id, _recorded_by(file, as_of))
        ),
    ).subquery()
    return select(hands.c.duty, Person.id, Person.key).join(Person, Person.id == hands.c.person)


def _submitter(as_of: datetime | None) -> ColumnElement[int | None]:
    """Who handed a duty in last, as a column of its row."""
    if as_of is None:
        return Duty.submitted_by_id.expression
    signed = select(SignOff.submitter_id).where(SignOff.duty_id == Duty.id, SignOff.at <= as_of)
    return signed.order_by(SignOff.number.desc()).limit(1).scalar_subquery()


def _recorded_by(model: type[Recorded], as_of: datetime | None) -> ColumnElement[bool]:
    """The filter that leaves what was recorded by then, superseded or not."""
    return true() if as_of is None else model.recorded_at <= as_of


def bytes_held(session: Session, organization_id: int) -> int:
    """How many bytes the records of an organization hold, each digest counted once."""
    digests = (
        select(EvidenceFile.stored_file_id)
        .join(Evidence, Evidence.id == EvidenceFile.evidence_id)
        .where(Evidence.organization_id == organization_id, known(EvidenceFile))
    )
    total = select(func.coalesce(func.sum(StoredFile.size), 0)).where(StoredFile.id.in_(digests))
    return int(session.scalar(total) or 0)


@dataclass(frozen=True)
class Attached:
    """A file of a record: `kind` is the code of its kind, `taken_off` when it was taken off again."""

    name: str
    sha256: str
    size: int
    media_type: str
    facts: Mapping[str, Any]
    location_removed: bool
    uploaded_by: str
    uploaded_at: datetime
    taken_off: datetime | None
    sealed_at: datetime | None

    @property
    def kind(self) -> str:
        """The code of its kind."""
        return str(self.facts.get("kind", ""))

    @property
    def has_preview(self) -> bool:
        """Whether a picture of it can be shown."""
        return self.kind in KINDS and KINDS[self.kind].preview is not Preview.NONE


@dataclass(frozen=True)
class Record:
    """A record as a page shows it. `sentence` is None once it is sealed; `stated_at` is when it was said like this."""

    id: int
    key: str
    organization: str
    act_on: date
    sentence: str | None
    counts: Mapping[str, int]
    withdrawn: bool
    reason: str | None
    entered_by: str
    entered_at: datetime
    stated_at: datetime
    files: tuple[Attached, ...]

    @property
    def corrected(self) -> bool:
        """Whether it said something else when it was entered."""
        return self.stated_at > self.entered_at


def records_of(session: Session, duty_id: int, *, as_of: datetime | None = None) -> list[Record]:
    """The records that served a duty at a time, withdrawn ones included, oldest act first. Two queries."""
    return _with_files(session, read(session, _serving(as_of), {"duty": duty_id}).all(), as_of=as_of)


def is_prepared() -> ColumnElement[bool]:
    """Whether a record that is not withdrawn serves a duty that waits to be handed in, as a column of its row."""
    waits = Duty.state.in_((State.OPEN, State.RETURNED))
    serving = select(EvidenceLink.id).join(Evidence, Evidence.id == EvidenceLink.evidence_id)
    valid = serving.where(EvidenceLink.duty_id == Duty.id, known(EvidenceLink), Evidence.withdrawn.is_(False), waits)
    return valid.correlate(Duty).exists()


def evidence_named(session: Session, key: str, *, actor: Actor) -> Evidence | None:
    """The record of that key, if a person may see it."""
    return session.scalar(select(Evidence).where(Evidence.key == key, visible(actor, Evidence)))


def record_of(session: Session, evidence: Evidence, *, as_of: datetime | None = None) -> Record:
    """One record, as known at a time."""
    rows = session.execute(_records(as_of).where(Evidence.id == evidence.id)).all()
    return _with_files(session, rows, as_of=as_of)[0]


@dataclass(frozen=True)
class Statement:
    """What a record said before. `sentence` is None once it is sealed."""

    act_on: date
    sentence: str | None
    counts: Mapping[str, int]
    stated_by: str
    since: datetime
    until: datetime


@dataclass(frozen=True)
class Before:
    """What was part of a record and is no longer: what it said, and the files that were taken off."""

    statements: tuple[Statement, ...]
    files: tuple[Attached, ...]


def before_of(session: Session, evidence: Evidence, *, as_of: datetime | None = None) -> Before:
    """What a record said and held before, by then, oldest first. Two queries.

    To withdraw a record says nothing new: that it did is not among its statements.
    """
    rows = read(session, _said(as_of), {"record": evidence.id}).all()
    statements = tuple(
        Statement(old.act_on, old.sentence, old.counts, old.stated_by, old.recorded_at, new.recorded_at)
        for old, new in pairwise(rows)
        if _differ(old, new)
    )
    files = _attached(session, [evidence.id], as_of=as_of).get(evidence.id, [])
    return Before(statements, tuple(file for file in files if file.taken_off is not None))


def _differ(old: Any, new: Any) -> bool:  # noqa: ANN401  rows of `_said`
    return (old.act_on, old.sentence_sha256, old.counts) != (new.act_on, new.sentence_sha256, new.counts)


@lru_cache(maxsize=16)
def _said(as_of: datetime | None) -> Columns:
    """Everything that a record ever said by then, oldest first: the digest, then what `Statement` says of it."""
    return (
        select(
            EvidenceFact.sentence_sha256,
            EvidenceFact.act_on,
            EvidenceFact.sentence,
            EvidenceFact.counts,
            name_of(EvidenceFact.entered_by_id, as_of=as_of).label("stated_by"),
            EvidenceFact.recorded_at,
        )
        .where(EvidenceFact.evidence_id == bindparam("record"), _recorded_by(EvidenceFact, as_of))
        .order_by(EvidenceFact.id)
    )


def earlier_records(session: Session, duty: Duty, *, actor: Actor, limit: int = 8) -> list[Record]:
    """Records of the organization that could serve this duty too, of the same occasion first, the latest first.

    They serve a duty of the same occasion or period, were done in the duty's days, and are not withdrawn.
    """
    other, here = Duty.__table__.alias(), EvidenceLink.__table__.alias()
    together = other.c.occasion == duty.occasion if duty.occasion else other.c.id.is_(None)
    same_period = (other.c.period_starts_on == duty.period_starts_on) & (other.c.period_ends_on == duty.period_ends_on)
    used = select(here.c.evidence_id).where(here.c.duty_id == duty.id, here.c.superseded_at.is_(None))
    found = session.execute(
        select(Evidence.id, func.min(case((together, 0), else_=1)).label("rank"))
        .join(EvidenceFact, EvidenceFact.evidence_id == Evidence.id)
        .join(EvidenceLink, EvidenceLink.evidence_id == Evidence.id)
        .join(other, other.c.id == EvidenceLink.duty_id)
        .where(
            known(EvidenceFact),
            known(EvidenceLink),
            EvidenceFact.withdrawn.is_(False),
            EvidenceFact.act_on.between(duty.starts_on, duty.ends_on),
            Evidence.cycle_id == duty.cycle_id,
            other.c.organization_id == duty.organization_id,
            or_(together, same_period),
            Evidence.id.not_in(used),
            visible(actor, Evidence),
        )
        .group_by(Evidence.id)
        .order_by("rank", Evidence.id.desc())
        .limit(limit)
    ).all()
    order = {number: place for place, (number, _) in enumerate(found)}
    rows = session.execute(_records(None).where(Evidence.id.in_(order))).all() if order else []
    return sorted(_with_files(session, rows), key=lambda record: order[record.id])


@dataclass(frozen=True)
class Served:
    """A duty that a record serves."""

    key: str
    organization: str
    item_id: str
    cycle_id: int
    period: str
    occurrence: int
    due_on: date
    state: State
    is_changed: bool
    seat_id: int
    content_digest: str

    @property
    def is_signed(self) -> bool:
        """Whether a signature stands on it, so that its records are not changed."""
        return self.state not in {State.OPEN, State.RETURNED}

    @property
    def waits_again(self) -> bool:
        """Whether it was handed in, changed since, and has to be handed in anew."""
        return self.is_signed and Standing(self.state, self.is_changed).waits_for_holder


def duties_served(session: Session, evidence: Evidence, *, actor: Actor) -> Sequence[Served]:
    """The duties that a record serves, as far as this person may see them."""
    rows = session.execute(
        select(
            Duty.key,
            Organization.name,
            Duty.item_id,
            Duty.cycle_id,
            Duty.period,
            Duty.occurrence,
            Duty.due_on,
            Duty.state,
            Duty.is_changed,
            Duty.seat_id,
            Duty.content_digest,
        )
        .join(EvidenceLink, EvidenceLink.duty_id == Duty.id)
        .join(Organization, Organization.id == Duty.organization_id)
        .where(EvidenceLink.evidence_id == evidence.id, known(EvidenceLink), visible(actor, Duty))
        .order_by(Duty.due_on, Duty.key)
    )
    return [Served(*row) for row in rows]


def bound_beside(session: Session, duty: Duty) -> tuple[list[str], int]:
    """Which records of a duty serve others that are signed, so that nobody changes them yet, and how many others."""
    here, there, other = EvidenceLink, aliased(EvidenceLink), aliased(Duty)
    rows = session.execute(
        select(Evidence.key, other.id)
        .join(here, here.evidence_id == Evidence.id)
        .join(there, there.evidence_id == Evidence.id)
        .join(other, other.id == there.duty_id)
        .where(
            here.duty_id == duty.id,
            known(here),
            there.superseded_at.is_(None),
            Evidence.withdrawn.is_(False),
            other.id != duty.id,
            other.state.not_in((State.OPEN, State.RETURNED)),
        )
        .order_by(Evidence.id)
    ).all()
    return list(dict.fromkeys(key for key, _ in rows)), len({number for _, number in rows})


def file_of(session: Session, evidence: Evidence, sha256: str) -> Attached | None:
    """The file of that digest that is, or was, part of the record."""
    return next(
        (file for file in _attached(session, [evidence.id]).get(evidence.id, []) if file.sha256 == sha256), None
    )


@lru_cache(maxsize=16)
def _records(as_of: datetime | None) -> Columns:
    """What `Record` says of every record, its files left out."""
    return (
        select(
            Evidence.id,
            Evidence.key,
            name_of_place(Evidence.organization_id, as_of=as_of),
            EvidenceFact.act_on,
            EvidenceFact.sentence,
            EvidenceFact.counts,
            EvidenceFact.withdrawn,
            EvidenceFact.reason,
            name_of(Evidence.entered_by_id, as_of=as_of),
            Evidence.entered_at,
            EvidenceFact.recorded_at,
        )
        .join(EvidenceFact, EvidenceFact.evidence_id == Evidence.id)
        .where(known(EvidenceFact, as_of))
        .order_by(EvidenceFact.act_on, Evidence.id)
    )


@lru_cache(maxsize=16)
def _serving(as_of: datetime | None) -> Columns:
    """The same of the records that served a duty."""
    linked = EvidenceLink.duty_id == bindparam("duty"), known(EvidenceLink, as_of)
    return _records(as_of).where(Evidence.id.in_(select(EvidenceLink.evidence_id).where(*linked)))


def _with_files(session: Session, rows: Sequence[Any], *, as_of: datetime | None = None) -> list[Record]:
    files = _attached(session, [row[0] for row in rows], as_of=as_of) if rows else {}
    standing = ((row, [file for file in files.get(row[0], []) if file.taken_off is None]) for row in rows)
    return [Record(*(*row, tuple(kept))) for row, kept in standing]


def _attached(
    session: Session, records: Collection[int], *, as_of: datetime | None = None
) -> dict[int, list[Attached]]:
    """The files of records by then; one that was taken off later was still there."""
    found: defaultdict[int, list[Attached]] = defaultdict(list)
    for number, *values in read(session, _files(as_of), {"records": records}):
        found[number].append(Attached(*values))
    return found


@lru_cache(maxsize=16)
def _files(as_of: datetime | None) -> Columns:
    """What `Attached` says of every file of some records."""
    taken_off = EvidenceFile.superseded_at
    off = taken_off if as_of is None else case((taken_off <= as_of, taken_off), else_=None)
    return (
        select(
            EvidenceFile.evidence_id,
            EvidenceFile.name,
            StoredFile.sha256,
            StoredFile.size,
            StoredFile.media_type,
            StoredFile.facts,
            EvidenceFile.location_removed,
            name_of(EvidenceFile.uploaded_by_id, as_of=as_of),
            EvidenceFile.recorded_at,
            off,
            StoredFile.sealed_at,
        )
        .join(StoredFile, StoredFile.id == EvidenceFile.stored_file_id)
        .where(EvidenceFile.evidence_id.in_(bindparam("records", expanding=True)), _recorded_by(EvidenceFile, as_of))
        .order_by(off.is_not(None), EvidenceFile.id)
    )
