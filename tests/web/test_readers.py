"""Reading is seen: a unit reads on its pages who opened or exported its evidence, and others do not."""

from __future__ import annotations

from datetime import date

import pytest
from flask import Flask
from sqlalchemy import select

from tests.city import NOW
from tests.prepared import lend
from tests.services.test_inspections import plan_of
from tests.web.conftest import post
from tests.web.test_duties import MEETING, tick
from tests.web.test_evidence import fetch
from tracker.db import writing
from tracker.models import AccessLog, Cycle, Evidence, StoredFile
from tracker.services import inspections
from tracker.tasks.worker import Worker
from tracker.tasks.works import WORKS

APRIL = MEETING.replace("M05", "M04")


@pytest.fixture
def record(client_of, session):
    """What Asha handed in for April; its key."""
    tick(client_of("Asha"), key=APRIL, act_on="2026-04-15")
    key = session.scalar(select(Evidence.key))
    session.rollback()
    return key


@pytest.fixture
def number(session, city, record):
    """A check of D1 by Ines; its number."""
    with writing(session):
        plan = plan_of(city, items=("L3-02",), period_ends_on=date(2026, 5, 31))
        cycle, ines = session.scalars(select(Cycle)).one(), city.actor("Ines")
        made = inspections.plan(session, cycle=cycle, plan=plan, actor=ines, now=NOW)
    return made.number


def readers(client, address):
    """What the part of a page says of those who read it; empty where there is no such part."""
    return client.get(address).text.partition('id="readers"')[2].partition("</section>")[0]


def accesses(session):
    session.rollback()
    return [tuple(row) for row in session.execute(select(AccessLog.actor, AccessLog.verb).order_by(AccessLog.id))]


def test_opening_ones_own_work_is_not_written_down(client_of, session, record):
    asha = client_of("Asha")
    asha.get(f"/duties/{APRIL}")
    asha.get(f"/evidence/{record}")
    assert accesses(session) == []
    assert "还没有人打开或下载过" in readers(client_of("Dong"), f"/evidence/{record}")


def test_the_unit_reads_on_both_pages_that_an_inspector_was_there(client_of, session, number, record):
    ines = client_of("Ines")
    ines.get(f"/duties/{APRIL}")
    ines.get(f"/duties/{APRIL}")
    ines.get(f"/evidence/{record}")
    dong = client_of("Dong")
    on_duty, on_record = readers(dong, f"/duties/{APRIL}"), readers(dong, f"/evidence/{record}")
    assert "Ines" in on_duty
    assert "打开任务 2 次" in on_duty
    assert "打开佐证 1 次" in on_duty
    assert "打开佐证 1 次" in on_record
    assert "打开任务" not in on_record


def test_those_of_the_organization_itself_are_told_without_the_list_of_the_unit(client_of, number, record):
    client_of("Ines").get(f"/evidence/{record}")
    for who in ("Asha", "Chen"):
        for address in (f"/evidence/{record}", f"/duties/{APRIL}"):
            told = readers(client_of(who), address)
            assert told
            assert "/log/access" not in told
        assert "Ines" in readers(client_of(who), f"/evidence/{record}")
    assert "/log/access" in readers(client_of("Dong"), f"/evidence/{record}")


def test_those_elsewhere_and_the_team_are_not_told(client_of, number, record):
    client_of("Ines").get(f"/evidence/{record}")
    assert readers(client_of("Ines"), f"/evidence/{record}") == ""
    for who in ("Asha", "Chen", "Ines"):
        assert "Ines" not in client_of(who).get("/log/access").text.partition("<table")[2]
    assert client_of("Du").get(f"/evidence/{record}").status_code == 404
    assert "Ines" not in client_of("Du").get(f"/log/access?of={record}").text


def test_the_page_leads_to_every_access_of_exactly_this(client_of, session, city, number, record):
    tick(client_of("Asha"), key=MEETING)
    other = session.scalar(select(Evidence.key).order_by(Evidence.id.desc()))
    session.rollback()
    digest = session.scalar(select(StoredFile.sha256))
    session.rollback()
    chen = client_of("Chen")
    for address in (f"/evidence/{record}", f"/evidence/{other}", f"/evidence/{record}/files/{digest}"):
        fetch(chen, address)
    listed = client_of("Dong").get(f"/log/access?of={record}").text.partition("<tbody>")[2]
    assert "打开佐证" in listed
    assert "下载佐证文件" in listed
    assert other not in listed
    assert listed.count("<tr>") == 2
    assert f'href="/evidence/{record}"' in listed
    assert f"of={record}" in client_of("Dong").get(f"/evidence/{record}").text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("actor=Ines", True),
        ("actor=Chen", False),
        ("verb=evidence.open", True),
        ("verb=file.download", False),
        ("since=2026-05-20&until=2026-05-20", True),
        ("until=2026-05-19", False),
        ("chain=D1", True),
    ],
)
def test_the_unit_narrows_the_list_by_person_kind_and_time(client_of, number, record, query, found):
    client_of("Ines").get(f"/evidence/{record}")
    listed = client_of("Dong").get(f"/log/access?{query}").text.partition("<tbody>")[2]
    assert ("Ines" in listed) is found


def test_taking_a_file_along_is_written_down_even_of_ones_own(client_of, session, record):
    digest = session.scalar(select(StoredFile.sha256))
    session.rollback()
    fetch(client_of("Asha"), f"/evidence/{record}/files/{digest}/preview/1")
    fetch(client_of("Asha"), f"/evidence/{record}/files/{digest}")
    assert accesses(session) == [("asha", "file.download")]


def test_a_packet_a_print_and_a_spreadsheet_show_to_the_unit(app: Flask, client_of, prepared_fonts, number):
    lend(prepared_fonts, app.config["TRACKER"].data_dir)
    ines = client_of("Ines")
    places = [
        post(ines, f"/documents/packets/{number}", {"unit": "D1"}).location,
        post(ines, f"/papers/inspections/{number}", {"paper": "unit_report", "unit": "D1"}).location,
    ]
    with app.app_context():
        worker = Worker(app.extensions["sqlalchemy"].engine, app.config["TRACKER"], WORKS)
        for key in worker.waiting():
            worker.perform(key)
    for place in places:
        assert fetch(ines, f"{place}/file").data.startswith(b"%PDF-")
    post(ines, f"/papers/inspections/{number}", {"paper": "problem_list", "as": "xlsx"})

    listed = client_of("Dong").get("/log/access?verb=document.export").text.partition("<tbody>")[2]
    for kind in ("督查卷", "单位督查报告", "问题清单"):
        assert kind in listed
    assert listed.count("Ines") == 3
    assert "Ines" not in client_of("Du").get("/log/access").text


def test_a_past_day_names_those_who_had_read_it_by_then(client_of, clock, number, record):
    client_of("Ines").get(f"/evidence/{record}")
    clock.shift(24 * 3600)
    client_of("Chen").get(f"/evidence/{record}")
    then = readers(client_of("Dong"), f"/evidence/{record}?as_of=2026-05-20")
    assert "Ines" in then
    assert "Chen" not in then
