"""What the seats of the city do month by month: whether, when and with what record each duty is handed in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import select

from tracker.cli.demo import words
from tracker.cli.demo.clock import END, YEAR, chance, moment, workday
from tracker.cli.demo.stage import Stage
from tracker.domain.actor import Actor
from tracker.domain.checklist import Item
from tracker.domain.duty import ClaimKind, State
from tracker.domain.evidence import asked_counts, attached_kinds
from tracker.models import Duty, Evidence, Organization, Seat
from tracker.queries.history import SHANGHAI
from tracker.services import evidence as records
from tracker.services import sign_offs
from tracker.storage.intake import Accepted

CAREFUL, CARELESS = "LY-01", "WJ"  # who forgets nothing but of late, and who often does
AWAITED = (State.OPEN, State.RETURNED)


@dataclass(frozen=True)
class Entry:
    """A record to be written: for which duties (keys) of a seat, about what day."""

    seat: str
    organization: str
    duties: tuple[str, ...]
    act_on: date


@dataclass(frozen=True)
class Draft:
    """What a record says: day, sentence, counts, files."""

    act_on: date
    sentence: str
    counts: dict[str, int]
    files: tuple[Accepted, ...]


@dataclass(frozen=True)
class _Fate:
    """How a record comes about: so many days after the act, or nothing at all."""

    act_on: date
    submit_on: date


def plan_month(stage: Stage, month: int, now: datetime) -> None:
    """Put the work of a month on the queue."""
    together: dict[tuple[str, str, str], list[Duty]] = {}
    for duty, seat, organization in _of_month(stage, month):
        if _is_dropped(stage, duty, organization, now=now):
            continue
        together.setdefault((seat, organization, _bundle(stage, duty)), []).append(duty)
    for (seat, organization, _), duties in together.items():
        for day, group in _by_day(duties, seat, month).items():
            _schedule(stage, Entry(seat, organization, tuple(duty.key for duty in group), day), group)


def _of_month(stage: Stage, month: int) -> Iterable[tuple[Duty, str, str]]:
    """The open duties that are worked on in a month, with seat and organization."""
    first = date(YEAR, month, 1)
    rows = stage.session.execute(
        select(Duty, Seat.key, Organization.code)
        .join(Seat, Seat.id == Duty.seat_id)
        .join(Organization, Organization.id == Duty.organization_id)
        .where(Duty.in_force.is_(True), Duty.state == State.OPEN, Duty.happened_on.is_(None), Duty.ends_on >= first)
        .order_by(Duty.key)
    ).all()
    return [(duty, seat, code) for duty, seat, code in rows if _month_of(duty) == month]


def _month_of(duty: Duty) -> int:
    """The month in which a duty is done, somewhere in its window."""
    first = max(duty.starts_on.month, duty.created_at.astimezone(SHANGHAI).month)
    months = range(first, max(first, duty.ends_on.month) + 1)
    return chance(duty.key, "month").choice(months)


def _is_dropped(stage: Stage, duty: Duty, organization: str, *, now: datetime) -> bool:
    """Whether a duty takes another way: forgotten, or claimed in place of handed in."""
    way = chance(duty.key, "way")
    luck = way.random()
    if organization == CAREFUL:
        return duty.ends_on == date(YEAR, 10, 31) and luck < 0.5  # all but some of October, which are overdue now
    if luck < (0.06 if organization.startswith(CARELESS) else 0.015):
        return True
    if luck > 0.975 and duty.period[0] in "YHQ":
        day = max(now.astimezone(SHANGHAI).date(), duty.starts_on) + timedelta(days=way.randrange(3, 20))
        stage.at(moment(day, 11, way.randrange(60)), claim, duty.key)
        return True
    return False


def _bundle(stage: Stage, duty: Duty) -> str:
    """What is recorded together: what happens on one day at the lowest level, else what belongs to one occasion."""
    if duty.level != stage.town.ladder.base.id:
        return duty.occasion or duty.key
    alone = duty.period[0] != "M" and chance(duty.key, "alone").random() < 0.15
    return duty.key if alone else ""


def _by_day(duties: Sequence[Duty], seat: str, month: int) -> dict[date, list[Duty]]:
    """The duties by the day of the act: the seat's day of the month, or the nearest in the window."""
    usual = workday(date(YEAR, month, chance(seat, month, "day").randrange(9, 25)))
    days: dict[date, list[Duty]] = {}
    for duty in duties:
        first = date(YEAR, month, 3)
        day = min(max(usual, duty.starts_on, first), duty.ends_on)
        days.setdefault(day, []).append(duty)
    return days


def _schedule(stage: Stage, entry: Entry, duties: Sequence[Duty]) -> None:
    luck = chance(entry.duties[0], entry.act_on, "fate")
    fate = _fate(entry, due=min(duty.due_on for duty in duties), luck=luck.random(), days=luck.randrange(0, 4))
    if fate is None or fate.submit_on > END:
        return
    entry = Entry(entry.seat, entry.organization, entry.duties, fate.act_on)
    stage.at(moment(fate.submit_on, luck.randrange(8, 18), luck.randrange(60)), hand_in, entry)


def _fate(entry: Entry, *, due: date, luck: float, days: int) -> _Fate | None:
    """In time, recorded late, made up, or nothing."""
    if entry.organization == CAREFUL or luck < 0.85:
        return _Fate(entry.act_on, max(entry.act_on, min(entry.act_on + timedelta(days=days), due)))
    if luck < 0.92:
        return _Fate(entry.act_on, due + timedelta(days=3 + 4 * days))
    if luck < 0.97:
        act_on = due + timedelta(days=4 + 3 * days)
        return _Fate(act_on, act_on + timedelta(days=1))
    return None


def hand_in(stage: Stage, entry: Entry, now: datetime) -> None:
    """Write the record and hand in what it serves; where there is a clerk, they often write and the holder signs."""
    duties = stage.duties(entry.duties, *AWAITED)
    holder, clerk = stage.signer(entry.seat, now), stage.clerk(entry.seat, now)
    if not duties or holder is None:
        return
    draft = drafted(stage, entry, duties)
    if clerk is not None and chance(entry.duties[0], "clerk").random() < 0.3:
        write(stage, duties, draft, actor=clerk, now=now)
        stage.at(now + timedelta(minutes=95), sign, entry)
    else:
        tick(stage, duties, draft, actor=holder, now=now)


def write(stage: Stage, duties: Sequence[Duty], draft: Draft, *, actor: Actor, now: datetime) -> Evidence:
    """Record something done that serves these duties."""
    return records.record(
        stage.session,
        duties=duties,
        act_on=draft.act_on,
        sentence=draft.sentence,
        counts=draft.counts,
        files=draft.files,
        actor=actor,
        now=now,
    )


def tick(stage: Stage, duties: Sequence[Duty], draft: Draft, *, actor: Actor, now: datetime) -> Evidence:
    """Record something done and hand in what it serves."""
    return sign_offs.tick(
        stage.session,
        duties=duties,
        act_on=draft.act_on,
        sentence=draft.sentence,
        counts=draft.counts,
        files=draft.files,
        actor=actor,
        now=now,
    )


def sign(stage: Stage, entry: Entry, now: datetime) -> None:
    """Hand in what a clerk has prepared."""
    duties, holder = stage.duties(entry.duties, *AWAITED), stage.signer(entry.seat, now)
    if duties and holder is not None:
        sign_offs.submit_all(stage.session, duties, actor=holder, now=now)


def claim(stage: Stage, key: str, now: datetime) -> None:
    """Say that a duty does not apply, or could not be done."""
    for duty in stage.duties([key], *AWAITED):
        holder = stage.signer(duty.seat.key, now)
        number = chance(key, "claim").randrange(len(words.CLAIM_REASONS))
        kind = ClaimKind.NOT_APPLICABLE if number < 2 else ClaimKind.EXCUSED
        if holder is not None:
            reason = words.CLAIM_REASONS[number]
            sign_offs.claim(stage.session, duty, kind=kind, reason=reason, actor=holder, now=now)


def drafted(stage: Stage, entry: Entry, duties: Sequence[Duty]) -> Draft:
    """A record with the counts and the files that these duties ask for."""
    items = stage.items(duties)
    pick = chance(entry.duties[0], entry.act_on, "contents")
    people = chance(entry.organization, "people").randrange(8, 36)
    asked = [count.id for item in items for count in asked_counts(item, stage.checklist)]
    counts = {count: _number(count, people, pick.randrange(3)) for count in asked}
    kinds = [kind.name for item in items for kind in attached_kinds(item, stage.checklist)]
    files = [stage.cabinet.file(f"{entry.act_on.month}月{kinds[0].replace('/', '或')}")] if kinds else []
    if kinds and pick.random() < 0.15:
        files.append(stage.cabinet.photo(pick.randrange(1000, 9999)))
    return Draft(entry.act_on, _sentence(stage, entry, items), counts, tuple(files))


def _sentence(stage: Stage, entry: Entry, items: Sequence[Item]) -> str:
    """One plausible line on what was done."""
    pick = chance(entry.duties[0], entry.act_on, "sentence")
    theme = pick.choice(stage.town.themes[entry.organization.partition("-")[0]])
    titles = "".join(f"“{item.title}”" for item in items[:3]) + (f"等{len(items)}项" if len(items) > 3 else "")
    day = f"{entry.act_on.month}月{entry.act_on.day}日"
    forms = (
        f"{day}在{pick.choice(words.PLACES)}办理{titles}，结合{theme}{pick.choice(words.WAYS)}，{pick.choice(words.RESULTS)}。",
        f"{day}围绕{theme}开展{titles}，{pick.choice(words.RESULTS)}。",
        f"{titles}：{day}{pick.choice(words.WAYS)}，重点是{theme}，{pick.choice(words.RESULTS)}。",
    )
    return pick.choice(forms)


def _number(count: str, people: int, absent: int) -> int:
    """A plausible number for a count of the checklist; what is not known here is 2."""
    known = {
        "expected": people,
        "present": people - absent,
        "due-people": people,
        "done-people": people - absent // 2,
        "excellent": max(1, people // 5),
        "people": 3 + absent,
        "hours": 32 + absent,
        "amount": 300 * (1 + absent),
        "sessions": 1,
        "closed": 1,
    }
    return known.get(count, 2)


def latest_record(stage: Stage, organization: str) -> Evidence | None:
    """The last record of an organization that is not withdrawn."""
    query = select(Evidence).join(Organization, Organization.id == Evidence.organization_id)
    query = query.where(Organization.code == organization, Evidence.withdrawn.is_(False))
    return stage.session.scalars(query.order_by(Evidence.number.desc()).limit(1)).first()
