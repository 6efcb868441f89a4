"""Who is in the team of a check: an administrator changes it, and a lone inspector's findings can then be closed."""

import json
from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.city import NOW
from tests.services.test_inspections import planned, problem
from tests.work import duty
from tracker.domain.errors import Invalid, NotAllowed
from tracker.domain.inspection import MemberRole, RectificationState
from tracker.models import LogEntry
from tracker.policy import sees
from tracker.queries.inspections import team_of
from tracker.services import inspections, rectification
from tracker.services.inspection_teams import set_team

LATER = NOW + timedelta(hours=1)
LEADER, MEMBER = MemberRole.LEADER, MemberRole.MEMBER


@pytest.fixture
def check(session, city):
    duty(city, "D1-B1.P4-1", "L3-02", "M03")
    return planned(session, city)


def change(session, city, check, *team, who="Adam"):
    pairs = [(city.people[name], role) for name, role in team]
    return set_team(session, check, pairs, actor=city.actor(who), now=LATER)


def named(session, check, **options):
    return [(person.name, role) for person, role in team_of(session, check, **options)]


def test_somebody_who_comes_sees_the_check_and_the_earlier_team_is_kept(session, city, check):
    assert not sees(session, city.actor("Ivan"), check)

    assert change(session, city, check, ("Ines", LEADER), ("Ivan", MEMBER))

    assert sees(session, city.actor("Ivan"), check)
    assert named(session, check) == [("Ines", LEADER), ("Ivan", MEMBER)]
    assert named(session, check, as_of=NOW) == [("Ines", LEADER)]
    entry = session.scalars(select(LogEntry).where(LogEntry.verb == "inspection.team")).one()
    told = json.loads(entry.payload.body)
    ines, ivan = city.people["Ines"].key, city.people["Ivan"].key
    assert told["before"] == {"team": [f"{ines}:leader"]}
    assert told["after"] == {"team": sorted([f"{ines}:leader", f"{ivan}:member"])}


def test_somebody_who_leaves_sees_it_no_longer(session, city, check):
    change(session, city, check, ("Ivan", LEADER))

    assert not sees(session, city.actor("Ines"), check)
    assert named(session, check) == [("Ivan", LEADER)]


def test_the_same_team_again_writes_nothing(session, city, check):
    assert not change(session, city, check, ("Ines", LEADER))
    assert session.scalars(select(LogEntry).where(LogEntry.verb == "inspection.team")).all() == []


def test_two_change_places(session, city, check):
    change(session, city, check, ("Ines", LEADER), ("Ivan", MEMBER))
    change(session, city, check, ("Ines", MEMBER), ("Ivan", LEADER))

    assert named(session, check) == [("Ivan", LEADER), ("Ines", MEMBER)]


@pytest.mark.parametrize("team", [[], [("Ines", MEMBER)], [("Ines", LEADER), ("Ivan", LEADER)]])
def test_a_team_has_one_leader(session, city, check, team):
    with pytest.raises(Invalid) as refusal:
        change(session, city, check, *team)
    assert refusal.value.field == "leader"


def test_only_inspectors_come(session, city, check):
    with pytest.raises(Invalid, match="不是督查人员") as refusal:
        change(session, city, check, ("Ines", LEADER), ("Asha", MEMBER))
    assert refusal.value.field == "members"


@pytest.mark.parametrize("who", ["Ines", "Chen"])
def test_nobody_but_an_administrator_changes_it(session, city, check, who):
    with pytest.raises(NotAllowed):
        change(session, city, check, ("Ines", LEADER), ("Ivan", MEMBER), who=who)


def test_what_a_lone_inspector_found_is_closed_by_somebody_who_came_later(session, city, check):
    found = {"organization": city.organizations["D1-B1"], "duty": None, "problem": problem()}
    finding = inspections.find(session, check, **found, actor=city.actor("Ines"), now=NOW)
    rectification.fix(session, finding, text="已补齐", actor=city.actor("Asha"), now=NOW)
    with pytest.raises(NotAllowed):
        rectification.close(session, finding, text="属实", actor=city.actor("Ines"), now=LATER)

    change(session, city, check, ("Ines", LEADER), ("Ivan", MEMBER))
    rectification.close(session, finding, text="属实", actor=city.actor("Ivan"), now=LATER)

    assert finding.state is RectificationState.CLOSED
