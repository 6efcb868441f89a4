"""Pictures of all pages of stored files, for a packet: drawn by a few child processes, and kept in a folder.

The folder is a cache, with a folder in it for each file that was drawn; it can be emptied while nothing is drawn. A
file gets pictures or a word that says why there are none; only a fault of the disk or the installation is an exception.
"""

from __future__ import annotations

import json
import os
import queue
import select
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from tracker.domain.media import KINDS, MEBIBYTE, Preview
from tracker.storage import child
from tracker.storage.parts import Check
from tracker.storage.store import Store

MAX_PAGES = 200
MAX_BYTES = 256 * MEBIBYTE  # of the pictures of one file; then its last page was the last
NO_MEMORY = os.EX_UNAVAILABLE  # the exit code of a child whose file wants too much memory

STALL_SECONDS = 20.0  # without a word from a child
FILE_SECONDS = 240.0

_RECIPE = 1  # raise it when the same file would be drawn differently
_SOFTWARE = ("pillow", "pillow-heif", "pypdfium2")
_FONTS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path("/usr/share/X11/fonts"))  # PDFium's
_STALE_SECONDS = 24 * 3600
_START_SECONDS = 60.0
_END_SECONDS = 5.0
_PIECE = 4096  # bytes
_LONGEST_REPLIES = 2 * _PIECE
_NOTE = "note.json"
_CODES: Mapping[str, str] = {
    name: kind.code
    for kind in KINDS.values()
    if kind.preview is not Preview.NONE
    for name in (kind.code, kind.media_type)
}


@dataclass(frozen=True)
class SheetJob:
    """A file to draw: its digest, and its kind as a code or a media type."""

    digest: str
    kind: str


@dataclass(frozen=True)
class Sheet:
    """The picture of a page, a JPEG; width and height in pixels."""

    path: Path
    width: int
    height: int


@dataclass(frozen=True)
class Sheets:
    """What is shown of a file: pictures of its first pages, of `pages` that it has (0: not known).

    `why` says in a word of the table in `docs/packet.md` why they are not all shown, and is empty where they are. There
    are pictures only with no word or with `too_many_pages`.
    """

    sheets: tuple[Sheet, ...] = ()
    pages: int = 0
    why: str = ""


class NoTime(OSError):
    """The machine twice had no time to draw a file, or ended its child: that says nothing of the file."""


def no_progress(_done: int, _total: int) -> None:
    """Tell nobody."""


def draw_sheets(
    jobs: Sequence[SheetJob],
    store: Store,
    cache: Path,
    *,
    workers: int = 2,
    progress: Callable[[int, int], None] = no_progress,
) -> list[Sheets]:
    """Return what is shown of each file, in the order of the jobs, drawing what `cache` does not hold yet.

    Each file is hashed at each call. `progress` is called in this thread with how many files are done, and of how many.
    Raises NoTime when the machine was too busy, OSError when the disk, or the installation, and not a file is at fault.
    """
    cache.mkdir(parents=True, exist_ok=True, mode=0o700)
    _sweep(cache)
    different = list(dict.fromkeys(jobs))
    studio = _Studio(store, cache.resolve(), workers)
    with ExitStack() as stack:
        stack.callback(studio.close)
        pool = stack.enter_context(ThreadPoolExecutor(workers))
        waiting = {pool.submit(studio.sheets, job): job for job in different}
        stack.callback(pool.shutdown, wait=False, cancel_futures=True)
        found = {}
        for done, each in enumerate(as_completed(waiting), start=1):
            found[waiting[each]] = each.result()
            progress(done, len(different))
    return [found[job] for job in jobs]


def forget(cache: Path, digest: str) -> None:
    """Remove everything that was drawn of a digest. For sealing, after the bytes themselves are destroyed."""
    for path in cache.glob("*"):
        if path.name.startswith(f"{digest}-"):
            shutil.rmtree(path, ignore_errors=True)


def forget_old(cache: Path, keep_bytes: int) -> None:
    """Remove drawn pages, those files first that were not wanted for longest, until `keep_bytes` are left.

    What was wanted within a day stays: somebody may be printing it.
    """
    used = []
    for note in cache.glob(f"*/{_NOTE}"):
        with suppress(FileNotFoundError):  # another one forgets at the same time
            size = sum(path.stat().st_size for path in note.parent.iterdir())
            used.append((note.parent.stat().st_mtime, size, note.parent))
    total = sum(size for _, size, _ in used)
    for last, size, folder in sorted(used):
        if total <= keep_bytes or last > time.time() - _STALE_SECONDS:
            return
        shutil.rmtree(folder, ignore_errors=True)
        total -= size


def sheet_path(folder: Path, number: int) -> Path:
    """Return where the picture of a page lies, counted from 1, in the folder of its file."""
    return folder / f"{number:03}.jpg"


class _Studio:
    """Draws files in several threads, each with a child at its side."""

    def __init__(self, store: Store, cache: Path, workers: int) -> None:
        self._store, self._cache, self._recipe = store, cache, _recipe()
        self._painters: queue.LifoQueue[_Painter] = queue.LifoQueue()
        for _ in range(workers):
            self._painters.put(_Painter())

    def close(self) -> None:
        while not self._painters.empty():
            self._painters.get().close()

    def sheets(self, job: SheetJob) -> Sheets:
        check = self._store.verify(job.digest)
        if check is not Check.OK:
            return Sheets(why=check)
        if job.kind not in _CODES:
            return Sheets(why="kind")
        code = _CODES[job.kind]
        kept = self._cache / f"{job.digest}-{code}-{self._recipe}"
        found = _read(kept)
        if found is None:
            return self._drawn(job.digest, code, kept)
        with suppress(FileNotFoundError):  # a seal takes it away just now
            os.utime(kept)
        return found

    def _drawn(self, digest: str, code: str, kept: Path) -> Sheets:
        """Draw a file and keep its pages, but nothing of bytes that are destroyed or changed meanwhile."""
        try:
            with self._place(digest) as place:
                sheets = self._kept(self._store.staged(digest, Path(place)), code, kept)
        except OSError:  # whoever seals a file takes its unfinished pages away too
            if self._store.has(digest):
                raise
        check = self._store.verify(digest)
        if check is Check.OK:
            return sheets
        forget(self._cache, digest)
        return Sheets(why=check)

    def _place(self, digest: str) -> TemporaryDirectory[str]:
        """A folder for a copy of the file, which a seal finds by its name."""
        return TemporaryDirectory(dir=self._cache, prefix=f"{digest}-", suffix=".new", ignore_cleanup_errors=True)

    def _kept(self, original: Path, code: str, kept: Path) -> Sheets:
        fresh = self._cache / f"{original.name}-{uuid.uuid4().hex}.new"
        fresh.mkdir(mode=0o700)
        painter = self._painters.get()
        try:
            _write_note(fresh, painter.draw(original, code, fresh))
            return _adopted(fresh, kept)
        finally:
            self._painters.put(painter)
            shutil.rmtree(fresh, ignore_errors=True)


# --- what is kept -------------------------------------------------------------------------------------------------


def _recipe() -> str:
    """A name for everything but the file that shapes a picture, fonts too: not every document brings its own."""
    software = [f"{name} {version(name)}" for name in _SOFTWARE]
    fonts = sorted(f"{path} {path.stat().st_size}" for folder in _FONTS for path in folder.rglob("*") if path.is_file())
    return sha256(repr((_RECIPE, software, fonts)).encode()).hexdigest()[:16]


def _write_note(folder: Path, outcome: _Outcome) -> None:
    if not outcome.sizes:
        for path in folder.iterdir():  # the pages before the one that could not be drawn
            path.unlink()
    sheets = [
        [width, height, sheet_path(folder, number).stat().st_size]
        for number, (width, height) in enumerate(outcome.sizes, start=1)
    ]
    note = {"pages": outcome.pages, "sheets": sheets, "why": outcome.why}
    (folder / _NOTE).write_text(json.dumps(note), "ascii")


def _read(folder: Path) -> Sheets | None:
    """What was drawn before; nothing where a power cut left less than the note says."""
    try:
        note = json.loads((folder / _NOTE).read_text("ascii"))
        sizes = [(sheet_path(folder, number), *entry) for number, entry in enumerate(note["sheets"], start=1)]
        if any(path.stat().st_size != size for path, _, _, size in sizes):
            return None
    except (FileNotFoundError, ValueError):
        return None
    return Sheets(tuple(Sheet(path, width, height) for path, width, height, _ in sizes), note["pages"], note["why"])


def _adopted(fresh: Path, kept: Path) -> Sheets:
    """Give a finished folder its name, in one step; somebody else may have drawn the same meanwhile."""
    if _read(kept) is None:
        shutil.rmtree(kept, ignore_errors=True)
    with suppress(OSError):  # that there is one already; all else shows in the next line
        fresh.rename(kept)
    sheets = _read(kept)
    if sheets is None:
        raise OSError("drawn pages could not be kept")
    return sheets


def _sweep(cache: Path) -> None:
    """Remove what a crash left unfinished."""
    for path in cache.glob("*.new"):
        if path.exists() and path.stat().st_mtime < time.time() - _STALE_SECONDS:
            shutil.rmtree(path, ignore_errors=True)


# --- the child at work --------------------------------------------------------------------------------------------


@dataclass
class _Outcome:
    """What a child made of a file."""

    pages: int = 0
    sizes: list[tuple[int, int]] = field(default_factory=list)
    why: str = ""


@dataclass(frozen=True)
class _Fate:
    """What the loss of a child says of the file at hand, if anything; `again`: a new child may do better."""

    why: str
    again: bool = True


class _Lost(Exception):
    """The child is dead, or of no use any more."""

    def __init__(self, fate: _Fate) -> None:
        self.fate = fate
        super().__init__(fate.why)


_CRASHED = _Fate("damaged")
_NO_TIME = _Fate("")  # the limits of the child are well within the patience of its parent
_FATES: Mapping[int, _Fate] = {
    NO_MEMORY: _Fate("too_slow"),
    -signal.SIGABRT: _Fate("too_slow"),  # how a library ends without memory
    -signal.SIGXCPU: _Fate("too_slow", again=False),
    -signal.SIGKILL: _NO_TIME,  # by the kernel or by hand, never by us
}


class _Painter:
    """A child that draws one file after the other; when it is lost, a new one goes on.

    What an earlier file did to a child is not blamed on a later one: a file is at fault if a new child fails on it too.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._heard = b""

    def draw(self, original: Path, code: str, folder: Path) -> _Outcome:
        """Draw a file into the folder. Raises OSError, NoTime too, when something else than the file is at fault."""
        job = json.dumps({"path": str(original), "kind": code, "folder": str(folder)}) + "\n"
        interrupted = 0
        while True:
            process, is_new = self._ready()
            outcome = _Outcome()
            try:
                self._listen(process, job.encode(), outcome)
            except OSError:
                self.close()
                raise
            except _Lost as loss:
                self.close()
                interrupted += loss.fate is _NO_TIME
                if interrupted > 1:
                    raise NoTime(f"{original.name} was not drawn, twice") from loss
                if loss.fate is not _NO_TIME and (is_new or not loss.fate.again):
                    return _Outcome(outcome.pages, why=loss.fate.why)
            else:
                return outcome

    def close(self) -> None:
        """End the child."""
        if self._process:
            with self._process:
                child.end(self._process)
        self._process, self._heard = None, b""

    def _ready(self) -> tuple[subprocess.Popen[bytes], bool]:
        """A child that waits for a job, and whether it is a new one."""
        if self._process:
            return self._process, False
        self._process = child.start("draw_sheets", stdin=subprocess.PIPE)
        try:
            self._reply(self._process, _START_SECONDS)
        except _Lost as loss:
            self.close()
            raise OSError("the program that draws pages does not start") from loss
        return self._process, True

    def _listen(self, process: subprocess.Popen[bytes], job: bytes, outcome: _Outcome) -> None:
        """Give the child a job and write down what it says until it is done."""
        self._tell(process, job)
        until = time.monotonic() + FILE_SECONDS
        while (reply := self._reply(process, min(STALL_SECONDS, until - time.monotonic()))) != {"why": ""}:
            match reply:
                case {"pages": int(pages)}:
                    outcome.pages = pages
                case {"width": int(width), "height": int(height)}:
                    outcome.sizes.append((width, height))
                case {"why": "too_many_pages" as why}:
                    outcome.why = why
                    return
                case {"why": ("encrypted" | "damaged" | "too_large") as why}:
                    outcome.why, outcome.sizes = why, []
                    return
                case _:
                    raise _Lost(_CRASHED)

    def _tell(self, process: subprocess.Popen[bytes], job: bytes) -> None:
        try:
            process.stdin.write(job)  # type: ignore[union-attr]  # it is a pipe
        except BrokenPipeError:
            raise _Lost(_fate(process)) from None

    def _reply(self, process: subprocess.Popen[bytes], seconds: float) -> object:
        """The next thing that the child says, within so many seconds."""
        until = time.monotonic() + seconds
        while b"\n" not in self._heard:
            self._heard += _piece(process, until - time.monotonic())
            if len(self._heard) > _LONGEST_REPLIES:
                raise _Lost(_CRASHED)
        line, _, self._heard = self._heard.partition(b"\n")
        try:
            return json.loads(line)
        except (ValueError, RecursionError):
            raise _Lost(_CRASHED) from None


def _piece(process: subprocess.Popen[bytes], seconds: float) -> bytes:
    """What the child has written, within so many seconds."""
    pipe = process.stdout.fileno()  # type: ignore[union-attr]  # it is a pipe
    ready = select.poll()
    ready.register(pipe, select.POLLIN)
    if not ready.poll(max(0, seconds) * 1000):
        raise _Lost(_NO_TIME)
    piece = os.read(pipe, _PIECE)
    if not piece:
        raise _Lost(_fate(process))
    return piece


def _fate(process: subprocess.Popen[bytes]) -> _Fate:
    """What the end of a child says of the file at hand. Raises OSError when the disk was at fault."""
    try:
        code = process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        return _CRASHED
    if code == os.EX_TEMPFAIL:
        raise OSError("the disk failed while pages were drawn")
    return _FATES.get(code, _CRASHED)
