"""Good practice: every cell of its table of states."""

import pytest

from tracker.domain.errors import WrongState
from tracker.domain.good_practice import GoodPracticeAction as Action
from tracker.domain.good_practice import GoodPracticeState as State
from tracker.domain.good_practice import Side, step, steps_open

TABLE = {
    (None, Action.MARK): (Side.TEAM, State.MARKED),
    (State.MARKED, Action.AGREE): (Side.UNIT, State.AGREED),
    (State.MARKED, Action.DECLINE): (Side.UNIT, State.DECLINED),
    (State.MARKED, Action.WITHDRAW): (Side.TEAM, State.WITHDRAWN),
    (State.AGREED, Action.DECLINE): (Side.UNIT, State.DECLINED),
    (State.AGREED, Action.WITHDRAW): (Side.TEAM, State.WITHDRAWN),
}


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("state", [None, *State])
def test_every_cell(state, action):
    if (state, action) in TABLE:
        found = step(state, action)
        assert (found.by, found.to) == TABLE[state, action]
    else:
        with pytest.raises(WrongState):
            step(state, action)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("side", Side)
def test_what_is_offered_is_what_can_be_done(state, side):
    assert set(steps_open(state, side)) == {a for (s, a), (by, _) in TABLE.items() if s is state and by is side}
