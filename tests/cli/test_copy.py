"""Taking an installation over, from SQLite and a folder to PostgreSQL and a bucket, to the last row and byte."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, func, select, text
from sqlalchemy.orm import Session

from tests.city import NOW
from tests.engines.lying import lying_server
from tests.engines.servers import BUCKET, KEY_ID, SECRET, Server, store_url, swift_server
from tests.scene import play
from tests.tampering import tamper
from tracker.config import CHECKOUT, Settings, load_settings
from tracker.db import engine_options, prepare, writing
from tracker.domain.actor import operator
from tracker.domain.duty import State
from tracker.models import Base, Duty, DutyCount, LogEntry, Organization, StoredFile
from tracker.services.log import record
from tracker.services.recount import verify_caches, verify_sign_offs, verify_texts
from tracker.services.verification import verify_log
from tracker.storage.blobs import BlobStore
from tracker.storage.parts import Check
from tracker.storage.s3 import S3Store
from tracker.storage.store import open_store
from tracker.tasks import copying

PASSWORD = "Correct-horse-9"


@pytest.fixture(scope="module")
def swift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with swift_server(tmp_path_factory.mktemp("swift")) as server:
        yield server


def engine_at(url: str) -> Engine:
    engine = create_engine(url, **engine_options(url))
    prepare(engine)
    return engine


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """An installation in the middle of its year, on the embedded engines."""
    settings = load_settings(data_dir=tmp_path_factory.mktemp("installation"), password_salt="salt", secret_key="key")
    engine = engine_at(settings.database)
    with Session(engine) as session, writing(session):
        play(session, settings, password=PASSWORD)
    engine.dispose()
    return settings


@pytest.fixture
def target(postgresql_url: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a PostgreSQL database of its own, with all tables and guards and nothing in them."""
    name = f"copy_{abs(hash(request.node.name))}"
    server = create_engine(postgresql_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    url = postgresql_url.rpartition("/")[0] + f"/{name}"
    engine = engine_at(url)
    Base.metadata.create_all(engine)
    engine.dispose()
    yield url
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


def copy(settings: Settings, *arguments: str, code: int = 0) -> Any:
    """Run the command as an operator does, and return what it says as JSON; or its errors, where it must fail."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("TRACKER_")},
        "TRACKER_DATA_DIR": str(settings.data_dir),
        "TRACKER_STORE_KEY_ID": KEY_ID,
        "TRACKER_STORE_SECRET": SECRET,
    }
    program = [sys.executable, "-c", "from tracker.cli import main; main()", "copy", "--json", *arguments]
    done = subprocess.run(program, env=environment, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout) if code < 2 else done.stderr


def bucket(endpoint: str, folder: Path, name: str) -> S3Store:
    """A store below a prefix of its own."""
    url = store_url(endpoint, f"{folder.name}/{name}")
    store = open_store(url, folder / "arriving", key_id=KEY_ID, secret=SECRET, below="evidence/")
    assert isinstance(store, S3Store)
    return store


def note(session: Session, key: str) -> None:
    """Write an entry into the log."""
    record(session, actor=operator(), now=NOW, verb="record", kind="evidence", key=key, chains=("system",), after={})


def counters_of(engine: Engine) -> set[tuple[Any, ...]]:
    """The counters of the boards; one that went down to 0 is like one that never was."""
    with engine.connect() as connection:
        return {tuple(row) for row in connection.execute(select(DutyCount.__table__).where(DutyCount.number != 0))}


def files_of(engine: Engine) -> list[str]:
    with Session(engine) as session:
        return list(session.scalars(select(StoredFile.sha256)))


def test_everything_arrives_in_postgresql_and_a_bucket_and_a_second_run_takes_over_what_came_since(
    settings: Settings, target: str, swift: Server, tmp_path: Path
) -> None:
    before = settings.data_dir.joinpath("tracker.sqlite3").read_bytes()
    where = "--to-database", target, "--to-store", store_url(swift.url, tmp_path.name)
    found = copy(settings, *where)
    assert settings.data_dir.joinpath("tracker.sqlite3").read_bytes() == before
    assert found["differences"] == []
    rows = {table["name"]: table["rows"] for table in found["tables"]}
    assert min(rows[name] for name in ("duty", "evidence", "sign_off", "log_entry", "stored_file", "verdict")) > 0
    assert all(table["same"] and table["rows"] == table["written"] for table in found["tables"])
    assert all(chain["whole"] for chain in found["chains"])
    assert found["files"]["named"] == found["files"]["sound"] > 0

    source, copied = engine_at(settings.database), engine_at(target)
    store = open_store(where[3], tmp_path, key_id=KEY_ID, secret=SECRET, below="evidence/")
    assert {store.verify(digest) for digest in files_of(source)} == {Check.OK}
    with Session(copied) as session:
        assert [*verify_sign_offs(session), *verify_texts(session), *verify_caches(session, now=NOW)] == []
    with Session(source) as session, writing(session):
        note(session, "x")
        session.scalars(select(Organization)).first().name = "改了名"  # type: ignore[union-attr]
        in_force = select(Duty).where(Duty.state == State.OPEN, Duty.in_force).order_by(Duty.id)
        session.scalars(in_force).first().state = State.RETURNED  # type: ignore[union-attr]
    assert counters_of(copied) != counters_of(source)

    again = copy(settings, *where)
    assert (again["differences"], again["counters"]) == ([], [])
    written = {table["name"]: table["written"] for table in again["tables"] if table["written"]}
    assert written == {"duty": 1, "log_chain": 1, "log_entry": 1, "log_payload": 1, "organization": 1}
    assert counters_of(copied) == counters_of(source)

    with Session(copied) as session, writing(session):  # the new database numbers its rows on from there
        note(session, "y")
    with Session(copied) as session:
        of_the_year = session.scalar(
            text("SELECT count(*) FROM log_entry_2026")
        )  # every row in the partition of its year
        assert of_the_year == session.scalar(select(func.count()).select_from(LogEntry)) == rows["log_entry"] + 2
    for engine in (source, copied):
        engine.dispose()


def test_a_board_that_would_show_other_numbers_is_a_difference(settings: Settings, target: str) -> None:
    source, copied = engine_at(settings.database), engine_at(target)
    with copying.reading(source) as connection:
        copying.copy_rows(connection, copied, progress=lambda *_: None)
    with Session(copied) as session, writing(session):
        units = select(DutyCount).where(DutyCount.kind == "unit").order_by(DutyCount.number.desc())
        wrong = session.scalars(units).first()
        assert wrong is not None
        wrong.number += 1
        number = wrong.number
    found = copy(settings, "--to-database", target, code=1)
    [counter] = found["counters"]
    assert (counter["found"], counter["expected"]) == (number, number - 1)
    assert found["differences"] == [f"counter {counter['place']}: counted {number}, and there are {number - 1}"]
    for engine in (source, copied):
        engine.dispose()


def test_what_was_numbered_without_a_year_lies_before_the_years_and_what_follows_in_its_own(
    target: str, tmp_path: Path
) -> None:
    """The entries of an installation from before the division, and one that it wrote since, are one chain."""
    old = engine_at(f"sqlite:///{tmp_path}/old.sqlite3")
    Base.metadata.create_all(old)
    with Session(old) as session, writing(session):
        for number in range(3):
            note(session, f"{number}")
        session.execute(text("PRAGMA defer_foreign_keys = ON"))
        for table, columns in (("log_payload", ("id",)), ("log_entry", ("id", "payload_id"))):
            tamper(session, table, f"UPDATE {table} SET {', '.join(f'{c} = {c} % 10000000000' for c in columns)}")
    with Session(old) as session, writing(session):
        note(session, "since")
        assert list(session.scalars(select(LogEntry.id).order_by(LogEntry.seq))) == [1, 2, 3, 20260000000001]
    new = engine_at(target)
    with copying.reading(old) as connection:
        copying.copy_rows(connection, new, progress=lambda *_: None)
    with Session(new) as session, writing(session):
        note(session, "there")
    with Session(new) as session:
        places = session.scalars(text("SELECT tableoid::regclass || '' FROM log_entry ORDER BY seq"))
        assert list(places) == ["log_entry_before"] * 3 + ["log_entry_2026"] * 2
        assert [(report.length, report.broken) for report in verify_log(session)] == [(5, None)]
    for engine in (old, new):
        engine.dispose()


def test_a_run_that_ends_in_the_middle_is_gone_on_with(
    settings: Settings, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "CHUNK", 50)
    source, copied = engine_at(settings.database), engine_at(target)

    def stop(name: str, done: int, _: int) -> None:
        if name == "duty" and done >= 100:
            raise KeyboardInterrupt

    with copying.reading(source) as connection:
        with pytest.raises(KeyboardInterrupt):
            copying.copy_rows(connection, copied, progress=stop)
        with copied.connect() as there:
            assert there.scalar(text("SELECT count(*) FROM duty")) == 100
            copying.check_target(connection, there)
        written = copying.copy_rows(connection, copied, progress=lambda *_: None)
        assert written["organization"] == 0
        whole = connection.scalar(text("SELECT count(*) FROM duty"))
        assert written["duty"] == whole - 100
        with copying.reading(copied) as there:
            assert all(table.same for table in copying.compare_rows(connection, there, written))
    for engine in (source, copied):
        engine.dispose()


def test_a_target_with_other_data_is_refused_and_left_alone(settings: Settings, target: str) -> None:
    engine = engine_at(target)
    with Session(engine) as session, writing(session):
        note(session, "z")
    assert "有别的数据" in copy(settings, "--to-database", target, code=2)
    with Session(engine) as session:
        assert session.scalar(select(func.count()).select_from(LogEntry)) == 1
    engine.dispose()


def test_a_target_without_tables_says_what_to_run(settings: Settings, tmp_path: Path) -> None:
    said = copy(settings, "--to-database", f"sqlite:///{tmp_path}/new.sqlite3", code=2)
    assert "tracker db upgrade" in said
    assert "should be" in copy(settings, "--to-database", "nonsense", code=2)
    assert "nothing to do" in copy(settings, code=2)


def test_a_file_that_is_not_sound_is_named_and_not_copied(settings: Settings, tmp_path: Path) -> None:
    engine = engine_at(settings.database)
    first, second = sorted(files_of(engine))[:2]
    engine.dispose()
    source = BlobStore(settings.store_dir)
    kept = {digest: source.path(digest).read_bytes() for digest in (first, second)}
    source.path(first).write_bytes(b"rotten")
    source.path(second).unlink()
    try:
        found = copy(settings, "--to-store", f"file://{tmp_path}/new", code=1)
        assert found["files"]["faults"] == {first: "changed in the source", second: "missing in the source"}
        assert found["files"]["sound"] == found["files"]["named"] - 2
        assert not BlobStore(tmp_path / "new").has(first)
    finally:
        for digest, content in kept.items():
            source.path(digest).write_bytes(content)


def test_from_a_bucket_to_another_every_file_is_told_of_and_read_back_once(
    settings: Settings, swift: Server, tmp_path: Path
) -> None:
    engine = engine_at(settings.database)
    first, second, *others = sorted(files_of(engine))
    one, other = (bucket(swift.url, tmp_path, name) for name in ("one", "other"))
    asked: list[str] = []
    one.client.meta.events.register("before-call.s3.GetObject", lambda model, **_: asked.append(model.name))
    with copying.reading(engine) as connection:
        there = copying.copy_files(connection, BlobStore(settings.store_dir), one, progress=lambda *_: None)
        assert (there.faults, there.sound) == ({}, there.named)
        assert len(asked) == 2 * there.named  # is it there? and what came?

        place = f"{one.prefix}{first[:2]}/{first[2:4]}/{first}"
        one.client.put_object(Bucket=BUCKET, Key=place, Body=b"rotten")
        one.destroy(second)
        found = copying.copy_files(connection, one, other, progress=lambda *_: None)
        assert found.faults == {first: "changed in the source", second: "missing in the source"}
        assert found.sound == found.named - 2
        assert {other.verify(digest) for digest in others} == {Check.OK}
        assert not other.has(first)

        with lying_server(swift.url) as liar:
            lied_to = bucket(liar.url, tmp_path, "third")
            liar.fault = "other bytes"
            found = copying.copy_files(connection, other, lied_to, progress=lambda *_: None)
        assert found.faults == {
            **dict.fromkeys((first, second), "missing in the source"),
            **dict.fromkeys(others, "changed in the target"),
        }
    engine.dispose()


def test_a_wrong_key_of_the_new_bucket_is_said_without_showing_it(settings: Settings, swift: Server) -> None:
    url = store_url(swift.url).replace("evidence/", "evidencf/")
    said = copy(settings, "--to-store", url, code=3)
    assert "there is no bucket 'evidencf'" in said
    assert SECRET not in said


def test_what_is_wrong_with_both_targets_is_said_together_before_anything_is_copied(
    settings: Settings, swift: Server, target: str
) -> None:
    closed = target.rpartition("/")[0] + "/no_such_database"
    said = copy(settings, "--to-database", closed, "--to-store", store_url("http://127.0.0.1:1"), code=3)
    first, second = said.splitlines()
    assert first.startswith("tracker: --to-database: ")
    assert second.startswith("--to-store: the store does not answer")
    refused = "postgresql+psycopg://tracker:h@rd-to:guess@127.0.0.1/tracker"
    assert "rd-to" not in copy(settings, "--to-database", refused, "--to-store", store_url(swift.url), code=2)
    assert "cannot be made" in copy(settings, "--to-store", "file:///proc/none", code=2)
