"""The roster as an .xlsx file: a template to fill in, and a reader that trusts nothing in what comes back."""

from __future__ import annotations

import hashlib
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import IO

from defusedxml.common import DefusedXmlException
from openpyxl import load_workbook
from openpyxl.utils import column_index_from_string
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.workbook import Workbook

from tracker.domain.checklist import Checklist
from tracker.domain.roster import MOST_COLUMNS, MOST_ROWS, Roster, RowError, SheetName
from tracker.domain.roster_cells import vocabulary
from tracker.domain.roster_rows import read_roster_rows
from tracker.domain.text import _n

MOST_BYTES = 10 * 1024**2
MOST_UNPACKED = 48 * 1024**2
MOST_PARTS = 500
MOST_IN_PART = {"xl/styles.xml": 2 * 1024**2, "xl/workbook.xml": 1024**2, "xl/sharedStrings.xml": 24 * 1024**2}
CELL = re.compile(rb"""<(?:\w+:)?c\s[^>]{0,200}?\br=["']([A-Za-z]{1,6})([0-9]{1,12})["']""")
ROW = re.compile(rb"""<(?:\w+:)?row\s[^>]{0,200}?\br=["']([0-9]{1,12})["']""")
DOCTYPE = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
CHUNK, SEAM = 1024**2, 512
UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    InvalidFileException,
    DefusedXmlException,
    SyntaxError,  # what XML parsers raise
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    AssertionError,
    EOFError,
    OSError,
    RuntimeError,
    OverflowError,
    MemoryError,
)


@dataclass(eq=False)
class Refused(Exception):
    """A file that is not read at all: what is wrong, and what to do."""

    wrong: str
    todo: str
    values: Mapping[str, object]


def read_roster(stream: IO[bytes], *, checklist: Checklist) -> tuple[Roster, list[RowError]]:
    """Read a roster; every error at once, in the order of the file. Never raises, whatever the bytes are.

    A file that cannot be read as a whole (not .xlsx, too large, cells far out, a bomb) gives one error with row 0.
    """
    data = stream.read(MOST_BYTES + 1)
    try:
        _check_package(data)
        sheets = _sheets(data)
    except Refused as refused:
        return Roster(), [RowError("", 0, "", refused.wrong, refused.todo, refused.values)]
    return read_roster_rows(sheets, words=vocabulary(checklist), sha256=hashlib.sha256(data).hexdigest())


def _refuse(wrong: str, todo: str, **values: object) -> Refused:
    return Refused(wrong, todo, values)


def _not_a_workbook() -> Refused:
    return _refuse(_n("这不是可以读取的 .xlsx 文件。"), _n("请用 Excel 或 WPS 打开后另存为 .xlsx（不加密码）再导入。"))


def _check_package(data: bytes) -> None:
    """Look at the package before it is unpacked: sizes as declared, which reading never exceeds; then its parts."""
    if len(data) > MOST_BYTES:
        raise _refuse(_n("文件超过 %(most)s MB。"), _n("请删除图片和多余的工作表后重试。"), most=MOST_BYTES // 1024**2)
    try:
        with zipfile.ZipFile(BytesIO(data)) as package:
            _check_sizes(package.infolist())
            for part in package.infolist():
                if part.filename.lower().endswith((".xml", ".rels")):
                    _check_part(package, part)
    except UNREADABLE as error:
        raise _not_a_workbook() from error


def _check_sizes(parts: Sequence[zipfile.ZipInfo]) -> None:
    unpacked = sum(part.file_size for part in parts)
    swollen = any(part.file_size > MOST_IN_PART.get(part.filename, MOST_UNPACKED) for part in parts)
    if len(parts) > MOST_PARTS or unpacked > MOST_UNPACKED or swollen:
        raise _refuse(_n("文件解开后过大，可能已损坏或被人做了手脚。"), _n("请从模板重新填写，只保留需要的行。"))


def _check_part(package: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    """Refuse document types and entities anywhere, and cells far out in a worksheet, without building either."""
    is_sheet = part.filename.startswith("xl/worksheets/")
    tail = b""
    with package.open(part) as stream:
        while chunk := stream.read(CHUNK):
            window = tail + chunk
            if DOCTYPE.search(window) or b"\x00" in chunk:
                raise _refuse(_n("文件里有不允许的 XML 声明。"), _n("请用 Excel 或 WPS 另存为新的 .xlsx 文件。"))
            if is_sheet:
                _check_cells(window)
            tail = window[-SEAM:]


def _check_cells(window: bytes) -> None:
    for found in CELL.finditer(window):
        letters, row = found[1].decode().upper(), int(found[2])
        if row > MOST_ROWS or len(letters) > 3 or column_index_from_string(letters) > MOST_COLUMNS:
            raise _far(f"{letters}{row}")
    for found in ROW.finditer(window):
        if int(found[1]) > MOST_ROWS:
            raise _far(str(int(found[1])))


def _far(place: str) -> Refused:
    return _refuse(
        _n("表格的 %(place)s 处还有单元格，超出了 %(rows)s 行、%(columns)s 列的范围。"),
        _n("请删除范围以外的行和列（不只是清空内容），或从模板重新填写。"),
        place=place,
        rows=MOST_ROWS,
        columns=MOST_COLUMNS,
    )


def _sheets(data: bytes) -> dict[SheetName, list[tuple[object, ...]]]:
    """The cells of the sheets that are known by name."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl tells of features that it drops
            book = load_workbook(BytesIO(data), read_only=True, data_only=True, keep_links=False)
            try:
                found = {name: list(_rows(book, name)) for name in SheetName if name.value in book.sheetnames}
            finally:
                book.close()
    except UNREADABLE as error:
        raise _not_a_workbook() from error
    if not found:
        names = "、".join(SheetName)
        raise _refuse(_n("文件里没有名为 %(names)s 的工作表。"), _n("请用模板填写，不要改工作表的名称。"), names=names)
    return found


def _rows(book: Workbook, name: SheetName) -> Iterator[tuple[object, ...]]:
    sheet = book[name.value]
    sheet.reset_dimensions()  # what the file says about its own size is not to be trusted
    for number, cells in enumerate(sheet.iter_rows(max_col=MOST_COLUMNS, values_only=True), start=1):
        yield cells
        if number > MOST_ROWS:
            return
