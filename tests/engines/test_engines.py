"""Two web servers and two workers, each on a machine of its own, over one PostgreSQL, one Redis and one S3 server."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import Engine, create_engine, func, select, text, update
from sqlalchemy.orm import Session

from tests.city import BEGIN, City
from tests.databases import free_port, postgresql_server, restart
from tests.engines.lying import Liar, lying_server
from tests.engines.machines import PASSWORD, SALT, Cluster, Visitor, run, until
from tests.engines.servers import Server, redis_server, store_url, swift_server
from tracker.config import CHECKOUT
from tracker.db import engine_options, writing
from tracker.domain.actor import operator
from tracker.domain.duty import State
from tracker.models import Base, Duty, Evidence, EvidenceFile, Job, JobState, SignOff, StoredFile
from tracker.queries.history import SHANGHAI
from tracker.services.accounts import ensure_account
from tracker.services.checklists import publish
from tracker.services.cycles import open_cycle
from tracker.services.password_hash import Hasher
from tracker.tasks.queue import SWEEP
from tracker.tasks.stores import shared_results

NOW = datetime.now(UTC)
YEAR = NOW.astimezone(SHANGHAI).year
NOTES = "会议记录：学习讨论。\n".encode()


@dataclass
class Running:
    """The whole of it."""

    cluster: Cluster
    engine: Engine
    webs: tuple[Server, Server]
    liar: Liar
    postgresql: Path
    redis: ExitStack
    redis_port: int

    def job(self, key: str) -> Job:
        with Session(self.engine, expire_on_commit=False) as session:
            return session.scalars(select(Job).where(Job.key == key)).one()

    def duty(self, key: str) -> Duty:
        with Session(self.engine, expire_on_commit=False) as session:
            return session.scalars(select(Duty).where(Duty.key == key)).one()

    def files(self) -> int:
        with Session(self.engine) as session:
            return session.scalar(select(func.count()).select_from(EvidenceFile)) or 0

    def start_redis(self) -> Server:
        self.redis.close()
        return self.redis.enter_context(redis_server(self.cluster.folder, self.redis_port))


def fill(engine: Engine) -> None:
    """The small city with an account for everybody, and this year."""
    Base.metadata.create_all(engine)
    stored = Hasher(SALT).hash(PASSWORD)
    with Session(engine) as session, writing(session):
        for person in City.build(session).people.values():
            account = ensure_account(session, person, now=BEGIN)
            account.password, account.password_changed_at, account.must_change_password = stored, NOW, False
        source = (CHECKOUT / "checklists" / "sanji-sigang.yaml").read_bytes()
        version = publish(session, source, actor=operator(), now=BEGIN)
        open_cycle(session, year=YEAR, version=version, actor=operator(), now=BEGIN)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("cluster")
    with ExitStack() as stack:
        database = Path(stack.enter_context(TemporaryDirectory(prefix="tracker-engines-")))
        url = stack.enter_context(postgresql_server(database))
        swift = stack.enter_context(swift_server(tmp_path_factory.mktemp("swift")))
        liar = stack.enter_context(lying_server(swift.url))
        engine = create_engine(url, **engine_options(url))
        stack.callback(engine.dispose)
        fill(engine)
        port, redis = free_port(), stack.enter_context(ExitStack())
        redis.enter_context(redis_server(folder, port))
        store = store_url(liar.url, "city", timeout=2)
        cluster = Cluster(folder, database=url, store=store, queue=f"redis://127.0.0.1:{port}/0")
        webs = stack.enter_context(cluster.web("web1")), stack.enter_context(cluster.web("web2"))
        yield Running(cluster, engine, webs, liar, database / "data", redis, port)


@pytest.fixture(autouse=True)
def honest(running: Running) -> Iterator[None]:
    yield
    running.liar.fault = ""


@pytest.fixture
def asha(running: Running) -> Visitor:
    """Asha, signed in at the first web server."""
    visitor = Visitor(running.webs[0])
    visitor.sign_in("asha")
    return visitor


def duty_key(item: str) -> str:
    return f"{YEAR}.D1-B1.P4-1.{item}.Y.1"


def tick(visitor: Visitor, item: str, *, content: bytes = NOTES) -> tuple[int, str]:
    """Tick a duty of the year with one file."""
    said = {"act_on": NOW.astimezone(SHANGHAI).date().isoformat(), "sentence": "参观展览"}
    path = f"/duties/{duty_key(item)}/tick"
    status, page, _ = visitor.post(path, said, file=("files", "notes.txt", content))
    return status, page.decode()


def ask(running: Running, visitor: Visitor) -> str:
    """Ask for the printed list of a branch, and return the key of the job."""
    status, page, _ = visitor.post("/documents/duty-lists/D1-B1", {}, form="/documents")
    assert status == 200, page.decode()
    with Session(running.engine) as session:
        return session.scalars(select(Job.key).order_by(Job.id.desc())).first() or ""


def results_of(running: Running) -> set[str]:
    """The digests below results/ in the bucket."""
    store = shared_results(running.cluster.settings("looking"))
    assert store is not None
    return set(store.digests())


def file_of(running: Running, content: bytes) -> str:
    """Where the pages hand out a file with this content."""
    sha256 = hashlib.sha256(content).hexdigest()
    query = (
        select(Evidence.key)
        .join(EvidenceFile, EvidenceFile.evidence_id == Evidence.id)
        .join(StoredFile, StoredFile.id == EvidenceFile.stored_file_id)
        .where(StoredFile.sha256 == sha256)
    )
    with Session(running.engine) as session:
        return f"/evidence/{session.scalars(query).one()}/files/{sha256}"


def is_done(running: Running, key: str) -> bool:
    return running.job(key).state is JobState.DONE


def test_a_session_an_upload_and_a_document_hold_on_every_machine(running: Running, asha: Visitor) -> None:
    first, second = running.webs
    before = results_of(running)
    status, page = tick(asha, "L3-20")
    assert status == 200, page
    there = asha.at(second)
    place = file_of(running, NOTES)
    status, content, headers = there.get(place)
    assert (status, content, headers["Content-Length"]) == (200, NOTES, str(len(NOTES)))
    status, content, headers = there.get(place, {"Range": "bytes=6-11"})
    assert (status, content) == (206, NOTES[6:12])
    assert headers["Content-Range"] == f"bytes 6-11/{len(NOTES)}"
    assert there.get(place, {"Range": "bytes=9999-"})[0] == 416

    with running.cluster.worker("worker1"), running.cluster.worker("worker2"):
        key = ask(running, asha)
        until(lambda: is_done(running, key), seconds=120, what=lambda: running.cluster.log("worker1"))
    job = running.job(key)
    assert job.attempts == 1
    assert results_of(running) - before == {job.result_sha256}
    for web in (second, first):
        status, content, _ = asha.at(web).get(f"/documents/{key}/file")
        assert (status, hashlib.sha256(content).hexdigest()) == (200, job.result_sha256)
    assert [path.name for name in ("worker1", "worker2", "web1", "web2")
            for path in (running.cluster.folder / name / "results").glob("*")] == []  # fmt: skip


def test_of_two_who_tick_the_same_duty_at_two_servers_at_once_one_signs_and_the_other_is_told(
    running: Running, asha: Visitor
) -> None:
    key, before = duty_key("L3-22"), running.files()
    answers: list[tuple[int, str]] = []

    def send(visitor: Visitor, content: bytes) -> None:
        answers.append(tick(visitor, "L3-22", content=content))

    visitors = asha, asha.at(running.webs[1])
    sending = [threading.Thread(target=send, args=(one, f"at {one.server.url}".encode())) for one in visitors]
    with running.engine.connect() as holding, holding.begin():
        holding.execute(text("LOCK TABLE sign_off IN EXCLUSIVE MODE"))  # so that both are in the middle of it
        for one in sending:
            one.start()
        until(lambda: _waiting(running) >= len(sending), seconds=30, what=lambda: repr(answers))
    for one in sending:
        one.join(60)
    refused, ticked = sorted(answers, reverse=True)
    assert (ticked[0], refused[0]) == (200, 409), answers
    assert running.duty(key).state is State.SUBMITTED
    with Session(running.engine) as session:
        of_the_duty = select(func.count()).select_from(SignOff).join(Duty).where(Duty.key == key)
        assert session.scalar(of_the_duty) == 1
    assert running.files() == before + 1


def test_a_job_whose_worker_is_killed_in_the_middle_is_done_once(running: Running, asha: Visitor) -> None:
    before = results_of(running)
    with running.cluster.worker("worker3") as worker:
        key = ask(running, asha)
        until(
            lambda: running.job(key).state is JobState.RUNNING, seconds=90, what=lambda: running.cluster.log("worker3")
        )
        worker.kill()
    assert (running.job(key).state, running.job(key).attempts) == (JobState.RUNNING, 1)
    with Session(running.engine) as session, writing(session):  # ninety seconds later
        session.execute(update(Job).where(Job.key == key).values(lease_until=datetime.now(UTC) - timedelta(seconds=1)))
    with running.cluster.worker("worker1"), running.cluster.worker("worker2"):
        until(lambda: is_done(running, key), seconds=120, what=lambda: running.cluster.log("worker1"))
    assert running.job(key).attempts == 2
    assert results_of(running) - before == {running.job(key).result_sha256}
    status, content, _ = asha.at(running.webs[1]).get(f"/documents/{key}/file")
    assert (status, hashlib.sha256(content).hexdigest()) == (200, running.job(key).result_sha256)


def test_a_queue_in_postgresql_brings_jobs_to_workers_too(running: Running, asha: Visitor) -> None:
    key = ask(running, asha)
    same = Cluster(
        running.cluster.folder,
        database=running.cluster.database,
        store=running.cluster.store,
        queue=running.cluster.database,
    )
    with same.worker("worker4"):
        until(lambda: is_done(running, key), seconds=120, what=lambda: same.log("worker4"))
    assert running.job(key).attempts == 1
    with running.engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM huey_task")) == 0


HURRIED = "from tracker.tasks import queue; queue.SWEEP = 6.0; from tracker.cli import main; main()"


def test_without_redis_everything_goes_on_and_jobs_wait_until_it_is_back(running: Running) -> None:
    assert SWEEP <= 60  # what docs/scaling.md promises; here nobody waits for so long
    running.redis.close()
    with running.cluster.worker("lonely", program=HURRIED):
        away = "the queue does not answer; jobs wait in the database meanwhile"  # at the start, then once a sweep
        until(lambda: running.cluster.log("lonely").count(away) >= 2, seconds=90)
        visitor = Visitor(running.webs[1])
        visitor.sign_in("asha")
        status, page = tick(visitor, "L3-14", content=b"without redis")
        assert status == 200, page
        assert running.duty(duty_key("L3-14")).state is State.SUBMITTED
        key = ask(running, visitor)
        assert running.job(key).state is JobState.WAITING
        running.start_redis()
        until(lambda: is_done(running, key), seconds=150, what=lambda: running.cluster.log("lonely"))
    assert running.job(key).attempts == 1
    assert "Traceback" not in running.cluster.log("lonely")  # the library's own words, at each try, for hours


def test_attempts_to_sign_in_are_counted_for_all_servers_together(running: Running) -> None:
    statuses = []
    for attempt in range(34):
        visitor = Visitor(running.webs[attempt % 2])
        statuses.append(visitor.post("/auth/login", {"username": "nobody", "password": "wrong"})[0])
    assert 429 in statuses
    assert statuses.index(429) <= 31
    running.start_redis()  # it forgets


def test_a_database_that_restarts_in_the_middle_of_a_step_is_said_and_the_next_step_works(
    running: Running, asha: Visitor
) -> None:
    before = running.files()
    answers: list[tuple[int, str]] = []
    with running.engine.connect() as holding:
        holding.execute(text("LOCK TABLE sign_off IN EXCLUSIVE MODE"))
        sending = threading.Thread(target=lambda: answers.append(tick(asha, "L3-19", content=b"in the middle")))
        sending.start()
        until(lambda: _waiting(running), seconds=20)
        restart(running.postgresql)
        sending.join(60)
        holding.invalidate()
    [(status, page)] = answers
    assert status == 503
    assert "数据库暂时没有应答" in page
    assert "填写的内容仍在" in page
    assert running.files() == before
    status, page = tick(asha, "L3-19", content=b"in the middle")
    assert status == 200, page
    assert running.files() == before + 1


def _waiting(running: Running) -> int:
    """How many wait for a lock."""
    with running.engine.connect() as connection:
        waits = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        return connection.scalar(waits) or 0


@pytest.mark.parametrize("fault", ["500", "slow", "other bytes"])
def test_a_fault_of_the_store_is_said_on_the_page_and_nothing_is_lost(
    running: Running, asha: Visitor, fault: str
) -> None:
    if running.duty(duty_key("L3-20")).state is State.OPEN:  # this test runs alone
        tick(asha, "L3-20")
    place, before = file_of(running, NOTES), running.files()
    running.liar.fault = fault
    status, page, _ = asha.get(place)
    assert status == 503
    assert "文件存储" in page.decode()
    status, told = tick(asha, "L3-18", content=fault.encode())
    assert status == 503, told
    assert "文件存储" in told
    assert "参观展览" in told  # what was typed
    assert running.files() == before
    running.liar.fault = ""
    status, content, _ = asha.get(place)
    assert (status, content) == (200, NOTES)
    assert "the store" in running.cluster.log("web1")


def test_everything_wrong_in_the_settings_is_said_at_once_and_no_secret_with_it(running: Running) -> None:
    environment = running.cluster.environment("wrong")
    wrong = environment | {
        "TRACKER_DATABASE_URL": running.cluster.database.replace("/postgres", "/nowhere").replace(
            "tracker@", "tracker:geheim@"
        ),
        "TRACKER_STORE_SECRET": "an-entirely-wrong-secret",
    }
    done = run(["verify"], wrong)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "TRACKER_DATABASE_URL" in done.stderr
    assert "nowhere" in done.stderr
    assert "TRACKER_STORE_KEY_ID, TRACKER_STORE_SECRET: the store refuses them" in done.stderr
    assert not any(secret in done.stderr for secret in ("geheim", "an-entirely-wrong-secret"))
    done = run(["verify"], environment | {"TRACKER_DATABASE_URL": "mysql://x:geheim@y/z", "TRACKER_QUEUE_URL": "amqp://x",
                                          "TRACKER_STORE_URL": "s3://x y"})  # fmt: skip
    assert [line.split(":")[0] for line in done.stderr.removeprefix("tracker: ").splitlines()] == [
        "TRACKER_DATABASE_URL",
        "TRACKER_STORE_URL",
        "TRACKER_QUEUE_URL",
    ]
    assert "geheim" not in done.stderr
