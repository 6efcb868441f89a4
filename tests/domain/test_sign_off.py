"""What a sign-off covers: everything that was signed, and nothing that merely surrounds it."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.sign_off import (
    ClaimContent,
    EvidenceContent,
    FileContent,
    duty_content,
    signature_content,
    signature_digest,
    text_digest,
)

PHOTO = FileContent("现场.jpg", "a" * 64, 120_000)
MINUTES = FileContent("记录.pdf", "b" * 64, 30_000)
SENTENCE = text_digest("召开支部大会")
RECORD = EvidenceContent("r-1", date(2026, 5, 8), SENTENCE, {"people": 12, "sessions": 1}, (PHOTO, MINUTES))
OTHER = EvidenceContent("r-2", date(2026, 5, 9), text_digest("补充材料"), {}, ())
DUTY = {
    "duty_key": "2026/hs-1/I-07/M05/1",
    "item_id": "I-07",
    "item_digest": "c" * 64,
    "period": "M05",
    "occurrence": 1,
}
SIGNED = {
    "content_digest": "d" * 64,
    "action": "submit",
    "person": "p-asha",
    "appointment": "a-1",
    "at": datetime(2026, 5, 10, 1, 2, 3, 4, tzinfo=UTC),
    "previous": None,
    "reason_sha256": None,
}


def content(*evidence, **changes):
    return duty_content(**{**DUTY, "evidence": evidence, **changes})


def test_the_content_can_be_redone_by_hand():
    assert json.loads(content(RECORD)) == {
        "form": "tracker/duty-content/1",
        "duty": "2026/hs-1/I-07/M05/1",
        "item": "I-07",
        "item_digest": "c" * 64,
        "period": "M05",
        "occurrence": 1,
        "claim": None,
        "evidence": [
            {
                "id": "r-1",
                "act_on": "2026-05-08",
                "sentence_sha256": hashlib.sha256("召开支部大会".encode()).hexdigest(),
                "counts": {"people": 12, "sessions": 1},
                "files": [
                    {"name": "现场.jpg", "sha256": "a" * 64, "size": 120_000},
                    {"name": "记录.pdf", "sha256": "b" * 64, "size": 30_000},
                ],
            }
        ],
    }


def test_a_signature_can_be_redone_by_hand():
    by_hand = {
        "form": "tracker/signature/1",
        "content": "d" * 64,
        "action": "submit",
        "person": "p-asha",
        "appointment": "a-1",
        "at": "2026-05-10T01:02:03.000004Z",
        "previous": None,
        "reason_sha256": None,
    }
    data = json.dumps(by_hand, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert signature_content(**SIGNED) == data
    assert signature_digest(**SIGNED) == hashlib.sha256(data).hexdigest()


@given(st.permutations([RECORD, OTHER]), st.permutations([PHOTO, MINUTES]), st.permutations(["people", "sessions"]))
def test_the_order_of_records_files_and_counts_is_immaterial(records, files, kinds):
    shuffled = replace(RECORD, files=tuple(files), counts={kind: RECORD.counts[kind] for kind in kinds})
    assert content(*(shuffled if r is RECORD else r for r in records)) == content(RECORD, OTHER)


def test_withdrawn_evidence_is_not_signed():
    assert content(RECORD, replace(OTHER, withdrawn=True)) == content(RECORD)


def test_the_same_record_twice_is_refused():
    with pytest.raises(ValueError, match="twice"):
        content(RECORD, RECORD)


@pytest.mark.parametrize(
    "change",
    [
        {"public_id": "r-9"},
        {"act_on": date(2026, 5, 7)},
        {"sentence_sha256": text_digest("召开党小组会")},
        {"counts": {"people": 13, "sessions": 1}},
        {"files": (PHOTO,)},
        {"files": (PHOTO, replace(MINUTES, sha256="e" * 64))},
        {"files": (PHOTO, replace(MINUTES, name="纪要.pdf"))},
        {"withdrawn": True},
    ],
    ids=str,
)
def test_any_change_of_a_record_changes_the_content(change):
    assert content(replace(RECORD, **change)) != content(RECORD)


@pytest.mark.parametrize(
    "change",
    [
        {"duty_key": "2026/hs-2/I-07/M05/1"},
        {"item_id": "I-08"},
        {"item_digest": "e" * 64},
        {"period": "M06"},
        {"occurrence": 2},
        {"claim": ClaimContent("excused", text_digest("防汛值守"))},
    ],
    ids=str,
)
def test_any_change_of_the_duty_changes_the_content(change):
    assert content(RECORD, **change) != content(RECORD)


@pytest.mark.parametrize(
    "change",
    [
        {"content_digest": "e" * 64},
        {"action": "confirm"},
        {"person": "p-omar"},
        {"appointment": None},
        {"at": datetime(2026, 5, 10, 1, 2, 3, 5, tzinfo=UTC)},
        {"previous": "f" * 64},
        {"reason_sha256": text_digest("补充签到表")},
    ],
    ids=str,
)
def test_any_change_of_a_signature_changes_its_digest(change):
    assert signature_digest(**{**SIGNED, **change}) != signature_digest(**SIGNED)
