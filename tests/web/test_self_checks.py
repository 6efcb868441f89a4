"""The self-check table of a unit in a browser: filled in by a clerk, handed in by who signs, read by the team."""

from __future__ import annotations

import html
import re
from datetime import date, datetime, timedelta
from io import BytesIO

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from openpyxl import load_workbook
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.city import NOW, City
from tests.web.conftest import ClientOf, post
from tracker.db import writing
from tracker.domain.actor import AppointmentKind
from tracker.domain.inspection import InspectionKind, MemberRole
from tracker.models import Cycle, Inspection, SelfCheckHandIn, SelfCheckLine
from tracker.services import inspections
from tracker.tasks.worker import Worker
from tracker.tasks.works import WORKS

DUE = date(2026, 6, 1)
PLACE = "/self-checks/1/D1"
MEETING, THEME_DAY = "L3-02", "L3-05"


def plan(session: Session, city: City, *, due_on: date | None = DUE) -> Inspection:
    """A check of both units by Ines, of two items."""
    return inspections.plan(
        session,
        cycle=session.scalars(select(Cycle)).one(),
        plan=inspections.Plan(
            title="上半年督查",
            basis="年度工作安排",
            kind=InspectionKind.REGULAR,
            starts_on=date(2026, 6, 8),
            ends_on=date(2026, 6, 19),
            period_starts_on=date(2026, 1, 1),
            period_ends_on=date(2026, 4, 30),
            team=[(city.person("Ines"), MemberRole.LEADER)],
            units=[city.organizations["D1"], city.organizations["D2"]],
            items=[MEETING, THEME_DAY],
            picked=[],
            self_check_due_on=due_on,
        ),
        actor=city.actor("Ines"),
        now=NOW,
    )


@pytest.fixture
def check(session: Session, city: City) -> None:
    """The check, and Bela as a clerk at the top of the first unit."""
    with writing(session):
        plan(session, city)
        city.appoint("Bela", "D1.P1-2", kind=AppointmentKind.CLERK)


def table_in(client: FlaskClient, place: str = PLACE) -> dict[str, str]:
    """What the fields of the page hold, as a browser would send it back."""
    return fields_of(client.get(place).text)


def fields_of(page: str) -> dict[str, str]:
    """The values of the fields of a table."""
    form = re.search(r'<form[^>]*class="self-check".*?</form>', page, re.S)
    assert form, page
    found = {}
    for tag in re.findall(r"<input[^>]*>", form[0]):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        if name and name[1] != "csrf_token":
            found[name[1]] = html.unescape(value[1]) if value else ""
    for name, options in re.findall(r'<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>', form[0], re.S):
        chosen = re.search(r'<option selected value="([^"]*)"', options)
        found[name] = chosen[1] if chosen else ""
    return found


FILLED = {MEETING: "met", f"{MEETING}-points": "1.5", f"{MEETING}-statement": "每季度召开", THEME_DAY: "partly"}


def test_a_clerk_fills_the_table_in_and_the_counts_stand_beside_it(client_of: ClientOf, check: None) -> None:
    bela = client_of("Bela")
    page = bela.get(PLACE)
    assert page.status_code == 200
    counts = re.findall(r'<p class="help">\s*(应办 .*?)\s*</p>', page.text)
    assert counts == ["应办 8 项：按期 0 项、逾期未办 8 项"] * 2
    assert "保存并报送" not in page.text

    answer = post(bela, PLACE, table_in(bela) | FILLED)
    assert answer.location == PLACE
    assert "改动 2 项" in bela.get(PLACE).text
    assert table_in(bela) | FILLED == table_in(bela)


def test_a_clerk_may_not_hand_in(client_of: ClientOf, session: Session, check: None) -> None:
    bela = client_of("Bela")
    answer = post(bela, PLACE, table_in(bela) | FILLED | {"then": "hand_in"})
    assert answer.status_code == 403
    assert "您没有办理这件事的权限" in answer.text
    session.rollback()
    assert session.scalars(select(SelfCheckHandIn)).all() == []
    assert len(session.scalars(select(SelfCheckLine)).all()) == 2, "what was filled in is kept"


def test_whoever_signs_hands_in_and_the_team_reads_what_was_handed_in(client_of: ClientOf, check: None) -> None:
    dong, ines = client_of("Dong"), client_of("Ines")
    post(dong, PLACE, table_in(dong) | FILLED)
    before = ines.get(PLACE).text
    assert "单位还没有报送" in before
    assert "每季度召开" not in before

    assert post(dong, PLACE, table_in(dong) | {"then": "hand_in"}).status_code == 302
    assert "已报送（第 1 次）。" in dong.get(PLACE).text
    read = ines.get(PLACE).text
    assert "每季度召开" in read
    assert "1.5 / " in read
    assert "self-check" not in re.findall(r'<form[^>]*class="([^"]*)"', read)

    post(dong, PLACE, table_in(dong) | {f"{MEETING}-statement": "改过的说明"})
    read = ines.get(PLACE).text
    assert "报送后有改动" in read
    assert "每季度召开" in read
    assert "改过的说明" not in read


def test_a_table_with_open_lines_is_saved_and_not_handed_in(client_of: ClientOf, check: None) -> None:
    dong = client_of("Dong")
    answer = post(dong, PLACE, table_in(dong) | {MEETING: "met", "then": "hand_in"})
    assert answer.status_code == 409
    assert f"还有 1 个事项没有自评结论（{THEME_DAY} 等）" in answer.text
    assert "填写的内容已保存，还没有报送" in answer.text
    assert table_in(dong)[MEETING] == "met"


def test_everything_wrong_is_named_at_once_and_what_was_typed_is_kept(client_of: ClientOf, check: None) -> None:
    dong = client_of("Dong")
    wrong = {
        f"{MEETING}-points": "99",
        f"{MEETING}-statement": "原话保留",
        f"{THEME_DAY}-statement": "长" * 301,
    }
    answer = post(dong, PLACE, table_in(dong) | wrong)
    assert answer.status_code == 400
    assert f"{MEETING} 的自评得分应在 0 到" in answer.text
    assert f"{THEME_DAY} 的自查说明不超过 300 字，现在是 301 字" in answer.text
    assert fields_of(answer.text) | wrong == fields_of(answer.text)
    odd = post(dong, PLACE, table_in(dong) | {f"{MEETING}-points": "许多", f"{THEME_DAY}-points": "1.25"})
    assert odd.status_code == 400
    assert "得分最多保留一位小数" in odd.text
    assert fields_of(odd.text)[f"{MEETING}-points"] == "许多"


@pytest.mark.parametrize("points", ["Infinity", "-Infinity", "NaN", "sNaN", "1e30"])
def test_points_that_are_no_number_are_refused_beside_their_field(
    client_of: ClientOf, check: None, points: str
) -> None:
    dong = client_of("Dong")
    answer = post(dong, PLACE, table_in(dong) | FILLED | {f"{MEETING}-points": points})
    assert answer.status_code == 400
    assert fields_of(answer.text)[f"{MEETING}-points"] == points


def test_two_people_at_once_lose_nothing_and_see_what_the_other_wrote(client_of: ClientOf, check: None) -> None:
    dong, lin = client_of("Dong"), client_of("Lin")
    of_dong, of_lin = table_in(dong), table_in(lin)
    written = {MEETING: "met", f"{MEETING}-statement": "董的话", THEME_DAY: "met"}
    assert post(dong, PLACE, of_dong | written).status_code == 302

    typed = {MEETING: "partly", f"{MEETING}-statement": "林的话"}
    answer = post(lin, PLACE, of_lin | typed)
    assert answer.status_code == 409
    assert f"{MEETING} 已由本单位其他人员改动" in answer.text
    theirs = re.search(r"其他人员已改为：.*?</p>", answer.text, re.S)
    assert theirs
    assert "董的话" in theirs[0]
    kept = fields_of(answer.text)
    assert kept | typed == kept
    assert kept[THEME_DAY] == "met", "what only the other one filled in is taken over"

    assert post(lin, PLACE, kept).status_code == 302
    assert table_in(dong) | typed | {THEME_DAY: "met"} == table_in(dong)


def test_lines_that_the_other_did_not_touch_do_not_conflict(client_of: ClientOf, check: None) -> None:
    dong, lin = client_of("Dong"), client_of("Lin")
    of_lin = table_in(lin)
    post(dong, PLACE, table_in(dong) | {MEETING: "met"})
    assert post(lin, PLACE, of_lin | {THEME_DAY: "partly"}).status_code == 302
    assert table_in(lin) | {MEETING: "met", THEME_DAY: "partly"} == table_in(lin)


def test_whoever_signs_is_shown_what_others_changed_before_it_is_handed_in(client_of: ClientOf, check: None) -> None:
    dong, lin = client_of("Dong"), client_of("Lin")
    post(dong, PLACE, table_in(dong) | FILLED)
    of_dong = table_in(dong)
    post(lin, PLACE, table_in(lin) | {MEETING: "missing"})
    answer = post(dong, PLACE, of_dong | {"then": "hand_in"})
    assert answer.status_code == 409
    assert "已由本单位其他人员改动，还没有报送" in answer.text
    assert fields_of(answer.text)[MEETING] == "missing"
    assert post(dong, PLACE, fields_of(answer.text) | {"then": "hand_in"}).status_code == 302


@pytest.mark.parametrize("seen", ["", "gestern", "9999-12-31T23:59:59"])
def test_a_form_that_does_not_say_when_it_was_opened_overwrites_nothing_unseen(
    client_of: ClientOf, check: None, seen: str
) -> None:
    dong = client_of("Dong")
    post(dong, PLACE, table_in(dong) | {MEETING: "met"})
    answer = post(dong, PLACE, table_in(dong) | {MEETING: "missing", "seen": seen})
    assert answer.status_code == (302 if seen.startswith("9999") else 409)


def test_late_is_taken_and_marked(client_of: ClientOf, clock: time_machine.Coordinates, check: None) -> None:
    dong = client_of("Dong")
    assert "请于 2026-06-01 前填报" in dong.get("/").text
    clock.move_to(datetime(2026, 6, 3, 2, tzinfo=NOW.tzinfo))
    dong, ines = client_of("Dong"), client_of("Ines")
    assert "报送期限 2026-06-01 已过" in dong.get("/").text
    assert "已过期限，仍可报送，记为逾期" in dong.get(PLACE).text
    assert post(dong, PLACE, table_in(dong) | FILLED | {"then": "hand_in"}).status_code == 302
    assert "本次记为逾期报送" in dong.get(PLACE).text
    assert "检查结束前可以改动后重新报送" in dong.get("/").text
    assert "逾期报送" in ines.get(PLACE).text


def test_the_team_sees_which_units_have_handed_in(client_of: ClientOf, check: None) -> None:
    dong, ines = client_of("Dong"), client_of("Ines")
    post(dong, PLACE, table_in(dong) | FILLED | {"then": "hand_in"})
    listed = re.search(r'id="self-checks".*?</section>', ines.get("/inspections/1").text, re.S)
    assert listed
    rows = re.findall(r"<tr>.*?</tr>", listed[0], re.S)[1:]
    assert ["已报送" in row for row in rows] == [True, False]
    assert [re.findall(r'<a href="([^"]*)"', row) for row in rows] == [[PLACE], ["/self-checks/1/D2"]]
    assert "Dong" in rows[0]
    assert "尚未报送" in rows[1]


def test_what_is_late_at_a_check_is_marked_from_the_day_after(
    client_of: ClientOf, check: None, clock: time_machine.Coordinates
) -> None:
    for day, unsent, open_still in (
        (DUE, False, False),
        (DUE + timedelta(days=1), True, False),
        (date(2026, 6, 19), True, False),
        (date(2026, 6, 20), True, True),
    ):
        clock.move_to(NOW.replace(month=day.month, day=day.day))
        page = client_of("Ines").get("/inspections/1").text
        assert ("逾期未报送" in page, "尚未报送" not in page) == (unsent, unsent)
        assert ("逾期未结束" in page) == open_still


@pytest.mark.parametrize("who", ["Omar", "Du", "Asha", "Chen", "Rong", "Adam"])
def test_others_are_told_nothing(client_of: ClientOf, check: None, who: str) -> None:
    client = client_of(who)
    assert client.get(PLACE).status_code == 404
    assert post(client, PLACE, FILLED).status_code == 404
    paper = post(client, "/papers/units/D1/inspections/1", {"paper": "self_check_table"})
    assert paper.status_code == (403 if who == "Adam" else 404)


def test_a_member_of_the_team_who_sits_above_the_unit_does_not_get_its_draft(
    client_of: ClientOf, session: Session, city: City, check: None
) -> None:
    with writing(session):
        city.appoint("Ines", "R.R2-1", kind=AppointmentKind.CLERK)
    dong, ines = client_of("Dong"), client_of("Ines")
    post(dong, PLACE, table_in(dong) | FILLED)
    for how in ({"as": "xlsx"}, {}):
        asked = {"paper": "self_check_table", **how}
        assert post(ines, "/papers/units/D1/inspections/1", asked).status_code == 404
        assert post(dong, "/papers/units/D1/inspections/1", asked).status_code in {200, 302}


def test_the_team_reads_and_does_not_write(client_of: ClientOf, session: Session, check: None) -> None:
    ines = client_of("Ines")
    assert ines.get(PLACE).status_code == 200
    assert post(ines, PLACE, FILLED).status_code == 403
    assert client_of("Ivan").get(PLACE).status_code == 404
    session.rollback()
    assert session.scalars(select(SelfCheckLine)).all() == []


def test_a_check_that_asks_for_no_table_is_not_announced(client_of: ClientOf, session: Session, city: City) -> None:
    with writing(session):
        plan(session, city, due_on=None)
    dong, ines = client_of("Dong"), client_of("Ines")
    nothing = [dong.get(f"/self-checks/{number}/D1") for number in (1, 7)]
    assert [answer.status_code for answer in nothing] == [404, 404]
    assert (
        len({re.sub(r"[0-9a-f]{16}|/self-checks/\d|value=\"[^\"]*\"|nonce=\"[^\"]*\"", "", a.text) for a in nothing})
        == 1
    )
    papers = [post(dong, f"/papers/units/D1/inspections/{n}", {"paper": "inspection_notice"}) for n in (1, 7)]
    assert [answer.status_code for answer in papers] == [404, 404]
    assert "自查表" not in dong.get("/").text
    assert ines.get(PLACE).status_code == 404
    page = ines.get("/inspections/1").text
    assert "各单位自查表" not in page
    assert 'value="self_check_table"' not in page


def test_after_the_close_nothing_is_written_and_the_words_are_still_there(
    client_of: ClientOf, session: Session, city: City, check: None
) -> None:
    dong = client_of("Dong")
    typed = table_in(dong) | FILLED
    with writing(session):
        one = session.scalars(select(Inspection)).one()
        inspections.close(session, one, actor=city.actor("Ines"), now=NOW + timedelta(minutes=1))
    answer = post(dong, PLACE, typed)
    assert answer.status_code == 409
    assert "本次检查已经结束，自查表不能再填报" in answer.text
    assert fields_of(answer.text) | FILLED == fields_of(answer.text)
    assert "本次检查已经结束" in dong.get(PLACE).text


def test_the_paper_is_blank_before_and_filled_after(app: Flask, client_of: ClientOf, check: None) -> None:
    dong, ines = client_of("Dong"), client_of("Ines")

    def said(client: FlaskClient, address: str) -> list[tuple[object, ...]]:
        answer = post(client, address, {"paper": "self_check_table", "unit": "D1", "as": "xlsx"})
        assert answer.status_code == 200, answer.text
        book = load_workbook(BytesIO(answer.data))
        [rows] = [list(sheet.values) for sheet in book if "自查内容" in sheet.title]
        return [row[-3:] for row in rows[1:]]

    unit, team = "/papers/units/D1/inspections/1", "/papers/inspections/1"
    assert said(dong, unit) == said(ines, team) == [(None, None, None)] * 2
    post(dong, PLACE, table_in(dong) | FILLED)
    draft = [("落实", 1.5, "每季度召开"), ("部分落实", None, None)]
    assert said(dong, unit) == draft
    assert said(ines, team) == [(None, None, None)] * 2, "a draft is the unit's own"
    post(dong, PLACE, table_in(dong) | {"then": "hand_in"})
    assert said(ines, team) == draft


def test_the_paper_is_printed_by_the_worker(app: Flask, client_of: ClientOf, check: None) -> None:
    dong = client_of("Dong")
    place = post(dong, "/papers/units/D1/inspections/1", {"paper": "self_check_table"}).location
    with app.app_context():
        worker = Worker(app.extensions["sqlalchemy"].engine, app.config["TRACKER"], WORKS)
        for key in worker.waiting():
            worker.perform(key)
    with dong.get(f"{place}/file") as answer:
        assert answer.data.startswith(b"%PDF-"), place


def test_after_handing_in_the_page_says_who_did_when_and_what_saving_does(client_of: ClientOf, check: None) -> None:
    dong = client_of("Dong")
    said = "只点保存不改变检查组看到的内容"
    assert said not in dong.get(PLACE).text
    post(dong, PLACE, table_in(dong) | FILLED | {"then": "hand_in"})
    page = dong.get(PLACE).text
    assert said in page
    assert re.search(r"已由Dong于 2026-05-20 [\d:]+ 报送（第 1 次）", page)


def test_an_answer_that_the_counts_speak_against_gets_a_remark_and_is_taken(client_of: ClientOf, check: None) -> None:
    dong = client_of("Dong")
    assert "请再核对" not in dong.get(PLACE).text
    assert post(dong, PLACE, table_in(dong) | {MEETING: "met", THEME_DAY: "partly"}).status_code == 302
    page = dong.get(PLACE).text
    assert page.count("自评为落实，但还有 8 项逾期未办，请再核对。") == 1
    assert page.count("请再核对") == 1


def test_the_page_leads_to_the_notice_of_the_check(client_of: ClientOf, check: None) -> None:
    dong = client_of("Dong")
    assert 'name="paper" value="inspection_notice"' in dong.get(PLACE).text
    assert post(dong, "/papers/units/D1/inspections/1", {"paper": "inspection_notice"}).status_code == 302
    assert 'value="inspection_notice"' not in client_of("Ines").get(PLACE).text


def test_page_and_paper_show_the_same_counts(client_of: ClientOf, check: None) -> None:
    read = client_of("Ines").get(PLACE).text
    answer = post(client_of("Dong"), "/papers/units/D1/inspections/1", {"paper": "self_check_table", "as": "xlsx"})
    cells = {str(cell) for sheet in load_workbook(BytesIO(answer.data)) for row in sheet.values for cell in row}
    for heading in ("按期", "逾期办理", "逾期未办", "未到期", "不适用或准予免办"):
        assert heading in read
        assert heading in cells
