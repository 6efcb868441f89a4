"""What a roster would change: the rows of the file held against what is known, with warnings and errors, row by row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from tracker.domain.roster import Roster, RowError, SheetName
from tracker.domain.roster_changes import Known, Plan, Verb
from tracker.domain.roster_desk import Desk, Directory
from tracker.domain.roster_tree import Part, Tree


def plan_roster(
    roster: Roster, known: Known, *, today: date, close_missing: bool = False, unread: Sequence[RowError] = ()
) -> Plan:
    """Hold a roster against what is known. Rows that are missing change nothing unless `close_missing`.

    `unread` are the errors of reading the file: with them in it, the plan tells everything that is wrong at once.
    """
    tree = Tree(known, roster.levels, today=today)
    tree.take(roster.organizations)
    if close_missing and roster.organizations:
        tree.close_missing({row.code for row in roster.organizations})
    tree.check()
    directory = Directory(known.people)
    for person in roster.people:
        directory.take(person)
    desk = Desk(known.appointments, tree, directory, roster.post_levels, today=today)
    desk.take(roster.appointments)
    if close_missing and roster.appointments:
        desk.close_missing()
    desk.check()
    parts = (tree, directory, desk)
    return Plan(
        today=today,
        sha256=roster.sha256,
        organizations=tuple(tree.changes),
        people=tuple(directory.changes),
        appointments=tuple(sorted(desk.changes, key=lambda change: (change.verb is Verb.ADD, change.row))),
        assignments=tuple(row for row in roster.assignments if tree.has(row)),
        warnings=tuple(warning for part in parts for warning in part.warnings),
        errors=tuple(_in_order([*unread, *_beyond_doubt(parts, roster.doubtful)])),
    )


def _beyond_doubt(parts: Iterable[Part], doubtful: frozenset[str]) -> Iterator[RowError]:
    """Errors that do not only follow from a row that could not be read."""
    for error in (error for part in parts for error in part.errors):
        if not doubtful & {str(error.values.get("code")), str(error.values.get("login"))}:
            yield error


def _in_order(errors: Iterable[RowError]) -> list[RowError]:
    sheets = [sheet.value for sheet in SheetName]
    place = {sheet: number for number, sheet in enumerate(sheets)}
    return sorted(errors, key=lambda error: (place.get(error.sheet, -1), error.row))
