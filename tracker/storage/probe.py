"""Asks a bucket, before anything is entrusted to it, whether it keeps what it is given: never assume, ask."""

from __future__ import annotations

import hashlib
import logging
import uuid
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from tracker.storage.s3 import S3Store, sha256_header, status_in

_FIRST, _SECOND = b"the first bytes", b"other bytes"
_FAULTS = (BotoCoreError, HTTPClientError, ConnectionError, TimeoutError)

logger = logging.getLogger(__name__)


def faults_of(store: S3Store) -> list[str]:
    """What is wrong with the bucket of a store, each in a line that names the setting and says what to do."""
    try:
        store.client.head_bucket(Bucket=store.bucket)
        return list(_broken_promises(store))
    except ClientError as error:
        return [_refused(store, error)]
    except _FAULTS as error:
        name = type(error).__name__
        return [f"TRACKER_STORE_URL: the store does not answer ({name}); correct the endpoint, or start the store"]


def answers(store: S3Store) -> bool:
    """Whether the bucket is there and lets us in, at this moment."""
    try:
        store.client.head_bucket(Bucket=store.bucket)
    except (ClientError, *_FAULTS) as error:
        logger.error("the store does not answer: %s", error)
        return False
    return True


def _refused(store: S3Store, error: ClientError) -> str:
    status = status_in(error)
    if status in {401, 403}:
        return (
            "TRACKER_STORE_KEY_ID, TRACKER_STORE_SECRET: the store refuses them "
            f"for the bucket {store.bucket!r}; correct them, or let this key read, write, list and delete there"
        )
    if status == 404:
        return f"TRACKER_STORE_URL: there is no bucket {store.bucket!r}; make it, or correct the name"
    return f"TRACKER_STORE_URL: the store answers {error.operation_name} with {status}; look into its log"


def _broken_promises(store: S3Store) -> Iterator[str]:
    key = f"{store.prefix}probe/{uuid.uuid4().hex}"
    changed = f"{key}-changed"
    try:
        _write(store, key, _FIRST, of=_FIRST, IfNoneMatch="*")
        if _read(store, key) != _FIRST:
            yield "TRACKER_STORE_URL: the store does not give back what was written; use another one"
        if not _refuses(store, key, _SECOND, of=_SECOND, IfNoneMatch="*") or _read(store, key) == _SECOND:
            yield (
                "TRACKER_STORE_URL: the store overwrites although it is told not to (If-None-Match: *); evidence "
                "would not be safe there; use a store with conditional writes"
            )
        if not _refuses(store, changed, _SECOND, of=_FIRST):
            yield (
                "TRACKER_STORE_URL: the store takes bytes whose checksum is wrong (x-amz-checksum-sha256); damage on "
                "the way would not be noticed; use a store that compares checksums"
            )
        if _keeps_versions(store):
            yield (
                f"TRACKER_STORE_URL: the bucket {store.bucket!r} keeps old versions, so what is sealed would not be "
                "destroyed; suspend versioning, or use another bucket"
            )
    finally:
        for each in (key, changed):
            store.client.delete_object(Bucket=store.bucket, Key=each)


def _write(store: S3Store, key: str, body: bytes, *, of: bytes, **more: str) -> None:
    checksum = sha256_header(hashlib.sha256(of).hexdigest())
    store.client.put_object(Bucket=store.bucket, Key=key, Body=body, ChecksumSHA256=checksum, **more)


def _refuses(store: S3Store, key: str, body: bytes, *, of: bytes, **more: str) -> bool:
    try:
        _write(store, key, body, of=of, **more)
    except ClientError as error:
        if status_in(error) >= 500:
            raise
        return True
    return False


def _read(store: S3Store, key: str) -> bytes:
    with store.client.get_object(Bucket=store.bucket, Key=key)["Body"] as body:
        return bytes(body.read())


def _keeps_versions(store: S3Store) -> bool:
    try:
        found: dict[str, Any] = store.client.get_bucket_versioning(Bucket=store.bucket)
    except ClientError:  # a store that knows no versions
        return False
    return found.get("Status") == "Enabled"
