"""What a record writes, as values: its rows, and what the log tells of it. Nothing here asks the database."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from tracker.domain.sign_off import EvidenceContent, FileContent, text_digest
from tracker.storage.intake import Accepted


@dataclass(frozen=True)
class Entry:
    """What a record says, once it has been checked."""

    act_on: date
    sentence: str
    counts: Mapping[str, int]


@dataclass(frozen=True)
class Owner:
    """Whose record it is: row numbers of the organization, its unit and the year; who enters it, as what."""

    organization_id: int
    unit_id: int
    cycle_id: int
    person_id: int | None
    entered_as: str = ""


def evidence_key(*, year: int, code: str, number: int) -> str:
    """The public id of a record: the evidence number that is printed."""
    return f"{year}.{code}.{number}"


def evidence_row(key: str, number: int, owner: Owner, *, now: datetime) -> dict[str, Any]:
    """The row of `Evidence`, without its row number."""
    return {
        "key": key,
        "number": number,
        "cycle_id": owner.cycle_id,
        "unit_id": owner.unit_id,
        "organization_id": owner.organization_id,
        "entered_by_id": owner.person_id,
        "entered_as": owner.entered_as,
        "entered_at": now,
        "withdrawn": False,
    }


def fact_row(evidence_id: int, entry: Entry, *, person_id: int | None, now: datetime) -> dict[str, Any]:
    """The row of `EvidenceFact`."""
    return {
        "evidence_id": evidence_id,
        "act_on": entry.act_on,
        "sentence": entry.sentence,
        "sentence_sha256": text_digest(entry.sentence),
        "counts": dict(entry.counts),
        "withdrawn": False,
        "entered_by_id": person_id,
        "recorded_at": now,
    }


def stored_row(file: Accepted, *, now: datetime) -> dict[str, Any]:
    """The row of `StoredFile`, without its row number."""
    return {
        "sha256": file.sha256,
        "size": file.size,
        "media_type": file.media_type,
        "facts": dict(file.facts),
        "stored_at": now,
    }


def file_row(
    evidence_id: int, stored_file_id: int, file: Accepted, *, person_id: int | None, now: datetime
) -> dict[str, Any]:
    """The row of `EvidenceFile`."""
    return {
        "evidence_id": evidence_id,
        "stored_file_id": stored_file_id,
        "name": file.name,
        "location_removed": file.location_removed,
        "uploaded_by_id": person_id,
        "recorded_at": now,
    }


def link_row(evidence_id: int, duty_id: int, *, person_id: int | None, now: datetime) -> dict[str, Any]:
    """The row of `EvidenceLink`."""
    return {"evidence_id": evidence_id, "duty_id": duty_id, "linked_by_id": person_id, "recorded_at": now}


def content(key: str, fact: Mapping[str, Any], files: Sequence[Accepted]) -> EvidenceContent:
    """The record as a sign-off covers it."""
    covered = tuple(FileContent(file.name, file.sha256, file.size) for file in files)
    return EvidenceContent(key, fact["act_on"], fact["sentence_sha256"], fact["counts"], covered)


def told(entry: Entry, files: Sequence[Accepted], duty_keys: Collection[str]) -> dict[str, Any]:
    """What the log keeps of an entry: the sentence by its digest, so that a seal need not reach into the log."""
    after: dict[str, Any] = {
        "act_on": entry.act_on,
        "sentence_sha256": text_digest(entry.sentence),
        "counts": dict(entry.counts),
    }
    if files:
        after["files"] = sorted(file.sha256 for file in files)
    if duty_keys:
        after["duties"] = sorted(duty_keys)
    return after
