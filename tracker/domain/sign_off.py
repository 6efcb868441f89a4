"""What exactly is signed: the content of a duty and the signature over it, in versioned canonical forms.

To redo a digest without this program: write the object that `duty_content` or `signature_content` documents as
canonical JSON (`tracker.domain.canonical`) and take its SHA-256. Only stable keys stand in it, never display names.
A change of the form gets a new form name; old sign-offs keep theirs. Sentences and reasons stand in it as SHA-256 of
their normalized text (`text_digest`), so that sealing a text leaves every signature over it in place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from tracker.domain.canonical import canonical_json, digest, moment, normalized

CONTENT_FORM = "tracker/duty-content/1"
SIGNATURE_FORM = "tracker/signature/1"


def text_digest(text: str) -> str:
    """SHA-256 of a text in normal form C, UTF-8: what stands for a sentence or a reason in signed content."""
    return digest(normalized(text).encode("utf-8"))


@dataclass(frozen=True)
class FileContent:
    """A file of a record: the name it is shown by, its SHA-256 in hexadecimal, its size in bytes."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True)
class EvidenceContent:
    """A record as it is signed. A withdrawn one is left out of the content."""

    public_id: str
    act_on: date
    sentence_sha256: str
    counts: Mapping[str, int] = field(default_factory=dict)
    files: Sequence[FileContent] = ()
    withdrawn: bool = False


@dataclass(frozen=True)
class ClaimContent:
    """What is claimed in place of evidence (`duty.ClaimKind`), and why."""

    kind: str
    reason_sha256: str


def duty_content(
    *,
    duty_key: str,
    item_id: str,
    item_digest: str,
    period: str,
    occurrence: int,
    evidence: Sequence[EvidenceContent],
    claim: ClaimContent | None = None,
) -> bytes:
    """Return the canonical bytes of what a sign-off on this duty covers; the order of records and files is immaterial.

    The object: form, duty, item, item_digest, period, occurrence, claim (null, or kind and reason_sha256), evidence:
    records in the order of their id, each with id, act_on, sentence_sha256, counts (by kind), files in the order of
    sha256 and then of name, each with name, sha256, size. Raises ValueError if two records have the same id.
    """
    covered = sorted((record for record in evidence if not record.withdrawn), key=lambda record: record.public_id)
    if len({record.public_id for record in covered}) != len(covered):
        raise ValueError(f"a record stands twice in the content of {duty_key}")
    return canonical_json(
        {
            "form": CONTENT_FORM,
            "duty": duty_key,
            "item": item_id,
            "item_digest": item_digest,
            "period": period,
            "occurrence": occurrence,
            "claim": None if claim is None else {"kind": claim.kind, "reason_sha256": claim.reason_sha256},
            "evidence": [_record(record) for record in covered],
        }
    )


def signature_content(
    *,
    content_digest: str,
    action: str,
    person: str,
    appointment: str | None,
    at: datetime,
    previous: str | None,
    reason_sha256: str | None = None,
) -> bytes:
    """Return the canonical bytes of a signature.

    The object: form, content (the digest of the duty content), action, person and appointment (public ids), at (UTC),
    previous (the signature digest of the duty's sign-off before this one, null for the first), reason_sha256 (null
    where no reason was given).
    """
    return canonical_json(
        {
            "form": SIGNATURE_FORM,
            "content": content_digest,
            "action": action,
            "person": person,
            "appointment": appointment,
            "at": moment(at),
            "previous": previous,
            "reason_sha256": reason_sha256,
        }
    )


def signature_digest(
    *,
    content_digest: str,
    action: str,
    person: str,
    appointment: str | None,
    at: datetime,
    previous: str | None,
    reason_sha256: str | None = None,
) -> str:
    """SHA-256 of `signature_content`: what a row of sign-offs is known by, and what the next one builds on."""
    return digest(
        signature_content(
            content_digest=content_digest,
            action=action,
            person=person,
            appointment=appointment,
            at=at,
            previous=previous,
            reason_sha256=reason_sha256,
        )
    )


def _record(record: EvidenceContent) -> dict[str, object]:
    files = sorted(record.files, key=lambda file: (file.sha256, normalized(file.name)))
    return {
        "id": record.public_id,
        "act_on": record.act_on,
        "sentence_sha256": record.sentence_sha256,
        "counts": dict(record.counts),
        "files": [{"name": file.name, "sha256": file.sha256, "size": file.size} for file in files],
    }
