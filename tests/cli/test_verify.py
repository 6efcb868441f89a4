"""`tracker verify` and `tracker gc`: what is missing, changed or left over, and what may go."""

from __future__ import annotations

import json
import os

import pytest
from sqlalchemy import select, text

from tests.city import NOW
from tests.cli.operated import operated, store_of
from tracker.cli.verify import gc, verify
from tracker.db import db, transaction
from tracker.domain.seal import SealKind
from tracker.models import LogEntry, Person, Seal, SealState, StoredFile


@pytest.fixture
def app(tmp_path):
    with operated(tmp_path) as app:
        yield app


@pytest.fixture
def store(app):
    return store_of(app)


def run(app, command, *arguments):
    db.session.rollback()
    return app.test_cli_runner().invoke(command, arguments)


def stored(app):
    return db.session.scalars(select(StoredFile.sha256)).one()


def orphan(store, *, old):
    sha256 = store.put([b"nobody's"]).sha256
    if old:
        os.utime(store.path(sha256), (0, 0))
    return sha256


def test_a_whole_installation_is_silent(app):
    result = run(app, verify)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "0 faults of files, 0 differences" in result.stderr


def test_a_missing_file_is_a_finding(app, store):
    sha256 = stored(app)
    store.path(sha256).unlink()
    result = run(app, verify, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["files"] == [{"sha256": sha256, "fault": "missing", "young": False}]


def test_a_cache_that_differs_is_a_finding(app):
    with transaction() as session:
        session.execute(text("UPDATE duty SET due_on = '2026-01-01'"))
    result = run(app, verify)
    assert result.exit_code == 1
    assert "due_on is '2026-01-01', and should be" in result.stdout


def test_bytes_that_have_just_arrived_are_named_and_no_finding(app, store):
    sha256 = orphan(store, old=False)
    result = run(app, verify)
    assert result.exit_code == 0
    assert sha256 in result.stdout


def test_garbage_is_shown_first_and_then_removed(app, store):
    sha256, kept = orphan(store, old=True), stored(app)
    assert run(app, verify).exit_code == 1
    assert "1 orphans, 0 parts, 0 sealed: would go" in run(app, gc, "--dry-run").stderr
    assert store.path(sha256).exists()
    assert sha256 in run(app, gc).stdout
    assert list(store.digests()) == [kept]
    assert run(app, verify).exit_code == 0
    db.session.rollback()
    assert db.session.scalars(select(LogEntry.actor).where(LogEntry.verb == "gc")).one() == "operator"


def test_young_orphans_stay(app, store):
    sha256 = orphan(store, old=False)
    assert "0 orphans" in run(app, gc).stderr
    assert store.path(sha256).exists()


def test_a_seal_that_a_crash_cut_short_is_carried_out_to_its_end(app, store):
    settings, sha256 = app.config["TRACKER"], stored(app)
    document, dead = settings.result_dir / "a", settings.result_dir / "b.1.part"
    dead.mkdir(parents=True)
    os.utime(dead, (0, 0))
    document.write_bytes(b"a document")
    with transaction() as session:
        people = [session.scalars(select(Person.id).where(Person.key == key)).one() for key in ("adam", "alma")]
        whose = {"asked_by_id": people[0], "decided_by_id": people[1], "asked_at": NOW, "decided_at": NOW}
        what = {"target_kind": SealKind.FILE, "target_key": sha256, "digest": sha256, "reason": "涉密"}
        session.add(Seal(**what, **whose, state=SealState.DONE))
        session.scalars(select(StoredFile)).one().sealed_at = NOW

    shown = run(app, gc, "--dry-run").stdout
    assert document.exists()
    assert dead.exists()
    assert run(app, gc).stdout == shown
    assert "may show what is sealed" in shown
    assert "b.1.part" in shown
    assert list(settings.result_dir.iterdir()) == []
    assert not store.path(sha256).exists()
    assert run(app, gc).stdout == ""
