"""Fixtures for pages: the application over a file of its own, with the small city, a year, and everybody signed in.

`client_of("Asha")` is a browser in which Asha is signed in; `post(client, url, …)` fills in a form with its token.
CSRF stays on. The time is that of `tests.city.NOW`, and it runs. `session` reads the same database: call
`session.rollback()` to see what a request has written since, and `tracker.db.writing(session)` to write.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from tests.city import BEGIN, NOW, City
from tracker.app import create_app
from tracker.config import CHECKOUT, load_settings
from tracker.db import engine_options, prepare
from tracker.domain.actor import operator
from tracker.models import Account, Base
from tracker.services.accounts import ensure_account
from tracker.services.checklists import publish
from tracker.services.cycles import open_cycle
from tracker.services.password_hash import Hasher
from tracker.tasks.queue import Queue
from tracker.web.measuring import Measures

PASSWORD = "Qinghe-2026!"
SALT = "salt of the tests"
YEAR = 2026

ClientOf = Callable[[str], FlaskClient]


@pytest.fixture(scope="session")
def filled_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with the small city, an account for everybody, a published list and the year 2026."""
    path = tmp_path_factory.mktemp("template") / "tracker.sqlite3"
    fill(f"sqlite:///{path}")
    return path


def fill(url: str) -> None:
    """Write the small city, an account for everybody, a published list and the year 2026 into an empty database."""
    engine = create_engine(url, **engine_options(url))
    prepare(engine)
    Base.metadata.create_all(engine)
    stored = Hasher(SALT).hash(PASSWORD)
    with Session(engine) as session, session.begin():
        city = City.build(session)
        for person in city.people.values():
            account = ensure_account(session, person, now=BEGIN)
            account.password, account.password_changed_at, account.must_change_password = stored, NOW, False
        source = (CHECKOUT / "checklists" / "sanji-sigang.yaml").read_bytes()
        version = publish(session, source, actor=operator(), now=BEGIN)
        open_cycle(session, year=YEAR, version=version, actor=operator(), now=BEGIN)
    engine.dispose()


@pytest.fixture
def clock() -> Iterator[time_machine.Coordinates]:
    """The time in which a test of a page plays: it begins at `NOW` and can be moved."""
    with time_machine.travel(NOW, tick=True) as traveller:
        yield traveller


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """The application: its routes, templates and statements are compiled once for all tests."""
    folder = tmp_path_factory.mktemp("data")
    return create_app(load_settings(data_dir=folder, password_salt=SALT, secret_key="a key for the tests"))


@pytest.fixture
def app(made_once: Flask, filled_database: Path, clock: time_machine.Coordinates) -> Iterator[Flask]:
    """The application as if it had just been made, over a data folder with nothing but a copy of the database."""
    kept, settings = dict(made_once.config), made_once.config["TRACKER"]
    shutil.rmtree(settings.data_dir)
    settings.data_dir.mkdir()
    shutil.copy(filled_database, settings.data_dir / "tracker.sqlite3")
    made_once.extensions |= {"tracker_queue": Queue(settings), "tracker_measures": Measures()}
    for limiter in made_once.extensions["limiter"]:
        limiter.reset()
    made_once.testing = True
    yield made_once
    with made_once.app_context():
        made_once.extensions["sqlalchemy"].engine.dispose()
    made_once.config.clear()
    made_once.config.update(kept)


@pytest.fixture
def session(app: Flask) -> Iterator[Session]:
    """A session on the application's database."""
    with app.app_context():
        engine = app.extensions["sqlalchemy"].engine
    with Session(engine) as session:
        yield session


@pytest.fixture
def city(session: Session) -> City:
    """The small city as it stands in the application's database."""
    return City.standing(session)


@pytest.fixture
def client_of(app: Flask, session: Session) -> ClientOf:
    """Return a browser in which the named person is signed in; `stranger` is not."""

    def client_of(name: str) -> FlaskClient:
        client = app.test_client()
        if name != "stranger":
            sign_in(client, session, name)
        return client

    return client_of


def sign_in(client: FlaskClient, session: Session, name: str) -> None:
    """Put into the browser what signing in would have put there."""
    uniquifier = session.scalar(select(Account.fs_uniquifier).where(Account.username == name.lower()))
    session.rollback()
    with client.session_transaction() as cookie:
        moment = int(time.time())
        cookie.update(_user_id=uniquifier, _fresh=True, fs_paa=moment, signed_in_at=moment, seen_at=moment)


def token_of(client: FlaskClient, url: str = "/auth/verify") -> str:
    """The CSRF token that a page of this browser carries (every page of a signed-in person and the sign-in page do)."""
    page = client.get(url)
    if page.status_code == 302:
        page = client.get("/auth/login")
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.get_data(as_text=True))
    assert found, f"{url} answers {page.status_code} and carries no token"
    return found[1]


def post(
    client: FlaskClient, url: str, data: dict[str, Any] | None = None, *, page: str = "/auth/verify", **options: Any
) -> TestResponse:
    """Post a form with the token that this browser finds on `page`. Lists in `data` are sent as repeated fields."""
    return client.post(url, data={"csrf_token": token_of(client, page), **(data or {})}, **options)


def sign_in_by_form(client: FlaskClient, username: str, password: str, **options: Any) -> TestResponse:
    """Sign in as a person would: 302 when it worked, 200 with the form when it did not."""
    return post(client, "/auth/login", {"username": username, "password": password}, **options)
