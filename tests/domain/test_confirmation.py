"""Who confirms: never the doer, always the nearest above who may."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.checklist import Checklist
from tracker.domain.confirmation import Place, Seat, confirming_persons, confirming_seat, wanted_posts

CHECKLIST = Checklist.model_validate(
    {
        "schema_version": 1,
        "key": "test",
        "version": "1",
        "title": "测试清单",
        "status": "trial",
        "notice": "仅供测试",
        "as_of": date(2026, 1, 1),
        "root_name": "市级",
        "levels": [{"id": name, "name": name} for name in ("top", "middle", "base")],
        "posts": [
            {"id": "head", "name": "甲", "level": "root"},
            {"id": "deputy", "name": "乙", "level": "root"},
            {"id": "chief", "name": "丙", "level": "top"},
            {"id": "member", "name": "丁", "level": "top", "holders": "each"},
            {"id": "keeper", "name": "戊", "level": "middle"},
            {"id": "leader", "name": "己", "level": "base"},
        ],
        "dimensions": [],
        "evidence_kinds": [],
        "items": [],
    }
)


def chain(*, keeper=("Bao",), chief=("Chen",), member=("Mei",), head=("Hu",), deputy=("Dai",)):
    return (
        Place("b-1", (Seat("b-1.leader", "leader", frozenset({"Asha"})),)),
        Place("m-1", (Seat("m-1.keeper", "keeper", frozenset(keeper)),)),
        Place(
            "t-1",
            (Seat("t-1.chief", "chief", frozenset(chief)), Seat("t-1.member", "member", frozenset(member))),
        ),
        Place("r", (Seat("r.head", "head", frozenset(head)), Seat("r.deputy", "deputy", frozenset(deputy)))),
    )


def confirms(confirmer="keeper", doers=("Asha",), **holders):
    return confirming_seat(checklist=CHECKLIST, confirmer=confirmer, chain=chain(**holders), doers=frozenset(doers))


def test_the_named_post_above_confirms():
    assert confirms() == "m-1.keeper"


def test_bao_who_entered_the_evidence_does_not_confirm_it():
    assert confirms(doers=("Asha", "Bao")) == "t-1.chief"


def test_an_acting_holder_confirms_in_place_of_the_doer():
    assert confirms(doers=("Asha", "Bao"), keeper=("Bao", "Acting")) == "m-1.keeper"


def test_an_empty_seat_passes_it_on_upwards():
    assert confirms(keeper=()) == "t-1.chief"
    assert confirms(keeper=(), chief=()) == "r.head"


def test_who_holds_several_posts_is_passed_over_in_each():
    assert confirms(keeper=("Asha",), member=("Asha",), chief=("Asha",)) == "r.head"


def test_at_the_top_the_deputy_confirms():
    assert confirms("head", doers=("Chen", "Hu")) == "r.deputy"
    assert confirms("deputy", doers=("Dai",)) == "r.head"


def test_where_really_nobody_may_there_is_no_seat():
    assert confirms("head", doers=("Hu", "Dai")) is None


def test_without_a_confirmer_the_duty_stands_on_submission():
    assert confirms(None) is None


def test_a_post_below_the_named_one_never_confirms():
    assert confirms("chief", doers=("Chen",)) == "r.head"


def test_the_posts_are_asked_upwards_and_the_root_in_its_order():
    assert wanted_posts(CHECKLIST, "keeper") == ("keeper", "chief", "head", "deputy")


def test_the_nearest_seat_of_a_post_goes_first():
    twice = (Place("m-2", (Seat("m-2.keeper", "keeper", frozenset({"Eva"})),)), *chain())
    found = confirming_seat(checklist=CHECKLIST, confirmer="keeper", chain=twice, doers=frozenset())
    assert found == "m-2.keeper"


@pytest.mark.parametrize("doers", [frozenset(), frozenset({"Bao"}), frozenset({"Bao", "Eva"})])
def test_the_persons_of_a_seat_without_the_doers(doers):
    seat = Seat("m-1.keeper", "keeper", frozenset({"Bao", "Eva"}))
    assert confirming_persons(seat, doers=doers) == {"Bao", "Eva"} - doers


PEOPLE = ("Asha", "Bao", "Chen", "Dai")
SOME = st.lists(st.sampled_from(PEOPLE), max_size=2)


@given(SOME, SOME, SOME, SOME, SOME, st.sets(st.sampled_from(PEOPLE)), st.sampled_from(["keeper", "member", "head"]))
def test_whoever_confirms_is_never_only_the_doers(keeper, chief, member, head, deputy, doers, confirmer):
    places = chain(keeper=keeper, chief=chief, member=member, head=head, deputy=deputy)
    seats = {seat.key: seat for place in places for seat in place.seats}
    found = confirming_seat(checklist=CHECKLIST, confirmer=confirmer, chain=places, doers=frozenset(doers))
    if found is not None:
        assert seats[found].holders - doers
    else:
        assert not any(s.holders - doers for s in seats.values() if s.post in wanted_posts(CHECKLIST, confirmer))
