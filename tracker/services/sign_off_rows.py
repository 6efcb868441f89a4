"""What a sign-off writes, as values: its row, whose work it judges, what the duty shows then, and what the log tells.

Nothing here asks the database, so that one signature and a hundred thousand are made of the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from operator import attrgetter
from typing import Any, Self

from tracker.domain.canonical import digest
from tracker.domain.duty import TRANSITIONS, Action, ClaimKind, Part, State, Submission, fixed_act_on
from tracker.domain.sign_off import signature_digest, text_digest
from tracker.models import Duty
from tracker.queries.duties import UNSIGNED, is_changed
from tracker.services.log import Told

BY_HOLDER = frozenset({Action.SUBMIT, Action.CLAIM})
JUDGING = frozenset(action for action, rule in TRANSITIONS.items() if rule.part is Part.CONFIRMER)


@dataclass(frozen=True)
class Signer:
    """A person in the appointment by which they sign: row numbers and keys."""

    person_id: int
    person_key: str
    appointment_id: int
    appointment_key: str


@dataclass(frozen=True)
class Last:
    """The sign-off before this one."""

    number: int
    digest: str


@dataclass(frozen=True)
class Place:
    """The duty that is signed: its key and row number, its unit and its year."""

    key: str
    duty_id: int
    unit_id: int
    cycle_id: int


@dataclass(frozen=True)
class Shown:
    """What a duty shows of its sign-offs and of its content: the columns of these names."""

    state: State
    content_digest: str
    signed_digest: str | None = None
    is_changed: bool = False
    first_submitted_on: date | None = None
    act_on: date | None = None
    submitted_by_id: int | None = None
    submitted_at: datetime | None = None
    waiting_seat_id: int | None = None
    last_sign_off_id: int | None = None

    @classmethod
    def of(cls, duty: Duty) -> Self:
        """What the duty shows now."""
        return cls(*_shown(duty))


SHOWN = tuple(Shown.__dataclass_fields__)
_shown = attrgetter(*SHOWN)


@dataclass(frozen=True)
class Signing:
    """An action that every rule allows, with what it covers. `done_on` and `waiting_seat_id` are those of a submission.

    `bare` is the digest of the content without any claim. `doers` are row numbers of persons.
    """

    place: Place
    action: Action
    signer: Signer
    covered: bytes
    target: State
    last: Last | None = None
    submitter_id: int | None = None
    kind: ClaimKind | None = None
    reason: str = ""
    doers: tuple[int, ...] = ()
    done_on: date | None = None
    waiting_seat_id: int | None = None
    bare: str = ""


def sign_off_row(number: int, signing: Signing, *, now: datetime) -> dict[str, Any]:
    """The row of `SignOff`; `number` is its row number."""
    place, signer, last = signing.place, signing.signer, signing.last
    counted = last.number + 1 if last else 1
    previous = last.digest if last else None
    content, reason_sha256 = digest(signing.covered), text_digest(signing.reason) if signing.reason else None
    return {
        "id": number,
        "key": f"{place.key}.S{counted}",
        "number": counted,
        "duty_id": place.duty_id,
        "unit_id": place.unit_id,
        "cycle_id": place.cycle_id,
        "action": signing.action,
        "claim": signing.kind,
        "person_id": signer.person_id,
        "appointment_id": signer.appointment_id,
        "submitter_id": signing.submitter_id if signing.action in JUDGING else signer.person_id,
        "at": now,
        "reason": signing.reason or None,
        "reason_sha256": reason_sha256,
        "covered": signing.covered,
        "content_digest": content,
        "previous_digest": previous,
        "digest": signature_digest(
            content_digest=content,
            action=signing.action.value,
            person=signer.person_key,
            appointment=signer.appointment_key,
            at=now,
            previous=previous,
            reason_sha256=reason_sha256,
        ),
    }


def doer_rows(number: int, signing: Signing) -> Iterable[dict[str, Any]]:
    """One row for everybody whose work is judged: the database refuses the judge among them."""
    if signing.action in JUDGING:
        for doer in sorted(signing.doers):
            yield {"sign_off_id": number, "doer_id": doer, "approver_id": signing.signer.person_id}


def shown_after(before: Shown, signing: Signing, row: dict[str, Any], *, now: datetime, today: date) -> Shown:
    """What the duty shows once the row is written. No later submission improves the day of the act or of the first."""
    content, changes = row["content_digest"], {"state": signing.target, "last_sign_off_id": row["id"]}
    if signing.action in BY_HOLDER:
        changes |= {
            "signed_digest": content,
            "submitted_by_id": signing.signer.person_id,
            "submitted_at": now,
            "waiting_seat_id": signing.waiting_seat_id,
            "content_digest": content,
        }
    if signing.action is Action.SUBMIT and signing.done_on is not None:
        earlier = [Submission(today, before.act_on)] if before.act_on else []
        changes["act_on"] = fixed_act_on([*earlier, Submission(today, signing.done_on)])
        changes["first_submitted_on"] = min(before.first_submitted_on or today, today)
    if signing.target in UNSIGNED:
        changes |= {"waiting_seat_id": None, "content_digest": signing.bare}
    covered = changes.get("content_digest", before.content_digest)
    signed = changes.get("signed_digest", before.signed_digest)
    changes["is_changed"] = is_changed(signing.target, content=covered, signed=signed)
    return replace(before, **changes)


def told(chain: str, signing: Signing, row: dict[str, Any], *, before: State) -> Told:
    """What the log tells of it."""
    after = {
        "state": signing.target.value,
        "content": row["content_digest"],
        "sign_off": row["key"],
        "digest": row["digest"],
    }
    return Told(
        signing.action.value,
        "duty",
        signing.place.key,
        (chain,),
        before={"state": before.value},
        after=after,
        appointment=signing.signer.appointment_key,
    )
