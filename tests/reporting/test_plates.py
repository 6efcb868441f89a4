"""Plates: each picture unchanged on a sheet of its own, within the type area, with words for who cannot see it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pikepdf
import pytest
from PIL import Image

from tests import verapdf
from tests.reporting.volumes import MOMENT, pictures, volume
from tracker.reporting.binding import Part, bind
from tracker.reporting.plates import Plate, plates
from tracker.reporting.sheet import MM

UPRIGHT, WIDE, SMALL, GREY = range(4)


@pytest.fixture(scope="module")
def made() -> Iterator[pikepdf.Pdf]:
    with pikepdf.open(volume().folder / "plates.pdf") as opened:
        yield opened


def place_of(page: pikepdf.Page) -> tuple[float, float, float, float]:
    """Left, bottom, width and height of the picture on its page, in millimetres."""
    drawn = re.search(rb"q ([\d.]+) 0 0 ([\d.]+) ([\d.]+) ([\d.]+) cm", page.obj.Contents.read_bytes())
    assert drawn is not None
    width, height, left, bottom = (float(number) / MM for number in drawn.groups())
    return left, bottom, width, height


def size_of(page: pikepdf.Page) -> tuple[int, int]:
    return round(float(page.mediabox[2]) / MM), round(float(page.mediabox[3]) / MM)


def test_the_bytes_of_a_picture_are_those_of_its_file(made, tmp_path):
    originals = [path.read_bytes() for path in pictures(tmp_path)]
    assert [page.obj.Resources.XObject.Plate.read_raw_bytes() for page in made.pages] == originals


def test_only_wide_pictures_turn_the_sheet(made):
    assert [size_of(page) for page in made.pages] == [(210, 297), (297, 210), (210, 297), (210, 297)]


def test_a_picture_fills_the_type_area_in_one_direction(made):
    left, bottom, width, height = place_of(made.pages[UPRIGHT])
    assert (left, width) == (pytest.approx(28, abs=0.01), pytest.approx(156, abs=0.01))
    assert bottom + height == pytest.approx(297 - 37, abs=0.01)
    left, bottom, width, height = place_of(made.pages[WIDE])
    assert (left, width) == (pytest.approx(35, abs=0.01), pytest.approx(225, abs=0.01))
    assert bottom + height == pytest.approx(210 - 28, abs=0.01)


def test_a_picture_keeps_its_proportions(made):
    for page in made.pages:
        image = page.obj.Resources.XObject.Plate
        _, _, width, height = place_of(page)
        assert width / height == pytest.approx(int(image.Width) / int(image.Height), rel=0.001)


def test_a_small_picture_is_not_blown_up(made):
    _, _, width, _ = place_of(made.pages[SMALL])
    assert width == pytest.approx(120 / 96 * 25.4, abs=0.01)


def test_each_picture_is_a_figure_with_words(made):
    figures = made.Root.StructTreeRoot.K[0].K.as_list()
    assert [(str(figure.S), str(figure.Alt)) for figure in figures] == [("/Figure", f"图{place}") for place in range(4)]


def test_a_book_of_nothing_but_plates_is_a_pdf_a(tmp_path):
    part = Part(pdf=volume().folder / "plates.pdf", anchor="plates", title="佐证")
    bind([part], tmp_path / "book.pdf", title="佐证", language="zh-CN", created=MOMENT, identifier="DC-1")
    assert verapdf.validate(tmp_path / "book.pdf") == []
    seen = subprocess.run(["pdfimages", "-list", tmp_path / "book.pdf"], capture_output=True, text=True, check=True)
    assert seen.stdout.count("jpeg") == 4


@pytest.mark.parametrize(("mode", "name"), [("CMYK", "print.jpg"), ("RGB", "screen.png")])
def test_other_pictures_are_refused(mode: str, name: str, tmp_path: Path):
    Image.new(mode, (20, 20)).save(tmp_path / name)
    with pytest.raises(ValueError, match="is not a JPEG of grey or RGB"):
        plates([Plate(jpeg=tmp_path / name, alt="图")], tmp_path / "plates.pdf")
