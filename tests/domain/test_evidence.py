"""What a record must hold, and what an item asks for: named, so that whoever reads the refusal can mend it."""

from datetime import date

import pytest

from tests.work import CHECKLIST
from tracker.domain.errors import Invalid
from tracker.domain.evidence import (
    asked_counts,
    attached_kinds,
    check_act,
    check_complete,
    check_counts,
    check_period,
    checked_reason,
    checked_sentence,
    done_on,
)
from tracker.domain.sign_off import EvidenceContent, FileContent, text_digest

DAY = date(2026, 5, 18)
MEETING = CHECKLIST.item["L3-02"]
HELP = CHECKLIST.item["L3-20"]
PAPER = FileContent("纪要.pdf", "a" * 64, 10)


def record(**changes):
    return EvidenceContent(**{"public_id": "r", "act_on": DAY, "sentence_sha256": text_digest("x"), **changes})


def test_an_item_asks_for_its_own_counts_and_those_of_its_kinds():
    assert [count.id for count in asked_counts(CHECKLIST.item["L3-01"], CHECKLIST)] == ["expected", "present"]


def test_kinds_that_are_not_attached_want_no_file():
    assert [kind.id for kind in attached_kinds(CHECKLIST.item["L3-05"], CHECKLIST)] == ["summary-form"]
    assert attached_kinds(HELP, CHECKLIST) == ()


def test_a_day_to_come_is_refused_and_today_is_not():
    check_act(DAY, today=DAY)
    with pytest.raises(Invalid, match="2026-05-19"):
        check_act(date(2026, 5, 19), today=DAY)


def test_an_act_before_the_period_names_the_duty():
    check_period(DAY, starts_on=DAY, title="主题党日")
    with pytest.raises(Invalid, match="主题党日"):
        check_period(DAY, starts_on=date(2026, 6, 1), title="主题党日")


def test_a_sentence_becomes_one_line():
    assert checked_sentence("  召开\n支委会 ") == "召开 支委会"


@pytest.mark.parametrize("wrong", ["", " \n", "字" * 301])
def test_a_sentence_is_neither_empty_nor_long(wrong):
    with pytest.raises(Invalid):
        checked_sentence(wrong)


def test_a_reason_is_at_most_five_hundred_characters():
    assert checked_reason(" 缺页 ") == "缺页"
    with pytest.raises(Invalid):
        checked_reason("字" * 501)


@pytest.mark.parametrize("wrong", [{"present": -1}, {"present": True}, {"names": 1}, {"present": 10**9}])
def test_numbers_that_cannot_be_meant_are_refused(wrong):
    with pytest.raises(Invalid):
        check_counts(wrong, CHECKLIST)


def test_what_is_complete_passes():
    check_complete(MEETING, CHECKLIST, [record(files=(PAPER,), counts={"expected": 3, "present": 0})])
    check_complete(HELP, CHECKLIST, [record()])


def test_files_and_counts_may_come_from_different_records():
    check_complete(
        MEETING, CHECKLIST, [record(files=(PAPER,)), record(public_id="s", counts={"expected": 3, "present": 3})]
    )


@pytest.mark.parametrize(
    ("records", "said"),
    [
        ([], "还没有佐证"),
        ([record(withdrawn=True)], "还没有佐证"),
        ([record(counts={"expected": 1, "present": 1})], "会议记录或纪要"),
        ([record(files=(PAPER,), counts={"expected": 1})], "实到人数"),
    ],
)
def test_what_is_missing_is_named(records, said):
    with pytest.raises(Invalid, match=said):
        check_complete(MEETING, CHECKLIST, records)


def test_nobody_is_present_who_was_not_expected():
    check_counts({"expected": 10, "present": 10}, CHECKLIST)
    with pytest.raises(Invalid, match=r"实到人数.*大于.*应到人数"):
        check_counts({"expected": 10, "present": 12}, CHECKLIST)


def test_a_record_that_does_not_fulfil_the_item_makes_nothing_punctual():
    idle = record(act_on=date(2026, 3, 2))
    done = record(act_on=date(2026, 5, 18), counts={"expected": 9, "present": 9}, files=(PAPER,))
    later = record(act_on=date(2026, 6, 1), files=(PAPER,))

    assert done_on(MEETING, CHECKLIST, [later, done, idle]) == date(2026, 5, 18)
    assert done_on(HELP, CHECKLIST, [done, idle]) == date(2026, 3, 2)
