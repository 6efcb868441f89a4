"""What machines ask: is it alive, can it serve, how much does it do. Nobody is named, and nothing secret is said."""

from __future__ import annotations

import socket
import sys
import threading
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import flask_migrate
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from tests.city import NOW
from tests.databases import free_port
from tests.engines.servers import KEY_ID, SECRET, running, store_url, wait_for
from tests.web.conftest import ClientOf, post
from tracker.app import create_app
from tracker.config import Settings, load_settings
from tracker.db import db, transaction, writing
from tracker.models import Job, JobState, Person
from tracker.tasks.readiness import AHEAD, BEHIND, KEPT, Lately, readiness

FINE = {"database": "ok", "migrations": "ok", "store": "ok", "disk": "ok"}
ELSEWHERE = {"REMOTE_ADDR": "192.0.2.7"}
TOKEN = "a token of the tests"


def numbers(page: str) -> dict[str, float]:
    """The lines of /metrics by name and labels."""
    lines = (line.rpartition(" ") for line in page.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


@contextmanager
def migrated(settings: Settings) -> Iterator[FlaskClient]:
    """A stranger's browser at an installation whose database was made by its migrations."""
    app = create_app(settings)
    with app.app_context():
        flask_migrate.upgrade()
    yield app.test_client()
    with app.app_context():
        db.engine.dispose()


def at_version(client: FlaskClient, version: str) -> None:
    """Let the database say that it is at another migration."""
    with client.application.app_context(), transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})


def job(state: JobState, waited: timedelta) -> Job:
    return Job(
        key=uuid.uuid4().hex, kind="inspection", arguments={}, title="督查报告", asked_at=NOW - waited, state=state,
        attempts=0, done=0, total=100, step="", result_name="报告.pdf",
    )  # fmt: skip


# -- /healthz and /readyz ----------------------------------------------------------------------------------------------


def spoil(app: Flask) -> None:
    """Put something else in the place of the database."""
    with app.app_context():
        db.engine.dispose()
    for leftover in ("-wal", "-shm"):
        Path(app.config["TRACKER"].data_dir, f"tracker.sqlite3{leftover}").unlink(missing_ok=True)
    Path(app.config["TRACKER"].data_dir, "tracker.sqlite3").write_bytes(b"no database" * 1000)


def test_the_process_answers_whatever_has_become_of_the_database(app: Flask):
    spoil(app)
    answer = app.test_client().get("/healthz")
    assert (answer.status_code, answer.text) == (200, "ok\n")
    answer = app.test_client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json["checks"]["database"] == "the database does not answer"


def test_an_installation_that_is_whole_is_ready(tmp_path: Path):
    with migrated(load_settings(data_dir=tmp_path)) as client:
        answer = client.get("/readyz")
    assert (answer.status_code, answer.json) == (200, {"ready": True, "checks": FINE})


def test_a_database_behind_its_migrations_is_not_ready_and_it_is_said_what_to_run(tmp_path: Path):
    settings = load_settings(data_dir=tmp_path)
    assert readiness(settings) == {**FINE, "migrations": BEHIND}
    assert "tracker db upgrade" in BEHIND
    with migrated(settings) as client:
        at_version(client, "0001")
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json) == (503, {"ready": False, "checks": {**FINE, "migrations": BEHIND}})
        at_version(client, "9999")
        time.sleep(KEPT)
        assert client.get("/readyz").json["checks"] == {**FINE, "migrations": AHEAD}


def test_postgresql_is_asked_too(tmp_path: Path, postgresql_url: str):
    assert readiness(load_settings(data_dir=tmp_path, database_url=postgresql_url))["database"] == "ok"


def test_engines_that_are_away_are_told_without_their_addresses(tmp_path: Path):
    ports = free_port(), free_port()
    settings = load_settings(
        data_dir=tmp_path,
        database_url=f"postgresql+psycopg://tracker:{SECRET}@127.0.0.1:{ports[0]}/records",
        store_url=store_url(f"http://127.0.0.1:{ports[1]}", timeout=1),
        store_key_id=KEY_ID,
        store_secret=SECRET,
    )
    found = readiness(settings)
    assert found == {
        "database": "the database does not answer",
        "migrations": "not known: the database does not answer",
        "store": "the store of evidence does not answer",
        "disk": "ok",
    }


@contextmanager
def silent_server() -> Iterator[tuple[str, list[socket.socket]]]:
    """Takes every connection and never says a word; the connections so far."""
    taken: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def take() -> None:
            with suppress(OSError):
                while True:
                    taken.append(listening.accept()[0])

        taking = threading.Thread(target=take)
        taking.start()
        try:
            yield f"127.0.0.1:{listening.getsockname()[1]}", taken
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            taking.join()
            for each in taken:
                each.close()


def test_engines_that_take_a_connection_and_never_answer_are_told_within_seconds(tmp_path: Path):
    with silent_server() as (address, taken):
        settings = load_settings(
            data_dir=tmp_path,
            database_url=f"postgresql+psycopg://tracker@{address}/records",
            store_url=store_url(f"http://{address}"),
            store_key_id=KEY_ID,
            store_secret=SECRET,
        )
        begin = time.monotonic()
        found = readiness(settings)
        took = time.monotonic() - begin
    assert found["database"] == "the database does not answer"
    assert found["store"] == "the store of evidence does not answer"
    assert len(taken) == 2  # each is asked once
    assert took < 15


def test_however_many_ask_at_once_the_engines_are_asked_once(tmp_path: Path):
    with silent_server() as (address, taken):
        lately = Lately(
            load_settings(data_dir=tmp_path, database_url=f"postgresql+psycopg://tracker@{address}/records")
        )
        found: list[dict[str, str]] = []
        asking = [threading.Thread(target=lambda: found.append(lately.readiness())) for _ in range(8)]
        for each in asking:
            each.start()
        for each in asking:
            each.join()
    assert [each["database"] for each in found] == ["the database does not answer"] * 8
    assert len(taken) == 1


def test_a_disk_that_is_too_small_for_what_arrives_is_told(tmp_path: Path):
    found = readiness(load_settings(data_dir=tmp_path, request_limit=2**60))
    assert "TMPDIR" in found["disk"]


def test_a_store_that_cannot_be_used_and_a_full_disk_are_told(tmp_path: Path):
    with migrated(load_settings(data_dir=tmp_path, free_space_floor=2**60)) as client:
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert "TRACKER_FREE_SPACE_FLOOR" in answer.json["checks"]["disk"]
        assert answer.json["checks"]["store"] == "ok"
    there = tmp_path / "evidence"
    (there / "parts").rmdir()
    there.rmdir()
    there.write_text("a file where the folder should be")
    assert readiness(load_settings(data_dir=tmp_path))["store"] == "the folder cannot be used; the log says why"


# -- /metrics ----------------------------------------------------------------------------------------------------------


def test_requests_are_counted_by_endpoint_and_status(client_of: ClientOf):
    asha = client_of("Asha")
    for address in ("/accounts/own", "/accounts/own", "/no/such/page", "/healthz"):
        asha.get(address)
    post(asha, "/auth/verify", {"password": "wrong"}, page="/auth/verify")
    found = numbers(client_of("stranger").get("/metrics").text)
    assert found['tracker_requests_total{endpoint="accounts.own",method="GET",status="200"}'] == 2
    assert found['tracker_requests_total{endpoint="none",method="GET",status="404"}'] == 1
    assert found['tracker_requests_total{endpoint="security.verify",method="POST",status="200"}'] == 1
    assert found['tracker_request_seconds_count{endpoint="accounts.own"}'] == 2
    assert 0 < found['tracker_request_seconds_sum{endpoint="accounts.own"}'] < 60


def test_jobs_are_counted_by_state_and_the_oldest_tells_how_long_the_queue_is(client_of: ClientOf, session: Session):
    with writing(session):
        session.add_all([job(JobState.WAITING, timedelta(minutes=m)) for m in (1, 10)])
        session.add_all([job(JobState.FAILED, timedelta(days=1)), job(JobState.DONE, timedelta(days=9))])
    found = numbers(client_of("stranger").get("/metrics").text)
    states = {state.value: found[f'tracker_jobs{{state="{state.value}"}}'] for state in JobState}
    assert states == {"waiting": 2, "running": 0, "done": 1, "failed": 1}
    assert 600 <= found["tracker_queue_age_seconds"] < 660
    assert found["tracker_database_answers"] == 1


def test_metrics_name_nobody(client_of: ClientOf, session: Session):
    people = session.execute(select(Person.name, Person.key)).all()
    for who in ("Asha", "Ines", "Adam"):
        client_of(who).get("/")
    page = client_of("stranger").get("/metrics").text
    assert "tracker_requests_total" in page
    for name, key in people:
        assert f'"{name}"' not in page
        assert f'"{key}"' not in page
        assert name.lower() not in page.lower().replace("task", "").split('"')


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded"])
def test_only_this_machine_may_read_them_and_not_through_a_proxy(client_of: ClientOf, header: str):
    stranger = client_of("stranger")
    assert stranger.get("/metrics").status_code == 200
    assert stranger.get("/metrics", environ_overrides=ELSEWHERE).status_code == 403
    assert stranger.get("/metrics", headers={header: "127.0.0.1"}).status_code == 403
    nobodys = {"Authorization": "Bearer "}
    assert stranger.get("/metrics", environ_overrides=ELSEWHERE, headers=nobodys).status_code == 403
    assert client_of("Adam").get("/metrics", environ_overrides=ELSEWHERE).status_code == 403


def test_another_machine_reads_them_with_the_token(tmp_path: Path):
    token = tmp_path / "token"
    token.write_text(TOKEN + "\n")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("TRACKER_METRICS_TOKEN_FILE", str(token))
        settings = load_settings(data_dir=tmp_path / "data")
    with migrated(settings) as client:
        for given, status in ((f"Bearer {TOKEN}", 200), (f"Bearer {TOKEN}x", 403), (f"Basic {TOKEN}", 403)):
            answer = client.get("/metrics", environ_overrides=ELSEWHERE, headers={"Authorization": given})
            assert answer.status_code == status


def test_while_the_database_is_away_the_rest_is_told(app: Flask):
    spoil(app)
    answer = app.test_client().get("/metrics")
    assert answer.status_code == 200
    found = numbers(answer.text)
    assert found["tracker_database_answers"] == 0
    assert not any(name.startswith("tracker_jobs") for name in found)


def test_the_processes_of_a_server_count_together(tmp_path: Path):
    settings = load_settings(data_dir=tmp_path / "data")
    with migrated(settings):
        pass
    counts = tmp_path / "counts"
    counts.mkdir()
    port, log = free_port(), tmp_path / "log"
    server = ["--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port), "--workers", "2", "wsgi:app"]
    environment = {"TRACKER_DATA_DIR": str(settings.data_dir), "PROMETHEUS_MULTIPROC_DIR": str(counts)}
    address = f"http://127.0.0.1:{port}"
    with running([sys.executable, "-m", "granian", *server], address, log, environment=environment):
        wait_for(f"{address}/no/such/page", log)
        for _ in range(40):
            urllib.request.urlopen(f"{address}/healthz", timeout=10).close()
        with urllib.request.urlopen(f"{address}/metrics", timeout=10) as answer:
            found = numbers(answer.read().decode())
    assert found['tracker_requests_total{endpoint="health.alive",method="GET",status="200"}'] == 40
    assert found["tracker_database_answers"] == 1
