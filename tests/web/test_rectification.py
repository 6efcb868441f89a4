"""Rectification in a browser, with six people: planner, two inspectors, clerk, branch secretary, leader of the unit."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Select, event, select, text
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from tests.city import NOW, City
from tests.web.conftest import ClientOf, post
from tests.web.test_duties import photo
from tests.web.test_inspections import FINDING, PLAN
from tracker.domain.actor import AppointmentKind
from tracker.domain.inspection import InspectionKind, MemberRole
from tracker.domain.inspection import RectificationAction as A
from tracker.models import (
    Cycle,
    Evidence,
    EvidenceFact,
    Finding,
    FindingFact,
    Inspection,
    InspectionMember,
    LogEntry,
    RectificationStep,
)
from tracker.queries.rectification import CHOICES
from tracker.services import inspections
from tracker.services.accounts import ensure_account

KEY = "1-1"
URL = f"/rectification/{KEY}"
PEOPLE = ("Adam", "Ines", "Ivan", "Clara", "Asha", "Dong")
STEPS = {
    "notify": {},
    "receive": {},
    "measure": {"post": "P4", "planned_on": "2026-06-10", "text": "逐月补齐会议记录"},
    "ask-extension": {"deadline": "2026-06-27", "text": "材料存在外地档案室"},
    "grant-extension": {"deadline": "2026-06-30", "text": "情况属实"},
    "refuse-extension": {"text": "时间足够"},
    "fix": {"text": "当场补签"},
    "fix-as-finder": {"text": "当场补签"},
    "report": {"text": "三月会议已补记"},
    "return": {"text": "缺少签到表"},
    "close": {"text": "核对原件属实"},
}
Do = Callable[..., TestResponse]
T = TypeVar("T")


@pytest.fixture
def planned(session: Session, city: City) -> Inspection:
    """A check of the first unit that Adam planned for Ines and Ivan; Clara is the clerk of the branch."""
    city.appoint("Clara", "D1-B1.P4-1", kind=AppointmentKind.CLERK)
    account = ensure_account(session, city.people["Clara"], now=NOW)
    account.password_changed_at, account.must_change_password = NOW, False
    plan = inspections.Plan(
        title="上半年督查",
        basis="年度工作安排",
        kind=InspectionKind.REGULAR,
        starts_on=NOW.date(),
        ends_on=NOW.date(),
        period_starts_on=NOW.date().replace(month=3, day=1),
        period_ends_on=NOW.date().replace(month=3, day=31),
        team=[(city.people["Ines"], MemberRole.LEADER), (city.people["Ivan"], MemberRole.MEMBER)],
        units=[city.organizations["D1"]],
        picked=(),
    )
    cycle = session.scalars(select(Cycle)).one()
    made = inspections.plan(session, cycle=cycle, plan=plan, actor=city.actor("Adam"), now=NOW)
    session.commit()
    return made


@pytest.fixture
def people(client_of: ClientOf, planned: Inspection) -> dict[str, FlaskClient]:
    """Everybody signed in, and one finding, noted by Ines at the branch of Asha."""
    signed_in = {who: client_of(who) for who in (*PEOPLE, "Omar", "Chen")}
    noted = post(signed_in["Ines"], "/inspections/1/findings/new", {**FINDING, "item": "L3-02", "basis": ""})
    assert noted.status_code == 302
    return signed_in


@pytest.fixture
def do(people: dict[str, FlaskClient]) -> Do:
    """Take a step as somebody, with everything it asks for filled in; the answer."""

    def do(who: str, step: str, *, status: int | None = 302, **changes: str) -> TestResponse:
        prefix = "fix" if step == "fix-as-finder" else step.replace("-", "_")
        data = {f"{prefix}-{name}": value for name, value in {**STEPS.get(step, {}), **changes}.items()}
        answer = post(people[who], f"{URL}/{step}", data)
        assert status is None or answer.status_code == status, (who, step, answer.status_code)
        return answer

    return do


def offered(page: str) -> list[str]:
    """The steps that a page offers."""
    return re.findall(rf'<form method="post" action="{URL}/([a-z-]+)"', page)


def listed(page: str) -> list[str]:
    """The findings that a ledger lists."""
    return re.findall(r'<a href="/rectification/[^"]+" aria-label="问题 ([\d-]+)"', page)


def now_there(session: Session, query: Select[T]) -> Sequence[T]:
    """What the database holds now, whatever was read before."""
    session.rollback()
    return session.scalars(query).all()


def state_of(session: Session) -> str:
    [state] = now_there(session, select(Finding.state))
    return state.value


def begin(do: Do) -> None:
    do("Ines", "notify")
    do("Asha", "receive")
    do("Asha", "measure")


def upload_record(client: FlaskClient) -> TestResponse:
    data = {"act_on": "2026-05-19", "sentence": "补开支委会", "files": [(io.BytesIO(photo()), "会场.jpg")]}
    return post(client, f"{URL}/record", data, content_type="multipart/form-data")


def test_six_people_take_a_finding_from_notice_to_closing(
    people: dict[str, FlaskClient], do: Do, session: Session
) -> None:
    assert "等检查组下达整改通知" in people["Asha"].get(URL).text
    do("Ines", "notify")
    assert "等责任单位签收整改通知" in people["Ines"].get(URL).text
    do("Asha", "receive")
    do("Asha", "measure")
    moved = do("Dong", "ask-extension")
    assert "2026-06-27 是休息日，期限已顺延到下一个工作日 2026-06-29" in people["Dong"].get(moved.location).text
    do("Ivan", "grant-extension", deadline="2026-06-30")
    assert upload_record(people["Clara"]).status_code == 302
    do("Asha", "report")
    do("Ines", "close", status=403)
    do("Ivan", "return")
    assert "缺少签到表" in people["Asha"].get(URL).text
    do("Asha", "report", text="已补签到表")
    do("Ivan", "close")

    assert state_of(session) == "closed"
    for who in ("Adam", "Ines", "Ivan", "Clara", "Asha", "Dong", "Chen"):
        page = people[who].get(URL).text
        assert offered(page) == []
        assert "已销号" in page
        for said in (
            "逐月补齐会议记录",
            "材料存在外地档案室",
            "申请延期到 2026-06-29",
            "延期到 2026-06-30",
            "核对原件属实",
        ):
            assert said in page, (who, said)
    verbs = now_there(session, select(LogEntry.verb).where(LogEntry.object_key == KEY).order_by(LogEntry.id))
    assert verbs == [
        f"rectification.{step}"
        for step in (
            *("notify", "receive", "measure", "ask_extension", "grant_extension", "attach"),
            *("report", "return", "report", "close"),
        )
    ]


# What the page offers whom, step by step: (what was done, who looks, what is offered).
OFFERS = [
    ((), {"Ines": ["notify", "fix-as-finder"], "Ivan": ["notify"], "Asha": ["fix"], "Dong": ["fix"], "Clara": []}),
    (("notify",), {"Ines": ["fix-as-finder"], "Ivan": [], "Asha": ["receive", "fix"], "Clara": [], "Adam": []}),
    (
        ("notify", "receive"),
        {
            "Ines": ["fix-as-finder"],
            "Ivan": [],
            "Asha": ["measure", "ask-extension", "attach", "fix"],
            "Clara": ["attach"],
        },
    ),
    (
        ("notify", "receive", "measure"),
        {"Chen": ["measure", "ask-extension", "attach", "fix", "report"], "Ivan": [], "Clara": ["attach"]},
    ),
    (
        ("notify", "receive", "ask-extension"),
        {"Ivan": ["grant-extension", "refuse-extension"], "Asha": ["measure", "attach", "fix"]},
    ),
    (("fix",), {"Ines": [], "Ivan": ["return", "close"], "Asha": [], "Clara": [], "Adam": []}),
    (("fix", "return"), {"Ivan": [], "Asha": ["measure", "ask-extension", "attach", "fix"]}),
]
DOERS = {"notify": "Ines", "return": "Ivan"}


@pytest.mark.parametrize(("done", "offers"), OFFERS, ids=lambda value: "-".join(value) or "new")
def test_the_page_offers_exactly_what_this_person_may_do_now(
    people: dict[str, FlaskClient], do: Do, done: tuple[str, ...], offers: dict[str, list[str]]
) -> None:
    for step in done:
        do(DOERS.get(step, "Asha"), step)
    for who, steps in offers.items():
        page = people[who].get(URL).text
        assert offered(page) == steps, who
        assert ("下一步" in page) or steps


@pytest.mark.parametrize("who", [*PEOPLE, "Chen"])
def test_whatever_is_not_offered_is_refused_and_writes_nothing(
    people: dict[str, FlaskClient], do: Do, session: Session, who: str
) -> None:
    for begun in ((), ("notify",), ("receive",), ("measure",), ("report",)):
        for step in begun:
            do(DOERS.get(step, "Asha"), step)
        there = len(now_there(session, select(RectificationStep)))
        may = offered(people[who].get(URL).text)
        for step in (*STEPS, "attach"):
            if step not in may:
                assert do(who, step, status=None).status_code in {403, 404, 409}, (begun, step)
        assert len(now_there(session, select(RectificationStep))) == there


def test_no_page_closes_a_finding_without_a_second_person(
    people: dict[str, FlaskClient], do: Do, session: Session
) -> None:
    begin(do)
    do("Asha", "report")
    for who in (*PEOPLE, "Chen", "Omar"):
        if who != "Ivan":
            assert do(who, "close", status=None).status_code in {403, 404}, who
    assert state_of(session) == "reported"
    do("Ivan", "close")
    [step] = now_there(session, select(RectificationStep).where(RectificationStep.action == A.CLOSE))
    assert len({step.person_id, step.reporter_id, step.finder_id}) == 3


def test_the_team_corrects_a_finding_and_the_earlier_words_stay(
    people: dict[str, FlaskClient], session: Session
) -> None:
    page = people["Ivan"].get(f"{URL}/correct").text
    assert "三月没有会议记录" in page
    assert 'value="2026-06-12"' in page
    kept = {**FINDING, "item": "L3-02", "problem": "三月、四月没有会议记录", "deadline": "2026-06-13"}
    assert post(people["Ivan"], f"{URL}/correct", {**kept, "problem": ""}).status_code == 400
    said = post(people["Ivan"], f"{URL}/correct", kept, follow_redirects=True).text
    assert "三月、四月没有会议记录" in said
    assert "已顺延到下一个工作日 2026-06-15" in said
    facts = now_there(session, select(FindingFact).order_by(FindingFact.id))
    assert [fact.superseded_at is None for fact in facts] == [False, True]
    assert "下达整改通知" in people["Ivan"].get(URL).text
    assert post(people["Asha"], f"{URL}/correct", kept).status_code == 403


def test_people_of_another_unit_get_404(people: dict[str, FlaskClient], do: Do) -> None:
    assert people["Omar"].get(URL).status_code == 404
    assert people["Omar"].get(f"{URL}/record").status_code == 404
    for step in (*STEPS, "attach"):
        do("Omar", step, status=404)
    ledger = people["Omar"].get("/rectification").text
    assert "三月没有会议记录" not in ledger
    assert "没有符合条件的问题" in ledger


@pytest.mark.parametrize(
    ("step", "changes", "said"),
    [
        ("measure", {"planned_on": ""}, "请填写计划完成日期"),
        ("measure", {"planned_on": "2026-05-01"}, "不能早于今天"),
        ("ask-extension", {"deadline": "2026-06-12"}, "须晚于原期限和今天"),
        ("ask-extension", {"deadline": ""}, "请填写延期到哪一天"),
        ("attach", {"text": "看看这个"}, "请选择一条佐证"),
        ("attach", {"evidence": "2026.D2-B1.1", "text": "看看这个"}, "没有这份佐证"),
    ],
)
def test_a_refusal_stands_at_its_field_and_keeps_what_was_typed(
    do: Do, step: str, changes: dict[str, str], said: str
) -> None:
    begin(do)
    page = do("Asha", step, status=400, **changes).text
    assert said in page
    assert {**STEPS.get(step, {}), **changes}["text"] in page
    assert page.count('role="alert"') == 1


def test_a_step_that_comes_too_late_keeps_what_was_typed(do: Do) -> None:
    begin(do)
    do("Dong", "report")
    page = do("Asha", "report", status=409, text="三月会议已补记，附签到表").text
    assert "没有办成" in page
    assert "三月会议已补记，附签到表" in page


def test_an_existing_record_is_chosen_and_not_asked_for_again(
    people: dict[str, FlaskClient], do: Do, session: Session
) -> None:
    begin(do)
    upload_record(people["Clara"])
    [record] = now_there(session, select(Evidence.key))
    assert f'value="{record}"' not in people["Asha"].get(URL).text  # attached already
    tick = {"act_on": "2026-05-18", "sentence": "召开五月支委会", "count-expected": "12", "count-present": "11"}
    data = {**tick, "files": [(io.BytesIO(photo("blue")), "签到表.jpg")]}
    key = "2026.D1-B1.P4-1.L3-02.M05.1"
    assert post(people["Asha"], f"/duties/{key}/tick", data, content_type="multipart/form-data").status_code == 302
    [other] = now_there(session, select(Evidence.key).where(Evidence.key != record))
    assert "召开五月支委会" in people["Clara"].get(URL).text
    do("Clara", "attach", evidence=other)
    assert f"佐证 {other}" in people["Ivan"].get(URL).text
    assert people["Ivan"].get(f"/evidence/{other}").status_code == 200


def test_a_record_that_the_list_does_not_reach_is_named_by_its_number(
    people: dict[str, FlaskClient], do: Do, session: Session, city: City
) -> None:
    begin(do)
    assert 'name="attach-number"' not in people["Clara"].get(URL).text
    entered = range(CHOICES + 1)
    for number in entered:
        put_record(session, city, f"2026.D1-B1.{number + 1}", at=NOW + timedelta(minutes=number))
    session.commit()
    page = people["Clara"].get(URL).text
    assert 'name="attach-number"' in page
    assert 'value="2026.D1-B1.1"' not in page
    for typed in ("2026.D2-B1.1", "什么"):
        refused = do("Clara", "attach", status=400, number=typed)
        assert "没有这份佐证" in refused.text
        assert f'value="{typed}"' in refused.text
    assert "只用一种方式" in do("Clara", "attach", status=400, number="2026.D1-B1.1", evidence="2026.D1-B1.2").text
    do("Clara", "attach", number=" 2026.D1-B1.1 ")
    assert "佐证 2026.D1-B1.1" in people["Ivan"].get(URL).text


def put_record(session: Session, city: City, key: str, *, at: datetime) -> None:
    """A record of the branch, entered by its clerk."""
    clara, branch = city.people["Clara"], city.organizations["D1-B1"]
    made = Evidence(
        key=key,
        number=int(key.rpartition(".")[2]),
        cycle_id=session.scalars(select(Cycle.id)).one(),
        unit_id=branch.unit_id,
        organization_id=branch.id,
        entered_by_id=clara.id,
        entered_as="clerk",
        entered_at=at,
        withdrawn=False,
    )
    session.add(made)
    session.flush()
    fact = EvidenceFact(
        evidence_id=made.id,
        act_on=at.date(),
        sentence="补开了会议",
        sentence_sha256="0" * 64,
        counts={},
        withdrawn=False,
        entered_by_id=clara.id,
        recorded_at=at,
    )
    session.add(fact)


@pytest.mark.parametrize(("who", "address"), [("Ines", "/rectification/inspections/1/notify"), ("Asha", "")])
def test_whoever_is_overtaken_when_dealing_with_all_is_told_on_the_page_they_come_back_to(
    people: dict[str, FlaskClient], do: Do, session: Session, who: str, address: str
) -> None:
    if not address:
        do("Ines", "notify")
    raised = "UNIQUE constraint failed: rectification_step.finding_id, rectification_step.number"
    session.execute(
        text(f"CREATE TRIGGER faster BEFORE INSERT ON rectification_step BEGIN SELECT RAISE(ABORT, '{raised}'); END")
    )
    session.commit()
    page = post(people[who], address or f"{URL}/receive-all", follow_redirects=True)
    assert page.status_code == 200
    assert "别人刚刚处理了同一事项" in page.text
    assert "三月没有会议记录" in page.text


def test_a_new_record_that_lacks_something_keeps_the_file(people: dict[str, FlaskClient], do: Do) -> None:
    begin(do)
    data = {"act_on": "2026-05-19", "sentence": "", "files": [(io.BytesIO(photo()), "会场.jpg")]}
    answer = post(people["Clara"], f"{URL}/record", data, content_type="multipart/form-data")
    assert answer.status_code == 400
    assert "已收到：会场.jpg" in answer.text


def test_the_counts_of_the_ledger_are_links_to_as_many_rows(
    people: dict[str, FlaskClient], do: Do, client_of: ClientOf, clock: time_machine.Traveller
) -> None:
    assert post(people["Ines"], "/inspections/new", PLAN).status_code == 302
    for number, organization, item in ((2, "D1-B1", "L3-02"), (1, "D1-B2", "L3-05"), (1, "D1", "")):
        found = {**FINDING, "organization": organization, "item": item, "deadline": "2026-05-20"}
        post(people["Ines"], f"/inspections/{number}/findings/new", found)
    begin(do)
    clock.move_to(NOW.replace(day=22))
    ines = client_of("Ines")
    page = ines.get("/rectification").text
    links = re.findall(r'<a href="(/rectification[^"]*)"[^>]*>(?:(?!</a>).)*<strong>(\d+)</strong></a>', page, re.S)
    assert [int(number) for _link, number in links] == [4, 3, 1, 0, 0, 3, 1]
    for link, number in links:
        assert len(listed(ines.get(link.replace("&amp;", "&")).text)) == int(number), link


def test_everybody_is_told_on_their_first_page_what_waits(people: dict[str, FlaskClient], do: Do) -> None:
    assert "有 1 个问题还没有下达整改通知" in people["Ivan"].get("/inspections").text
    begin(do)
    assert "有 1 个督查问题等整改，最近的期限是 2026-06-12" in people["Asha"].get("/").text
    do("Asha", "report")
    assert "督查问题等整改" not in people["Asha"].get("/").text
    assert "等您复核" in people["Ivan"].get("/inspections").text
    assert "等您复核" not in people["Ines"].get("/inspections").text
    assert listed(people["Ivan"].get("/rectification?mine=recheck").text) == [KEY]


def test_notice_of_all_is_given_in_one_step(people: dict[str, FlaskClient], session: Session) -> None:
    for _ in range(2):
        post(people["Ines"], "/inspections/1/findings/new", FINDING)
    answer = post(people["Ivan"], "/rectification/inspections/1/notify", {"unit": "D1"}, follow_redirects=True)
    assert "已下达 3 个问题的整改通知" in answer.text
    actions = now_there(session, select(RectificationStep.action))
    assert actions == [A.NOTIFY] * 3
    again = post(people["Ivan"], "/rectification/inspections/1/notify", {"unit": "D1"}, follow_redirects=True)
    assert "没有等下达整改通知的问题" in again.text


def test_a_unit_signs_for_all_notices_of_a_check_in_one_step(people: dict[str, FlaskClient], session: Session) -> None:
    other = {**FINDING, "organization": "D1-B2"}
    for found in (FINDING, other):
        post(people["Ines"], "/inspections/1/findings/new", found)
    post(people["Ines"], "/rectification/inspections/1/notify")
    assert "签收本次督查的全部 2 个整改通知" in people["Asha"].get(URL).text
    answer = post(people["Asha"], f"{URL}/receive-all", follow_redirects=True)
    assert "已签收 2 个整改通知" in answer.text
    assert "签收本次督查的全部" not in people["Dong"].get("/rectification/1-3").text  # one is left
    actions = now_there(session, select(RectificationStep.action).where(RectificationStep.action == A.RECEIVE))
    assert len(actions) == 2
    assert post(people["Clara"], f"{URL}/receive-all").status_code == 302  # a clerk signs nothing
    before = people["Dong"].get("/rectification/1-3").text
    post(people["Clara"], "/rectification/1-1/receive-all")
    assert offered(before) == offered(people["Dong"].get("/rectification/1-3").text)


def test_repeated_ones_are_marked_and_lead_to_the_earlier_one(people: dict[str, FlaskClient]) -> None:
    assert post(people["Ines"], "/inspections/new", PLAN).status_code == 302
    post(people["Ines"], "/inspections/2/findings/new", {**FINDING, "item": "L3-02"})
    assert "重复出现" in people["Dong"].get("/rectification/2-1").text
    assert f'href="{URL}"' in people["Dong"].get("/rectification/2-1").text
    assert 'href="/rectification/2-1"' in people["Dong"].get(URL).text
    assert listed(people["Dong"].get("/rectification?repeated=1").text) == ["2-1"]


def test_a_lone_inspector_is_told_that_nobody_can_look_at_it(
    people: dict[str, FlaskClient], session: Session, do: Do
) -> None:
    do("Asha", "fix")
    [ivan] = [one for one in now_there(session, select(InspectionMember)) if one.person.name == "Ivan"]
    ivan.superseded_at = NOW
    session.commit()
    assert "现在没有可以办理的人" in people["Ines"].get(URL).text


def test_the_ledger_and_a_finding_take_at_most_fifteen_questions(
    app: Flask, people: dict[str, FlaskClient], do: Do
) -> None:
    begin(do)
    for _ in range(12):
        post(people["Ines"], "/inspections/1/findings/new", FINDING)
    with app.app_context():
        engine = app.extensions["sqlalchemy"].engine
    for who, path in (
        ("Asha", "/rectification"),
        ("Ines", "/rectification"),
        ("Asha", URL),
        ("Ivan", URL),
        ("Ines", "/inspections"),
    ):
        seen: list[str] = []

        def note(*arguments: object, seen: list[str] = seen) -> None:
            seen.append(str(arguments[2]))

        people[who].get(path)
        event.listen(engine, "before_cursor_execute", note)
        assert people[who].get(path).status_code == 200
        event.remove(engine, "before_cursor_execute", note)
        asked = [one for one in seen if one.startswith(("SELECT", "WITH"))]
        assert len(asked) <= 15, "\n".join([who, path, *asked])


def test_a_past_day_shows_the_steps_of_then_and_offers_nothing(
    people: dict[str, FlaskClient], do: Do, client_of: ClientOf, clock: time_machine.Traveller
) -> None:
    clock.move_to(NOW.replace(day=25))
    people.update({who: client_of(who) for who in PEOPLE})
    begin(do)
    page = people["Asha"].get(f"{URL}?as_of=2026-05-22").text
    assert "未整改" in page
    assert "逐月补齐会议记录" not in page
    assert offered(page) == []
    then = people["Asha"].get("/rectification?as_of=2026-05-22&state=under_way").text
    assert "没有符合条件的问题" in then
    assert ('<option value="1"' in then, '<option value="D1"' in then) == (True, True)
    before = people["Asha"].get("/rectification?as_of=2026-05-19").text
    assert ('<option value="1"' in before, '<option value="D1"' in before) == (False, False)
    assert people["Asha"].get(f"{URL}?as_of=2026-05-19").status_code == 404


def test_a_plan_later_than_the_deadline_is_taken_and_said(people: dict[str, FlaskClient], do: Do) -> None:
    do("Ines", "notify")
    do("Asha", "receive")
    late = do("Asha", "measure", planned_on="2026-07-31")
    page = people["Asha"].get(late.location).text
    assert "已提出整改措施。" in page
    assert "计划完成日期晚于整改期限" in page
    earlier = do("Asha", "measure", planned_on="2026-05-21")
    assert "计划完成日期晚于整改期限" not in people["Asha"].get(earlier.location).text


def test_a_report_before_an_extension_is_decided_says_so_before_and_after(
    people: dict[str, FlaskClient], do: Do
) -> None:
    begin(do)
    assert "延期申请还没有决定" not in people["Asha"].get(URL).text
    do("Asha", "ask-extension")
    assert "延期申请还没有决定。报告整改结果以后，这项申请不再决定" in people["Asha"].get(URL).text
    do("Asha", "report")
    page = people["Asha"].get(URL).text
    assert "（没有决定，单位已先报告整改结果）" in page
    assert "延期申请没有决定就报告了整改结果" in page


def test_a_decided_extension_is_not_called_undecided(people: dict[str, FlaskClient], do: Do) -> None:
    begin(do)
    do("Asha", "ask-extension")
    do("Ivan", "refuse-extension")
    do("Asha", "report")
    assert "没有决定" not in people["Asha"].get(URL).text


def test_the_page_names_who_noted_it_and_offers_posts_of_the_unit_only(people: dict[str, FlaskClient], do: Do) -> None:
    first = re.search(r"<strong>登记问题</strong>.*?</li>", people["Asha"].get(URL).text, re.S)
    assert first
    assert "Ines" in first[0]
    do("Ines", "notify")
    do("Asha", "receive")
    page = people["Asha"].get(URL).text
    chosen = re.search(r'<select[^>]*name="measure-post".*?</select>', page, re.S)
    assert chosen
    assert re.findall(r'value="(R?P?\d+)"', chosen[0]) == ["P1", "P2", "P3", "P4"]
    assert "用立行立改" in page
