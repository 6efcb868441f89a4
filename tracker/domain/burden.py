"""What a year asks of people, counted before it is opened: duties, and the records that serve them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tracker.domain.checklist import Checklist
from tracker.domain.cycle import PlannedDuty

MONTHS = range(1, 13)


@dataclass(frozen=True)
class MonthBurden:
    """Duties whose window ends in a month, and how many records serve them if occasions are shared."""

    duties: int
    records: int


@dataclass(frozen=True)
class OrganizationBurden:
    """The year of one organization, January first.

    `records` counts one for each occasion, period and occurrence, and one for each duty without an occasion; what comes
    from another system by itself counts none.
    """

    code: str
    name: str
    unit: str
    level: str
    months: tuple[MonthBurden, ...]

    @property
    def duties(self) -> int:
        """Duties in the year."""
        return sum(month.duties for month in self.months)

    @property
    def records(self) -> int:
        """Records that serve them."""
        return sum(month.records for month in self.months)

    @property
    def saved(self) -> int:
        """Entries that shared occasions save."""
        return self.duties - self.records


@dataclass(frozen=True)
class LevelBurden:
    """The year of all organizations of a level."""

    level: str
    name: str
    organizations: int
    duties: int
    records: int
    most: int

    @property
    def saved(self) -> int:
        """Entries that shared occasions save."""
        return self.duties - self.records


@dataclass(frozen=True)
class YearBurden:
    """What opening a year makes. `official`: the holidays of the year and the next are known; if not, days may move."""

    year: int
    checklist: str
    version: str
    organizations: tuple[OrganizationBurden, ...]
    levels: tuple[LevelBurden, ...]
    event_items: int
    official: bool

    @property
    def duties(self) -> int:
        """Duties in the year."""
        return sum(level.duties for level in self.levels)

    @property
    def records(self) -> int:
        """Records that serve them."""
        return sum(level.records for level in self.levels)

    @property
    def saved(self) -> int:
        """Entries that shared occasions save."""
        return self.duties - self.records


def burden_of(
    duties: Iterable[PlannedDuty], *, checklist: Checklist, code: str, name: str, unit: str, level: str
) -> OrganizationBurden:
    """Count the year of one organization."""
    counts = dict.fromkeys(MONTHS, 0)
    records: dict[tuple[str, str, int], int] = {}
    for duty in duties:
        month = duty.slot.ends_on.month
        counts[month] += 1
        record = _record_for(duty, checklist)
        if record is not None:
            records.setdefault(record, month)
    served = list(records.values())
    months = tuple(MonthBurden(counts[month], served.count(month)) for month in MONTHS)
    return OrganizationBurden(code, name, unit, level, months)


def level_burdens(organizations: Iterable[OrganizationBurden], *, checklist: Checklist) -> tuple[LevelBurden, ...]:
    """Add up the years of the organizations by level, from the top down."""
    found = list(organizations)
    return tuple(
        LevelBurden(
            level.id,
            level.name,
            len(members := [one for one in found if one.level == level.id]),
            sum(one.duties for one in members),
            sum(one.records for one in members),
            max((one.records for one in members), default=0),
        )
        for level in checklist.levels
    )


def _record_for(duty: PlannedDuty, checklist: Checklist) -> tuple[str, str, int] | None:
    """What makes two duties of an organization share a record; None if nobody has to enter one."""
    if duty.item.occasion is None:
        return duty.key, "", 0
    if checklist.occasion[duty.item.occasion].automatic:
        return None
    return duty.item.occasion, duty.slot.period.code, duty.slot.occurrence
