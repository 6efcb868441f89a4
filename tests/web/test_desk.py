"""The desk in a browser without scripts, and what its scripts ask for: verdicts, holds, hints, frequent reasons."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

import pytest
import time_machine
from flask import Flask, render_template
from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from tests.city import NOW, City
from tests.web.conftest import ClientOf, post
from tracker.db import writing
from tracker.domain.duty import State
from tracker.domain.hints import Hint, HintKind
from tracker.models import AccessLog, DeskHold, Duty, FrequentReason, LogEntry, Verdict
from tracker.services import evidence

PLAN = {
    "title": "上半年督查",
    "basis": "年度工作安排",
    "kind": "regular",
    "starts_on": "2026-05-18",
    "ends_on": "2026-05-29",
    "period_starts_on": "2026-03-01",
    "period_ends_on": "2026-03-31",
    "leader": "ines",
    "members": ["ivan"],
    "units": ["D1"],
    "dimensions": ["E"],
    "sample": "all",
}
JSON = {"Accept": "application/json"}


@pytest.fixture
def ines(client_of: ClientOf, session: Session, city: City) -> FlaskClient:
    """Ines, who leads check number 1 with Ivan in her team."""
    client = client_of("Ines")
    answer = post(client, "/inspections/new", PLAN)
    assert answer.status_code == 302, answer.text
    return client


def queue(client: FlaskClient) -> list[str]:
    return re.findall(r'<li data-key="([^"]+)"', client.get("/inspections/1/desk").text)


def judge(client: FlaskClient, key: str, *, seen: int = 0, where: str = "", **data: str) -> TestResponse:
    values = {"value": "met", "note": "", "seen": str(seen), **data}
    return post(client, f"/inspections/1/desk/{key}/judge{where}", values, headers=JSON)


def given(session: Session) -> list[str]:
    session.rollback()
    return [value.value for value in session.scalars(select(Verdict.value).order_by(Verdict.id))]


def test_the_way_to_the_desk_stands_on_the_page_of_the_check(ines: FlaskClient) -> None:
    assert re.search(r'href="/inspections/1/desk">\s*<svg.*?</svg>\s*进入核查台', ines.get("/inspections/1").text, re.S)


def test_the_old_address_leads_to_the_desk(ines: FlaskClient) -> None:
    key = queue(ines)[1]
    answer = ines.get(f"/inspections/1/duties/{key}")
    assert (answer.status_code, answer.location) == (302, f"/inspections/1/desk?duty={key}")


def test_without_scripts_a_verdict_brings_the_next_duty(ines: FlaskClient, session: Session) -> None:
    first, second = queue(ines)[:2]
    page = ines.get("/inspections/1/desk").text
    assert f'data-duty="{first}"' in page
    answer = post(ines, f"/inspections/1/desk/{first}/judge", {"value": "met", "seen": "0"}, follow_redirects=True)
    assert f'data-duty="{second}"' in answer.text
    assert "已保存" in answer.text
    assert given(session) == ["met"]


def test_a_verdict_without_its_reason_keeps_what_was_typed(ines: FlaskClient, session: Session) -> None:
    key = queue(ines)[0]
    answer = post(ines, f"/inspections/1/desk/{key}/judge", {"value": "missing", "note": " ", "seen": "0"})
    assert (answer.status_code, f'data-duty="{key}"' in answer.text) == (400, True)
    assert "请写明理由" in answer.text
    long = "很" * 1001
    answer = post(ines, f"/inspections/1/desk/{key}/judge", {"value": "missing", "note": long, "seen": "0"})
    assert (answer.status_code, long in answer.text) == (400, True)
    assert given(session) == []


@pytest.mark.parametrize(
    ("data", "why"),
    [({"value": "excellent"}, "请选择核查结论"), ({"value": ""}, "请选择核查结论"), ({"seen": ""}, "请刷新页面")],
)
def test_a_form_that_was_tampered_with_is_refused(ines: FlaskClient, session: Session, data, why) -> None:
    key = queue(ines)[0]
    values = {"value": "met", "note": "", "seen": "0", **data}
    answer = post(ines, f"/inspections/1/desk/{key}/judge", values, headers=JSON)
    assert (answer.status_code, why in answer.json["error"]) == (400, True)
    assert given(session) == []


def test_a_verdict_is_answered_in_place_and_counts(ines: FlaskClient) -> None:
    keys = queue(ines)
    told = judge(ines, keys[0], value="partly", note="缺签到表").json
    assert (told["judged"], told["sampled"]) == (1, len(keys))
    assert told["said"].startswith("已保存 10:00:")
    assert told["said"].endswith("部分落实")


def test_a_verdict_of_another_meanwhile_is_409_and_stays(
    ines: FlaskClient, client_of: ClientOf, session: Session
) -> None:
    ivan, key = client_of("Ivan"), queue(ines)[3]
    assert judge(ivan, key).status_code == 200
    answer = judge(ines, key, value="missing", note="没有记录")
    assert answer.status_code == 409
    assert re.search(r"Ivan已于 05-20 10:0\d 对这项任务作出结论“落实”", answer.json["error"])
    assert given(session) == ["met"]
    assert judge(ines, key, seen=1, value="missing", note="没有记录").status_code == 200
    assert given(session) == ["met", "missing"]
    shown = post(ines, f"/inspections/1/desk/{key}/open", headers=JSON).json["html"]
    assert re.search(r"<textarea[^>]*>没有记录</textarea>", shown)  # what was said last is there to be revised


def test_ones_own_verdict_in_another_tab_is_409_too(ines: FlaskClient, session: Session) -> None:
    key = queue(ines)[0]
    judge(ines, key)
    answer = judge(ines, key, value="not_applicable", note="没有支委会")
    assert (answer.status_code, "您已于" in answer.json["error"]) == (409, True)
    assert given(session) == ["met"]


def test_what_one_has_open_the_other_does_not_get(ines: FlaskClient, client_of: ClientOf, session: Session) -> None:
    ivan, keys = client_of("Ivan"), queue(ines)
    page = ivan.get("/inspections/1/desk").text
    assert f'data-duty="{keys[1]}"' in page  # the first one lies on the desk of Ines
    assert "Ines正在核查" in page
    answer = post(ivan, f"/inspections/1/desk/{keys[0]}/open", headers=JSON)
    assert (answer.status_code, answer.json["error"]) == (409, "Ines正在核查这项任务，请先核查其他任务。")
    assert judge(ivan, keys[0]).status_code == 409
    shown = ivan.get(f"/inspections/1/desk?duty={keys[0]}").text
    assert "Ines正在核查这项任务" in shown
    assert "data-verdict-form" not in shown
    assert given(session) == []


def test_a_pulse_keeps_lets_go_and_tells_what_others_did(
    ines: FlaskClient, client_of: ClientOf, clock: time_machine.Coordinates
) -> None:
    ivan, keys = client_of("Ivan"), queue(ines)
    for key in keys[4:6]:
        assert post(ivan, f"/inspections/1/desk/{key}/open", headers=JSON).status_code == 200
    judge(ivan, keys[7])
    told = post(ines, "/inspections/1/desk/pulse", {"keep": keys[:1]}, headers=JSON).json
    assert told["duties"][keys[4]] == {"verdict": None, "judge": None, "held": "Ivan"}
    assert told["duties"][keys[7]] == {"verdict": "met", "judge": "Ivan", "held": None}
    assert (told["judged"], told["progress"]) == (1, f"已核查 1 / {len(keys)}")
    clock.shift(120)
    post(ivan, "/inspections/1/desk/pulse", {"keep": keys[4:5], "drop": keys[5:6]}, headers=JSON)
    clock.shift(120)
    told = post(ines, "/inspections/1/desk/pulse", {"keep": keys[:1]}, headers=JSON).json
    assert {key: one["held"] for key, one in told["duties"].items()} == {keys[4]: "Ivan", keys[7]: None}


def test_opening_hands_out_the_duty_and_writes_who_read_its_evidence(
    ines: FlaskClient, session: Session, city: City
) -> None:
    key = "2026.D1-B1.P4-1.L3-02.M03.1"
    with writing(session):
        record = evidence.record(
            session,
            duties=session.scalars(select(Duty).where(Duty.key == key)).all(),
            act_on=date(2026, 3, 20),
            sentence="召开会议，学习文件",
            counts={},
            files=[],
            actor=city.actor("Asha"),
            now=NOW,
        )
        name = record.key
    told = post(ines, f"/inspections/1/desk/{key}/open", headers=JSON).json["html"]
    assert "召开会议，学习文件" in told
    assert "<html" not in told
    session.rollback()
    read = session.execute(select(AccessLog.actor, AccessLog.verb, AccessLog.object_key)).all()
    assert read == [("ines", "evidence.open", name)]
    assert session.scalars(select(DeskHold.duty_id)).one()
    hints = ines.get(f"/inspections/1/desk/{key}/hints", headers=JSON).json["html"]
    assert "提示" in hints  # 61 days from the act to the upload


def held_until(session: Session) -> datetime:
    session.rollback()
    return session.scalars(select(DeskHold.until)).one()


def test_a_duty_that_one_has_open_is_shown_again_without_writing(
    ines: FlaskClient, client_of: ClientOf, session: Session, clock: time_machine.Coordinates
) -> None:
    def changed() -> int:
        """A number that changes whenever somebody else writes into the database."""
        session.rollback()
        return session.execute(text("PRAGMA data_version")).scalar_one()

    key = queue(ines)[0]
    until, before = held_until(session), changed()
    clock.shift(60)
    assert f'data-duty="{key}"' in ines.get("/inspections/1/desk").text
    assert f'data-duty="{key}"' in ines.get(f"/inspections/1/desk?duty={key}").text
    assert post(ines, f"/inspections/1/desk/{key}/open", headers=JSON).status_code == 200
    assert (held_until(session), changed()) == (until, before)
    clock.shift(60)  # and then it is renewed: half of the three minutes is over
    assert f'data-duty="{key}"' in ines.get("/inspections/1/desk").text
    assert held_until(session) > until + timedelta(seconds=115)
    assert changed() != before
    clock.shift(100)
    assert post(client_of("Ivan"), f"/inspections/1/desk/{key}/open", headers=JSON).status_code == 409


def test_a_duty_that_was_let_go_is_taken_by_whoever_comes_first(
    ines: FlaskClient, client_of: ClientOf, clock: time_machine.Coordinates
) -> None:
    ivan, key = client_of("Ivan"), queue(ines)[0]
    clock.shift(181)
    assert f'data-duty="{key}"' in ivan.get("/inspections/1/desk").text
    assert "Ivan正在核查这项任务" in ines.get(f"/inspections/1/desk?duty={key}").text


# -- bad input ---------------------------------------------------------------------------------------------------------


def test_a_duty_outside_the_sample_is_refused_with_the_reason(ines: FlaskClient, session: Session) -> None:
    outside = "2026.D1-B1.P4-1.L3-02.M04.1"
    answer = judge(ines, outside)
    assert answer.status_code in {400, 404}
    assert answer.json["error"]
    inside_units = session.scalars(
        select(Duty.key).where(Duty.key.startswith("2026.D1-B1"), Duty.period == "M03", Duty.dimension != "E")
    ).first()
    answer = judge(ines, inside_units or "")
    assert answer.status_code in {400, 404}
    assert given(session) == []


def test_nothing_is_judged_with_a_past_day_in_the_address_or_the_form(ines: FlaskClient, session: Session) -> None:
    key = queue(ines)[0]
    for answer in (judge(ines, key, where="?as_of=2026-05-19"), judge(ines, key, as_of="2026-05-19")):
        assert (answer.status_code, "不能办理" in answer.json["error"]) == (409, True)
    assert ines.get("/inspections/1/desk?as_of=2026-05-19").status_code == 400
    assert given(session) == []


@pytest.mark.parametrize(("who", "status"), [("Asha", 404), ("Ada", 404), ("Adam", 403)])
def test_whoever_is_not_in_the_team_has_no_desk(
    ines: FlaskClient, client_of: ClientOf, session: Session, who: str, status: int
) -> None:
    key, other = queue(ines)[0], client_of(who)
    assert other.get("/inspections/1/desk").status_code == status
    assert judge(other, key).status_code == status
    assert given(session) == []


def test_after_closing_the_desk_shows_and_the_verdict_is_refused_with_the_reason(
    ines: FlaskClient, session: Session
) -> None:
    keys = queue(ines)
    for key in keys:
        assert judge(ines, key).status_code == 200
    assert post(ines, "/inspections/1/close").status_code == 302
    answer = judge(ines, keys[0], seen=1, value="not_applicable", note="没有支委会")
    assert (answer.status_code, "已经结束" in answer.json["error"]) == (409, True)
    shown = ines.get("/inspections/1/desk").text
    assert "本次督查已经结束" in shown
    assert "data-verdict-form" not in shown
    assert set(given(session)) == {"met"}
    assert session.scalar(select(Duty.state).where(Duty.key == keys[0])) is State.OPEN  # a verdict changes no duty


def test_where_nothing_waits_the_desk_says_so_and_holds_nothing(ines: FlaskClient, session: Session) -> None:
    keys = queue(ines)
    for key in keys:
        assert judge(ines, key, value="not_applicable", note="没有支委会").status_code == 200
    session.execute(text("DELETE FROM desk_hold"))
    session.commit()
    page = ines.get("/inspections/1/desk").text
    assert "没有待核查的任务了" in page
    assert "data-duty=" not in page
    assert 'href="/inspections/1/duties"' in page
    assert len(queue(ines)) == len(keys)
    assert session.scalar(select(DeskHold.id)) is None
    assert f'data-duty="{keys[0]}"' in ines.get(f"/inspections/1/desk?duty={keys[0]}").text  # by its link, as before


def test_the_given_verdict_is_the_one_that_is_pressed(ines: FlaskClient) -> None:
    key = queue(ines)[0]
    pressed = r'name="value" value="(\w+)" aria-pressed="true"'
    assert re.findall(pressed, ines.get(f"/inspections/1/desk?duty={key}").text) == []
    judge(ines, key, value="partly", note="缺签到表")
    assert re.findall(pressed, ines.get(f"/inspections/1/desk?duty={key}").text) == ["partly"]


def test_what_does_not_apply_needs_a_reason(ines: FlaskClient, session: Session) -> None:
    answer = judge(ines, queue(ines)[0], value="not_applicable")
    assert (answer.status_code, "请写明理由" in answer.json["error"]) == (400, True)
    assert given(session) == []


def test_after_signing_in_again_the_desk_gets_a_token_of_the_new_session(ines: FlaskClient) -> None:
    told = ines.get("/inspections/1/desk/token", headers=JSON).json
    assert told["me"] == "ines"
    assert post(ines, "/auth/logout").status_code == 302
    assert ines.get("/inspections/1/desk/token", headers=JSON).status_code == 401


def test_of_many_hints_a_few_are_seen_and_the_rest_is_folded(app: Flask) -> None:
    hints = [Hint(HintKind.SAME_FILE, "佐证 %(key)s", {"key": f"2026.D1-B1.{n}"}) for n in range(17)]
    with app.test_request_context():
        seen, _, folded = render_template("desk/_hints_of.html", hints=hints).partition("<details>")
    assert (seen.count("<li>"), folded.count("<li>")) == (4, 13)
    assert "其余 13 条" in folded


def test_points_and_findings_come_back_to_the_duty_on_the_desk(ines: FlaskClient) -> None:
    key = queue(ines)[0]
    judge(ines, key, value="partly", note="不全")
    link = re.search(
        r'href="(/inspections/1/scores/[^"]+desk=[^"]+)"', ines.get(f"/inspections/1/desk?duty={key}").text
    )
    assert link
    answer = post(ines, link[1], {"points": "0.5", "reason": "现场补齐"})
    assert answer.location == f"/inspections/1/desk?duty={key}"
    assert "改定，计算得分" in ines.get(answer.location).text


# -- frequent reasons --------------------------------------------------------------------------------------------------


def test_the_team_adds_edits_and_drops_reasons(ines: FlaskClient, session: Session) -> None:
    post(ines, "/inspections/reasons", {"value": "partly", "text": "缺签到表"})
    assert "缺签到表" in ines.get("/inspections/1/desk").text
    post(ines, "/inspections/reasons/R001", {"value": "partly", "text": "缺签到表或照片"})
    post(ines, "/inspections/reasons/R001/drop")
    page = ines.get("/inspections/reasons").text
    assert "还没有常用理由" in page
    assert "缺签到表或照片" in page  # among those that are not offered any more
    assert "缺签到表" not in ines.get("/inspections/1/desk").text
    assert [row.text for row in session.scalars(select(FrequentReason).order_by(FrequentReason.id))] == [
        "缺签到表",
        "缺签到表或照片",
    ]
    verbs = session.scalars(select(LogEntry.verb).where(LogEntry.object_kind == "frequent_reason")).all()
    assert verbs == ["reason.add", "reason.edit", "reason.drop"]


def test_a_reason_that_is_refused_keeps_what_was_typed(ines: FlaskClient) -> None:
    post(ines, "/inspections/reasons", {"value": "missing", "text": "没有记录"})
    answer = post(ines, "/inspections/reasons", {"value": "missing", "text": "没有记录"})
    assert (answer.status_code, "已经有同样的理由" in answer.text) == (400, True)
    assert 'value="没有记录"' in answer.text


def test_a_dropped_reason_is_not_edited(ines: FlaskClient) -> None:
    post(ines, "/inspections/reasons", {"value": "missing", "text": "没有记录"})
    post(ines, "/inspections/reasons/R001/drop")
    assert ines.get("/inspections/reasons/R001").status_code == 404


def test_a_branch_secretary_sees_no_reasons(client_of: ClientOf) -> None:
    assert client_of("Asha").get("/inspections/reasons").status_code == 403
