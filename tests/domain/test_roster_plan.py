"""A roster held against what is known: what would be added, changed, closed, and what stands in the way."""

from dataclasses import replace
from datetime import date

import pytest

from tracker.domain.actor import AppointmentKind
from tracker.domain.organization import OrganizationFacts
from tracker.domain.roster import AppointmentRow, OrganizationRow, PersonRow, Roster
from tracker.domain.roster_changes import Known, KnownAppointment, KnownPerson, Plan, Verb
from tracker.domain.roster_plan import plan_roster

TODAY, SINCE = date(2026, 5, 20), date(2024, 1, 1)
LEVELS = ("root", "TOP", "LOW")
HOLDER, ACTING = AppointmentKind.HOLDER, AppointmentKind.ACTING
ROOT = OrganizationFacts(name="顶", parent=None, level="root", opened_on=SINCE)
UNIT = OrganizationFacts(name="单位", parent="R", level="TOP", is_unit=True, opened_on=SINCE)
BRANCH = OrganizationFacts(name="基层", parent="U", level="LOW", tags=("t",), position=3, opened_on=SINCE)
ASHA = KnownPerson("asha", "asha", "1", "艾莎")
YUE = KnownPerson("yue", "yue", None, "岳")
SITS = KnownAppointment("B.P-1#1", "B", "P", 1, "asha", HOLDER, SINCE, None)
KNOWN = Known({"R": ((SINCE, ROOT),), "U": ((SINCE, UNIT),), "B": ((SINCE, BRANCH),)}, (ASHA, YUE), (SITS,))


def organization(code: str, facts: OrganizationFacts, row: int = 2, **other) -> OrganizationRow:
    names = ("parent", "name", "level", "tags", "is_unit", "position", "opened_on", "closed_on", "term_ends_on")
    values = {name: getattr(facts, name) for name in names}
    return OrganizationRow(row=row, code=code, **(values | {"valid_from": None} | other))


def sitting(person: str = "asha", row: int = 2, **other) -> AppointmentRow:
    values = {"organization": "B", "post": "P", "number": 1, "kind": HOLDER, "starts_on": SINCE, "ends_on": None}
    return AppointmentRow(row=row, person=person, **(values | other))


def plan(*rows, known: Known = KNOWN, **options) -> Plan:
    kinds = {"organizations": OrganizationRow, "people": PersonRow, "appointments": AppointmentRow}
    sheets = {name: tuple(row for row in rows if isinstance(row, kind)) for name, kind in kinds.items()}
    return plan_roster(
        Roster(**sheets, levels=LEVELS, post_levels={"P": "LOW", "Q": "TOP"}), known, today=TODAY, **options
    )


def only_error(*rows, **options) -> str:
    [error] = plan(*rows, **options).errors
    return str(error)


def test_what_is_known_is_no_change() -> None:
    same = plan(organization("B", BRANCH), PersonRow(2, "asha", "1", "艾莎"), sitting())
    assert same.is_empty
    assert same.errors == same.warnings == ()


def test_empty_cells_of_position_and_first_day_keep_what_is_known() -> None:
    assert plan(organization("B", BRANCH, position=None, opened_on=None)).is_empty


def test_another_tag_holds_from_today_and_lays_out_again() -> None:
    [change] = plan(organization("B", replace(BRANCH, tags=("u",)))).organizations
    assert (change.verb, change.valid_from, change.relays) == (Verb.CHANGE, TODAY, True)


def test_another_name_lays_out_nothing() -> None:
    [change] = plan(organization("B", replace(BRANCH, name="新名"))).organizations
    assert not change.relays


def test_a_new_organization_holds_from_its_first_day() -> None:
    [change] = plan(organization("C", replace(BRANCH, opened_on=date(2026, 3, 1)))).organizations
    assert (change.verb, change.valid_from, change.before) == (Verb.ADD, date(2026, 3, 1), None)


def test_two_rows_of_one_organization_tell_its_history() -> None:
    changes = plan(
        organization("C", replace(BRANCH, name="后来"), row=2, valid_from=date(2025, 1, 1)),
        organization("C", replace(BRANCH, name="起初"), row=3, valid_from=SINCE),
    ).organizations
    assert [(change.after.name, change.verb) for change in changes] == [("起初", Verb.ADD), ("后来", Verb.CHANGE)]


def test_a_change_before_a_later_fact_is_a_warning() -> None:
    history = ((SINCE, BRANCH), (date(2026, 7, 1), replace(BRANCH, name="七月")))
    known = replace(KNOWN, organizations={**KNOWN.organizations, "B": history})
    [warning] = plan(organization("B", replace(BRANCH, name="五月")), known=known).warnings
    assert "2026-07-01" in str(warning)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([organization("C", replace(BRANCH, parent="X"))], "没有代码为 X 的上级组织"),
        ([organization("U", replace(UNIT, parent="B"))], "成了自己的上级"),
        ([organization("S", ROOT)], "最高一级组织只能有一个"),
        ([organization("V", replace(UNIT, parent="B"))], "层级低于本组织"),
        ([organization("U", replace(UNIT, closed_on=TODAY))], "下级 B 还在"),
        ([organization("B", BRANCH, opened_on=None, closed_on=date(2020, 1, 1))], "早于成立日期"),
    ],
)
def test_an_unsound_tree_is_told(rows, sentence) -> None:
    assert any(sentence in str(error) for error in plan(*rows).errors)


def test_a_unit_may_be_closed_with_all_below_it() -> None:
    closed = [organization("U", replace(UNIT, closed_on=TODAY)), organization("B", replace(BRANCH, closed_on=TODAY))]
    found = plan(*closed)
    assert found.errors == ()
    assert [change.verb for change in found.organizations] == [Verb.CLOSE, Verb.CLOSE]


def test_people_are_found_by_number_and_completed() -> None:
    [change] = plan(PersonRow(2, "yue", "2", "岳")).people
    assert (change.verb, change.staff_number, change.before) == (Verb.CHANGE, "2", YUE)


def test_a_new_name_is_a_change_with_a_warning() -> None:
    found = plan(PersonRow(2, None, "1", "艾沙"))
    assert found.people[0].account_name == "asha"
    assert "艾莎 改为 艾沙" in str(found.warnings[0])


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (PersonRow(2, "yue", "1", "岳"), "工号 1 属于账号 asha"),
        (PersonRow(2, "asha", "9", "艾莎"), "已登记为 1"),
    ],
)
def test_a_number_that_meets_another_account_is_told(row, sentence) -> None:
    assert sentence in only_error(row)


def test_yue_follows_asha_when_the_end_of_asha_is_given() -> None:
    last, first = date(2026, 5, 10), date(2026, 5, 11)
    found = plan(sitting(ends_on=last), sitting("yue", row=3, starts_on=first))
    assert found.errors == ()
    assert [(change.verb, change.person) for change in found.appointments] == [(Verb.CLOSE, "asha"), (Verb.ADD, "yue")]


def test_two_holders_are_told_and_an_acting_one_is_not() -> None:
    assert "已由 艾莎 任职" in only_error(sitting("yue", starts_on=TODAY))
    assert plan(sitting("yue", starts_on=TODAY, kind=ACTING)).errors == ()


def test_a_wrong_kind_or_start_is_a_correction() -> None:
    for row in (sitting(kind=ACTING), sitting(starts_on=date(2024, 2, 1))):
        [change] = plan(row).appointments
        assert (change.verb, change.before) == (Verb.CHANGE, SITS)


def test_a_second_term_after_the_first_is_new() -> None:
    known = replace(KNOWN, appointments=(replace(SITS, ends_on=date(2025, 1, 1)),))
    [change] = plan(sitting(starts_on=date(2026, 1, 1)), known=known).appointments
    assert change.verb is Verb.ADD


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (sitting(organization="X"), "没有代码为 X 的组织"),
        (sitting("nobody"), "没有账号或工号为 nobody 的人"),
        (sitting("yue", post="Q"), "没有这个岗位"),
    ],
)
def test_an_appointment_that_points_nowhere_is_told(row, sentence) -> None:
    assert sentence in only_error(row)


def test_close_missing_never_closes_the_root_and_leaves_sheets_without_rows_alone() -> None:
    found = plan(organization("R", ROOT), close_missing=True)
    assert {change.code for change in found.organizations} == {"U", "B"}
    assert found.appointments == ()


def test_close_missing_ends_the_one_before_on_the_eve_of_the_next() -> None:
    found = plan(sitting("yue", starts_on=date(2026, 5, 11)), close_missing=True)
    assert [(c.verb, c.ends_on) for c in found.appointments] == [(Verb.CLOSE, date(2026, 5, 10)), (Verb.ADD, None)]


def test_the_digest_is_that_of_what_would_be_done() -> None:
    one, same, other = (plan(sitting("yue", starts_on=day, kind=ACTING)) for day in (TODAY, TODAY, SINCE))
    assert one.digest() == same.digest() != other.digest()
