"""Seals on pages: Adam asks, Alma agrees, both with their password fresh."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import select

from tests.city import NOW
from tests.web.conftest import post
from tracker.db import writing
from tracker.models import Account, Duty, Evidence, Role, Seal, SealState, StoredFile
from tracker.services import evidence
from tracker.storage.blobs import BlobStore
from tracker.storage.intake import Accepted

WHY = "涉密材料误传"


def text_of(answer):
    return answer.get_data(as_text=True)


@pytest.fixture
def store(app):
    return BlobStore(app.config["TRACKER"].store_dir)


@pytest.fixture
def sha256(session, city, store):
    """A file of Asha's that must not be here; Rong is made a second administrator."""
    blob = store.put([b"%PDF-1.4 secret"])
    with writing(session):
        duty = session.scalars(select(Duty).where(Duty.seat_id == city.seats["D1-B1.P4-1"].id, Duty.period == "M05"))
        accepted = Accepted(blob.sha256, blob.size, "纪要.pdf", "application/pdf", {"kind": "pdf"}, False)
        evidence.record(
            session,
            duties=[duty.first()],
            act_on=NOW.date(),
            sentence="召开会议",
            counts={},
            files=[accepted],
            actor=city.actor("Asha"),
            now=NOW,
        )
        rong = session.scalars(select(Account).where(Account.username == "rong")).one()
        rong.roles.append(session.scalars(select(Role).where(Role.name == "administrator")).one())
    return blob.sha256


def ask(client, key, kind="file", reason=WHY):
    return post(client, "/seals", {"kind": kind, "key": key, "reason": reason})


def test_adam_asks_and_rong_agrees_and_the_bytes_are_gone(session, client_of, store, sha256):
    assert ask(client_of("Adam"), sha256).status_code == 302
    rong = client_of("Rong")
    page = text_of(rong.get(f"/seals/file/{sha256}"))
    assert WHY in page
    assert "2026.D1-B1.1" in page
    assert "召开会议" not in page
    assert post(rong, f"/seals/file/{sha256}/agree").status_code == 302
    session.rollback()
    assert session.scalars(select(Seal)).one().state is SealState.DONE
    assert session.scalars(select(StoredFile)).one().sealed_at is not None
    assert not store.path(sha256).exists()
    assert "已封存" in text_of(rong.get("/seals"))


def test_adam_cannot_agree_to_his_own_request(session, client_of, store, sha256):
    adam = client_of("Adam")
    ask(adam, sha256)
    assert "agree" not in text_of(adam.get(f"/seals/file/{sha256}"))
    assert post(adam, f"/seals/file/{sha256}/agree").status_code == 403
    assert store.path(sha256).exists()


def test_a_refused_request_leaves_everything_as_it_was(session, client_of, store, sha256):
    ask(client_of("Adam"), sha256)
    rong = client_of("Rong")
    assert post(rong, f"/seals/file/{sha256}/refuse").status_code == 302
    assert store.path(sha256).exists()
    assert post(rong, f"/seals/file/{sha256}/agree").status_code == 409


def test_a_sealed_sentence_is_not_shown_any_more(session, client_of, sha256):
    key = session.scalars(select(Evidence.key)).one()
    session.rollback()
    assert "召开会议" in text_of(client_of("Asha").get(f"/evidence/{key}"))
    ask(client_of("Adam"), key, kind="evidence_text")
    post(client_of("Rong"), f"/seals/evidence_text/{key}/agree")
    page = text_of(client_of("Asha").get(f"/evidence/{key}"))
    assert "召开会议" not in page
    assert "封存" in page


@pytest.mark.parametrize(
    ("key", "reason", "status", "said"),
    [("0" * 64, WHY, 404, "没有找到"), ("", WHY, 400, "请填写编号"), ("0" * 64, " ", 400, "请写明封存的理由")],
)
def test_a_request_that_cannot_be_is_shown_again_as_it_was_filled_in(client_of, key, reason, status, said):
    answer = ask(client_of("Adam"), key, reason=reason)
    assert answer.status_code == status
    assert said in text_of(answer)
    assert key in text_of(answer)


@pytest.mark.parametrize("who", ["Asha", "Chen", "Ines", "Ada"])
def test_nobody_but_administrators_gets_to_see_the_page(client_of, sha256, who):
    browser = client_of(who)
    assert browser.get("/seals").status_code == 403
    assert browser.get(f"/seals/file/{sha256}").status_code == 403
    assert post(browser, f"/seals/file/{sha256}/agree").status_code == 403


def test_what_is_not_there_is_not_there(client_of):
    assert client_of("Adam").get("/seals/file/none").status_code == 404
    assert client_of("Adam").get("/seals/person/asha").status_code == 404


def test_a_password_given_long_ago_is_asked_for_again(client_of, store, sha256):
    ask(client_of("Adam"), sha256)
    rong = client_of("Rong")
    with rong.session_transaction() as cookie:
        cookie["fs_paa"] = int(time.time()) - 3600
    answer = post(rong, f"/seals/file/{sha256}/agree")
    assert answer.status_code == 303
    assert "/auth/verify" in answer.headers["Location"]
    assert store.path(sha256).exists()
