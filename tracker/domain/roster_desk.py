"""People and appointments as a roster would leave them, and what would be wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta

from tracker.domain.actor import AppointmentKind
from tracker.domain.appointment import Term, overlapping
from tracker.domain.roster import AppointmentRow, PersonRow, SheetName
from tracker.domain.roster_changes import AppointmentChange, KnownAppointment, KnownPerson, PersonChange, Verb
from tracker.domain.roster_tree import Part, Tree
from tracker.domain.text import _n


class Directory(Part):
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


class Desk(Part):
    """The appointments as they would be."""

    sheet = SheetName.APPOINTMENTS

    def __init__(
        self,
        known: Iterable[KnownAppointment],
        tree: Tree,
        directory: Directory,
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
