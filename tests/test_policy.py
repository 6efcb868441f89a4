"""One rule for one object and for a list of them; what each person sees, written down by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import pytest
from sqlalchemy import Connection, Engine, select
from sqlalchemy.orm import Session

from tests.city import NOW, City
from tests.work import ACT, PRESENT, cycle_of, duty, file
from tracker.domain.actor import Actor, AppointmentKind, operator
from tracker.domain.inspection import InspectionKind, MemberRole
from tracker.models import (
    Duty,
    Evidence,
    EvidenceLink,
    Inspection,
    InspectionMember,
    LogEntry,
    Organization,
    StoredFile,
)
from tracker.policy import _VISIBLE, Act, can, sees, visible
from tracker.services import inspections, log, sign_offs

PEOPLE = ("Rong", "Dong", "Lin", "Chen", "Asha", "Bela", "Du", "Cao", "Omar", "Ines", "Ivan", "Adam", "Ada")
STRANGER = Actor(None, "stranger", "")


@pytest.fixture(scope="module")
def grounds() -> Iterator[dict[Engine, Connection]]:
    """Of each database a connection in whose transaction all of it was written once: nobody commits it."""
    made: dict[Engine, Connection] = {}
    yield made
    for connection in made.values():
        connection.close()


@pytest.fixture
def session(engine: Engine, grounds: dict[Engine, Connection]) -> Iterator[Session]:
    """A session over it whose changes are undone after the test."""
    if engine not in grounds:
        grounds[engine] = engine.connect()
        grounds[engine].begin()
        with Session(grounds[engine], join_transaction_mode="create_savepoint") as session:
            fill(session, City.standing(session))
            session.commit()
    outer = grounds[engine].begin_nested()
    with Session(grounds[engine], join_transaction_mode="create_savepoint") as session:
        yield session
    outer.rollback()


@pytest.fixture
def filled(city: City) -> City:
    """The city with what `fill` wrote."""
    return city


def fill(session: Session, city: City) -> None:
    """Ticked duties in three branches and one level up, a check of Ines's on two items of D1, and what was logged."""
    for seat, who in (("D1-B1.P4-1", "Asha"), ("D1-B2.P4-1", "Bela"), ("D2-B1.P4-1", "Omar")):
        for item, period in (("L3-02", "M05"), ("L3-04", "H1")):
            made = duty(city, seat, item, period)
            sign_offs.tick(
                session,
                duties=[made],
                act_on=ACT,
                sentence=f"{who} 办理 {item}",
                counts=PRESENT,
                files=[file(f"{who} {item}")],
                actor=city.actor(who),
                now=NOW,
            )
    duty(city, "D1-B1.P4-1", "L3-02", "M09")
    inspections.plan(
        session,
        cycle=cycle_of(session),
        plan=inspections.Plan(
            title="一季度督查",
            basis="年度计划",
            kind=InspectionKind.REGULAR,
            starts_on=date(2026, 5, 20),
            ends_on=date(2026, 5, 22),
            period_starts_on=date(2026, 5, 1),
            period_ends_on=date(2026, 5, 31),
            team=[(city.people["Ines"], MemberRole.LEADER)],
            units=[city.organizations["D1"]],
            items=["L3-02"],
            picked=None,
        ),
        actor=city.actor("Ines"),
        now=NOW,
    )
    for code in ("D1", "D2"):
        log.record_access(
            session,
            actor=city.actor("Ines"),
            now=NOW,
            verb="view",
            kind="duty",
            key="x",
            unit_id=city.organizations[code].id,
        )


def seen(city: City, who: str, model) -> set[str]:
    """The keys of what a person sees."""
    column = model.code if model is Organization else model.sha256 if model is StoredFile else model.key
    return set(city.session.scalars(select(column).where(visible(city.actor(who), model))))


@pytest.mark.parametrize("model", sorted(_VISIBLE, key=lambda model: model.__name__))
def test_one_object_and_the_list_say_the_same(session, filled, model):
    things = session.scalars(select(model)).all()
    for who in (*PEOPLE, STRANGER):
        actor = who if isinstance(who, Actor) else filled.actor(who)
        listed = set(session.scalars(select(model.id).where(visible(actor, model))))
        for thing in things:
            assert sees(session, actor, thing) is (thing.id in listed)
            assert can(session, actor, Act.VIEW, thing) is (thing.id in listed)


@pytest.mark.parametrize("model", sorted(_VISIBLE, key=lambda model: model.__name__))
def test_a_stranger_sees_nothing(session, filled, model):
    assert session.scalars(select(model.id).where(visible(STRANGER, model))).all() == []


OF_D1 = {"2026.D1-B1.P4-1.L3-02.M05.1", "2026.D1-B1.P4-1.L3-04.H1.1", "2026.D1-B1.P4-1.L3-02.M09.1"} | {
    "2026.D1-B2.P4-1.L3-02.M05.1",
    "2026.D1-B2.P4-1.L3-04.H1.1",
}
OF_D2 = {"2026.D2-B1.P4-1.L3-02.M05.1", "2026.D2-B1.P4-1.L3-04.H1.1"}


@pytest.mark.parametrize(
    ("who", "keys"),
    [
        ("Asha", {key for key in OF_D1 if "D1-B1" in key}),
        ("Bela", {key for key in OF_D1 if "D1-B2" in key}),
        ("Chen", OF_D1),
        ("Dong", OF_D1),
        ("Cao", OF_D2),
        ("Omar", OF_D2),
        ("Rong", OF_D1 | OF_D2),
        ("Ines", {key for key in OF_D1 if "L3-02.M05" in key}),
        ("Ivan", set()),
        ("Adam", set()),
        ("Ada", set()),
    ],
)
def test_duties_are_seen_from_above_or_by_a_check_that_covers_them(filled, who, keys):
    assert seen(filled, who, Duty) == keys


def test_an_inspector_sees_evidence_and_files_of_the_scope_only(filled):
    assert seen(filled, "Ines", Evidence) == {"2026.D1-B1.1", "2026.D1-B2.1"}
    assert seen(filled, "Ines", StoredFile) == {file("Asha L3-02").sha256, file("Bela L3-02").sha256}
    assert seen(filled, "Ivan", Evidence) == set()


def test_a_check_that_ines_left_shows_her_nothing_more(session, filled):
    inspection = session.scalars(select(Inspection)).one()
    assert can(session, filled.actor("Ines"), Act.INSPECT, inspection)
    for member in session.scalars(select(InspectionMember)):
        member.superseded_at = NOW
    session.flush()
    assert seen(filled, "Ines", Duty) == set()
    assert not can(session, filled.actor("Ines"), Act.INSPECT, inspection)


def test_a_record_linked_across_organizations_shows_itself_and_nothing_else(session, filled):
    record = session.scalars(select(Evidence).where(Evidence.key == "2026.D1-B1.1")).one()
    other = session.scalars(select(Duty).where(Duty.key == "2026.D2-B1.P4-1.L3-02.M05.1")).one()
    before = {model: seen(filled, "Omar", model) for model in (Duty, Evidence, Organization, StoredFile)}
    link = EvidenceLink(evidence_id=record.id, duty_id=other.id, linked_by_id=filled.people["Rong"].id, recorded_at=NOW)
    session.add(link)
    session.flush()
    assert seen(filled, "Omar", Evidence) == before[Evidence] | {record.key}
    assert seen(filled, "Omar", StoredFile) == before[StoredFile] | {file("Asha L3-02").sha256}
    assert seen(filled, "Omar", Duty) == before[Duty]
    assert seen(filled, "Omar", Organization) == before[Organization]
    link.superseded_at = NOW
    session.flush()
    assert seen(filled, "Omar", Evidence) == before[Evidence]


def test_a_clerk_sees_and_prepares_and_signs_nothing(session, filled):
    filled.appoint("Kim", "D1-B1.P4-1", kind=AppointmentKind.CLERK)
    made = session.scalars(select(Duty).where(Duty.key == "2026.D1-B1.P4-1.L3-02.M09.1")).one()
    assert [can(session, filled.actor("Kim"), act, made) for act in (Act.VIEW, Act.PREPARE, Act.SIGN)] == [
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(("who", "chains"), [("Dong", {"D1"}), ("Du", {"D2"}), ("Asha", set()), ("Ines", set())])
def test_a_unit_reads_its_own_chain(session, filled, who, chains):
    entries = session.scalars(select(LogEntry).where(visible(filled.actor(who), LogEntry))).all()
    assert {entry.chain.key for entry in entries} == chains


def test_auditors_read_every_chain_and_administrators_none(session, filled):
    every = len(session.scalars(select(LogEntry.id)).all())
    assert len(session.scalars(select(LogEntry.id).where(visible(filled.actor("Ada"), LogEntry))).all()) == every > 0
    assert session.scalars(select(LogEntry.id).where(visible(filled.actor("Adam"), LogEntry))).all() == []


@pytest.mark.parametrize("who", PEOPLE)
def test_roles_open_what_appointments_do_not(session, filled, who):
    actor = filled.actor(who)
    assert can(session, actor, Act.ADMINISTER) is (who == "Adam")
    assert can(session, actor, Act.AUDIT) is (who == "Ada")
    assert can(session, actor, Act.USE)
    assert can(session, actor, Act.INSPECT) is (who in {"Ines", "Ivan", "Adam"})


def test_the_operator_administers_and_is_nobody(session, filled):
    assert can(session, operator(), Act.ADMINISTER)
    assert not can(session, operator(), Act.USE)
