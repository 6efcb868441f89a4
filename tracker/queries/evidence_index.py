"""The evidence index of a report: what was recorded, by which post, with which files, and whether it was confirmed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Row, func, select

from tracker.domain import report as printed
from tracker.domain.duty import State
from tracker.domain.text import _n
from tracker.models import (
    Appointment,
    Duty,
    Evidence,
    EvidenceFact,
    EvidenceFile,
    EvidenceLink,
    Seat,
    SignOff,
    StoredFile,
)
from tracker.queries.duties import DutyThen
from tracker.queries.history import SHANGHAI, known
from tracker.queries.reports import Setting


def evidence_index(setting: Setting, duties: Sequence[DutyThen]) -> tuple[printed.EvidenceEntry, ...]:
    """The records that serve these duties, by number."""
    ids = [duty.id for duty in duties]
    links = list(
        setting.session.execute(
            select(EvidenceLink.evidence_id, Duty.id, Duty.item_id)
            .join(Duty, Duty.id == EvidenceLink.duty_id)
            .where(EvidenceLink.duty_id.in_(ids), known(EvidenceLink, setting.as_of))
        )
    )
    items: defaultdict[int, set[str]] = defaultdict(set)
    served: defaultdict[int, set[int]] = defaultdict(set)
    for evidence_id, duty_id, item_id in links:
        items[evidence_id].add(item_id)
        served[evidence_id].add(duty_id)
    files = _files(setting, list(items))
    confirmed = _confirmed(setting, [duty.id for duty in duties if duty.shown is State.CONFIRMED])
    rows = setting.session.execute(
        select(Evidence, EvidenceFact)
        .join(EvidenceFact, EvidenceFact.evidence_id == Evidence.id)
        .where(Evidence.id.in_(items), known(EvidenceFact, setting.as_of))
    )
    posts = _posts(setting)
    return tuple(
        printed.EvidenceEntry(
            number=evidence.key,
            sentence=fact.sentence or "",
            organization=setting.nodes[evidence.organization_id].name,
            acted_on=fact.act_on,
            recorded_at=evidence.entered_at,
            uploaded_by=posts.get(evidence.entered_as, ""),
            files=tuple(files.get(evidence.id, ())),
            items=tuple(sorted(items[evidence.id])),
            sign_off=_signed_words(setting, served[evidence.id], confirmed),
            withdrawn=fact.withdrawn,
            sealed=fact.sealed_at is not None and fact.sealed_at <= setting.as_of,
        )
        for evidence, fact in in_order(setting, rows)
    )


def in_order(setting: Setting, rows: Iterable[Row[Evidence, EvidenceFact]]) -> list[tuple[Evidence, EvidenceFact]]:
    """Records as a document lists them: organizations in official order, in each by number, on every database."""
    place = {number: index for index, number in enumerate(setting.nodes)}
    pairs = [(evidence, fact) for evidence, fact in rows]
    return sorted(pairs, key=lambda pair: (place.get(pair[0].organization_id, 0), pair[0].key[:4], pair[0].number))


def _files(setting: Setting, evidence: Sequence[int]) -> dict[int, list[printed.EvidenceFile]]:
    rows = setting.session.execute(
        select(EvidenceFile.evidence_id, EvidenceFile.name, StoredFile)
        .join(StoredFile, StoredFile.id == EvidenceFile.stored_file_id)
        .where(EvidenceFile.evidence_id.in_(evidence), known(EvidenceFile, setting.as_of))
        .order_by(EvidenceFile.id)
    )
    found: defaultdict[int, list[printed.EvidenceFile]] = defaultdict(list)
    for evidence_id, name, stored in rows:
        sealed = stored.sealed_at is not None and stored.sealed_at <= setting.as_of
        found[evidence_id].append(
            printed.EvidenceFile(name=name, size=stored.size, sha256=stored.sha256, sealed=sealed)
        )
    return found


def _posts(setting: Setting) -> dict[str, str]:
    """The name of the post behind the key of an appointment."""
    query = select(Appointment.key, Seat.post).join(Seat, Seat.id == Appointment.seat_id)
    return {key: setting.post(post) for key, post in setting.session.execute(query)}


def _confirmed(setting: Setting, duties: Sequence[int]) -> dict[int, datetime]:
    """When duties that stand confirmed came to do so: at their last sign-off."""
    query = (
        select(SignOff.duty_id, func.max(SignOff.at))
        .where(SignOff.duty_id.in_(duties), SignOff.at <= setting.as_of)
        .group_by(SignOff.duty_id)
    )
    return {row[0]: row[1] for row in setting.session.execute(query)}


def _signed_words(setting: Setting, served: set[int], confirmed: Mapping[int, datetime]) -> str:
    done = sorted(confirmed[duty] for duty in served if duty in confirmed)
    if not done:
        return setting.words(_n("尚未确认"))
    day = done[-1].astimezone(SHANGHAI).date().isoformat()
    return setting.words(_n("%(day)s 确认（%(done)s/%(all)s 项）")) % {
        "day": day,
        "done": len(done),
        "all": len(served),
    }
