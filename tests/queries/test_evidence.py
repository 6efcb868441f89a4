"""Records for pages: what could serve a duty too, and who had a hand in it."""

from datetime import date, timedelta

import pytest

from tests.city import NOW
from tests.work import ACT, PRESENT, duty, file
from tracker.queries.evidence import doers_of, duties_served, earlier_records, file_of, records_of
from tracker.services import evidence

SAID = {"act_on": ACT, "sentence": "召开五月支委会", "counts": PRESENT, "now": NOW}
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def asha(city):
    return city.actor("Asha")


@pytest.fixture
def lecture(city):
    """A duty of Asha's whose occasion is the theme day."""
    return duty(city, "D1-B1.P4-1", "L3-04", "H1")


@pytest.fixture
def theme_day(session, city, asha):
    served = duty(city, "D1-B1.P4-1", "L3-05", "M05")
    return evidence.record(session, duties=[served], files=[file()], actor=asha, **SAID)


def test_a_record_of_the_same_occasion_could_serve_and_comes_first(session, city, asha, lecture, theme_day):
    half = duty(city, "D1-B1.P4-1", "L3-15", "H1")
    other = evidence.record(session, duties=[half], actor=asha, **SAID | {"counts": {}})
    assert [r.key for r in earlier_records(session, lecture, actor=asha)] == [theme_day.key, other.key]


def test_a_record_that_serves_already_or_is_void_or_lies_outside_is_not_offered(
    session, city, asha, lecture, theme_day
):
    second = duty(city, "D1-B1.P4-1", "L3-04", "H2")
    assert earlier_records(session, second, actor=asha) == []
    evidence.link(session, theme_day, [lecture], actor=asha, now=LATER)
    assert earlier_records(session, lecture, actor=asha) == []
    void = duty(city, "D1-B1.P4-1", "L3-16", "H1")
    evidence.withdraw(session, theme_day, reason="传错", actor=asha, now=LATER)
    assert earlier_records(session, void, actor=asha) == []


def test_a_page_shows_what_a_record_says_now_and_that_it_was_corrected(session, asha, lecture, theme_day):
    evidence.link(session, theme_day, [lecture], actor=asha, now=NOW)
    evidence.correct(session, theme_day, actor=asha, **SAID | {"sentence": "更正", "now": LATER})
    [record] = records_of(session, lecture.id)
    assert (record.sentence, record.corrected, record.entered_by) == ("更正", True, "Asha")
    assert [f.name for f in record.files] == ["会议纪要.pdf"]


def test_a_file_that_was_taken_off_is_still_found(session, asha, theme_day):
    evidence.take_off_file(session, theme_day, sha256=file().sha256, actor=asha, now=LATER)
    assert file_of(session, theme_day, file().sha256).taken_off == LATER
    assert file_of(session, theme_day, "0" * 64) is None


def test_somebody_sees_only_the_duties_that_they_may_see(session, city, theme_day):
    analysis = duty(city, "D1-M.P3-1", "L2-05", "H1")
    evidence.link(session, theme_day, [analysis], actor=city.actor("Chen"), now=LATER)
    assert len(duties_served(session, theme_day, actor=city.actor("Chen"))) == 2
    assert [s.item_id for s in duties_served(session, theme_day, actor=city.actor("Asha"))] == ["L3-05"]


def test_whoever_linked_or_entered_is_a_doer(session, city, theme_day):
    analysis = duty(city, "D1-M.P3-1", "L2-05", "H1")
    evidence.link(session, theme_day, [analysis], actor=city.actor("Chen"), now=LATER)
    assert set(doers_of(session, [analysis.id])[analysis.id].values()) == {"asha", "chen"}
    assert date(2026, 5, 18) == records_of(session, analysis.id)[0].act_on
