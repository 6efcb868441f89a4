"""Records and files on pages: who may look, what the headers say, and what is written down about it."""

import hashlib
import io

import pytest
from PIL import Image
from sqlalchemy import select

from tests.web.conftest import post
from tests.web.test_duties import MEETING, duty_of, photo, text, tick, upload
from tracker.models import AccessLog, Evidence, EvidenceFact, EvidenceFile, StoredFile


@pytest.fixture
def record(client_of, session):
    tick(client_of("Asha"), save="1")
    return session.scalar(select(Evidence.key))


@pytest.fixture
def address(record, session):
    return f"/evidence/{record}/files/{session.scalar(select(StoredFile.sha256))}"


def fetch(client, url):
    """The answer to a GET, read to its end and closed."""
    with client.get(url) as answer:
        answer.get_data()
    return answer


def test_the_file_comes_back_byte_for_byte_as_an_attachment(client_of, session, address):
    answer = fetch(client_of("Asha"), address)
    assert answer.status_code == 200
    assert hashlib.sha256(answer.data).hexdigest() == session.scalar(select(StoredFile.sha256))
    headers = answer.headers
    assert headers["Content-Disposition"].startswith("attachment; filename")
    assert "filename*=UTF-8''%E7%8E%B0%E5%9C%BA.jpg" in headers["Content-Disposition"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in headers["Content-Security-Policy"]


def test_the_preview_is_a_picture_made_anew(client_of, address):
    answer = fetch(client_of("Asha"), f"{address}/preview/1?size=small")
    assert answer.mimetype == "image/jpeg"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert Image.open(io.BytesIO(answer.data)).size == (60, 40)


@pytest.mark.parametrize("what", ["", "/preview/1"])
@pytest.mark.parametrize(
    ("who", "status"), [("Chen", 200), ("Dong", 200), ("Omar", 404), ("Bela", 404), ("Ines", 404), ("Adam", 404)]
)
def test_a_file_is_seen_from_above_and_by_nobody_else(client_of, address, who, status, what):
    assert fetch(client_of(who), address + what).status_code == status


def test_a_stranger_is_sent_to_sign_in(client_of, address):
    assert client_of("stranger").get(address).status_code == 302


def test_whoever_looks_stands_in_the_access_log(client_of, session, record, address):
    chen = client_of("Chen")
    chen.get(f"/evidence/{record}")
    fetch(chen, address)
    session.rollback()
    rows = session.execute(select(AccessLog.actor, AccessLog.verb).order_by(AccessLog.id)).all()
    assert [tuple(row) for row in rows] == [("chen", "evidence.open"), ("chen", "file.download")]


def test_a_file_that_the_record_never_had_is_not_found(client_of, record):
    assert client_of("Asha").get(f"/evidence/{record}/files/{'0' * 64}").status_code == 404


def test_a_record_is_corrected_and_withdrawn(client_of, session, record):
    asha = client_of("Asha")
    said = {"act_on": "2026-05-15", "sentence": "更正后", "count-expected": "12", "count-present": "10"}
    assert post(asha, f"/evidence/{record}/correct", said).status_code == 302
    assert "更正后" in text(asha.get(f"/evidence/{record}"))
    assert post(asha, f"/evidence/{record}/withdraw", {"reason": ""}).status_code == 400
    assert post(asha, f"/evidence/{record}/withdraw", {"reason": "传错"}).status_code == 302
    assert "已作废" in text(asha.get(f"/duties/{MEETING}"))
    session.rollback()
    assert session.scalars(select(EvidenceFact.sentence)).all() == ["召开五月支委会", "更正后", "更正后"]


def test_a_record_under_a_signature_is_not_corrected(client_of, record):
    asha = client_of("Asha")
    post(asha, f"/duties/{MEETING}/submit")
    said = {"act_on": "2026-05-15", "sentence": "更正后", "count-expected": "12", "count-present": "10"}
    answer = post(asha, f"/evidence/{record}/correct", said)
    assert answer.status_code == 409
    assert "更正后" in text(answer)


def test_a_file_is_added_and_taken_off(client_of, session, record, address):
    asha = client_of("Asha")
    post(asha, f"/evidence/{record}/files", {"files": [upload(photo("green"), "第二张.jpg")]})
    assert "第二张.jpg" in text(asha.get(f"/evidence/{record}"))
    assert post(asha, f"{address}/off").status_code == 302
    session.rollback()
    names = session.scalars(select(EvidenceFile.name).where(EvidenceFile.superseded_at.is_(None))).all()
    assert names == ["第二张.jpg"]


def test_a_record_is_no_longer_used_for_a_duty(client_of, session, record):
    asha = client_of("Asha")
    before = duty_of(session, MEETING).content_digest
    assert post(asha, f"/duties/{MEETING}/unuse", {"evidence": record}).status_code == 302
    assert duty_of(session, MEETING).content_digest != before


@pytest.mark.parametrize("who", ["Chen", "Dong"])
def test_those_above_look_and_do_not_touch(client_of, record, who):
    assert post(client_of(who), f"/evidence/{record}/withdraw", {"reason": "x"}).status_code == 403
    assert post(client_of(who), f"/evidence/{record}/files", {"files": [upload()]}).status_code == 403
