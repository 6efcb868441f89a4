"""What a packet claims: everything that was sampled, as it was known then, and nothing of anybody else."""

import json
from datetime import date, timedelta
from itertools import pairwise

import pytest
from sqlalchemy import select

from tests.city import NOW
from tests.services.test_inspections import judge, planned, problem
from tests.work import PRESENT, cycle_of, duty, file
from tracker.domain.canonical import digest
from tracker.domain.errors import NotFound
from tracker.domain.inspection import RectificationAction
from tracker.domain.packet import FileState, PacketKind
from tracker.domain.packet_parts import RectificationPart, ReportPart, StatisticsPart
from tracker.domain.score import Verdict
from tracker.domain.sign_off import signature_digest, text_digest
from tracker.models import Duty, RectificationStep
from tracker.queries import packets
from tracker.services import evidence, inspections, rectification, sign_offs

HOW = {"words": str, "language": "zh", "software_version": "tracker 0"}


@pytest.fixture
def story(session, city):
    """Asha did March with two files, and Omar of the other unit his; both units were checked, and a problem found."""
    march, april, other = (
        duty(city, "D1-B1.P4-1", "L3-02", "M03"),
        duty(city, "D1-B1.P4-1", "L3-02", "M04"),
        duty(city, "D2-B1.P4-1", "L3-02", "M03"),
    )
    done = {"act_on": date(2026, 4, 2), "counts": PRESENT}
    asha, chen, omar = city.actor("Asha"), city.actor("Chen"), city.actor("Omar")
    early, files = NOW - timedelta(days=30), [file(), file("照片", "照片.jpg")]
    sign_offs.tick(session, duties=[march, april], actor=asha, now=early, sentence="研究三月", files=files, **done)
    sign_offs.tick(session, duties=[other], actor=omar, now=early, sentence="另一单位", files=[file("乙")], **done)
    sign_offs.confirm(session, march, actor=chen, now=NOW - timedelta(days=28))
    inspection = planned(session, city, units=("D1", "D2"), picked=(march, other))
    judge(session, city, inspection, march, Verdict.MET)
    judge(session, city, inspection, other, Verdict.PARTLY, note="不全")
    ines = city.actor("Ines")
    node = city.organizations["D1-B1"]
    inspections.find(session, inspection, organization=node, duty=march, problem=problem(), actor=ines, now=NOW)
    return inspection


def packet(session, city, inspection, unit="D1", as_of=NOW):
    node = city.organizations[unit] if unit else None
    return packets.inspection_packet(session, inspection, unit=node, as_of=as_of, **HOW)


def test_a_packet_of_one_unit_tells_of_no_other(session, city, story):
    values = packet(session, city, story)

    assert values.facts.units == ("D1",)
    assert [each.key for each in values.facts.duties] == ["2026.D1-B1.P4-1.L3-02.M03.1"]
    assert [record.sentence for record in values.facts.evidence] == ["研究三月"]
    assert [chain.chain for chain in values.facts.log] == ["D1"]
    assert "另一单位" not in repr(values)


def test_a_packet_of_the_whole_check_tells_of_every_unit(session, city, story):
    values = packet(session, city, story, unit=None)

    assert values.facts.units == ("D1", "D2")
    assert {record.sentence for record in values.facts.evidence} == {"研究三月", "另一单位"}


def test_a_unit_that_is_not_checked_has_no_packet(session, city, story):
    elsewhere = planned(session, city, units=("D1",))

    with pytest.raises(NotFound, match="不检查这个单位"):
        packet(session, city, elsewhere, unit="D2")


def test_every_sign_off_can_be_redone_from_what_the_packet_says(session, city, story):
    [told] = packet(session, city, story).facts.duties

    assert [each.action for each in told.sign_offs] == ["submit", "confirm"]
    previous = None
    for each in told.sign_offs:
        assert digest(each.content.encode()) == each.content_digest
        redone = signature_digest(
            content_digest=each.content_digest,
            action=each.action,
            person=each.person,
            appointment=each.appointment,
            at=each.at,
            previous=previous,
            reason_sha256=each.reason_sha256,
        )
        assert redone == each.digest
        previous = each.digest
    assert told.content_digest == told.sign_offs[0].content_digest


def test_the_people_who_signed_are_named_with_their_posts(session, city, story):
    facts = packet(session, city, story).facts

    assert {person.name for person in facts.people} == {"Asha", "Chen"}
    assert {each.post for each in facts.appointments} == {"P3", "P4"}
    assert {each.organization for each in facts.appointments} <= {each.code for each in facts.organizations}


def test_a_record_names_every_duty_of_the_unit_that_it_serves_and_the_page_too(session, city, story):
    values = packet(session, city, story)

    [record], [part] = values.facts.evidence, values.evidence
    assert [key.split(".")[-2] for key in record.duties] == ["M03", "M04"]
    assert [served.verdict for served in part.duties] == ["met", ""]
    assert [count.number for count in part.counts] == [12, 11]
    assert [line.action for line in part.sign_offs] == ["提交", "确认"]
    assert text_digest(record.sentence) == record.sentence_sha256
    assert {each.state for each in record.files} == {FileState.EMBEDDED}


def test_the_log_is_whole_but_shows_what_concerns_the_packet_alone(session, city, story):
    [chain] = packet(session, city, story).facts.log

    lines = [json.loads(line) for line in chain.lines.splitlines()]
    assert [line["seq"] for line in lines] == list(range(1, chain.entries + 1))
    assert chain.head == (lines[-1]["seq"], lines[-1]["digest"])
    shown = {(line["object_kind"], line["object_key"]) for line in lines if line["payload"] is not None}
    assert ("duty", "2026.D1-B1.P4-1.L3-02.M03.1") in shown
    assert ("duty", "2026.D1-B1.P4-1.L3-02.M04.1") not in shown
    assert all(digest(line["payload"].encode()) == line["payload_digest"] for line in lines if line["payload"])


def test_as_of_an_earlier_time_nothing_later_is_told(session, city, story):
    [record] = packet(session, city, story).facts.evidence
    then = NOW + timedelta(minutes=1)
    before = packet(session, city, story, as_of=then)
    asha = city.actor("Asha")
    found = evidence_row(session, record.key)
    for each in session.scalars(
        select(Duty).where(Duty.state.in_(["confirmed", "submitted"]), Duty.unit_id == found.unit_id)
    ):
        undo = sign_offs.reopen if each.state == "confirmed" else sign_offs.return_
        undo(session, each, reason="重做", actor=city.actor("Chen"), now=NOW + timedelta(minutes=30))
    evidence.withdraw(session, found, reason="重复录入", actor=asha, now=NOW + timedelta(hours=1))

    assert packet(session, city, story, as_of=then) == before
    later = packet(session, city, story, as_of=NOW + timedelta(hours=2))
    assert later.facts.evidence[0].withdrawn
    assert later.facts.duties[0].state == "returned"


def evidence_row(session, key):
    return session.query(evidence.Evidence).filter_by(key=key).one()


def test_rectifications_are_told_where_there_are_any(session, city, story):
    assert not any(isinstance(part, RectificationPart) for part in packet(session, city, story).body)
    finding = session.query(inspections.Finding).one()
    ines, asha = city.people["Ines"], city.people["Asha"]
    steps = [
        (RectificationAction.NOTIFY, ines, "限期整改", date(2026, 6, 10)),
        (RectificationAction.GRANT_EXTENSION, ines, "同意", date(2026, 6, 20)),
        (RectificationAction.REPORT, asha, "已补齐记录", None),
    ]
    for number, (action, person, text, deadline) in enumerate(steps, start=1):
        session.add(
            RectificationStep(
                finding_id=finding.id,
                number=number,
                action=action,
                person_id=person.id,
                text=text,
                deadline=deadline,
                at=NOW,
            )
        )
    session.flush()

    report, rectified = packet(session, city, story).body
    assert isinstance(report, ReportPart)
    [told] = rectified.rectifications
    assert (told.state, told.deadline) == ("已整改待核", date(2026, 6, 20))
    assert [line.action for line in told.lines] == ["下达整改通知", "同意延期", "报告整改结果"]


def test_findings_without_a_step_are_told_too_and_measures_name_post_and_day(session, city, story):
    first = session.query(inspections.Finding).one()
    again = problem(problem="四月又没有记录", item_id="L3-02")
    where = {"organization": first.organization, "duty": None, "problem": again}
    for check in (first.inspection, planned(session, city, picked=()), first.inspection):
        inspections.find(session, check, **where, actor=city.actor("Ines"), now=NOW)
    rectification.notify(session, first, actor=city.actor("Ines"), now=NOW)
    rectification.receive(session, first, actor=city.actor("Asha"), now=NOW)
    said = {"post": "P4", "planned_on": date(2026, 6, 10), "text": "逐月补齐"}
    rectification.measure(session, first, **said, actor=city.actor("Asha"), now=NOW)

    _, rectified = packet(session, city, story).body
    told, *others = rectified.rectifications
    assert told.lines[-1].text == "逐月补齐（责任岗位：党支部书记，计划 2026-06-10 完成）"
    assert [one.state for one in others] == ["未整改", "未整改"]
    assert [one.lines for one in others] == [(), ()]
    assert "一年内重复出现" in others[-1].problem


def test_a_quarter_holds_what_was_to_be_done_by_its_end_however_late_it_was_due(session, city, story):
    cycle, unit = cycle_of(session), city.organizations["D1"]
    second = packets.quarter_packet(session, cycle, unit, quarter=2, as_of=NOW, **HOW)
    first = packets.quarter_packet(session, cycle, unit, quarter=1, as_of=NOW, **HOW)

    assert second.facts.kind is PacketKind.QUARTER
    [march], [april] = first.facts.duties, second.facts.duties
    assert [march.key.split(".")[-2], april.key.split(".")[-2]] == ["M03", "M04"]
    assert march.due_on > first.facts.period[1]
    assert [len(volume.evidence) for volume in (first, second)] == [1, 1]


def test_the_sign_offs_of_duties_outside_of_a_packet_are_said_to_be_missing(session, city, story):
    cycle, unit = cycle_of(session), city.organizations["D1"]
    [first] = packets.quarter_packet(session, cycle, unit, quarter=1, as_of=NOW, **HOW).evidence
    [checked] = packet(session, city, story).evidence

    assert (first.serves_others, checked.serves_others) == (True, True)
    assert (first.of_check, checked.of_check) == (False, True)


def test_a_check_that_is_not_closed_says_how_far_it_is(session, city, story):
    [report] = packet(session, city, story).body
    facts = report.report.facts
    assert (facts.open_as_of, facts.judged, facts.sampled) == (NOW, 1, 1)

    inspections.close(session, story, actor=city.actor("Ines"), now=NOW + timedelta(hours=1))
    [report] = packet(session, city, story, as_of=NOW + timedelta(hours=2)).body
    assert report.report.facts.open_as_of is None
    [report] = packet(session, city, story, as_of=NOW).body
    assert report.report.facts.open_as_of == NOW


def test_the_log_of_one_unit_of_several_tells_nothing_of_the_plan(session, city, story):
    def told(unit):
        lines = [
            line for chain in packet(session, city, story, unit=unit).facts.log for line in chain.lines.splitlines()
        ]
        return [entry for entry in map(json.loads, lines) if entry["object_kind"] == "inspection" and entry["payload"]]

    assert told("D1") == []
    assert told(None) != []


def test_quarters_cover_the_year_without_a_gap():
    days = [packets.quarter_days(2026, quarter) for quarter in (1, 2, 3, 4)]

    assert days[0][0] == date(2026, 1, 1)
    assert days[3][1] == date(2026, 12, 31)
    assert all(later[0] - earlier[1] == timedelta(days=1) for earlier, later in pairwise(days))


def test_a_book_holds_the_figures_and_every_report_but_no_evidence(session, city, story):
    book = packets.city_book(session, story, as_of=NOW, **HOW)

    statistics, *reports = book.body
    assert isinstance(statistics, StatisticsPart)
    assert [part.heading for part in reports] == [
        node.name for node in (city.organizations["D1"], city.organizations["D2"])
    ]
    assert [len(part.report.rows) for part in reports] == [1, 1]
    assert (book.facts.evidence, book.facts.duties, book.facts.log) == ((), (), ())


def test_the_same_state_has_the_same_number_and_another_state_another(session, city, story):
    one, again = packet(session, city, story), packet(session, city, story)
    english = packets.inspection_packet(session, story, unit=None, as_of=NOW, **(HOW | {"language": "en"}))
    whole, book = packet(session, city, story, unit=None), packets.city_book(session, story, as_of=NOW, **HOW)
    later = [packet(session, city, story, as_of=NOW + timedelta(microseconds=n)) for n in (1, 2, 1_000_000)]

    assert one == again
    numbers = [each.facts.number for each in (one, english, whole, book, *later)]
    assert len(set(numbers)) == len(numbers)
    assert english.facts.number == f"{whole.facts.number}-EN"
    assert "-_book-" in book.facts.number
