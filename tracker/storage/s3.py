"""The store in a bucket of an S3-compatible server that honours conditional writes and checksums (`probe` asks it).

Bytes arrive on the local disk, go up under their digest with their SHA-256 only if nothing has that name, and are read
back. Whatever is read is hashed before anybody gets it. Since the bytes of a bucket cannot be touched, a marker beside
them says when they were handed in again.
"""

from __future__ import annotations

import hashlib
import io
import logging
import re
import tempfile
import uuid
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from tracker.domain.errors import Unavailable
from tracker.domain.text import _n
from tracker.storage.blobs import checked
from tracker.storage.parts import Arrivals, Blob, Check, full_disk_refused

_AWAY = _n("文件存储暂时没有正常应答，请稍后重试；若仍不行，请联系管理员核查文件存储服务。")
_OTHER_BYTES = _n("文件存储交回的内容与登记的摘要不符，已停止使用这份内容；请联系管理员核查文件存储服务。")
_NO_ROOM = _n("服务器存储空间不足，暂时不能打开文件；请联系管理员处理后再试。")
_CHUNK = 1024**2
_TRIES = 3
_NAME = re.compile(r"[0-9a-f]{2}/[0-9a-f]{2}/([0-9a-f]{64})", re.ASCII)
_TAKEN = frozenset({409, 412})  # something has the name already, or is just getting it

logger = logging.getLogger(__name__)


class OtherBytes(Unavailable):
    """The server handed out bytes that are not those of the digest."""


class NoRoom(Unavailable):
    """The local disk has no room for the copy that is to be handed out."""


def client_of(endpoint: str, region: str, timeout: float, key_id: str, secret: str, *, attempts: int = 2) -> Any:  # noqa: ANN401  made at run time
    """A client that threads may share, for these credentials and no others."""
    config = Config(
        signature_version="s3v4",
        connect_timeout=min(timeout, 5.0),
        read_timeout=timeout,
        retries={"mode": "standard", "total_max_attempts": attempts},
        request_checksum_calculation="when_required",  # we bring our own
        response_checksum_validation="when_required",
        s3={"addressing_style": "path"},
    )
    session = boto3.session.Session(aws_access_key_id=key_id, aws_secret_access_key=secret, region_name=region)
    return session.client("s3", endpoint_url=endpoint or None, config=config)


def status_in(error: ClientError) -> int:
    """The HTTP status of an answer that refuses."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


@contextmanager
def answering() -> Iterator[None]:
    """Turn what a server does wrong into Unavailable, and bytes that it does not have into FileNotFoundError."""
    try:
        yield
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "NoSuchKey" or _is_bare_404(error):
            raise FileNotFoundError(error.operation_name) from error
        logger.error("the store refused: %s", error)
        raise Unavailable(_AWAY, field="files") from error
    except (BotoCoreError, HTTPClientError, ConnectionError, TimeoutError) as error:
        logger.error("the store does not answer: %s", error)
        raise Unavailable(_AWAY, field="files") from error


def _is_bare_404(error: ClientError) -> bool:
    """The answer about an object that has no body to say what is missing: the object, or its bucket."""
    return error.operation_name == "HeadObject" and status_in(error) == 404


def sha256_header(digest: str) -> str:
    """A digest as S3 wants it in a header."""
    return b64encode(bytes.fromhex(digest)).decode()


class S3Store(Arrivals):
    """The store below `prefix` in a bucket; bytes arrive, and are looked at, in `folder` on the local disk."""

    def __init__(self, client: Any, bucket: str, prefix: str, folder: Path, *, free_space_floor: int = 0) -> None:  # noqa: ANN401  made at run time
        super().__init__(folder.resolve() / "parts", free_space_floor=free_space_floor)
        self.client, self.bucket, self.prefix = client, bucket, prefix

    def adopt(self, part: Path, blob: Blob) -> None:
        """Give a finished part its name, unless it has it; wrong bytes under the name are replaced. For parts only."""
        self._note_handed_in(blob.sha256)
        ours = False
        for _ in range(_TRIES):
            ours = self._sent(part, blob) or ours
            found = self.verify(blob.sha256)
            if found is Check.OK:
                return
            logger.error("the store: %s is %s, %s", blob.sha256, found, "just sent" if ours else "sent before")
            if found is Check.CHANGED and not ours:
                self._replace(part, blob)
                ours = True
        raise OtherBytes(_OTHER_BYTES, field="files")

    def has(self, digest: str) -> bool:
        """Whether bytes are stored under the digest, whatever they are."""
        try:
            self.size(digest)
        except FileNotFoundError:
            return False
        return True

    def open(self, digest: str) -> io.BufferedReader:
        """Open a verified copy that vanishes when it is closed; FileNotFoundError if the bytes are not there."""
        with full_disk_refused(NoRoom, _NO_ROOM):
            return self._opened(digest)

    def _opened(self, digest: str) -> io.BufferedReader:
        file = tempfile.TemporaryFile(dir=self.parts)  # noqa: SIM115  the caller closes it
        try:
            if self._copied(digest, file) != digest:
                logger.error("the store handed out other bytes for %s", digest)
                raise OtherBytes(_OTHER_BYTES, field="files")
            file.seek(0)
        except BaseException:
            file.close()
            raise
        assert isinstance(file, io.BufferedRandom)  # noqa: S101  what it is on every POSIX system
        return io.BufferedReader(file.detach())

    def staged(self, digest: str, folder: Path) -> Path:
        """Put a verified copy into `folder`, unless it is there, and return its path; FileNotFoundError for nothing."""
        path = folder / checked(digest)
        if not path.exists():
            fresh = folder / f"{digest}-{uuid.uuid4().hex}.new"
            try:
                with self.open(digest) as source, full_disk_refused(NoRoom, _NO_ROOM), fresh.open("xb") as target:
                    while chunk := source.read(_CHUNK):
                        target.write(chunk)
                fresh.replace(path)
            finally:
                fresh.unlink(missing_ok=True)
        return path

    def beginning(self, digest: str, count: int) -> bytes:
        """The first bytes, unverified: to tell what kind of file it is; FileNotFoundError if they are not there."""
        with answering():
            found = self.client.get_object(Bucket=self.bucket, Key=self._key(digest), Range=f"bytes=0-{count - 1}")
            with found["Body"] as body:
                return bytes(body.read(count))

    def size(self, digest: str) -> int:
        """Return how many bytes are stored under the digest; FileNotFoundError if none are."""
        return int(self._head(self._key(digest))["ContentLength"])

    def stored_at(self, digest: str) -> datetime:
        """Return when the bytes were last handed in (UTC); FileNotFoundError if they are not there."""
        stored: datetime = self._head(self._key(digest))["LastModified"]
        with suppress(FileNotFoundError):
            stored = max(stored, self._head(self._marker(digest))["LastModified"])
        return stored

    def digests(self) -> Iterator[str]:
        """Every stored digest, in ascending order."""
        for name, _ in self._listed(""):
            if found := _NAME.fullmatch(name):
                yield found[1]

    def verify(self, digest: str) -> Check:
        """Hash the stored bytes again."""
        try:
            found = self._copied(digest, None)
        except FileNotFoundError:
            return Check.MISSING
        return Check.OK if found == digest else Check.CHANGED

    def remove_orphan(self, digest: str, *, older_than: datetime) -> bool:
        """Remove bytes that no row names, unless somebody handed them in since; return whether they went.

        Nothing locks a bucket. So the bytes are copied aside first; whoever hands them in leaves a marker before
        sending them, and if there is one by then, they come back. The copy goes when it is known that nobody wants it.
        """
        aside = f"{self.prefix}{self._leaving(digest)}{uuid.uuid4().hex[:8]}"
        try:
            if self.stored_at(digest) >= older_than:
                return False
            self._copy(self._key(digest), aside)
            is_wanted = self.stored_at(digest) >= older_than  # another collector may have been faster, and an upload
        except FileNotFoundError:
            self._delete(aside)
            return False
        if not is_wanted:
            self._delete(self._key(digest))
            is_wanted = self._is_handed_in(digest, since=older_than)
            if is_wanted:
                self._copy(aside, self._key(digest))
            else:
                self._delete(self._marker(digest))
        self._delete(aside)
        return not is_wanted

    def leaving(self, *, older_than: datetime) -> list[str]:
        """The digests whose removal began before that time and broke off between its steps."""
        return sorted({name.partition("/")[2][:64] for name in self._left_leaving(older_than)})

    def bring_back(self, *, older_than: datetime) -> list[str]:
        """Undo the removals that began before that time and broke off; return the digests that are back."""
        back = []
        for name in list(self._left_leaving(older_than)):
            digest = checked(name.partition("/")[2][:64])
            if not self.has(digest):
                self._copy(self.prefix + name, self._key(digest))
                back.append(digest)
            self._delete(self.prefix + name)
        return back

    def destroy(self, digest: str) -> None:
        """Remove bytes that must not be here, for sealing only; nothing happens if they are gone already."""
        beside = [name for below in (f"damaged/{digest}-", self._leaving(digest)) for name, _ in self._listed(below)]
        for key in (self._key(digest), self._marker(digest), *(self.prefix + name for name in beside)):
            self._delete(key)

    def _key(self, digest: str) -> str:
        name = checked(digest)
        return f"{self.prefix}{name[:2]}/{name[2:4]}/{name}"

    def _marker(self, digest: str) -> str:
        return f"{self.prefix}handed-in/{digest}"

    def _leaving(self, digest: str) -> str:
        return f"leaving/{checked(digest)}-"

    def _left_leaving(self, older_than: datetime) -> Iterator[str]:
        return (name for name, begun in self._listed("leaving/") if begun < older_than)

    def _is_handed_in(self, digest: str, *, since: datetime) -> bool:
        try:
            noted: datetime = self._head(self._marker(digest))["LastModified"]
        except FileNotFoundError:
            return False
        return noted >= since

    def _note_handed_in(self, digest: str) -> None:
        if self.has(digest) or any(self._listed(self._leaving(digest))):
            with answering():
                self.client.put_object(Bucket=self.bucket, Key=self._marker(digest), Body=b"")

    def _sent(self, part: Path, blob: Blob) -> bool:
        """Send a part under its digest; False if something has that name already."""
        try:
            with answering_but(_TAKEN):
                self._write(part, blob, IfNoneMatch="*")
        except Taken:
            return False
        return True

    def _replace(self, part: Path, blob: Blob) -> None:
        """Write a part over bytes that are not what they are called, with a copy of those aside.

        Nothing is removed: where only the reading was wrong, the same bytes come to lie where they were.
        """
        with suppress(FileNotFoundError):
            self._copy(self._key(blob.sha256), f"{self.prefix}damaged/{blob.sha256}-{uuid.uuid4().hex[:8]}")
        with answering():
            self._write(part, blob)

    def _write(self, part: Path, blob: Blob, **conditions: str) -> None:
        with part.open("rb") as file:
            self.client.put_object(
                Bucket=self.bucket,
                Key=self._key(blob.sha256),
                Body=file,
                ContentLength=blob.size,
                ChecksumSHA256=sha256_header(blob.sha256),
                **conditions,
            )

    def _copied(self, digest: str, target: IO[bytes] | None) -> str:
        """Read stored bytes, into `target` if there is one, and return the digest of what came."""
        hashed = hashlib.sha256()
        key = self._key(digest)
        with answering():
            body = self.client.get_object(Bucket=self.bucket, Key=key)["Body"]
            with body:
                while chunk := body.read(_CHUNK):
                    hashed.update(chunk)
                    if target:
                        target.write(chunk)
        return hashed.hexdigest()

    def _head(self, key: str) -> dict[str, Any]:
        try:
            with answering():
                found: dict[str, Any] = self.client.head_object(Bucket=self.bucket, Key=key)
        except FileNotFoundError:
            with answering():
                self.client.head_bucket(Bucket=self.bucket)
            raise
        return found

    def _listed(self, below: str) -> Iterator[tuple[str, datetime]]:
        """What lies below the prefix, by name, in ascending order, and since when."""
        more: dict[str, str] = {}
        while True:
            with answering():
                page = self.client.list_objects_v2(Bucket=self.bucket, Prefix=self.prefix + below, **more)
            for each in page.get("Contents", ()):
                yield str(each["Key"]).removeprefix(self.prefix), each["LastModified"]
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def _copy(self, source: str, target: str) -> None:
        with answering():
            self.client.copy_object(Bucket=self.bucket, Key=target, CopySource={"Bucket": self.bucket, "Key": source})

    def _delete(self, key: str) -> None:
        with suppress(FileNotFoundError), answering():
            self.client.delete_object(Bucket=self.bucket, Key=key)


class Taken(Exception):
    """The server refuses a conditional write: something has that name."""


@contextmanager
def answering_but(statuses: frozenset[int]) -> Iterator[None]:
    """`answering`, with Taken for answers of these statuses."""
    with answering():
        try:
            yield
        except ClientError as error:
            if status_in(error) in statuses:
                raise Taken from error
            raise
