"""What is said of a database in trouble: whether to wait, to look, or to tell the administrator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, NullPool, create_engine, event, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from tests.web.conftest import ClientOf, post
from tracker.db import db, writing
from tracker.domain.duty import State
from tracker.models import Duty

MEETING = "2026.D1-B1.P4-1.L3-02.M05.1"
LONG = {"claim": "excused", "reason": "防汛值守" * 125}


@contextmanager
def spoilt(engine: Engine, pragma: str) -> Iterator[None]:
    """Every connection of the application begins with this pragma, until the end of the block."""

    def spoil(connection: Any, _: Any) -> None:
        connection.execute(f"PRAGMA {pragma}")

    engine.dispose()
    event.listen(engine, "connect", spoil)
    try:
        yield
    finally:
        event.remove(engine, "connect", spoil)
        engine.dispose()


def state_of(session: Session, key: str) -> State:
    session.rollback()
    return session.scalars(select(Duty.state).where(Duty.key == key)).one()


def engine_of(app: Flask) -> Engine:
    with app.app_context():
        return db.engine


def test_a_full_disk_under_the_database_is_said_and_the_same_step_works_when_there_is_room(
    app: Flask, client_of: ClientOf, session: Session
):
    asha, engine = client_of("Asha"), engine_of(app)
    mine = sorted(session.scalars(select(Duty.key).where(Duty.key.startswith("2026.D1-B1.P4-1."))))
    with spoilt(engine, "max_page_count = 1"):  # no more than it has
        sent = ((key, post(asha, f"/duties/{key}/claim", LONG)) for key in mine)
        key, answer = next((key, answer) for key, answer in sent if answer.status_code not in {302, 409})
        assert answer.status_code == 507
        assert "磁盘已满" in answer.text
        assert "没有保存" in answer.text
        assert "状态 507" in answer.text
        assert asha.get(f"/duties/{key}").status_code == 200
        told = post(asha, f"/duties/{key}/claim", LONG, headers={"Accept": "application/json"})
        assert (told.status_code, "磁盘已满" in told.json["error"]) == (507, True)
    assert state_of(session, key) is State.OPEN
    assert post(asha, f"/duties/{key}/claim", LONG).status_code == 302
    assert state_of(session, key) is State.CLAIMED


def test_a_database_that_cannot_be_written_to_is_not_said_to_answer_again_soon(
    app: Flask, client_of: ClientOf, session: Session
):
    asha, engine = client_of("Asha"), engine_of(app)
    with spoilt(engine, "query_only = ON"):
        answer = post(asha, f"/duties/{MEETING}/claim", LONG)
    assert answer.status_code == 500
    assert "不能正常读写" in answer.text
    assert "没有应答" not in answer.text
    assert state_of(session, MEETING) is State.OPEN


def test_a_lock_that_is_held_too_long_is_a_database_that_does_not_answer(
    app: Flask, client_of: ClientOf, session: Session
):
    asha, engine = client_of("Asha"), engine_of(app)
    with spoilt(engine, "busy_timeout = 10"), writing(session):
        answer = post(asha, f"/duties/{MEETING}/claim", LONG)
    assert answer.status_code == 503
    assert "可能没有保存" in answer.text  # after a lost COMMIT nobody knows
    assert "先查看" in answer.text


@pytest.mark.parametrize(
    ("state", "status", "said"),
    [
        ("53100", 507, "磁盘已满"),
        ("25006", 500, "不能正常读写"),
        ("58030", 500, "不能正常读写"),
        ("53300", 503, "没有应答"),
        ("57P01", 503, "没有应答"),
        ("22012", 500, "系统出现故障"),
    ],
)
def test_what_postgresql_says_is_told_in_the_same_words(
    app: Flask, postgresql_url: str, state: str, status: int, said: str
):
    engine = create_engine(postgresql_url, poolclass=NullPool)
    failing = text(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}'; END $$")
    with engine.connect() as connection, pytest.raises(DBAPIError) as caught:
        connection.execute(failing)
    with app.test_request_context("/"):
        app.preprocess_request()
        answer = app.make_response(app.handle_user_exception(caught.value))
    assert answer.status_code == status
    assert said in answer.get_data(as_text=True)
