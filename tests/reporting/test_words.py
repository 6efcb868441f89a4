"""The forms of numbers, dates and sizes on paper."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from tracker.reporting import words


@pytest.mark.parametrize(
    ("number", "text"), [(1, "一"), (10, "十"), (12, "十二"), (20, "二十"), (21, "二十一"), (99, "九十九")]
)
def test_headings_are_numbered_in_chinese(number: int, text: str) -> None:
    assert words.numeral(number) == text


@pytest.mark.parametrize(("size", "text"), [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KB"), (1_500_000, "1.4 MB")])
def test_sizes_read_as_people_say_them(size: int, text: str) -> None:
    assert words.file_size(size) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "—"), (Decimal(10), "10"), (Decimal("88.50"), "88.5"), (Decimal("86.666"), "86.67")]
)
def test_points_have_no_trailing_zeros(value: Decimal | None, text: str) -> None:
    assert words.points(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "—"), (Decimal(85), "85.0"), (Decimal("96.4"), "96.4"), (Decimal("2.25"), "2.25")]
)
def test_scores_have_one_decimal_at_least(value: Decimal | None, text: str) -> None:
    assert words.score(value) == text
    assert words.cell(value) == ("" if value is None else text)


def test_a_moment_late_in_the_utc_day_is_the_next_day_in_beijing() -> None:
    late = datetime(2026, 3, 4, 18, 0, tzinfo=UTC)
    assert words.short_date(late) == "2026-03-05"
    assert words.moment(late, str) == "2026年3月5日 02:00:00（北京时间）"


def test_a_date_in_running_text_has_no_leading_zeros() -> None:
    assert words.long_date(date(2026, 3, 5), str) == "2026年3月5日"


def test_a_long_title_is_cut_to_one_line_by_its_width() -> None:
    assert words.one_line("甲乙丙\n丁", 4) == "甲乙丙丁"
    assert words.one_line("甲乙丙丁戊", 4) == "甲乙丙…"
    assert words.one_line("abcdefgh", 4) == "abcdefgh"


def test_the_lines_of_a_chinese_text_flow_together_without_blanks() -> None:
    text = "是示例。\n  它不是清单。\nNot a list\nof a city"
    assert words.flowing(text) == "是示例。它不是清单。\nNot a list\nof a city"


def test_quotation_marks_inside_of_quotation_marks_are_single() -> None:
    assert words.quoted_within("履行“一岗双责”") == "履行‘一岗双责’"


def test_a_stretch_of_days_is_written_like_every_date_of_a_table() -> None:
    assert words.days(date(2026, 9, 7), date(2026, 9, 18)) == "2026-09-07 — 2026-09-18"
    assert words.days(date(2026, 9, 7), date(2026, 9, 7)) == "2026-09-07"
