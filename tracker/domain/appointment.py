"""Who sits in a seat when: one holder at a time, while acting holders and clerks may overlap."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from tracker.domain.actor import AppointmentKind
from tracker.domain.errors import Invalid
from tracker.domain.text import _n

KIND_NAMES: Mapping[AppointmentKind, str] = {
    AppointmentKind.HOLDER: _n("任职"),
    AppointmentKind.ACTING: _n("代理"),
    AppointmentKind.CLERK: _n("经办"),
}


@dataclass(frozen=True)
class Term:
    """A person in a seat from a day to a day, both included; no end means until further notice."""

    person: str
    starts_on: date
    ends_on: date | None = None

    def includes(self, day: date) -> bool:
        """Whether the person sits there on that day."""
        return self.starts_on <= day and (self.ends_on is None or day <= self.ends_on)


def overlap(one: Term, other: Term) -> bool:
    """Whether there is a day that both include."""
    return (one.ends_on is None or other.starts_on <= one.ends_on) and (
        other.ends_on is None or one.starts_on <= other.ends_on
    )


def overlapping(terms: Iterable[Term]) -> tuple[Term, Term] | None:
    """The first two terms of one seat that share a day, the earlier one first; None if all follow one another."""
    ordered = sorted(terms, key=lambda term: (term.starts_on, term.person))
    return next(((one, other) for one, other in pairwise(ordered) if overlap(one, other)), None)


def check_term(*, seat: str, starts_on: date, ends_on: date | None) -> None:
    """Refuse an end before the start. Raises Invalid."""
    if ends_on is not None and ends_on < starts_on:
        raise Invalid(_n("席位 %(seat)s 的任职止日早于起日，请核对这两个日期。"), field="ends_on", seat=seat)


def check_holders(seat: str, terms: Iterable[Term]) -> None:
    """Refuse two holders of one seat on one day; `person` of the terms is what they are called. Raises Invalid."""
    pair = overlapping(terms)
    if pair is None:
        return
    raise Invalid(
        _n(
            "席位 %(seat)s 同一天只能有一人任职：%(one)s 的任期与 %(other)s（%(day)s 起）重叠。"
            "请先填写 %(one)s 的止日。"
        ),
        field="ends_on",
        seat=seat,
        one=pair[0].person,
        other=pair[1].person,
        day=pair[1].starts_on.isoformat(),
    )
