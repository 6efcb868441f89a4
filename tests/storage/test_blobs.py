"""Bytes under their digest: durable, kept once, never changed, never named by anybody."""

import hashlib
import os
import resource
import signal
import stat
import subprocess
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tracker.storage.blobs import BlobStore
from tracker.storage.parts import Check, StoreFull

NOW = datetime.now(UTC)
A_DAY_AGO, TOMORROW = NOW - timedelta(days=1), NOW + timedelta(days=1)
MINUTES = b"minutes of a meeting"


@pytest.fixture
def store(tmp_path):
    return BlobStore(tmp_path / "evidence")


def test_bytes_come_back_as_they_went_in(store):
    blob = store.put([b"minutes ", b"of a meeting"])
    assert (blob.sha256, blob.size) == (hashlib.sha256(MINUTES).hexdigest(), len(MINUTES))
    with store.open(blob.sha256) as file:
        assert file.read() == MINUTES
    assert store.size(blob.sha256) == len(MINUTES)
    assert store.verify(blob.sha256) is Check.OK


def test_the_same_bytes_twice_are_kept_once(store):
    first, second = store.put([MINUTES]), store.put([MINUTES])
    assert first == second
    assert list(store.digests()) == [first.sha256]
    assert list(store.stale_parts(older_than=TOMORROW)) == []


def test_eight_people_who_hand_in_the_same_bytes_at_once_share_one_blob(store):
    with ThreadPoolExecutor(8) as people:
        blobs = list(people.map(lambda _: store.put([MINUTES] * 1000), range(32)))
    assert len(set(blobs)) == 1
    assert list(store.digests()) == [blobs[0].sha256]
    assert store.verify(blobs[0].sha256) is Check.OK
    assert not (store.root / "damaged").exists()


def test_only_the_owner_reads_a_blob_and_nobody_runs_it(store):
    path = store.path(store.put([MINUTES]).sha256)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


NO_DIGESTS = ["", "../../etc/passwd", "a" * 63, "A" * 64, "g" * 64, "a" * 64 + "\n", "a" * 63 + "/"]


@pytest.mark.parametrize("name", NO_DIGESTS)
def test_a_user_never_names_a_file(store, name):
    for ask in (store.path, store.open, store.size, store.verify, store.destroy):
        with pytest.raises(ValueError, match="not the name"):
            ask(name)


def test_every_digest_is_listed_in_order(store):
    found = [store.put([bytes([n])]).sha256 for n in range(40)]
    assert list(store.digests()) == sorted(found)


def test_a_changed_blob_and_a_missing_one_are_told_apart(store):
    digest = store.put([MINUTES]).sha256
    store.path(digest).write_bytes(b"minutes of another one")
    assert store.verify(digest) is Check.CHANGED
    store.destroy(digest)
    assert store.verify(digest) is Check.MISSING
    store.destroy(digest)


def test_handing_in_the_bytes_again_heals_a_changed_blob_and_keeps_the_wrong_bytes_aside(store):
    digest = store.put([MINUTES]).sha256
    store.path(digest).write_bytes(b"rotten")
    assert store.put([MINUTES]).sha256 == digest
    assert store.verify(digest) is Check.OK
    assert [file.read_bytes() for file in (store.root / "damaged").iterdir()] == [b"rotten"]


def test_bytes_that_fail_to_arrive_leave_nothing(store):
    def breaks_off():
        yield MINUTES
        raise ConnectionError("the phone lost its network")

    with pytest.raises(ConnectionError):
        store.put(breaks_off())
    assert list(store.digests()) == []
    assert list(store.stale_parts(older_than=TOMORROW)) == []


def test_an_old_orphan_goes_and_a_young_one_stays(store):
    digest = store.put([MINUTES]).sha256
    assert not store.remove_orphan(digest, older_than=A_DAY_AGO)
    assert store.verify(digest) is Check.OK
    assert store.remove_orphan(digest, older_than=TOMORROW)
    assert store.verify(digest) is Check.MISSING
    assert not store.remove_orphan(digest, older_than=TOMORROW)


def test_an_orphan_that_is_handed_in_again_is_young_again(store):
    digest = store.put([MINUTES]).sha256
    week_ago = (NOW - timedelta(days=7)).timestamp()
    os.utime(store.path(digest), (week_ago, week_ago))
    store.put([MINUTES])
    assert not store.remove_orphan(digest, older_than=A_DAY_AGO)


def test_a_disk_below_its_mark_takes_nothing_and_still_reads(tmp_path):
    digest = BlobStore(tmp_path).put([MINUTES]).sha256
    full = BlobStore(tmp_path, free_space_floor=2**60)
    assert not full.has_room()
    with pytest.raises(StoreFull, match="存储空间不足"):
        full.put([b"more"])
    assert full.verify(digest) is Check.OK


def test_a_disk_that_fills_up_meanwhile_is_said_in_a_sentence_and_leaves_nothing(store):
    most, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, hard))
    try:
        with pytest.raises(StoreFull, match="存储空间不足"):
            store.put([bytes(2**18)] * 8)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    assert list(store.digests()) == []
    assert list(store.stale_parts(older_than=TOMORROW)) == []


def test_fifty_megabytes_pass_through_little_memory(store):
    chunk = b"x" * 2**18
    tracemalloc.start()
    blob = store.put(chunk for _ in range(200))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert blob.size == 50 * 2**20
    assert peak < 2 * 2**20


WRITER = """
import itertools, os, sys, types
sys.modules["tracker"] = package = types.ModuleType("tracker")
package.__path__ = [sys.argv[2]]
from pathlib import Path
from tracker.storage.blobs import BlobStore
store = BlobStore(Path(sys.argv[1]))
print("ready", flush=True)
for n in itertools.count():
    store.put(os.urandom(4096) for _ in range(64))
"""


def test_a_writer_killed_at_any_moment_leaves_no_blob_with_wrong_bytes(store):
    package = str(Path(__file__).resolve().parents[2] / "tracker")
    for kill in range(8):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(store.root), package], stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout.readline() == b"ready\n"
            with pytest.raises(subprocess.TimeoutExpired):
                writer.wait(0.02 + kill * 0.013)
            writer.send_signal(signal.SIGKILL)
    digests = list(store.digests())
    assert digests
    assert {store.verify(digest) for digest in digests} == {Check.OK}
    beside = [path for path in store.root.rglob("*") if path.is_file() and path.name not in digests]
    assert {path.suffix for path in beside if path.name != "lock"} <= {".part"}
    for part in store.stale_parts(older_than=TOMORROW):
        part.unlink()
    assert list(store.stale_parts(older_than=TOMORROW)) == []


def test_a_part_that_is_still_written_to_is_not_stale(store):
    with store.part() as part:
        part.write(MINUTES)
        assert list(store.stale_parts(older_than=A_DAY_AGO)) == []
        assert list(store.stale_parts(older_than=TOMORROW)) == [part.path]
