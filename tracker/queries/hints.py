"""Hints on a sampled duty, for the inspectors of the check alone; printed nowhere and counted in no score."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, and_, bindparam, func, or_, select, true
from sqlalchemy.orm import Session, aliased

from tracker.domain.actor import Actor
from tracker.domain.hints import (
    Elsewhere,
    FileSeen,
    Hint,
    alike,
    burst,
    burst_window,
    camera_days,
    far_acts,
    near_bands,
    near_ones,
    thin_documents,
    usual_window,
)
from tracker.models import (
    Duty,
    Evidence,
    EvidenceFact,
    EvidenceFile,
    EvidenceLink,
    FileTrait,
    Inspection,
    Organization,
    StoredFile,
)
from tracker.policy import Act, can, visible
from tracker.queries.columns import Columns, read
from tracker.queries.history import SHANGHAI, known
from tracker.queries.inspections import fact_of, is_sampled

PICTURES = 400  # of one duty that are compared; with more, the numbers would not fit into one question
PLACES = 60  # other records with the same or nearly the same files


def hints_on(
    session: Session, actor: Actor, inspection: Inspection, duty: Duty, *, as_of: datetime | None = None
) -> list[Hint]:
    """What could be worth a look at a sampled duty; nothing for anybody but the team of the open check."""
    if not can(session, actor, Act.INSPECT, inspection) or not is_sampled(session, inspection, duty):
        return []
    return hints_about(session, actor, duty, fact_of(session, inspection, as_of=as_of).starts_on, as_of=as_of)


def hints_about(
    session: Session, actor: Actor, duty: Duty, check_on: date, *, as_of: datetime | None = None
) -> list[Hint]:
    """The same for whoever is known to be in the team of the open check: the first day of that check is `check_on`.

    The same number of queries, however many files there are. Files whose traits are not worked out yet count for what
    needs none.
    """
    files, acts = _behind(session, duty, as_of=as_of)
    hints = [
        *alike(files, _elsewhere(session, actor, duty, files, as_of=as_of)),
        *camera_days(files, duty.period_starts_on, duty.period_ends_on),
        *far_acts(acts),
        *thin_documents(files),
    ]
    sudden = _burst(session, duty, files, check_on, as_of=as_of)
    return [*hints, sudden] if sudden else hints


def _serving(duty_id: int | BindParameter[int], as_of: datetime | None) -> Any:  # noqa: ANN401  a SELECT of record ids
    return select(EvidenceLink.evidence_id).where(EvidenceLink.duty_id == duty_id, known(EvidenceLink, as_of))


def _behind(
    session: Session, duty: Duty, *, as_of: datetime | None
) -> tuple[list[FileSeen], list[tuple[str, date, date]]]:
    """The files behind a duty, and the records: key, day of the act, day of the first upload, or of the entry."""
    files: list[FileSeen] = []
    acts: dict[str, tuple[str, date, date]] = {}
    for record, act_on, entered_at, at, is_sealed, *seen in read(session, _records(as_of), {"duty": duty.id}).all():
        day = _day(at or entered_at)
        acts[record] = min(acts.get(record, (record, act_on, day)), (record, act_on, day))
        if at is not None and not is_sealed:
            file, name, *traits = seen
            files.append(FileSeen(file, record, name, act_on, day, *traits))
    return files, list(acts.values())


@lru_cache(maxsize=16)
def _records(as_of: datetime | None) -> Columns:
    """The records behind a duty, each with what `FileSeen` says of each of its files."""
    return (
        select(
            Evidence.key,
            EvidenceFact.act_on,
            Evidence.entered_at,
            EvidenceFile.recorded_at,
            StoredFile.sealed_at.is_not(None),
            StoredFile.id,
            EvidenceFile.name,
            FileTrait.picture,
            FileTrait.taken_on,
            FileTrait.characters,
        )
        .join(EvidenceFact, EvidenceFact.evidence_id == Evidence.id)
        .outerjoin(EvidenceFile, and_(EvidenceFile.evidence_id == Evidence.id, known(EvidenceFile, as_of)))
        .outerjoin(StoredFile, StoredFile.id == EvidenceFile.stored_file_id)
        .outerjoin(FileTrait, FileTrait.stored_file_id == EvidenceFile.stored_file_id)
        .where(
            Evidence.id.in_(_serving(bindparam("duty"), as_of)),
            known(EvidenceFact, as_of),
            EvidenceFact.withdrawn.is_(False),
        )
        .order_by(Evidence.id, EvidenceFile.id)
    )


def _day(at: datetime) -> date:
    return at.astimezone(SHANGHAI).date()


def _elsewhere(
    session: Session, actor: Actor, duty: Duty, files: Sequence[FileSeen], *, as_of: datetime | None
) -> list[Elsewhere]:
    """Other records with the same files or nearly the same pictures, in another unit or for another period."""
    if not files:
        return []
    wanted = {file.file for file in files} | _near_files(session, files)
    rows = session.execute(
        select(
            EvidenceFile.stored_file_id,
            Evidence.key,
            Organization.name,
            EvidenceFact.act_on,
            Evidence.unit_id != duty.unit_id,
            _in_other_period(duty, as_of),
            FileTrait.picture,
            visible(actor, EvidenceFile),
        )
        .join(Evidence, Evidence.id == EvidenceFile.evidence_id)
        .join(EvidenceFact, EvidenceFact.evidence_id == Evidence.id)
        .join(Organization, Organization.id == Evidence.organization_id)
        .outerjoin(FileTrait, FileTrait.stored_file_id == EvidenceFile.stored_file_id)
        .where(
            EvidenceFile.stored_file_id.in_(wanted),
            Evidence.id.not_in(_serving(duty.id, as_of)),
            known(EvidenceFile, as_of),
            known(EvidenceFact, as_of),
            EvidenceFact.withdrawn.is_(False),
            or_(Evidence.unit_id != duty.unit_id, _in_other_period(duty, as_of)),
        )
        .order_by(EvidenceFile.id.desc())
        .limit(PLACES)
    )
    return [
        Elsewhere(file, record, name, act_on, bool(seen), bool(unit), bool(period), picture)
        for file, record, name, act_on, unit, period, picture, seen in rows
    ]


def _in_other_period(duty: Duty, as_of: datetime | None) -> ColumnElement[bool]:
    """Whether a record serves no duty of a period that meets this one; where it serves none, its act lies outside."""
    link, other = aliased(EvidenceLink), aliased(Duty)
    meets = and_(other.period_starts_on <= duty.period_ends_on, other.period_ends_on >= duty.period_starts_on)
    served = (
        select(link.id)
        .join(other, other.id == link.duty_id)
        .where(link.evidence_id == Evidence.id, _known_link(link, as_of))
        .correlate(Evidence)
    )
    outside = ~EvidenceFact.act_on.between(duty.period_starts_on, duty.period_ends_on)
    return and_(~served.where(meets).exists(), or_(served.exists(), outside))


def _known_link(link: Any, as_of: datetime | None) -> ColumnElement[bool]:  # noqa: ANN401  an aliased entity
    return known(link, as_of)


def _near_files(session: Session, files: Sequence[FileSeen]) -> set[int]:
    """Files with nearly the same picture as one of these: a band of the hash agrees, then the whole is compared."""
    mine = sorted({file.picture for file in files if file.picture})[:PICTURES]
    if not mine:
        return set()
    columns = (FileTrait.band_1, FileTrait.band_2, FileTrait.band_3, FileTrait.band_4, FileTrait.band_5)
    agrees = (column.in_(sorted(values)) for column, values in zip(columns, near_bands(mine), strict=True))
    rows = session.execute(select(FileTrait.stored_file_id, FileTrait.picture).where(or_(*agrees)))
    found = near_ones(((number, picture) for number, picture in rows if picture), mine)
    return found - {file.file for file in files}


def _burst(
    session: Session, duty: Duty, files: Sequence[FileSeen], check_on: date, *, as_of: datetime | None
) -> Hint | None:
    since, until = burst_window(check_on)
    here = sum(since <= file.uploaded_on <= until for file in files)
    if not here:
        return None
    count, before = _uploads(session, duty, [(since, until), usual_window(check_on)], as_of=as_of)
    return burst(check_on, here=here, count=count, before=before)


def _uploads(
    session: Session, duty: Duty, spans: Sequence[tuple[date, date]], *, as_of: datetime | None
) -> Sequence[int]:
    """How many files the organization of a duty uploaded in each span, those taken off later among them."""
    counts = [
        func.count(EvidenceFile.id).filter(EvidenceFile.recorded_at >= begin, EvidenceFile.recorded_at < end)
        for begin, end in (_moments(since, until) for since, until in spans)
    ]
    query = (
        select(*counts)
        .join(Evidence, Evidence.id == EvidenceFile.evidence_id)
        .where(
            Evidence.organization_id == duty.organization_id,
            EvidenceFile.recorded_at <= as_of if as_of else true(),
        )
    )
    return list(session.execute(query).one())


def _moments(since: date, until: date) -> tuple[datetime, datetime]:
    """The first moment of a span of days, and the first after it."""
    return datetime.combine(since, time.min, SHANGHAI), datetime.combine(until + timedelta(days=1), time.min, SHANGHAI)
