"""The queue of the level above, and signing on the page of a duty."""

import re

import pytest
from sqlalchemy import select

from tests.web.conftest import post
from tests.web.test_duties import MEETING, THEME, duty_of, text, tick, upload
from tracker.db import writing
from tracker.domain.actor import AppointmentKind
from tracker.domain.duty import State
from tracker.models import SignOff
from tracker.queries.assignments import items_of_year


def headed(refusal):
    """What stands above the reasons of a refusal."""
    return re.search(r'<div class="problems".*?</svg>\s*(.*?)</h2>', text(refusal), re.DOTALL)[1].strip()


@pytest.fixture
def two_submitted(client_of):
    tick(client_of("Asha"), also=[THEME])


def test_chen_confirms_the_chosen_ones_in_one_step(client_of, session, two_submitted):
    chen = client_of("Chen")
    page = text(chen.get("/sign-offs"))
    assert MEETING in page
    assert "召开五月支委会" in page
    assert post(chen, "/sign-offs", {"duty": [MEETING, THEME], "confirm": "1"}).status_code == 302
    assert "已确认 2 项。" in text(chen.get("/sign-offs"))
    assert {duty_of(session, key).state for key in (MEETING, THEME)} == {State.CONFIRMED}


def test_what_cannot_be_confirmed_is_named_and_the_others_go_through(client_of, session, two_submitted):
    post(client_of("Asha"), f"/duties/{THEME}/withdraw")
    answer = post(client_of("Chen"), "/sign-offs", {"duty": [MEETING, THEME], "confirm": "1"})
    page = text(answer)
    theme = duty_of(session, THEME)
    title = items_of_year(session, theme.cycle)[theme.item_id].title
    named = re.search(rf'<a href="/duties/{THEME}">(.*?)</a>：', page)[1]
    assert named.startswith(f"{theme.organization.name} · {title} · ")
    assert "没有处理" in page
    assert "已确认 1 项。" in page
    assert duty_of(session, MEETING).state is State.CONFIRMED


def test_a_return_of_several_asks_for_a_reason(client_of, session, two_submitted):
    chen = client_of("Chen")
    answer = post(chen, "/sign-offs", {"duty": [MEETING, THEME], "return": "1", "reason": ""})
    assert "请写明退回的原因" in text(answer)
    assert duty_of(session, MEETING).state is State.SUBMITTED
    post(chen, "/sign-offs", {"duty": [MEETING, THEME], "return": "1", "reason": "缺签到"})
    assert {duty_of(session, key).state for key in (MEETING, THEME)} == {State.RETURNED}
    assert "已退回 2 项。" in text(chen.get("/sign-offs"))
    home = text(client_of("Asha").get("/"))
    assert "退回和需要重新提交的" in home
    assert home.count("退回原因：缺签到") == 2


def test_choosing_nothing_is_a_refusal(client_of):
    answer = post(client_of("Chen"), "/sign-offs", {"confirm": "1"})
    assert answer.status_code == 400
    assert "请先勾选" in text(answer)
    assert headed(answer) == "没有办成"


@pytest.mark.parametrize(
    ("who", "verb", "status"),
    [
        ("Asha", "confirm", 403),
        ("Dong", "confirm", 403),
        ("Omar", "confirm", 404),
        ("Ines", "return", 404),
        ("Chen", "withdraw", 403),
        ("Chen", "submit", 403),
        ("stranger", "confirm", 401),
    ],
)
def test_others_do_not_sign(client_of, session, two_submitted, who, verb, status):
    assert post(client_of(who), f"/duties/{MEETING}/{verb}", {"reason": "x"}).status_code == status
    assert duty_of(session, MEETING).state is State.SUBMITTED


def test_a_returned_duty_is_fixed_and_confirmed(client_of, session, two_submitted):
    asha, chen = client_of("Asha"), client_of("Chen")
    refused = post(chen, f"/duties/{MEETING}/return", {"reason": ""})
    assert (refused.status_code, headed(refused)) == (400, "有内容需要修改，已填写的都还在")
    assert post(chen, f"/duties/{MEETING}/return", {"reason": "缺一页"}).status_code == 302
    page = text(asha.get(f"/duties/{MEETING}"))
    assert "缺一页" in page
    assert 0 < page.index("补充后重新提交") < page.index("不作补充，重新提交")
    assert re.search(rf'class="button primary" href="/duties/{MEETING}/tick"', page)
    form = text(asha.get(f"/duties/{MEETING}/tick"))
    assert (
        form.index("缺一页") < form.index("Chen", form.index("缺一页")) < form.index("<form method", form.index("<h1>"))
    )
    assert tick(asha, files=[upload(name="补页.jpg")]).status_code == 302
    assert post(chen, f"/duties/{MEETING}/confirm").status_code == 302
    assert duty_of(session, MEETING).state is State.CONFIRMED
    assert post(chen, f"/duties/{MEETING}/reopen", {"reason": "有误"}).status_code == 302
    assert duty_of(session, MEETING).state is State.RETURNED


def test_a_second_confirmation_is_told_what_happened(client_of, session, two_submitted):
    chen = client_of("Chen")
    post(chen, f"/duties/{MEETING}/confirm")
    answer = post(chen, f"/duties/{MEETING}/confirm")
    assert answer.status_code == 409
    assert "已确认" in text(answer)
    assert session.scalars(select(SignOff.action).where(SignOff.duty_id == duty_of(session, MEETING).id)).all() == [
        "submit",
        "confirm",
    ]


def test_a_claim_is_refused_or_accepted(client_of, session):
    asha, chen = client_of("Asha"), client_of("Chen")
    post(asha, f"/duties/{MEETING}/claim", {"claim": "not_applicable", "reason": "没有支委会"})
    assert "没有支委会" in text(chen.get("/sign-offs"))
    assert post(chen, f"/duties/{MEETING}/refuse", {"reason": "应设支委会"}).status_code == 302
    assert duty_of(session, MEETING).state is State.OPEN
    post(asha, f"/duties/{MEETING}/claim", {"claim": "excused", "reason": "防汛"})
    assert post(chen, f"/duties/{MEETING}/accept").status_code == 302
    assert duty_of(session, MEETING).state is State.EXCUSED


STALE = ("confirm", "return", "accept", "refuse", "reopen")


def hand_in(asha, act):
    """Hand the meeting in, or claim that there was none, so that `act` can be done to it."""
    if act in {"accept", "refuse"}:
        post(asha, f"/duties/{MEETING}/claim", {"claim": "excused", "reason": "防汛"})
    else:
        tick(asha)


@pytest.mark.parametrize("act", STALE)
def test_an_act_on_what_was_taken_back_meanwhile_is_told_so(client_of, session, act):
    asha, chen, dong = (client_of(who) for who in ("Asha", "Chen", "Dong"))
    hand_in(asha, act)
    seen = {"seen": duty_of(session, MEETING).content_digest, "reason": "x"}
    if act in {"accept", "refuse"}:
        post(chen, f"/duties/{MEETING}/refuse", {"reason": "应办"})
    else:
        assert post(asha, f"/duties/{MEETING}/withdraw").status_code == 302
    answer = post(chen, f"/duties/{MEETING}/{act}", seen)
    assert answer.status_code == 409
    assert "没有办理这件事的权限" not in text(answer)
    assert "待提交" in text(answer)
    assert headed(answer) == "没有办成，情况已经变化"
    for other in (asha, dong):
        assert post(other, f"/duties/{MEETING}/{act}", seen).status_code == 403
    assert duty_of(session, MEETING).state is State.OPEN


def test_an_act_on_what_somebody_else_in_the_seat_sent_back_is_told_so(client_of, session, city, two_submitted):
    with writing(session):
        city.appoint("Bela", "D1-M.P3-1", kind=AppointmentKind.ACTING)
    bela, chen = client_of("Bela"), client_of("Chen")
    assert post(bela, f"/duties/{MEETING}/return", {"reason": "缺签到"}).status_code == 302
    assert post(bela, f"/duties/{THEME}/confirm").status_code == 302
    for key in (MEETING, THEME):
        assert post(chen, f"/duties/{key}/confirm").status_code == 409
