"""Jobs: asked for once, taken by one worker at a time, given up after three attempts."""

from datetime import timedelta

import pytest

from tests.city import NOW
from tracker.models import JobState
from tracker.policy import Act, can
from tracker.services import jobs


@pytest.fixture
def asked(session, city):
    return ask(session, city)


def ask(session, city, who="Ines", **arguments):
    return jobs.ask(
        session,
        kind="inspection_report",
        arguments={"number": 1, **arguments},
        title="督查报告",
        result_name="督查报告.pdf",
        unit_id=None,
        actor=city.actor(who),
        now=NOW,
    )


def test_the_same_document_is_not_asked_for_twice(session, city, asked):
    assert ask(session, city) is asked
    assert ask(session, city, number=2) is not asked
    assert ask(session, city, who="Ivan") is not asked


def test_one_worker_takes_a_job_and_the_next_one_does_not(session, asked):
    assert jobs.take(session, asked.key, now=NOW) is asked
    assert jobs.take(session, asked.key, now=NOW + timedelta(seconds=1)) is None


def test_a_job_whose_worker_died_is_taken_up_when_its_lease_has_run_out(session, asked):
    jobs.take(session, asked.key, now=NOW)
    later = NOW + jobs.LEASE + timedelta(seconds=1)

    assert jobs.left_lying(session, now=later) == [asked.key]
    assert jobs.take(session, asked.key, now=later) is asked
    assert asked.attempts == 2


def test_progress_holds_on_to_the_lease(session, asked):
    jobs.take(session, asked.key, now=NOW)
    jobs.go_on(asked, done=40, total=100, step="pages 3", now=NOW + timedelta(seconds=80))
    session.flush()

    assert jobs.left_lying(session, now=NOW + timedelta(seconds=120)) == []


def test_the_third_lost_worker_is_the_last(session, asked):
    moment = NOW
    for _ in range(jobs.ATTEMPTS):
        assert jobs.take(session, asked.key, now=moment)
        moment += jobs.LEASE + timedelta(seconds=1)

    assert jobs.take(session, asked.key, now=moment) is None
    assert asked.state is JobState.FAILED


def test_a_fault_puts_a_job_back_until_it_was_tried_three_times(session, asked):
    states = []
    for _ in range(jobs.ATTEMPTS):
        jobs.take(session, asked.key, now=NOW)
        jobs.give_back(asked, error="disk full", now=NOW)
        states.append(asked.state)

    assert states == [JobState.WAITING, JobState.WAITING, JobState.FAILED]


def test_a_document_is_seen_by_whoever_asked_for_it(session, city, asked):
    assert can(session, city.actor("Ines"), Act.VIEW, asked)
    assert not can(session, city.actor("Ivan"), Act.VIEW, asked)
