"""In whose words a roster is written: the checklist of the open year, else the newest, else one that is delivered."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from sqlalchemy.orm import Session

from tracker.domain.checklist import Checklist
from tracker.domain.checklist_source import load_checklist
from tracker.domain.errors import NotFound
from tracker.domain.text import _n
from tracker.models import ChecklistVersion
from tracker.queries.checklists import checklist_of, published
from tracker.queries.cycles import all_cycles, was_closed


def roster_checklist(
    session: Session, *, folder: Path, key: str | None = None, as_of: datetime | None = None
) -> Checklist:
    """Return the checklist whose levels and posts a roster names: the published one with that key, or the one in use.

    In use is the list of the newest year open at `as_of`, else the newest published by then. A list that is not
    published is looked for among the files of `folder`. Raises NotFound if there is none.
    """
    version = _in_use(session, as_of) if key is None else _published(session, key)
    if version is not None:
        return checklist_of(version)
    for path in sorted(folder.glob("*.yaml")):
        found = load_checklist(path.read_bytes())
        if key in (None, found.key):
            return found
    raise NotFound(_n("没有代号为 %(key)s 的清单，请核对代号，或先发布清单。"), key=key or "—")


def _in_use(session: Session, as_of: datetime | None) -> ChecklistVersion | None:
    open_then = (cycle for cycle in all_cycles(session, as_of=as_of) if not was_closed(cycle, as_of))
    cycle = next(open_then, None)
    return cycle.checklist_version if cycle else next(iter(published(session, as_of=as_of)), None)


def _published(session: Session, key: str) -> ChecklistVersion | None:
    return next((version for version in published(session) if version.key == key), None)
