"""Prints a document in this process; `tracker.reporting.worker` does the same in a process of its own."""

from __future__ import annotations

from pathlib import Path

from tracker.domain.paper import Document
from tracker.reporting.compose import compose
from tracker.reporting.fonts import FontSet
from tracker.reporting.progress import Progress, no_progress
from tracker.reporting.typeset import typeset
from tracker.reporting.words import Translate


def render_report(
    report: Document,
    *,
    translate: Translate,
    fonts: FontSet,
    templates: Path,
    language: str = "zh-CN",
    progress: Progress = no_progress,
) -> bytes:
    """Return `report` as a PDF/A; the same values give the same bytes.

    For commands and workers: it sets FONTCONFIG_FILE for its process. Raises `Invalid` for a character that no font
    has, RenderingFailed for anything the typesetter complains of.
    """
    composition = compose(report, translate=translate, fonts=fonts, templates=templates, language=language)
    return typeset(composition, config_file=fonts.config_file, progress=progress)
