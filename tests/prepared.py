"""The prepared fonts for tests that make packets: the small set, kept to the characters that this repository uses."""

from __future__ import annotations

from pathlib import Path

from tracker.config import CHECKOUT
from tracker.reporting.fonts import SYMBOLS, FontSet, prepare_fonts

SOURCES = (
    "tracker/**/*.py",
    "tests/**/*.py",
    "templates/reports/*",
    "checklists/*.yaml",
    "tracker/translations/**/*.po",
)


def characters_used() -> frozenset[int]:
    """Every character of the program, its templates, lists and tests, and those of any Latin text."""
    files = [path for pattern in SOURCES for path in CHECKOUT.glob(pattern)]
    text = SYMBOLS + "".join(path.read_text("utf-8") for path in files)
    return frozenset(map(ord, text)) | frozenset(range(0x20, 0x7F)) | frozenset(range(0xA0, 0x100))


def small_set(folder: Path) -> FontSet:
    """Prepare the set in `folder`."""
    return prepare_fonts(folder, characters=characters_used())


def lend(fonts: FontSet, data_dir: Path) -> None:
    """Let an installation use the set as its own."""
    data_dir.mkdir(parents=True, exist_ok=True)
    (data_dir / "fonts").symlink_to(fonts.directory, target_is_directory=True)
