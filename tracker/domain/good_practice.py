"""Good practice: the steps from an inspector's mark to what all units may read."""

from __future__ import annotations

from enum import StrEnum

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
