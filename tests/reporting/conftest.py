"""Fixtures of printing: the fonts of this machine, the templates, and each sample report printed once per run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.reporting import sample_reports
from tests.reporting.printed import Printed
from tracker.domain.report import Report
from tracker.reporting.fonts import FontSet, load_fonts
from tracker.reporting.render import render_report

TEMPLATES = Path(__file__).parents[2] / "templates" / "reports"


@pytest.fixture(scope="session")
def templates() -> Path:
    """The folder of the templates of printed documents."""
    return TEMPLATES


@pytest.fixture(scope="session")
def fonts(tmp_path_factory: pytest.TempPathFactory) -> FontSet:
    """The fonts that the system has, as they serve until a set is prepared."""
    return load_fonts(tmp_path_factory.mktemp("fonts"))


@pytest.fixture(scope="session")
def print_report(fonts: FontSet, templates: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Printed]:
    """A function that prints a report and opens the PDF for reading."""
    folder = tmp_path_factory.mktemp("printed")

    def make(report: Report, name: str = "report") -> Printed:
        path = folder / f"{name}.pdf"
        path.write_bytes(render_report(report, translate=str, fonts=fonts, templates=templates))
        return Printed(path)

    return make


@pytest.fixture(scope="session")
def ordinary(print_report: Callable[..., Printed]) -> Printed:
    """An ordinary inspection report."""
    return print_report(sample_reports.inspection(), "ordinary")


@pytest.fixture(scope="session")
def full(print_report: Callable[..., Printed]) -> Printed:
    """A report with letterhead, several units, very long names and rare characters."""
    return print_report(sample_reports.full(), "full")


@pytest.fixture(scope="session")
def plain(print_report: Callable[..., Printed]) -> Printed:
    """A report with pages of nothing but running text."""
    return print_report(sample_reports.plain_text(28 * 60), "plain")
