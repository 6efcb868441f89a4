"""The page that checks a packet somebody uploads: what it finds is shown, and nothing of the file is kept."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from flask import Blueprint
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from werkzeug.datastructures import FileStorage
from wtforms import MultipleFileField

from tracker.domain.errors import Conflict, Invalid
from tracker.domain.filename import printable
from tracker.domain.packet_check.result import OUTCOMES, PRINTED
from tracker.domain.text import _n
from tracker.policy import Act
from tracker.tasks.packet_verification import verify_in_process
from tracker.web import clock
from tracker.web.access import guard
from tracker.web.forms import Form, page
from tracker.web.language import current_language
from tracker.web.uploads import settings, store

bp = Blueprint("packets", __name__, url_prefix="/packets")

MOST_FILES = 10
PATIENCE = 60.0  # seconds for which an upload waits while another one is checked
_ON_DISK = "packet.pdf"  # sentences of the result name it; the name it came with may be none for a disk
_CHUNK = 1 << 20


class VerifyForm(Form):
    """The volumes of a packet."""

    file = MultipleFileField(_l("督查卷文件（PDF）"))


@dataclass(frozen=True)
class Verified:
    """What was found in one file: `said` is the result as `verify_in_process` gives it."""

    name: str
    size: int
    sha256: str
    at: datetime
    said: dict[str, Any]


@bp.route("/verify", methods=["GET", "POST"])
@guard(Act.USE)
def verify() -> ResponseReturnValue:
    """Choose a packet, and see what a check of it finds; a file that is refused does not hinder the others."""
    form = VerifyForm()
    results: list[Verified] = []
    if form.validate_on_submit():
        with form.refusals():
            for upload in _uploads(form):
                with form.refusals():
                    results.append(_verified(upload))
    return page(
        "packets/verify.html",
        form,
        results=results,
        outcomes=OUTCOMES,
        most=PRINTED,
        most_files=MOST_FILES,
        request_limit=settings().request_limit,
    )


def _uploads(form: VerifyForm) -> list[FileStorage]:
    uploads = [upload for upload in form.file.data or [] if isinstance(upload, FileStorage) and upload.filename]
    if not uploads:
        raise Invalid(_n("请先选择要核验的 PDF 文件。"), field="file")
    if len(uploads) > MOST_FILES:
        raise Invalid(_n("一次最多核验 %(most)s 个文件，请分几次上传。"), field="file", most=MOST_FILES)
    return uploads


def _verified(upload: FileStorage) -> Verified:
    """Check one file. Raises Invalid for one that is no PDF, StoreFull where the disk has no room for it."""
    name = printable(upload.filename or "")
    _check_kind(upload, name)
    with _workplace() as folder:
        path = folder / _ON_DISK
        size, sha256 = _copied(upload, path)
        said = verify_in_process(path, trusted=settings().trusted_certificates, language=current_language())
    return Verified(name, size, sha256, clock.now(), said)


def _check_kind(upload: FileStorage, name: str) -> None:
    head = upload.stream.read(1024)
    upload.stream.seek(0)
    if not head:
        raise Invalid(_n("《%(name)s》是空文件，请重新选择。"), field="file", name=name)
    if head.startswith(b"PK\x03\x04"):
        raise Invalid(_n("《%(name)s》是压缩包，请先解压，再选择其中的 PDF 文件核验。"), field="file", name=name)
    if b"%PDF-" not in head:
        raise Invalid(_n("《%(name)s》不是 PDF 文件，请选择督查卷的 PDF 文件。"), field="file", name=name)


def _copied(upload: FileStorage, path: Path) -> tuple[int, str]:
    """Copy the upload where the check reads it; its size and its SHA-256."""
    size, sha256, room = 0, hashlib.sha256(), store()
    with path.open("xb") as file:
        while chunk := upload.stream.read(_CHUNK):
            room.check_room()
            file.write(chunk)
            sha256.update(chunk)
            size += len(chunk)
    return size, sha256.hexdigest()


@contextmanager
def _workplace() -> Iterator[Path]:
    """An empty folder for one file at a time: a check takes memory, and whoever comes first leaves nothing behind.

    What a process left there that was killed goes too. Raises Conflict where the others take too long.
    """
    place = settings().data_dir.resolve() / "verifying"
    place.mkdir(mode=0o700, exist_ok=True)
    with (place / "lock").open("w") as lock:
        _wait_for(lock.fileno())
        folder = place / "file"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder)


def _wait_for(lock: int) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                raise Conflict(_n("系统正在核验别的督查卷，请过一会儿再上传。"), field="file") from None
            time.sleep(0.2)
        else:
            return
