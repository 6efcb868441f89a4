"""No page asks the database more than fifteen things, the desk twenty, however many rows it shows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import time_machine
from flask import Flask
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.orm import Session

from tests.addresses import PEOPLE, addresses, share_out
from tests.city import NOW
from tests.scene import Scene, play
from tests.web.conftest import PASSWORD, SALT, sign_in
from tracker.app import create_app
from tracker.config import load_settings
from tracker.db import engine_options, prepare, writing

MOST = 15
# The desk is three pages in one: the queue, a duty with its hints, its evidence.
AT_DESK, MOST_AT_DESK = "/inspections/1/desk?", 20
FEW, MANY = 2, 48  # branches beside those of the small city: 51 of them and 8 units are what the demo has
NO_QUESTIONS = ("BEGIN", "PRAGMA", "SAVEPOINT", "RELEASE")


def built(folder: Path, *, more: int) -> tuple[Flask, Scene]:
    """The application over a city with so many more branches."""
    folder.mkdir()
    settings = load_settings(data_dir=folder, password_salt=SALT, secret_key="a key for the tests")
    engine = create_engine(settings.database, **engine_options(settings.database))
    prepare(engine)
    with Session(engine) as session, writing(session):
        scene = play(session, settings, password=PASSWORD, more=more)
    engine.dispose()
    app = create_app(settings)
    app.testing = True
    return app, scene


@contextmanager
def questions(engine: Engine) -> Iterator[list[str]]:
    """The statements that the block sends."""
    seen: list[str] = []

    def note(*arguments: object) -> None:
        statement = str(arguments[2])
        if not statement.startswith(NO_QUESTIONS):
            seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


def asked_by_pages(folder: Path, *, more: int) -> dict[str, int]:
    """How many statements each page needs when it is opened for the second time, by person and path."""
    app, scene = built(folder, more=more)
    with app.app_context():
        engine = app.extensions["sqlalchemy"].engine
    clients = {who: app.test_client() for who in PEOPLE}
    with Session(engine) as session:
        for who in PEOPLE:
            if who != "stranger":
                sign_in(clients[who], session, who)

    def answer(who: str, path: str) -> tuple[int, str]:
        with clients[who].get(path) as response:
            return response.status_code, response.content_type

    counts = {}
    for who, paths in share_out(addresses(app, scene), answer).items():
        for path in paths:
            if AT_DESK in path:  # which asks more where the duty is not held any more
                clients[who].get(path).close()
            with questions(engine) as seen:
                clients[who].get(path).close()
            counts[f"{who} {_nameless(path, scene)}"] = len(seen)
    engine.dispose()
    return counts


def _nameless(path: str, scene: Scene) -> str:
    """The path without the keys that chance gives."""
    return path.replace(scene.job, "JOB").replace(scene.log_entry, "ENTRY")


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, int], dict[str, int]]:
    """The statements of every page in a small city and in a large one."""
    folder = tmp_path_factory.mktemp("sizes")
    with time_machine.travel(NOW, tick=True):
        return asked_by_pages(folder / "few", more=FEW), asked_by_pages(folder / "many", more=MANY)


def test_no_page_asks_more_than_fifteen_things(asked):
    _few, many = asked
    at_desk = {page for page in many if AT_DESK in page}
    assert len(at_desk) == 2
    assert {page: many[page] for page in at_desk if many[page] > MOST_AT_DESK} == {}
    assert {page: count for page, count in many.items() if count > MOST and page not in at_desk} == {}


def test_no_page_asks_more_because_it_shows_more(asked):
    few, many = asked
    assert few.keys() == many.keys()
    assert {page: (few[page], many[page]) for page in few if many[page] > few[page]} == {}
