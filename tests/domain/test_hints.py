"""Hints: each says what was compared, and what lies within the ordinary gives none."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.domain.hints import (
    BANDS,
    BURST_FILES,
    FAR_DAYS,
    NEAR,
    ONE_LINE,
    Elsewhere,
    FileSeen,
    HintKind,
    alike,
    bands,
    burst,
    camera_days,
    distance,
    far_acts,
    near_bands,
    thin_documents,
)

DAY = date(2026, 3, 5)
HASHES = st.integers(0, 2**64 - 1).map(lambda number: f"{number:016x}")


def mine(**changes):
    values = {"file": 1, "record": "2026.A.1", "name": "合影.jpg", "act_on": DAY, "uploaded_on": DAY}
    return FileSeen(**{**values, **changes})


def other(**changes):
    values = {"file": 1, "record": "2026.B.7", "organization": "乙局", "act_on": DAY}
    return Elsewhere(**{**values, "seen": True, "other_unit": True, "other_period": False, **changes})


def said(hint):
    return hint.sentence % hint.values


@given(HASHES, st.sets(st.integers(0, 63), max_size=NEAR))
def test_a_near_picture_is_never_hidden_from_the_bands(picture, flipped):
    changed = f"{int(picture, 16) ^ sum(1 << bit for bit in flipped):016x}"
    assert distance(picture, changed) == len(flipped)
    wanted = near_bands(["0123456789abcdef", picture])
    assert any(part in values for part, values in zip(bands(changed), wanted, strict=True))


@given(HASHES)
def test_the_bands_are_the_whole_hash(picture):
    back = 0
    for width, part in reversed(list(zip(BANDS, bands(picture), strict=True))):
        back = back << width | part
    assert f"{back:016x}" == picture


@given(HASHES, st.sets(st.integers(0, 63)))
def test_pictures_are_near_up_to_the_threshold_and_no_further(picture, flipped):
    changed = f"{int(picture, 16) ^ sum(1 << bit for bit in flipped):016x}"
    found = list(alike([mine(picture=picture)], [other(file=2, picture=changed)]))
    assert bool(found) == (len(flipped) <= NEAR)


def test_the_same_file_names_the_other_record_where_it_may_be_opened():
    [hint] = alike([mine()], [other()])
    assert (hint.kind, hint.record) == (HintKind.SAME_FILE, "2026.B.7")
    assert "乙局" in said(hint)
    assert "文件摘要" in said(hint)


@pytest.mark.parametrize("file", [1, 2])
def test_of_what_may_not_be_opened_it_says_only_that_it_exists(file):
    [hint] = alike([mine(picture="0" * 16)], [other(file=file, picture="0" * 16, seen=False)] * 3)
    assert hint.record is None
    assert hint.values == {"name": "合影.jpg"}
    assert not {"乙局", "2026.B.7"} & set(map(str, hint.values.values()))
    assert "另一单位" in said(hint)


def test_a_file_of_the_same_unit_and_period_is_no_hint():
    assert list(alike([mine()], [other(other_unit=False)])) == []
    [hint] = alike([mine()], [other(other_unit=False, other_period=True, seen=False)])
    assert "另一时段" in said(hint)


@pytest.mark.parametrize(("days", "found"), [(FAR_DAYS, 0), (FAR_DAYS + 1, 1), (-FAR_DAYS, 0), (-FAR_DAYS - 1, 1)])
def test_an_act_far_from_its_upload(days, found):
    assert len(list(far_acts([("2026.A.1", DAY, DAY + timedelta(days=days))]))) == found


@pytest.mark.parametrize(
    ("day", "found"),
    [
        (None, False),
        (date(2026, 3, 1), False),
        (date(2026, 3, 31), False),
        (date(2026, 2, 28), True),
        (date(2026, 4, 1), True),
    ],
)
def test_a_camera_day_outside_the_period(day, found):
    hints = list(camera_days([mine(taken_on=day)], date(2026, 3, 1), date(2026, 3, 31)))
    assert bool(hints) is found
    assert all(str(day) in said(hint) for hint in hints)


def test_a_camera_day_that_is_the_stated_day_of_a_late_act_is_no_hint():
    late = date(2026, 4, 9)
    assert not list(camera_days([mine(taken_on=late, act_on=late)], date(2026, 3, 1), date(2026, 3, 31)))


@pytest.mark.parametrize(("count", "found"), [(None, 0), (0, 1), (1, 1), (ONE_LINE, 1), (ONE_LINE + 1, 0)])
def test_a_document_of_nothing_or_one_line(count, found):
    assert len(list(thin_documents([mine(characters=count)]))) == found


@pytest.mark.parametrize(
    ("here", "count", "before", "found"),
    [
        (1, BURST_FILES, 0, True),
        (0, BURST_FILES, 0, False),
        (1, BURST_FILES - 1, 0, False),
        (1, 9, 90, True),
        (1, 9, 120, False),
    ],
)
def test_a_burst_before_the_check_is_measured_by_what_is_usual(here, count, before, found):
    hint = burst(date(2026, 5, 18), here=here, count=count, before=before)
    assert (hint is not None) is found
    if hint:
        assert "2026-05-16" in said(hint)
        assert "2026-05-17" in said(hint)
