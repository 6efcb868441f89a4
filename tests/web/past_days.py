"""Days of a city that pass: people do things through the services, day by day, and pages are read at the end of each.

`DAYS` names what certainly happens on which day; between it, whatever chance picks is tried, and refused where a rule
says no. `text_of` leaves of a page what it says: forms, buttons and the line about the past day are not part of that.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from typing import NoReturn

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from tests.city import City, at
from tests.work import LIST, PRESENT, file
from tracker.db import writing
from tracker.domain.actor import Actor, AppointmentKind, operator
from tracker.domain.applicability import DecisionKind
from tracker.domain.duty import ClaimKind, State
from tracker.domain.errors import RuleError
from tracker.domain.inspection import InspectionKind, MemberRole, Severity
from tracker.domain.organization import OrganizationFacts
from tracker.domain.sampling import Draw, Rule
from tracker.domain.score import Verdict
from tracker.models import (
    Appointment,
    Cycle,
    Duty,
    Evidence,
    EvidenceLink,
    Finding,
    Inspection,
    LookBackFinding,
    Organization,
    Person,
    Seat,
)
from tracker.queries.checklists import checklist_of
from tracker.queries.organizations import codes, facts_of_row, in_force, known_facts
from tracker.services import (
    assignments,
    checklists,
    cycles,
    evidence,
    handovers,
    inspections,
    organizations,
    people,
    rectification,
    seats,
    sign_offs,
)
from tracker.services import look_back as look_backs

FIRST = date(2026, 5, 20)
SEAT = "D1-B1.P4-1"
OWED = tuple(f"2026.{SEAT}.{rest}.1" for rest in ("L3-02.M05", "L3-20.Y", "L3-05.M04"))
OWN = {
    "level": "L3",
    "duty": "individual",
    "responsibility": "post",
    "post": "P4",
    "confirmer": "P3",
    "dimension": "A",
    "requirement": "每季度到林场宣传一次。",
    "frequency": {"every": "quarter", "label": "每季度", "basis": "local"},
    "evidence": [],
}
DAYS = (
    ("plan", "tick", "confirm", "record", "judge"),
    ("rename_branch", "correct", "judge", "find", "rename_unit", "notify", "tick"),
    ("hand_over", "rename_person", "judge", "receive", "publish", "add_files", "return"),
    ("move", "record", "void", "decide", "measure", "overrule", "extend"),
    ("own", "grant", "report", "retag", "overrule", "close_finding", "unlink"),
    ("judge_all", "move", "close_check", "look_back", "seen"),
    ("rename_branch", "seen", "rename_person", "close_year"),
)


@dataclass
class Moment:
    """One thing that somebody does: where, when, and what chance says."""

    session: Session
    chance: random.Random
    now: datetime

    @property
    def day(self) -> date:
        """The day in Asia/Shanghai."""
        return (self.now + timedelta(hours=8)).date()

    def person(self, key: str) -> Person:
        """Who carries that key, whatever they are called."""
        return self.session.scalars(select(Person).where(Person.key == key)).one()

    def actor(self, key: str) -> Actor:
        """The person as they act on that day."""
        city = City(self.session, people={key: self.person(key)})
        return city.actor(key, today=self.day)

    @property
    def secretary(self) -> Actor:
        """Whoever holds the seat that day."""
        asha = self.actor("asha")
        return asha if asha.sittings else self.actor("bela")

    @property
    def duty(self) -> Duty:
        """One of the duties of the story."""
        return self.duty_in(*State)

    def duty_in(self, *states: State) -> Duty:
        """One of the duties of the story that stand like this; where there is none, any."""
        found = self.session.scalars(select(Duty).where(Duty.key.in_(OWED)).order_by(Duty.key)).all()
        return self.chance.choice([duty for duty in found if duty.state in states] or found)

    @property
    def record(self) -> Evidence:
        """One of the records there are, one that serves nothing signed before others."""
        found = self.session.scalars(select(Evidence).order_by(Evidence.id)).all()
        signed = select(EvidenceLink.evidence_id).join(Duty, Duty.id == EvidenceLink.duty_id)
        signed = signed.where(Duty.state.not_in((State.OPEN, State.RETURNED)), EvidenceLink.superseded_at.is_(None))
        held = set(self.session.scalars(signed))
        free = [record for record in found if record.id not in held and not record.withdrawn]
        return self.chance.choice(free or found or [None]) or _nothing()

    @property
    def check(self) -> Inspection:
        """The check."""
        return self.session.scalars(select(Inspection).order_by(Inspection.number)).first() or _nothing()

    @property
    def finding(self) -> Finding:
        """The first finding, or now and then another one."""
        found = self.session.scalars(select(Finding).order_by(Finding.id)).all()
        others = found if self.chance.random() < 0.25 else found[:1]
        return self.chance.choice(others or [None]) or _nothing()

    @property
    def cycle(self) -> Cycle:
        """The year."""
        return self.session.scalars(select(Cycle)).one()

    def organization(self, code: str) -> Organization:
        """The organization of that code."""
        return self.session.scalars(select(Organization).where(Organization.code == code)).one()

    def facts(self, code: str) -> OrganizationFacts:
        """What is true of it on that day."""
        number = self.organization(code).id
        found = in_force(known_facts(self.session, organization_ids=[number])[number], self.day)
        assert found is not None
        return facts_of_row(found, codes(self.session))

    def state(self, code: str, **changes: object) -> None:
        """Say anew what is true of it, from that day on."""
        facts = replace(self.facts(code), **changes)
        organizations.apply(
            self.session, code=code, facts=facts, valid_from=self.day, actor=operator(), now=self.now
        )


def _nothing() -> NoReturn:
    raise RuleError("还没有。")


def _unsigned(one: Moment) -> Duty:
    return one.duty_in(State.OPEN, State.RETURNED)


def _held(one: Moment) -> dict[str, object]:
    return {"actor": one.secretary, "now": one.now}


def _by(one: Moment, who: str) -> dict[str, object]:
    return {"actor": one.actor(who), "now": one.now}


def _said(one: Moment) -> dict[str, object]:
    act_on = min(one.day, date(2026, 5, 18)) - timedelta(days=one.chance.randrange(3))
    return {"act_on": act_on, "sentence": f"第{one.chance.randrange(1000)}次学习", "counts": PRESENT}


def plan(one: Moment) -> None:
    """Ines and Ivan are to check the unit; the sample is picked by hand."""
    duties = one.session.scalars(select(Duty).where(Duty.key.in_(OWED)).order_by(Duty.key)).all()
    said = inspections.Plan(
        title="上半年督查",
        basis="年度工作安排",
        kind=InspectionKind.REGULAR,
        starts_on=FIRST,
        ends_on=FIRST + timedelta(days=20),
        period_starts_on=date(2026, 1, 1),
        period_ends_on=date(2026, 12, 31),
        team=[(one.person("ines"), MemberRole.LEADER), (one.person("ivan"), MemberRole.MEMBER)],
        units=[one.organization("D1"), one.organization("D2")],
        picked=duties,
    )
    inspections.plan(one.session, cycle=one.cycle, plan=said, **_by(one, "ines"))


def look_back(one: Moment) -> None:
    """Another check looks at what was closed."""
    said = inspections.Plan(
        title="回头看",
        basis="年度工作安排",
        kind=InspectionKind.LOOK_BACK,
        starts_on=one.day,
        ends_on=one.day,
        period_starts_on=date(2026, 1, 1),
        period_ends_on=date(2026, 12, 31),
        team=[(one.person("ivan"), MemberRole.LEADER), (one.person("ines"), MemberRole.MEMBER)],
        units=[one.organization("D1")],
        picked=[],
    )
    made = inspections.plan(one.session, cycle=one.cycle, plan=said, **_by(one, "ivan"))
    look_backs.draw_sample(one.session, made, Draw("7", Rule(percent=Decimal(100))), **_by(one, "ivan"))


def seen(one: Moment) -> None:
    """Say of a closed finding whether it held, or revise that."""
    found = one.session.scalars(select(LookBackFinding).order_by(LookBackFinding.id)).first()
    if found is None:
        raise RuleError("还没有。")
    check = one.session.get_one(Inspection, found.inspection_id)
    held, note = one.chance.random() < 0.5, f"看了{one.chance.randrange(100)}处"
    look_backs.judge(one.session, check, found.finding, held=held, note=note, **_by(one, "ines"))


def judge(one: Moment, duty: Duty | None = None) -> None:
    """Judge a duty, or revise what was said."""
    value = one.chance.choice(list(Verdict))
    note = f"看了{one.chance.randrange(100)}页"
    inspections.judge(one.session, one.check, duty or one.duty, value=value, note=note, **_by(one, "ines"))


def judge_all(one: Moment) -> None:
    """Judge whatever is left."""
    for duty in one.session.scalars(select(Duty).where(Duty.key.in_(OWED)).order_by(Duty.key)):
        judge(one, duty)


def find(one: Moment) -> None:
    """Note a problem with a duty."""
    problem = inspections.Problem(
        problem=f"记录缺{one.chance.randrange(2, 9)}页",
        basis="《工作条例》第七条",
        post="P4",
        severity=Severity.ORDINARY,
        demand="补齐",
        deadline=date(2026, 6, 15),
    )
    duty = one.duty
    inspections.find(
        one.session, one.check, organization=duty.organization, duty=duty, problem=problem, **_by(one, "ines")
    )


def overrule(one: Moment) -> None:
    """Give an item other points, or take that back."""
    item = checklist_of(one.cycle.checklist_version).item[one.duty.item_id]
    tenths = one.chance.choice([None, 5, 10])
    said = {"organization": one.organization("D1-B1"), "item": item, "tenths": tenths, "reason": "补充材料属实"}
    inspections.overrule(one.session, one.check, **said, **_by(one, "ines"))


def hand_over(one: Moment) -> None:
    """Asha leaves the seat to Bela as of that day."""
    seat = one.session.scalars(select(Seat).where(Seat.key == SEAT)).one()
    holds = select(Appointment).where(Appointment.seat_id == seat.id, Appointment.superseded_at.is_(None))
    before = one.session.scalars(holds.order_by(Appointment.starts_on.desc())).first()
    if before is None or before.person.key != "asha":
        return
    how = {"kind": AppointmentKind.HOLDER, "actor": operator(), "now": one.now}
    ends = {"starts_on": before.starts_on, "ends_on": one.day - timedelta(days=1), "corrects": before}
    seats.apply_appointment(one.session, seat, before.person, **ends, **how)
    seats.apply_appointment(one.session, seat, one.person("bela"), starts_on=one.day, **how)
    handovers.prepare_due(one.session, today=one.day, actor=operator(), now=one.now)


def publish(one: Moment) -> None:
    """Freeze another version of the list, with other words; the year runs on the one it was opened with."""
    number = one.chance.randrange(10_000)
    source = LIST.read_text("utf-8").replace('version: "2026.1"', f'version: "2026.{number + 2}"')
    source = source.replace('name: "党组（党委）"', f'name: "党组第{number}版"')
    checklists.publish(one.session, source.encode(), actor=operator(), now=one.now)


def decide(one: Moment) -> None:
    """Switch an item off for the other branch."""
    item_id = one.chance.choice(["L3-18", "L3-21", "L3-14"])
    said = {"kind": DecisionKind.OFF, "item_id": item_id, "reason": "与上级合并开展", "effective_from": one.day}
    branch = one.organization("D1-B2")
    assignments.decide(one.session, cycle=one.cycle, organization=branch, **said, **_by(one, "adam"))


def own(one: Moment) -> None:
    """Add an item of the branch's own, from that day on."""
    number = one.chance.randrange(1000)
    item = OWN | {"id": f"U-{number}", "title": f"本支部事项{number}"}
    said = {"kind": DecisionKind.OWN, "item_id": item["id"], "reason": "本单位工作需要", "effective_from": one.day}
    branch = one.organization("D1-B1")
    assignments.decide(one.session, cycle=one.cycle, organization=branch, item=item, **said, **_by(one, "adam"))


def rename_person(one: Moment) -> None:
    """Somebody is called otherwise."""
    who = one.chance.choice(["asha", "chen", "ines", "bela", "ivan", "dong"])
    known = {"account_name": who, "staff_number": None, "name": f"{who}改{one.chance.randrange(100)}"}
    people.apply(one.session, **known, actor=operator(), now=one.now)


def move(one: Moment) -> None:
    """A branch goes to the other unit, or back."""
    elsewhere = "D1-M" if one.facts("D1-B2").parent == "D2-M" else "D2-M"
    one.state("D1-B2", parent=elsewhere, position=one.chance.randrange(9))


def _measure(one: Moment) -> None:
    said = {"post": "P4", "planned_on": date(2026, 6, 10), "text": "逐月核对"}
    rectification.measure(one.session, one.finding, **said, **_by(one, "dong"))


VERBS: Mapping[str, Callable[[Moment], object]] = {
    "plan": plan,
    "judge": judge,
    "judge_all": judge_all,
    "look_back": look_back,
    "seen": seen,
    "find": find,
    "overrule": overrule,
    "hand_over": hand_over,
    "publish": publish,
    "decide": decide,
    "own": own,
    "rename_person": rename_person,
    "move": move,
    "rename_branch": lambda one: one.state("D1-B1", name=f"第{one.chance.randrange(99)}支部"),
    "rename_unit": lambda one: one.state("D1", name=f"林业和草原局{one.chance.randrange(99)}"),
    "retag": lambda one: one.state("D1-B1", tags=one.chance.choice([(), ("has-committee",)])),
    "tick": lambda one: sign_offs.tick(
        one.session, duties=[_unsigned(one)], files=[file()], **_said(one), **_held(one)
    ),
    "record": lambda one: evidence.record(
        one.session, duties=[_unsigned(one)], files=[file("2")], **_said(one), **_held(one)
    ),
    "submit": lambda one: sign_offs.submit(one.session, _unsigned(one), reason="有补充", **_held(one)),
    "confirm": lambda one: sign_offs.confirm(one.session, one.duty_in(State.SUBMITTED), **_by(one, "chen")),
    "return": lambda one: sign_offs.return_(
        one.session, one.duty_in(State.SUBMITTED), reason="缺页", **_by(one, "chen")
    ),
    "withdraw": lambda one: sign_offs.withdraw(one.session, one.duty_in(State.SUBMITTED), **_held(one)),
    "claim": lambda one: sign_offs.claim(
        one.session, _unsigned(one), kind=one.chance.choice(list(ClaimKind)), reason="防汛", **_held(one)
    ),
    "accept": lambda one: sign_offs.accept(one.session, one.duty_in(State.CLAIMED), **_by(one, "chen")),
    "refuse": lambda one: sign_offs.refuse(
        one.session, one.duty_in(State.CLAIMED), reason="不成立", **_by(one, "chen")
    ),
    "reopen": lambda one: sign_offs.reopen(
        one.session, one.duty_in(State.CONFIRMED, State.EXCUSED), reason="有误", **_by(one, "chen")
    ),
    "add_files": lambda one: evidence.add_files(
        one.session, one.record, files=[file(str(one.chance.random()))], **_held(one)
    ),
    "correct": lambda one: evidence.correct(one.session, one.record, **_said(one), **_held(one)),
    "void": lambda one: evidence.withdraw(one.session, one.record, reason="传错", **_held(one)),
    "unlink": lambda one: evidence.unlink(one.session, one.record, one.duty, **_held(one)),
    "link": lambda one: evidence.link(one.session, one.record, [one.duty], **_held(one)),
    "notify": lambda one: rectification.notify(one.session, one.finding, **_by(one, "ines")),
    "receive": lambda one: rectification.receive(one.session, one.finding, **_by(one, "dong")),
    "measure": _measure,
    "extend": lambda one: rectification.ask_extension(
        one.session, one.finding, deadline=date(2026, 6, 30), text="需要核对", **_by(one, "dong")
    ),
    "grant": lambda one: rectification.grant_extension(
        one.session, one.finding, deadline=date(2026, 6, 29), text="属实", **_by(one, "ines")
    ),
    "report": lambda one: rectification.report(one.session, one.finding, text="已补齐", **_by(one, "dong")),
    "close_finding": lambda one: rectification.close(one.session, one.finding, text="属实", **_by(one, "ivan")),
    "close_check": lambda one: inspections.close(one.session, one.check, **_by(one, "ines")),
    "close_year": lambda one: cycles.close_cycle(one.session, one.cycle, actor=operator(), now=one.now),
}
BY_CHANCE = tuple(verb for verb in VERBS if verb not in {"plan", "close_year", "close_check", "judge_all", "look_back"})


def pass_day(engine: Engine, chance: random.Random, number: int, *, more: int) -> tuple[date, int]:
    """Do what happens on that day of the story, and `more` besides; the day, and how much of it no rule refused."""
    day = FIRST + timedelta(days=number)
    verbs = [*DAYS[number]]
    for _ in range(more):
        verbs.insert(chance.randrange(1, len(verbs) + 1), chance.choice(BY_CHANCE))
    done = 0
    for minute, verb in enumerate(verbs):
        with Session(engine) as session:
            one = Moment(session, chance, at(day, 9) + timedelta(minutes=10 * minute))
            try:
                with writing(session):
                    VERBS[verb](one)
                done += 1
            except RuleError:
                session.rollback()
    return day, done


# ---------------------------------------------------------------- what a page says

VOID = frozenset({"br", "col", "hr", "img", "input", "link", "meta", "source", "use", "wbr"})
UNSAID = frozenset({"form", "script", "style"})
PARTS = frozenset({"acts", "waits", "readers"})  # what can be done now and by whom; who reads: reading changes that


# Sentences about what can be done now.
ACTING = frozenset({"抽查的任务全部有了核查结论，就可以结束本次督查。"})


class _Said(HTMLParser):
    """The text of `<main>`, line by line."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._within: list[bool] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in VOID:
            return
        said = dict(attrs)
        classes = set((said.get("class") or "").split())
        begins = tag == "main" or (bool(self._within) and self._within[-1])
        silent = tag in UNSAID or classes & {"past", "actions", "button"} or said.get("aria-labelledby") in PARTS
        self._within.append(begins and not silent)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            self._within.pop()

    def handle_data(self, data: str) -> None:
        said = " ".join(data.split())
        if said and said not in ACTING and self._within and self._within[-1]:
            self.lines.append(said)


def text_of(html: str) -> list[str]:
    """What a page says, line by line."""
    parser = _Said()
    parser.feed(html)
    return parser.lines
