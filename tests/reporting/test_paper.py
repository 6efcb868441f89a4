"""Papers: printed and exported from the same values, read back by other programs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from io import BytesIO

import pytest
from openpyxl import load_workbook

from tests.reporting import sample_reports
from tests.reporting.printed import Printed
from tracker.domain.errors import Invalid
from tracker.domain.paper import Heading, Paper, Paragraph, Signatures, Slip, Table
from tracker.reporting.spreadsheet import spreadsheet

PROBLEMS = Table(
    name="问题清单",
    headings=("编号", "问题", "得分", "整改期限"),
    rows=(
        ("1-1", "应到人数与名册不一致", Decimal("2.5"), date(2026, 6, 15)),
        ("1-2", '=HYPERLINK("x")', 3, None),
    ),
    widths=(1, 5, 1, 2),
)
NOTICE = Paper(
    title="整改通知书",
    addressee="清河市林业局",
    blocks=(
        Heading("一、发现的问题"),
        Paragraph("检查组核查了抽取的任务，发现下列问题，请逐项整改。"),
        PROBLEMS,
        Signatures(("检查组组长（签字）：",)),
        Slip("回执", ("整改通知书已收到。",), ("签收人：", "日期：")),
    ),
    provenance=sample_reports.PROVENANCE,
    issuer="中共清河市直属机关工作委员会",
    issued_on=date(2026, 6, 1),
)


def test_a_paper_reads_from_the_addressee_to_the_slip(print_report: Callable[..., Printed]) -> None:
    text = "".join(line.text for page in print_report(NOTICE, "notice").pages for line in page.lines).replace(" ", "")
    order = [
        "整改通知书",
        "清河市林业局：",
        "一、发现的问题",
        "应到人数与名册不一致",
        "2026-06-15",
        "检查组组长",
        "2026年6月1日",
        "回执",
        "签收人：",
    ]
    places = [text.find(part) for part in order]
    assert -1 not in places
    assert places == sorted(places)


def test_a_wide_paper_lies_across_the_sheet(print_report: Callable[..., Printed]) -> None:
    assert print_report(replace(NOTICE, wide=True), "wide-notice").pages[0].is_wide


def test_a_character_without_a_glyph_is_named(print_report: Callable[..., Printed]) -> None:
    with pytest.raises(Invalid) as refusal:
        print_report(replace(NOTICE, blocks=(Paragraph("\U000e0fff"),)), "refused")
    assert refusal.value.values["record"] == "整改通知书"


def test_the_spreadsheet_has_the_values_of_the_print_and_no_formulas() -> None:
    made = spreadsheet(NOTICE, translate=str)
    assert made == spreadsheet(NOTICE, translate=str)
    book = load_workbook(BytesIO(made))
    assert book.sheetnames == ["正文", "1 问题清单", "说明"]
    assert [row[0] for row in book["正文"].values] == [block.text for block in NOTICE.blocks[:2]]
    rows = list(book["1 问题清单"].values)
    assert rows[0] == PROBLEMS.headings
    assert rows[1][:3] == ("1-1", "应到人数与名册不一致", 2.5)
    assert rows[1][3].date() == date(2026, 6, 15)
    assert rows[2] == ("1-2", '=HYPERLINK("x")', 3, None)
    assert [cell.data_type for cell in book["1 问题清单"]["B"]] == ["s", "s", "s"]


def test_a_table_whose_rows_do_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="问题清单"):
        replace(PROBLEMS, rows=(("1-1",),))
