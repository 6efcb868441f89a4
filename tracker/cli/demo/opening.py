"""How the year of the demo begins, and what changes in the city while it lasts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import select

from tracker.cli.demo import words
from tracker.cli.demo.clock import BEGIN, END, YEAR, chance, moment
from tracker.cli.demo.confirming import BUSY_FROM, sweep
from tracker.cli.demo.diary import Entry, hand_in, plan_month
from tracker.cli.demo.stage import Stage, later
from tracker.cli.demo.town import ROLES, Sheets, sitting
from tracker.config import CHECKOUT, Settings
from tracker.domain.actor import operator
from tracker.domain.applicability import DecisionKind
from tracker.domain.checklist import Item
from tracker.models import Account, Cycle, Handover
from tracker.services import accounts, assignments, calendar, checklists, cycles, handovers, log, roster
from tracker.services.password_hash import Hasher
from tracker.services.roster_file import read_roster

SOURCE = CHECKOUT / "checklists" / "sanji-sigang.yaml"
PASSWORD = "Qinghe-2026!"  # noqa: S105  printed on the screen; demo installations only
BEGUN, FINISHED = "demo.begun", "demo.finished"
ACCOUNTS = (
    *("zhibu", "jingban", "jiguan", "dangzu", "banzi", "gongwei"),
    *("ducha", "ducha2", "guanli", "guanli2", "shenji"),
)


@dataclass(frozen=True)
class House:
    """What of the installation the story needs."""

    settings: Settings

    @property
    def hasher(self) -> Hasher:
        """What passwords are hashed with."""
        return Hasher(self.settings.password_salt.get_secret_value())


def mark(stage: Stage, verb: str, now: datetime) -> None:
    """Say in the log that this installation is a demo."""
    log.record(stage.session, actor=operator(), now=now, verb=verb, kind="installation", key="demo")


def record_heads(stage: Stage, now: datetime) -> None:
    """What the installation does every night: note how far each chain of the log has come."""
    log.record_heads(stage.session, actor=operator(), now=now)


def open_everything(stage: Stage, house: House, now: datetime) -> None:
    """The checklist, the roster, the accounts of the demo, and the year."""
    version = checklists.publish(stage.session, SOURCE.read_bytes(), actor=operator(), now=now)
    bring_in(stage, stage.town.sheets, now)
    let_in(stage, house, now)
    administrator = stage.actor("guanli", now)
    cycles.open_cycle(stage.session, year=YEAR, version=version, actor=administrator, now=later(now, minutes=30))


def bring_in(stage: Stage, sheets: Sheets, now: datetime) -> None:
    """Import a roster file; one that is not sound is a mistake in the demo."""
    found, errors = read_roster(sheets.as_file(), checklist=stage.checklist)
    if errors:
        raise ValueError("\n".join(map(str, errors)))
    plan = roster.plan_import(stage.session, found, today=now.date())
    roster.carry_out(stage.session, plan, actor=operator(), now=now)
    stage.recast()


def let_in(stage: Stage, house: House, now: datetime) -> None:
    """Give the roles, and the printed password to those whose accounts are printed."""
    rows = {account.username: account for account in stage.session.scalars(select(Account))}
    for name, role in ROLES.items():
        accounts.set_roles(stage.session, rows[name], roles=[role], actor=operator(), now=now)
    for name in ACCOUNTS:
        accounts.set_demo_password(
            stage.session,
            rows[name],
            password=PASSWORD,
            hasher=house.hasher,
            demo=house.settings.demo,
            actor=operator(),
            now=now,
        )
    stage.recast()


def decide_locally(stage: Stage, now: datetime) -> None:
    """One local decision of each kind."""
    town = stage.town
    first, other = town.branches(town.units[0])[0], town.branches(town.units[1])[0]
    base, top = town.ladder.base.id, town.ladder.top.id
    off = _item(stage, lambda i: i.level == base and i.frequency.every == "year" and not i.counts)
    more = _item(stage, lambda i: i.level == base and i.frequency.every == "half" and not i.frequency.windows)
    given = _item(stage, lambda i: i.level == top and i.frequency.every == "year" and i.duty == "collective")
    _decide(stage, now, other, DecisionKind.OFF, off.id, "本年度由上级统一组织，不再单独安排。")
    _decide(stage, now, other, DecisionKind.MORE, more.id, "服务窗口多，每半年开展两次。", times=2)
    _decide(
        stage, now, town.units[1], DecisionKind.GIVE, given.id, "按分工由分管负责人承担。", post=town.ladder.member.id
    )
    _decide(stage, now, first, DecisionKind.OWN, "U-01", "防火期值守是本单位的重点。", item=_own_item(stage))


def _decide(
    stage: Stage,
    now: datetime,
    code: str,
    kind: DecisionKind,
    item_id: str,
    reason: str,
    *,
    times: int | None = None,
    post: str | None = None,
    item: dict[str, object] | None = None,
) -> None:
    assignments.decide(
        stage.session,
        cycle=stage.session.scalars(select(Cycle)).one(),
        organization=stage.organization(code),
        kind=kind,
        item_id=item_id,
        reason=reason,
        effective_from=now.date(),
        times=times,
        post=post,
        item=item,
        actor=stage.actor("guanli", now),
        now=now,
    )


def _item(stage: Stage, fits: object) -> Item:
    assert callable(fits)  # noqa: S101
    found: Item = next(item for item in stage.checklist.items if fits(item))
    return found


def _own_item(stage: Stage) -> dict[str, object]:
    """An item of an organization's own, in the checklist's form."""
    ladder = stage.town.ladder
    kind = next(kind for kind in stage.checklist.evidence_kinds if kind.attached)
    return {
        "id": "U-01",
        "level": ladder.base.id,
        "duty": "individual",
        "responsibility": "post",
        "post": ladder.base_post.id,
        "confirmer": ladder.middle_post.id,
        "dimension": stage.checklist.dimensions[0].id,
        "title": "检查防火期值班",
        "requirement": "防火期内每季度检查一次值班安排和记录。",
        "frequency": {"every": "quarter", "times": 1, "grace": 5, "label": "每季度1次", "basis": "local"},
        "evidence": [kind.id],
        "counts": [],
        "points": 0,
    }


def override_a_day(stage: Stage, now: datetime) -> None:
    """A day on which the city did not work."""
    actor = stage.actor("guanli", now)
    calendar.override_day(
        stage.session, day=date(YEAR, 8, 6), is_working=False, name="防汛应急停工", actor=actor, now=now
    )


def open_a_branch(stage: Stage, now: datetime) -> None:
    """An organization is added during the year, with its secretary: it gets the periods that remain."""
    unit = stage.town.units[1]
    code = f"{unit}-{len(stage.town.branches(unit)) + 1:02}"
    account = f"{unit.lower()}150"
    sheets = Sheets(
        organizations=[stage.town.branch_row(code, opened=now.date())],
        people=[stage.town.newcomer(account)],
        sittings=[sitting(code, stage.town.ladder.base_post, account, starts_on=now.date())],
    )
    bring_in(stage, sheets, now)


def change_people(stage: Stage, now: datetime) -> None:
    """A holder changes and hands over; a tag of another organization is gone."""
    first = stage.town.units[0]
    second, third = stage.town.branches(first)[1:3]
    post, old, new = stage.town.ladder.base_post, f"{first.lower()}102", f"{first.lower()}152"
    sheets = Sheets(
        organizations=[stage.town.branch_row(third, tags=stage.town.tags_of(third)[:-1])],
        people=[stage.town.newcomer(new)],
        sittings=[
            sitting(second, post, old, ends_on=date(YEAR, 6, 14)),
            sitting(second, post, new, starts_on=now.date()),
        ],
    )
    bring_in(stage, sheets, now)
    for minutes, account in ((60, old), (90, new)):
        stage.at(later(now, minutes=minutes), sign_handover, account)


def sign_handover(stage: Stage, account: str, now: datetime) -> None:
    """One of the two signs the list."""
    handover = stage.session.scalars(select(Handover)).one()
    handovers.sign(stage.session, handover, actor=stage.actor(account, now), now=now)


def report_event(stage: Stage, seat: str, item_id: str, number: int, now: datetime) -> None:
    """Tell of something that happened; most of these duties are handed in."""
    holder = stage.signer(seat, now)
    if holder is None:
        return
    what = words.EVENTS[number % len(words.EVENTS)].format(number=number + 1)
    found = stage.seat(seat)
    duty = cycles.report_event(
        stage.session, seat=found, item_id=item_id, happened_on=now.date(), what=what, actor=holder, now=now
    )
    if chance(duty.key, "reported").random() < 0.8:
        entry = Entry(seat, found.organization.code, (duty.key,), now.date())
        stage.at(later(now, days=2, minutes=25), hand_in, entry)


def put_on_queue(stage: Stage, house: House) -> None:
    """Everything that is known beforehand."""
    stage.at(moment(BEGIN, 9), mark, BEGUN)
    stage.at(moment(BEGIN, 10), open_everything, house)
    stage.at(moment(date(YEAR, 1, 5), 9), decide_locally)
    stage.at(moment(date(YEAR, 5, 6), 9), open_a_branch)
    stage.at(moment(date(YEAR, 6, 15), 9), change_people)
    stage.at(moment(date(YEAR, 8, 6), 7, 30), override_a_day)
    for month in range(1, 12):
        stage.at(moment(date(YEAR, month, 5 if month == 1 else 1), 7 if month > 1 else 12), plan_month, month)
    for day in range((END - BEGIN).days + 1):
        stage.at(moment(BEGIN + timedelta(days=day), 23, 30), record_heads)
    _sweeps(stage)
    _events(stage)


def _sweeps(stage: Stage) -> None:
    """The middle level decides twice a month, those above it once."""
    town, ladder = stage.town, stage.town.ladder
    seats = [(0, town.seat(code, ladder.middle_post)) for code in town.middles.values()]
    seats += [(2, town.seat(unit, ladder.head)) for unit in town.units]
    seats += [(2, town.seat(town.units[-1], ladder.member))]  # confirms where there is no middle level
    seats += [(4, town.seat(words.CITY_CODE, post)) for post in ladder.root_posts]
    busy = seats[0][1]
    for month in range(1, 12):
        for number, (delay, seat) in enumerate(seats):
            for day in (10,) if delay else (10, 24):
                on = date(YEAR, month, day + delay)
                if seat != busy or on < BUSY_FROM:
                    stage.at(moment(on, 18, number), sweep, seat)


def _events(stage: Stage) -> None:
    """Events of the year: several at the top, some at every level below."""
    town, ladder = stage.town, stage.town.ladder
    seats = [(town.seat(unit, ladder.head), ladder.top.id, 6) for unit in town.units]
    seats += [(town.seat(code, ladder.middle_post), ladder.middle.id, 2) for code in town.middles.values()]
    seats += [(town.seat(code, ladder.base_post), ladder.base.id, 1) for u in town.units for code in town.branches(u)]
    for seat, level, most in seats:
        items = [i.id for i in stage.checklist.items if i.level == level and i.frequency.every == "event"]
        luck = chance(seat, "events")
        for number in range(luck.randrange(most + 1)):
            day = date(YEAR, 1 + (number * 2 + luck.randrange(2)) % 10 + 1, luck.randrange(1, 29))
            stage.at(moment(day, 16, luck.randrange(60)), report_event, seat, luck.choice(items), number)
