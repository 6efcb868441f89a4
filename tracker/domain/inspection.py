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
