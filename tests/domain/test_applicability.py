"""What an organization owes, by level, tags and local decisions."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.applicability import (
    DECISION_NAMES,
    Decision,
    DecisionKind,
    check_decision,
    effective_items,
    switched_off,
)
from tracker.domain.checklist import Applies, Frequency, Item
from tracker.domain.errors import Invalid

JANUARY, JUNE = date(2026, 1, 1), date(2026, 6, 1)
SEATS = {"lead": ("hs-1.lead.1",), "member": ("hs-1.member.1", "hs-1.member.2")}


def item(item_id="I-1", *, times=1, basis="regulation", every="quarter", **values):
    fields = {
        "id": item_id,
        "level": "base",
        "duty": "individual",
        "responsibility": "post",
        "post": "lead",
        "confirmer": "chief",
        "dimension": "study",
        "title": "讲课",
        "requirement": "每季度讲一次课",
        "frequency": Frequency(every=every, times=times, label="每季度一次", basis=basis),
        "evidence": (),
        "points": 10,
    }
    return Item(**{**fields, **values})


def decision(kind, item_id="I-1", **values):
    return Decision(**{"kind": kind, "item_id": item_id, "reason": "经会议研究", "effective_from": JANUARY, **values})


def owed(*items, decisions=(), tags=frozenset(), on=JUNE):
    found = effective_items(items=items, level="base", tags=tags, seats=SEATS, decisions=decisions, on=on)
    return {one.item.id: one for one in found}


def test_level_and_tags_decide_what_applies():
    items = (
        item("I-1"),
        item("I-2", level="top"),
        item("I-3", applies=Applies(all=("rural",))),
        item("I-4", applies=Applies(none=("rural",))),
        item("I-5", retired=True),
    )
    assert set(owed(*items)) == {"I-1", "I-4"}
    assert set(owed(*items, tags=frozenset({"rural"}))) == {"I-1", "I-3"}


def test_every_seat_of_the_post_owes_an_individual_item():
    assert owed(item(post="member"))["I-1"].seats == SEATS["member"]


def test_a_collective_item_is_owed_once():
    assert owed(item(post="member", duty="collective"))["I-1"].seats == SEATS["member"][:1]


def test_a_post_without_a_seat_is_shown_and_not_dropped():
    assert owed(item(post="nobody"))["I-1"].seats == ()


def test_a_switched_off_item_is_not_owed_but_printed_with_its_reason():
    off = decision(DecisionKind.OFF)
    assert owed(item(), decisions=[off]) == {}
    (line,) = switched_off(items=[item()], level="base", tags=frozenset(), decisions=[off], on=JUNE)
    assert (line.item.id, line.decision.reason) == ("I-1", "经会议研究")


def test_a_decision_counts_from_its_day_on():
    off = decision(DecisionKind.OFF, effective_from=JUNE)
    assert "I-1" in owed(item(), decisions=[off], on=date(2026, 5, 31))
    assert "I-1" not in owed(item(), decisions=[off], on=JUNE)


def test_an_item_is_given_to_another_post_or_to_one_seat_of_it():
    give = decision(DecisionKind.GIVE, post="member")
    assert owed(item(), decisions=[give])["I-1"].seats == SEATS["member"]
    one_seat = replace(give, seat="hs-1.member.2")
    found = owed(item(), decisions=[one_seat])["I-1"]
    assert (found.post, found.seats, found.decisions) == ("member", ("hs-1.member.2",), (one_seat,))


def test_the_latest_decision_of_a_kind_counts():
    later = decision(DecisionKind.MORE, times=4, effective_from=JUNE)
    earlier = decision(DecisionKind.MORE, times=3)
    assert owed(item(), decisions=[later, earlier])["I-1"].times == 4


def test_an_item_of_the_units_own_stands_behind_the_list_and_can_be_changed_like_it():
    own = decision(DecisionKind.OWN, "Z-1", item=item("Z-1", basis="local"))
    more = decision(DecisionKind.MORE, "Z-1", times=2)
    found = owed(item(), decisions=[own, more])
    assert list(found) == ["I-1", "Z-1"]
    assert (found["Z-1"].times, found["Z-1"].decisions) == (2, (own, more))


@given(st.integers(1, 31), st.integers(1, 31), st.sampled_from(["regulation", "proposal"]))
def test_the_number_of_a_regulation_is_never_undercut(listed, decided, basis):
    found = owed(item(times=listed, basis=basis), decisions=[decision(DecisionKind.MORE, times=decided)])
    expected = max(listed, decided) if basis == "regulation" else decided
    assert found["I-1"].times == expected


@pytest.mark.parametrize("kind", list(DecisionKind))
def test_every_decision_has_a_name_and_needs_a_reason(kind):
    assert DECISION_NAMES[kind]
    with pytest.raises(Invalid) as refusal:
        check_decision(decision(kind, reason=" "), item=item())
    assert refusal.value.field == "reason"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (decision(DecisionKind.GIVE), "post"),
        (decision(DecisionKind.MORE), "times"),
        (decision(DecisionKind.MORE, times=1), "times"),
        (decision(DecisionKind.OWN), "item"),
        (decision(DecisionKind.OWN, item=item()), "item_id"),
    ],
    ids=lambda value: str(getattr(value, "kind", value)),
)
def test_a_decision_that_lacks_something_is_refused_at_its_field(wrong, field):
    with pytest.raises(Invalid) as refusal:
        check_decision(wrong, item=item(times=2))
    assert refusal.value.field == field


@pytest.mark.parametrize("missing", [None, item(retired=True)], ids=["unknown", "retired"])
def test_nothing_is_decided_about_an_item_that_the_list_does_not_have(missing):
    with pytest.raises(Invalid, match="I-1"):
        check_decision(decision(DecisionKind.OFF), item=missing)


def test_sound_decisions_pass():
    check_decision(decision(DecisionKind.OFF), item=item())
    check_decision(decision(DecisionKind.GIVE, post="member"), item=item())
    check_decision(decision(DecisionKind.MORE, times=3), item=item(times=2))
    check_decision(decision(DecisionKind.OWN, "Z-1", item=item("Z-1")), item=None)
