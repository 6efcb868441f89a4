"""The fonts of the tests: prepared once for each checkout, half a minute the first time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracker.reporting.fonts import FontSet, prepare_fonts

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def font_set() -> FontSet:
    """The whole set, as an installation prepares it."""
    return prepare_fonts(CHECKOUT / ".dev" / "fonts")
