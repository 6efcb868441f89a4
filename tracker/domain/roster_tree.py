"""The organizations as a roster would leave them, and what would be wrong with their tree."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta

from tracker.domain.checklist import ROOT
from tracker.domain.organization import OrganizationFacts, ring_in
from tracker.domain.roster import AssignmentRow, OrganizationRow, RowError, SheetName
from tracker.domain.roster_changes import Known, OrganizationChange, Verb
from tracker.domain.text import _n


class Part:
    """Collects what is to be said about the rows of one sheet."""

    sheet: SheetName

    def __init__(self) -> None:
        self.errors: list[RowError] = []
        self.warnings: list[RowError] = []

    def error(self, row: int, column: str, wrong: str, todo: str, **values: object) -> None:
        """Note what keeps the roster from being imported."""
        self.errors.append(RowError(self.sheet.value, row, column, wrong, todo, values))

    def warn(self, row: int, column: str, wrong: str, todo: str, **values: object) -> None:
        """Note what somebody should look at."""
        self.warnings.append(RowError(self.sheet.value, row, column, wrong, todo, values))


class Tree(Part):
    """The organizations as they would be."""

    sheet = SheetName.ORGANIZATIONS

    def __init__(self, known: Known, levels: tuple[str, ...], *, today: date) -> None:
        super().__init__()
        self.known, self.levels, self.today = known, levels, today
        self.history = {code: list(facts) for code, facts in known.organizations.items()}
        self.changes: list[OrganizationChange] = []
        self.row_of: dict[str, int] = {}

    def has(self, row: AssignmentRow) -> bool:
        """Whether an assignment's organization is there; an error otherwise."""
        if row.organization in self.history:
            return True
        wrong, todo = _n("没有代码为 %(code)s 的组织。"), _n("请核对代码，或先在“组织”表中登记。")
        values = {"code": row.organization}
        self.errors.append(RowError(SheetName.ASSIGNMENTS.value, row.row, "组织代码", wrong, todo, values))
        return False

    def on(self, code: str, day: date) -> OrganizationFacts | None:
        """What would hold of an organization on a day; before its first day, what holds then."""
        history = self.history.get(code)
        if not history:
            return None
        return next((facts for valid_from, facts in reversed(history) if valid_from <= day), history[0][1])

    def take(self, rows: Iterable[OrganizationRow]) -> None:
        """Take in the rows of the sheet, in the order of the days from which they hold."""
        for place, row in enumerate(sorted(rows, key=lambda row: (row.valid_from or self.today, row.row))):
            self.row_of[row.code] = row.row
            history = self.history.setdefault(row.code, [])
            valid_from, facts = self._meant(row, place, history)
            before = next((found for since, found in reversed(history) if since <= valid_from), None)
            if facts == before:
                continue
            self._set(row.row, row.code, valid_from, before, facts)
            later = [since for since, _ in history if since > valid_from]
            if later:
                wrong = _n("%(code)s 在 %(day)s 之后另有登记，本行只管到那一天之前。")
                todo = _n("如要一并更改，请另写一行，生效日期填 %(day)s。")
                self.warn(row.row, "生效日期", wrong, todo, code=row.code, day=later[0].isoformat())

    def _meant(
        self, row: OrganizationRow, place: int, history: list[tuple[date, OrganizationFacts]]
    ) -> tuple[date, OrganizationFacts]:
        """What the row says, with empty cells filled from what is known."""
        last = self.on(row.code, row.valid_from or self.today) if history else None
        opened = row.opened_on or (last.opened_on if last else self.today)
        position = row.position if row.position is not None else (last.position if last else place + 1)
        facts = OrganizationFacts(
            name=row.name,
            parent=row.parent,
            level=row.level,
            tags=row.tags,
            is_unit=row.is_unit,
            position=position,
            opened_on=opened,
            closed_on=row.closed_on,
            term_ends_on=row.term_ends_on,
        )
        return row.valid_from or (self.today if history else opened), facts

    def _set(
        self, row: int, code: str, valid_from: date, before: OrganizationFacts | None, facts: OrganizationFacts
    ) -> None:
        history = self.history[code]
        is_new = not history
        closes = facts.closed_on is not None and (before is None or before.closed_on is None)
        verb = Verb.ADD if is_new else Verb.CLOSE if closes else Verb.CHANGE
        self.changes.append(OrganizationChange(row, verb, code, valid_from, before, facts))
        history[:] = sorted(
            [entry for entry in history if entry[0] != valid_from] + [(valid_from, facts)], key=lambda entry: entry[0]
        )

    def close_missing(self, listed: set[str]) -> None:
        """Close, as of today, what is open and not in the file; the root never."""
        for code in sorted(set(self.history) - listed):
            facts = self.on(code, self.today)
            if facts is None or facts.level == ROOT or not facts.is_open(self.today) or facts.closed_on is not None:
                continue
            self._set(0, code, self.today, facts, replace(facts, closed_on=self.today))

    def check(self) -> None:
        """Note what would be wrong with the tree."""
        for change in self.changes:
            if self.on(change.code, change.valid_from) is change.after:
                self._check_parent(change)
                self._check_children(change)
                self._check_days(change)
        parents = {code: facts.parent for code in self.history if (facts := self.on(code, date.max)) is not None}
        ring = ring_in(parents)
        if ring is not None:
            wrong, todo = _n("%(code)s 成了自己的上级。"), _n("请核对上级代码。")
            self.error(self.row_of.get(ring, 0), "上级代码", wrong, todo, code=ring)
        roots = sorted(code for code, parent in parents.items() if parent is None)
        if len(roots) > 1:
            row = max(self.row_of.get(code, 0) for code in roots)
            wrong, todo = _n("最高一级组织只能有一个，现有 %(codes)s。"), _n("请给其余组织填写上级代码。")
            self.error(row, "上级代码", wrong, todo, codes="、".join(roots))

    def _check_parent(self, change: OrganizationChange) -> None:
        parent = change.after.parent
        if parent is None:
            return
        above = self.on(parent, max(change.valid_from, self.today))
        if above is None:
            wrong, todo = _n("没有代码为 %(code)s 的上级组织。"), _n("请核对代码，或在本表中登记上级。")
            self.error(change.row, "上级代码", wrong, todo, code=parent)
        elif self._rank(above.level) > self._rank(change.after.level):
            wrong, todo = _n("上级 %(code)s 的层级低于本组织。"), _n("请核对上级代码和层级。")
            self.error(change.row, "层级", wrong, todo, code=parent)

    def _rank(self, level: str) -> int:
        """Where a level stands; one of another checklist says nothing."""
        return self.levels.index(level) if level in self.levels else 0

    def _check_children(self, change: OrganizationChange) -> None:
        closed = change.after.closed_on
        if closed is None:
            return
        below = (code for code in sorted(self.history) if self._stays_below(code, change.code, closed))
        for code in below:
            wrong = _n("%(code)s 将撤销，下级 %(child)s 还在。")
            todo = _n("请把 %(child)s 改到其他上级之下，或一并撤销。")
            self.error(change.row, "撤销日期", wrong, todo, code=change.code, child=code)

    def _stays_below(self, code: str, parent: str, closed: date) -> bool:
        facts = self.on(code, max(closed, self.today) + timedelta(days=1))
        if facts is None or facts.parent != parent:
            return False
        return facts.closed_on is None or facts.closed_on > closed

    def _check_days(self, change: OrganizationChange) -> None:
        if change.after.closed_on is not None and change.after.closed_on < change.after.opened_on:
            wrong, todo = _n("撤销日期早于成立日期 %(day)s。"), _n("请核对这两个日期。")
            self.error(change.row, "撤销日期", wrong, todo, day=change.after.opened_on.isoformat())
