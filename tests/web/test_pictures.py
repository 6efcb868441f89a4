"""Findings burning down, on the page of their check and above the ledger: every number opens the ledger of that day."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
import time_machine
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.city import NOW, City
from tests.services.test_inspections import problem
from tests.web.conftest import ClientOf
from tracker.db import writing
from tracker.domain.inspection import InspectionKind, MemberRole
from tracker.models import Cycle
from tracker.services import inspections, rectification

AFTER = timedelta(days=40)


@pytest.fixture
def found(session: Session, city: City, clock: time_machine.Coordinates) -> None:
    """A check with three findings: one was closed, one is reported, one is overdue; forty days later."""
    plan = inspections.Plan(
        title="上半年督查",
        basis="年度工作安排",
        kind=InspectionKind.REGULAR,
        starts_on=NOW.date(),
        ends_on=NOW.date(),
        period_starts_on=date(2026, 3, 1),
        period_ends_on=date(2026, 3, 31),
        team=[(city.people["Ines"], MemberRole.LEADER), (city.people["Ivan"], MemberRole.MEMBER)],
        units=[city.organizations["D1"]],
        picked=(),
    )
    ines, ivan, asha = (city.actor(who) for who in ("Ines", "Ivan", "Asha"))
    with writing(session):
        cycle = session.scalars(select(Cycle)).one()
        check = inspections.plan(session, cycle=cycle, plan=plan, actor=ines, now=NOW)
        made = [
            inspections.find(
                session,
                check,
                organization=city.organizations["D1-B1"],
                duty=None,
                problem=problem(),
                actor=ines,
                now=NOW,
            )
            for _ in range(3)
        ]
        for finding in made[:2]:
            rectification.fix(session, finding, text="当场补签", actor=asha, now=NOW + timedelta(days=3))
        rectification.close(session, made[0], text="核对属实", actor=ivan, now=NOW + timedelta(days=9))
    session.commit()
    clock.move_to(NOW + AFTER)


@pytest.mark.parametrize(
    ("who", "path"), [("Ines", "/inspections/1"), ("Ines", "/rectification"), ("Asha", "/rectification")]
)
def test_every_number_opens_the_ledger_of_that_day(client_of: ClientOf, found: None, who: str, path: str) -> None:
    client = client_of(who)
    page = client.get(path).text
    figure = re.search(r'aria-labelledby="picture-burn-down">(.*?)</figure>', page, re.DOTALL)

    assert figure
    assert (
        "截至 2026-06-29，共发现问题 3 个：已销号 1 个，已整改待核 1 个，未整改或整改中 0 个，逾期未整改 1 个"
        in figure[1]
    )
    numbers = re.findall(r'href="(/rectification[^"]*)">(\d+)</a>', figure[1])
    assert {number for _, number in numbers} == {"1", "2", "3"}
    for address, number in numbers:
        ledger = client.get(address.replace("&amp;", "&"))
        assert ledger.status_code == 200
        assert len(re.findall(r'<a href="/rectification/1-\d[^"]*"', ledger.text)) == int(number), address


def test_the_picture_is_of_all_findings_and_not_of_those_of_one_state(client_of: ClientOf, found: None) -> None:
    asha = client_of("Asha")

    assert "picture-burn-down" in asha.get("/rectification?unit=D1&inspection=1").text
    assert "picture-burn-down" not in asha.get("/rectification?state=closed").text
    assert "picture-burn-down" not in client_of("Omar").get("/rectification").text
