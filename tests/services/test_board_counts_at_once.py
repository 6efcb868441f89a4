"""Acts on one unit at once: they never wait for each other's counters in a ring, and no number is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from tests.city import NOW, City
from tests.work import duty
from tracker.db import engine_options, prepare, writing
from tracker.domain.actor import operator
from tracker.domain.duty import State
from tracker.models import Base, Duty
from tracker.services import log
from tracker.services.board_counts import verify_counts

ROUNDS = 15
ORDERS = (("L3-02", "L3-20"), ("L3-20", "L3-02"))


@pytest.fixture(params=["sqlite", "postgresql"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database of its own with two duties of two items for each of two people."""
    url, server = f"sqlite:///{tmp_path}/counted.sqlite3", None
    if request.param == "postgresql":
        server = create_engine(request.getfixturevalue("postgresql_url"), isolation_level="AUTOCOMMIT")
        with server.connect() as connection:
            connection.execute(text("CREATE DATABASE counted"))
        url = make_url(server.url).set(database="counted").render_as_string(hide_password=False)
    engine = create_engine(url, **engine_options(url))
    prepare(engine)
    Base.metadata.create_all(engine)
    with Session(engine) as session, session.begin():
        city = City.build(session)
        for number in (1, 2):
            duty(city, "D1-B1.P4-1", "L3-02", "M05", occurrence=number)
            duty(city, "D1-B1.P4-1", "L3-20", "Y", occurrence=number)
        log.record(session, actor=operator(), now=NOW, verb="open", kind="cycle", key="2026", chains=["D1"])
    yield engine
    engine.dispose()
    if server is not None:
        with server.connect() as connection:
            connection.execute(text("DROP DATABASE counted"))
        server.dispose()


def _act(engine: Engine, number: int, barrier: threading.Barrier, broken: list[Exception]) -> None:
    """Hand in and take back duties of one's own, one item after the other, with an entry in the log for each."""
    try:
        with Session(engine) as session:
            for step in range(ROUNDS):
                barrier.wait(timeout=60)
                with writing(session):
                    for item in ORDERS[number]:
                        found = select(Duty).where(Duty.item_id == item, Duty.occurrence == number + 1)
                        one = session.scalars(found).one()
                        one.state = State.RETURNED if step % 2 else State.OPEN
                        log.record(
                            session, actor=operator(), now=NOW, verb="move", kind="duty", key=one.key, chains=["D1"]
                        )
    except Exception as error:  # noqa: BLE001  told to the test
        broken.append(error)
        barrier.abort()


def test_two_acts_on_one_unit_never_wait_for_each_other_in_a_ring(shared: Engine) -> None:
    barrier, broken = threading.Barrier(2), list[Exception]()
    acts = [threading.Thread(target=_act, args=(shared, number, barrier, broken)) for number in (0, 1)]
    for act in acts:
        act.start()
    for act in acts:
        act.join()
    assert broken == []
    with Session(shared) as session:
        assert list(verify_counts(session)) == []
