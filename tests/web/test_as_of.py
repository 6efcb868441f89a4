"""Any past day: a page for `?as_of=` says what the same page said at the end of that day."""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from difflib import unified_diff
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import time_machine
from flask import Flask
from sqlalchemy import Engine, create_engine, func, select
from sqlalchemy.orm import Session
from werkzeug.routing import IntegerConverter

from tests.city import NOW, at
from tests.web.conftest import SALT, ClientOf, fill, post, sign_in, token_of
from tests.web.past_days import DAYS, FIRST, OWED, pass_day, text_of
from tracker.app import create_app
from tracker.config import load_settings
from tracker.db import engine_options, prepare
from tracker.domain.errors import RuleError
from tracker.models import Evidence, Finding, Inspection, Job, LogEntry, LookBackDraw, Verdict
from tracker.queries.history import end_of_day
from tracker.queries.inspection_report import inspection_report
from tracker.tasks.papers import KINDS, paper_values
from tracker.web.as_of import answers

READ_BY = {
    "Rong": (
        "/board",
        "/board/items",
        "/board/units/D1",
        "/board/units/D2",
        "/board/duties",
        "/board/duties?organization=D1-B1&state=open",
        "/organizations",
        "/organizations/D1",
        "/organizations/D1-B1",
        "/organizations/D1-B2",
        *(f"/duties/{key}" for key in OWED),
    ),
    "Ines": (
        "/inspections/1",
        "/inspections/1/duties",
        "/rectification",
        "/assignments/D1-B1",
        "/assignments/D1-B2",
    ),
    "Adam": ("/inspections/1/scores",),
}

RECORD = "2026.D1-B1.1"
Pages = dict[str, list[str]]


@pytest.fixture(scope="module")
def filled_postgresql(request: pytest.FixtureRequest) -> str:
    """The URL of a PostgreSQL database with the small city and the year 2026, from which others are copied."""
    url: str = request.getfixturevalue("postgresql_url")
    _copied(url, "past_days", "template1")
    made = url.rpartition("/")[0] + "/past_days"
    fill(made)
    return made


def _copied(url: str, name: str, template: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name}")
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a copy of the filled database, on each of the two databases."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("filled_database"), tmp_path / "tracker.sqlite3")
        return f"sqlite:///{tmp_path}/tracker.sqlite3"
    url: str = request.getfixturevalue("filled_postgresql")
    _copied(request.getfixturevalue("postgresql_url"), "past_days_now", "past_days")
    return f"{url}_now"


@contextmanager
def _site(url: str, folder: Path) -> Iterator[tuple[Flask, Engine]]:
    made = create_app(
        load_settings(data_dir=folder, database_url=url, password_salt=SALT, secret_key="a key for the tests")
    )
    made.testing = True
    with made.app_context():
        engine = made.extensions["sqlalchemy"].engine
    try:
        yield made, engine
    finally:
        engine.dispose()


def _addresses(engine: Engine) -> dict[str, list[str]]:
    """What is read: the pages that are always there, and those of every record and finding there is."""
    with Session(engine) as session:
        records = session.scalars(select(Evidence.key).order_by(Evidence.id)).all()
        findings = session.scalars(select(Finding.key).order_by(Finding.id)).all()
        looking_back = session.scalars(select(LookBackDraw.inspection_id)).all()
        checks = session.scalars(select(Inspection.number).where(Inspection.id.in_(looking_back))).all()
    return {
        **{who: list(pages) for who, pages in READ_BY.items()},
        "Rong": [*READ_BY["Rong"], *(f"/evidence/{key}" for key in records)],
        "Adam": [*READ_BY["Adam"], *(f"/inspections/{number}/look-back" for number in checks)],
        "Ines": [*READ_BY["Ines"], *(f"/rectification/{key}" for key in findings)],
    }


def _read(app: Flask, engine: Engine, addresses: dict[str, list[str]], past: date | None = None) -> Pages:
    """What every page says, now or as of a past day."""
    said: Pages = {}
    for who, pages in addresses.items():
        client = app.test_client()
        with Session(engine) as session:
            sign_in(client, session, who)
        for address in pages:
            asked = address + (f"{'&' if '?' in address else '?'}as_of={past}" if past else "")
            answer = client.get(asked)
            assert answer.status_code == 200, f"{asked} answers {answer.status_code}"
            said[f"{who} {address}"] = text_of(answer.get_data(as_text=True))
    return said


def _printed(engine: Engine, day: date) -> dict[str, Any]:
    """What the report of the check and each of its papers say as of that day, or why there is none."""
    at_end = end_of_day(day)
    with Session(engine) as session:
        check = session.scalars(select(Inspection).where(Inspection.number == 1)).one()
        report = inspection_report(session, check, as_of=at_end, words=str, software_version="of the test")
        said: dict[str, Any] = {"report": report}
        for name, kind in KINDS.items():
            unit = "D1" if kind.of_unit else None
            try:
                said[name] = paper_values(session, paper=name, number=1, unit=unit, as_of=at_end, language="zh")
            except RuleError as refusal:
                said[name] = str(refusal)
    return said


def _differing(page: str, then: list[str], later: list[str]) -> list[str]:
    return list(unified_diff(then, later, page, "later", lineterm="", n=1))


def test_every_page_of_a_past_day_says_what_it_said_at_the_end_of_that_day(
    database: str, tmp_path: Path
) -> None:
    """Names, moves, hand-overs, corrections, verdicts, lists, decisions, findings, closing: none reaches back."""
    chance = random.Random(database.partition(":")[0])  # another story on each
    with time_machine.travel(at(FIRST, 8), tick=False) as clock, _site(database, tmp_path) as (app, engine):
        kept, done = {}, 0
        for number in range(len(DAYS)):
            day, worked = pass_day(engine, chance, number, more=4)
            done += worked
            clock.move_to(at(day, 23))
            addresses = _addresses(engine)
            kept[day] = addresses, _read(app, engine, addresses), _printed(engine, day)
        clock.move_to(at(day + timedelta(days=10), 9))
        for day, (addresses, then, printed) in kept.items():
            later = _read(app, engine, addresses, day)
            wrong = [line for page, said in then.items() for line in _differing(page, said, later[page])]
            assert not wrong, f"as of {day}:\n" + "\n".join(wrong)
            again = _printed(engine, day)
            assert [name for name, said in printed.items() if again[name] != said] == [], f"on paper as of {day}"
        assert done > 25
        told = {page: {tuple(then[page]) for _, then, _ in kept.values()} for page in kept[FIRST][1]}
        assert all(len(said) > 1 for said in told.values()), "nothing happened to a page that was read"


# ---------------------------------------------------------------- one thing at a time


@pytest.fixture(scope="module")
def three_days(filled_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database after three days of the story."""
    path = shutil.copy(filled_database, tmp_path_factory.mktemp("three-days") / "tracker.sqlite3")
    engine = create_engine(f"sqlite:///{path}", **engine_options("sqlite"))
    prepare(engine)
    with time_machine.travel(NOW, tick=True):
        for number in range(3):
            pass_day(engine, random.Random(7), number, more=0)
    engine.dispose()
    return path


@pytest.fixture
def later(app: Flask, three_days: Path, clock: time_machine.Coordinates) -> date:
    """Three days of the story have passed; the present is a month after they began. The first of them."""
    with app.app_context():
        app.extensions["sqlalchemy"].engine.dispose()
    shutil.copy(three_days, app.config["TRACKER"].data_dir / "tracker.sqlite3")
    clock.move_to(at(FIRST + timedelta(days=30), 9))
    return FIRST


def _main(page: str) -> str:
    return page[page.index("<main") : page.index("</main>")]


def test_a_page_of_a_past_day_says_so_and_leads_back_to_today(client_of: ClientOf, later: date) -> None:
    page = client_of("Rong").get(f"/board?year=2026&as_of={later}").text
    assert "这是系统在 2026-05-20 日终的记录；按当日数据重新计算，可能稍慢。" in page
    assert '<a href="/board?year=2026">回到今天</a>' in page


def test_who_held_the_seat_is_told_as_far_as_it_was_known_then(client_of: ClientOf, later: date) -> None:
    rong, handed = client_of("Rong"), later + timedelta(days=2)
    held = [rong.get(f"/duties/{OWED[0]}?as_of={day}").text for day in (later, handed)]
    assert ["Asha（任职）" in page for page in held] == [True, False]
    places = [rong.get(f"/organizations/D1-B1?as_of={day}").text for day in (later, handed)]
    assert ["移交" in _main(page) for page in places] == [False, True]


def test_nothing_on_a_page_of_a_past_day_does_anything(app: Flask, client_of: ClientOf, later: date) -> None:
    """What is left are forms that go to another day, and those that ask for a document, which carry the day."""
    pages = {
        "Bela": ["/board", "/organizations", "/organizations/D1-B1", *(f"/duties/{key}" for key in OWED)],
        "Ines": ["/inspections/1", "/inspections/1/duties", "/inspections/1/scores", "/rectification"],
        "Adam": ["/inspections/1", "/organizations"],
    }
    for who, addresses in pages.items():
        for address in addresses:
            page = _main(client_of(who).get(f"{address}?as_of={later}").text)
            for form in re.findall(r'<form method="post".*?</form>', page, re.DOTALL):
                assert re.search(r'action="/(documents|papers)/', form), f"{address}: {form}"
                assert f'value="{later}"' in form, f"{address}: {form}"


def test_links_on_a_page_of_a_past_day_lead_to_the_same_day(app: Flask, client_of: ClientOf, later: date) -> None:
    """Wherever the page behind a link answers for past days, the link carries the day."""
    followed = 0
    adapter = app.url_map.bind("localhost")
    for who, address in (
        ("Rong", "/board"),
        ("Rong", "/board/items"),
        ("Rong", "/board/units/D1"),
        ("Rong", "/board/duties?show=done"),
        ("Rong", f"/duties/{OWED[0]}"),
        ("Rong", "/organizations"),
        ("Rong", "/organizations/D1-B1"),
        ("Rong", "/assignments/D1-B2"),
        ("Ines", "/inspections/1"),
        ("Ines", "/inspections/1/duties"),
        ("Ines", "/inspections/1/scores"),
        ("Ines", "/rectification"),
    ):
        page = _main(client_of(who).get(f"{address}{'&' if '?' in address else '?'}as_of={later}").text)
        for link in {unescape(found) for found in re.findall(r'<a [^>]*href="(/[^"]*)"(?! *>回到今天)', page)}:
            path, _, query = link.partition("?")
            endpoint, _ = adapter.match(path)
            if answers(app.view_functions[endpoint]):
                assert parse_qs(query).get("as_of") == [later.isoformat()], f"{address} links to {link}"
                followed += 1
    assert followed > 50


def test_a_document_asked_for_on_such_a_page_speaks_as_of_that_day(
    client_of: ClientOf, session: Session, later: date
) -> None:
    ines = client_of("Ines")
    answer = post(ines, "/documents/inspections/1", {"as_of": later.isoformat()})
    assert answer.status_code == 302
    job = session.scalars(select(Job).order_by(Job.id.desc())).first()
    assert job is not None
    assert datetime.fromisoformat(job.arguments["as_of"]) == end_of_day(later)


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ("2026-06-20", "2026-06-20 还没有到"),
        ("2025-12-31", "系统从 2026-01-04 开始有记录"),
        ("0001-01-01", "系统从 2026-01-04 开始有记录"),
        ("yesterday", "日期格式不对，请按 2026-03-31 的样子填写。"),
        ("2026-02-30", "日期格式不对"),
    ],
)
def test_a_day_that_cannot_be_is_refused_with_the_reason(
    client_of: ClientOf, later: date, wanted: str, told: str
) -> None:
    answer = client_of("Rong").get(f"/board?as_of={wanted}")
    assert (answer.status_code, told in answer.text) == (400, True)


def test_today_is_not_over_and_is_the_present(client_of: ClientOf, later: date) -> None:
    rong = client_of("Rong")
    assert text_of(rong.get("/board?as_of=2026-06-19").text) == text_of(rong.get("/board").text)


@pytest.mark.parametrize(
    "address", ["/inspections/1", "/inspections/1/duties", "/inspections/1/scores", f"/evidence/{RECORD}"]
)
def test_what_was_not_there_yet_is_not_shown(client_of: ClientOf, later: date, address: str) -> None:
    answer = client_of("Ines").get(f"{address}?as_of=2026-05-19")
    assert (answer.status_code, "到 2026-05-19 日终，系统里还没有这条记录" in answer.text) == (404, True)


def test_the_past_shows_nobody_more_than_the_present(client_of: ClientOf, later: date) -> None:
    for who, status in (("Bela", 200), ("Omar", 404), ("stranger", 302)):
        assert client_of(who).get(f"/duties/{OWED[0]}?as_of={later}").status_code == status


def test_a_verdict_as_of_a_past_day_is_refused_and_nothing_is_written(
    client_of: ClientOf, session: Session, later: date
) -> None:
    ines, count = client_of("Ines"), select(func.count()).select_from(Verdict)
    before = session.scalar(count), session.scalar(select(func.count()).select_from(LogEntry))
    said = {"value": "met", "note": "齐全", "duty": OWED[0]}
    for address in ("/inspections/1/close", f"/inspections/1/desk/{OWED[0]}", f"/inspections/1/duties/{OWED[0]}"):
        answer = post(ines, f"{address}?as_of={later}", said)
        if answer.status_code not in {404, 405}:  # not every one of these addresses has to be there
            assert (answer.status_code, "过去某一天的记录只能查看，不能办理" in answer.text) == (409, True)
    session.rollback()
    assert (session.scalar(count), session.scalar(select(func.count()).select_from(LogEntry))) == before


# ---------------------------------------------------------------- every route

ANSWERING = {
    "assignments.show",
    "board.duties",
    "board.items",
    "board.show",
    "board.unit",
    "duties.show",
    "evidence.show",
    "good_practice.index",
    "good_practice.show",
    "inspection_plans.draw",
    "inspections.duties",
    "inspections.scores",
    "inspections.show",
    "look_back.show",
    "organizations.index",
    "organizations.show",
    "rectification.index",
    "rectification.show",
}


def _routes(app: Flask, method: str) -> Iterator[tuple[str, str]]:
    """Endpoint and address of every route that asks who comes; what its parameters stand for need not be there."""
    for rule in app.url_map.iter_rules():
        if method in (rule.methods or set()) and rule.endpoint not in app.config["OPEN_ENDPOINTS"]:
            values = {name: 1 if isinstance(kind, IntegerConverter) else "x" for name, kind in rule._converters.items()}
            yield rule.endpoint, app.url_map.bind("localhost").build(rule.endpoint, values, method=method)


def test_every_page_answers_for_a_past_day_or_says_that_it_does_not(app: Flask, client_of: ClientOf) -> None:
    adam, refused = client_of("Adam"), 0
    assert {endpoint for endpoint, view in app.view_functions.items() if answers(view)} == ANSWERING
    for endpoint, address in _routes(app, "GET"):
        if endpoint not in ANSWERING:
            answer = adam.get(f"{address}?as_of=2026-05-19")
            closed = endpoint.startswith("security.")  # pages that nobody may open at all
            assert answer.status_code == 400 or (closed and answer.status_code in {302, 403, 404}), endpoint
            refused += answer.status_code == 400
    assert refused > 30


def test_nothing_is_done_as_of_a_past_day(app: Flask, client_of: ClientOf, session: Session) -> None:
    """By a parameter in the address, or in a form that does not ask for a document."""
    adam, entries = client_of("Adam"), select(func.count()).select_from(LogEntry)
    before, refused, token = session.scalar(entries), 0, {"csrf_token": token_of(adam)}
    for endpoint, address in _routes(app, "POST"):
        if not endpoint.startswith("security."):
            answer = adam.post(f"{address}?as_of=2026-05-19", data=token)
            assert answer.status_code == 409, endpoint
            if endpoint.partition(".")[0] not in {"jobs", "papers"}:
                assert adam.post(address, data=token | {"as_of": "2026-05-19"}).status_code == 409, endpoint
            refused += 1
    session.rollback()
    assert refused > 40
    assert session.scalar(entries) == before
