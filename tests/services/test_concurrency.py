"""Several processes act on the same duties at once: one wins each step, and no update is lost."""

import multiprocessing
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import create_engine, func, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from tests.city import NOW, City
from tests.work import ACT, duty, file
from tracker.db import engine_options, prepare, writing
from tracker.domain.duty import Action, State
from tracker.domain.errors import RuleError
from tracker.models import Base, Duty, Evidence, EvidenceLink, LogChain, LogEntry, SignOff, StoredFile
from tracker.services import sign_offs

PROCESSES = 4
DUTIES = 3
ROUNDS = 2


def _engine(url):
    engine = create_engine(url, **engine_options(url))
    prepare(engine)
    return engine


@pytest.fixture(params=["sqlite", "postgresql"])
def shared_url(request, tmp_path):
    """A database of its own, with the city and three duties of Asha's, that several processes may open."""
    if request.param == "sqlite":
        url, drop = f"sqlite:///{tmp_path}/shared.sqlite3", None
    else:
        server = make_url(request.getfixturevalue("postgresql_url"))
        url, drop = server.set(database="shared").render_as_string(hide_password=False), server
        _on_server(server, "CREATE DATABASE shared")
    engine = _engine(url)
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        city = City.build(session)
        for number in range(1, DUTIES + 1):
            duty(city, "D1-B1.P4-1", "L3-20", "Y", occurrence=number)
        session.commit()
        people = {name: city.actor(name) for name in ("Asha", "Chen")}
    engine.dispose()
    yield url, people
    if drop is not None:
        _on_server(drop, "DROP DATABASE shared")


def several():
    """What makes processes that are forked from one in which everything is imported and nothing is open."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _on_server(server, statement):
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


def _attempt(session, step):
    """Whether this process was the one that did the step."""
    try:
        with writing(session):
            step()
    except RuleError:
        return False
    return True


def _compete(url, people, number, barrier, wins):
    """Tick, return and confirm the same duties as all others do, and count what went through."""
    engine = _engine(url)
    done = Counter()
    with Session(engine) as session:
        ids = list(session.scalars(select(Duty.id).order_by(Duty.key)))
        for turn in range(ROUNDS):
            at = {"now": NOW + timedelta(minutes=turn)}
            barrier.wait(timeout=60)
            for duty_id in ids:
                one = session.get_one(Duty, duty_id)
                done["tick"] += _attempt(
                    session,
                    lambda one=one, at=at: sign_offs.tick(
                        session,
                        duties=[one],
                        act_on=ACT,
                        sentence=f"进程{number}",
                        counts={},
                        files=[file()],
                        actor=people["Asha"],
                        **at,
                    ),
                )
            barrier.wait(timeout=60)
            verb = "confirm" if turn == ROUNDS - 1 else "return"
            for duty_id in ids:
                one = session.get_one(Duty, duty_id)
                step = {
                    "confirm": lambda one=one, at=at: sign_offs.confirm(session, one, actor=people["Chen"], **at),
                    "return": lambda one=one, at=at: sign_offs.return_(
                        session, one, reason="再看", actor=people["Chen"], **at
                    ),
                }[verb]
                done[verb] += _attempt(session, step)
    engine.dispose()
    wins.put(done)


def test_one_of_four_processes_wins_each_step_and_nothing_is_lost(shared_url):
    url, people = shared_url
    context = several()
    barrier, wins = context.Barrier(PROCESSES), context.Queue()
    workers = [
        context.Process(target=_compete, args=(url, people, number, barrier, wins)) for number in range(PROCESSES)
    ]
    for worker in workers:
        worker.start()
    done = sum((wins.get(timeout=120) for _ in workers), Counter())
    for worker in workers:
        worker.join(timeout=60)
    assert done == {"tick": DUTIES * ROUNDS, "return": DUTIES * (ROUNDS - 1), "confirm": DUTIES}
    engine = _engine(url)
    with Session(engine) as session:
        counts = dict(session.execute(select(SignOff.action, func.count()).group_by(SignOff.action)).all())
        assert counts == {
            Action.SUBMIT: done["tick"],
            Action.RETURN: done["return"],
            Action.CONFIRM: done["confirm"],
        }
        assert session.scalar(select(func.count()).select_from(Evidence)) == done["tick"]
        assert session.scalar(select(func.max(Evidence.number))) == done["tick"]
        assert session.scalar(select(func.count()).select_from(EvidenceLink)) == done["tick"]
        assert session.scalar(select(func.count()).select_from(StoredFile)) == 1
        assert set(session.scalars(select(Duty.state))) == {State.CONFIRMED}
        chain = session.scalars(select(LogChain)).one()
        assert chain.length == session.scalar(select(func.count()).select_from(LogEntry))
        assert chain.length == 2 * done["tick"] + done["return"] + done["confirm"]
    engine.dispose()
