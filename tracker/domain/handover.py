"""What one holder of a seat hands over to the next: the list of its open duties, in a form that is signed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from tracker.domain.canonical import canonical_json, digest, moment
from tracker.domain.duty import State

HANDOVER_FORM = "tracker/handover/1"
SIGNATURE_FORM = "tracker/handover-signature/1"

UNSETTLED = frozenset({State.OPEN, State.RETURNED, State.SUBMITTED, State.CLAIMED})


class Side(StrEnum):
    """Which of the two signs."""

    OUT = "out"
    IN = "in"


@dataclass(frozen=True)
class HandedDuty:
    """An open duty as it stands when it is handed over. Keys only: the list must be readable for good."""

    duty: str
    item: str
    period: str
    due_on: date
    state: State
    content: str


def handover_content(
    *,
    seat: str,
    outgoing: str,
    outgoing_person: str,
    incoming: str,
    incoming_person: str,
    made_at: datetime,
    duties: Iterable[HandedDuty],
) -> bytes:
    """Return the canonical bytes of a hand-over list.

    The object: form, seat, outgoing and incoming (appointment keys), outgoing_person and incoming_person (person keys),
    made_at, duties: in the order of their keys, each with duty, item, period, due, state, content (a digest).
    """
    listed = sorted(duties, key=lambda duty: duty.duty)
    return canonical_json(
        {
            "form": HANDOVER_FORM,
            "seat": seat,
            "outgoing": outgoing,
            "outgoing_person": outgoing_person,
            "incoming": incoming,
            "incoming_person": incoming_person,
            "made_at": moment(made_at),
            "duties": [
                {
                    "duty": duty.duty,
                    "item": duty.item,
                    "period": duty.period,
                    "due": duty.due_on,
                    "state": duty.state.value,
                    "content": duty.content,
                }
                for duty in listed
            ],
        }
    )


def signature_digest(*, handover_digest: str, side: Side, person: str, appointment: str, at: datetime) -> str:
    """SHA-256 of a signature's canonical form: form, handover (digest), side, person, appointment, at."""
    return digest(
        canonical_json(
            {
                "form": SIGNATURE_FORM,
                "handover": handover_digest,
                "side": side.value,
                "person": person,
                "appointment": appointment,
                "at": moment(at),
            }
        )
    )
