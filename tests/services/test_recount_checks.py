"""What checks keep beside their steps is worked out anew, and a difference is named."""

from decimal import Decimal

import pytest

from tests.city import NOW
from tests.services.test_inspections import planned, problem
from tests.services.test_self_check_tables import MET, plan
from tests.tampering import tamper
from tests.work import ACT, PRESENT, duty, file
from tracker.domain.sampling import Draw, Rule
from tracker.services import good_practice, inspections, rectification, sign_offs
from tracker.services.recount import Difference
from tracker.services.recount_checks import verify_checks
from tracker.services.self_check_tables import hand_in, save_lines


@pytest.fixture
def check(session, city):
    """A drawn check with a finding that has its notice, and a good practice that was agreed to."""
    meetings = [duty(city, "D1-B1.P4-1", "L3-02", month) for month in ("M03", "M04")]
    said = {"act_on": ACT, "sentence": "研究工作", "counts": PRESENT, "files": [file()]}
    record = sign_offs.tick(session, duties=meetings, actor=city.actor("Asha"), now=NOW, **said)
    made = planned(session, city, draw=Draw("1", Rule(percent=Decimal(100))))
    ines = city.actor("Ines")
    branch = city.organizations["D1-B1"]
    finding = inspections.find(session, made, organization=branch, duty=None, problem=problem(), actor=ines, now=NOW)
    inspections.find(session, made, organization=branch, duty=None, problem=problem(), actor=ines, now=NOW)
    rectification.notify(session, finding, actor=ines, now=NOW)
    rectification.receive(session, finding, actor=city.actor("Asha"), now=NOW)
    practice = good_practice.mark(session, made, record, title="流动课堂", text="送学上门", actor=ines, now=NOW)
    good_practice.agree(session, practice, actor=city.actor("Dong"), now=NOW)
    return made


@pytest.fixture
def table(session, city, check):
    """A table that a unit handed in for a second check."""
    asked = plan(session, city)
    actor = city.actor("Dong")
    save_lines(session, asked, city.organizations["D1"], [MET], actor=actor, now=NOW)
    hand_in(session, asked, city.organizations["D1"], actor=actor, now=NOW)
    return asked


def test_what_is_whole_is_clean(session, table):
    assert list(verify_checks(session)) == []


@pytest.mark.parametrize(
    ("where", "statement", "expected"),
    [
        (
            "finding",
            "UPDATE finding SET state = 'closed' WHERE key = '1-1'",
            Difference("finding", "1-1", "state", "closed", "under_way"),
        ),
        (
            "finding",
            "UPDATE finding SET state = 'closed' WHERE key = '1-2'",
            Difference("finding", "1-2", "state", "closed", "not_started"),
        ),
        (
            "good_practice",
            "UPDATE good_practice SET state = 'marked'",
            Difference("good_practice", "1-L1", "state", "marked", "agreed"),
        ),
    ],
)
def test_a_state_that_its_steps_do_not_lead_to_is_named(session, table, where, statement, expected):
    tamper(session, where, statement)
    assert list(verify_checks(session)) == [expected]


@pytest.mark.parametrize(
    ("where", "statement", "named"),
    [
        ("inspection_draw", "UPDATE inspection_draw SET rule = '{}'", ("draw", "1", "rule")),
        ("inspection_draw", "UPDATE inspection_draw SET picked_sha256 = 'x'", ("draw", "1", "picked_sha256")),
        ("inspection_draw", "UPDATE inspection_draw SET population_sha256 = 'x'", ("draw", "1", "population_sha256")),
        ("self_check_line", "UPDATE self_check_line SET statement = '别的'", ("self_check", "2-D1-1", "digest")),
    ],
)
def test_a_draw_or_a_table_that_was_changed_is_named(session, table, where, statement, named):
    tamper(session, where, statement)
    assert [(one.kind, one.key, one.what) for one in verify_checks(session)] == [named]
