"""Pictures of evidence for pages: made anew from the file, without its metadata, and kept as long as they are useful.

The folder of previews is a cache: it can be emptied at any time. A page always gets an answer and never an exception.
"""

from __future__ import annotations

import os
import shutil
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory

from tracker.domain.errors import Unavailable
from tracker.domain.media import KINDS, Preview
from tracker.domain.text import _n
from tracker.storage import child
from tracker.storage.blobs import checked
from tracker.storage.refusal import Refused, Why
from tracker.storage.store import Store

MEDIA_TYPE = "image/jpeg"

_AT_ONCE = threading.BoundedSemaphore(2)  # drawings in one process: the others wait, the pages stay usable


class Size(StrEnum):
    """How large: to look at (1600 pixels at most) or for a list (320)."""

    LARGE = "large"
    SMALL = "small"


@dataclass(frozen=True)
class Shown:
    """A preview, a JPEG at `path`."""

    path: Path


@dataclass(frozen=True)
class NotShown:
    """There is no preview; `reason` is a gettext key that says why and what to do."""

    reason: str


_KIND = _n("这种文件不能在网页上预览，请下载后查看。")
_MISSING = _n("文件不在存储中，无法预览；请联系管理员核查。")
_FAILED = _n("预览图生成失败，请下载后查看。")
_REASONS: Mapping[Why, str] = {
    Why.DAMAGED: _n("文件无法解析，不能预览；请下载后查看。"),
    Why.NO_PAGES: _n("没有这一页。"),
    Why.PIXELS: _n("图片尺寸过大，不能预览；请下载后查看。"),
    Why.TOO_SLOW: _n("生成预览用时过长或占用内存过多，不能预览；请下载后查看。"),
}


class Previews:
    """The previews of a store, kept in folder `root`."""

    def __init__(self, root: Path, store: Store) -> None:
        self.root = root.resolve()
        self._store = store
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)

    def show(self, digest: str, *, kind: str, number: int = 1, size: Size = Size.LARGE) -> Shown | NotShown:
        """Return the preview of page `number` (from 1) of stored bytes of that kind, drawing it at its first use.

        A file that cannot be drawn is not tried again until `forget`. ValueError only for what is no digest or kind.
        """
        checked(digest)
        if KINDS.get(kind) is None:
            raise ValueError(f"not the code of a kind: {kind!r}")
        if KINDS[kind].preview is Preview.NONE:
            return NotShown(_KIND)
        try:
            if not self._store.has(digest):
                return NotShown(_MISSING)
            return self._kept(digest, number, size) or self._drawn(digest, kind, number, size)
        except Unavailable as fault:
            return NotShown(fault.message)

    def forget(self, digest: str) -> None:
        """Remove every preview of stored bytes; sealing and garbage collection call it."""
        checked(digest)
        for path in self.root.glob(f"{digest}-*"):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def _path(self, digest: str, number: int, size: Size) -> Path:
        ending = "" if size is Size.LARGE else "-small"
        return self.root / f"{digest}-{number}{ending}.jpg"

    def _note(self, digest: str, number: int) -> Path:
        """Where it is kept that a page cannot be drawn, and why."""
        return self.root / f"{digest}-{number}.failed"

    def _kept(self, digest: str, number: int, size: Size) -> Shown | NotShown | None:
        path = self._path(digest, number, size)
        if path.exists():
            return Shown(path)
        try:
            return _not_shown(self._note(digest, number).read_text("ascii"))
        except FileNotFoundError:
            return None

    def _drawn(self, digest: str, kind: str, number: int, size: Size) -> Shown | NotShown:
        fresh = [self.root / f"{digest}-{uuid.uuid4().hex}.new" for _ in Size]
        try:
            with _AT_ONCE, TemporaryDirectory(dir=self.root, prefix=f"{digest}-") as folder:
                original = self._store.staged(digest, Path(folder))
                child.run("draw", str(original), kind, str(number), *map(str, fresh))
            for part, each in zip(fresh, Size, strict=True):
                os.replace(part, self._path(digest, number, each))
        except Refused as refusal:
            return self._failed(digest, number, refusal.why)
        except OSError:
            return NotShown(_FAILED)
        finally:
            for part in fresh:
                part.unlink(missing_ok=True)
        return Shown(self._path(digest, number, size))

    def _failed(self, digest: str, number: int, why: Why) -> NotShown:
        if why is not Why.NO_PAGES:  # there is no end of page numbers that somebody could ask for
            self._note(digest, number).write_text(why, "ascii")
        return _not_shown(why)


def _not_shown(why: str) -> NotShown:
    return NotShown(_REASONS.get(Why(why), _FAILED))
