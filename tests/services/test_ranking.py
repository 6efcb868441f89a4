"""Ranking by score: off, until an administrator turns it on for the circular of one check."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.city import NOW
from tests.services.test_inspections import planned
from tests.work import duty
from tracker.domain.errors import NotAllowed
from tracker.models import InspectionFact, LogEntry
from tracker.queries.inspections import fact_of
from tracker.services.ranking import set_ranking

LATER = NOW + timedelta(hours=1)


@pytest.fixture
def check(session, city):
    duty(city, "D1-B1.P4-1", "L3-02", "M03")
    return planned(session, city)


def facts(session):
    return session.scalars(select(InspectionFact).order_by(InspectionFact.id)).all()


def test_it_is_off_at_first(session, check):
    assert fact_of(session, check).ranked is False


def test_an_administrator_turns_it_on_and_all_else_of_the_plan_stays(session, city, check):
    before = {column.key: getattr(fact_of(session, check), column.key) for column in InspectionFact.__table__.columns}
    set_ranking(session, check, ranked=True, actor=city.actor("Adam"), now=LATER)
    after = {column.key: getattr(fact_of(session, check), column.key) for column in InspectionFact.__table__.columns}
    changed = {key for key in before if before[key] != after[key]}
    assert changed == {"id", "ranked", "recorded_at", "entered_by_id"}
    assert fact_of(session, check, as_of=NOW).ranked is False
    assert fact_of(session, check, as_of=LATER).ranked is True


def test_every_unit_can_read_in_its_log_that_it_was_turned_on(session, city, check):
    set_ranking(session, check, ranked=True, actor=city.actor("Adam"), now=LATER)
    entry = session.scalars(select(LogEntry).order_by(LogEntry.id.desc())).first()
    assert (entry.chain.key, entry.verb, entry.actor) == ("D1", "inspection.rank", "adam")
    assert json.loads(entry.payload.body) == {"before": {"ranked": False}, "after": {"ranked": True}}


def test_turning_it_on_twice_writes_once(session, city, check):
    for _ in range(2):
        set_ranking(session, check, ranked=True, actor=city.actor("Adam"), now=LATER)
    assert [fact.ranked for fact in facts(session)] == [False, True]


@pytest.mark.parametrize("who", ["Ines", "Ivan", "Dong", "Ada"])
def test_nobody_else_turns_it_on(session, city, check, who):
    with pytest.raises(NotAllowed):
        set_ranking(session, check, ranked=True, actor=city.actor(who), now=LATER)
    assert [fact.ranked for fact in facts(session)] == [False]
