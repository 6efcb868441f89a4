"""What a roster would change: the rows of the file held against what is known, with warnings and errors, row by row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, timedelta
from enum import StrEnum

from tracker.domain.actor import AppointmentKind
from tracker.domain.appointment import Term, overlapping
from tracker.domain.canonical import canonical_json, digest
from tracker.domain.checklist import ROOT
from tracker.domain.organization import OrganizationFacts, ring_in
from tracker.domain.roster import AppointmentRow, AssignmentRow, OrganizationRow, PersonRow, Roster, RowError, SheetName
from tracker.domain.text import _n


class Verb(StrEnum):
    """What happens to a thing."""

    ADD = "add"
    CHANGE = "change"
    CLOSE = "close"
    WITHDRAW = "withdraw"


VERB_NAMES: Mapping[Verb, str] = {
    Verb.ADD: _n("新增"),
    Verb.CHANGE: _n("变更"),
    Verb.CLOSE: _n("终止"),
    Verb.WITHDRAW: _n("撤回"),
}


@dataclass(frozen=True)
class KnownPerson:
    """Somebody who is known, or was made known by a row above."""

    key: str
    account_name: str | None
    staff_number: str | None
    name: str


@dataclass(frozen=True)
class KnownAppointment:
    """An appointment in force, past or to come, as known now."""

    key: str
    organization: str
    post: str
    number: int
    person: str
    kind: AppointmentKind
    starts_on: date
    ends_on: date | None

    @property
    def seat(self) -> str:
        """The key of the seat."""
        return f"{self.organization}.{self.post}-{self.number}"


@dataclass(frozen=True)
class Known:
    """What is known before the import. Histories are in the order of the day from which a fact holds."""

    organizations: Mapping[str, tuple[tuple[date, OrganizationFacts], ...]] = field(default_factory=dict)
    people: tuple[KnownPerson, ...] = ()
    appointments: tuple[KnownAppointment, ...] = ()


@dataclass(frozen=True)
class OrganizationChange:
    """What is to be true of an organization from a day on. `row` is 0 where no row of the file says so."""

    row: int
    verb: Verb
    code: str
    valid_from: date
    before: OrganizationFacts | None
    after: OrganizationFacts

    @property
    def relays(self) -> bool:
        """Whether what the organization owes may be different from now on."""
        names = ("level", "parent", "tags", "opened_on", "closed_on", "term_ends_on")
        return self.before is None or any(getattr(self.before, name) != getattr(self.after, name) for name in names)


@dataclass(frozen=True)
class PersonChange:
    """Somebody new, or somebody whose name or missing number is filled in. `before` is None for a new person."""

    row: int
    verb: Verb
    account_name: str | None
    staff_number: str | None
    name: str
    before: KnownPerson | None


@dataclass(frozen=True)
class AppointmentChange:
    """A new appointment, or one that gets other dates or another kind; `before` is the one that it corrects."""

    row: int
    verb: Verb
    organization: str
    post: str
    number: int
    person: str
    kind: AppointmentKind
    starts_on: date
    ends_on: date | None
    before: KnownAppointment | None

    @property
    def seat(self) -> str:
        """The key of the seat."""
        return f"{self.organization}.{self.post}-{self.number}"


@dataclass(frozen=True)
class Plan:
    """What an import would do. It can be carried out only where there are no errors."""

    today: date
    sha256: str
    organizations: tuple[OrganizationChange, ...] = ()
    people: tuple[PersonChange, ...] = ()
    appointments: tuple[AppointmentChange, ...] = ()
    assignments: tuple[AssignmentRow, ...] = ()
    warnings: tuple[RowError, ...] = ()
    errors: tuple[RowError, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether organizations, people and appointments stay as they are."""
        return not (self.organizations or self.people or self.appointments)

    def counts(self) -> dict[str, dict[str, int]]:
        """How many rows are added, changed, closed, by sheet."""
        verbs = {
            SheetName.ORGANIZATIONS: [change.verb for change in self.organizations],
            SheetName.PEOPLE: [change.verb for change in self.people],
            SheetName.APPOINTMENTS: [change.verb for change in self.appointments],
        }
        return {sheet.value: {verb.value: found.count(verb) for verb in Verb} for sheet, found in verbs.items()}

    def digest(self) -> str:
        """SHA-256 of what would be done: a plan that was shown is the plan that is carried out."""
        parts = (self.organizations, self.people, self.appointments)
        rows = [[_plain(asdict(change)) for change in changes] for changes in parts]
        return digest(canonical_json({"file": self.sha256, "changes": rows}))


def _plain(values: Mapping[str, object]) -> dict[str, object]:
    return {name: _plain(value) if isinstance(value, Mapping) else value for name, value in values.items()}


def plan_roster(
    roster: Roster, known: Known, *, today: date, close_missing: bool = False, unread: Sequence[RowError] = ()
) -> Plan:
    """Hold a roster against what is known. Rows that are missing change nothing unless `close_missing`.

    `unread` are the errors of reading the file: with them in it, the plan tells everything that is wrong at once.
    """
    tree = _Tree(known, roster.levels, today=today)
    tree.take(roster.organizations)
    if close_missing and roster.organizations:
        tree.close_missing({row.code for row in roster.organizations})
    tree.check()
    directory = _Directory(known.people)
    for person in roster.people:
        directory.take(person)
    desk = _Desk(known.appointments, tree, directory, roster.post_levels, today=today)
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


def _beyond_doubt(parts: Iterable[_Part], doubtful: frozenset[str]) -> Iterator[RowError]:
    """Errors that do not only follow from a row that could not be read."""
    for error in (error for part in parts for error in part.errors):
        if not doubtful & {str(error.values.get("code")), str(error.values.get("login"))}:
            yield error


def _in_order(errors: Iterable[RowError]) -> list[RowError]:
    sheets = [sheet.value for sheet in SheetName]
    place = {sheet: number for number, sheet in enumerate(sheets)}
    return sorted(errors, key=lambda error: (place.get(error.sheet, -1), error.row))


class _Part:
    """Collects changes of one sheet and what is to be said about its rows."""

    sheet: SheetName

    def __init__(self) -> None:
        self.errors: list[RowError] = []
        self.warnings: list[RowError] = []

    def error(self, row: int, column: str, wrong: str, todo: str, **values: object) -> None:
        self.errors.append(RowError(self.sheet.value, row, column, wrong, todo, values))

    def warn(self, row: int, column: str, wrong: str, todo: str, **values: object) -> None:
        self.warnings.append(RowError(self.sheet.value, row, column, wrong, todo, values))


class _Tree(_Part):
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


class _Directory(_Part):
    """The people as they would be: by account name, by staff number, never by name."""

    sheet = SheetName.PEOPLE

    def __init__(self, people: Iterable[KnownPerson]) -> None:
        super().__init__()
        self.changes: list[PersonChange] = []
        self.by_account: dict[str, KnownPerson] = {}
        self.by_number: dict[str, KnownPerson] = {}
        for person in people:
            self._put(person)

    def _put(self, person: KnownPerson) -> None:
        if person.account_name:
            self.by_account[person.account_name] = person
        if person.staff_number:
            self.by_number[person.staff_number] = person

    def take(self, row: PersonRow) -> None:
        """Take in one row of the sheet."""
        one = self.by_account.get(row.account_name or "")
        other = self.by_number.get(row.staff_number or "")
        if one is not None and other is not None and one.key != other.key:
            wrong = _n("工号 %(number)s 属于账号 %(account)s。")
            todo = _n("一行只能写一个人，请核对账号和工号。")
            account = other.account_name or "—"
            self.error(row.row, "工号", wrong, todo, number=row.staff_number, account=account)
            return
        found = one or other
        if found is None:
            self._add(row)
        elif self._fits(row, found):
            self._change(row, found)

    def _add(self, row: PersonRow) -> None:
        key = f"row {row.row}"  # stands for the person within this plan only
        self._put(KnownPerson(key, row.account_name, row.staff_number, row.name))
        self.changes.append(PersonChange(row.row, Verb.ADD, row.account_name, row.staff_number, row.name, None))

    def _fits(self, row: PersonRow, found: KnownPerson) -> bool:
        """Whether the row names no other account or number than those already known of this person."""
        for column, given, known in (
            ("账号", row.account_name, found.account_name),
            ("工号", row.staff_number, found.staff_number),
        ):
            if given is not None and known is not None and given != known:
                wrong = _n("此人已登记为 %(known)s，与本行的 %(given)s 不一致。")
                todo = _n("请改成已登记的；确属另一个人的，请核对另一列。")
                self.error(row.row, column, wrong, todo, known=known, given=given)
                return False
        return True

    def _change(self, row: PersonRow, found: KnownPerson) -> None:
        after = replace(
            found,
            account_name=found.account_name or row.account_name,
            staff_number=found.staff_number or row.staff_number,
            name=row.name,
        )
        if after == found:
            return
        self._put(after)
        self.changes.append(PersonChange(row.row, Verb.CHANGE, after.account_name, after.staff_number, row.name, found))
        if after.name != found.name:
            wrong, todo = _n("姓名由 %(old)s 改为 %(new)s。"), _n("请确认是同一个人改名或更正错字。")
            self.warn(row.row, "姓名", wrong, todo, old=found.name, new=row.name)

    def find(self, login: str) -> KnownPerson | None:
        """Who is meant by an account name or a staff number; None if nobody or two people."""
        one, other = self.by_account.get(login.lower()), self.by_number.get(login)
        if one is not None and other is not None and one.key != other.key:
            return None
        return one or other


class _Desk(_Part):
    """The appointments as they would be."""

    sheet = SheetName.APPOINTMENTS

    def __init__(
        self,
        known: Iterable[KnownAppointment],
        tree: _Tree,
        directory: _Directory,
        post_levels: Mapping[str, str],
        *,
        today: date,
    ) -> None:
        super().__init__()
        self.open = {appointment.key: appointment for appointment in known}  # not yet spoken of by a row
        self.tree, self.directory, self.post_levels, self.today = tree, directory, post_levels, today
        self.changes: list[AppointmentChange] = []
        self.settled: list[tuple[int, KnownAppointment]] = []  # as the file has them, with the row

    def take(self, rows: Iterable[AppointmentRow]) -> None:
        """Take in the rows: first those that say what is known, then corrections, and what is left is new."""
        meant = [(row, person) for row in rows if (person := self._person_of(row)) is not None]
        for match in (self._same, self._other_kind, self._other_start):
            meant = [(row, person) for row, person in meant if not self._settle(row, person, match(row, person))]
        for row, person in meant:
            self._settle(row, person, None, is_new=True)

    def _person_of(self, row: AppointmentRow) -> KnownPerson | None:
        if row.organization not in self.tree.history:
            wrong, todo = _n("没有代码为 %(code)s 的组织。"), _n("请核对代码，或先在“组织”表中登记。")
            self.error(row.row, "组织代码", wrong, todo, code=row.organization)
            return None
        person = self.directory.find(row.person)
        if person is None:
            wrong, todo = _n("没有账号或工号为 %(login)s 的人。"), _n("请核对，或先在“人员”表中登记。")
            self.error(row.row, "账号或工号", wrong, todo, login=row.person)
        return person

    def _candidates(self, row: AppointmentRow, person: KnownPerson) -> list[KnownAppointment]:
        return [known for known in self.open.values() if known.seat == row.seat and known.person == person.key]

    def _same(self, row: AppointmentRow, person: KnownPerson) -> KnownAppointment | None:
        found = self._candidates(row, person)
        return next((a for a in found if (a.kind, a.starts_on) == (row.kind, row.starts_on)), None)

    def _other_kind(self, row: AppointmentRow, person: KnownPerson) -> KnownAppointment | None:
        return next((a for a in self._candidates(row, person) if a.starts_on == row.starts_on), None)

    def _other_start(self, row: AppointmentRow, person: KnownPerson) -> KnownAppointment | None:
        mine = Term(person.key, row.starts_on, row.ends_on)
        found = (a for a in self._candidates(row, person) if a.kind is row.kind)
        return next((a for a in found if overlapping([mine, _term(a)])), None)

    def _settle(
        self, row: AppointmentRow, person: KnownPerson, found: KnownAppointment | None, *, is_new: bool = False
    ) -> bool:
        """Note what a row does, once it is known which appointment it speaks of; False if that is still open."""
        if found is None and not is_new:
            return False
        key = found.key if found else f"row {row.row}"
        place = (row.organization, row.post, row.number)
        after = KnownAppointment(key, *place, person.key, row.kind, row.starts_on, row.ends_on)
        if found is not None:
            del self.open[found.key]
        self.settled.append((row.row, after))
        if after != found:
            closes = found is not None and found.ends_on is None and row.ends_on is not None
            verb = Verb.ADD if found is None else Verb.CLOSE if closes else Verb.CHANGE
            self._change(row.row, verb, after, row.person, found)
            self._check_place(row)
        return True

    def _change(
        self, row: int, verb: Verb, after: KnownAppointment, login: str, before: KnownAppointment | None
    ) -> None:
        place = (after.organization, after.post, after.number)
        self.changes.append(
            AppointmentChange(row, verb, *place, login, after.kind, after.starts_on, after.ends_on, before)
        )

    def _check_place(self, row: AppointmentRow) -> None:
        """The post must belong to the organization's level, and the organization must be there."""
        facts = self.tree.on(row.organization, max(row.starts_on, self.today))
        level = self.post_levels.get(row.post)
        if facts is not None and level is not None and facts.level != level:
            wrong, todo = _n("%(code)s 的层级没有这个岗位。"), _n("请核对组织代码和岗位。")
            self.error(row.row, "岗位", wrong, todo, code=row.organization)
        if facts is not None and facts.closed_on is not None and row.starts_on > facts.closed_on:
            wrong, todo = _n("%(code)s 在 %(day)s 已撤销。"), _n("请核对组织代码和起日。")
            self.error(row.row, "起", wrong, todo, code=row.organization, day=facts.closed_on.isoformat())

    def close_missing(self) -> None:
        """End what is in force, and take back what has not begun, where the file does not name it."""
        for known in sorted(self.open.values(), key=lambda appointment: appointment.key):
            end = self._end_of(known)
            if known.ends_on is not None and known.ends_on <= end:
                continue
            del self.open[known.key]
            if end < known.starts_on:
                self._change(0, Verb.WITHDRAW, known, known.person, known)
                continue
            after = replace(known, ends_on=end)
            self.settled.append((0, after))
            self._change(0, Verb.CLOSE, after, known.person, known)

    def _end_of(self, known: KnownAppointment) -> date:
        """The day before the next holder of the file begins; else today."""
        following = [
            after.starts_on
            for _, after in self.settled
            if after.seat == known.seat
            and known.kind is after.kind is AppointmentKind.HOLDER
            and overlapping([_term(known), _term(after)])
        ]
        return min((day - timedelta(days=1) for day in following), default=self.today)

    def check(self) -> None:
        """Note seats that would have two holders on one day."""
        holders: dict[str, list[tuple[int, KnownAppointment]]] = {}
        for row, appointment in [*((0, known) for known in self.open.values()), *self.settled]:
            if appointment.kind is AppointmentKind.HOLDER:
                holders.setdefault(appointment.seat, []).append((row, appointment))
        changed = {change.seat for change in self.changes}
        for seat, found in sorted(holders.items()):
            if seat in changed:
                self._check_seat(seat, found)

    def _check_seat(self, seat: str, found: list[tuple[int, KnownAppointment]]) -> None:
        by_key = {appointment.key: (row, appointment) for row, appointment in found}
        pair = overlapping(Term(key, a.starts_on, a.ends_on) for key, (_, a) in by_key.items())
        if pair is None:
            return
        one, other = by_key[pair[0].person], by_key[pair[1].person]
        if one[0] and other[0]:
            return  # two rows of the file: already said by the reader
        wrong = _n("席位 %(seat)s 已由 %(name)s 任职（%(day)s 起），任期重叠。")
        todo = _n("请在表中写明 %(name)s 的止日。")
        known = other[1] if one[0] else one[1]
        name = self._name(known.person)
        values = {"seat": seat, "name": name, "day": known.starts_on.isoformat()}
        self.error(max(one[0], other[0]), "起", wrong, todo, **values)

    def _name(self, key: str) -> str:
        people: Iterator[KnownPerson] = iter([*self.directory.by_account.values(), *self.directory.by_number.values()])
        return next((person.name for person in people if person.key == key), key)


def _term(appointment: KnownAppointment) -> Term:
    return Term(appointment.person, appointment.starts_on, appointment.ends_on)
