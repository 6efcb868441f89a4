"""Published checklists: which there are, and what stands in them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime
from threading import Lock

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain.checklist import Checklist, CountKind
from tracker.domain.checklist_source import load_checklist
from tracker.domain.errors import NotFound
from tracker.domain.text import _n
from tracker.models import ChecklistVersion

_KEPT = 16
_parsed: OrderedDict[str, Checklist] = OrderedDict()
_lock = Lock()


def checklist_of(version: ChecklistVersion) -> Checklist:
    """What stands in a published version; parsed once and then known by its digest, in every thread."""
    if (known := _known(version.sha256)) is not None:
        return known
    checklist = load_checklist(version.source)
    with _lock:
        _parsed[version.sha256] = checklist
        while len(_parsed) > _KEPT:
            _parsed.popitem(last=False)
    return checklist


def checklist_digested(session: Session, sha256: str) -> Checklist:
    """What stands in the published version of this digest; the database is asked only where it is not known yet."""
    return _known(sha256) or checklist_of(session.scalars(select(ChecklistVersion).filter_by(sha256=sha256)).one())


def _known(sha256: str) -> Checklist | None:
    with _lock:
        if sha256 in _parsed:
            _parsed.move_to_end(sha256)
        return _parsed.get(sha256)


def published(session: Session, *, as_of: datetime | None = None) -> Sequence[ChecklistVersion]:
    """All versions published by then, the newest first."""
    order = ChecklistVersion.published_at.desc(), ChecklistVersion.id.desc()
    query = select(ChecklistVersion).order_by(*order)
    return session.scalars(query if as_of is None else query.where(ChecklistVersion.published_at <= as_of)).all()


def latest(session: Session, key: str) -> ChecklistVersion:
    """The version of a checklist that was published last. Raises `NotFound` if none was."""
    found = session.scalar(
        select(ChecklistVersion)
        .where(ChecklistVersion.key == key)
        .order_by(ChecklistVersion.published_at.desc(), ChecklistVersion.id.desc())
        .limit(1)
    )
    if found is None:
        raise NotFound(_n("没有代号为 %(key)s 的已发布清单；请核对代号，或先发布清单。"), key=key)
    return found


def version_of(session: Session, key: str, version: str) -> ChecklistVersion:
    """One published version. Raises `NotFound` if there is none."""
    found = session.scalar(
        select(ChecklistVersion).where(ChecklistVersion.key == key, ChecklistVersion.version == version)
    )
    if found is None:
        raise NotFound(_n("没有已发布的清单 %(key)s（版本 %(version)s），请核对。"), key=key, version=version)
    return found


def count_kinds(session: Session) -> dict[str, CountKind]:
    """Whatever any published list counts, as the latest one says it."""
    digests = session.scalars(select(ChecklistVersion.sha256).order_by(ChecklistVersion.id))
    return {
        key: kind for digest in digests.all() for key, kind in checklist_digested(session, digest).count_kind.items()
    }
