from datetime import date

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tests.city import NOW, TODAY, City, at
from tracker.domain.actor import operator
from tracker.domain.errors import Invalid, NotAllowed
from tracker.domain.organization import OrganizationFacts
from tracker.models import LogChain, LogEntry, Organization, OrganizationAncestor, OrganizationFact
from tracker.queries.history import end_of_day
from tracker.queries.organizations import organization_on, subtree_ids, tree
from tracker.services import organizations


def branch(name: str = "第三基层组织", parent: str | None = "D1-M", **other: object) -> OrganizationFacts:
    return OrganizationFacts(name=name, parent=parent, level="L3", opened_on=date(2026, 3, 1), **other)  # type: ignore[arg-type]


def say(session: Session, code: str, facts: OrganizationFacts, valid_from: date = TODAY, now=NOW) -> Organization:
    return organizations.apply(session, code=code, facts=facts, valid_from=valid_from, actor=operator(), now=now)


def entries(session: Session) -> int:
    return session.scalar(select(func.count(LogEntry.id))) or 0


def test_a_new_organization_has_its_unit_and_its_ancestors(session: Session, city: City) -> None:
    new = say(session, "D1-B3", branch(tags=("has-committee",)))

    above = select(OrganizationAncestor.ancestor_id, OrganizationAncestor.distance).where(
        OrganizationAncestor.descendant_id == new.id
    )
    line = {city.organizations[code].id: distance for code, distance in (("D1-M", 1), ("D1", 2), ("R", 3))}
    assert dict(session.execute(above).all()) == {new.id: 0, **line}
    assert new.unit.code == "D1"
    assert new.tags == ["has-committee"]


def test_saying_the_same_twice_writes_nothing(session: Session, city: City) -> None:
    say(session, "D1-B3", branch())
    before = entries(session), session.scalar(select(func.count(OrganizationFact.id)))

    say(session, "D1-B3", branch(), valid_from=date(2026, 5, 28), now=at(date(2026, 5, 28)))

    assert (entries(session), session.scalar(select(func.count(OrganizationFact.id)))) == before


def test_a_new_name_leaves_the_old_one_in_the_past(session: Session, city: City) -> None:
    say(session, "D1-B3", branch(), valid_from=date(2026, 3, 1))
    new = say(session, "D1-B3", branch(name="改名后的组织"), valid_from=date(2026, 5, 10))

    then, now = (organization_on(session, new.id, on=day) for day in (date(2026, 5, 9), date(2026, 5, 10)))
    assert then is not None
    assert now is not None
    assert (then.name, now.name, new.name) == ("第三基层组织", "改名后的组织", "改名后的组织")


def test_a_correction_supersedes_and_the_error_stays_readable_as_of_then(session: Session, city: City) -> None:
    say(session, "D1-B3", branch(name="写错的名称"), now=at(date(2026, 5, 20)))
    new = say(session, "D1-B3", branch(), now=at(date(2026, 5, 22)))

    known_then = organization_on(session, new.id, on=TODAY, as_of=end_of_day(date(2026, 5, 21)))
    known_now = organization_on(session, new.id, on=TODAY)
    assert known_then is not None
    assert known_now is not None
    assert (known_then.name, known_now.name) == ("写错的名称", "第三基层组织")


def test_moving_a_node_takes_its_subtree_to_the_other_unit_and_tells_both_chains(session: Session, city: City) -> None:
    facts = OrganizationFacts(name="D1-M", parent="D2", level="L2", position=2, opened_on=date(2020, 1, 1))
    say(session, "D1-M", facts)

    assert city.organizations["D1-B1"].unit.code == "D2"
    assert city.organizations["D1-B1"].id in subtree_ids(session, city.organizations["D2"].id)
    assert city.organizations["D1-B1"].id not in subtree_ids(session, city.organizations["D1"].id)
    chains = select(LogChain.key).join(LogEntry, LogEntry.chain_id == LogChain.id).where(LogEntry.object_key == "D1-M")
    assert set(session.scalars(chains)) == {"D1", "D2"}


def test_what_begins_later_waits_for_its_day(session: Session, city: City) -> None:
    say(session, "D1-B3", branch())
    new = say(session, "D1-B3", branch(name="六月起的名称"), valid_from=date(2026, 6, 1))
    assert new.name == "第三基层组织"

    organizations.refresh(session, today=date(2026, 6, 1))

    assert new.name == "六月起的名称"


def test_the_tree_stands_in_order_with_its_depths(session: Session, city: City) -> None:
    shown = [(node.code, node.depth, node.unit) for node in tree(session, on=TODAY)]

    assert shown == [
        ("R", 0, "R"),
        ("D1", 1, "D1"),
        ("D1-M", 2, "D1"),
        ("D1-B1", 3, "D1"),
        ("D1-B2", 3, "D1"),
        ("D2", 1, "D2"),
        ("D2-M", 2, "D2"),
        ("D2-B1", 3, "D2"),
    ]


def test_a_closed_organization_stays_in_the_tree_as_closed(session: Session, city: City) -> None:
    say(session, "D1-B3", branch())
    new = say(session, "D1-B3", branch(closed_on=date(2026, 5, 31)), valid_from=date(2026, 5, 25))

    node = organization_on(session, new.id, on=date(2026, 6, 1))
    assert node is not None
    assert not node.is_open


@pytest.mark.parametrize(
    ("code", "facts", "sentence"),
    [
        ("D1-B3", branch(parent="NOWHERE"), "还不存在"),
        ("D1-M", OrganizationFacts(name="环", parent="D1-B1", level="L2"), "自己的上级"),
        ("R2", OrganizationFacts(name="另一个顶", parent=None, level="root"), "只能有一个"),
        ("D1-B3", branch(closed_on=date(2026, 1, 1)), "早于成立日期"),
        ("D1-B3", branch(parent=None), "不一致"),
    ],
)
def test_an_unsound_tree_is_refused(session, city, code, facts, sentence) -> None:
    with pytest.raises(Invalid, match=sentence):
        say(session, code, facts)


def test_asha_cannot_change_the_tree(session: Session, city: City) -> None:
    with pytest.raises(NotAllowed):
        organizations.apply(session, code="D1-B3", facts=branch(), valid_from=TODAY, actor=city.actor("Asha"), now=NOW)
