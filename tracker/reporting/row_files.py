"""Long tables as files, written row by row: memory does not grow with their number. Text is never read as a formula."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from enum import StrEnum
from itertools import chain, islice
from pathlib import Path
from typing import Any

import xlsxwriter

ROWS_OF_A_SHEET = 1_000_000  # Excel takes 1,048,576
_ALWAYS = datetime(2000, 1, 1, tzinfo=UTC)  # a file that names no time of its own making
_BEGINS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")
Row = Sequence[Any]


class FileKind(StrEnum):
    """The kinds of file, by their ending."""

    XLSX = ".xlsx"
    CSV = ".csv"


def write_rows(path: Path, headings: Sequence[str], rows: Iterable[Row], *, title: str) -> None:
    """Write the rows to a file of the kind that its ending names: numbers, days, texts and empty cells."""
    if FileKind(path.suffix.lower()) is FileKind.CSV:
        _write_csv(path, headings, rows)
    else:
        _write_xlsx(path, headings, rows, title=title)


def _write_csv(path: Path, headings: Sequence[str], rows: Iterable[Row]) -> None:
    """Write UTF-8 with the mark by which Excel knows it."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(headings)
        writer.writerows([*map(_harmless, row)] for row in rows)


def _harmless(cell: Any) -> Any:  # noqa: ANN401  whatever stands in a cell
    """The cell, with a mark before text that a spreadsheet would read as a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_BEGINS_A_FORMULA) else cell


def _write_xlsx(path: Path, headings: Sequence[str], rows: Iterable[Row], *, title: str) -> None:
    options = {"constant_memory": True, "tmpdir": str(path.parent), "default_date_format": "yyyy-mm-dd"}
    with xlsxwriter.Workbook(str(path), options) as book:
        book.set_properties({"title": title, "created": _ALWAYS})
        bold, day = book.add_format({"bold": True}), book.add_format({"num_format": "yyyy-mm-dd"})
        for number, part in enumerate(_parts(rows), start=1):
            sheet = book.add_worksheet(f"{title} {number}" if number > 1 else title)
            sheet.write_row(0, 0, headings, bold)
            sheet.freeze_panes(1, 0)
            for place, row in enumerate(part, start=1):
                _write_row(sheet, place, row, day)


def _write_row(sheet: Any, place: int, row: Row, day: Any) -> None:  # noqa: ANN401  XlsxWriter is untyped
    for column, cell in enumerate(row):
        if isinstance(cell, str):
            sheet.write_string(place, column, cell)
        elif isinstance(cell, date):
            sheet.write_datetime(place, column, cell, day)
        elif cell is not None:
            sheet.write_number(place, column, cell)


def _parts(rows: Iterable[Row]) -> Iterator[Iterator[Row]]:
    """The rows of one sheet after the other, at least one sheet."""
    left = iter(rows)
    yield islice(left, ROWS_OF_A_SHEET)
    for first in left:
        yield chain([first], islice(left, ROWS_OF_A_SHEET - 1))
