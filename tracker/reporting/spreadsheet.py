"""A paper as a spreadsheet (.xlsx): its text on one sheet, its tables on one each, the same values as in print."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO
from typing import Any

import xlsxwriter

from tracker.domain.paper import Annex, Cell, Heading, Paper, Paragraph, Table
from tracker.domain.text import _n
from tracker.reporting.words import Translate, moment

_NOT_IN_A_NAME = re.compile(r"[\[\]:*?/\\']")
_NAME_LIMIT = 31  # of Excel
_WIDTH = 110  # of all columns together, in characters
# A file that names no time of its own making: the same values give the same bytes.
_ALWAYS = datetime(2000, 1, 1, tzinfo=UTC)


def spreadsheet(paper: Paper, *, translate: Translate) -> bytes:
    """Return the text and the tables of `paper`, a table's headings in its first row; nothing is read as a formula."""
    file = BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({"title": paper.title, "created": _ALWAYS})
    formats = _formats(book)
    if any(isinstance(block, Paragraph) for block in paper.blocks):
        _write_text(book.add_worksheet(translate(_TEXT)), paper, formats)
    for number, table in enumerate(paper.tables, start=1):
        _write(book.add_worksheet(_sheet_name(table, number)), table, formats)
    _about(book.add_worksheet(translate(_ABOUT)), paper, translate)
    book.close()
    return file.getvalue()


_ABOUT = _n("说明")
_TEXT = _n("正文")


def _formats(book: Any) -> dict[str, Any]:  # noqa: ANN401  XlsxWriter is untyped
    common = {"valign": "top", "text_wrap": True, "border": 1}
    return {
        "heading": book.add_format(common | {"bold": True, "bg_color": "#DDE6F0"}),
        "text": book.add_format(common),
        "day": book.add_format(common | {"num_format": "yyyy-mm-dd", "align": "left"}),
    }


def _write_text(sheet: Any, paper: Paper, formats: dict[str, Any]) -> None:  # noqa: ANN401  XlsxWriter is untyped
    """The headings and paragraphs in their order; a heading without a word below it belongs to a table."""
    sheet.set_column(0, 0, 90)
    lines: list[Heading | Paragraph] = []
    for block in paper.blocks:
        if isinstance(block, Annex):
            break
        if lines and isinstance(lines[-1], Heading) and not isinstance(block, Paragraph):
            lines.pop()
        if isinstance(block, Heading | Paragraph):
            lines.append(block)
    for row, line in enumerate(lines):
        sheet.write_string(row, 0, line.text, formats["heading" if isinstance(line, Heading) else "text"])


def _sheet_name(table: Table, number: int) -> str:
    """A name that Excel takes, and that no other sheet has."""
    plain = _NOT_IN_A_NAME.sub(" ", table.name).strip()
    return f"{number} {plain}"[:_NAME_LIMIT].strip()


def _write(sheet: Any, table: Table, formats: dict[str, Any]) -> None:  # noqa: ANN401  XlsxWriter is untyped
    for column, width in enumerate(table.widths):
        sheet.set_column(column, column, max(6, _WIDTH * width // sum(table.widths)))
    sheet.write_row(0, 0, table.headings, formats["heading"])
    for number, row in enumerate(table.rows, start=1):
        for column, cell in enumerate(row):
            _write_cell(sheet, number, column, cell, formats)
    sheet.freeze_panes(1, 0)
    if table.rows:
        sheet.autofilter(0, 0, len(table.rows), len(table.headings) - 1)


def _write_cell(sheet: Any, row: int, column: int, cell: Cell, formats: dict[str, Any]) -> None:  # noqa: ANN401  as above
    match cell:
        case None:
            sheet.write_blank(row, column, None, formats["text"])
        case int() | Decimal():
            sheet.write_number(row, column, cell, formats["text"])
        case date():
            sheet.write_datetime(row, column, cell, formats["day"])
        case _:
            sheet.write_string(row, column, cell, formats["text"])


def _about(sheet: Any, paper: Paper, translate: Translate) -> None:  # noqa: ANN401  XlsxWriter is untyped
    """The last sheet: what this is, as of when, and by which list and log."""
    sheet.set_column(0, 0, 90)
    source = paper.provenance
    lines = [
        paper.title,
        moment(source.as_of, translate),
        f"{source.checklist_title} {source.checklist_version} SHA-256 {source.checklist_digest}",
        *(f"{head.unit} {head.sequence} {head.digest}" for head in source.log_heads),
        source.software_version,
    ]
    for row, line in enumerate(lines):
        sheet.write_string(row, 0, line)
