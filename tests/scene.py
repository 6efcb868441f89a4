"""A small city in the middle of its year: something stands on every page, and a duty in every state."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from io import BytesIO

from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.city import BEGIN, NOW, TODAY, City
from tests.roster_files import EXAMPLE
from tests.storage.cabinet import EVERY_KIND
from tests.work import CHECKLIST
from tracker.config import Settings
from tracker.domain.actor import Actor, AppointmentKind, operator
from tracker.domain.applicability import DecisionKind
from tracker.domain.duty import ClaimKind
from tracker.domain.inspection import InspectionKind, MemberRole, Severity
from tracker.domain.media import Limits
from tracker.domain.sampling import Draw, Rule, Trait
from tracker.domain.score import Verdict
from tracker.domain.seal import SealKind
from tracker.models import Appointment, Base, ChecklistVersion, Cycle, Duty, Evidence, Inspection, LogEntry
from tracker.services import (
    assignments,
    calendar,
    checklists,
    cycles,
    desk,
    evidence,
    good_practice,
    handovers,
    inspections,
    jobs,
    rectification,
    seals,
    seats,
    sign_offs,
)
from tracker.services.accounts import ensure_account
from tracker.services.password_hash import Hasher
from tracker.storage.blobs import BlobStore
from tracker.storage.intake import Accepted, take_in

ACT = date(2026, 5, 15)
SEAT = "D1-B1.P4-1"


@dataclass(frozen=True)
class Scene:
    """Keys of what there is, for addresses."""

    checklist: str
    confirmed: str
    waiting: str
    returned: str
    changed: str
    open: str
    record: str
    free_record: str
    photo: str
    handover: str
    decision: str
    log_entry: str
    job: str


class Author:
    """Writes the scene into a session, verb by verb, as the people would."""

    def __init__(self, session: Session, settings: Settings, password: str, *, more: int) -> None:
        self.session = session
        self.store = BlobStore(settings.store_dir)
        self.city = City.build(session)
        self.city.give_role("Anna", "administrator")
        self.others = [self.grow(number) for number in range(more)]
        self._files: dict[str, Accepted] = {}
        stored = Hasher(settings.password_salt.get_secret_value()).hash(password)
        for person in [*self.city.people.values(), self.city.person("Yue")]:
            account = ensure_account(session, person, now=BEGIN)
            account.password, account.password_changed_at, account.must_change_password = stored, NOW, False

    def actor(self, who: str) -> Actor:
        """The person as they act on the day of the stories."""
        return self.city.actor(who)

    def duty(self, item: str, period: str, *, seat: str = SEAT) -> Duty:
        """A duty of the branch secretary."""
        return self.session.scalars(select(Duty).where(Duty.key == f"2026.{seat}.{item}.{period}.1")).one()

    def grow(self, number: int) -> str:
        """Add one more branch to the first unit, and with every eighth a unit; who its secretary is."""
        if number % 8 == 0:
            unit = f"X{number}"
            self.city.organization(unit, f"清河市第{number}局", parent="R", level="L1", is_unit=True)
            self.city.appoint(f"Head{number}", f"{unit}.P1-1")
        code, secretary = f"D1-X{number}", f"Xu{number}"
        self.city.organization(code, f"{code} 基层组织", parent="D1-M", level="L3", tags=["has-committee"])
        self.city.appoint(secretary, f"{code}.P4-1")
        return secretary

    def file(self, kind: str) -> Accepted:
        """A file of a kind, taken in."""
        if kind not in self._files:
            content = BytesIO(EVERY_KIND[kind]())
            self._files[kind] = take_in(content, name=f"五月活动.{kind}", store=self.store, limits=Limits())
        return self._files[kind]

    def tick(self, *duties: Duty, kinds: tuple[str, ...] = ("txt",), who: str = "Asha") -> Evidence:
        """A secretary hands something in."""
        return sign_offs.tick(
            self.session,
            duties=duties,
            act_on=ACT,
            sentence="集中学习半天，讨论了下一步的安排",
            counts={kind: 11 for duty in duties for kind in CHECKLIST.item[duty.item_id].counts},
            files=[self.file(kind) for kind in kinds],
            actor=self.actor(who),
            now=NOW,
        )

    def year(self) -> ChecklistVersion:
        """Publish the list, decide about a day and two items, and open the year."""
        version = checklists.publish(self.session, EXAMPLE.read_bytes(), actor=operator(), now=BEGIN)
        cycles.open_cycle(self.session, year=2026, version=version, actor=operator(), now=BEGIN)
        calendar.override_day(
            self.session,
            day=date(2026, 6, 8),
            is_working=False,
            name="防汛停工",
            actor=self.actor("Adam"),
            now=NOW,
        )
        return version

    def decide(self) -> str:
        """Switch an item off for the other branch; the key of the decision."""
        row = assignments.decide(
            self.session,
            cycle=self.session.scalars(select(Cycle)).one(),
            organization=self.city.organizations["D1-B2"],
            kind=DecisionKind.OFF,
            item_id="L3-18",
            reason="与上级合并开展",
            effective_from=date(2026, 7, 1),
            actor=self.actor("Adam"),
            now=NOW,
        )
        return row.key

    def hand_over(self) -> str:
        """The other branch gets a new secretary; the key of the list."""
        seat = self.city.seat("D1-B2.P4-1")
        before = self.session.scalars(select(Appointment).where(Appointment.seat_id == seat.id)).one()
        how = {"kind": AppointmentKind.HOLDER, "actor": operator(), "now": NOW}
        until = date(2026, 5, 10)
        seats.apply_appointment(
            self.session,
            seat,
            self.city.person("Bela"),
            starts_on=before.starts_on,
            ends_on=until,
            corrects=before,
            **how,
        )
        seats.apply_appointment(self.session, seat, self.city.person("Yue"), starts_on=until + timedelta(days=1), **how)
        [made] = handovers.prepare_due(self.session, today=TODAY, actor=operator(), now=NOW)
        return made.key

    def inspect(self, *duties: Duty) -> Inspection:
        """A check: two duties judged, one finding, points given by the inspector, the rest still to be judged."""
        ines = self.actor("Ines")
        check = inspections.plan(
            self.session,
            cycle=self.session.scalars(select(Cycle)).one(),
            plan=inspections.Plan(
                title="上半年督查",
                basis="年度工作安排",
                kind=InspectionKind.REGULAR,
                starts_on=date(2026, 5, 18),
                ends_on=date(2026, 5, 29),
                period_starts_on=date(2026, 1, 1),
                period_ends_on=date(2026, 6, 30),
                team=[(self.city.person("Ines"), MemberRole.LEADER), (self.city.person("Ivan"), MemberRole.MEMBER)],
                units=[self.city.organizations["D1"]],
                self_check_due_on=date(2026, 5, 18),
                draw=Draw("20260518", Rule(by=(Trait.LEVEL,), percent=Decimal(100))),
                notice=replace(self.file("pdf"), name="督查通知.pdf"),
            ),
            actor=ines,
            now=NOW,
        )
        desk.add_reason(self.session, value=Verdict.PARTLY, text="记录不全，缺签到表", actor=ines, now=NOW)
        desk.add_reason(self.session, value=Verdict.MISSING, text="没有会议记录", actor=ines, now=NOW)
        values = (Verdict.MET, Verdict.PARTLY, Verdict.MISSING)
        for duty, value in zip(duties, values, strict=True):
            inspections.add_to_sample(self.session, check, duty, actor=ines, now=NOW)
            inspections.judge(self.session, check, duty, value=value, note="看了记录", actor=ines, now=NOW)
        finding = inspections.find(
            self.session,
            check,
            organization=self.city.organizations["D1-B1"],
            duty=duties[1],
            problem=inspections.Problem(
                problem="应到人数与名册不一致",
                basis="《工作条例》第七条",
                post="P4",
                severity=Severity.ORDINARY,
                demand="核对名册并更正",
                deadline=date(2026, 6, 15),
            ),
            actor=ines,
            now=NOW,
        )
        rectification.notify(self.session, finding, actor=ines, now=NOW)
        rectification.receive(self.session, finding, actor=self.actor("Asha"), now=NOW)
        return check

    def praise(self, record: Evidence) -> None:
        """The inspector marks a record as good practice: `1-L1`."""
        check = self.session.scalars(select(Inspection)).one()
        title, text = "把课堂搬到护林点", "每月一课，由护林员讲当月的巡护情况，课后逐项记下需要解决的事。"
        good_practice.mark(self.session, check, record, title=title, text=text, actor=self.actor("Ines"), now=NOW)

    def ask_for_a_report(self) -> str:
        """A document that the worker makes once it runs; the key of its job."""
        job = jobs.ask(
            self.session,
            kind="self_check",
            arguments={"year": 2026, "unit": "D1", "as_of": NOW.isoformat(), "language": "zh"},
            title="清河市林业局自查报告",
            result_name="自查报告.pdf",
            unit_id=self.city.organizations["D1"].id,
            actor=self.actor("Dong"),
            now=NOW,
        )
        return job.key


def play(session: Session, settings: Settings, *, password: str, more: int = 0) -> Scene:
    """Write the scene into an empty database, and tell where everything is; with so many `more` branches."""
    Base.metadata.create_all(session.connection())
    author = Author(session, settings, password, more=more)
    version = author.year()
    asha, chen = author.actor("Asha"), author.actor("Chen")
    day, meeting, dues = author.duty("L3-05", "M05"), author.duty("L3-02", "M05"), author.duty("L3-10", "M05")
    lecture, plan, served = author.duty("L3-04", "H1"), author.duty("L3-14", "Y"), author.duty("L3-09", "H1")
    record = author.tick(day, lecture, kinds=tuple(EVERY_KIND))
    sign_offs.confirm(session, day, actor=chen, now=NOW)
    author.tick(meeting)
    author.tick(dues)
    sign_offs.return_(session, dues, reason="请补充明细，只填人数和金额合计", actor=chen, now=NOW)
    changed = author.tick(served)
    sign_offs.confirm(session, served, actor=chen, now=NOW)
    evidence.add_files(session, changed, files=[author.file("png")], actor=asha, now=NOW)
    sign_offs.claim(session, plan, kind=ClaimKind.EXCUSED, reason="上级统一部署，推迟开展", actor=asha, now=NOW)
    free = evidence.record(
        session,
        duties=[author.duty("L3-20", "Y")],
        act_on=ACT,
        sentence="参观展览",
        counts={},
        files=[author.file("jpeg")],
        actor=asha,
        now=NOW,
    )
    for number, secretary in enumerate(author.others):
        author.tick(author.duty("L3-02", "M05", seat=f"D1-X{number}.P4-1"), who=secretary)
    author.inspect(day, meeting, dues)
    author.praise(record)
    seals.ask(
        session, kind=SealKind.EVIDENCE_TEXT, key=free.key, reason="误写了个人隐私", actor=author.actor("Anna"), now=NOW
    )
    return Scene(
        checklist=version.sha256,
        confirmed=day.key,
        waiting=meeting.key,
        returned=dues.key,
        changed=served.key,
        open=author.duty("L3-21", "H1").key,
        record=record.key,
        free_record=free.key,
        photo=author.file("jpeg").sha256,
        handover=author.hand_over(),
        decision=author.decide(),
        log_entry=session.scalars(select(LogEntry.digest).order_by(LogEntry.id.desc())).first() or "",
        job=author.ask_for_a_report(),
    )
