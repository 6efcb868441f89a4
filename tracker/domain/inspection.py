"""Words of the supervision check: kinds, states, severities and the steps of a rectification."""

from __future__ import annotations

from enum import StrEnum

from tracker.domain.text import _n


class InspectionKind(StrEnum):
    """Why it is held."""

    REGULAR = "regular"
    SPECIAL = "special"
    LOOK_BACK = "look_back"


class InspectionState(StrEnum):
    """Verdicts may be given and revised while it is open."""

    OPEN = "open"
    CLOSED = "closed"


class MemberRole(StrEnum):
    """What somebody is in the team."""

    LEADER = "leader"
    MEMBER = "member"


class Severity(StrEnum):
    """How grave a finding is. `on_the_spot` is put right at once."""

    ON_THE_SPOT = "on_the_spot"
    ORDINARY = "ordinary"
    SERIOUS = "serious"


class RectificationState(StrEnum):
    """Where a finding stands."""

    NOT_STARTED = "not_started"
    UNDER_WAY = "under_way"
    REPORTED = "reported"
    CLOSED = "closed"


class RectificationAction(StrEnum):
    """The steps from notice to closing."""

    NOTIFY = "notify"
    RECEIVE = "receive"
    MEASURE = "measure"
    ASK_EXTENSION = "ask_extension"
    GRANT_EXTENSION = "grant_extension"
    REFUSE_EXTENSION = "refuse_extension"
    ATTACH = "attach"
    FIX = "fix"
    REPORT = "report"
    RETURN = "return"
    CLOSE = "close"


KIND_NAMES = {
    InspectionKind.REGULAR: _n("常规督查"),
    InspectionKind.SPECIAL: _n("专项督查"),
    InspectionKind.LOOK_BACK: _n("回头看"),
}
SEVERITY_NAMES = {
    Severity.ON_THE_SPOT: _n("立行立改"),
    Severity.ORDINARY: _n("一般问题"),
    Severity.SERIOUS: _n("突出问题"),
}
MEMBER_NAMES = {MemberRole.LEADER: _n("组长"), MemberRole.MEMBER: _n("成员")}
RECTIFICATION_ACTION_NAMES = {
    RectificationAction.NOTIFY: _n("下达整改通知"),
    RectificationAction.RECEIVE: _n("签收"),
    RectificationAction.MEASURE: _n("提出整改措施"),
    RectificationAction.ASK_EXTENSION: _n("申请延期"),
    RectificationAction.GRANT_EXTENSION: _n("同意延期"),
    RectificationAction.REFUSE_EXTENSION: _n("不同意延期"),
    RectificationAction.ATTACH: _n("补充整改佐证"),
    RectificationAction.FIX: _n("立行立改"),
    RectificationAction.REPORT: _n("报告整改结果"),
    RectificationAction.RETURN: _n("退回重新整改"),
    RectificationAction.CLOSE: _n("复核销号"),
}
RECTIFICATION_STATE_NAMES = {
    RectificationState.NOT_STARTED: _n("未整改"),
    RectificationState.UNDER_WAY: _n("整改中"),
    RectificationState.REPORTED: _n("已整改待核"),
    RectificationState.CLOSED: _n("已销号"),
}
# Where a finding stands after each step.
STATE_AFTER = {
    RectificationAction.NOTIFY: RectificationState.NOT_STARTED,
    RectificationAction.RECEIVE: RectificationState.UNDER_WAY,
    RectificationAction.MEASURE: RectificationState.UNDER_WAY,
    RectificationAction.ASK_EXTENSION: RectificationState.UNDER_WAY,
    RectificationAction.GRANT_EXTENSION: RectificationState.UNDER_WAY,
    RectificationAction.REFUSE_EXTENSION: RectificationState.UNDER_WAY,
    RectificationAction.ATTACH: RectificationState.UNDER_WAY,
    RectificationAction.FIX: RectificationState.REPORTED,
    RectificationAction.REPORT: RectificationState.REPORTED,
    RectificationAction.RETURN: RectificationState.UNDER_WAY,
    RectificationAction.CLOSE: RectificationState.CLOSED,
}
