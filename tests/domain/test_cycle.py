from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.years import SOURCE
from tracker.domain.applicability import Decision, DecisionKind
from tracker.domain.burden import burden_of, level_burdens
from tracker.domain.calendar import WorkCalendar
from tracker.domain.checklist_source import load_checklist
from tracker.domain.cycle import Holding, Ruling, Standing, YearPlan

CHECKLIST = load_checklist(SOURCE)
PLAN = YearPlan(CHECKLIST, year=2026, calendar=WorkCalendar())
FOUNDED = date(2020, 1, 1)
BRANCH = Holding("B1", (Standing(FOUNDED, "L3", frozenset(), FOUNDED),), seats={"P4": ["B1.P4-1"]})


def branch(*standings: Standing, rulings: tuple[Ruling, ...] = ()) -> Holding:
    return replace(BRANCH, standings=standings or BRANCH.standings, rulings=rulings)


def keys(holding: Holding, from_day: date | None = None) -> set[str]:
    return {duty.key for duty in PLAN.duties(holding, from_day=from_day)}


def test_a_branch_that_opens_in_july_owes_the_windows_that_end_from_then_on():
    opened = branch(Standing(date(2026, 7, 1), "L3", frozenset(), date(2026, 7, 1)))
    assert keys(opened) == {duty.key for duty in PLAN.duties(BRANCH) if duty.slot.ends_on >= date(2026, 7, 1)}
    assert keys(opened) == keys(BRANCH, from_day=date(2026, 7, 1))


def test_a_fact_recorded_late_reaches_back_to_the_opening():
    late = branch(Standing(date(2026, 5, 20), "L3", frozenset(), FOUNDED))
    assert keys(late) == keys(BRANCH)


def test_a_closed_branch_owes_what_ended_before():
    closed = branch(Standing(FOUNDED, "L3", frozenset(), FOUNDED, closed_on=date(2026, 6, 30)))
    assert keys(closed) == {duty.key for duty in PLAN.duties(BRANCH) if duty.slot.ends_on <= date(2026, 6, 30)}


def test_an_organization_outside_the_levels_owes_nothing():
    assert keys(branch(Standing(FOUNDED, "root", frozenset(), FOUNDED))) == set()
    assert PLAN.owed_on(branch(Standing(FOUNDED, "L3", frozenset(), date(2027, 1, 1))), date(2026, 5, 1)) == ()


def test_the_end_of_a_term_is_owed_in_its_year_only():
    ends = branch(Standing(FOUNDED, "L3", frozenset(), FOUNDED, term_ends_on=date(2026, 9, 1)))
    terms = [duty for duty in PLAN.duties(ends) if duty.slot.period.code == "T"]
    assert terms
    assert {duty.slot.ends_on for duty in terms} == {date(2026, 9, 1)}
    later = branch(Standing(FOUNDED, "L3", frozenset(), FOUNDED, term_ends_on=date(2027, 9, 1)))
    assert keys(later) == keys(BRANCH)


def test_a_decision_holds_from_its_day_until_it_is_taken_back():
    branchs = (i for i in CHECKLIST.items if i.level == "L3" and i.applies.to(frozenset()))
    item = next(i for i in branchs if i.frequency.every == "month")
    off = Decision(DecisionKind.OFF, item.id, "原因", date(2026, 3, 1))
    held = branch(rulings=(Ruling(off, until=date(2026, 6, 1)),))
    missing = keys(BRANCH) - keys(held)
    assert {key.split(".")[-2] for key in missing} == {"M03", "M04", "M05"}
    assert {off.item.id for off in PLAN.switched_off_on(held, date(2026, 4, 1))} == {item.id}
    assert PLAN.switched_off_on(held, date(2026, 6, 1)) == ()


def test_members_owe_one_each_and_collective_items_are_owed_once():
    unit = Holding(
        "D1", (Standing(FOUNDED, "L1", frozenset(), FOUNDED),), seats={"P2": ["D1.P2-1", "D1.P2-2", "D1.P2-3"]}
    )
    for owed in PLAN.owed_on(unit, date(2026, 5, 1)):
        each = owed.item.duty == "individual" and owed.post == "P2"
        assert len(owed.seats) == (3 if each else 1)


TAGS = st.sets(st.sampled_from(sorted(CHECKLIST.tag))).map(frozenset)
DAYS = st.dates(date(2025, 6, 1), date(2027, 3, 1))


@st.composite
def histories(draw: st.DrawFn) -> Holding:
    days = sorted(draw(st.sets(DAYS, min_size=1, max_size=4)))
    closed = draw(st.none() | DAYS)
    standings = tuple(
        Standing(day, "L3", draw(TAGS), days[0], closed_on=closed, term_ends_on=draw(st.none() | DAYS)) for day in days
    )
    item = draw(st.sampled_from([i for i in CHECKLIST.items if i.level == "L3" and i.frequency.every != "event"]))
    off = Decision(DecisionKind.OFF, item.id, "原因", draw(DAYS))
    return branch(*standings, rulings=(Ruling(off, until=draw(st.none() | DAYS)),))


@settings(max_examples=80, deadline=None)
@given(histories(), DAYS)
def test_keys_are_unique_and_the_rest_of_a_year_is_a_part_of_the_whole(holding, from_day):
    duties = list(PLAN.duties(holding))
    assert len({duty.key for duty in duties}) == len(duties)
    rest = keys(holding, from_day)
    assert rest == {duty.key for duty in duties if duty.slot.ends_on >= from_day}
    for duty in duties:
        standing = holding.standing_on(duty.slot.ends_on)
        assert standing is not None
        assert duty.item.applies.to(standing.tags)


def burden(holding: Holding = BRANCH):
    return burden_of(PLAN.duties(holding), checklist=CHECKLIST, code="B1", name="一支部", unit="D1", level="L3")


def test_one_record_of_an_occasion_and_period_counts_once():
    duties = list(PLAN.duties(BRANCH))
    one = burden()
    assert one.duties == len(duties)
    automatic = {o.id for o in CHECKLIST.occasions if o.automatic}
    shared = {
        (d.item.occasion, d.slot.period.code, d.slot.occurrence)
        for d in duties
        if d.item.occasion and d.item.occasion not in automatic
    }
    alone = [d for d in duties if d.item.occasion is None]
    assert one.records == len(shared) + len(alone)
    assert one.saved == one.duties - one.records > 0


def test_levels_add_up_their_organizations():
    one = burden()
    levels = {level.level: level for level in level_burdens([one, one], checklist=CHECKLIST)}
    assert list(levels) == [level.id for level in CHECKLIST.levels]
    assert (levels["L3"].organizations, levels["L3"].duties, levels["L3"].most) == (2, 2 * one.duties, one.records)
    assert (levels["L1"].organizations, levels["L1"].duties, levels["L1"].saved) == (0, 0, 0)


@pytest.mark.parametrize("month", range(1, 13))
def test_duties_are_counted_in_the_month_in_which_their_window_ends(month: int):
    expected = sum(duty.slot.ends_on.month == month for duty in PLAN.duties(BRANCH))
    assert burden().months[month - 1].duties == expected
