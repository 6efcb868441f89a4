"""Records and their files: what stands behind duties, who entered it, and how much room it takes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select, union
from sqlalchemy.orm import Session

from tracker.domain.sign_off import EvidenceContent, FileContent
from tracker.models import Duty, Evidence, EvidenceFact, EvidenceFile, EvidenceLink, Person, StoredFile
from tracker.queries.history import known

Ids = Collection[int] | Select[Any]


def contents_of(session: Session, duties: Ids, *, as_of: datetime | None = None) -> dict[int, list[EvidenceContent]]:
    """The records behind duties, as a sign-off covers them, by the duty's row number; withdrawn ones among them.

    Two queries, however many duties there are.
    """
    serving = select(EvidenceLink.evidence_id).where(EvidenceLink.duty_id.in_(duties), known(EvidenceLink, as_of))
    files = _files_of(session, serving, as_of=as_of)
    rows = session.execute(
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
    found: defaultdict[int, list[EvidenceContent]] = defaultdict(list)
    for duty_id, evidence_id, key, act_on, sentence, counts, withdrawn in rows:
        content = EvidenceContent(key, act_on, sentence, counts, tuple(files.get(evidence_id, ())), withdrawn)
        found[duty_id].append(content)
    return dict(found)


def _files_of(session: Session, records: Select[Any], *, as_of: datetime | None) -> Mapping[int, list[FileContent]]:
    rows = session.execute(
        select(EvidenceFile.evidence_id, EvidenceFile.name, StoredFile.sha256, StoredFile.size)
        .join(StoredFile, StoredFile.id == EvidenceFile.stored_file_id)
        .where(EvidenceFile.evidence_id.in_(records), known(EvidenceFile, as_of))
        .order_by(EvidenceFile.id)
    )
    found: defaultdict[int, list[FileContent]] = defaultdict(list)
    for evidence_id, name, sha256, size in rows:
        found[evidence_id].append(FileContent(name, sha256, size))
    return found


def doers_of(session: Session, duties: Ids) -> dict[int, dict[int, str]]:
    """Who submitted duties or entered anything of the records behind them: person keys by row number, by duty.

    Corrections and files that were superseded count as well: whoever had a hand in it does not confirm it.
    """
    link = EvidenceLink
    linked = select(link.duty_id, link.evidence_id).where(link.duty_id.in_(duties), known(link)).subquery()
    hands = union(
        select(Duty.id.label("duty"), Duty.submitted_by_id.label("person")).where(Duty.id.in_(duties)),
        select(link.duty_id, link.linked_by_id).where(link.duty_id.in_(duties), known(link)),
        select(linked.c.duty_id, Evidence.entered_by_id).join(Evidence, Evidence.id == linked.c.evidence_id),
        select(linked.c.duty_id, EvidenceFact.entered_by_id).join(
            EvidenceFact, EvidenceFact.evidence_id == linked.c.evidence_id
        ),
        select(linked.c.duty_id, EvidenceFile.uploaded_by_id).join(
            EvidenceFile, EvidenceFile.evidence_id == linked.c.evidence_id
        ),
    ).subquery()
    rows = session.execute(select(hands.c.duty, Person.id, Person.key).join(Person, Person.id == hands.c.person))
    found: defaultdict[int, dict[int, str]] = defaultdict(dict)
    for duty_id, person_id, key in rows:
        found[duty_id][person_id] = key
    return dict(found)


def bytes_held(session: Session, organization_id: int) -> int:
    """How many bytes the records of an organization hold, each digest counted once."""
    digests = (
        select(EvidenceFile.stored_file_id)
        .join(Evidence, Evidence.id == EvidenceFile.evidence_id)
        .where(Evidence.organization_id == organization_id, known(EvidenceFile))
    )
    total = select(func.coalesce(func.sum(StoredFile.size), 0)).where(StoredFile.id.in_(digests))
    return int(session.scalar(total) or 0)
