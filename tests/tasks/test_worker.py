"""The worker over a real queue and a real database file, up to the printed document."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, select
from sqlalchemy.orm import Session

from tests.city import City
from tracker.config import Settings, load_settings
from tracker.db import engine_options, prepare, writing
from tracker.domain.errors import Invalid
from tracker.models import Base, Job, JobState, Person
from tracker.services import jobs
from tracker.tasks.queue import Queue
from tracker.tasks.worker import Worker, result_path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(data_dir=tmp_path)


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    engine = create_engine(settings.database, **engine_options(settings.database))
    prepare(engine)
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def ask(engine: Engine) -> Callable[[str], str]:
    with Session(engine) as session, writing(session):
        City.build(session)

    def ask(kind: str) -> str:
        with Session(engine) as session, writing(session):
            city = City(session)
            city.people = {"Ines": city.session.scalars(select(Person).where(Person.key == "ines")).one()}
            job = jobs.ask(
                session,
                kind=kind,
                arguments={"number": 99, "as_of": "2026-05-20T00:00:00+00:00", "language": "zh"},
                title="文件",
                result_name="文件.pdf",
                unit_id=None,
                actor=city.actor("Ines"),
                now=datetime.now(UTC),
            )
            return job.key

    return ask


def read(engine: Engine, key: str) -> Job:
    with Session(engine, expire_on_commit=False) as session:
        return session.scalars(select(Job).where(Job.key == key)).one()


def write_hello(session, settings, arguments, progress, out):
    progress(50, "half")
    out.write_bytes(b"hello")


def refuse(session, settings, arguments, progress, out):
    raise Invalid("没有这个单位")


def break_down(session, settings, arguments, progress, out):
    raise OSError("disk full")


WORKS = {"hello": write_hello, "refuse": refuse, "break": break_down}


def test_a_job_leaves_its_file_and_its_digest(engine, settings, ask):
    key = ask("hello")
    Worker(engine, settings, WORKS).perform(key)

    job = read(engine, key)
    assert (job.state, job.done) == (JobState.DONE, 100)
    assert result_path(settings, key).read_bytes() == b"hello"
    assert job.result_sha256 == "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


def test_a_refusal_ends_a_job_with_its_sentence(engine, settings, ask):
    key = ask("refuse")
    Worker(engine, settings, WORKS).perform(key)

    job = read(engine, key)
    assert (job.state, job.error) == (JobState.FAILED, "没有这个单位")


def test_a_fault_leaves_no_half_file_and_is_tried_again(engine, settings, ask):
    key, worker = ask("break"), Worker(engine, settings, WORKS)
    worker.perform(key)

    assert read(engine, key).state is JobState.WAITING
    assert worker.waiting() == [key]
    assert not result_path(settings, key).exists()


def test_what_the_queue_lost_is_found_by_the_sweeper(engine, settings, ask):
    key, worker, queue = ask("hello"), Worker(engine, settings, WORKS), Queue(settings)
    assert worker.waiting() == [key]
    for waiting in worker.waiting():
        worker.perform(waiting)
    queue.send(key)  # a second message about a finished job does nothing
    worker.perform(key)

    assert read(engine, key).attempts == 1


def test_a_name_that_is_no_key_leads_to_no_file(settings):
    with pytest.raises(ValueError, match="not the key"):
        result_path(settings, "../tracker")


def test_the_command_does_what_waits_and_stops_when_told(engine, settings, ask, tmp_path):
    key = ask("inspection_report")  # no such inspection: the command refuses it with its sentence
    command = [str(Path(sys.executable).with_name("tracker")), "worker"]
    worker = subprocess.Popen(command, env={"TRACKER_DATA_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"})
    stopper = threading.Timer(60, worker.kill)
    stopper.start()
    while read(engine, key).state in {JobState.WAITING, JobState.RUNNING} and worker.poll() is None:
        time.sleep(0.2)
    worker.terminate()

    assert worker.wait(30) in {0, -15}
    stopper.cancel()
    job = read(engine, key)
    assert (job.state, job.error) == (JobState.FAILED, "没有第 99 号督查，请核对编号。")
