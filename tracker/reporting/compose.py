"""Turns the values of a document into HTML and CSS: escaping, words, checks of characters; no layout, no WeasyPrint."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from tracker.domain.packet_parts import (
    EvidencePart,
    FilePart,
    FrontPart,
    PartValues,
    QuarterPart,
    RectificationPart,
    ReportPart,
    StatisticsPart,
    VerificationPart,
)
from tracker.domain.paper import Document, Paper
from tracker.domain.report import InspectionReport, PostChecklist, SelfCheckReport
from tracker.domain.text import _n
from tracker.reporting import words
from tracker.reporting.fonts import FontSet
from tracker.reporting.glyphs import check_glyphs, refuse_missing
from tracker.reporting.hatching import hatching
from tracker.reporting.words import BEIJING, Translate

TEMPLATES = {
    InspectionReport: "inspection.html",
    Paper: "paper.html",
    PostChecklist: "post_checklist.html",
    SelfCheckReport: "selfcheck.html",
}
PART_TEMPLATES = {
    FrontPart: "packet_front.html",
    ReportPart: "packet_report.html",
    QuarterPart: "packet_quarter.html",
    StatisticsPart: "packet_statistics.html",
    RectificationPart: "packet_rectification.html",
    EvidencePart: "packet_evidence.html",
    FilePart: "packet_file.html",
    VerificationPart: "packet_verification.html",
}
# A document that stands alone has heads and page numbers; a part gets the packet's when it is bound.
STYLES = ("report.css", "heads.css")
PART_STYLES = ("report.css", "packet.css")


@dataclass(frozen=True, slots=True)
class Composition:
    """A document ready to be laid out: its HTML, its style sheet, and an identifier that depends on nothing else.

    The HTML of a part of a packet is well-formed XML as well.
    """

    html: str
    css: str
    is_part: bool = False

    @property
    def identifier(self) -> bytes:
        """The first half of the digest of what is laid out, in hex (ASCII)."""
        return hashlib.sha256((self.html + "\0" + self.css).encode()).hexdigest()[:32].encode()


class Composer:
    """Composes documents and parts of packets in one language; keep it, for it reads each template only once."""

    def __init__(self, *, translate: Translate, fonts: FontSet, templates: Path, language: str = "zh-CN") -> None:
        """`translate` turns a Chinese msgid into `language`; `templates` is the folder `templates/reports`."""
        self._translate = translate
        self._fonts = fonts
        self._language = language
        self._env = _environment(templates, translate)

    def document(self, report: Document) -> Composition:
        """Return the HTML and CSS of a document that stands alone; raise `Invalid` as `compose` does."""
        html = self._html(TEMPLATES[type(report)], report, report=report, stamp=_stamp(report.provenance.as_of))
        refuse_missing(html, self._fonts.coverage, record=_title(report), label=self._translate(_n("固定用语")))
        return Composition(html, self._css(STYLES))

    def part(self, part: PartValues) -> Composition:
        """Return the HTML and CSS of a part of a packet: no heads, no page numbers, no date."""
        title = title_of(part, self._translate)
        html = self._html(PART_TEMPLATES[type(part)], part, part=part, title=title)
        refuse_missing(html, self._fonts.coverage, record=title, label=self._translate(_n("固定用语")))
        return Composition(html, self._css(PART_STYLES), is_part=True)

    def _html(self, template: str, values: Document | PartValues, **names: object) -> str:
        check_glyphs(values, self._fonts.coverage, translate=self._translate)
        return self._env.get_template(template).render(
            language=self._language, family=self._fonts.families, font_names=self._fonts.names, **names
        )

    def _css(self, names: tuple[str, ...]) -> str:
        return "\n".join(self._env.get_template(name).render(family=self._fonts.families) for name in names)


def compose(
    report: Document, *, translate: Translate, fonts: FontSet, templates: Path, language: str = "zh-CN"
) -> Composition:
    """Return the HTML and CSS of `report`.

    `translate` turns a Chinese msgid into the language of the document, `templates` is the folder `templates/reports`.
    Raises `Invalid` for a character that no font of `fonts` has, naming character, field and record.
    """
    return Composer(translate=translate, fonts=fonts, templates=templates, language=language).document(report)


def title_of(part: PartValues, translate: Translate) -> str:
    """Return what a part is called in its own file; in a packet its headings are what is seen."""
    match part:
        case ReportPart():
            return part.heading or part.report.cover.title
        case QuarterPart():
            return part.report.title
        case RectificationPart():
            return translate(_n("整改情况"))
        case _:
            return part.record


def _title(report: Document) -> str:
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
        short_moment=words.short_moment,
        flowing=words.flowing,
        quoted_within=words.quoted_within,
        moment=partial(words.moment, translate=translate),
        file_size=words.file_size,
        points=words.points,
        score=words.score,
        grouped=words.grouped,
        one_line=words.one_line,
        cell=words.cell,
        millimetres=words.millimetres,
        listed=translate(_n("、")).join,
    )
    env.globals.update(share=words.share, days=words.days, hatching=hatching, wrapped=words.wrapped)
    return env


def _gettext(translate: Translate) -> Callable[..., str]:
    """Return `_` for templates: the translated sentence with its named places filled; the result is escaped as text."""

    def fill(message: str, **values: object) -> str:
        text = translate(message)
        return text % values if values else text

    return fill
