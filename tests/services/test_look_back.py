"""The look-back: the same seed draws the same closed findings; each is judged by others than who closed it."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from tests.city import NOW, TODAY
from tests.services.test_inspections import planned, problem
from tracker.domain.errors import Invalid, NotAllowed, WrongState
from tracker.domain.inspection import InspectionKind
from tracker.domain.sampling import Draw, Rule
from tracker.models import LogEntry, LookBackVerdict
from tracker.policy import visible
from tracker.queries import look_back as queries
from tracker.services import inspections, look_back, rectification

LATER = NOW + timedelta(days=40)


@pytest.fixture
def closed(session, city):
    """Six findings of a first check of two units that were closed by Ivan, and one of each unit that is still open."""
    check = planned(session, city, units=("D1", "D2"), team=("Ines", "Ivan"))
    made = []
    for number, code in enumerate(["D1", "D1-B1", "D1-B2", "D2", "D2-B1", "D1-B1", "D1", "D2"]):
        finding = inspections.find(
            session,
            check,
            organization=city.organizations[code],
            duty=None,
            problem=problem(problem=f"问题{number}"),
            actor=city.actor("Ines"),
            now=NOW,
        )
        if number < 6:
            rectification.fix(session, finding, text="已补", actor=city.actor("Ines"), now=NOW)
            rectification.close(session, finding, text="属实", actor=city.actor("Ivan"), now=NOW)
            made.append(finding)
    return made


@pytest.fixture
def check(session, city, closed):
    """A look-back at the first unit by Ines, Ivan and Iris."""
    city.give_role("Iris", "inspector")
    return planned(session, city, kind=InspectionKind.LOOK_BACK, picked=(), team=("Iris", "Ines", "Ivan"))


def draw(session, city, check, *, seed="42", who="Iris", **rule):
    asked = Draw(seed, Rule(**(rule or {"percent": Decimal(50)})))
    return look_back.draw_sample(session, check, asked, actor=city.actor(who), now=LATER)


def picked(session, check):
    return [one.row.finding.key for one in queries.seen_of(session, check, today=TODAY)]


def test_it_draws_from_what_was_closed_in_its_units_and_keeps_how(session, city, check):
    made = draw(session, city, check)
    assert (made.population_size, made.picked_size, made.seed) == (4, 2, "42")
    assert set(picked(session, check)) <= {"1-1", "1-2", "1-3", "1-6"}
    again = queries.drawn_of(session, check)
    assert again.same
    assert list(again.sample.picked) == picked(session, check)
    verbs = session.scalars(select(LogEntry.verb)).all()
    assert "look_back.draw" in verbs


def test_each_unit_is_told_of_its_own_findings_and_of_nothing_before_the_check_is_closed(session, city, closed):
    city.give_role("Iris", "inspector")
    check = planned(session, city, kind=InspectionKind.LOOK_BACK, picked=(), team=("Iris",), units=("D1", "D2"))
    draw(session, city, check, percent=Decimal(100))
    told = {
        entry.chain.key: json.loads(entry.payload.body)["after"]["findings"]
        for entry in session.scalars(select(LogEntry).where(LogEntry.verb == "look_back.draw"))
    }
    assert told == {"D1": ["1-1", "1-2", "1-3", "1-6"], "D2": ["1-4", "1-5"]}
    for finding in closed:
        look_back.judge(session, check, finding, held=True, actor=city.actor("Iris"), now=LATER)

    def seen_by(who):
        query = select(LogEntry.verb).where(LogEntry.verb.startswith("look_back."), visible(city.actor(who), LogEntry))
        return len(session.scalars(query).all())

    assert [seen_by(who) for who in ("Ada", "Dong")] == [8, 0]
    inspections.close(session, check, actor=city.actor("Iris"), now=LATER)
    assert [seen_by(who) for who in ("Ada", "Dong")] == [8, 5]


def test_the_same_seed_draws_the_same_and_another_one_differs(session, city, check):
    def drawn(seed):
        asked = Draw(seed, Rule(number=2))
        return look_back.sample_from(session, check, asked).picked

    assert drawn("42") == drawn("42")
    assert len({drawn(str(seed)) for seed in range(20)}) > 1
    draw(session, city, check, number=2)
    assert tuple(picked(session, check)) == drawn("42") == ("1-2", "1-6")  # as on any machine


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"number": 5}, "number"),
        ({"number": 0}, "number"),
        ({"percent": Decimal(101)}, "percent"),
        ({"percent": None}, "how"),
    ],
)
def test_what_cannot_be_drawn_is_refused_at_its_field(session, city, check, rule, field):
    with pytest.raises(Invalid) as refusal:
        draw(session, city, check, **rule)
    assert refusal.value.field == field
    assert queries.drawn_of(session, check) is None


def test_it_is_drawn_once_and_by_a_look_back_alone(session, city, check):
    draw(session, city, check)
    with pytest.raises(WrongState, match="已经抽取过"):
        draw(session, city, check, seed="43")
    other = planned(session, city, team=("Ines",))
    with pytest.raises(WrongState, match="回头看"):
        draw(session, city, other, who="Ines")


def test_where_nothing_was_closed_there_is_nothing_to_draw(session, city):
    check = planned(session, city, kind=InspectionKind.LOOK_BACK, team=("Ines",))
    with pytest.raises(Invalid, match="没有已销号的问题"):
        draw(session, city, check, who="Ines")


def test_a_verdict_is_revised_by_a_new_row_and_the_old_one_stays(session, city, check, closed):
    draw(session, city, check, percent=Decimal(100))
    iris = {"actor": city.actor("Iris"), "now": LATER}
    look_back.judge(session, check, closed[0], held=True, **iris)
    with pytest.raises(Invalid, match="写明现在的情况"):
        look_back.judge(session, check, closed[0], held=False, **iris)
    look_back.judge(session, check, closed[0], held=False, note="六月又没有记录", **iris)
    [seen] = [one for one in queries.seen_of(session, check, today=TODAY) if one.row.finding.key == "1-1"]
    assert (seen.verdict.held, seen.verdict.note, seen.person) == (False, "六月又没有记录", "Iris")
    assert [row.held for row in seen.earlier] == [True]
    before = queries.seen_of(session, check, today=TODAY, as_of=LATER - timedelta(days=1))
    assert before == []


@pytest.mark.parametrize(("who", "why"), [("Ivan", "closed it"), ("Ines", "put it right"), ("Asha", "no inspector")])
def test_whoever_had_a_hand_in_it_does_not_judge_it(session, city, check, closed, who, why):
    draw(session, city, check, percent=Decimal(100))
    with pytest.raises(NotAllowed):
        look_back.judge(session, check, closed[0], held=True, actor=city.actor(who), now=LATER)
    assert session.scalars(select(LookBackVerdict)).all() == [], why


def test_a_finding_outside_the_sample_is_refused(session, city, check, closed):
    draw(session, city, check)
    outside = next(one for one in closed if one.key not in picked(session, check))
    with pytest.raises(Invalid, match="不在本次回头看的抽样中"):
        look_back.judge(session, check, outside, held=True, actor=city.actor("Iris"), now=LATER)


def test_it_closes_once_everything_was_looked_at_and_then_stands(session, city, check, closed):
    draw(session, city, check, number=1)
    iris = city.actor("Iris")
    with pytest.raises(WrongState, match="还有 1 个问题"):
        inspections.close(session, check, actor=iris, now=LATER)
    [key] = picked(session, check)
    [finding] = [one for one in closed if one.key == key]
    look_back.judge(session, check, finding, held=True, actor=iris, now=LATER)
    inspections.close(session, check, actor=iris, now=LATER)
    with pytest.raises(NotAllowed):
        look_back.judge(session, check, finding, held=True, actor=iris, now=LATER)
