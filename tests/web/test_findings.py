"""A finding in a browser: by working days or a day, on a day off, repeated, without a duty, put right on the spot."""

from __future__ import annotations

import re
from datetime import date

import pytest
import time_machine
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.city import NOW
from tests.web.conftest import ClientOf, post
from tests.web.test_inspections import FINDING, PLAN
from tracker.models import Duty, Finding, FindingFact, InspectionDuty, Organization

NEW = "/inspections/1/findings/new"


@pytest.fixture
def ines(client_of: ClientOf) -> FlaskClient:
    client = client_of("Ines")
    assert post(client, "/inspections/new", {**PLAN, "members": ["ivan"], "units": ["D1", "D2"]}).status_code == 302
    return client


def note(client: FlaskClient, *, at: str = NEW, **changes: str) -> str:
    """Note a finding; what the page says then."""
    answer = post(client, at, {**FINDING, **changes}, follow_redirects=True)
    assert answer.status_code == 200, re.findall(r'class="error"[^>]*>(.*?)</p>', answer.text, re.S)
    return answer.text


def last(session: Session) -> tuple[Finding, FindingFact]:
    session.rollback()
    query = select(Finding, FindingFact).join(FindingFact, FindingFact.finding_id == Finding.id)
    finding, fact = session.execute(query.order_by(Finding.id.desc())).first() or pytest.fail("no finding")
    return finding, fact


def test_a_deadline_on_a_day_off_moves_and_the_page_says_so(ines: FlaskClient, session: Session) -> None:
    said = note(ines, deadline="2026-06-13")
    assert "所选的 2026-06-13 是休息日，期限已顺延到下一个工作日 2026-06-15" in said
    assert last(session)[1].deadline == date(2026, 6, 15)
    assert "休息日" not in note(ines, deadline="2026-06-15")


def test_a_deadline_is_so_many_working_days_from_today(ines: FlaskClient, session: Session) -> None:
    note(ines, deadline="", working_days="10")  # from Wednesday 20 May, over two weekends
    assert last(session)[1].deadline == date(2026, 6, 3)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"deadline": ""}, "填工作日数，或者选一个日期"),
        ({"working_days": "5"}, "只填一项"),
        ({"deadline": "", "working_days": "0"}, 'id="working_days-error"'),
        ({"deadline": "2026-05-01"}, "不能早于今天"),
        ({"fixed": "当场补签"}, "才填当场整改情况"),
        ({"item": "L9-99"}, 'id="item-error"'),
    ],
)
def test_what_cannot_be_is_refused_and_what_was_typed_is_kept(
    ines: FlaskClient, session: Session, changes: dict[str, str], said: str
) -> None:
    answer = post(ines, NEW, {**FINDING, **changes})
    assert answer.status_code == 400
    assert said in answer.text
    assert "三月没有会议记录" in answer.text
    assert session.scalars(select(Finding)).all() == []


def test_a_finding_without_a_duty_names_the_item_and_takes_its_basis(ines: FlaskClient, session: Session) -> None:
    note(ines, item="L3-02", basis="")
    finding, fact = last(session)
    assert (finding.item_id, finding.duty_id) == ("L3-02", None)
    assert fact.basis.startswith("《")
    assert fact.basis in ines.get(f"{NEW}?item=L3-02").text


def test_the_same_item_again_in_the_same_unit_is_marked(ines: FlaskClient, session: Session) -> None:
    assert "重复出现" not in note(ines, item="L3-02")
    assert "重复出现" not in note(ines, item="L3-02", organization="D1-B2")
    assert post(ines, "/inspections/new", {**PLAN, "units": ["D1", "D2"]}).status_code == 302
    again = NEW.replace("/1/", "/2/")
    assert "重复出现" not in note(ines, at=again, item="L3-02", organization="D2-B1")
    assert "一年内在同一事项上有过问题 1-2" in note(ines, at=again, item="L3-02", organization="D1-B2")
    assert last(session)[0].repeats == "1-2"


def test_a_finding_from_a_duty_has_its_place_item_post_and_basis_filled_in(ines: FlaskClient, session: Session) -> None:
    sampled = select(Duty).join(InspectionDuty, InspectionDuty.duty_id == Duty.id)
    at_the_top = sampled.join(Organization, Organization.id == Duty.organization_id).where(Organization.code == "D1")
    duty = session.scalars(at_the_top.order_by(Duty.key)).first() or pytest.fail("no duty")
    key, item_id = duty.key, duty.item_id
    page = ines.get(f"{NEW}?duty={key}").text
    assert re.search(r'<input type="hidden" name="organization" value="D1">', page)
    assert re.search(r'<textarea[^>]*name="basis"[^>]*>\s*《', page)
    note(ines, at=f"{NEW}?duty={key}", organization="D1", basis="")
    finding, fact = last(session)
    assert finding.item_id == item_id
    assert fact.basis.startswith("《")


def test_what_is_put_right_on_the_spot_is_one_step_and_waits_for_another_inspector(
    ines: FlaskClient, session: Session
) -> None:
    said = note(ines, severity="on_the_spot", deadline="", fixed="当场补签")
    assert "由检查组其他成员复核销号" in said
    finding, fact = last(session)
    assert (finding.state, fact.deadline) == ("reported", date(2026, 5, 20))


@pytest.mark.parametrize(
    ("day", "said", "on"),
    [
        (date(2026, 5, 20), "没有填写期限，立行立改的期限定为当天 2026-05-20", date(2026, 5, 20)),
        (date(2026, 5, 23), "没有填写期限，今天是休息日，立行立改的期限定为下一个工作日 2026-05-25", date(2026, 5, 25)),
    ],
)
def test_a_deadline_that_nobody_chose_is_not_called_chosen(
    client_of: ClientOf,
    ines: FlaskClient,
    session: Session,
    clock: time_machine.Coordinates,
    day: date,
    said: str,
    on: date,
) -> None:
    clock.move_to(NOW.replace(day=day.day))
    told = note(client_of("Ines"), severity="on_the_spot", deadline="")
    assert said in told
    assert "所选的" not in told
    assert last(session)[1].deadline == on
