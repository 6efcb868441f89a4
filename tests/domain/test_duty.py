"""Every cell of the state table, and what the dates of a duty say."""

from datetime import date, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.duty import (
    ACTION_NAMES,
    STATE_NAMES,
    TIMELINESS_NAMES,
    Action,
    ClaimKind,
    Part,
    Standing,
    State,
    Submission,
    Timeliness,
    asks_reason,
    fixed_act_on,
    next_state,
    possible_actions,
    shown_state,
    timeliness,
    waits_for_confirmation,
)
from tracker.domain.errors import Invalid, NotAllowed, WrongState

S, A, P = State, Action, Part

ALWAYS = {
    (S.OPEN, A.SUBMIT, P.HOLDER): S.SUBMITTED,
    (S.RETURNED, A.SUBMIT, P.HOLDER): S.SUBMITTED,
    (S.SUBMITTED, A.RETURN, P.CONFIRMER): S.RETURNED,
    (S.SUBMITTED, A.WITHDRAW, P.SUBMITTER): S.OPEN,
    (S.OPEN, A.CLAIM, P.HOLDER): S.CLAIMED,
    (S.RETURNED, A.CLAIM, P.HOLDER): S.CLAIMED,
    (S.CLAIMED, A.REFUSE, P.CONFIRMER): S.OPEN,
    (S.CONFIRMED, A.REOPEN, P.CONFIRMER): S.RETURNED,
    (S.NOT_APPLICABLE, A.REOPEN, P.CONFIRMER): S.RETURNED,
    (S.EXCUSED, A.REOPEN, P.CONFIRMER): S.RETURNED,
}
WHILE_UNCHANGED = {
    (S.SUBMITTED, A.CONFIRM, P.CONFIRMER): S.CONFIRMED,
    (S.CLAIMED, A.ACCEPT, P.CONFIRMER): S.EXCUSED,
}
AFTER_A_CHANGE = {
    (S.SUBMITTED, A.SUBMIT, P.HOLDER): S.SUBMITTED,
    (S.CONFIRMED, A.SUBMIT, P.HOLDER): S.SUBMITTED,
}
ALLOWED = (
    {(*move, changed): to for move, to in ALWAYS.items() for changed in (False, True)}
    | {(*move, False): to for move, to in WHILE_UNCHANGED.items()}
    | {(*move, True): to for move, to in AFTER_A_CHANGE.items()}
)
ALONE = {
    (S.OPEN, A.SUBMIT): S.CONFIRMED,
    (S.RETURNED, A.SUBMIT): S.CONFIRMED,
    (S.OPEN, A.CLAIM): S.EXCUSED,
    (S.RETURNED, A.CLAIM): S.EXCUSED,
    (S.SUBMITTED, A.WITHDRAW): S.OPEN,
    (S.CONFIRMED, A.WITHDRAW): S.OPEN,
    (S.NOT_APPLICABLE, A.WITHDRAW): S.OPEN,
    (S.EXCUSED, A.WITHDRAW): S.OPEN,
}
EVERY_MOVE = list(product(State, Action, Part, (False, True)))


@pytest.mark.parametrize("move", EVERY_MOVE, ids=lambda move: "-".join(map(str, move)))
def test_only_the_listed_moves_are_possible(move):
    state, action, part, changed = move
    if move in ALLOWED:
        assert _go(state, action, part, changed=changed) is ALLOWED[move]
    else:
        with pytest.raises((NotAllowed, WrongState)):
            _go(state, action, part, changed=changed)


@pytest.mark.parametrize("move", EVERY_MOVE, ids=lambda move: "-".join(map(str, move)))
def test_the_buttons_are_the_moves(move):
    state, action, part, changed = move
    assert (action in possible_actions(state, part, changed=changed)) == (move in ALLOWED)


@pytest.mark.parametrize("cell", list(product(State, (A.SUBMIT, A.CLAIM, A.WITHDRAW))), ids="-".join)
def test_without_a_confirmer_a_duty_stands_on_submission(cell):
    state, action = cell
    part = P.SUBMITTER if action is A.WITHDRAW else P.HOLDER
    if cell in ALONE:
        assert _go(state, action, part, stands_alone=True) is ALONE[cell]
    else:
        with pytest.raises(WrongState):
            _go(state, action, part, stands_alone=True)


@pytest.mark.parametrize("move", [move for move in ALLOWED if asks_reason(move[0], move[1])], ids=str)
def test_a_move_that_asks_for_a_reason_refuses_blanks(move):
    state, action, part, changed = move
    with pytest.raises(Invalid) as refusal:
        next_state(state, action, part, changed=changed, claim=ClaimKind.EXCUSED, reason="  ")
    assert refusal.value.field == "reason"


def test_the_moves_that_ask_for_a_reason():
    assert {action for action in Action if asks_reason(S.OPEN, action)} == {A.RETURN, A.CLAIM, A.REFUSE, A.REOPEN}
    assert asks_reason(S.CONFIRMED, A.SUBMIT)


@pytest.mark.parametrize("kind", list(ClaimKind))
def test_an_accepted_claim_becomes_what_was_claimed(kind):
    assert next_state(S.CLAIMED, A.ACCEPT, P.CONFIRMER, claim=kind) == kind.value


@pytest.mark.parametrize(("state", "action", "part"), [(S.OPEN, A.CLAIM, P.HOLDER), (S.CLAIMED, A.ACCEPT, P.CONFIRMER)])
def test_a_claim_needs_its_kind(state, action, part):
    with pytest.raises(Invalid) as refusal:
        next_state(state, action, part, reason="机构已撤销")
    assert refusal.value.field == "claim"


def test_what_changed_after_submitting_cannot_be_confirmed():
    with pytest.raises(WrongState, match="有改动"):
        next_state(S.SUBMITTED, A.CONFIRM, P.CONFIRMER, changed=True)


def test_a_confirmed_duty_that_changed_counts_as_submitted_and_waits_for_its_holder():
    standing = Standing(S.CONFIRMED, changed=True)
    assert standing.shown is S.SUBMITTED
    assert standing.changed_after_signing
    assert standing.waits_for_holder
    assert not standing.waits_for_confirmation


def test_an_open_duty_has_not_changed_after_signing():
    assert not Standing(S.OPEN, changed=True).changed_after_signing


@pytest.mark.parametrize("state", list(State))
def test_an_unchanged_duty_is_shown_as_it_is(state):
    assert shown_state(state, changed=False) is state
    assert (
        Standing(state).waits_for_confirmation == waits_for_confirmation(state) == (state in {S.SUBMITTED, S.CLAIMED})
    )


def test_everything_has_a_chinese_name():
    assert set(STATE_NAMES) == set(State)
    assert set(ACTION_NAMES) == set(Action)
    assert set(TIMELINESS_NAMES) == set(Timeliness)


START, DUE = date(2026, 3, 1), date(2026, 4, 8)
BEFORE, AFTER = date(2026, 3, 20), date(2026, 4, 20)


@pytest.mark.parametrize(
    ("submissions", "expected"),
    [
        ([Submission(BEFORE, BEFORE)], Timeliness.IN_TIME),
        ([Submission(DUE, DUE)], Timeliness.IN_TIME),
        ([Submission(AFTER, BEFORE)], Timeliness.RECORDED_LATE),
        ([Submission(AFTER, AFTER)], Timeliness.MADE_UP),
        ([Submission(BEFORE, BEFORE), Submission(AFTER, BEFORE)], Timeliness.IN_TIME),
        ([Submission(BEFORE, BEFORE), Submission(AFTER, AFTER)], Timeliness.MADE_UP),
        ([Submission(AFTER, AFTER), Submission(AFTER, BEFORE)], Timeliness.MADE_UP),
    ],
)
def test_lateness_is_told_by_the_worst_act_and_the_first_submit(submissions, expected):
    assert _timeliness(submissions, today=AFTER) is expected


@pytest.mark.parametrize(
    ("today", "closed", "expected"),
    [
        (date(2026, 2, 1), False, Timeliness.NOT_YET_DUE),
        (BEFORE, False, Timeliness.NOT_YET_DUE),
        (date(2026, 4, 1), False, Timeliness.DUE_SOON),
        (DUE, False, Timeliness.DUE_SOON),
        (date(2026, 4, 9), False, Timeliness.OVERDUE),
        (date(2026, 4, 9), True, Timeliness.MISSED),
    ],
)
def test_a_duty_without_a_submission(today, closed, expected):
    assert _timeliness([], today=today, closed=closed) is expected


def test_a_duty_that_has_not_begun_is_not_due_soon():
    day = date(2026, 3, 30)
    found = timeliness(starts_on=date(2026, 4, 1), due_on=date(2026, 4, 2), submissions=[], today=day, closed=False)
    assert found is Timeliness.NOT_YET_DUE


def test_a_returned_duty_is_overdue_until_it_is_submitted_anew():
    returned = [Submission(BEFORE, BEFORE)]
    assert _timeliness(returned, today=AFTER, stands=False) is Timeliness.OVERDUE
    assert _timeliness(returned, today=AFTER, stands=False, closed=True) is Timeliness.MISSED


def test_nothing_submitted_has_no_act_date():
    assert fixed_act_on([]) is None


DAYS = st.dates(date(2026, 1, 1), date(2027, 3, 1))
ORDER = [Timeliness.IN_TIME, Timeliness.RECORDED_LATE, Timeliness.MADE_UP]


@given(st.lists(st.builds(Submission, DAYS, DAYS), min_size=1, max_size=5), DAYS, st.integers(0, 90))
def test_a_later_submission_never_improves_the_timeliness(earlier, act_on, days):
    later = Submission(max(s.submitted_on for s in earlier) + timedelta(days=days), act_on)
    before, after = (_timeliness(found, today=AFTER) for found in (earlier, [*earlier, later]))
    assert ORDER.index(after) >= ORDER.index(before)


def _go(state, action, part, **options):
    return next_state(state, action, part, claim=ClaimKind.EXCUSED, reason="补充了签到表", **options)


def _timeliness(submissions, *, today, closed=False, stands=True):
    return timeliness(starts_on=START, due_on=DUE, submissions=submissions, today=today, closed=closed, stands=stands)
