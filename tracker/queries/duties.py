"""Duties: what a sign-off on them covers, what a person has to do, and what was known at a recorded time."""

from __future__ import annotations

from collections.abc import Sequence

from tracker.domain.duty import State
from tracker.domain.sign_off import ClaimContent, EvidenceContent, duty_content
from tracker.models import Duty

UNSIGNED = frozenset({State.OPEN, State.RETURNED})  # states in which no signature stands


def content_of(duty: Duty, evidence: Sequence[EvidenceContent], claim: ClaimContent | None) -> bytes:
    """The canonical bytes of what a sign-off on the duty covers now."""
    return duty_content(
        duty_key=duty.key,
        item_id=duty.item_id,
        item_digest=duty.item_digest,
        period=duty.period,
        occurrence=duty.occurrence,
        evidence=evidence,
        claim=claim,
    )


def is_changed(state: State, *, content: str, signed: str | None) -> bool:
    """Whether a signature stands that covers something else than what is there now."""
    return state not in UNSIGNED and content != signed
