"""The page that checks a packet somebody uploads: what it finds is shown, and nothing of the file is kept."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import RequestEntityTooLarge
from wtforms import MultipleFileField

from tracker.domain.errors import Conflict, Invalid
from tracker.domain.filename import printable
from tracker.domain.packet_check.result import OUTCOMES
from tracker.domain.text import _n
from tracker.policy import Act
from tracker.tasks.packet_uploads import name_on_disk
from tracker.tasks.packet_verification import verify_in_process
from tracker.web import clock
from tracker.web.access import guard
from tracker.web.forms import Form, page
from tracker.web.language import current_language
from tracker.web.uploads import settings, store

bp = Blueprint("packets", __name__, url_prefix="/packets")

MOST_FILES = 10
_CHUNK = 1 << 20


class VerifyForm(Form):
    """The volumes of packets."""

    file = MultipleFileField(_l("督查卷文件（PDF 或 ZIP）"))


@bp.route("/verify", methods=["GET", "POST"])
@guard(Act.USE)
def verify() -> ResponseReturnValue:
    """Choose packets, and see what a check of them finds; a file that is refused does not hinder the others."""
    form = VerifyForm()
    results: list[dict[str, Any]] = []
    if form.validate_on_submit():
        with form.refusals():
            results = _verified(form, _uploads(form))
    return page(
        "packets/verify.html",
        form,
        results=results,
        at=clock.now(),
        outcomes=OUTCOMES,
        most_files=MOST_FILES,
        request_limit=settings().request_limit,
    )


@bp.errorhandler(RequestEntityTooLarge)
def too_large(_error: RequestEntityTooLarge) -> ResponseReturnValue:
    """Say what can be done with volumes that are too large together; nothing of them was read."""
    megabytes = settings().request_limit // 1024**2
    sentence = _(
        "一次上传的文件合计超过了 %(size)s MB。请把各册分几次上传：每次的结果会写明还缺哪几册；"
        "要一次核验全部各册，请在电脑上用卷内的 verify_packet.py。",
        size=megabytes,
    )
    return render_template("errors/refusal.html", status=413, sentence=sentence), 413


def _uploads(form: VerifyForm) -> list[FileStorage]:
    uploads = [upload for upload in form.file.data or [] if isinstance(upload, FileStorage) and upload.filename]
    if not uploads:
        raise Invalid(_n("请先选择要核验的 PDF 文件。"), field="file")
    if len(uploads) > MOST_FILES:
        raise Invalid(_n("一次最多核验 %(most)s 个文件，请分几次上传。"), field="file", most=MOST_FILES)
    return uploads


def _verified(form: VerifyForm, uploads: list[FileStorage]) -> list[dict[str, Any]]:
    """The result of each packet that was handed in; what is wrong with single files is put beside the field."""
    with _workplace() as folder:
        paths = []
        for number, upload in enumerate(uploads):
            with form.refusals():
                paths.append(_received(upload, folder / str(number)))
        if not paths:
            return []
        place = folder / "found"
        place.mkdir(mode=0o700)
        trusted = settings().trusted_certificates
        answer = verify_in_process(paths, folder=place, trusted=trusted, language=current_language())
    for refusal in answer.refusals:
        with form.refusals():
            raise refusal
    return answer.results


def _received(upload: FileStorage, folder: Path) -> Path:
    """Copy one file where the check reads it. Raises Invalid for one of another kind, StoreFull without room for it."""
    name = printable(upload.filename or "")
    _check_kind(upload, name)
    folder.mkdir(mode=0o700)
    path, room = folder / name_on_disk(upload.filename or ""), store()
    with path.open("xb") as file:
        while chunk := upload.stream.read(_CHUNK):
            room.check_room()
            file.write(chunk)
    return path


def _check_kind(upload: FileStorage, name: str) -> None:
    head = upload.stream.read(1024)
    upload.stream.seek(0)
    if not head:
        raise Invalid(_n("《%(name)s》是空文件，请重新选择。"), field="file", name=name)
    if b"%PDF-" not in head and not head.startswith(b"PK\x03\x04"):
        raise Invalid(_n("《%(name)s》不是 PDF 文件，请选择督查卷的 PDF 文件。"), field="file", name=name)


@contextmanager
def _workplace() -> Iterator[Path]:
    """An empty folder for one upload at a time: a check takes memory and a thread, so nobody waits for another.

    What a process left there that was killed goes too. Raises Conflict where another check is running.
    """
    place = settings().data_dir.resolve() / "verifying"
    place.mkdir(mode=0o700, exist_ok=True)
    with (place / "lock").open("w") as lock:
        _take(lock.fileno())
        folder = place / "files"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder)


def _take(lock: int) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Conflict(_n("正在核验另一份，请稍后再试。"), field="file") from None
