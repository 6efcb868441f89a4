"""The words of a team's papers: each saving is a new row, the earlier words are kept."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain.actor import Actor
from tracker.domain.errors import Conflict, Invalid
from tracker.domain.text import _n
from tracker.models import CircularText, Inspection
from tracker.policy import Act, require
from tracker.queries.circulars import PAPERS
from tracker.queries.history import known
from tracker.queries.inspections import units_of
from tracker.services import log

PART_LIMIT = 5000


@dataclass(frozen=True)
class Parts:
    """The four parts of a summary or a circular."""

    overall: str
    good_practice: str
    problems: str
    demands: str


def save(
    session: Session,
    inspection: Inspection,
    *,
    paper: str,
    parts: Parts,
    seen: datetime | None,
    actor: Actor,
    now: datetime,
) -> CircularText:
    """Put the words of a paper anew; `seen` is when the words that the writer started from were recorded."""
    session.flush()
    session.refresh(inspection, with_for_update={"key_share": True, "of": Inspection})
    require(session, actor, Act.REPORT, inspection)
    assert actor.person_id is not None  # noqa: S101  an operator is not in any team
    if paper not in PAPERS:
        raise ValueError(f"there is no paper {paper}")
    said = {name: text.strip() for name, text in asdict(parts).items()}
    _check(said)
    old = session.scalar(
        select(CircularText).where(
            CircularText.inspection_id == inspection.id, CircularText.paper == paper, known(CircularText)
        )
    )
    if (old.recorded_at if old else None) != seen:
        raise Conflict(_n("检查组其他成员刚刚改过这份文稿，您填写的内容还在；请先查看最新文稿，再保存。"))
    before = {name: getattr(old, name) for name in said} if old else None
    if old is not None:
        old.superseded_at = now
        session.flush()
    row = CircularText(inspection_id=inspection.id, paper=paper, entered_by_id=actor.person_id, recorded_at=now, **said)
    session.add(row)
    session.flush()
    log.record(
        session,
        actor=actor,
        now=now,
        verb="circular.save",
        kind="inspection",
        key=str(inspection.number),
        chains={unit.code for unit in units_of(session, inspection)},
        before=before,
        after={"paper": paper, **said},
    )
    return row


def _check(said: dict[str, str]) -> None:
    for name, text in said.items():
        if not text:
            raise Invalid(_n("这一部分不能空着；没有内容的，请写“无”。"), field=name)
        if len(text) > PART_LIMIT:
            raise Invalid(_n("说明超过 %(limit)s 字，请精简。"), field=name, limit=PART_LIMIT)
