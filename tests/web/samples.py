"""One object of every kind that pages load, in each of two units, made the way people make them.

`build` returns `Samples`: `things[Model][place]`, and `extras[…][place]`, the values of further parameters in
addresses: of those that load this Model, of those that load nothing (None), or of a blueprint by name.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.city import BEGIN, NOW, City
from tracker.domain.actor import AppointmentKind, operator
from tracker.domain.applicability import DecisionKind
from tracker.domain.inspection import InspectionKind, MemberRole, Severity
from tracker.domain.media import Limits
from tracker.domain.sampling import Draw, Rule
from tracker.domain.score import Verdict
from tracker.domain.seal import SealKind
from tracker.models import (
    Appointment,
    ChecklistVersion,
    Cycle,
    Decision,
    Duty,
    Evidence,
    Finding,
    GoodPractice,
    Handover,
    Inspection,
    Job,
    LogChain,
    LogEntry,
    Organization,
    Person,
    Seat,
)
from tracker.services import desk, good_practice, handovers, inspections, jobs, seats, sign_offs
from tracker.storage.blobs import BlobStore
from tracker.storage.intake import take_in
from tracker.storage.samples import sample_png

PLACES = ("D1", "D2")
HOLDERS = {"D1": "Asha", "D2": "Omar"}
INSPECTORS = {"D1": "Ines", "D2": "Ivan"}
SUCCESSORS = {"D1": "Bela", "D2": "Cao"}
LAST_DAY = date(2026, 11, 30)
ITEM, PERIOD = "L3-02", "M04"


@dataclass
class Samples:
    """What was made."""

    things: dict[type[Any], dict[str, Any]] = field(default_factory=dict)
    extras: dict[type[Any] | str | None, dict[str, dict[str, Any]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Maker:
    """Makes samples in a session over the city."""

    session: Session
    city: City
    store: BlobStore
    made: Samples

    def duty(self, place: str) -> Duty:
        """A duty that waits for its confirmation."""
        seat = f"{place}-B1.P4-1"
        found = select(Duty).where(Duty.key.startswith(f"2026.{seat}.{ITEM}.{PERIOD}."))
        return self.session.scalars(found.order_by(Duty.key)).first() or self.fail(f"no duty {ITEM} {PERIOD} of {seat}")

    def evidence(self, place: str) -> Evidence:
        """A record with a file, which serves the duty and hands it in."""
        file = take_in(io.BytesIO(sample_png(1)), name="会场.png", store=self.store, limits=Limits())
        record = sign_offs.tick(
            self.session,
            duties=[self.made.things[Duty][place]],
            act_on=date(2026, 4, 15),
            sentence="召开会议，学习文件",
            counts={"expected": 12, "present": 11},
            files=[file],
            actor=self.city.actor(HOLDERS[place]),
            now=NOW,
        )
        self.extras(Evidence, place, digest=file.sha256, number=1)
        return record

    def organization(self, place: str) -> Organization:
        """A branch, with a local decision."""
        branch = self.city.organizations[f"{place}-B1"]
        decision = Decision(
            key=f"2026.{branch.code}.D1",
            cycle_id=self.session.scalars(select(Cycle.id)).one(),
            organization_id=branch.id,
            kind=DecisionKind.OFF,
            item_id="L3-05",
            reason="并入上级一起办理",
            effective_from=date(2026, 7, 1),
            in_force=True,
            decided_as="operator",
            recorded_at=BEGIN,
        )
        self.session.add(decision)
        self.extras(Organization, place, decision=decision.key)
        return branch

    def inspection(self, place: str) -> Inspection:
        """A check of the unit by one inspector, with a notice and a drawn sample, in which the duty is judged."""
        inspector = INSPECTORS[place]
        duty: Duty = self.made.things[Duty][place]
        self.extras(Inspection, place, key=duty.key, code=f"{place}-B1", item_id=ITEM)
        inspection = inspections.plan(
            self.session,
            cycle=self.session.scalars(select(Cycle)).one(),
            plan=inspections.Plan(
                title="上半年督查",
                basis="年度工作安排",
                kind=InspectionKind.REGULAR,
                starts_on=date(2026, 5, 18),
                ends_on=date(2026, 5, 29),
                period_starts_on=date(2026, 1, 1),
                period_ends_on=date(2026, 5, 31),
                team=[(self.city.people[inspector], MemberRole.LEADER)],
                units=[self.city.organizations[place]],
                draw=Draw("20260518", Rule(percent=Decimal(100))),
                notice=take_in(io.BytesIO(sample_png(2)), name="通知.png", store=self.store, limits=Limits()),
            ),
            actor=self.city.actor(inspector),
            now=NOW,
        )
        judge = self.city.actor(inspector)
        inspections.judge(self.session, inspection, duty, value=Verdict.PARTLY, note="缺签到表", actor=judge, now=NOW)
        self.reason(place)
        self.extras("papers", place, number=inspection.number)
        self.extras("rectification", place, number=inspection.number)
        self.extras("self_checks", place, number=inspection.number)
        self.extras("circulars", place, paper="circular")
        return inspection

    def reason(self, place: str) -> None:
        """A frequent reason of the desk."""
        actor = self.city.actor(INSPECTORS[place])
        made = desk.add_reason(self.session, value=Verdict.PARTLY, text=f"缺签到表（{place}）", actor=actor, now=NOW)
        self.extras("desk", place, reason=made.key)

    def finding(self, place: str) -> Finding:
        """A problem found at the branch."""
        return inspections.find(
            self.session,
            self.made.things[Inspection][place],
            organization=self.city.organizations[f"{place}-B1"],
            duty=None,
            problem=inspections.Problem(
                problem="三月没有会议记录",
                basis="",
                post="P4",
                severity=Severity.ORDINARY,
                demand="补齐记录，说明原因",
                deadline=date(2026, 6, 12),
            ),
            actor=self.city.actor(INSPECTORS[place]),
            now=NOW,
        )

    def good_practice(self, place: str) -> GoodPractice:
        """What the inspector marked on the record."""
        record: Evidence = self.made.things[Evidence][place]
        self.extras("good_practice", place, record=record.key)
        return good_practice.mark(
            self.session,
            self.made.things[Inspection][place],
            record,
            title="流动课堂",
            text="把课讲到工地",
            actor=self.city.actor(INSPECTORS[place]),
            now=NOW,
        )

    def handover(self, place: str) -> Handover:
        """The list for a successor who comes at the end of the year."""
        seat = self.city.seats[f"{place}-B1.P4-1"]
        sitting = self.session.scalars(select(Appointment).where(Appointment.seat_id == seat.id)).one()
        who = {"kind": AppointmentKind.HOLDER, "actor": operator(), "now": NOW}
        ends = {"starts_on": sitting.starts_on, "ends_on": LAST_DAY, "corrects": sitting}
        outgoing = seats.apply_appointment(self.session, seat, sitting.person, **ends, **who)
        successor = self.city.people[SUCCESSORS[place]]
        incoming = seats.apply_appointment(
            self.session, seat, successor, starts_on=LAST_DAY + timedelta(days=1), **who
        )
        return handovers.prepare(self.session, outgoing=outgoing, incoming=incoming, actor=operator(), now=NOW)

    def job(self, place: str) -> Job:
        """A document that the holder asked for and that is not ready yet."""
        return jobs.ask(
            self.session,
            kind="self_check",
            arguments={"year": 2026, "unit": place, "as_of": NOW.isoformat(), "language": "zh"},
            title="自查报告",
            result_name="自查报告.pdf",
            unit_id=self.city.organizations[place].id,
            actor=self.city.actor(HOLDERS[place]),
            now=NOW,
        )

    def log_entry(self, place: str) -> LogEntry:
        """The first entry of the unit's chain."""
        of_unit = select(LogEntry).join(LogChain).where(LogChain.key == place).order_by(LogEntry.seq)
        return self.session.scalars(of_unit).first() or self.fail(f"nothing in the log of {place}")

    def extras(self, model: type[Any] | str | None, place: str, **values: Any) -> None:
        """Note the values of further parameters."""
        self.made.extras.setdefault(model, {})[place] = values

    @staticmethod
    def fail(sentence: str) -> Any:
        """Say what the samples need and did not find."""
        raise AssertionError(sentence)


MAKERS: dict[type[Any], Callable[[Maker, str], Any]] = {
    Duty: Maker.duty,
    Evidence: Maker.evidence,
    Organization: Maker.organization,
    Inspection: Maker.inspection,
    Finding: Maker.finding,
    GoodPractice: Maker.good_practice,
    Handover: Maker.handover,
    Job: Maker.job,
    LogEntry: Maker.log_entry,
    Person: lambda maker, place: maker.city.people[HOLDERS[place]],
    Seat: lambda maker, place: maker.city.seats[f"{place}-B1.P4-1"],
    Cycle: lambda maker, _: maker.session.scalars(select(Cycle)).one(),
    ChecklistVersion: lambda maker, _: maker.session.scalars(select(ChecklistVersion)).one(),
}


def build(session: Session, city: City, folder: Path) -> Samples:
    """Make one object of every kind in each place; the file store is `folder`."""
    maker = Maker(session, city, BlobStore(folder), Samples())
    for model, make in MAKERS.items():
        maker.made.things[model] = {place: make(maker, place) for place in PLACES}
        session.flush()
    version = maker.made.things[ChecklistVersion]["D1"]
    for place in PLACES:
        maker.extras("look_back", place, finding=maker.made.things[Finding][place].key)
        maker.extras(None, place, digest=version.sha256, year=2026, language="en")
        record = maker.made.things[Evidence][place]
        maker.extras("seals", place, kind=SealKind.EVIDENCE_TEXT.value, key=record.key)
    return maker.made
