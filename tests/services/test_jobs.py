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


def test_only_the_last_attempt_may_write(session, asked):
    jobs.take(session, asked.key, now=NOW)
    assert jobs.held(session, asked.key, attempt=1) is asked
    jobs.take(session, asked.key, now=NOW + jobs.LEASE + timedelta(seconds=1))

    with pytest.raises(jobs.Lost):
        jobs.held(session, asked.key, attempt=1)
    jobs.finish(jobs.held(session, asked.key, attempt=2), sha256="0" * 64, now=NOW)
    with pytest.raises(jobs.Lost):
        jobs.held(session, asked.key, attempt=2)


def test_what_was_given_back_for_a_while_is_not_taken_before(session, asked):
    jobs.take(session, asked.key, now=NOW)
    jobs.give_back(asked, error="busy", now=NOW, pause=timedelta(minutes=10))
    session.flush()

    soon, later = NOW + timedelta(minutes=9), NOW + timedelta(minutes=11)
    assert jobs.left_lying(session, now=soon) == []
    assert jobs.take(session, asked.key, now=soon) is None
    assert jobs.left_lying(session, now=later) == [asked.key]
    assert jobs.take(session, asked.key, now=later) is asked


def test_the_last_step_stays_when_a_job_is_done(session, asked):
    jobs.take(session, asked.key, now=NOW)
    jobs.go_on(asked, done=100, total=100, step="manifest abc", now=NOW)
    jobs.finish(asked, sha256="0" * 64, now=NOW)

    assert asked.step == "manifest abc"


def test_the_third_lost_worker_is_the_last(session, asked):
    moment = NOW
    for _ in range(jobs.ATTEMPTS):
        assert jobs.take(session, asked.key, now=moment)
        moment += jobs.LEASE + timedelta(seconds=1)

    assert jobs.take(session, asked.key, now=moment) is None
    assert asked.state is JobState.FAILED
    assert "请联系管理员" in asked.error


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
