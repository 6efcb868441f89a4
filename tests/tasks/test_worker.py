"""The worker over a real queue and a real database file, up to the printed document."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pikepdf
import pysqlite3
import pytest
from sqlalchemy import Engine, create_engine, select
from sqlalchemy.orm import Session

from tests.city import City
from tests.engines.servers import BUCKET, KEY_ID, SECRET, Server, moto_server, store_url
from tracker.config import Settings, load_settings
from tracker.db import engine_options, prepare, writing
from tracker.domain.errors import Invalid
from tracker.models import Base, Job, JobState, Person, Seal, SealState
from tracker.reporting.fonts import FontError
from tracker.services import jobs
from tracker.storage.parts import StoreFull
from tracker.storage.s3 import S3Store
from tracker.tasks import sealing, worker
from tracker.tasks.queue import Queue
from tracker.tasks.results import result_path, results_of
from tracker.tasks.stores import shared_results
from tracker.tasks.worker import TryLater, Worker, kept_folder


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


@pytest.mark.parametrize(
    "fault", [OSError("/srv/x"), MemoryError(), zlib.error("x"), pikepdf.PdfError("/srv/x"), FontError("x")], ids=repr
)
def test_whatever_the_fault_the_job_is_given_back_and_ends_with_a_plain_sentence(engine, settings, ask, fault):
    def fails(session, settings, arguments, progress, out):
        raise fault

    key, does = ask("fails"), Worker(engine, settings, {"fails": fails})
    states = []
    for _ in range(jobs.ATTEMPTS):
        does.perform(key)
        states.append(read(engine, key).state)

    assert states == [JobState.WAITING, JobState.WAITING, JobState.FAILED]
    error = read(engine, key).error
    assert "请联系管理员" in error
    assert "srv" not in error
    assert list(settings.result_dir.iterdir()) == []


def lease_is_over(engine, key):
    with Session(engine) as session, writing(session):
        session.scalars(select(Job).where(Job.key == key)).one().lease_until = datetime.now(UTC) - timedelta(seconds=1)


@pytest.mark.parametrize("speaks", [True, False])
def test_a_worker_that_was_silent_too_long_writes_nothing_over_the_next_ones_result(engine, settings, ask, speaks):
    places = []

    def slow(session, settings, arguments, progress, out):
        out.write_bytes(b"old")
        lease_is_over(engine, key)
        Worker(engine, settings, WORKS | {"slow": write_hello}).perform(key)
        places.append(out.exists())
        if speaks:
            progress(10, "late")
            places.append("went on")

    key = ask("slow")
    Worker(engine, settings, {"slow": slow}).perform(key)

    job = read(engine, key)
    assert (job.state, job.attempts, job.step) == (JobState.DONE, 2, "half")
    assert result_path(settings, key).read_bytes() == b"hello"
    assert places == [True]  # nobody took its folder away while it lived
    assert [path.name for path in settings.result_dir.iterdir()] == [key]


def test_a_step_that_takes_longer_than_the_lease_keeps_its_job(engine, settings, ask, monkeypatch):
    monkeypatch.setattr(jobs, "LEASE", timedelta(seconds=1))
    monkeypatch.setattr(worker, "BEAT", 0.2)
    waiting = []

    def silent(session, settings, arguments, progress, out):
        for _ in range(8):
            time.sleep(0.25)
            waiting.extend(does.waiting())
        out.write_bytes(b"done")

    before, key, does = set(threading.enumerate()), ask("silent"), Worker(engine, settings, {})
    Worker(engine, settings, {"silent": silent}).perform(key)

    job = read(engine, key)
    assert (waiting, job.state, job.attempts) == ([], JobState.DONE, 1)
    assert not [thread for thread in set(threading.enumerate()) - before if thread.daemon]


def test_what_may_pass_by_itself_is_tried_later_and_not_at_once(engine, settings, ask):
    def busy(session, settings, arguments, progress, out):
        kept_folder(out).mkdir(exist_ok=True)
        raise TryLater(Invalid("%(who)s没有回答", who="时间戳服务"))

    key, does = ask("busy"), Worker(engine, settings, {"busy": busy})
    kept = settings.result_dir / f"{key}.kept"
    for _ in range(jobs.ATTEMPTS):
        does.perform(key)
        does.perform(key)
        assert does.waiting() == []
        assert kept.exists() == (read(engine, key).state is JobState.WAITING)
        lease_is_over(engine, key)

    job = read(engine, key)
    assert (job.state, job.attempts) == (JobState.FAILED, jobs.ATTEMPTS)
    assert json.loads(job.error) == {"message": "%(who)s没有回答", "values": {"who": "时间戳服务"}}


def test_a_disk_without_room_is_no_refusal_of_the_job(engine, settings, ask):
    def fills(session, settings, arguments, progress, out):
        raise StoreFull("服务器存储空间不足")

    key, does = ask("fills"), Worker(engine, settings, {"fills": fills})
    does.perform(key)
    job = read(engine, key)
    assert (job.state, job.error, does.waiting()) == (JobState.WAITING, "服务器存储空间不足", [])


@pytest.mark.parametrize("writes", ["before", "after"])
def test_what_was_gathered_before_a_seal_is_thrown_away_and_made_again(engine, settings, ask, writes):
    seals = [True]

    def gathers(session, settings, arguments, progress, out):
        if writes == "before":
            out.write_bytes(b"a secret")
        if seals and seals.pop():
            sealing.destroy([], settings)
        if writes == "after":
            out.write_bytes(b"a secret")
        if not out.exists():
            raise FileNotFoundError(out)

    key, does = ask("gathers"), Worker(engine, settings, {"gathers": gathers})
    does.perform(key)
    job = read(engine, key)
    assert job.state is JobState.WAITING
    assert "被封存" in job.error
    assert list(settings.result_dir.iterdir()) == []

    does.perform(key)
    assert read(engine, key).state is JobState.DONE


def test_a_seal_that_comes_last_of_all_leaves_no_result(engine, settings, ask):
    """Its results are cleared already when the worker, who gathered before, puts one in place."""

    def gathers(session, settings, arguments, progress, out):
        out.write_bytes(b"a secret")
        (settings.data_dir / "seal-generation").write_text("another")

    key = ask("gathers")
    Worker(engine, settings, {"gathers": gathers}).perform(key)

    assert read(engine, key).state is JobState.WAITING
    assert list(settings.result_dir.iterdir()) == []


# ---------------------------------------------------------------- results in a bucket


@pytest.fixture(scope="module")
def moto(tmp_path_factory) -> Iterator[Server]:
    with moto_server(tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture
def shared(moto, tmp_path) -> Settings:
    """The same installation with its files in a bucket."""
    url = store_url(moto.url, tmp_path.name)
    return load_settings(data_dir=tmp_path, store_url=url, store_key_id=KEY_ID, store_secret=SECRET)


@contextmanager
def whenever(store: S3Store, moment: str, act: Callable[[], object]) -> Iterator[None]:
    """Do something before each thing of that kind that is said to the server."""

    def do(**_: object) -> None:
        act()

    store.client.meta.events.register(f"before-call.s3{moment}", do)
    yield
    store.client.meta.events.unregister(f"before-call.s3{moment}", do)


def sealed_at(engine, moment):
    with Session(engine) as session, writing(session):
        adam, ines = (session.scalars(select(Person.id).where(Person.key == key)).one() for key in ("adam", "ines"))
        session.add(
            Seal(
                target_kind="file",
                target_key="0" * 64,
                digest="0" * 64,
                reason="涉密",
                state=SealState.DONE,
                asked_by_id=adam,
                asked_at=moment,
                decided_by_id=ines,
                decided_at=moment,
            )
        )


def test_nobody_waits_for_the_database_while_a_result_goes_into_a_bucket(engine, shared, ask):
    store, asked = shared_results(shared), []

    def write() -> None:
        with closing(pysqlite3.connect(engine.url.database, timeout=0, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        asked.append(True)

    key = ask("hello")
    with whenever(store, "", write):
        Worker(engine, shared, WORKS).perform(key)

    job = read(engine, key)
    assert (job.state, job.attempts, bool(asked)) == (JobState.DONE, 1, True)
    with results_of(shared).open(key, job.result_sha256) as file:
        assert file.read() == b"hello"


@pytest.mark.parametrize(("minutes", "left"), [(None, 0), (-5, 1), (5, 0)])
def test_a_seal_takes_what_was_just_sent_unless_it_was_made_after_it_too(engine, shared, ask, minutes, left):
    """`minutes`: between the job of somebody else that made the same file, and the seal."""
    store, first, second = shared_results(shared), ask("hello"), ask("again")
    if minutes is not None:
        Worker(engine, shared, WORKS).perform(first)
        sealed_at(engine, datetime.now(UTC) + timedelta(minutes=minutes))
    with whenever(store, ".PutObject", lambda: (shared.data_dir / "seal-generation").write_text("another")):
        Worker(engine, shared, {"again": write_hello}).perform(second)

    job = read(engine, second)
    assert job.state is JobState.WAITING
    assert "被封存" in job.error
    assert len(list(store.digests())) == left


def test_a_seal_takes_results_too_whose_removal_broke_off(shared):
    store = shared_results(shared)
    digest = store.put([b"a secret"]).sha256
    source = {"Bucket": BUCKET, "Key": f"{store.prefix}{digest[:2]}/{digest[2:4]}/{digest}"}
    store.client.copy_object(Bucket=BUCKET, Key=f"{store.prefix}leaving/{digest}-1", CopySource=source)
    store.client.delete_object(**source)
    sealing.destroy([], shared)
    assert "Contents" not in store.client.list_objects_v2(Bucket=BUCKET, Prefix=store.prefix)


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
    assert job.state is JobState.FAILED
    assert json.loads(job.error) == {"message": "没有第 %(number)s 号督查，请核对编号。", "values": {"number": 99}}
