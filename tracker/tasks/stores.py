"""The stores of an installation: evidence, rosters between two steps, and, where machines share a bucket, results."""

from __future__ import annotations

from pathlib import Path

from tracker.config import Settings
from tracker.domain.store_place import is_bucket
from tracker.storage.store import Store, open_store

EVIDENCE = "evidence/"  # the prefix in a bucket


def evidence_store(settings: Settings, *, patience: float | None = None) -> Store:
    """Where the bytes of evidence are: a folder of the data folder, or what `TRACKER_STORE_URL` names.

    With `patience`, in seconds, a store that does not answer is given up after that time.
    """
    return _opened(settings, settings.store_dir, EVIDENCE, settings.store_url, patience=patience)


def roster_store(settings: Settings) -> Store:
    """Where a roster waits between its dry run and its import: beside the evidence where that is in a bucket."""
    return _opened(settings, settings.data_dir.resolve() / "rosters", "rosters/", _shared(settings))


def shared_results(settings: Settings) -> Store | None:
    """Where the files that jobs made are for all machines; None where they lie in the data folder of the only one."""
    if not is_bucket(settings.store_url):
        return None
    return _opened(settings, settings.data_dir.resolve() / "arriving", "results/", settings.store_url)


def _shared(settings: Settings) -> str:
    return settings.store_url if is_bucket(settings.store_url) else ""


def _opened(settings: Settings, folder: Path, below: str, url: str, *, patience: float | None = None) -> Store:
    return open_store(
        url,
        folder,
        key_id=settings.store_key_id,
        secret=settings.store_secret.get_secret_value(),
        below=below if is_bucket(url) else "",
        free_space_floor=settings.free_space_floor,
        patience=patience,
    )
