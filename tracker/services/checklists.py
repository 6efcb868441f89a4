"""Publishing a checklist: from then on its bytes never change."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain.actor import Actor
from tracker.domain.canonical import digest
from tracker.domain.checklist import Checklist
from tracker.domain.checklist_source import load_checklist
from tracker.domain.errors import Conflict, Invalid
from tracker.domain.text import _n
from tracker.models import ChecklistVersion
from tracker.policy import Act, require
from tracker.queries import checklists
from tracker.services import log


def publish(session: Session, source: bytes, *, actor: Actor, now: datetime) -> ChecklistVersion:
    """Freeze a version of a checklist. Publishing the same bytes twice returns the version that is there.

    Raises `Invalid` for a list with errors or one that drops an item of the version before it, and `Conflict` for
    other bytes under a key and version that are taken.
    """
    require(session, actor, Act.ADMINISTER)
    checklist, sha256 = load_checklist(source), digest(source)
    taken = session.scalar(
        select(ChecklistVersion).where(
            ChecklistVersion.key == checklist.key, ChecklistVersion.version == checklist.version
        )
    )
    if taken is not None:
        return _same(taken, sha256)
    _check_nothing_dropped(session, checklist)
    version = ChecklistVersion(
        key=checklist.key,
        version=checklist.version,
        title=checklist.title,
        sha256=sha256,
        source=source,
        published_at=now,
        published_by_id=actor.person_id,
    )
    session.add(version)
    session.flush()
    log.record(
        session,
        actor=actor,
        now=now,
        verb="publish",
        kind="checklist",
        key=f"{checklist.key}:{checklist.version}",
        after={"title": checklist.title, "sha256": sha256, "items": len(checklist.items)},
    )
    return version


def _same(taken: ChecklistVersion, sha256: str) -> ChecklistVersion:
    if taken.sha256 != sha256:
        raise Conflict(
            _n("清单 %(key)s 的版本 %(version)s 已经发布，内容不能再改；请改用新的版本号后发布。"),
            key=taken.key,
            version=taken.version,
        )
    return taken


def _check_nothing_dropped(session: Session, checklist: Checklist) -> None:
    """Nothing vanishes: an item that is no longer asked for is retired, and stays in the list."""
    published = session.scalars(select(ChecklistVersion).where(ChecklistVersion.key == checklist.key))
    known = {item_id for version in published for item_id in checklists.checklist_of(version).item}
    dropped = sorted(known - set(checklist.item))
    if dropped:
        raise Invalid(
            _n("新版本缺少已发布过的事项 %(items)s；不再使用的事项请保留在清单中，并注明 retired: true。"),
            items="、".join(dropped[:10]),
        )
