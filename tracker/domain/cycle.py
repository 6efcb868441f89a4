"""The year of an organization: every duty it owes, worked out from its facts, the local decisions and its seats.

One rule decides about each occurrence: what is true on the last day of its window. So a branch that opens in July owes
the windows that end from then on, a closed one those that ended before, and a tag or a decision that changes in the
middle of a year changes the windows that end later and no others, in whatever order the changes were recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from tracker.domain.applicability import Decision, Owed, SwitchedOff, effective_items, switched_off
from tracker.domain.calendar import WorkCalendar
from tracker.domain.checklist import Checklist, Item, item_digest
from tracker.domain.schedule import Slot, slots

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Standing:
    """What holds for an organization from `valid_from` on."""

    valid_from: date
    level: str
    tags: frozenset[str]
    opened_on: date
    closed_on: date | None = None
    term_ends_on: date | None = None


@dataclass(frozen=True)
class Ruling:
    """A decision, and the day from which it no longer holds because it was taken back."""

    decision: Decision
    until: date | None = None


@dataclass(frozen=True)
class Holding:
    """An organization as its year sees it. `standings` stand in the order of their days; `seats` are keys by post."""

    code: str
    standings: tuple[Standing, ...]
    rulings: tuple[Ruling, ...] = ()
    seats: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def decisions_on(self, day: date) -> tuple[Decision, ...]:
        """The decisions that hold on a day, in the order in which they were taken."""
        return tuple(
            ruling.decision
            for ruling in self.rulings
            if ruling.decision.effective_from <= day and (ruling.until is None or day < ruling.until)
        )

    def standing_on(self, day: date) -> Standing | None:
        """What holds on a day; None before it opens and after it closes. The first fact reaches back to the opening."""
        found = next((s for s in reversed(self.standings) if s.valid_from <= day), None) or next(
            iter(self.standings), None
        )
        if found is None or day < found.opened_on or (found.closed_on is not None and day > found.closed_on):
            return None
        return found


@dataclass(frozen=True)
class PlannedDuty:
    """A duty as the plan wants it. `post` is the accountable one, which a local decision may have changed."""

    key: str
    seat: str
    item: Item
    post: str
    slot: Slot


@dataclass(frozen=True)
class _Stretch:
    """Days, both included, on which nothing changes for an organization."""

    first: date
    last: date
    standing: Standing


def duty_key(*, year: int, seat: str, item_id: str, period: str, occurrence: int) -> str:
    """The public id of a duty."""
    return f"{year}.{seat}.{item_id}.{period}.{occurrence}"


def seat_key(code: str, post: str, number: int) -> str:
    """The public id of a seat."""
    return f"{code}.{post}-{number}"


class YearPlan:
    """Lays out the duties of one year by one checklist and calendar; what is the same for many is worked out once."""

    def __init__(self, checklist: Checklist, *, year: int, calendar: WorkCalendar) -> None:
        self.checklist = checklist
        self.year = year
        self.calendar = calendar
        self._items: dict[int, Item] = {}  # keeps them alive, so that their identity may serve as a key
        self._slots: dict[tuple[int, int, date | None], tuple[Slot, ...]] = {}
        self._digests: dict[int, str] = {}

    def digest_of(self, item: Item) -> str:
        """The version of an item, as a duty stores it."""
        if id(item) not in self._digests:
            self._items[id(item)] = item
            self._digests[id(item)] = item_digest(item, self.checklist)
        return self._digests[id(item)]

    def owed_on(self, holding: Holding, day: date) -> tuple[Owed, ...]:
        """What the organization owes on a day, event items included, with the seats that owe it."""
        standing = holding.standing_on(day)
        return () if standing is None else self._owed(holding, standing, on=day)

    def switched_off_on(self, holding: Holding, day: date) -> tuple[SwitchedOff, ...]:
        """What the organization would owe on a day but for a decision."""
        standing = holding.standing_on(day)
        if standing is None:
            return ()
        return switched_off(
            items=self.checklist.items,
            level=standing.level,
            tags=standing.tags,
            decisions=holding.decisions_on(day),
            on=day,
        )

    def duties(self, holding: Holding, *, from_day: date | None = None) -> Iterator[PlannedDuty]:
        """Every duty of the year whose window ends on or after `from_day` (all of them without it); keys are unique.

        A term that ended and was then said to end later has its duties once: as they were due first.
        """
        known: set[str] = set()
        for stretch in self._stretches(holding):
            for planned in self._duties_in(stretch, holding, from_day=stretch.first):
                if planned.key not in known and (from_day is None or planned.slot.ends_on >= from_day):
                    yield planned
                known.add(planned.key)

    def _duties_in(self, stretch: _Stretch, holding: Holding, *, from_day: date) -> Iterator[PlannedDuty]:
        for owed in self._owed(holding, stretch.standing, on=stretch.first):
            for slot in self._slots_of(owed.item, times=owed.times, term_ends_on=stretch.standing.term_ends_on):
                if from_day <= slot.ends_on <= stretch.last:
                    yield from self._planned(owed, slot)

    def _planned(self, owed: Owed, slot: Slot) -> Iterator[PlannedDuty]:
        for seat in owed.seats:
            key = duty_key(
                year=self.year,
                seat=seat,
                item_id=owed.item.id,
                period=slot.period.code,
                occurrence=slot.occurrence,
            )
            yield PlannedDuty(key, seat, owed.item, owed.post, slot)

    def _owed(self, holding: Holding, standing: Standing, *, on: date) -> tuple[Owed, ...]:
        found = effective_items(
            items=self.checklist.items,
            level=standing.level,
            tags=standing.tags,
            seats=holding.seats,
            decisions=holding.decisions_on(on),
            on=on,
        )
        return tuple(replace(owed, seats=self._seats(holding, owed)) for owed in found)

    def _seats(self, holding: Holding, owed: Owed) -> tuple[str, ...]:
        """Collective items and posts of one holder: seat 1, vacant or not. Other posts: the seats that there are."""
        post = self.checklist.post[owed.post]
        if owed.item.duty == "collective" or post.holders == "one":
            return (seat_key(holding.code, owed.post, 1),)
        return tuple(holding.seats.get(owed.post, ()))

    def _slots_of(self, item: Item, *, times: int, term_ends_on: date | None) -> tuple[Slot, ...]:
        term = term_ends_on if item.frequency.every == "term" else None
        key = id(item), times, term
        if key not in self._slots:
            self._items[id(item)] = item
            self._slots[key] = slots(
                item.frequency, year=self.year, calendar=self.calendar, term_ends_on=term, times=times
            )
        return self._slots[key]

    def _stretches(self, holding: Holding) -> Iterator[_Stretch]:
        """The stretches of the year in which the organization exists."""
        first, last = date(self.year, 1, 1), date(self.year, 12, 31)
        starts = sorted({first, *(day for day in _changes(holding) if first < day <= last)})
        ends = [start - _DAY for start in starts[1:]] + [last]
        for start, end in zip(starts, ends, strict=True):
            standing = holding.standing_on(start)
            if standing is not None:
                yield _Stretch(start, end, standing)


def _changes(holding: Holding) -> Iterable[date]:
    """The days from which on something may be different."""
    for standing in holding.standings:
        yield standing.valid_from
        yield standing.opened_on
        if standing.closed_on is not None:
            yield standing.closed_on + _DAY
    for ruling in holding.rulings:
        yield ruling.decision.effective_from
        if ruling.until is not None:
            yield ruling.until
