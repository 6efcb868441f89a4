"""What the URL of a store names: a folder of this machine, or a bucket that several machines share."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)


@dataclass(frozen=True)
class Bucket:
    """What an s3: URL names; `prefix` ends in a slash or is empty, `timeout` in seconds is for one answer."""

    name: str
    prefix: str = ""
    endpoint: str = ""
    region: str = "us-east-1"
    timeout: float = 20.0


def bucket_of(url: str) -> Bucket:
    """Read `s3://bucket/prefix?endpoint=http://host:port&region=name&timeout=seconds`; ValueError, in words."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    endpoint = options.get("endpoint", "")
    if "@" in parts.netloc + urlsplit(endpoint).netloc:
        raise ValueError("should hold no key and no secret; TRACKER_STORE_KEY_ID and TRACKER_STORE_SECRET hold them")
    if not _BUCKET.fullmatch(parts.netloc):
        raise ValueError(f"{parts.netloc!r} is not the name of a bucket; it should be s3://bucket/prefix?endpoint=…")
    if surplus := options.keys() - {"endpoint", "region", "timeout"}:
        raise ValueError(f"{', '.join(sorted(surplus))}: not known; there are endpoint, region and timeout")
    if endpoint and not _is_address(endpoint):
        raise ValueError(f"endpoint {endpoint!r} should be http://host:port or https://host")
    try:
        timeout = float(options.get("timeout", Bucket.timeout))
    except ValueError:
        raise ValueError(f"timeout {options['timeout']!r} should be seconds") from None
    prefix = parts.path.strip("/")
    return Bucket(
        parts.netloc, f"{prefix}/" if prefix else "", endpoint, options.get("region", Bucket.region), max(timeout, 0.1)
    )


def _is_address(endpoint: str) -> bool:
    parts = urlsplit(endpoint)
    try:
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # the port is no number
        return False


def is_bucket(url: str) -> bool:
    """Whether a URL means a bucket, which several machines share."""
    return url.startswith("s3:")


def place_of(url: str) -> Bucket | Path:
    """What a URL names: a bucket, or a folder; ValueError, in words for whoever runs the system, for any other."""
    if is_bucket(url):
        return bucket_of(url)
    parts = urlsplit(url)
    if parts.scheme != "file" or parts.netloc or not parts.path.startswith("/"):
        raise ValueError("should be file:///path or s3://bucket/prefix?endpoint=http://host:port&region=name")
    return Path(unquote(parts.path))
