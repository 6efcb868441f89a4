"""What reports print: figures that add up, as they were known at the time that was asked for."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from tests.city import NOW
from tests.services.test_inspections import judge, planned, problem
from tests.work import CHECKLIST, PRESENT, duty, file
from tracker.domain.duty import ClaimKind
from tracker.domain.errors import NotFound
from tracker.domain.score import Verdict
from tracker.models import Duty, Organization, OrganizationFact
from tracker.queries.inspection_report import inspection_report
from tracker.queries.self_check import self_check
from tracker.services import inspections, sign_offs

LATER = NOW + timedelta(days=10)


@pytest.fixture
def story(session, city):
    """Asha did March in time and April not at all; the check found so."""
    march = duty(city, "D1-B1.P4-1", "L3-02", "M03")
    april = duty(city, "D1-B1.P4-1", "L3-02", "M04")
    tick = {"act_on": date(2026, 3, 12), "sentence": "研究三月工作", "counts": PRESENT, "files": [file()]}
    asha, chen = city.actor("Asha"), city.actor("Chen")
    sign_offs.tick(session, duties=[march], actor=asha, now=NOW - timedelta(days=60), **tick)
    sign_offs.confirm(session, march, actor=chen, now=NOW - timedelta(days=58))
    inspection = planned(session, city)
    judge(session, city, inspection, march, Verdict.MET)
    judge(session, city, inspection, april, Verdict.MISSING, note="没有记录")
    node = city.organizations["D1-B1"]
    ines = city.actor("Ines")
    inspections.find(session, inspection, organization=node, duty=april, problem=problem(), actor=ines, now=NOW)
    return inspection


def printed(session, inspection, as_of=NOW):
    return inspection_report(session, inspection, as_of=as_of, words=str, software_version="tracker 0")


def test_the_sums_are_those_of_the_rows(session, story):
    report = printed(session, story)

    for lines in (report.by_level, report.by_post, report.by_dimension):
        assert sum(line.counts.looked_at for line in lines) == len(report.rows) == 2
        assert sum(line.counts.in_time for line in lines) == 1
        assert sum(line.counts.missed for line in lines) == 1


def test_the_score_is_the_one_on_paper(session, story):
    [line] = printed(session, story).scores

    assert (line.score, line.working) == (Decimal("50.0"), "2.5 ÷ 5 × 100 = 50.0")


def test_an_overruled_number_is_printed_beside_the_worked_out_one(session, city, story):
    node, ines = city.organizations["D1-B1"], city.actor("Ines")
    item = CHECKLIST.item["L3-02"]
    inspections.overrule(
        session, story, organization=node, item=item, tenths=40, reason="现场补齐", actor=ines, now=NOW
    )
    first, second = printed(session, story).rows

    assert (first.points, first.worked_points, first.overruled_because) == (Decimal("4.0"), Decimal("2.5"), "现场补齐")
    assert second.points is None


def test_evidence_and_finding_name_what_they_belong_to(session, story):
    report = printed(session, story)

    [entry] = report.evidence
    assert entry.items == ("L3-02",)
    assert entry.files[0].sha256 == file().sha256
    assert entry.uploaded_by
    assert report.rows[1].finding == report.findings[0].number == f"{story.number}-1"


def test_a_report_as_of_an_earlier_day_says_what_was_known_then(session, city, story):
    before = printed(session, story, as_of=NOW)
    april = session.query(Duty).filter_by(period="M04").one()
    inspections.judge(
        session,
        story,
        april,
        value=Verdict.PARTLY,
        note="补了一半",
        actor=city.actor("Ines"),
        now=LATER,
    )
    rename(session, city.organizations["D1-B1"])

    assert printed(session, story, as_of=NOW) == before
    now = printed(session, story, as_of=LATER)
    assert now.rows[1].verdict == "partly"
    assert now.rows[0].organization == "改名后的组织"


def rename(session, node: Organization):
    old = session.query(OrganizationFact).filter_by(organization_id=node.id).one()
    values = {c.key: getattr(old, c.key) for c in OrganizationFact.__mapper__.columns}
    values |= {"id": None, "name": "改名后的组织", "valid_from": LATER.date(), "recorded_at": LATER}
    session.add(OrganizationFact(**values))
    session.flush()


def test_the_log_head_is_that_of_the_time(session, city, story):
    april = session.query(Duty).filter_by(period="M04").one()
    asha = city.actor("Asha")
    sign_offs.claim(session, april, kind=ClaimKind.EXCUSED, reason="防汛值守", actor=asha, now=LATER)
    heads, later = (printed(session, story, as_of=moment).provenance.log_heads for moment in (NOW, LATER))

    assert heads[0].sequence + 1 == later[0].sequence


def test_a_check_is_not_known_before_it_was_planned(session, story):
    with pytest.raises(NotFound, match="尚未建立"):
        inspection_report(session, story, as_of=NOW - timedelta(days=1), words=str, software_version="tracker 0")


def test_the_self_check_counts_what_has_fallen_due(session, city, story):
    unit = city.organizations["D1"]
    report = self_check(session, story.cycle, unit.id, as_of=NOW, words=str, software_version="tracker 0")

    [line] = report.lines
    assert (line.required, line.done, line.timeliness) == (2, 1, "missed")
    assert line.statement == "按期1项，逾期未办1项"


def test_the_index_says_confirmed_only_while_it_stands(session, city, story):
    assert "确认（1/1 项）" in printed(session, story).evidence[0].sign_off
    march = session.query(Duty).filter_by(period="M03").one()
    sign_offs.reopen(session, march, reason="缺签到", actor=city.actor("Chen"), now=LATER)
    assert printed(session, story, as_of=LATER).evidence[0].sign_off == "尚未确认"
    assert "确认（1/1 项）" in printed(session, story).evidence[0].sign_off
