"""The same promises kept by a folder and by buckets of two servers; and no trust without asking."""

from __future__ import annotations

import hashlib
import resource
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.engines.lying import Liar, lying_server
from tests.engines.servers import BUCKET, KEY_ID, SECRET, Server, moto_server, store_url, swift_server
from tracker.app import create_app
from tracker.config import SettingsError, load_settings
from tracker.domain.errors import Unavailable
from tracker.models import StoredFile
from tracker.services.verification import Garbage, collect_garbage, garbage
from tracker.storage.blobs import BlobStore
from tracker.storage.parts import Check, StoreFull
from tracker.storage.probe import faults_of
from tracker.storage.s3 import NoRoom, OtherBytes, S3Store, client_of
from tracker.storage.store import Store, open_store

NOW = datetime.now(UTC)
A_DAY_AGO, TOMORROW = NOW - timedelta(days=1), NOW + timedelta(days=1)
MINUTES = b"minutes of a meeting"


@pytest.fixture(scope="module")
def swift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with swift_server(tmp_path_factory.mktemp("swift")) as server:
        yield server


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with moto_server(tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture
def liar(swift: Server) -> Iterator[Liar]:
    with lying_server(swift.url) as server:
        yield server


def bucket(endpoint: str, folder: Path, *, timeout: float = 20) -> S3Store:
    """A store below a prefix of its own."""
    url = store_url(endpoint, folder.name, timeout=timeout)
    store = open_store(url, folder / "arriving", key_id=KEY_ID, secret=SECRET, below="evidence/")
    assert isinstance(store, S3Store)
    return store


@pytest.fixture(params=["disk", "swift", "moto"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "disk":
        return open_store(f"file://{tmp_path}/evidence", tmp_path / "not used")
    return bucket(request.getfixturevalue(request.param).url, tmp_path)


def spoil(store: Store, digest: str, content: bytes) -> None:
    """Change stored bytes behind the back of the store."""
    if isinstance(store, BlobStore):
        store.path(digest).write_bytes(content)
    else:
        assert isinstance(store, S3Store)
        key = f"{store.prefix}{digest[:2]}/{digest[2:4]}/{digest}"
        store.client.put_object(Bucket=BUCKET, Key=key, Body=content)


def put_aside(store: Store) -> list[bytes]:
    """What lies aside because it was not what it was called."""
    if isinstance(store, BlobStore):
        return [path.read_bytes() for path in (store.root / "damaged").glob("*")]
    assert isinstance(store, S3Store)
    found = store.client.list_objects_v2(Bucket=BUCKET, Prefix=f"{store.prefix}damaged/").get("Contents", ())
    return [store.client.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read() for each in found]


def test_bytes_come_back_as_they_went_in(store: Store, tmp_path: Path) -> None:
    blob = store.put([b"minutes ", b"of a meeting"])
    assert (blob.sha256, blob.size) == (hashlib.sha256(MINUTES).hexdigest(), len(MINUTES))
    with store.open(blob.sha256) as file:
        assert file.read() == MINUTES
        assert file.seek(8) == 8
        assert file.read() == b"of a meeting"
    assert (store.has(blob.sha256), store.size(blob.sha256)) == (True, len(MINUTES))
    assert store.beginning(blob.sha256, 7) == b"minutes"
    assert store.verify(blob.sha256) is Check.OK
    folder = tmp_path / "staged"
    folder.mkdir()
    assert {store.staged(blob.sha256, folder).read_bytes() for _ in range(2)} == {MINUTES}
    assert list(store.stale_parts(older_than=TOMORROW)) == []


def test_the_same_bytes_from_eight_people_at_once_are_kept_once(store: Store) -> None:
    with ThreadPoolExecutor(8) as people:
        blobs = set(people.map(lambda _: store.put([MINUTES] * 1000), range(16)))
    [blob] = blobs
    assert list(store.digests()) == [blob.sha256]
    assert store.verify(blob.sha256) is Check.OK
    assert put_aside(store) == []


def test_nothing_is_there_before_and_after(store: Store, tmp_path: Path) -> None:
    digest = hashlib.sha256(MINUTES).hexdigest()
    for _ in range(2):
        assert not store.has(digest)
        assert store.verify(digest) is Check.MISSING
        for ask in (store.open, store.size, store.stored_at, lambda name: store.staged(name, tmp_path)):
            with pytest.raises(FileNotFoundError):
                ask(digest)
        store.destroy(digest)
        store.put([MINUTES])
        store.destroy(digest)
    with pytest.raises(ValueError, match="not the name"):
        store.open("../x")


def test_every_digest_is_listed_in_order(store: Store) -> None:
    found = [store.put([bytes([number])]).sha256 for number in range(12)]
    assert list(store.digests()) == sorted(found)


def test_handing_in_the_bytes_again_heals_changed_ones_and_keeps_those_aside(store: Store) -> None:
    digest = store.put([MINUTES]).sha256
    spoil(store, digest, b"rotten")
    assert store.verify(digest) is Check.CHANGED
    assert store.put([MINUTES]).sha256 == digest
    assert store.verify(digest) is Check.OK
    assert put_aside(store) == [b"rotten"]
    assert list(store.digests()) == [digest]


def test_a_file_that_is_sealed_leaves_no_damaged_copy_of_it(store: Store) -> None:
    digest, other = store.put([MINUTES]).sha256, store.put([b"other"]).sha256
    for each, content in ((digest, MINUTES), (other, b"other")):
        spoil(store, each, content + b"!")
        store.put([content])
    store.destroy(digest)
    assert put_aside(store) == [b"other!"]
    assert list(store.digests()) == [other]
    if isinstance(store, S3Store):
        found = store.client.list_objects_v2(Bucket=BUCKET, Prefix=store.prefix)["Contents"]
        assert not any(digest in each["Key"] for each in found)


def test_an_old_orphan_goes_unless_somebody_hands_it_in_again(store: Store) -> None:
    digest = store.put([MINUTES]).sha256
    assert not store.remove_orphan(digest, older_than=A_DAY_AGO)
    assert store.remove_orphan(digest, older_than=TOMORROW)
    assert store.verify(digest) is Check.MISSING
    assert not store.remove_orphan(digest, older_than=TOMORROW)


def test_a_disk_below_its_mark_takes_nothing(swift: Server, tmp_path: Path) -> None:
    full = bucket(swift.url, tmp_path)
    full.free_space_floor = 2**60
    with pytest.raises(StoreFull, match="存储空间不足"):
        full.put([MINUTES])
    assert list(full.digests()) == []


def test_a_local_disk_that_fills_up_while_a_file_is_fetched_is_said_in_a_sentence(
    swift: Server, tmp_path: Path
) -> None:
    store = bucket(swift.url, tmp_path)
    digest = store.put([bytes(2**18)] * 8).sha256
    folder = tmp_path / "staged"
    folder.mkdir()
    asks: list[Callable[[], object]] = [lambda: store.open(digest), lambda: store.staged(digest, folder)]
    most, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20 + 1, hard))
    try:
        for ask in asks:
            with pytest.raises(NoRoom, match="暂时不能打开文件"):
                ask()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    assert list(folder.iterdir()) == []
    assert store.verify(digest) is Check.OK


def test_twenty_megabytes_pass_through_little_memory(swift: Server, tmp_path: Path) -> None:
    store, chunk = bucket(swift.url, tmp_path), b"x" * 2**18
    store.put([MINUTES])  # what the client learns once
    tracemalloc.start()
    blob = store.put(chunk for _ in range(80))
    with store.open(blob.sha256) as file:
        assert file.read(5) == b"xxxxx"
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (blob.size, peak < 6 * 2**20) == (20 * 2**20, True)


def test_bytes_handed_in_while_they_leave_come_back(swift: Server, tmp_path: Path) -> None:
    """Garbage collection has looked at the age when somebody hands the same bytes in."""
    store = bucket(swift.url, tmp_path)
    digest = store.put([MINUTES]).sha256
    aged = store.stored_at
    looked: list[bool] = []

    def look(name: str) -> datetime:
        found = aged(name)
        if not looked:
            looked.append(True)
            store.put([MINUTES])
        return found

    store.stored_at = look  # type: ignore[method-assign]
    older_than = aged(digest) + timedelta(seconds=0.5)
    while datetime.now(UTC) < older_than + timedelta(seconds=1):
        pass
    assert not store.remove_orphan(digest, older_than=older_than)
    assert store.verify(digest) is Check.OK


@contextmanager
def once(store: S3Store, moment: str, act: Callable[[], object]) -> Iterator[None]:
    """Do something at the first moment of that kind in what the client of the store says to its server."""
    done: list[bool] = []

    def do(**_: object) -> None:
        if not done:
            done.append(True)
            act()

    store.client.meta.events.register(moment, do)
    yield
    store.client.meta.events.unregister(moment, do)


@pytest.mark.parametrize("is_wanted", [False, True])
def test_a_removal_that_breaks_off_is_undone_by_the_next_one(
    liar: Liar, swift: Server, tmp_path: Path, session: Session, is_wanted: bool
) -> None:
    """The store fails when the bytes are away; they have been handed in again, and a row names them."""
    store, sound = bucket(liar.url, tmp_path), bucket(swift.url, tmp_path)
    digest, sealed = store.put([MINUTES]).sha256, store.put([b"sealed"]).sha256

    def break_down() -> None:
        if is_wanted:
            sound.client.put_object(Bucket=BUCKET, Key=f"{store.prefix}handed-in/{digest}", Body=b"")
        liar.fault = "500"

    for each in (digest, sealed):
        with once(store, "after-call.s3.DeleteObject", break_down), pytest.raises(Unavailable):
            store.remove_orphan(each, older_than=TOMORROW)
        liar.fault = ""
        assert store.verify(each) is Check.MISSING
        session.add(StoredFile(sha256=each, size=7, media_type="text/plain", facts={}, stored_at=NOW))
    session.scalars(select(StoredFile).where(StoredFile.sha256 == sealed)).one().sealed_at = NOW
    session.flush()

    assert garbage(session, store, now=NOW).back == ()  # it may still go on
    found = garbage(session, store, now=TOMORROW)
    assert (found.back, found.sealed, found.orphans) == ((digest,), (sealed,), ())
    collect_garbage(found, store, now=TOMORROW)
    assert (store.verify(digest), store.verify(sealed)) == (Check.OK, Check.MISSING)
    assert garbage(session, store, now=TOMORROW) == Garbage((), (), ())


def test_two_collectors_at_once_take_nothing_that_was_handed_in_between(swift: Server, tmp_path: Path) -> None:
    one, other = bucket(swift.url, tmp_path), bucket(swift.url, tmp_path)
    other.client = client_of(swift.url, "us-east-1", 20, KEY_ID, SECRET)
    gone, again = one.put([b"nobody's"]).sha256, one.put([MINUTES]).sha256
    older_than = one.stored_at(again) + timedelta(seconds=0.5)
    while datetime.now(UTC) < older_than + timedelta(seconds=1):
        pass
    with once(one, "before-call.s3.CopyObject", lambda: other.remove_orphan(gone, older_than=older_than)):
        assert not one.remove_orphan(gone, older_than=older_than)

    def remove_and_hand_in() -> None:
        assert other.remove_orphan(again, older_than=older_than)
        other.put([MINUTES])

    with once(one, "before-call.s3.CopyObject", remove_and_hand_in):
        assert not one.remove_orphan(again, older_than=older_than)
    assert (one.verify(gone), one.verify(again)) == (Check.MISSING, Check.OK)
    assert one.leaving(older_than=TOMORROW) == []


# ---------------------------------------------------------------- no trust without asking


def test_a_sound_bucket_is_trusted_and_left_as_it_was(swift: Server, tmp_path: Path) -> None:
    store = bucket(swift.url, tmp_path)
    assert faults_of(store) == []
    assert "Contents" not in store.client.list_objects_v2(Bucket=BUCKET, Prefix=store.prefix)


def test_a_server_that_ignores_checksums_is_refused(moto: Server, tmp_path: Path) -> None:
    [fault] = faults_of(bucket(moto.url, tmp_path))
    assert fault.startswith("TRACKER_STORE_URL: the store takes bytes whose checksum is wrong")


def test_a_server_that_keeps_versions_is_refused(moto: Server, tmp_path: Path) -> None:
    store = bucket(moto.url, tmp_path)
    store.client.create_bucket(Bucket="versions")
    store.client.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    store.bucket = "versions"
    assert "keeps old versions" in faults_of(store)[-1]


@pytest.mark.parametrize(
    ("fault", "said"),
    [("overwrites", "the store overwrites"), ("other bytes", "does not give back"), ("500", "with 500")],
)
def test_a_server_that_lies_is_refused_at_start(liar: Liar, tmp_path: Path, fault: str, said: str) -> None:
    settings = load_settings(data_dir=tmp_path, store_url=store_url(liar.url), store_key_id=KEY_ID, store_secret=SECRET)
    create_app(settings)
    liar.fault = fault
    with pytest.raises(SettingsError, match=said) as caught:
        create_app(settings)
    assert SECRET not in str(caught.value)


# ---------------------------------------------------------------- faults on the way


@pytest.mark.parametrize("server", ["swift", "moto"])
def test_a_bucket_that_is_gone_is_no_file_that_is_missing(
    request: pytest.FixtureRequest, tmp_path: Path, server: str
) -> None:
    store = bucket(request.getfixturevalue(server).url, tmp_path)
    digest = store.put([MINUTES]).sha256
    store.bucket = "gone"
    asks: list[Callable[[], object]] = [
        lambda: store.open(digest),
        lambda: store.beginning(digest, 4),
        lambda: store.has(digest),
        lambda: store.size(digest),
        lambda: store.verify(digest),
        lambda: list(store.digests()),
        lambda: store.remove_orphan(digest, older_than=TOMORROW),
        lambda: store.destroy(digest),  # a seal that took nothing away is still owed
        lambda: store.put([MINUTES]),
    ]
    for ask in asks:
        with pytest.raises(Unavailable, match="文件存储"):
            ask()


@pytest.mark.parametrize(("fault", "kind"), [("500", Unavailable), ("slow", Unavailable), ("other bytes", OtherBytes)])
def test_a_fault_of_the_server_is_said_in_a_sentence_and_nothing_is_lost(
    liar: Liar, swift: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture, fault: str, kind: type[Exception]
) -> None:
    store = bucket(liar.url, tmp_path, timeout=1)
    digest = store.put([MINUTES]).sha256
    liar.fault = fault
    asks: list[Callable[[], object]] = [lambda: store.open(digest), lambda: store.staged(digest, tmp_path)]
    for ask in asks:
        with pytest.raises(kind, match="文件存储"):
            ask()
    for content in (MINUTES, b"more"):  # what is stored already, too: other rows name it
        with pytest.raises(kind, match="文件存储"):
            store.put([content])
    assert caplog.records
    assert not list(tmp_path.glob("*.new"))
    liar.fault = ""
    assert bucket(swift.url, tmp_path).verify(digest) is Check.OK
    assert list(store.stale_parts(older_than=TOMORROW)) == []
