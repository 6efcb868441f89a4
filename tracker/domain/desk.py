"""The inspectors' desk: in which order duties are judged, and how long somebody has one open for themselves.

What is risky comes first: returned before, late, uploaded long after the act, without evidence. Of two duties the one
with the graver risk stands in front; the same risks leave them in official order. Every place is said in words.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from tracker.domain.duty import State, Timeliness
from tracker.domain.text import _n

GAP_DAYS = 7  # from the day of an act to the day of the upload: nobody wonders about less
HOLD = timedelta(minutes=3)  # a desk that is open asks again every 45 seconds; one that was closed soon lets go
READING = HOLD  # within which a duty that is opened again by the same person is noted as read once
REASON_LIMIT = 200
ALIKE = 4096  # signs that are remembered with their risks: a queue has hundreds of lines, and most are like another
LATE = frozenset({Timeliness.OVERDUE, Timeliness.MISSED, Timeliness.RECORDED_LATE, Timeliness.MADE_UP})
_CLAIMED = frozenset({State.CLAIMED, State.NOT_APPLICABLE, State.EXCUSED})

_LATE_WORDS: Mapping[Timeliness, str] = {
    Timeliness.OVERDUE: _n("逾期未办"),
    Timeliness.MISSED: _n("全年未办"),
    Timeliness.RECORDED_LATE: _n("逾期填报"),
    Timeliness.MADE_UP: _n("逾期补办"),
}


class Risk(StrEnum):
    """Why a duty stands in front, the gravest first."""

    RETURNED = "returned"
    LATE = "late"
    GAP = "gap"
    NO_EVIDENCE = "no_evidence"


class Signs(NamedTuple):
    """What is known of a duty before anybody looks into it. `gap` is in days, from act to upload, the longest."""

    returned: int
    timeliness: Timeliness
    gap: int
    records: int
    state: State


class Why(NamedTuple):
    """One risk of a duty: a gettext key with its values."""

    risk: Risk
    sentence: str
    number: int = 0


def is_fresh(until: datetime, *, now: datetime) -> bool:
    """Whether a hold lasts so long still that it need not be renewed where the duty is opened again."""
    return until - now > HOLD / 2


@lru_cache(maxsize=ALIKE)
def risks_of(signs: Signs) -> tuple[Why, ...]:
    """The risks of a duty, the gravest first."""
    found = []
    if signs.returned:
        found.append(Why(Risk.RETURNED, _n("曾退回 %(n)s 次"), signs.returned))
    if signs.timeliness in LATE:
        found.append(Why(Risk.LATE, _LATE_WORDS[signs.timeliness]))
    if signs.gap >= GAP_DAYS:
        found.append(Why(Risk.GAP, _n("办理 %(n)s 天后才上传"), signs.gap))
    if not signs.records and signs.state not in _CLAIMED:
        found.append(Why(Risk.NO_EVIDENCE, _n("没有佐证")))
    return tuple(found)


@lru_cache(maxsize=ALIKE)
def rank(why: tuple[Why, ...]) -> tuple[bool, ...]:
    """What duties are sorted by, before their official order."""
    there = {one.risk for one in why}
    return tuple(risk not in there for risk in Risk)
