"""Pictures on paper: their numbers, their sentence and their table are in the PDF, and they read without colour."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest
from openpyxl import load_workbook
from PIL import Image

from tests.reporting import sample_reports
from tests.reporting.printed import MM, Printed
from tests.reporting.test_paper import NOTICE
from tracker.domain.board import Cell, Column
from tracker.domain.duty import State
from tracker.domain.packet_parts import ReportPart
from tracker.domain.pictures import BurnDown, Flow, Grid, Picture, Point
from tracker.reporting.compose import Composer
from tracker.reporting.fonts import FontSet
from tracker.reporting.spreadsheet import spreadsheet
from tracker.reporting.words import width, wrapped

DAY = date(2026, 5, 20)
DIMENSIONS = (
    "政治引领与理论武装",
    "责任体系与部署落实",
    "思想教育与典型引领",
    "组织生活",
    "意识形态与阵地",
    "队伍与基础工作",
)
UNITS = ("清河市林业局", "清河市水务局", "清河市市场监督管理综合行政执法局", "清河市教育局")
SHARES = ((40, 0), (36, 4), (25, 15), (7, 33), (0, 0), (12, 0))


def cell(done: int, late: int, ahead: int = 0) -> Cell:
    """A cell with so many in time, overdue, and to come."""
    return Cell({Column.IN_TIME: done, Column.OVERDUE: late, Column.NOT_YET_DUE: ahead})


GRID = Grid(
    "单位",
    UNITS,
    DIMENSIONS,
    tuple(
        tuple(cell(*SHARES[(row + n) % 6], ahead=3) for n, _ in enumerate(DIMENSIONS)) for row, _ in enumerate(UNITS)
    ),
)
YEAR = Grid(
    "事项",
    tuple(f"L3-{n:02} {title}" for n, title in enumerate(sample_reports.TITLES, start=1)),
    (*(f"{month}月" for month in range(1, 13)), "次年"),
    tuple(tuple(cell(*SHARES[(row * n) % 5]) if (row + n) % 3 else Cell() for n in range(13)) for row in range(10)),
    small=True,
)
FLOW = Flow(
    {State.OPEN: 120, State.SUBMITTED: 31, State.CONFIRMED: 204, State.RETURNED: 6, State.EXCUSED: 2}, judged=58
)
BURN = BurnDown(
    tuple(
        Point(DAY + timedelta(days=7 * n), overdue=max(0, n - 4), under_way=max(0, 9 - n), reported=n % 4, closed=n)
        for n in range(11)
    ),
    7,
)
PICTURES = (
    Picture("单位与维度办理情况", GRID, ("单位", *DIMENSIONS, "合计"), GRID.lines, (5, *[2] * 6, 3)),
    Picture("全年一览", YEAR, ("事项", *YEAR.columns, "合计"), YEAR.lines, (5, *[2] * 13, 3)),
    Picture("任务流转", FLOW, ("状态", "任务数"), tuple((step.name, step.count) for step in FLOW.way), (2, 1)),
    Picture(
        "整改销号进度",
        BURN,
        ("日终", "未销号", "已销号"),
        tuple((point.day, point.open, point.closed) for point in BURN.points),
        (2, 1, 1),
    ),
)


@pytest.fixture(scope="module")
def drawn(print_report: Callable[..., Printed]) -> Printed:
    """A paper of nothing but pictures."""
    return print_report(replace(NOTICE, title="图示", blocks=PICTURES), "pictures")


def test_the_numbers_of_a_picture_stand_in_it_in_its_sentence_and_in_its_table(drawn: Printed) -> None:
    assert "共760项任务，其中已到期或已办理688项，已办理480项" in drawn.squeezed
    assert "有任务到期的20格中，全部办理8格，不足五成4格" in drawn.squeezed
    for label in ("40/40", "36/40", "25/40", "7/40"):
        assert drawn.squeezed.count(label) >= 2 * sum(line[1:-1].count(label) for line in GRID.lines)
    for words in ("待提交", "204", "56.2%", "已退回6", "已核查", "58"):
        assert words in drawn.squeezed
    assert (
        "截至2026-07-29，共发现问题18个：已销号10个，已整改待核2个，未整改或整改中0个，逾期未整改6个" in drawn.squeezed
    )
    assert drawn.squeezed.count("数据表") == len(PICTURES)


def test_a_legend_names_every_hatching(drawn: Printed) -> None:
    for _key, name in (*GRID.legend, *BURN.legend):
        assert name in drawn.squeezed


def test_bands_read_without_colour(drawn: Printed, tmp_path: Path) -> None:
    """The first row has a patch of each band: in grey they differ in tone, and dark ones carry a hatching."""
    page = next(page for page in drawn.pages if "40/40" in page.text)
    zoom = 150 / 72
    subprocess.run(
        [
            "pdftoppm",
            "-gray",
            "-r",
            "150",
            "-f",
            str(page.number),
            "-l",
            str(page.number),
            drawn.path,
            tmp_path / "page",
        ],
        check=True,
    )
    [picture] = tmp_path.glob("page*")
    tones = {}
    for label in ("40/40", "36/40", "25/40", "7/40"):
        word = next(word for word in page.words if word.text.partition("+")[0] == label)
        box = (word.left - 9, word.top - 3, word.left - 4, word.bottom + 3)
        with Image.open(picture) as image:
            part = image.crop(tuple(round(edge * zoom) for edge in box))
            values = part.tobytes()
        tones[label] = (sum(values) / len(values), max(values) - min(values))
    lightness = [tone for tone, _spread in tones.values()]
    assert lightness == sorted(lightness, reverse=True)
    assert all(one - other > 8 for one, other in pairwise(lightness))
    assert tones["40/40"][1] < 8
    assert all(tones[label][1] > 40 for label in ("36/40", "25/40", "7/40"))


def test_a_long_grid_goes_on_overleaf_and_every_row_is_on_a_page(print_report: Callable[..., Printed]) -> None:
    names = tuple(f"第{number}单位" for number in range(1, 46))
    grid = Grid("单位", names, DIMENSIONS, tuple(GRID.cells[number % 4] for number in range(45)))
    long = replace(PICTURES[0], figure=grid, rows=grid.lines)
    pages = print_report(replace(NOTICE, blocks=(long,)), "long-picture").pages

    assert "（续）" in "".join(page.text for page in pages)
    for name in names:
        found = [(page, word) for page in pages for word in page.words if word.text == name]
        assert len(found) == 2, "in the picture and in its table"
        assert all(word.bottom < page.height - 35 * MM + 4 for page, word in found)


def test_the_table_behind_a_picture_is_in_the_spreadsheet() -> None:
    book = load_workbook(BytesIO(spreadsheet(replace(NOTICE, blocks=PICTURES), translate=str)))

    assert book.sheetnames == ["1 单位与维度办理情况", "2 全年一览", "3 任务流转", "4 整改销号进度", "说明"]
    assert list(book["1 单位与维度办理情况"].values) == [PICTURES[0].headings, *GRID.lines]


def test_a_report_shows_its_pictures_and_a_part_of_a_packet_stays_well_formed(fonts: FontSet, templates: Path) -> None:
    report = replace(sample_reports.inspection(), pictures=PICTURES)
    composer = Composer(translate=str, fonts=fonts, templates=templates)

    assert "图示" in composer.document(report).html
    part = fromstring(composer.part(ReportPart(report=report)).html)
    assert len(part.findall(".//{*}svg[@role='img']/{*}desc")) >= len(PICTURES)


@pytest.mark.parametrize(
    ("text", "characters", "lines", "expected"),
    [
        ("清河市水务局", 8, 2, ["清河市水务局"]),
        ("清河市水务局机关第一支部", 5, 2, ["清河市水务", "局机关第…"]),
        ("Political leadership", 6, 2, ["Political", "leadership"]),
        ("Responsibilities and plans", 6, 3, ["Responsibil-", "ities and", "plans"]),
        ("L3-02 党员大会", 9, 1, ["L3-02 党员大会"]),
        ("", 4, 2, []),
    ],
)
def test_names_are_wrapped_and_cut(text: str, characters: float, lines: int, expected: list[str]) -> None:
    assert wrapped(text, characters, lines) == expected
    assert all(width(line) <= 2 * characters for line in expected)
