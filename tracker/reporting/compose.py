"""Turns the values of a document into HTML and CSS: escaping, words, checks of characters; no layout, no WeasyPrint."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from tracker.domain.report import InspectionReport, PostChecklist, Report, SelfCheckReport
from tracker.domain.text import _n
from tracker.reporting import words
from tracker.reporting.fonts import FontSet
from tracker.reporting.glyphs import check_glyphs, refuse_missing
from tracker.reporting.words import BEIJING, Translate

TEMPLATES = {
    InspectionReport: "inspection.html",
    PostChecklist: "post_checklist.html",
    SelfCheckReport: "selfcheck.html",
}


@dataclass(frozen=True, slots=True)
class Composition:
    """A document ready to be laid out: its HTML, its style sheet, and an identifier that depends on nothing else."""

    html: str
    css: str

    @property
    def identifier(self) -> bytes:
        """The first half of the digest of what is laid out, in hex (ASCII)."""
        return hashlib.sha256((self.html + "\0" + self.css).encode()).hexdigest()[:32].encode()


def compose(
    report: Report, *, translate: Translate, fonts: FontSet, templates: Path, language: str = "zh-CN"
) -> Composition:
    """Return the HTML and CSS of `report`.

    `translate` turns a Chinese msgid into the language of the document, `templates` is the folder `templates/reports`.
    Raises `Invalid` for a character that no font of `fonts` has, naming character, field and record.
    """
    check_glyphs(report, fonts.coverage, translate=translate)
    env = _environment(templates, translate)
    html = env.get_template(TEMPLATES[type(report)]).render(
        report=report,
        language=language,
        stamp=_stamp(report.provenance.as_of),
        family=fonts.families,
        font_names=fonts.names,
    )
    refuse_missing(html, fonts.coverage, record=_title(report), label=translate(_n("固定用语")))
    return Composition(html, env.get_template("report.css").render(family=fonts.families))


def _title(report: Report) -> str:
    return report.cover.title if isinstance(report, InspectionReport) else report.title


def _stamp(as_of: datetime) -> str:
    """Return the only date that the PDF carries, in the W3C form."""
    return as_of.astimezone(BEIJING).replace(microsecond=0).isoformat()


def _environment(templates: Path, translate: Translate) -> Environment:
    """Return the environment of printed documents: HTML is escaped, an unknown name is an error."""
    env = Environment(
        loader=FileSystemLoader(templates),
        autoescape=select_autoescape(("html",), default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.globals.update(
        _=_gettext(translate),
        verdicts=words.VERDICT_WORDS,
        timeliness_words=words.TIMELINESS_WORDS,
        states=words.STATE_WORDS,
    )
    env.filters.update(
        numeral=words.numeral,
        long_date=partial(words.long_date, translate=translate),
        short_date=words.short_date,
        moment=partial(words.moment, translate=translate),
        file_size=words.file_size,
        points=words.points,
        grouped=words.grouped,
        one_line=words.one_line,
        listed=translate(_n("、")).join,
    )
    env.globals["share"] = words.share
    return env


def _gettext(translate: Translate) -> Callable[..., str]:
    """Return `_` for templates: the translated sentence with its named places filled; the result is escaped as text."""

    def fill(message: str, **values: object) -> str:
        text = translate(message)
        return text % values if values else text

    return fill
