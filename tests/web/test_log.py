"""The log on pages: auditors read everything, a unit its own chain, strangers nothing."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.city import NOW
from tests.web.conftest import post
from tests.web.test_duties import MEETING, tick
from tests.web.test_inspections import FINDING, PLAN, first_to_judge, judge
from tracker.db import writing
from tracker.domain.actor import Actor, operator
from tracker.domain.inspection import InspectionState
from tracker.models import AccessLog, Evidence, Inspection, LogChain, LogEntry, Organization
from tracker.queries.log import Filters, page_of_entries
from tracker.services import log


def text_of(answer):
    return answer.get_data(as_text=True)


@pytest.fixture
def entries(session, city):
    """An act on both units, one on D2 alone, and one of the system."""
    with writing(session):
        for chains, key in ((("D1", "D2"), "2026.D1-B1.1"), (("D2",), "2026.D2-B1.1"), (("system",), "D9")):
            log.record(
                session,
                actor=city.actor("Asha"),
                now=NOW,
                verb="correct",
                kind="evidence",
                key=key,
                chains=chains,
                before={"act_on": "2026-05-01", "counts": {"present": 11}},
                after={"act_on": "2026-05-02", "counts": {"present": 11}},
            )
    return session


def entry_in(session, chain, key):
    query = select(LogEntry.digest).join(LogChain).where(LogChain.key == chain, LogEntry.object_key == key)
    digest = session.scalars(query).one()
    session.rollback()
    return digest


def test_ada_the_auditor_reads_every_chain(entries, client_of):
    page = text_of(client_of("Ada").get("/log?target=2026."))
    assert "2026.D1-B1.1" in page
    assert "2026.D2-B1.1" in page
    assert "D9" in text_of(client_of("Ada").get("/log?chain=system"))


def test_dong_reads_the_chain_of_the_unit_and_no_other(entries, client_of):
    page = text_of(client_of("Dong").get("/log"))
    assert "2026.D1-B1.1" in page
    assert "2026.D2-B1.1" not in page
    assert "清河市水务局" not in page


@pytest.mark.parametrize("who", ["Asha", "Ines", "Adam"])
def test_whoever_sits_below_the_unit_or_nowhere_is_told_why_the_page_is_empty(entries, client_of, who):
    page = text_of(client_of(who).get("/log"))
    assert "没有可以查看的日志" in page
    assert "2026.D1-B1.1" not in page


def test_an_entry_shows_before_and_after_side_by_side(entries, client_of):
    page = text_of(client_of("Dong").get(f"/log/entries/{entry_in(entries, 'D1', '2026.D1-B1.1')}"))
    assert "更正佐证" in page
    assert "办理日期" in page
    assert "<td>2026-05-01</td>" in page
    assert "<strong>2026-05-02</strong>" in page
    assert "数字 › 实到" in page
    assert "{" not in page.partition("<h2>")[2]


def test_the_other_half_of_an_act_is_shown_to_whoever_may_read_it(entries, client_of):
    other = entry_in(entries, "D2", "2026.D1-B1.1")
    assert other in text_of(client_of("Ada").get(f"/log/entries/{entry_in(entries, 'D1', '2026.D1-B1.1')}"))
    assert other not in text_of(client_of("Dong").get(f"/log/entries/{entry_in(entries, 'D1', '2026.D1-B1.1')}"))


def test_an_entry_of_another_unit_is_not_there(entries, client_of):
    foreign = entry_in(entries, "D2", "2026.D2-B1.1")
    assert client_of("Dong").get(f"/log/entries/{foreign}").status_code == 404
    assert client_of("Du").get(f"/log/entries/{foreign}").status_code == 200


def test_reading_an_entry_stands_in_the_access_log_of_the_unit(entries, client_of):
    client_of("Ada").get(f"/log/entries/{entry_in(entries, 'D1', '2026.D1-B1.1')}")
    row = entries.scalars(select(AccessLog)).one()
    assert (row.actor, row.verb) == ("ada", "log.view")
    assert "Ada" in text_of(client_of("Dong").get("/log/access"))
    assert "没有符合条件的查阅记录" in text_of(client_of("Du").get("/log/access"))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("actor=Asha", True),
        ("actor=asha", True),
        ("actor=Omar", False),
        ("verb=correct", True),
        ("verb=submit", False),
        ("target=2026.D1", True),
        ("target=%25", False),
        ("since=2026-05-20&until=2026-05-20", True),
        ("since=2026-05-21", False),
        ("until=2026-05-19", False),
    ],
)
def test_the_list_is_narrowed(entries, client_of, query, found):
    assert ("2026.D1-B1.1</span>" in text_of(client_of("Dong").get(f"/log?{query}"))) is found


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("since=yesterday", "since"),
        ("since=2026-02-30", "since"),
        ("chain=ZZZ", "chain"),
        ("verb=nothing", "verb"),
        ("since=2026-05-21&until=2026-05-19", "until"),
    ],
)
@pytest.mark.parametrize("path", ["/log", "/log/access"])
def test_a_wrong_filter_is_said_beside_its_field_and_lists_nothing(entries, client_of, path, query, field):
    ada = client_of("Ada")
    ada.get(f"/log/entries/{entry_in(entries, 'D1', '2026.D1-B1.1')}")
    answer = ada.get(f"{path}?{query}")
    page = text_of(answer)
    assert answer.status_code == 200
    assert f'id="{field}-error"' in page
    assert "<tbody>" not in page
    assert "筛选条件有误" in page
    assert f'href="{path}">清除</a>' in page
    assert "<tbody>" in text_of(ada.get(path))


def test_those_who_are_no_person_are_named_in_words_and_found_by_them(session, city, client_of):
    with writing(session):
        for actor in (operator(), Actor(None, "stranger", "")):
            log.record(session, actor=actor, now=NOW, verb="gc", kind="store", key=f"K-{actor.person_key}")
    ada = client_of("Ada")
    for key, words in (("operator", "系统（自动任务或运维命令）"), ("stranger", "未登录的人")):
        page = text_of(ada.get(f"/log?target=K-{key}"))
        assert f"{words}\n" in page
        assert f"K-{key}" in text_of(ada.get(f"/log?target=K-&actor={words}"))
        assert words in text_of(ada.get(f"/log/entries/{entry_in(session, 'system', f'K-{key}')}"))


def test_an_auditor_is_led_to_no_duty_and_no_record_from_the_access_log(session, city, client_of):
    evidence = tick(client_of("Asha"))
    assert evidence.status_code == 302
    record = session.scalars(select(Evidence.key)).one()
    for page in (f"/duties/{MEETING}", f"/evidence/{record}"):
        assert client_of("Chen").get(page).status_code == 200
    session.rollback()
    ada, dong = (text_of(client_of(who).get("/log/access")) for who in ("Ada", "Dong"))
    for page, key in ((f"/duties/{MEETING}", MEETING), (f"/evidence/{record}", record)):
        assert key in ada
        assert f'href="{page}"' not in ada
        assert f'href="{page}"' in dong


def keys_on_all_pages(client, address):
    """The keys in a list, from its first page to its last."""
    path, _, query = address.partition("?")
    seen, pages = [], 0
    while query:
        page = text_of(client.get(f"{path}?{query}"))
        seen += [part[:4] for part in page.split('<span class="code">')[1:] if part.startswith("K")]
        query = page.partition('href="?')[2].partition('"')[0].replace("&amp;", "&") if "下一页" in page else ""
        pages += 1
    return seen, pages


def test_the_pages_follow_one_another_without_gap_or_repetition(session, city, client_of):
    with writing(session):
        for number in range(120):
            log.record(
                session, actor=operator(), now=NOW, verb="note", kind="evidence", key=f"K{number:03}", chains=["D1"]
            )
    seen, pages = keys_on_all_pages(client_of("Ada"), "/log?target=K")
    assert (seen, pages) == ([f"K{number:03}" for number in reversed(range(120))], 3)


@pytest.mark.parametrize("period", ["since=2026-05-20", "until=2026-05-20", "since=2026-05-20&until=2026-05-20"])
def test_pages_of_a_period_go_by_the_moment_and_split_no_moment(session, city, client_of, period):
    moments = {f"K{number:03}": NOW - timedelta(seconds=number // 40) for number in range(120)}
    with writing(session):
        for key, moment in moments.items():
            log.record(session, actor=operator(), now=moment, verb="note", kind="evidence", key=key, chains=["D1"])
    seen, pages = keys_on_all_pages(client_of("Ada"), f"/log?target=K&{period}")
    assert seen == sorted(moments, key=lambda key: (moments[key], key), reverse=True)
    assert pages == 3


def test_the_pages_of_the_access_log_keep_one_moment_together(session, city, client_of):
    unit = session.scalars(select(Organization.id).where(Organization.code == "D1")).one()
    with writing(session):
        for number in range(120):
            now = NOW + timedelta(seconds=number // 40)
            log.record_access(
                session,
                actor=city.actor("Ines"),
                now=now,
                verb="note",
                kind="evidence",
                key=f"K{number:03}",
                unit_id=unit,
            )
    seen, _ = keys_on_all_pages(client_of("Dong"), "/log/access?target=K")
    assert seen == [f"K{number:03}" for number in reversed(range(120))]


def test_a_chain_says_that_it_holds(entries, client_of):
    dong = client_of("Dong")
    assert "链尾一致" in text_of(dong.get("/log?chain=D1"))
    assert "核验无误" in text_of(dong.get("/log?chain=D1&check=1"))


def test_a_chain_of_another_unit_is_not_checked(entries, client_of):
    page = text_of(client_of("Dong").get("/log?chain=D2&check=1"))
    assert "核验无误" not in page
    assert "<dt>链头" not in page


def test_a_page_of_accesses_that_is_none_is_not_there(client_of):
    assert client_of("Ada").get("/log/access?before=now").status_code == 404
    assert client_of("Ada").get("/log/access?before=2026-05-01").status_code == 404


def test_a_stranger_is_sent_to_sign_in(client_of):
    assert client_of("stranger").get("/log").status_code == 302
    assert post(client_of("Ada"), "/log").status_code == 405


@pytest.fixture
def running(session, city, client_of):
    """A check of the unit by Ines: drawn, judged in part, with a finding, and not closed yet."""
    ines = client_of("Ines")
    assert post(ines, "/inspections/new", PLAN).status_code == 302
    judge(ines, first_to_judge(ines), "partly", "三月缺签到表")
    assert post(ines, "/inspections/1/findings/new", FINDING).status_code == 302
    return ines


def verbs_seen(client):
    return set(re.findall(r'<a href="/log/entries/[0-9a-f]+">([^<]+)</a>', text_of(client.get("/log?target=1"))))


def entry_of(session, verb):
    digest = session.scalars(select(LogEntry.digest).where(LogEntry.verb == verb)).one()
    session.rollback()
    return digest


def test_a_unit_reads_what_a_team_did_once_the_check_is_closed(running, session, client_of):
    dong = client_of("Dong")
    judged = entry_of(session, "inspection.judge")
    assert verbs_seen(dong) == {"登记问题"}
    assert dong.get(f"/log/entries/{judged}").status_code == 404
    page = text_of(dong.get("/log"))
    assert "督查未结束时" in page
    assert "三月缺签到表" not in page
    everything = {"建立督查", "核查"}
    assert everything <= verbs_seen(client_of("Ada"))
    assert "三月缺签到表" in text_of(client_of("Ada").get(f"/log/entries/{judged}"))
    with writing(session):
        session.scalars(select(Inspection)).one().state = InspectionState.CLOSED
    assert everything <= verbs_seen(dong)
    assert "三月缺签到表" in text_of(dong.get(f"/log/entries/{judged}"))


def test_pages_of_the_log_go_on_behind_what_is_kept_back(running, session, city):
    dong = city.actor("Dong")
    whole = page_of_entries(session, dong, Filters(), size=1000).lines
    found, after = [], ""
    while True:
        page = page_of_entries(session, dong, Filters(), after=after, size=1)
        found += page.lines
        if page.following is None:
            break
        after = page.following
    assert [line.digest for line in found] == [line.digest for line in whole]
    assert "inspection.find" in {line.verb for line in whole}


def test_keeping_entries_back_leaves_the_chain_whole(running, client_of):
    assert "条核验无误" in text_of(client_of("Dong").get("/log?chain=D1&check=1"))
