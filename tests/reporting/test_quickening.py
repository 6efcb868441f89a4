"""The quicker ways of laying out, against WeasyPrint as it comes: the same pages, letter by letter.

`python -m tests.reporting.test_quickening CONFIG FOLDER VERSION` lays them out, in a process of its own because what
is quickened stays so; where VERSION is not that of WeasyPrint, nothing is quickened.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pypdfium2
import pytest
from PIL import Image, ImageChops

from tests.reporting import sample_parts
from tests.reporting.conftest import TEMPLATES
from tracker.config import CHECKOUT
from tracker.reporting import quickening
from tracker.reporting.compose import Composer
from tracker.reporting.fonts import FontSet, load_fonts
from tracker.reporting.typeset import Typesetter

KINDS = sorted(sample_parts.every_kind())


@pytest.fixture(scope="module")
def folders(fonts: FontSet, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Every kind of part laid out quickly, each twice in one process, and as WeasyPrint does."""
    made = []
    for version in (quickening.MADE_FOR, "another"):
        folder = tmp_path_factory.mktemp("parts")
        command = [sys.executable, "-m", __name__, fonts.directory, folder, version]
        subprocess.run(command, cwd=CHECKOUT, env=dict(os.environ), check=True)
        made.append(folder)
    return made[0], made[1]


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_has_the_same_letters_in_the_same_places(folders, kind):
    quick, slow = (letters(folder / f"{kind}.pdf") for folder in folders)
    assert quick == slow


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_looks_the_same(folders, kind):
    """Lines that were drawn piece by piece are drawn as one: where pieces met, a dot may be a shade lighter."""
    for quick, slow in zip(*(pictures(folder / f"{kind}.pdf") for folder in folders), strict=True):
        _, darkest = ImageChops.difference(quick, slow).getextrema()
        assert darkest < 96


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_laid_out_before_changes_nothing(folders, kind):
    assert (folders[0] / f"{kind}.pdf").read_bytes() == (folders[0] / f"{kind}-again.pdf").read_bytes()


def letters(path: Path) -> list[tuple[str, tuple[int, ...]]]:
    """Each letter with the edges of its box, in hundredths of a point."""
    found = []
    with pypdfium2.PdfDocument(path) as pdf:
        for page in pdf:
            text = page.get_textpage()
            for place in range(text.count_chars()):
                box = tuple(round(100 * edge) for edge in text.get_charbox(place))
                found.append((text.get_text_range(place, 1), box))
    return found


def pictures(path: Path) -> list[Image.Image]:
    """The pages in grey, a dot for a point, each dot the darkness of the paper around it."""
    with pypdfium2.PdfDocument(path) as pdf:
        return [page.render(scale=2).to_pil().convert("L").reduce(2) for page in pdf]


def lay_out(fonts: Path, folder: Path, version: str) -> None:
    quickening.MADE_FOR = version
    ready = load_fonts(fonts)
    composer = Composer(translate=str, fonts=ready, templates=TEMPLATES)
    typesetter = Typesetter(ready.config_file)
    for name in ("", "-again"):
        for kind, part in sample_parts.every_kind().items():
            (folder / f"{kind}{name}.pdf").write_bytes(typesetter.typeset(composer.part(part)).pdf)
        if version == "another":
            return


if __name__ == "__main__":
    lay_out(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
