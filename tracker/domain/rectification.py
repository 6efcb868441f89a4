"""A finding's life from notice to closing: the table of its states, who takes each step, and its deadlines."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from tracker.domain.calendar import WorkCalendar
from tracker.domain.errors import Invalid, NotAllowed, WrongState
from tracker.domain.inspection import STATE_AFTER, RectificationAction, RectificationState
from tracker.domain.text import _n

A = RectificationAction
S = RectificationState


class Part(StrEnum):
    """As what somebody acts on a finding. The caller finds out which parts a person has; one may have several."""

    UNIT = "unit"  # signs in the organization of the finding, or above it in its unit
    CLERK = "clerk"  # sits there, signing or not
    TEAM = "team"  # inspects in the check that found it
    FINDER = "finder"  # noted it, and is still in that team
    RECHECKER = "rechecker"  # in that team, and neither noted it nor had a hand in putting it right


@dataclass(frozen=True)
class Transition:
    """One line of the table: from where, by whom (any of `parts`), and what has to be filled in."""

    sources: frozenset[S]
    parts: frozenset[Part]
    asks: tuple[str, ...] = ()


def _line(*sources: S, by: Collection[Part], asks: tuple[str, ...] = ()) -> Transition:
    return Transition(frozenset(sources), frozenset(by), asks)


_UNIT, _TEAM, _OTHER = (Part.UNIT,), (Part.TEAM,), (Part.RECHECKER,)

TRANSITIONS: Mapping[A, Transition] = {
    A.NOTIFY: _line(S.NOT_STARTED, by=_TEAM),
    A.RECEIVE: _line(S.NOT_STARTED, by=_UNIT),
    A.MEASURE: _line(S.UNDER_WAY, by=_UNIT, asks=("post", "planned_on", "text")),
    A.ASK_EXTENSION: _line(S.UNDER_WAY, by=_UNIT, asks=("deadline", "text")),
    A.GRANT_EXTENSION: _line(S.UNDER_WAY, by=_TEAM, asks=("deadline", "text")),
    A.REFUSE_EXTENSION: _line(S.UNDER_WAY, by=_TEAM, asks=("text",)),
    A.ATTACH: _line(S.UNDER_WAY, by=(Part.CLERK,), asks=("evidence",)),
    A.FIX: _line(S.NOT_STARTED, S.UNDER_WAY, by=(Part.UNIT, Part.FINDER), asks=("text",)),
    A.REPORT: _line(S.UNDER_WAY, by=_UNIT, asks=("text",)),
    A.RETURN: _line(S.REPORTED, by=_OTHER, asks=("text",)),
    A.CLOSE: _line(S.REPORTED, by=_OTHER, asks=("text",)),
}
# Steps by which somebody has a hand in putting it right: they do not judge it afterwards.
DOING = frozenset({A.RECEIVE, A.MEASURE, A.ASK_EXTENSION, A.ATTACH, A.FIX, A.REPORT})
REPORTING = frozenset({A.FIX, A.REPORT})
# Steps by which an open request for more time is settled.
SETTLING = frozenset({A.GRANT_EXTENSION, A.REFUSE_EXTENSION}) | REPORTING
# States in which the unit has something to do.
UNFINISHED = (S.NOT_STARTED, S.UNDER_WAY)

_NOT_UNIT = _n("只有问题所在组织或者本单位上级组织的任职人员（含代理）可以办理；请由本人登录操作。")
_NOT_TEAM = _n("只有登记这个问题的检查组成员可以办理。")
_NOT_YOURS: Mapping[A, str] = {
    A.NOTIFY: _NOT_TEAM,
    A.RECEIVE: _NOT_UNIT,
    A.MEASURE: _NOT_UNIT,
    A.ASK_EXTENSION: _NOT_UNIT,
    A.GRANT_EXTENSION: _NOT_TEAM,
    A.REFUSE_EXTENSION: _NOT_TEAM,
    A.ATTACH: _n("只有问题所在组织或者本单位上级组织的任职、经办人员可以补充佐证。"),
    A.FIX: _n("立行立改由责任单位的任职人员或者发现问题的检查组成员登记。"),
    A.REPORT: _NOT_UNIT,
    A.RETURN: _n("登记这个问题或者参与整改的人员不能复核；请由检查组其他成员退回。"),
    A.CLOSE: _n("登记这个问题或者参与整改的人员不能复核；请由检查组其他成员销号。"),
}
_WRONG_STATE: Mapping[A, str] = {
    A.NOTIFY: _n("这个问题已经下达整改通知或者已经开始整改，不需要再次下达。"),
    A.RECEIVE: _n("现在不能签收：只有已下达整改通知、尚未签收的问题可以签收。请刷新页面查看最新状态。"),
    A.MEASURE: _n("现在不能提出整改措施：请先签收整改通知；已报告整改结果的请等待复核。"),
    A.ASK_EXTENSION: _n("现在不能申请延期：只有整改中、没有待批延期的问题可以申请。请刷新页面查看最新状态。"),
    A.GRANT_EXTENSION: _n("这个问题没有待批的延期申请。请刷新页面查看最新状态。"),
    A.REFUSE_EXTENSION: _n("这个问题没有待批的延期申请。请刷新页面查看最新状态。"),
    A.ATTACH: _n("现在不能补充佐证：只有整改中的问题可以补充。请刷新页面查看最新状态。"),
    A.FIX: _n("现在不能登记立行立改：这个问题已经报告整改结果或者已经销号。"),
    A.REPORT: _n("现在不能报告整改结果：请先签收并提出整改措施；已经报告的请等待复核。"),
    A.RETURN: _n("现在不能退回：只有已整改待核的问题可以退回。请刷新页面查看最新状态。"),
    A.CLOSE: _n("现在不能销号：只有已整改待核的问题可以销号。请刷新页面查看最新状态。"),
}
_MISSING: Mapping[str, str] = {
    "post": _n("请选择整改责任岗位。"),
    "planned_on": _n("请填写计划完成日期。"),
    "deadline": _n("请填写延期到哪一天。"),
    "evidence": _n("请选择一条佐证。"),
}
_TEXT_MISSING: Mapping[A, str] = {
    A.MEASURE: _n("请写明整改措施。"),
    A.ASK_EXTENSION: _n("请写明申请延期的理由。"),
    A.GRANT_EXTENSION: _n("请写明同意延期的理由。"),
    A.REFUSE_EXTENSION: _n("请写明不同意延期的理由。"),
    A.FIX: _n("请写明当场怎样整改。"),
    A.REPORT: _n("请写明整改结果。"),
    A.RETURN: _n("请写明退回的原因，让责任单位知道还差什么。"),
    A.CLOSE: _n("请写明复核意见。"),
}


@dataclass(frozen=True)
class Standing:
    """Where a finding stands, with what its steps have left open.

    `notified`: the notice was given. `asked`: an extension waits to be decided. `measured`: measures were stated.
    """

    state: S = S.NOT_STARTED
    notified: bool = False
    asked: bool = False
    measured: bool = False

    @classmethod
    def after(cls, actions: Sequence[A]) -> Standing:
        """What a sequence of steps leads to."""
        standing = cls()
        for action in actions:
            standing = standing.then(action)
        return standing

    def then(self, action: A) -> Standing:
        """Where one more step leads. Reporting makes an open request for more time pointless."""
        return Standing(
            state=STATE_AFTER[action],
            notified=self.notified or action is A.NOTIFY,
            asked=action is A.ASK_EXTENSION or (self.asked and action not in SETTLING),
            measured=self.measured or action is A.MEASURE,
        )


def allows(standing: Standing, action: A) -> bool:
    """Whether the step may be taken now, by whoever takes it."""
    if standing.state not in TRANSITIONS[action].sources:
        return False
    conditions: Mapping[A, bool] = {
        A.NOTIFY: not standing.notified,
        A.RECEIVE: standing.notified,
        A.ASK_EXTENSION: not standing.asked,
        A.GRANT_EXTENSION: standing.asked,
        A.REFUSE_EXTENSION: standing.asked,
        A.REPORT: standing.measured,
    }
    return conditions.get(action, True)


def next_state(standing: Standing, action: A, parts: Collection[Part], *, filled: Collection[str]) -> S:
    """Return the state that the step leads to, or raise the rule that forbids it. `filled`: what was filled in.

    Raises NotAllowed (others do this), WrongState (not now), Invalid (something is missing).
    """
    rule = TRANSITIONS[action]
    if not rule.parts & set(parts):
        raise NotAllowed(_NOT_YOURS[action])
    if not allows(standing, action):
        raise WrongState(_WRONG_STATE[action])
    for field in rule.asks:
        if field not in filled:
            raise Invalid(_TEXT_MISSING[action] if field == "text" else _MISSING[field], field=field)
    return STATE_AFTER[action]


def possible_actions(standing: Standing, parts: Collection[Part]) -> tuple[A, ...]:
    """The steps that a person with these parts may take now, in the order of the table: what a page offers."""
    return tuple(a for a, rule in TRANSITIONS.items() if rule.parts & set(parts) and allows(standing, a))


def awaited(standing: Standing) -> tuple[A, ...]:
    """The steps of which somebody has to take one for it to go on; none once it is closed."""
    if standing.state is S.CLOSED:
        return ()
    if standing.state is S.REPORTED:
        return A.CLOSE, A.RETURN
    if standing.state is S.NOT_STARTED:
        return (A.RECEIVE,) if standing.notified else (A.NOTIFY,)
    if standing.asked:
        return A.GRANT_EXTENSION, A.REFUSE_EXTENSION
    return (A.REPORT,) if standing.measured else (A.MEASURE,)


@dataclass(frozen=True)
class Deadline:
    """A deadline. `moved_from` is the day off that was wanted, where it had to move."""

    on: date
    moved_from: date | None = None


def deadline_on(calendar: WorkCalendar, wanted: date) -> Deadline:
    """The deadline on that day; one on a day off moves to the next working day, and says so."""
    on = calendar.shift(wanted, 0)
    return Deadline(on, None if on == wanted else wanted)


def deadline_after(calendar: WorkCalendar, day: date, working_days: int) -> Deadline:
    """The deadline so many working days after `day`."""
    if working_days < 1:
        raise Invalid(_n("整改期限至少为 1 个工作日，请改正。"), field="working_days")
    return Deadline(calendar.shift(day, working_days))


def is_overdue(state: S, deadline: date, *, today: date) -> bool:
    """Whether the unit is late: past the deadline and not reported as done."""
    return state in UNFINISHED and today > deadline
