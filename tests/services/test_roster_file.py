"""Reading a roster: every error at once, and nothing that a hostile file could do."""

import time
import zipfile
from datetime import date
from io import BytesIO

import pytest
from openpyxl import Workbook, load_workbook

from tests.roster_files import SINCE, SITTINGS, TREE, example_list, read, roster_file
from tracker.domain.roster import COLUMNS, SheetName
from tracker.services.roster_template import write_template


def template() -> BytesIO:
    file = BytesIO()
    write_template(file, checklist=example_list())
    file.seek(0)
    return file


def with_part(name: str, content: bytes, file: BytesIO | None = None) -> BytesIO:
    """The file with one part of the package replaced."""
    result = BytesIO()
    with zipfile.ZipFile(file or roster_file()) as source, zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as target:
        for part in source.namelist():
            target.writestr(part, content if part == name else source.read(part))
    result.seek(0)
    return result


def sheet_xml(rows: str, head: str = "") -> bytes:
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return f'<?xml version="1.0"?>{head}<worksheet xmlns="{space}"><sheetData>{rows}</sheetData></worksheet>'.encode()


def only_error(file: BytesIO) -> str:
    roster, errors = read(file)
    assert roster.organizations == ()
    [error] = errors
    return str(error)


def test_the_template_reads_back_as_its_own_examples() -> None:
    roster, errors = read(template())
    assert errors == []
    assert len(roster.organizations) == len(example_list().levels) + 1
    assert {row.post for row in roster.appointments} == {post.id for post in example_list().posts}


def test_the_template_has_frozen_headers_comments_drop_downs_and_notes() -> None:
    book = load_workbook(template())
    assert [sheet.title for sheet in book][:5] == [*SheetName, "说明"]
    for name in SheetName:
        sheet = book[name.value]
        assert sheet.freeze_panes == "A2"
        assert all(cell.comment is not None for cell in sheet[1])
        assert [cell.value for cell in sheet[1]] == [column.title for column in COLUMNS[name]]
        assert sheet.data_validations.count > 0
    assert book["选项"].sheet_state == "hidden"


def test_names_and_ids_of_the_checklist_are_both_understood() -> None:
    level, post = example_list().levels[2], example_list().posts[-1]
    by_name, _ = read(
        roster_file(
            organizations=[(*TREE[3][:3], level.name, *TREE[3][4:])],
            appointments=[("QH-LY-1", post.name, 1, "asha", "holder", SINCE)],
        )
    )
    assert by_name.organizations[0].level == level.id
    assert by_name.appointments[0].post == post.id


def test_every_error_is_told_at_once_with_its_place() -> None:
    file = roster_file(
        organizations=[("QH 1", "", "", "没有的层级", "", "也许", "一", "2026-13-01")],
        people=[("", "", "无名"), ("asha", "1", "甲"), ("asha", "2", "乙")],
        appointments=[
            ("QH", "R1", 2, "asha", "任职", SINCE),
            ("QH", "P2", "", "asha", "任职", SINCE),
            ("QH", "R1", 1, "asha", "任职", SINCE, date(2023, 1, 1)),
            ("QH", "R1", 1, "asha", "任职", SINCE),
            ("QH", "R1", 1, "yue", "任职", date(2025, 1, 1)),
        ],
        assignments=[(2026, "QH", "X-1", "增加次数", "", "", "", "理由", SINCE)],
    )
    _, errors = read(file)
    places = [(error.sheet, error.row, error.column) for error in errors]
    assert places == [
        ("组织", 2, "组织代码"),
        ("组织", 2, "名称"),
        ("组织", 2, "层级"),
        ("组织", 2, "是否单位"),
        ("组织", 2, "排序"),
        ("组织", 2, "成立日期"),
        ("人员", 2, "账号"),
        ("人员", 4, "账号"),
        ("任职", 2, "席位号"),
        ("任职", 3, "席位号"),
        ("任职", 4, "止"),
        ("任职", 6, "席位号"),
        ("分配", 2, "次数"),
    ]
    assert str(errors[2]).startswith("组织 第2行 层级：没有“没有的层级”这一项。可以填：")


@pytest.mark.parametrize(
    "written", ["2026-03-01", "2026/3/1", "2026.3.1", "2026年3月1日", "20260301", 46082, date(2026, 3, 1)]
)
def test_days_are_understood_however_they_are_written(written) -> None:
    book = load_workbook(roster_file())
    book["任职"]["F2"] = written
    file = BytesIO()
    book.save(file)
    file.seek(0)
    roster, errors = read(file)
    assert errors == []
    assert roster.appointments[0].starts_on == date(2026, 3, 1)


def test_an_identity_number_is_not_taken() -> None:
    _, [error] = read(roster_file(people=[("asha", "110101199003070011", "甲")], appointments=SITTINGS[:1]))
    assert "不收身份证号" in str(error)


def test_a_column_that_is_missing_is_named() -> None:
    book = load_workbook(roster_file())
    book["组织"]["E1"] = "备注"
    file = BytesIO()
    book.save(file)
    file.seek(0)
    _, errors = read(file)
    assert str(errors[0]) == "组织 第1行 标签：第一行缺少这一列。请用模板的表头，不要删改列名。"


@pytest.mark.parametrize("junk", [b"", b"PK\x03\x04", b"code;name\nQH;x", b"\xd0\xcf\x11\xe0" * 100])
def test_what_is_no_workbook_is_refused_in_one_sentence(junk) -> None:
    assert (
        only_error(BytesIO(junk))
        == "这不是可以读取的 .xlsx 文件。请用 Excel 或 WPS 打开后另存为 .xlsx（不加密码）再导入。"
    )


def test_a_workbook_without_the_sheets_is_refused() -> None:
    file = BytesIO()
    Workbook().save(file)
    file.seek(0)
    assert "没有名为" in only_error(file)


@pytest.mark.parametrize(
    "rows",
    [
        '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>',
        '<row r="1"><c r="A1"><v>1</v></c><c s="1" r="XFD1"><v>1</v></c></row>',
        '<row r="999999999999"><c><v>1</v></c></row>',
        '<row r="1"><c r="AAAAAA1"><v>1</v></c></row>',
    ],
)
def test_cells_far_out_are_refused_and_named(rows) -> None:
    began = time.monotonic()
    assert "超出了 20000 行、60 列的范围" in only_error(with_part("xl/worksheets/sheet1.xml", sheet_xml(rows)))
    assert time.monotonic() - began < 2


def test_a_row_number_hidden_in_an_entity_ends_at_the_cap() -> None:
    rows = '<row r="&#49;048576"><c><v>1</v></c></row>'
    _, errors = read(with_part("xl/worksheets/sheet1.xml", sheet_xml(rows)))
    assert errors


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    began = time.monotonic()
    file = with_part("xl/worksheets/sheet1.xml", b" " * 60 * 1024**2)
    assert "过大" in only_error(file)
    assert time.monotonic() - began < 5


def test_entities_are_refused() -> None:
    head = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
    assert "XML 声明" in only_error(with_part("xl/worksheets/sheet1.xml", sheet_xml("", head)))


def test_a_part_cut_off_is_refused() -> None:
    assert "不是可以读取的" in only_error(with_part("xl/workbook.xml", b"<workbook"))
