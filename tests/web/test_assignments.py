from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.city import City
from tests.web.conftest import ClientOf, post
from tests.years import duties_of
from tracker.models import Decision, Duty

OWN = {
    "item_id": "U-01",
    "title": "林区防火宣传",
    "requirement": "每季度到林场宣传一次。",
    "post": "P4",
    "confirmer": "P3",
    "dimension": "A",
    "every": "quarter",
    "times": "1",
    "grace": "5",
    "points": "0",
    "reason": "林业局实际",
    "effective_from": "2026-05-20",
}
OFF = {"item_id": "L3-01", "kind": "off", "post": "", "times": "", "reason": "无此情况", "effective_from": "2026-06-01"}
BRANCH = "/assignments/D1-B1"


def test_asha_sees_what_her_branch_owes_and_why_and_nothing_of_others(client_of: ClientOf) -> None:
    asha = client_of("Asha")
    page = asha.get(BRANCH).get_data(as_text=True)
    assert "L3-01" in page
    assert "登记发生的事项" in page
    assert "作出决定" not in page
    assert asha.get("/assignments/D2-B1").status_code == 404
    assert asha.get("/assignments/D1").status_code == 404
    assert asha.get(f"{BRANCH}/decide").status_code == 403
    assert "D2-B1" not in asha.get("/assignments").get_data(as_text=True)


def test_chen_switches_an_item_off_and_takes_it_back(client_of: ClientOf, session: Session, city: City) -> None:
    chen = client_of("Chen")
    assert post(chen, f"{BRANCH}/decide", OFF).status_code == 302
    session.rollback()
    row = session.scalars(select(Decision)).one()
    key = row.key
    page = chen.get(BRANCH).get_data(as_text=True)
    assert "无此情况" in page
    assert "Chen" in page
    url = f"{BRANCH}/decisions/{key}/take-back"
    assert chen.get(url).status_code == 200
    assert post(chen, url, {"reason": "恢复", "effective_from": "2026-07-01"}).status_code == 302
    assert chen.get(f"{BRANCH}/decisions/2026.D1-B1.D9/take-back").status_code == 404
    session.rollback()
    assert len(session.scalars(select(Decision)).all()) == 2


def test_a_decision_that_a_rule_refuses_keeps_what_was_typed(client_of: ClientOf, session: Session) -> None:
    chen = client_of("Chen")
    answer = post(chen, f"{BRANCH}/decide", OFF | {"kind": "more", "times": ""})
    assert answer.status_code == 400
    assert "无此情况" in answer.get_data(as_text=True)
    answer = post(chen, f"{BRANCH}/decide", OFF | {"effective_from": "2026-01-01"})
    assert answer.status_code == 400
    assert "不能早于今天" in answer.get_data(as_text=True)
    assert post(chen, f"{BRANCH}/decide", OFF | {"reason": ""}).status_code == 400
    assert session.scalars(select(Decision)).all() == []


def test_chen_cannot_decide_for_another_unit(client_of: ClientOf) -> None:
    assert client_of("Chen").get("/assignments/D2-B1/decide").status_code == 404
    assert post(client_of("Cao"), f"{BRANCH}/decide", OFF).status_code == 404


def test_chen_adds_an_item_of_the_branchs_own(client_of: ClientOf, session: Session, city: City) -> None:
    chen = client_of("Chen")
    assert post(chen, f"{BRANCH}/own", OWN).status_code == 302
    session.rollback()
    assert [key for key in duties_of(session, city.organizations["D1-B1"]) if ".U-01." in key]
    assert "林区防火宣传" in chen.get(BRANCH).get_data(as_text=True)
    answer = post(chen, f"{BRANCH}/own", OWN | {"item_id": "X-1"})
    assert answer.status_code == 400
    assert "U-01" in answer.get_data(as_text=True)


def test_asha_reports_an_event(client_of: ClientOf, session: Session, city: City) -> None:
    asha = client_of("Asha")
    page = asha.get(f"{BRANCH}/event").get_data(as_text=True)
    choice = page.split('value="D1-B1.P4-1|')[1].split('"')[0]
    told = {"place": f"D1-B1.P4-1|{choice}", "happened_on": "2026-05-19", "what": "换届后首次报告"}
    assert post(asha, f"{BRANCH}/event", told).status_code == 302
    session.rollback()
    assert session.scalars(select(Duty).where(Duty.happened_on.is_not(None))).one().happening == "换届后首次报告"
    assert post(asha, f"{BRANCH}/event", told).status_code == 409
    assert post(asha, f"{BRANCH}/event", told | {"happened_on": "2026-06-19"}).status_code == 400
    assert client_of("Chen").get(f"{BRANCH}/event").status_code == 403


def test_an_event_that_says_too_little_is_sent_back_in_the_words_of_the_page(client_of):
    answer = post(client_of("Asha"), f"{BRANCH}/event", {"happened_on": "2026-02-30", "what": ""})
    page = answer.get_data(as_text=True)
    assert answer.status_code == 400
    assert " novalidate>" in page
    assert 'id="happened_on-error"' in page
    assert 'id="what-error"' in page
    assert "required" not in page.partition('id="what-error"')[2].partition("</p>")[0]
