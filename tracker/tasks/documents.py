"""Documents as jobs: gather the values as of a time, print them in a process of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from babel.support import Translations
from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.config import CHECKOUT, Settings
from tracker.domain.errors import NotFound
from tracker.domain.report import Report
from tracker.domain.text import _n
from tracker.models import Inspection, Organization
from tracker.queries.cycles import cycle_of
from tracker.queries.reports import inspection_report, self_check
from tracker.reporting.fonts import FontSet, load_fonts
from tracker.reporting.worker import render_in_process
from tracker.tasks.worker import Progress

TEMPLATES = CHECKOUT / "templates" / "reports"
TRANSLATIONS = CHECKOUT / "tracker" / "translations"


def translator(language: str) -> Callable[[str], str]:
    """Return what turns the Chinese words of a document into `language` (`zh` or `en`)."""
    return Translations.load(str(TRANSLATIONS), [language]).gettext if language != "zh" else str


def software_version() -> str:
    """The version of this program, as it is printed."""
    return f"tracker {version('tracker')}"


def fonts_of(settings: Settings) -> FontSet:
    """The fonts of this installation, with the licensed ones that the settings name."""
    licensed = {
        role: path
        for role, path in (("fangsong", settings.fangsong_font), ("biaosong", settings.biaosong_font))
        if path is not None
    }
    return load_fonts(settings.font_dir, licensed=licensed)


def inspection_values(session: Session, *, number: int, as_of: datetime, language: str) -> Report:
    """The values of the report of one check."""
    inspection = session.scalar(select(Inspection).where(Inspection.number == number))
    if inspection is None:
        raise NotFound(_n("没有第 %(number)s 号督查，请核对编号。"), number=number)
    words, software = translator(language), software_version()
    return inspection_report(session, inspection, as_of=as_of, words=words, software_version=software)


def self_check_values(session: Session, *, year: int, unit: str, as_of: datetime, language: str) -> Report:
    """The values of the self-check report of one unit."""
    organization = session.scalar(select(Organization).where(Organization.code == unit))
    if organization is None:
        raise NotFound(_n("没有代码为 %(code)s 的单位，请核对代码。"), code=unit)
    words, software = translator(language), software_version()
    cycle = cycle_of(session, year)
    return self_check(session, cycle, organization.id, as_of=as_of, words=words, software_version=software)


def print_report(
    report: Report,
    settings: Settings,
    *,
    language: str,
    progress: Callable[[int, int], None],
    templates: Path = TEMPLATES,
) -> bytes:
    """Print a document with the fonts of this installation."""
    return render_in_process(
        report,
        translate=translator(language),
        fonts=fonts_of(settings),
        templates=templates,
        language="zh-CN" if language == "zh" else language,
        progress=progress,
    )


def _as_job(values: Callable[..., Report]) -> Callable[[Session, Settings, Mapping[str, Any], Progress], bytes]:
    def work(session: Session, settings: Settings, arguments: Mapping[str, Any], progress: Progress) -> bytes:
        given = dict(arguments) | {"as_of": datetime.fromisoformat(arguments["as_of"])}
        progress(2, "gather")
        report = values(session, **given)
        session.rollback()

        def printed(percent: int, pages: int) -> None:
            progress(5 + percent * 9 // 10, f"pages {pages}" if pages else "print")

        return print_report(report, settings, language=given["language"], progress=printed)

    return work


WORKS = {
    "inspection_report": _as_job(inspection_values),
    "self_check": _as_job(self_check_values),
}
