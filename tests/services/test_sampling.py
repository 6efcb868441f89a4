"""The sample of a check, drawn: the same on both databases, kept with all that is needed to draw it again."""

from __future__ import annotations

from collections import Counter

import pytest
from sqlalchemy import func, select

from tests.city import NOW, City
from tests.services.test_inspections import plan_of, planned, problem
from tests.work import ACT, PRESENT, cycle_of, duty, file
from tracker.domain.errors import Conflict, Invalid
from tracker.domain.packet_parts import ReportPart
from tracker.domain.sampling import Draw, Exclusion, Rule, Trait
from tracker.models import Duty, Inspection, InspectionDraw, InspectionDuty, StoredFile
from tracker.queries import inspections as reading
from tracker.queries.inspection_report import inspection_report
from tracker.queries.packets import inspection_packet
from tracker.queries.sampling import description, draw_of, redrawn
from tracker.services import inspections, sign_offs
from tracker.services.sampling import draw_from

ITEM = "L3-02"
DRAW = Draw("20261128", Rule(by=(Trait.LEVEL, Trait.RETURNED), number=3))
# By hand: sha256sum of seed, line feed and key for each of the eight, the three smallest.
PICKED = [
    "2026.D1-B1.P4-1.L3-02.M02.1",
    "2026.D1-B2.P4-1.L3-02.M01.1",
    "2026.D1-B2.P4-1.L3-02.M04.1",
]


@pytest.fixture
def year(session, city: City) -> list[Duty]:
    """Four months of two branches of one unit."""
    return [duty(city, f"D1-{branch}.P4-1", ITEM, f"M0{month}") for month in range(1, 5) for branch in ("B1", "B2")]


def picked_of(session, check: Inspection) -> list[str]:
    query = select(Duty.key).join(InspectionDuty, InspectionDuty.duty_id == Duty.id)
    return sorted(session.scalars(query.where(InspectionDuty.inspection_id == check.id)))


def test_both_databases_pick_the_same(session, city, year):
    check = planned(session, city, draw=DRAW)

    assert picked_of(session, check) == PICKED
    assert reading.fact_of(session, check).sample == "drawn"


def test_strata_are_those_of_the_kind_of_unit(session, city, year):
    duty(city, "D2-B1.P4-1", ITEM, "M01")
    for unit, tags in (("D1", ["has-party-group", "has-committee"]), ("D2", [])):
        city.organizations[unit].tags = tags
    check = planned(session, city, units=("D1", "D2"), draw=Draw("1", Rule(by=(Trait.UNIT_KIND,), number=1)))

    strata = draw_of(session, check).strata
    assert [(one["values"], one["population"], one["picked"]) for one in strata] == [
        ([""], 1, 1),
        (["has-committee+has-party-group"], 8, 1),
    ]
    assert len([key for key in picked_of(session, check) if "D2-B1" in key]) == 1


def test_strata_are_those_of_what_was_returned_before(session, city, year):
    tick = {"act_on": ACT, "sentence": "召开会议", "counts": PRESENT, "files": [file()], "now": NOW}
    sign_offs.tick(session, duties=[year[0]], actor=city.actor("Asha"), **tick)
    sign_offs.return_(session, year[0], reason="缺签到表", actor=city.actor("Chen"), now=NOW)
    check = planned(session, city, draw=Draw("1", Rule(by=(Trait.RETURNED,), number=1)))

    strata = draw_of(session, check).strata
    assert [(one["values"], one["population"]) for one in strata] == [(["0"], 7), (["1"], 1)]
    assert year[0].key in picked_of(session, check)


def test_strata_are_those_of_what_was_found_before(session, city, year):
    before = planned(session, city)
    found = {"organization": city.organizations["D1-B2"], "duty": None, "problem": problem()}
    inspections.find(session, before, **found, actor=city.actor("Ines"), now=NOW)
    check = planned(session, city, draw=Draw("1", Rule(by=(Trait.LEVEL, Trait.FINDINGS), number=2)))

    strata = draw_of(session, check).strata
    assert [(one["values"], one["population"]) for one in strata] == [(["L3", "0"], 4), (["L3", "1"], 4)]
    assert Counter(key.split(".")[1] for key in picked_of(session, check)) == {"D1-B1": 2, "D1-B2": 2}


def test_what_was_stored_gives_the_same_again(session, city, year):
    check = planned(session, city, draw=DRAW)
    year[0].level = "L2"  # what becomes of a duty later does not matter
    again = redrawn(session, check)

    assert again is not None
    assert again.same
    assert list(again.sample.picked) == PICKED
    assert (again.draw.population_size, again.draw.picked_size, again.added) == (8, 3, 0)


def test_the_report_says_how_it_was_drawn_and_what_was_added(session, city, year):
    check = planned(session, city, draw=DRAW)
    other = next(one for one in year if one.key not in PICKED)
    inspections.add_many(session, check, [year[0], other, other], actor=city.actor("Ines"), now=NOW)
    told = description(session, check, draw_of(session, check), words=str)

    assert "按层级、是否曾被退回分为1层抽样" in told
    assert "范围内8项，剔除0项，抽取3项" in told
    assert "另逐项加入" in told


def test_report_and_packet_print_the_seed_and_how_it_was_drawn(session, city, year):
    check = planned(session, city, draw=DRAW)
    how = {"as_of": NOW, "words": str, "software_version": "tracker 0"}
    packet = inspection_packet(session, check, unit=None, language="zh", **how)
    in_packet = next(part for part in packet.body if isinstance(part, ReportPart))

    for report in (inspection_report(session, check, **how), in_packet.report):
        assert report.facts.seed == DRAW.seed
        assert "范围内8项，剔除0项，抽取3项" in report.facts.sampling


def test_what_is_left_out_is_kept_with_its_reason(session, city, year):
    draw = Draw("20261128", Rule(number=7), (Exclusion(PICKED[0], "组织已撤并"),))
    check = planned(session, city, draw=draw)

    assert PICKED[0] not in picked_of(session, check)
    assert draw_of(session, check).excluded == [{"key": PICKED[0], "reason": "组织已撤并"}]


def test_more_than_there_is_writes_nothing_that_counts(session, city, year):
    with pytest.raises(Invalid, match="要抽 9 项，可抽的只有 8 项"):
        planned(session, city, draw=Draw("1", Rule(number=9)))

    assert session.scalar(select(func.count()).select_from(InspectionDraw)) == 0


def test_what_was_shown_is_what_is_drawn_or_it_is_refused(session, city, year):
    plan = plan_of(city, draw=DRAW)
    shown, _ = draw_from(session, inspections.scope_of(cycle_of(session), plan), DRAW)
    duty(city, "D1-B1.P4-1", ITEM, "M05")  # due after the check ends: not in scope
    same = Draw(DRAW.seed, DRAW.rule, shown=shown.mark)
    assert picked_of(session, planned(session, city, draw=same)) == PICKED

    year[3].in_force = False
    session.flush()
    with pytest.raises(Conflict):
        planned(session, city, draw=same)


def test_the_notice_is_kept_with_the_check(session, city, year):
    check = planned(session, city, notice=file("通知", "督查通知.pdf"))
    fact = reading.fact_of(session, check)

    assert fact.notice_name == "督查通知.pdf"
    assert session.get_one(StoredFile, fact.notice_file_id).sha256 == file("通知").sha256
