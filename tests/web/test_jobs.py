"""Documents in a browser: asked for by whoever may, seen by nobody else."""

from __future__ import annotations

import json

import pytest
from flask import Flask
from flask.testing import FlaskClient
from markupsafe import escape
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from tests.city import NOW
from tests.web.conftest import ClientOf, post
from tracker.db import writing
from tracker.models import AccessLog, Appointment, Job, JobState, Seat
from tracker.tasks.results import result_path
from tracker.tasks.worker import Worker
from tracker.tasks.works import WORKS
from tracker.web.jobs import ABOUT


def test_a_printed_list_is_made_by_the_worker_and_downloaded(app: Flask, client_of: ClientOf, session: Session) -> None:
    asha = client_of("Asha")
    place = post(asha, "/documents/duty-lists/D1-B1").location
    assert asha.get(f"{place}/file").status_code == 404
    with app.app_context():
        worker = Worker(app.extensions["sqlalchemy"].engine, app.config["TRACKER"], WORKS)
        for key in worker.waiting():
            worker.perform(key)

    assert "已生成" in asha.get(place).text
    with asha.get(f"{place}/file") as answer:
        assert answer.data.startswith(b"%PDF-")
        assert answer.headers["Content-Disposition"].startswith("attachment")
    session.rollback()
    [access] = session.scalars(select(AccessLog))
    assert (access.verb, access.object_key) == ("document.export", "D1-B1")


def test_a_document_is_closed_to_whoever_may_no_longer_see_what_it_tells_of(
    app: Flask, client_of: ClientOf, session: Session
) -> None:
    asha = client_of("Asha")
    place = post(asha, "/documents/duty-lists/D1-B1").location
    path = result_path(app.config["TRACKER"], place.rsplit("/", 1)[1])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"%PDF-")
    with writing(session):
        session.execute(update(Job).values(state=JobState.DONE, result_sha256="0" * 64))
    with asha.get(f"{place}/file") as answer:
        assert answer.status_code == 200
    with writing(session):
        for row in session.scalars(select(Appointment).join(Appointment.seat).where(Seat.key == "D1-B1.P4-1")):
            row.superseded_at = NOW

    assert asha.get(place).status_code == 200
    assert asha.get(f"{place}/file").status_code == 404


def test_every_kind_of_document_says_what_it_tells_of() -> None:
    assert set(ABOUT) == set(WORKS)


def test_somebody_elses_document_is_not_found(client_of: ClientOf) -> None:
    place = post(client_of("Asha"), "/documents/duty-lists/D1-B1").location

    assert client_of("Bela").get(place).status_code == 404


@pytest.mark.parametrize(("who", "unit", "status"), [("Dong", "D1", 302), ("Dong", "D2", 404), ("Adam", "D1", 403)])
def test_a_self_check_is_for_those_seated_there(client_of: ClientOf, who: str, unit: str, status: int) -> None:
    assert post(client_of(who), f"/documents/self-check/{unit}").status_code == status


def test_a_day_that_is_none_is_named(client_of: ClientOf, session: Session) -> None:
    answer = post(client_of("Dong"), "/documents/self-check/D1", {"as_of": "soon"})

    assert answer.status_code == 400
    assert "日期格式不对" in answer.text
    assert session.scalars(select(Job.id)).all() == []


@pytest.mark.parametrize(
    ("sent", "title"),
    [
        ({}, "清河市林业局自查报告"),
        ({"as_of": "2026-05-20"}, "清河市林业局自查报告（截至2026-05-20）"),
    ],
)
def test_a_document_as_of_a_day_has_the_day_in_its_name(
    client_of: ClientOf, session: Session, sent: dict[str, str], title: str
) -> None:
    post(client_of("Dong"), "/documents/self-check/D1", sent)

    [job] = session.scalars(select(Job))
    assert (job.title, job.result_name) == (title, f"{title}.pdf")


def test_an_english_document_says_so_in_its_name(client_of: ClientOf, session: Session) -> None:
    dong = client_of("Dong")
    english(dong)
    post(dong, "/documents/self-check/D1")

    [job] = session.scalars(select(Job))
    assert job.title.endswith(("（英文）", "(English)"))


def english(client: FlaskClient) -> None:
    with client.session_transaction() as cookie:
        cookie["language"] = "en"


REFUSAL = {"message": "没有代码为 %(code)s 的单位，请核对代码。", "values": {"code": "D7"}}


@pytest.mark.parametrize(
    ("error", "chinese", "foreign"),
    [
        (json.dumps(REFUSAL), "没有代码为 D7 的单位，请核对代码。", "D7"),
        (json.dumps(REFUSAL)[:40], json.dumps(REFUSAL)[:20], json.dumps(REFUSAL)[:20]),
        ("MemoryError: 100%", "MemoryError: 100%", "MemoryError: 100%"),
        (
            "系统出现故障，没有保存任何改动。请稍后重试；若仍不行，请把下面的编号告诉管理员。",
            "系统出现故障",
            "nothing was saved",
        ),
    ],
)
def test_why_a_document_was_not_made_is_said_in_the_language_of_the_page(
    client_of: ClientOf, session: Session, error: str, chinese: str, foreign: str
) -> None:
    dong = client_of("Dong")
    place = post(dong, "/documents/self-check/D1").location
    with writing(session):
        job = session.scalars(select(Job)).one()
        job.state, job.error = JobState.FAILED, error

    assert str(escape(chinese)) in dong.get(place).text
    english(dong)
    page = dong.get(place).text
    assert str(escape(foreign)) in page
    assert "请核对代码" not in page


def test_the_digest_that_is_to_be_noted_is_the_one_that_a_check_shows(
    app: Flask, client_of: ClientOf, session: Session
) -> None:
    dong, manifest, whole = client_of("Dong"), "ab" * 32, "cd" * 32
    place = post(dong, "/documents/quarters/D1", {"quarter": "2026-Q1"}).location
    path = result_path(app.config["TRACKER"], place.rsplit("/", 1)[1])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"%PDF-")
    with writing(session):
        job = session.scalars(select(Job)).one()
        job.state, job.step, job.result_sha256 = JobState.DONE, f"manifest {manifest}", whole

    page = dong.get(place).text

    assert page.index("清单校验值") < page.index(manifest) < page.index("文件校验值") < page.index(whole)
    assert dong.get(place, headers={"Accept": "application/json"}).json["doing"] == ""
