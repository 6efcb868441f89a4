"""What a seeded city holds, worked out from keys alone: the same scale and day give the same rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zlib import crc32

from tracker.cli.demo.town import Ladder
from tracker.domain.canonical import digest
from tracker.domain.checklist import Checklist, Item
from tracker.domain.cycle import PlannedDuty
from tracker.domain.evidence import asked_counts
from tracker.domain.organization import OrganizationFacts
from tracker.queries.history import SHANGHAI
from tracker.services.bulk_roster import Newcomer
from tracker.services.bulk_year import Work
from tracker.services.evidence_rows import Entry
from tracker.services.organizations import Statement
from tracker.storage.intake import Accepted

ROOT = "BENCH"
SINCE = date(2010, 1, 1)
MEMBERS = 5
FIRST_WORK = 5  # day of January from which on people hand in
LAST_WORK = 3  # day of January by which the year before is done with
STEP = timedelta(days=1)
INSPECTOR = "bench-inspector"
ADMINISTRATOR = "bench-administrator"
AUDITOR = "bench-auditor"


@dataclass(frozen=True)
class Scale:
    """How large it is: units, and organizations of the lowest level in each."""

    units: int
    branches: int


SCALES = {"city": Scale(100, 30), "province": Scale(1_500, 30)}


def at(day: date, hour: int, minute: int = 0) -> datetime:
    """A moment of a day in Asia/Shanghai."""
    return datetime.combine(day, time(hour, minute), SHANGHAI).astimezone(UTC)


@dataclass(frozen=True)
class Part:
    """Organizations with the people in their seats."""

    statements: list[Statement]
    people: list[Newcomer]


class Roster:
    """The organizations and people of a scale, by the ladder of a checklist."""

    def __init__(self, checklist: Checklist, scale: Scale) -> None:
        self.ladder = Ladder.of(checklist)
        self.scale = scale
        self._tags = {
            level.id: sorted({tag for item in checklist.items if item.level == level.id for tag in item.applies.all_of})
            for level in checklist.levels
        }

    def root(self) -> Part:
        """The top of the tree."""
        facts = OrganizationFacts(name="基准测试市直机关", parent=None, level="root", opened_on=SINCE)
        people = [
            Newcomer(ROOT, post.id, 1, f"{ROOT}-{post.id}".lower(), f"工委{number}", SINCE)
            for number, post in enumerate(self.ladder.root_posts, start=1)
        ]
        return Part([Statement(ROOT, facts, SINCE)], people)

    def code(self, number: int) -> str:
        """The code of a unit; they count from 1."""
        return f"B{number:04d}"

    def unit(self, number: int) -> Part:
        """A unit with everything below it."""
        ladder, unit = self.ladder, self.code(number)
        middle = f"{unit}-M"
        part = Part([], [])
        self._add(part, unit, f"第{number}单位", ROOT, ladder.top.id, position=number, is_unit=True)
        part.people.append(_holder(unit, ladder.head.id, 1))
        part.people.extend(_holder(unit, ladder.member.id, seat) for seat in range(1, MEMBERS + 1))
        self._add(part, middle, f"第{number}单位二级组织", unit, ladder.middle.id, position=0)
        part.people.append(_holder(middle, ladder.middle_post.id, 1))
        for branch in range(1, self.scale.branches + 1):
            code = f"{unit}-{branch:03d}"
            self._add(part, code, f"第{number}单位第{branch}基层组织", middle, ladder.base.id, position=branch)
            part.people.append(_holder(code, ladder.base_post.id, 1))
        return part

    def _add(
        self, part: Part, code: str, name: str, parent: str, level: str, *, position: int, is_unit: bool = False
    ) -> None:
        tags = tuple(tag for tag in self._tags[level] if crc32(f"{code}{tag}".encode()) % 16)
        facts = OrganizationFacts(name, parent, level, tags, is_unit, position, SINCE)
        part.statements.append(Statement(code, facts, SINCE))


def _holder(code: str, post: str, number: int) -> Newcomer:
    account = f"{code}-{post}-{number}".lower()
    return Newcomer(code, post, number, account, f"{code}{post}", SINCE)


class Diary:
    """What is done about each duty of a year, up to a day: three of four are handed in, most of them confirmed."""

    def __init__(self, checklist: Checklist, *, year: int, day: date) -> None:
        self.checklist = checklist
        self.first = date(year, 1, FIRST_WORK)
        self.last = min(day, date(year + 1, 1, LAST_WORK))
        self._counts = lru_cache(maxsize=None)(self._counts_of)

    @property
    def has_begun(self) -> bool:
        """Whether people have worked in the year at all."""
        return self.first <= self.last

    @property
    def is_over(self) -> bool:
        """Whether the whole year has been worked through."""
        return self.last.year > self.first.year

    def work(self, duty: PlannedDuty) -> Work | None:
        """What is done about a duty; None: nothing."""
        slot, chance = duty.slot, crc32(duty.key.encode())
        if not self.has_begun or slot.starts_on > self.last or chance % 4 == 0:
            return None
        span = (min(slot.ends_on, self.last) - slot.starts_on).days
        act_on = slot.starts_on + STEP * (chance // 4 % (span + 1))
        handed_in_on = min(max(act_on + STEP * (chance // 64 % 4), self.first), self.last)
        handed_in_at = at(handed_in_on, 8 + chance // 256 % 4, chance // 1024 % 60)
        confirmed_on = handed_in_on + STEP * (chance // 128 % 9)
        if self.is_over:
            confirmed_on = min(confirmed_on, self.last)
        confirmed_at = at(confirmed_on, 14 + chance // 512 % 3, chance // 1024 % 60)
        is_confirmed = confirmed_on <= self.last and chance // 4096 % 40
        sentence = f"按计划办理“{duty.item.title}”，有记录备查"
        entry = Entry(act_on, sentence, self._counts(duty.item.id, chance % 23))
        return Work(entry, (_file(duty, chance),), handed_in_at, confirmed_at if is_confirmed else None)

    def _counts_of(self, item_id: str, chance: int) -> dict[str, int]:
        item: Item = self.checklist.item[item_id]
        kinds = asked_counts(item, self.checklist)
        return {kind.id: 10 + (0 if kind.at_most else chance) for kind in kinds}


def _file(duty: PlannedDuty, chance: int) -> Accepted:
    facts = {"kind": "jpeg", "scan": "not_scanned", "width": 1600, "height": 1200}
    sha256, size = digest(duty.key.encode()), 200_000 + chance % 3_000_000
    return Accepted(sha256, size, f"{duty.item.id}.jpg", "image/jpeg", facts, location_removed=False)
