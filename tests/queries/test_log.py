"""Who read what of a unit: counted by person and kind."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.city import NOW
from tracker.models import PersonFact
from tracker.queries.log import readers_of
from tracker.services import log

RECORD = "2026.D1-B1.1"


@pytest.fixture
def read(session, city):
    """What Ines and Chen did with a record of D1, with one whose key begins alike, and with one of D2."""
    for hours, (who, verb, key, code) in enumerate(
        [
            ("Ines", "evidence.open", RECORD, "D1"),
            ("Ines", "evidence.open", RECORD, "D1"),
            ("Chen", "evidence.open", RECORD, "D1"),
            ("Ines", "file.download", f"{RECORD}/{'a' * 64}", "D1"),
            ("Ines", "evidence.open", f"{RECORD}2", "D1"),
            ("Ines", "evidence.open", RECORD, "D2"),
        ]
    ):
        log.record_access(
            session,
            actor=city.actor(who),
            now=NOW + timedelta(hours=hours),
            verb=verb,
            kind="evidence",
            key=key,
            unit_id=city.organizations[code].id,
        )
    session.flush()


def readers(session, city, **narrowed):
    unit = city.organizations["D1"].id
    return readers_of(session, [RECORD], unit_id=unit, **narrowed)


def test_each_reader_stands_once_the_latest_first(session, city, read):
    ines, chen = readers(session, city)
    assert (ines.name, dict(ines.times)) == ("Ines", {"evidence.open": 2, "file.download": 1})
    assert ines.last == NOW + timedelta(hours=3)
    assert (chen.name, dict(chen.times), chen.last) == ("Chen", {"evidence.open": 1}, NOW + timedelta(hours=2))


def test_a_past_moment_knows_of_no_later_reader(session, city, read):
    [ines] = readers(session, city, as_of=NOW + timedelta(minutes=30))
    assert dict(ines.times) == {"evidence.open": 1}


def test_a_reader_is_called_what_they_were_called_then(session, city, read):
    ines, later = city.people["Ines"], NOW + timedelta(days=2)
    fact = session.scalars(select(PersonFact).where(PersonFact.person_id == ines.id)).one()
    fact.superseded_at = later
    session.flush()
    session.add(PersonFact(person_id=ines.id, name="伊内斯", recorded_at=later))
    ines.name = "伊内斯"
    session.flush()
    assert {reader.name for reader in readers(session, city)} == {"伊内斯", "Chen"}
    assert {reader.name for reader in readers(session, city, as_of=NOW + timedelta(days=1))} == {"Ines", "Chen"}
