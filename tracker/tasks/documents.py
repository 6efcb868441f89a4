"""Documents as jobs: gather the values as of a time, print them in a process of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from tracker.config import CHECKOUT, Settings
from tracker.domain.errors import NotFound
from tracker.domain.paper import Document
from tracker.domain.report import Report
from tracker.domain.text import _n
from tracker.queries.checklists import checklist_of, latest
from tracker.queries.cycles import cycle_of
from tracker.queries.inspection_report import inspection_report
from tracker.queries.inspections import inspection_named
from tracker.queries.organizations import by_code, unit_named
from tracker.queries.printed_checklists import list_of_organization, list_of_post
from tracker.queries.reports import provenance_of, provenance_of_list, setting_of
from tracker.queries.seats import by_key as seat_by_key
from tracker.queries.self_check import self_check
from tracker.reporting.fonts import FontSet, load_fonts
from tracker.reporting.worker import render_in_process
from tracker.tasks.words import translator
from tracker.tasks.worker import Progress, Work

TEMPLATES = CHECKOUT / "templates" / "reports"


def software_version() -> str:
    """The version of this program, as it is printed."""
    return f"tracker {version('tracker')}"


def licensed_fonts(settings: Settings) -> dict[str, Path]:
    """The licensed fonts that the settings name, by role."""
    named = {"fangsong": settings.fangsong_font, "biaosong": settings.biaosong_font}
    return {role: path for role, path in named.items() if path is not None}


def fonts_of(settings: Settings) -> FontSet:
    """The fonts of this installation, with the licensed ones that the settings name."""
    return load_fonts(settings.font_dir, licensed=licensed_fonts(settings))


def inspection_values(session: Session, *, number: int, as_of: datetime, language: str) -> Report:
    """The values of the report of one check."""
    words, software = translator(language), software_version()
    inspection = inspection_named(session, number)
    return inspection_report(session, inspection, as_of=as_of, words=words, software_version=software)


def self_check_values(session: Session, *, year: int, unit: str, as_of: datetime, language: str) -> Report:
    """The values of the self-check report of one unit."""
    organization = unit_named(session, unit)
    words, software = translator(language), software_version()
    cycle = cycle_of(session, year)
    return self_check(session, cycle, organization.id, as_of=as_of, words=words, software_version=software)


def post_checklist_values(session: Session, *, key: str, post: str, as_of: datetime, language: str) -> Report:
    """The values of the printed checklist of one post of a published list, before any local decision."""
    published = latest(session, key)
    checklist = checklist_of(published)
    if post not in checklist.post:
        known = "、".join(checklist.post)
        raise NotFound(_n("清单 %(key)s 没有岗位 %(post)s，可选：%(known)s。"), key=key, post=post, known=known)
    provenance = provenance_of_list(published, checklist, as_of=as_of, software_version=software_version())
    return list_of_post(checklist, post, provenance=provenance, translate=translator(language))


def duty_list_values(
    session: Session, *, year: int, organization: str, seat: str | None, as_of: datetime, language: str
) -> Report:
    """The values of what an organization, or one seat of it, owes in a year, with the local decisions."""
    node = by_code(session, organization)
    if node is None:
        raise NotFound(_n("没有代码为 %(code)s 的组织，请核对代码。"), code=organization)
    cycle, words = cycle_of(session, year), translator(language)
    setting = setting_of(session, cycle, as_of=as_of, words=words)
    provenance = provenance_of(setting, chains=[node.unit.code], software_version=software_version())
    chosen = seat_by_key(session, seat) if seat else None
    return list_of_organization(
        session,
        node,
        cycle=cycle,
        on=setting.day,
        provenance=provenance,
        as_of=as_of,
        seat=chosen,
        translate=words,
    )


def print_report(
    report: Document,
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


def as_job(values: Callable[..., Document]) -> Work:
    """The work of the worker that gathers these values as of the time asked for, and prints them."""

    def work(session: Session, settings: Settings, arguments: Mapping[str, Any], progress: Progress, out: Path) -> None:
        given = dict(arguments) | {"as_of": datetime.fromisoformat(arguments["as_of"])}
        progress(2, "gather")
        report = values(session, **given)
        session.rollback()

        def printed(percent: int, pages: int) -> None:
            progress(5 + percent * 9 // 10, f"pages {pages}" if pages else "print")

        out.write_bytes(print_report(report, settings, language=given["language"], progress=printed))

    return work


WORKS = {
    "inspection_report": as_job(inspection_values),
    "self_check": as_job(self_check_values),
    "duty_list": as_job(duty_list_values),
}
