"""What all printed documents of a year share, as known at a time: list, tree, words, and where it all comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain import report as printed
from tracker.domain.checklist import Checklist, Item
from tracker.domain.duty import State, Timeliness
from tracker.domain.schedule import period_name
from tracker.models import (
    ChecklistVersion,
    Cycle,
    CycleState,
    LogChain,
    LogEntry,
)
from tracker.queries.assignments import items_of_year
from tracker.queries.checklists import checklist_of
from tracker.queries.duties import DutyThen
from tracker.queries.history import SHANGHAI
from tracker.queries.organizations import Node, tree

Translate = Callable[[str], str]


_PRINTED_TIMELINESS = {
    Timeliness.NOT_YET_DUE: "not_due",
    Timeliness.DUE_SOON: "not_due",
    Timeliness.OVERDUE: "missed",
    Timeliness.MISSED: "missed",
    Timeliness.IN_TIME: "in_time",
    Timeliness.RECORDED_LATE: "recorded_late",
    Timeliness.MADE_UP: "made_up",
}
SET_ASIDE = frozenset({State.NOT_APPLICABLE, State.EXCUSED})


@dataclass(frozen=True)
class Setting:
    """What all documents of one year share: the list, its items, the tree of that day, the words of the language."""

    session: Session
    cycle: Cycle
    checklist: Checklist
    items: Mapping[str, Item]
    nodes: Mapping[int, Node]
    as_of: datetime
    words: Translate

    @property
    def day(self) -> date:
        """The day, in Asia/Shanghai, as of which the document speaks."""
        return self.as_of.astimezone(SHANGHAI).date()

    def period(self, code: str) -> str:
        """The words for a period."""
        message, values = period_name(code)
        return self.words(message) % values if values else self.words(message)

    def post(self, post_id: str) -> str:
        """The name of a post."""
        return self.checklist.post[post_id].name if post_id in self.checklist.post else post_id

    def timeliness(self, duty: DutyThen) -> str:
        """What a document prints of a duty's dates; nothing for one that was set aside."""
        if duty.state in SET_ASIDE:
            return ""
        closed = self.cycle.state is CycleState.CLOSED and self.cycle.closed_at is not None
        known_closed = closed and self.cycle.closed_at is not None and self.cycle.closed_at <= self.as_of
        return _PRINTED_TIMELINESS[duty.timeliness(today=self.day, closed=known_closed)]


def setting_of(session: Session, cycle: Cycle, *, as_of: datetime, words: Translate) -> Setting:
    """Gather what the documents of a year share, as known at `as_of`."""
    day = as_of.astimezone(SHANGHAI).date()
    nodes = {node.id: node for node in tree(session, on=day, as_of=as_of)}
    checklist = checklist_of(cycle.checklist_version)
    return Setting(session, cycle, checklist, items_of_year(session, cycle), nodes, as_of, words)


def span(start: date, end: date) -> str:
    """A stretch of days, as it is printed."""
    return f"{start.isoformat()} — {end.isoformat()}"


def provenance_of(setting: Setting, *, chains: Sequence[str], software_version: str) -> printed.Provenance:
    """Where the figures come from: the list and its digest, the heads of the units' chains at the time."""
    version = setting.cycle.checklist_version
    base = provenance_of_list(version, setting.checklist, as_of=setting.as_of, software_version=software_version)
    return replace(base, log_heads=tuple(_heads(setting, chains)))


def provenance_of_list(
    version: ChecklistVersion, checklist: Checklist, *, as_of: datetime, software_version: str
) -> printed.Provenance:
    """Where a document comes from that tells of a list alone."""
    return printed.Provenance(
        as_of=as_of,
        checklist_key=version.key,
        checklist_title=version.title,
        checklist_version=version.version,
        checklist_digest=version.sha256,
        checklist_notice=checklist.notice,
        software_version=software_version,
    )


def _heads(setting: Setting, chains: Sequence[str]) -> Iterable[printed.LogHead]:
    name_of = {node.code: node.name for node in setting.nodes.values()}
    for code in chains:
        entry = setting.session.scalar(
            select(LogEntry)
            .join(LogChain, LogChain.id == LogEntry.chain_id)
            .where(LogChain.key == code, LogEntry.at <= setting.as_of)
            .order_by(LogEntry.seq.desc())
            .limit(1)
        )
        if entry is not None:
            yield printed.LogHead(unit=name_of.get(code, code), sequence=entry.seq, digest=entry.digest)
