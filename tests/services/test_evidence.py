"""Evidence: one record for many duties, corrected by new rows, withdrawn in sight of everybody."""

from datetime import date, timedelta

import pytest
from sqlalchemy import func, select

from tests.city import NOW
from tests.work import ACT, PRESENT, duty, file, queries_of
from tracker.domain.actor import AppointmentKind
from tracker.domain.canonical import digest
from tracker.domain.duty import State
from tracker.domain.errors import Conflict, Invalid, NotAllowed, TooLarge, WrongState
from tracker.models import EvidenceFact, EvidenceFile, EvidenceLink, LogEntry, LogPayload, StoredFile
from tracker.queries.duties import content_of
from tracker.queries.evidence import bytes_held, contents_of
from tracker.services import evidence, sign_offs
from tracker.services.evidence import Allowance

LATER = NOW + timedelta(hours=1)
SAID = {"act_on": ACT, "sentence": "召开五月支委会", "counts": PRESENT, "now": NOW}


@pytest.fixture
def asha(city):
    return city.actor("Asha")


@pytest.fixture
def meeting(city):
    return duty(city, "D1-B1.P4-1", "L3-02", "M05")


@pytest.fixture
def lecture(city):
    return duty(city, "D1-B1.P4-1", "L3-04", "H1")


@pytest.fixture
def record(session, meeting, lecture, asha):
    """One record that serves Asha's meeting and lecture."""
    return evidence.record(session, duties=[meeting, lecture], files=[file()], actor=asha, **SAID)


def test_one_record_serves_many_duties(session, record, meeting, lecture):
    contents = contents_of(session, [meeting.id, lecture.id])
    assert record.key == "2026.D1-B1.1"
    for served in (meeting, lecture):
        assert [content.public_id for content in contents[served.id]] == [record.key]
        assert served.content_digest == digest(content_of(served, contents[served.id], None))


def test_a_record_serves_several_seats_of_the_person_in_the_organization(session, city, meeting):
    city.appoint("Asha", "D1-B1.P3-1")
    other = duty(city, "D1-B1.P3-1", "L3-04", "H1")
    made = evidence.record(session, duties=[meeting, other], actor=city.actor("Asha"), **SAID)
    assert session.scalar(select(func.count()).where(EvidenceLink.evidence_id == made.id)) == 2


def test_records_are_numbered_by_organization_and_year(session, city, meeting, asha):
    other = duty(city, "D1-B2.P4-1", "L3-02", "M05")
    keys = [evidence.record(session, duties=[meeting], actor=asha, **SAID).key for _ in range(2)]
    keys.append(evidence.record(session, duties=[other], actor=city.actor("Bela"), **SAID).key)
    assert keys == ["2026.D1-B1.1", "2026.D1-B1.2", "2026.D1-B2.1"]


@pytest.mark.parametrize("who", ["Bela", "Chen", "Omar", "Ines"])
def test_nobody_records_for_a_seat_they_do_not_sit_in(session, city, meeting, who):
    with pytest.raises(NotAllowed):
        evidence.record(session, duties=[meeting], actor=city.actor(who), **SAID)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"act_on": date(2026, 5, 21)}, "act_on"),
        ({"act_on": date(2026, 4, 30)}, "act_on"),
        ({"sentence": "  "}, "sentence"),
        ({"sentence": "字" * 301}, "sentence"),
        ({"counts": {"present": -1}}, "counts"),
        ({"counts": {"names": 3}}, "counts"),
    ],
    ids=str,
)
def test_what_cannot_be_right_is_refused_at_its_field(session, meeting, asha, wrong, field):
    with pytest.raises(Invalid) as refusal:
        evidence.record(session, duties=[meeting], actor=asha, **SAID | wrong)
    assert refusal.value.field == field


@pytest.mark.parametrize("act", [evidence.record, sign_offs.tick], ids=["record", "tick"])
def test_what_serves_nothing_is_refused_with_what_to_do(session, city, asha, act):
    with pytest.raises(Invalid, match="请至少选择一项任务") as refused:
        act(session, duties=[], actor=asha, **SAID)
    assert refused.value.field == "duties"


def test_the_same_bytes_are_kept_once(session, record, meeting, asha):
    again = evidence.record(session, duties=[meeting], files=[file(name="另一个名字.pdf")], actor=asha, **SAID)
    evidence.add_files(session, again, files=[file()], actor=asha, now=LATER)
    assert session.scalar(select(func.count()).select_from(StoredFile)) == 1
    assert session.scalar(select(func.count()).where(EvidenceFile.evidence_id == again.id)) == 1
    assert bytes_held(session, again.organization_id) == 1_000


def test_files_beyond_what_one_file_or_the_organization_may_take_are_refused(session, record, asha):
    with pytest.raises(TooLarge):
        evidence.add_files(
            session, record, files=[file("大", size=2_000)], actor=asha, now=LATER, allowance=Allowance(1_500, 9_000)
        )
    with pytest.raises(TooLarge):
        evidence.add_files(
            session, record, files=[file("多", size=600)], actor=asha, now=LATER, allowance=Allowance(1_000, 1_500)
        )
    assert evidence.room_left(session, record.organization, allowance=Allowance(1_000, 1_500)) == 500


def test_a_correction_is_a_new_row_beside_the_old(session, record, meeting, asha):
    before = meeting.content_digest
    evidence.correct(session, record, act_on=date(2026, 5, 15), sentence="更正", counts=PRESENT, actor=asha, now=LATER)
    facts = session.scalars(select(EvidenceFact).where(EvidenceFact.evidence_id == record.id)).all()
    assert [(f.sentence, f.superseded_at) for f in facts] == [("召开五月支委会", LATER), ("更正", None)]
    assert meeting.content_digest != before


def test_a_shared_record_shows_as_changed_on_every_duty_that_was_signed(session, record, meeting, lecture, asha):
    sign_offs.submit_all(session, [meeting, lecture], actor=asha, now=NOW)
    evidence.add_files(session, record, files=[file("照片")], actor=asha, now=LATER)
    assert (meeting.is_changed, lecture.is_changed) == (True, True)


def test_a_further_record_shows_as_changed_only_where_it_serves(session, record, meeting, lecture, asha):
    sign_offs.submit_all(session, [meeting, lecture], actor=asha, now=NOW)
    evidence.record(session, duties=[lecture], actor=asha, **SAID)
    assert (meeting.is_changed, lecture.is_changed) == (False, True)


@pytest.mark.parametrize("verb", ["correct", "withdraw", "unlink", "take_off_file"])
def test_evidence_under_a_signature_is_not_changed(session, record, meeting, lecture, asha, verb):
    sign_offs.submit(session, meeting, actor=asha, now=NOW)
    act = {
        "correct": lambda: evidence.correct(session, record, actor=asha, **SAID | {"sentence": "改"}),
        "withdraw": lambda: evidence.withdraw(session, record, reason="错", actor=asha, now=LATER),
        "unlink": lambda: evidence.unlink(session, record, meeting, actor=asha, now=LATER),
        "take_off_file": lambda: evidence.take_off_file(session, record, sha256=file().sha256, actor=asha, now=LATER),
    }[verb]
    with pytest.raises(WrongState, match="1 项已经签认的任务（召开党支部委员会会议）"):
        act()
    sign_offs.withdraw(session, meeting, actor=asha, now=LATER)
    act()
    assert lecture.state is State.OPEN


def test_withdrawn_evidence_stays_in_sight_and_counts_no_more(session, record, meeting, asha):
    evidence.withdraw(session, record, reason="传错文件", actor=asha, now=LATER)
    [content] = contents_of(session, [meeting.id])[meeting.id]
    assert content.withdrawn
    with pytest.raises(Invalid, match="还没有佐证"):
        sign_offs.submit(session, meeting, actor=asha, now=LATER)
    with pytest.raises(WrongState):
        evidence.add_files(session, record, files=[file("晚")], actor=asha, now=LATER)


def test_withdrawing_asks_for_a_reason(session, record, asha):
    with pytest.raises(Invalid) as refusal:
        evidence.withdraw(session, record, reason=" ", actor=asha, now=LATER)
    assert refusal.value.field == "reason"


def test_a_record_is_linked_and_unlinked(session, city, record, asha):
    other = duty(city, "D1-B1.P4-1", "L3-20", "Y")
    empty = other.content_digest
    evidence.link(session, record, [other], actor=asha, now=LATER)
    evidence.link(session, record, [other], actor=asha, now=LATER)
    assert len(contents_of(session, [other.id])[other.id]) == 1
    evidence.unlink(session, record, other, actor=asha, now=LATER)
    assert other.content_digest == empty
    with pytest.raises(Conflict):
        evidence.unlink(session, record, other, actor=asha, now=LATER)


def test_the_level_above_uses_a_record_from_below(session, city, record):
    analysis = duty(city, "D1-M.P3-1", "L2-05", "H1")
    evidence.link(session, record, [analysis], actor=city.actor("Chen"), now=LATER)
    assert len(contents_of(session, [analysis.id])[analysis.id]) == 1


def test_a_stranger_cannot_use_a_record(session, city, record):
    theirs = duty(city, "D2-B1.P4-1", "L3-02", "M05")
    with pytest.raises(NotAllowed):
        evidence.link(session, record, [theirs], actor=city.actor("Omar"), now=LATER)


def test_a_clerk_records(session, city, meeting):
    city.appoint("Kai", "D1-B1.P4-1", kind=AppointmentKind.CLERK)
    made = evidence.record(session, duties=[meeting], actor=city.actor("Kai"), **SAID)
    assert made.entered_as == "D1-B1.P4-1#2"


def test_the_log_tells_of_the_record_and_holds_no_sentence(session, record):
    entry = session.scalars(select(LogEntry)).one()
    body = session.get_one(LogPayload, entry.payload_id).body.decode()
    assert (entry.verb, entry.object_key, entry.chain.key) == ("record", record.key, "D1")
    assert "支委会" not in body


def test_renewing_many_duties_takes_as_many_queries_as_renewing_one(session, city, asha):
    counts = []
    for first, number in ((1, 1), (2, 1), (3, 10)):  # the first one reads what the session keeps from then on
        duties = [duty(city, "D1-B1.P4-1", "L3-20", "Y", occurrence=n) for n in range(first, first + number)]
        with queries_of(session) as selects:
            evidence.record(session, duties=duties, actor=asha, **SAID | {"counts": {}})
        counts.append(len(selects))
    assert counts[1] == counts[2]
