"""Verification names what is missing, changed or left over; garbage collection takes only what nobody can miss."""

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import create_engine, func, select, update
from sqlalchemy.orm import Session

from tests.city import NOW, City
from tests.tampering import tamper
from tests.work import ACT, PRESENT, duty
from tracker.config import CHECKOUT
from tracker.db import engine_options, prepare, writing
from tracker.domain.duty import State
from tracker.models import Base, Duty, Evidence, Organization, Person, SignOff, StoredFile
from tracker.services import sign_offs
from tracker.services.recount import Difference, verify_caches, verify_sign_offs, verify_texts
from tracker.services.verification import (
    FileFault,
    FileReport,
    collect_garbage,
    garbage,
    verify_files,
    verify_log,
)
from tracker.storage.blobs import BlobStore
from tracker.storage.intake import Accepted

REAL_NOW = datetime.now(UTC)
ROUNDS = 30


@pytest.fixture
def store(tmp_path):
    return BlobStore(tmp_path / "evidence")


@pytest.fixture
def meeting(session, city, store):
    """Asha's meeting with one file, submitted and confirmed."""
    made = duty(city, "D1-B1.P4-1", "L3-02", "M05")
    blob = store.put([b"minutes"])
    file = Accepted(blob.sha256, blob.size, "纪要.pdf", "application/pdf", {"kind": "pdf"}, False)
    sign_offs.tick(
        session,
        duties=[made],
        act_on=ACT,
        sentence="召开五月会议",
        counts=PRESENT,
        files=[file],
        actor=city.actor("Asha"),
        now=NOW,
    )
    sign_offs.confirm(session, made, actor=city.actor("Chen"), now=NOW)
    return made


def files(session, store, now=REAL_NOW):
    return list(verify_files(session, store, now=now))


def age(store, sha256, days=2):
    moment = time.time() - days * 24 * 3600
    os.utime(store.path(sha256), (moment, moment))


def test_what_is_whole_is_clean(session, store, meeting):
    assert files(session, store) == []
    assert [*verify_sign_offs(session), *verify_texts(session), *verify_caches(session, now=NOW)] == []


def test_a_missing_file_is_named(session, store, meeting):
    sha256 = session.scalars(select(StoredFile.sha256)).one()
    store.path(sha256).unlink()
    assert files(session, store) == [FileReport(sha256, FileFault.MISSING)]


def test_a_changed_file_is_named(session, store, meeting):
    sha256 = session.scalars(select(StoredFile.sha256)).one()
    store.path(sha256).chmod(0o600)
    store.path(sha256).write_bytes(b"other minutes")
    assert files(session, store) == [FileReport(sha256, FileFault.CHANGED)]


def test_bytes_without_a_row_are_named_and_young_for_a_day(session, store, meeting):
    orphan = store.put([b"nobody's"]).sha256
    assert files(session, store) == [FileReport(orphan, FileFault.ORPHANED, young=True)]
    age(store, orphan)
    assert files(session, store) == [FileReport(orphan, FileFault.ORPHANED, young=False)]


def test_garbage_is_what_is_a_day_old_and_nobodys(session, store, meeting):
    old, young = store.put([b"old"]).sha256, store.put([b"young"]).sha256
    kept = session.scalars(select(StoredFile.sha256)).one()
    for sha256 in (old, kept):
        age(store, sha256)
    stale = store.root / "parts" / "crashed.part"
    stale.write_bytes(b"half")
    os.utime(stale, (0, 0))
    found = garbage(session, store, now=REAL_NOW)
    assert (found.orphans, found.parts, found.sealed) == ((old,), (stale,), ())
    assert store.path(old).exists()
    assert collect_garbage(found, store, now=REAL_NOW) == found
    assert sorted(store.digests()) == sorted([kept, young])
    assert not stale.exists()


def test_bytes_that_are_handed_in_again_meanwhile_stay(session, store):
    orphan = store.put([b"again"]).sha256
    age(store, orphan)
    found = garbage(session, store, now=REAL_NOW)
    store.put([b"again"])
    assert collect_garbage(found, store, now=REAL_NOW).orphans == ()
    assert store.path(orphan).exists()


def test_the_bytes_of_a_sealed_file_are_garbage(session, store, meeting):
    row = session.scalars(select(StoredFile)).one()
    row.sealed_at = NOW
    session.flush()
    assert files(session, store) == [FileReport(row.sha256, FileFault.NOT_DESTROYED)]
    collect_garbage(garbage(session, store, now=REAL_NOW), store, now=REAL_NOW)
    assert files(session, store) == []


CACHES = [
    (Duty, {"state": State.SUBMITTED}, "state"),
    (Duty, {"is_changed": True}, "is_changed"),
    (Duty, {"content_digest": "0" * 64}, "content_digest"),
    (Duty, {"act_on": ACT + timedelta(days=1)}, "act_on"),
    (Duty, {"due_on": ACT}, "due_on"),
    (Duty, {"in_force": False}, "in_force"),
    (Evidence, {"withdrawn": True}, "withdrawn"),
    (Person, {"name": "Asya"}, "name"),
    (Organization, {"name": "别名"}, "name"),
    (Organization, {"tags": ["other"]}, "tags"),
]


@pytest.mark.parametrize(("model", "values", "what"), CACHES)
def test_a_cache_that_differs_from_its_rows_is_named(session, city, meeting, model, values, what):
    keys = {Duty: meeting.key, Evidence: "2026.D1-B1.1", Person: "asha", Organization: "D1-B1"}
    column = Organization.code if model is Organization else model.key
    session.execute(update(model).where(column == keys[model]).values(values))
    session.expire_all()
    found = list(verify_caches(session, now=NOW))
    assert {(difference.kind, difference.key, difference.what) for difference in found} == {
        (model.__tablename__, keys[model], what)
    }


def test_a_unit_or_a_place_in_the_tree_that_is_wrong_is_named(session, city):
    session.execute(
        update(Organization).where(Organization.code == "D1-B1").values(unit_id=city.organizations["D2"].id)
    )
    tamper(
        session,
        "organization_ancestor",
        "DELETE FROM organization_ancestor WHERE descendant_id = :id AND distance = 1",
        id=city.organizations["D1-B2"].id,
    )
    found = {(difference.key, difference.what) for difference in verify_caches(session, now=NOW)}
    assert found == {("D1-B1", "unit_id"), ("D1-B2", "ancestors")}


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("person_id = (SELECT id FROM person WHERE key = 'lin')", ["digest"]),
        ("covered = :bytes", ["content_digest"]),
        ("previous_digest = 'x'", ["previous_digest", "digest"]),
    ],
)
def test_a_signature_that_was_changed_is_named(session, city, meeting, change, what):
    row = session.scalars(select(SignOff).order_by(SignOff.number.desc())).first()
    key = row.key
    values = {"bytes": b"{}"} if ":bytes" in change else {}
    tamper(session, "sign_off", f"UPDATE sign_off SET {change} WHERE key = :key", key=key, **values)
    assert [(d.key, d.what) for d in verify_sign_offs(session)] == [(key, member) for member in what]


def test_a_sentence_that_was_changed_is_named(session, city, meeting):
    tamper(session, "evidence_fact", "UPDATE evidence_fact SET sentence = 'x'")
    [difference] = verify_texts(session)
    assert isinstance(difference, Difference)
    assert (difference.key, difference.what) == ("2026.D1-B1.1", "sentence")


def test_a_process_killed_while_it_hands_in_leaves_no_row_without_its_bytes(tmp_path):
    url, root = f"sqlite:///{tmp_path / 't.sqlite3'}", tmp_path / "evidence"
    engine = create_engine(url, **engine_options(url))
    prepare(engine)
    Base.metadata.create_all(engine)
    with Session(engine) as session, session.begin():
        duty(City.build(session), "D1-B1.P4-1", "L3-02", "M05")
    subprocess.run(
        [sys.executable, "-m", "tests.services.uploading", url, str(root), str(ROUNDS)], check=True, cwd=CHECKOUT
    )
    with Session(engine) as session:
        assert session.scalar(select(func.count()).select_from(StoredFile)) >= ROUNDS
        left = files(session, BlobStore(root), now=datetime.now(UTC))
        assert [report for report in left if not report.young] == []
        assert [report for report in verify_log(session) if report.broken] == []
        assert [*verify_texts(session), *verify_caches(session, now=NOW)] == []
    with Session(engine) as session, writing(session):
        assert session.scalar(select(func.count()).select_from(Evidence)) == session.scalar(
            select(func.count()).select_from(StoredFile)
        )
    engine.dispose()
