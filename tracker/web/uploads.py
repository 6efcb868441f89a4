"""Files on their way in: taken in before the form is judged, and carried in the page while something is refused."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, cast

from flask import current_app, request
from flask_babel import lazy_gettext as _l
from itsdangerous import BadSignature, URLSafeTimedSerializer
from wtforms import MultipleFileField

from tracker.config import Settings
from tracker.domain.errors import RuleError
from tracker.domain.media import Limits
from tracker.domain.sign_off import text_digest
from tracker.services.evidence import Allowance
from tracker.storage.intake import Accepted, take_in
from tracker.storage.preview import Previews
from tracker.storage.store import Store
from tracker.tasks.stores import evidence_store
from tracker.web.access import current_actor
from tracker.web.errors import sentence_of, status_of
from tracker.web.forms import Form

KEPT_FOR = 12 * 3600  # seconds for which a page may carry files that were taken in already


def settings() -> Settings:
    """The settings of this installation."""
    return cast(Settings, current_app.config["TRACKER"])


def store() -> Store:
    """The store of evidence bytes."""
    return evidence_store(settings())


def previews() -> Previews:
    """Pictures of stored files."""
    return Previews(settings().preview_dir, store())


def allowance() -> Allowance:
    """How much one file and one organization may take."""
    return Allowance(settings().file_limit, settings().organization_limit)


class UploadForm(Form):
    """A form with files. `accepted` are those that were taken in, in this request or before a refusal."""

    files = MultipleFileField(_l("文件"))
    accepted: tuple[Accepted, ...] = ()

    def take_in(self) -> None:
        """Take in what came along; a file that is refused is named beside the field, and the others are kept."""
        kept = [file for token in request.form.getlist("kept") if (file := _opened(token))]
        self.accepted = tuple({file.sha256: file for file in (*kept, *self._arrived())}.values())

    def _arrived(self) -> list[Accepted]:
        found = []
        for upload in request.files.getlist(self.files.name):
            if not upload.filename:
                continue
            try:
                found.append(self._taken(upload.stream, upload.filename))
            except RuleError as refusal:
                self.files.errors = [*self.files.errors, sentence_of(refusal)]
                self.refused_with = max(self.refused_with, status_of(refusal))
        return found

    def _taken(self, stream: Any, name: str) -> Accepted:  # noqa: ANN401  whatever the form parser made
        limits = Limits(file_bytes=settings().file_limit)
        return take_in(stream, name=name, store=store(), limits=limits, clamd=settings().clamd)

    @property
    def kept(self) -> list[tuple[str, Accepted]]:
        """What the page carries on: a signed token for each accepted file, and the file."""
        return [(_signer().dumps(asdict(file)), file) for file in self.accepted]


def _signer() -> URLSafeTimedSerializer:
    """Signs for one person only, so that a token is worth nothing to anybody else."""
    return URLSafeTimedSerializer(
        current_app.config["SECRET_KEY"], salt=f"upload {text_digest(current_actor().person_key)}"
    )


def _opened(token: str) -> Accepted | None:
    """The file that a token stands for, if it is ours and the bytes are still there."""
    try:
        file = Accepted(**_signer().loads(token, max_age=KEPT_FOR))
    except BadSignature:
        return None
    return file if store().has(file.sha256) else None
