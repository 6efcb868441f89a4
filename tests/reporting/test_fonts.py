"""Every character prints: the fonts are found, prepared once, and asked before anything is printed."""

from __future__ import annotations

import html
import os
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
import time_machine
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.t2CharStringPen import T2CharStringPen
from fontTools.ttLib import TTFont

from tracker.reporting import fonts, outlines
from tracker.reporting.fonts import (
    SYSTEM_FOLDERS,
    FontError,
    FontSet,
    common_characters,
    load_fonts,
    missing_characters,
    prepare_fonts,
    rare_name_characters,
)

FEW = frozenset(map(ord, "市直机关督查报告喆堃昇垚彧2026，。"))
CHECKOUT = Path(__file__).resolve().parents[2]
PRINT = "import sys, weasyprint; weasyprint.HTML(string=sys.stdin.read()).write_pdf(sys.argv[1])"


@pytest.fixture(scope="module")
def font_set() -> FontSet:
    """The whole set as an installation prepares it: half a minute, once for each checkout."""
    return prepare_fonts(CHECKOUT / ".dev" / "fonts")


@pytest.fixture(scope="module")
def told() -> list[tuple[int, int]]:
    """What was told of the progress of the small set: done, and in all."""
    return []


@pytest.fixture(scope="module")
def small_folder(tmp_path_factory: pytest.TempPathFactory, told: list[tuple[int, int]]) -> Path:
    folder = tmp_path_factory.mktemp("fonts")
    prepare_fonts(folder, characters=FEW, progress=lambda done, total, family: told.append((done, total)))
    return folder


@pytest.fixture(scope="module")
def licensed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("licensed")
    return {
        "fangsong": licensed_font(folder / "fang.otf", family="Licensed Fang"),
        "biaosong": licensed_font(folder / "song.otf", family="Licensed Song"),
    }


@pytest.fixture(scope="module")
def licensed_set(tmp_path_factory: pytest.TempPathFactory, licensed: dict[str, Path]) -> FontSet:
    return prepare_fonts(tmp_path_factory.mktemp("fonts"), licensed=licensed, characters=FEW)


def licensed_font(path: Path, *, family: str = "Licensed Song", fs_type: int = 0) -> Path:
    """Write a font with PostScript outlines that draws 市 and 直 as boxes."""
    pen = T2CharStringPen(1000, None)
    pen.moveTo((100, 0))
    for corner in ((900, 0), (900, 800), (100, 800)):
        pen.lineTo(corner)
    pen.closePath()
    box = pen.getCharString()
    builder = FontBuilder(1000, isTTF=False)
    builder.setupGlyphOrder([".notdef", "one", "two"])
    builder.setupCharacterMap({ord("市"): "one", ord("直"): "two"})
    builder.setupCFF("LicensedSong", {}, dict.fromkeys([".notdef", "one", "two"], box), {})
    builder.setupHorizontalMetrics(dict.fromkeys([".notdef", "one", "two"], (1000, 100)))
    builder.setupHorizontalHeader(ascent=880, descent=-120)
    builder.setupNameTable({"familyName": family, "styleName": "Regular", "version": "Version 3.0"})
    builder.setupOS2(fsType=fs_type)
    builder.setupPost()
    builder.save(path)
    return path


def print_text(text: str, family: str, font_set: FontSet, pdf: Path) -> tuple[str, str]:
    """Print `text`; return what poppler reads back from the PDF, and what the typesetter complained of."""
    style = html.escape(f"font: 8pt {family}")
    page = f"<html lang=zh-CN><body style='{style}'>{html.escape(text)}</body></html>"
    environment = {**os.environ, "FONTCONFIG_FILE": str(font_set.config_file)}
    done = subprocess.run(
        [sys.executable, "-c", PRINT, pdf], input=page, env=environment, text=True, capture_output=True, check=True
    )
    back = subprocess.run(["pdftotext", pdf, "-"], text=True, capture_output=True, check=True).stdout
    return "".join(back.split()), done.stderr


def test_the_list_of_common_characters_is_whole():
    assert len(common_characters()) == len(set(common_characters())) == 8105
    assert common_characters().startswith("一乙二十丁厂七卜八人入儿")


def test_there_are_more_than_a_hundred_rare_name_characters_beyond_gb2312():
    rare = [one for one in rare_name_characters() if not one.encode("gb2312", "ignore")]

    assert len(set(rare)) >= 100
    assert set("喆堃昇垚彧祎玥㛃䶮𬍡𫖯") <= set(rare_name_characters())


def test_the_prepared_set_has_every_common_character_rare_name_and_symbol(font_set):
    text = common_characters() + rare_name_characters() + fonts.SYMBOLS

    assert font_set.is_prepared
    assert missing_characters(text, font_set.coverage) == []


def test_the_fonts_of_the_system_have_them_too_until_the_set_is_prepared(tmp_path):
    system = load_fonts(tmp_path)

    assert not system.is_prepared
    assert missing_characters(common_characters() + rare_name_characters() + fonts.SYMBOLS, system.coverage) == []


@pytest.mark.parametrize("role", fonts.ROLES)
def test_a_name_with_rare_characters_prints_in_every_role(font_set, tmp_path, role):
    names = rare_name_characters()

    back, complaints = print_text(names, font_set.families[role], font_set, tmp_path / "names.pdf")

    assert complaints == ""
    assert set(names) <= set(back)


def test_all_8105_characters_come_back_from_a_printed_page(font_set, tmp_path):
    pdf = tmp_path / "all.pdf"

    back, complaints = print_text(common_characters(), font_set.families["fangsong"], font_set, pdf)

    assert complaints == ""
    assert set(common_characters()) <= set(back)


def test_printed_pages_hold_only_truetype_fonts_which_every_viewer_draws(font_set, tmp_path):
    pdf = tmp_path / "types.pdf"
    print_text("督查报告 ㎡⑳☑ 喆堃", ", ".join(font_set.families.values()), font_set, pdf)

    lines = subprocess.run(["pdffonts", pdf], text=True, capture_output=True, check=True).stdout.splitlines()[2:]

    assert lines
    assert all("CID TrueType" in line for line in lines)
    assert any("FandolFang" in line for line in lines)


def test_a_character_that_no_font_has_is_named_once_and_in_order(font_set):
    text = "王\U0003134f报告\ue000，\U0003134f\n"

    assert missing_characters(text, font_set.coverage) == ["\U0003134f", "\ue000"]


def test_line_breaks_joiners_and_variation_selectors_are_not_missed(font_set):
    assert missing_characters("葛\U000e0100飾\n\t✓\ufe0e\u200b\u2028", font_set.coverage | {ord("飾")}) == []


def test_a_control_character_is_missed(font_set):
    assert missing_characters("张\x07三", font_set.coverage) == ["\x07"]


def test_a_prepared_set_is_loaded_and_not_made_again(small_folder):
    written = {path.name: path.stat().st_mtime_ns for path in small_folder.glob("*.ttf")}
    made: list[str] = []

    again = prepare_fonts(small_folder, characters=FEW, progress=lambda done, total, family: made.append(family))

    assert made == []
    assert again == load_fonts(small_folder)
    assert {path.name: path.stat().st_mtime_ns for path in small_folder.glob("*.ttf")} == written


def test_progress_counts_up_to_all_fonts(small_folder, told):
    assert told == [(done, len(list(small_folder.glob("*.ttf")))) for done in range(1, len(told) + 1)]


def test_a_folder_that_was_moved_still_serves(small_folder, tmp_path):
    moved = tmp_path / "moved & renamed"
    moved.symlink_to(small_folder)

    font_set = load_fonts(moved)

    assert font_set.is_prepared
    assert "moved &amp; renamed" in font_set.config_file.read_text()


def test_a_font_that_was_cut_short_is_not_used_and_made_again(small_folder, tmp_path):
    folder = shutil.copytree(small_folder, tmp_path / "fonts")
    with (folder / "hei.ttf").open("r+b") as file:
        file.truncate(100)

    assert not load_fonts(folder).is_prepared
    assert prepare_fonts(folder, characters=FEW).is_prepared
    with TTFont(folder / "hei.ttf") as font:
        assert ord("市") in font.getBestCmap()


def test_a_licensed_font_takes_the_place_of_its_stand_in(licensed, licensed_set):
    assert licensed_set.families["biaosong"].startswith('"Licensed Song", "Noto Serif CJK SC"')
    assert licensed_set.families["fangsong"].startswith('"Licensed Fang", "FandolFang"')
    assert "Licensed" not in licensed_set.families["song"]
    assert "Licensed Song Regular 3.0" in licensed_set.names
    assert load_fonts(licensed_set.directory, licensed=licensed).is_prepared


def test_a_set_that_was_prepared_without_the_licensed_font_is_not_loaded_for_it(licensed, small_folder):
    assert not load_fonts(small_folder, licensed=licensed).is_prepared


def test_a_licensed_font_is_printed_with_and_what_it_lacks_comes_from_its_stand_in(licensed_set, tmp_path):
    pdf = tmp_path / "one.pdf"

    back, complaints = print_text("市直机关", licensed_set.families["fangsong"], licensed_set, pdf)

    used = subprocess.run(["pdffonts", pdf], text=True, capture_output=True, check=True).stdout
    assert (back, complaints) == ("市直机关", "")
    assert "Licensed-Fang" in used
    assert "FandolFang" in used


def test_a_licence_that_forbids_embedding_is_obeyed(tmp_path):
    locked = licensed_font(tmp_path / "locked.otf", fs_type=2)

    with pytest.raises(FontError, match="forbids to embed"):
        prepare_fonts(tmp_path / "fonts", licensed={"fangsong": locked}, characters=FEW)


@pytest.mark.parametrize(
    ("role", "content", "complaint"),
    [("fangsong", None, "is not there"), ("fangsong", b"hello", "not a font"), ("comic", b"", "no such role")],
)
def test_a_setting_that_names_no_font_is_refused_with_the_reason(tmp_path, role, content, complaint):
    path = tmp_path / "font.ttf"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(FontError, match=complaint):
        prepare_fonts(tmp_path / "fonts", licensed={role: path}, characters=FEW)


def test_a_machine_without_chinese_fonts_is_told_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(fonts, "SYSTEM_FOLDERS", (tmp_path,))

    with pytest.raises(FontError, match="fonts-noto-cjk"):
        load_fonts(tmp_path / "fonts")
    with pytest.raises(FontError, match="fonts-noto-cjk"):
        prepare_fonts(tmp_path / "fonts")


def test_a_set_prepared_on_another_day_has_the_same_bytes(tmp_path):
    characters = frozenset(map(ord, "清河市0123"))
    sets = []
    for day in (date(2026, 1, 1), date(2036, 1, 1)):
        folder = tmp_path / day.isoformat()
        with time_machine.travel(day, tick=False):
            for source in (font_file("NotoSansCJK-Regular.ttc"), font_file("DejaVuSans.ttf")):
                folder.mkdir(exist_ok=True)
                family = "Noto Sans CJK SC" if source.suffix == ".ttc" else "DejaVu Sans"
                with outlines.open_face(source, family) as font:
                    kept = characters if source.suffix == ".ttc" else None
                    outlines.write_truetype(font, folder / source.name, kept)
        sets.append({path.name: path.read_bytes() for path in folder.iterdir()})

    assert sets[0] == sets[1]


def font_file(name: str) -> Path:
    """A font of this system."""
    return next(path for folder in SYSTEM_FOLDERS if folder.is_dir() for path in folder.rglob(name))
