"""Stamps: where they stand on the sheet, what they say, and that nothing under them changes."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import replace
from pathlib import Path

import pikepdf
import pytest
import segno
from PIL import Image

from tests import verapdf
from tests.reporting.printed import MM, Box, Page, Printed
from tests.reporting.volumes import MOMENT, Volume, volume
from tracker.domain.packet_check.content import page_contents
from tracker.reporting.binding import BoundPage, bind
from tracker.reporting.finishing import Identity, finish
from tracker.reporting.fonts import FontError
from tracker.reporting.stamp import StampedPage, Stamps, make_stamps

CODE = "1A2B 3C4D 5E6F 7890"
IDENTITY = Identity(packet="DC-2026-0012", volume=1, manifest_sha256="ab" * 32)
LEFT, RIGHT = 28 * MM, (210 - 26) * MM
COVER, EVEN, ODD, WIDE_EVEN = 0, 1, 2, 3  # places of pages in the volume; the number is one more


def stamped(page: BoundPage, place: int, total: int) -> StampedPage:
    return StampedPage(
        width=page.width,
        height=page.height,
        left="青溪湖管理局　2026年第三季度",
        right="佐证 文件1",
        number=place + 1,
        total=total,
        code=CODE,
        is_cover=place == COVER,
    )


def stamps_for(made: Volume, pages: list[StampedPage]) -> Stamps:
    return make_stamps(pages, packet=IDENTITY.packet, fonts=made.fonts, translate=str)


@pytest.fixture(scope="module")
def made() -> Volume:
    return volume()


@pytest.fixture(scope="module")
def pages(made: Volume) -> list[StampedPage]:
    facts = {"title": "督查卷", "language": "zh-CN", "created": MOMENT, "identifier": "DC-1"}
    bound = bind(made.parts, made.folder / "bound.pdf", **facts)
    return [stamped(page, place, len(bound)) for place, page in enumerate(bound)]


@pytest.fixture(scope="module")
def stamps(made: Volume, pages: list[StampedPage]) -> Stamps:
    return stamps_for(made, pages)


@pytest.fixture(scope="module")
def finished(made: Volume, stamps: Stamps) -> Path:
    finish(made.book, made.folder / "stamped.pdf", stamps=stamps, files=[], identity=IDENTITY)
    return made.folder / "stamped.pdf"


@pytest.fixture(scope="module")
def seen(finished: Path) -> list[Page]:
    return Printed(finished).pages


def upright(box: Box, page: Page) -> Box:
    """A box of a turned page, where it lies when the sheet stands upright."""
    if not page.is_wide:
        return box
    return Box(box.text, box.top, page.width - box.right, box.bottom, page.width - box.left)


def boxes(page: Page, text: str) -> list[Box]:
    return [upright(word, page) for word in page.words if word.text == text]


def number_of(page: Page) -> list[Box]:
    """The large number at the foot: dash, number, dash."""
    return sorted(
        [*boxes(page, "—"), *(box for box in boxes(page, str(page.number)) if large(box))], key=lambda b: b.left
    )


def large(box: Box) -> bool:
    return max(box.bottom - box.top, 0) > 12


def test_a_stamped_volume_is_a_pdf_a(finished):
    assert verapdf.validate(finished) == []
    assert "No syntax or stream encoding errors" in Printed(finished).check()


def test_the_content_of_the_pages_is_what_it_was(made, finished, stamps):
    before, after = page_contents(made.book), page_contents(finished)
    assert [page.content for page in after] == [page.content for page in before]
    assert tuple(page.stamp for page in after) == stamps.digests


def test_the_streams_of_the_pages_are_what_they_were(made, finished):
    def streams(path: Path) -> list[bytes]:
        with pikepdf.open(path) as book:
            last = [page.obj.Contents for page in book.pages]
            return [(one[-1] if isinstance(one, pikepdf.Array) else one).read_raw_bytes() for one in last]

    assert streams(finished) == streams(made.book)


def test_the_fonts_lie_in_the_file_as_they_were_told(finished, stamps):
    with pikepdf.open(finished) as book:
        for font in stamps.fonts:
            embedded = book.pages[0].obj.Resources.Font["/" + font.name].DescendantFonts[0].FontDescriptor.FontFile2
            assert hashlib.sha256(embedded.read_raw_bytes()).hexdigest() == font.sha256
    rows = Printed(finished).fonts
    assert {row[-5] for row in rows} == {"yes"}
    assert {row[-3] for row in rows} == {"yes"}


def test_the_same_stamps_come_out_the_same(made, pages, stamps, finished, tmp_path):
    again = stamps_for(made, pages)
    assert again == stamps
    finish(made.book, tmp_path / "again.pdf", stamps=again, files=[], identity=IDENTITY)
    assert (tmp_path / "again.pdf").read_bytes() == finished.read_bytes()


def test_a_page_says_what_it_is(seen):
    for page in seen:
        text = "".join(word.text for word in page.words)
        assert "DC-2026-0012" in text
        assert page.is_wide or f"第{page.number}页共11页" in text
        assert "校验码" + CODE.replace(" ", "") in text


def test_the_number_stands_a_character_in_from_the_outer_edge(seen):
    odd, even = number_of(seen[ODD]), number_of(seen[EVEN])
    assert [box.text for box in odd] == ["—", "3", "—"]
    assert [box.text for box in even] == ["—", "2", "—"]
    assert odd[-1].right == pytest.approx(RIGHT - 14, abs=1.0)
    assert even[0].left == pytest.approx(LEFT + 14, abs=1.0)


def test_the_dash_stands_seven_millimetres_below_the_type_area(finished, tmp_path):
    picture = drawn(finished, ODD, tmp_path)
    foot = picture.crop((dots(140), dots(263), dots(180), dots(285))).point(lambda shade: 255 * (shade < 128))
    dash = foot.crop((foot.getbbox()[0], 0, foot.getbbox()[0] + 20, foot.height)).getbbox()
    assert dots(263) + (dash[1] + dash[3]) / 2 == pytest.approx(dots(297 - 35 + 7), abs=dots(0.4))


def test_a_cover_has_neither_number_nor_head(seen):
    assert number_of(seen[COVER]) == []
    assert boxes(seen[COVER], "文件1") == []
    assert "校验码" in seen[COVER].text


def test_the_head_stands_at_both_edges(seen):
    page = seen[EVEN]
    assert boxes(page, "青溪湖管理局")[0].left == pytest.approx(LEFT, abs=0.5)
    assert boxes(page, "文件1")[0].right == pytest.approx(RIGHT, abs=0.5)
    assert boxes(page, "文件1")[0].bottom < 37 * MM - 6 * MM


def test_on_a_turned_page_everything_stands_where_it_does_on_the_sheet(seen):
    turned, plain = seen[WIDE_EVEN], seen[EVEN]
    assert turned.is_wide
    for text in ("青溪湖管理局", "文件1", "校验码"):
        one, other = boxes(turned, text)[0], boxes(plain, text)[0]
        assert (one.left, one.right) == (pytest.approx(other.left, abs=1), pytest.approx(other.right, abs=1))
        assert one.middle == pytest.approx(other.middle, abs=3)
    assert number_of(turned)[0].left == pytest.approx(number_of(plain)[0].left, abs=1)


@pytest.mark.parametrize("place", [ODD, EVEN])
def test_the_code_can_be_read_off_the_paper_beside_the_binding(place: int, finished, tmp_path):
    picture = drawn(finished, place, tmp_path)
    wanted = [
        [bool(module) for module in row] for row in segno.make_qr(IDENTITY.qr, error="m", boost_error=False).matrix
    ]
    left = 28 if place == ODD else 210 - 26 - 15
    module = 15 / len(wanted)
    seen = [
        [picture.getpixel((dots(left + (x + 0.5) * module), dots(297 - 31 + (y + 0.5) * module))) < 128
         for x in range(len(wanted))] for y in range(len(wanted))
    ]  # fmt: skip
    assert seen == wanted


def drawn(path: Path, place: int, folder: Path) -> Image.Image:
    number = str(place + 1)
    command = ["pdftoppm", "-r", "300", "-gray", "-f", number, "-l", number, "-singlefile", path, folder / "page"]
    subprocess.run(command, check=True)
    return Image.open(folder / "page.pgm")


def dots(millimetres: float) -> int:
    return int(millimetres / 25.4 * 300)


def test_a_head_that_is_too_long_ends_in_an_ellipsis(made, pages, tmp_path):
    long = [replace(page, right="会议记录" * 30) for page in pages]
    finish(made.book, tmp_path / "long.pdf", stamps=stamps_for(made, long), files=[], identity=IDENTITY)
    page = Printed(tmp_path / "long.pdf").pages[EVEN]
    head = [line for line in page.words if "会议记录" in line.text and line.bottom < 37 * MM]
    assert head[0].text.endswith("…")
    assert head[0].left > boxes(page, "2026年第三季度")[0].right


def test_a_character_without_a_font_is_named(made, pages):
    with pytest.raises(FontError, match=r"U\+13000"):
        stamps_for(made, [replace(pages[1], left="𓀀")])


def test_stamps_for_other_pages_are_refused(made, pages, tmp_path):
    with pytest.raises(ValueError, match="shorter"):
        finish(made.book, tmp_path / "x.pdf", stamps=stamps_for(made, pages[1:]), files=[], identity=IDENTITY)
