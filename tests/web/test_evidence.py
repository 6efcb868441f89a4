"""Records and files on pages: who may look, what the headers say, and what is written down about it."""

import hashlib
import io
import re

import pytest
from PIL import Image
from sqlalchemy import select

from tests.city import NOW
from tests.web.conftest import post
from tests.web.test_duties import MEETING, THEME, duty_of, photo, text, tick, upload
from tracker.db import writing
from tracker.domain.duty import State
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


def test_a_correction_adds_the_counts_that_were_left_out_and_takes_one_away(client_of, session):
    asha = client_of("Asha")
    tick(asha, save="1", **{"count-expected": "", "count-present": ""})
    record = session.scalar(select(Evidence.key))
    assert "还要填：应到人数、实到人数" in text(post(asha, f"/duties/{MEETING}/submit"))
    said = {"act_on": "2026-05-18", "sentence": "召开五月支委会", "count-expected": "12"}
    assert "实到人数" in text(asha.get(f"/evidence/{record}/correct"))
    assert post(asha, f"/evidence/{record}/correct", said | {"count-present": "11"}).status_code == 302
    assert post(asha, f"/evidence/{record}/correct", said | {"count-present": ""}).status_code == 302
    session.rollback()
    assert session.scalars(select(EvidenceFact.counts).order_by(EvidenceFact.id)).all() == [
        {},
        {"expected": 12, "present": 11},
        {"expected": 12},
    ]
    post(asha, f"/evidence/{record}/correct", said | {"count-present": "11"})
    assert post(asha, f"/duties/{MEETING}/submit").status_code == 302


def before(page):
    """The part of the page of a record that says what was there before."""
    found = re.search(r"<summary>以前的内容</summary>.*?</details>", page, re.DOTALL)
    return found[0] if found else ""


def test_what_was_corrected_and_taken_off_is_read_on_the_page_of_the_record(client_of, record, address):
    asha, chen = client_of("Asha"), client_of("Chen")
    assert before(text(chen.get(f"/evidence/{record}"))) == ""
    said = {"act_on": "2026-05-15", "sentence": "更正后", "count-expected": "13", "count-present": "10"}
    post(asha, f"/evidence/{record}/correct", said)
    post(asha, f"{address}/off")
    post(asha, f"/evidence/{record}/withdraw", {"reason": "传错"})
    part = before(text(chen.get(f"/evidence/{record}")))
    said_before = ("召开五月支委会", "办理日期 2026-05-18", "应到人数 12", "实到人数 11", "Asha", "取下 2026-05-20")
    assert [word for word in said_before if word not in part] == []
    assert "更正后" not in part
    assert f'href="{address}"' in part
    assert fetch(chen, address).status_code == 200
    assert fetch(client_of("Bela"), address).status_code == 404


def test_a_sealed_sentence_is_not_read_among_what_was_there_before(client_of, session, record):
    asha = client_of("Asha")
    said = {"act_on": "2026-05-15", "sentence": "更正后", "count-expected": "12", "count-present": "10"}
    post(asha, f"/evidence/{record}/correct", said)
    with writing(session):
        for fact in session.scalars(select(EvidenceFact)):
            fact.sentence, fact.sealed_at = None, NOW
    page = text(asha.get(f"/evidence/{record}"))
    assert "文字已封存" in before(page)
    assert "召开五月支委会" not in page


def test_a_record_under_a_signature_is_not_corrected(client_of, record):
    asha = client_of("Asha")
    post(asha, f"/duties/{MEETING}/submit")
    said = {"act_on": "2026-05-15", "sentence": "更正后", "count-expected": "12", "count-present": "10"}
    answer = post(asha, f"/evidence/{record}/correct", said)
    assert answer.status_code == 409
    assert "更正后" in text(answer)


@pytest.fixture
def of_two(client_of, session):
    """A record that serves two duties that were handed in."""
    tick(client_of("Asha"), also=[THEME])
    return session.scalar(select(Evidence.key))


def test_what_stands_in_the_way_of_a_correction_is_named_with_links(client_of, of_two):
    asha = client_of("Asha")
    for url in (f"/evidence/{of_two}", f"/evidence/{of_two}/correct", f"/evidence/{of_two}/withdraw"):
        page = text(asha.get(url))
        part = re.search(r"须先撤回下面 2 项任务.*?</ul>", page, re.DOTALL)[0]
        assert all(f'href="/duties/{key}"' in part for key in (MEETING, THEME))
    post(asha, f"/duties/{MEETING}/withdraw")
    told = text(asha.get(f"/duties/{MEETING}"))
    assert f"佐证 {of_two} 还用于另外 1 项已经签认的任务" in told
    assert "可以修改后重新提交" not in told
    answer = post(asha, f"/evidence/{of_two}/correct", {"act_on": "2026-05-15", "sentence": "更正后"})
    assert answer.status_code == 409
    assert THEME not in re.search(r'class="problems".*?</div>', text(answer), re.DOTALL)[0]
    assert "须先撤回下面 1 项任务" in text(answer)
    post(asha, f"/duties/{THEME}/withdraw")
    assert "已撤回，可以修改后重新提交。" in text(asha.get(f"/duties/{THEME}"))
    assert "须先撤回" not in text(asha.get(f"/evidence/{of_two}"))


def added(client, record):
    """The page of a record after a file was added to it."""
    post(client, f"/evidence/{record}/files", {"files": [upload(photo("green"), "第二张.jpg")]})
    return text(client.get(f"/evidence/{record}"))


def again(session, *keys, **said):
    """What the form says that hands duties in anew."""
    seen = {f"seen-{key}": duty_of(session, key).content_digest for key in keys}
    return {"duty": list(keys), **seen, **said}


def test_whoever_adds_a_file_is_told_what_waits_again_and_hands_it_in_at_once(client_of, session, of_two):
    asha, chen = client_of("Asha"), client_of("Chen")
    post(chen, f"/duties/{THEME}/confirm")
    page = added(asha, of_two)
    assert "已补充 1 个文件。2 项已经签认的任务现在显示" in page
    assert "一并重新提交这 2 项" in page
    assert "一并重新提交" not in text(chen.get(f"/evidence/{of_two}"))
    unsaid = post(asha, f"/evidence/{of_two}/submit", again(session, MEETING, THEME))
    assert unsaid.status_code == 400
    assert "请写明改动了什么" in text(unsaid)
    assert duty_of(session, MEETING).is_changed
    done = post(asha, f"/evidence/{of_two}/submit", again(session, MEETING, THEME, reason="补照片"))
    assert done.status_code == 302
    assert "已重新提交 2 项任务。下一步由" in text(asha.get(f"/evidence/{of_two}"))
    assert [duty_of(session, key).is_changed for key in (MEETING, THEME)] == [False, False]
    assert duty_of(session, THEME).state is State.SUBMITTED


def test_a_file_added_to_what_nobody_signed_asks_for_nothing_more(client_of, record):
    assert "需要重新提交" not in added(client_of("Asha"), record)


def test_nothing_is_handed_in_anew_that_was_not_shown(client_of, session, of_two):
    asha, chen = client_of("Asha"), client_of("Chen")
    added(asha, of_two)
    shown, other = again(session, MEETING, reason="补照片"), "2026.D1-B1.P4-1.L3-10.M05.1"
    assert post(asha, f"/evidence/{of_two}/submit", {"reason": "补照片"}).status_code == 409
    assert post(asha, f"/evidence/{of_two}/submit", shown | {"duty": [MEETING, other]}).status_code == 409
    post(asha, f"/evidence/{of_two}/files", {"files": [upload(photo("blue"), "第三张.jpg")]})
    assert post(asha, f"/evidence/{of_two}/submit", shown).status_code == 409
    assert post(chen, f"/evidence/{of_two}/submit", shown).status_code == 403
    assert duty_of(session, MEETING).is_changed


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
