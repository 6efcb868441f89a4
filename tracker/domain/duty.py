"""A duty's life: the table of its states, and what its dates say about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from tracker.domain.errors import Invalid, NotAllowed, WrongState
from tracker.domain.text import _n


class State(StrEnum):
    """Where a duty stands. Only sign-offs move it."""

    OPEN = "open"
    SUBMITTED = "submitted"
    RETURNED = "returned"
    CONFIRMED = "confirmed"
    CLAIMED = "claimed"
    NOT_APPLICABLE = "not_applicable"
    EXCUSED = "excused"


class Action(StrEnum):
    """What a sign-off does."""

    SUBMIT = "submit"
    CONFIRM = "confirm"
    RETURN = "return"
    WITHDRAW = "withdraw"
    CLAIM = "claim"
    ACCEPT = "accept"
    REFUSE = "refuse"
    REOPEN = "reopen"


class Part(StrEnum):
    """As what somebody acts on a duty. The caller finds out whether the person has that part."""

    HOLDER = "holder"
    SUBMITTER = "submitter"
    CONFIRMER = "confirmer"


class ClaimKind(StrEnum):
    """What a holder claims in place of handing something in."""

    NOT_APPLICABLE = "not_applicable"
    EXCUSED = "excused"


class Timeliness(StrEnum):
    """What the dates say; a property of a duty that stands beside its state."""

    NOT_YET_DUE = "not_yet_due"
    DUE_SOON = "due_soon"
    OVERDUE = "overdue"
    IN_TIME = "in_time"
    RECORDED_LATE = "recorded_late"
    MADE_UP = "made_up"
    MISSED = "missed"


STATE_NAMES: Mapping[State, str] = {
    State.OPEN: _n("待提交"),
    State.SUBMITTED: _n("待确认"),
    State.RETURNED: _n("已退回"),
    State.CONFIRMED: _n("已确认"),
    State.CLAIMED: _n("说明待审"),
    State.NOT_APPLICABLE: _n("不适用"),
    State.EXCUSED: _n("准予免办"),
}

ACTION_NAMES: Mapping[Action, str] = {
    Action.SUBMIT: _n("提交"),
    Action.CONFIRM: _n("确认"),
    Action.RETURN: _n("退回"),
    Action.WITHDRAW: _n("撤回"),
    Action.CLAIM: _n("申请说明"),
    Action.ACCEPT: _n("同意说明"),
    Action.REFUSE: _n("不同意说明"),
    Action.REOPEN: _n("重新办理"),
}

TIMELINESS_NAMES: Mapping[Timeliness, str] = {
    Timeliness.NOT_YET_DUE: _n("未到期"),
    Timeliness.DUE_SOON: _n("即将到期"),
    Timeliness.OVERDUE: _n("逾期未办"),
    Timeliness.IN_TIME: _n("按期"),
    Timeliness.RECORDED_LATE: _n("逾期录入"),
    Timeliness.MADE_UP: _n("逾期补办"),
    Timeliness.MISSED: _n("未办理"),
}


@dataclass(frozen=True)
class Transition:
    """One line of the table. `to` is None where the kind of claim decides; `reason`: a reason is asked for."""

    sources: frozenset[State]
    to: State | None
    part: Part
    reason: bool = False


TRANSITIONS: Mapping[Action, Transition] = {
    Action.SUBMIT: Transition(frozenset({State.OPEN, State.RETURNED}), State.SUBMITTED, Part.HOLDER),
    Action.CONFIRM: Transition(frozenset({State.SUBMITTED}), State.CONFIRMED, Part.CONFIRMER),
    Action.RETURN: Transition(frozenset({State.SUBMITTED}), State.RETURNED, Part.CONFIRMER, reason=True),
    Action.WITHDRAW: Transition(frozenset({State.SUBMITTED}), State.OPEN, Part.SUBMITTER),
    Action.CLAIM: Transition(frozenset({State.OPEN, State.RETURNED}), State.CLAIMED, Part.HOLDER, reason=True),
    Action.ACCEPT: Transition(frozenset({State.CLAIMED}), None, Part.CONFIRMER),
    Action.REFUSE: Transition(frozenset({State.CLAIMED}), State.OPEN, Part.CONFIRMER, reason=True),
    Action.REOPEN: Transition(
        frozenset({State.CONFIRMED, State.NOT_APPLICABLE, State.EXCUSED}), State.RETURNED, Part.CONFIRMER, reason=True
    ),
}

# Content that changed after signing may be submitted again, and must be before it can be agreed to.
SUBMITTED_AGAIN = frozenset({State.SUBMITTED, State.CONFIRMED})
AGREES = frozenset({Action.CONFIRM, Action.ACCEPT})

_SETTLED = frozenset({State.CONFIRMED, State.NOT_APPLICABLE, State.EXCUSED})
_CLAIMED_AS: Mapping[ClaimKind, State] = {
    ClaimKind.NOT_APPLICABLE: State.NOT_APPLICABLE,
    ClaimKind.EXCUSED: State.EXCUSED,
}

_NOT_YOURS: Mapping[Part, str] = {
    Part.HOLDER: _n("只有该岗位的任职人员（含代理）可以办理；请由本人登录操作。"),
    Part.SUBMITTER: _n("只有提交人可以撤回；如需修改，请联系提交人撤回，或请上级退回。"),
    Part.CONFIRMER: _n("只有清单规定的上级确认岗位可以办理；填报、录入人员不能确认自己的任务。"),
}

_WRONG_STATE: Mapping[Action, str] = {
    Action.SUBMIT: _n("现在不能提交：只有待提交、已退回或签认后内容有改动的任务可以提交。请刷新页面查看最新状态。"),
    Action.CONFIRM: _n("现在不能确认：只有待确认的任务可以确认。请刷新页面查看最新状态。"),
    Action.RETURN: _n("现在不能退回：只有待确认的任务可以退回；已确认的请使用“重新办理”。"),
    Action.WITHDRAW: _n("现在不能撤回：只有待确认的任务可以撤回；已确认的请联系上级重新办理。"),
    Action.CLAIM: _n("现在不能申请说明：只有待提交或已退回的任务可以申请。请刷新页面查看最新状态。"),
    Action.ACCEPT: _n("这项任务没有待审的说明，不能同意。请刷新页面查看最新状态。"),
    Action.REFUSE: _n("这项任务没有待审的说明，不能作出不同意的决定。请刷新页面查看最新状态。"),
    Action.REOPEN: _n("这项任务尚未办结，不需要重新办理；待确认的请直接退回。"),
}

_CHANGED_SINCE: Mapping[Action, str] = {
    Action.CONFIRM: _n("提交之后内容有改动，不能确认；请提交人重新提交，或写明原因退回。"),
    Action.ACCEPT: _n("申请之后内容有改动，不能同意；请写明理由不予同意，由申请人重新申请。"),
}

_REASON_MISSING: Mapping[Action, str] = {
    Action.SUBMIT: _n("签认后内容有改动，重新提交时请写明改动了什么。"),
    Action.RETURN: _n("请写明退回的原因，让提交人知道要补充或改正什么。"),
    Action.CLAIM: _n("请写明不适用或者未能办理的理由。"),
    Action.REFUSE: _n("请写明不同意的理由。"),
    Action.REOPEN: _n("请写明重新办理的原因。"),
}


@dataclass(frozen=True)
class Standing:
    """A duty's state together with whether its content differs from what was signed last."""

    state: State
    changed: bool = False

    @property
    def changed_after_signing(self) -> bool:
        """Whether pages and papers must say so. What was never signed, or was sent back, cannot have changed since."""
        return self.changed and self.state not in {State.OPEN, State.RETURNED}

    @property
    def shown(self) -> State:
        """The state that is shown and counted: a confirmed duty that changed counts as submitted again."""
        return State.SUBMITTED if self.changed and self.state is State.CONFIRMED else self.state

    @property
    def waits_for_holder(self) -> bool:
        """Whether the next step is the holder's: to submit, or to submit anew."""
        return self.state in {State.OPEN, State.RETURNED} or (self.changed and self.state in SUBMITTED_AGAIN)

    @property
    def waits_for_confirmation(self) -> bool:
        """Whether the next step is the confirmer's."""
        return waits_for_confirmation(self.state) and not self.waits_for_holder


def waits_for_confirmation(state: State) -> bool:
    """Whether somebody above has to decide on a duty in this state."""
    return state in {State.SUBMITTED, State.CLAIMED}


def shown_state(state: State, *, changed: bool) -> State:
    """The state that is shown and counted."""
    return Standing(state, changed).shown


def next_state(
    state: State,
    action: Action,
    part: Part,
    *,
    changed: bool = False,
    claim: ClaimKind | None = None,
    reason: str = "",
    stands_alone: bool = False,
) -> State:
    """Return the state that `action` leads to, or raise the rule that forbids it.

    `changed`: the content differs from what was signed last. `claim`: the kind that is claimed (to claim) or was
    claimed (to accept). `reason`: why, or what changed. `stands_alone`: the checklist names no confirmer, so that a
    submission or claim settles the duty at once, and its submitter may still withdraw it.

    Raises NotAllowed (another part does this), WrongState (not now), Invalid (reason or kind of claim missing).
    """
    rule = TRANSITIONS[action]
    if part is not rule.part:
        raise NotAllowed(_NOT_YOURS[rule.part])
    if state not in _sources(action, changed=changed, stands_alone=stands_alone):
        raise WrongState(_WRONG_STATE[action])
    if changed and action in AGREES:
        raise WrongState(_CHANGED_SINCE[action])
    if asks_reason(state, action) and not reason.strip():
        raise Invalid(_REASON_MISSING[action], field="reason")
    return _target(action, claim=claim, stands_alone=stands_alone)


def possible_actions(
    state: State, part: Part, *, changed: bool = False, stands_alone: bool = False
) -> tuple[Action, ...]:
    """The actions that `part` may take now, in the order of the table: what a page offers as buttons."""
    return tuple(
        action
        for action, rule in TRANSITIONS.items()
        if rule.part is part
        and state in _sources(action, changed=changed, stands_alone=stands_alone)
        and not (changed and action in AGREES)
    )


def asks_reason(state: State, action: Action) -> bool:
    """Whether a form for this action has to ask for a reason (for a new submit: for what changed)."""
    return TRANSITIONS[action].reason or (action is Action.SUBMIT and state is State.CONFIRMED)


def _sources(action: Action, *, changed: bool, stands_alone: bool) -> frozenset[State]:
    """The states that `action` may start from."""
    sources = TRANSITIONS[action].sources
    if action is Action.SUBMIT and changed:
        return sources | SUBMITTED_AGAIN
    if action is Action.WITHDRAW and stands_alone:
        return sources | _SETTLED
    return sources


def _target(action: Action, *, claim: ClaimKind | None, stands_alone: bool) -> State:
    """Where `action` leads to, once it is allowed."""
    if action in {Action.CLAIM, Action.ACCEPT}:
        if claim is None:
            raise Invalid(_n("请选择说明的类别：不适用，或者未能办理。"), field="claim")
        if action is Action.ACCEPT or stands_alone:
            return _CLAIMED_AS[claim]
    if action is Action.SUBMIT and stands_alone:
        return State.CONFIRMED
    target = TRANSITIONS[action].to
    assert target is not None  # noqa: S101  (only ACCEPT has none, and it has returned)
    return target


@dataclass(frozen=True)
class Submission:
    """One submit: the day it was made, and the day of the act (the earliest among the evidence that it covers)."""

    submitted_on: date
    act_on: date


def fixed_act_on(submissions: Sequence[Submission]) -> date | None:
    """The act date that counts: the latest of all submissions, so that a later one never improves it."""
    return max((submission.act_on for submission in submissions), default=None)


def first_submitted_on(submissions: Sequence[Submission]) -> date | None:
    """The submit date that counts: the first, so that a return does not make a duty late."""
    return min((submission.submitted_on for submission in submissions), default=None)


def timeliness(
    *,
    starts_on: date,
    due_on: date,
    submissions: Sequence[Submission],
    today: date,
    closed: bool,
    soon_days: int = 7,
    stands: bool = True,
) -> Timeliness:
    """What the dates of a duty say.

    In time: act and first submit by the due date. Recorded late: act in time, first submit later. Made up: act later.
    Missed: nothing, and the cycle is closed. `submissions` are all that ever were. `stands` is False where none of them
    stands now (withdrawn or returned, not submitted anew): then the duty is as due as if nothing had been handed in.
    """
    act_on, submitted_on = fixed_act_on(submissions), first_submitted_on(submissions)
    if act_on is None or submitted_on is None or not stands:
        return _without_submission(starts_on=starts_on, due_on=due_on, today=today, closed=closed, soon_days=soon_days)
    return timeliness_of(act_on=act_on, first_submitted_on=submitted_on, due_on=due_on)


def timeliness_of(*, act_on: date, first_submitted_on: date, due_on: date) -> Timeliness:
    """What the two fixed dates of a duty that was handed in say."""
    if act_on > due_on:
        return Timeliness.MADE_UP
    return Timeliness.IN_TIME if first_submitted_on <= due_on else Timeliness.RECORDED_LATE


def _without_submission(*, starts_on: date, due_on: date, today: date, closed: bool, soon_days: int) -> Timeliness:
    if closed:
        return Timeliness.MISSED
    if today > due_on:
        return Timeliness.OVERDUE
    if today >= starts_on and due_on - today <= timedelta(days=soon_days):
        return Timeliness.DUE_SOON
    return Timeliness.NOT_YET_DUE
