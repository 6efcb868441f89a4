"""Good practice: the team marks, the unit decides, and only what was agreed to is read by others."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.city import NOW
from tests.services.test_inspections import planned
from tests.work import ACT, PRESENT, duty, file
from tracker.domain.errors import Conflict, Invalid, NotAllowed, WrongState
from tracker.domain.good_practice import GoodPracticeState as State
from tracker.models import GoodPractice, GoodPracticeStep, LogEntry
from tracker.policy import sees
from tracker.queries import good_practice as queries
from tracker.services import good_practice, sign_offs

LATER = NOW + timedelta(hours=1)


def ticked(session, city, seat, who):
    made = duty(city, seat, "L3-02", "M04")
    return sign_offs.tick(
        session,
        duties=[made],
        act_on=ACT,
        sentence="研究四月工作",
        counts=PRESENT,
        files=[file(who)],
        actor=city.actor(who),
        now=NOW - timedelta(days=2),
    )


@pytest.fixture
def record(session, city):
    """What Asha did, in the sample of Ines's check; the words of a mark stand in `mark`."""
    return ticked(session, city, "D1-B1.P4-1", "Asha")


@pytest.fixture
def check(session, city, record):
    return planned(session, city)


def mark(session, city, check, record, *, who="Ines", title="流动课堂", text="把课讲到工地"):
    actor = city.actor(who)
    return good_practice.mark(session, check, record, title=title, text=text, actor=actor, now=NOW)


def test_a_mark_is_a_step_and_an_entry_and_is_read_by_its_own_people_only(session, city, check, record):
    made = mark(session, city, check, record)

    assert (made.key, made.state) == ("1-L1", State.MARKED)
    assert session.scalars(select(GoodPracticeStep.text)).all() == ["把课讲到工地"]
    assert session.scalars(select(LogEntry.verb).order_by(LogEntry.id.desc())).first() == "good_practice.mark"
    readers = {who for who in city.people if sees(session, city.actor(who), made)}
    assert readers == {"Asha", "Chen", "Dong", "Lin", "Luo", "Rong", "Ruth", "Ines", "Adam"}


def test_what_was_agreed_to_is_read_by_everybody_until_it_is_withdrawn(session, city, check, record):
    made = mark(session, city, check, record)
    assert queries.shared(session, actor=city.actor("Omar")) == []
    good_practice.agree(session, made, actor=city.actor("Dong"), now=LATER)

    [one] = queries.shared(session, actor=city.actor("Omar"))
    assert (one.title, one.text, one.unit, one.year) == ("流动课堂", "把课讲到工地", "清河市林业局", 2026)
    assert queries.shared(session, actor=city.actor("Omar"), as_of=NOW) == []
    assert not sees(session, city.actor("Omar"), record)

    good_practice.withdraw(session, made, reason="内容有误", actor=city.actor("Ines"), now=LATER + timedelta(hours=1))
    assert queries.shared(session, actor=city.actor("Omar")) == []
    assert queries.shared(session, actor=city.actor("Omar"), as_of=LATER) == []
    [then] = queries.shared(session, actor=city.actor("Dong"), as_of=LATER)
    assert then.state is State.AGREED


@pytest.mark.parametrize("who", ["Asha", "Chen", "Rong", "Omar", "Du", "Ines", "Adam"])
def test_only_who_signs_for_the_unit_decides(session, city, check, record, who):
    made = mark(session, city, check, record)
    for verb in (good_practice.agree, good_practice.decline):
        with pytest.raises(NotAllowed):
            verb(session, made, actor=city.actor(who), now=LATER)
    assert made.state is State.MARKED


@pytest.mark.parametrize("who", ["Dong", "Asha", "Ivan", "Adam"])
def test_only_the_team_withdraws(session, city, check, record, who):
    made = mark(session, city, check, record)
    with pytest.raises(NotAllowed):
        good_practice.withdraw(session, made, reason="内容有误", actor=city.actor(who), now=LATER)


def test_a_declined_one_stays_declined_and_may_be_marked_anew(session, city, check, record):
    made = mark(session, city, check, record)
    with pytest.raises(Conflict):
        mark(session, city, check, record)
    good_practice.decline(session, made, reason="还不成熟", actor=city.actor("Dong"), now=LATER)

    with pytest.raises(WrongState):
        good_practice.agree(session, made, actor=city.actor("Dong"), now=LATER)
    assert mark(session, city, check, record).key == "1-L2"


def test_an_inspector_who_sits_in_the_unit_does_not_agree_to_their_own_mark(session, city, check, record):
    made = mark(session, city, check, record)
    city.appoint("Ines", "D1.P2-3")

    with pytest.raises(NotAllowed, match="由您推荐"):
        good_practice.agree(session, made, actor=city.actor("Ines"), now=LATER)


def test_what_lies_outside_the_sample_is_not_marked(session, city, check):
    other = ticked(session, city, "D2-B1.P4-1", "Omar")
    late = ticked(session, city, "D1-B2.P4-1", "Bela")
    with pytest.raises(NotAllowed):
        mark(session, city, check, other)
    with pytest.raises(Invalid, match="没有用于本次抽查"):
        mark(session, city, check, late)
    assert session.scalars(select(GoodPractice)).all() == []


@pytest.mark.parametrize(("who", "words", "error"), [("Ivan", {}, NotAllowed), ("Ines", {"title": " "}, Invalid)])
def test_who_is_not_in_the_team_and_what_has_no_words_is_refused(session, city, check, record, who, words, error):
    with pytest.raises(error):
        mark(session, city, check, record, who=who, **words)
    with pytest.raises(Invalid):
        mark(session, city, check, record, text="字" * 1001)
