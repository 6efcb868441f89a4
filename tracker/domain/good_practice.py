"""Good practice: the steps from an inspector's mark to what all units may read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tracker.domain.errors import WrongState
from tracker.domain.text import _n


class GoodPracticeState(StrEnum):
    """Where it stands. Only what was agreed to is read by others."""

    MARKED = "marked"
    AGREED = "agreed"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


class GoodPracticeAction(StrEnum):
    """An inspector marks and withdraws, the unit agrees or declines."""

    MARK = "mark"
    AGREE = "agree"
    DECLINE = "decline"
    WITHDRAW = "withdraw"


GOOD_PRACTICE_STATE_NAMES = {
    GoodPracticeState.MARKED: _n("待单位同意"),
    GoodPracticeState.AGREED: _n("已交流"),
    GoodPracticeState.DECLINED: _n("单位未同意"),
    GoodPracticeState.WITHDRAWN: _n("已撤回"),
}
GOOD_PRACTICE_ACTION_NAMES = {
    GoodPracticeAction.MARK: _n("推荐为亮点做法"),
    GoodPracticeAction.AGREE: _n("同意交流"),
    GoodPracticeAction.DECLINE: _n("不同意交流"),
    GoodPracticeAction.WITHDRAW: _n("撤回推荐"),
}


class Side(StrEnum):
    """Who takes a step: the team of the check, or those who sign for the unit."""

    TEAM = "team"
    UNIT = "unit"


@dataclass(frozen=True)
class Step:
    """One cell of the table of states: who takes it, and where it leads."""

    by: Side
    to: GoodPracticeState


# Every step that there is; what stands not here is refused. Consent may be taken back: it is the unit's work.
STEPS: Mapping[tuple[GoodPracticeState | None, GoodPracticeAction], Step] = {
    (None, GoodPracticeAction.MARK): Step(Side.TEAM, GoodPracticeState.MARKED),
    (GoodPracticeState.MARKED, GoodPracticeAction.AGREE): Step(Side.UNIT, GoodPracticeState.AGREED),
    (GoodPracticeState.MARKED, GoodPracticeAction.DECLINE): Step(Side.UNIT, GoodPracticeState.DECLINED),
    (GoodPracticeState.MARKED, GoodPracticeAction.WITHDRAW): Step(Side.TEAM, GoodPracticeState.WITHDRAWN),
    (GoodPracticeState.AGREED, GoodPracticeAction.DECLINE): Step(Side.UNIT, GoodPracticeState.DECLINED),
    (GoodPracticeState.AGREED, GoodPracticeAction.WITHDRAW): Step(Side.TEAM, GoodPracticeState.WITHDRAWN),
}
LIVE = frozenset({GoodPracticeState.MARKED, GoodPracticeState.AGREED})


def step(state: GoodPracticeState | None, action: GoodPracticeAction) -> Step:
    """The step that an action is in a state (None: not marked yet). Raises WrongState where there is none."""
    found = STEPS.get((state, action))
    if found is None:
        raise WrongState(_n("这项亮点做法现在不能这样办理，可能已有人办理，请刷新页面查看最新状态。"))
    return found


def steps_open(state: GoodPracticeState, side: Side) -> tuple[GoodPracticeAction, ...]:
    """The actions that one side may take in a state, in the order of the table."""
    return tuple(action for (before, action), found in STEPS.items() if before is state and found.by is side)
