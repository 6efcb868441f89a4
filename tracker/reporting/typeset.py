"""Lays out HTML as PDF/A with WeasyPrint: nothing fetched, no warning ignored, no clock read."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from weasyprint import CSS, HTML
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import FatalURLFetchingError, URLFetcher

from tracker.reporting.compose import Composition
from tracker.reporting.progress import Progress, RenderingFailed, no_progress

PDF_VARIANT = "pdf/a-3a"

# Share of the work that is behind when a step of WeasyPrint begins (measured on reports of 10 to 60 pages).
_PERCENT = {1: 2, 2: 4, 3: 6, 4: 15, 5: 20, 6: 70, 7: 95}
_STEP = re.compile(r"Step (\d)(?:.*Page (\d+))?")


def locked_fetcher() -> URLFetcher:
    """Return a fetcher that refuses every address, of any scheme, and stops the rendering."""
    return URLFetcher(allowed_protocols=frozenset(), allow_redirects=False, fail_on_errors=True)


def typeset(composition: Composition, *, config_file: Path, progress: Progress = no_progress) -> bytes:
    """Return `composition` as a tagged PDF/A; the same composition gives the same bytes.

    `config_file` is the fontconfig file of the font set. It is put into the environment of this process, so call this
    in a process that does nothing else. Raises RenderingFailed on any warning of WeasyPrint or fontTools.
    """
    os.environ["FONTCONFIG_FILE"] = str(config_file)
    fetcher = locked_fetcher()
    with _watched(progress) as complaints:
        try:
            fonts = FontConfiguration()
            style = CSS(string=composition.css, url_fetcher=fetcher, font_config=fonts)
            pdf: bytes = HTML(string=composition.html, url_fetcher=fetcher).write_pdf(
                stylesheets=[style],
                font_config=fonts,
                pdf_variant=PDF_VARIANT,
                pdf_identifier=composition.identifier,
            )
        except FatalURLFetchingError as refused:
            raise RenderingFailed(f"a document may not fetch anything: {refused}") from refused
    if complaints:
        raise RenderingFailed("; ".join(complaints))
    return pdf


class _Watcher(logging.Handler):
    """Keeps every warning, and turns WeasyPrint's steps into progress."""

    def __init__(self, progress: Progress) -> None:
        super().__init__(logging.INFO)
        self.progress = progress
        self.complaints: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Take one record of the typesetter's loggers."""
        if record.levelno >= logging.WARNING:
            self.complaints.append(record.getMessage())
        elif found := _STEP.match(record.getMessage()):
            self.progress(_PERCENT[int(found[1])], int(found[2] or 0))


@contextmanager
def _watched(progress: Progress) -> Iterator[list[str]]:
    """Listen to the loggers of WeasyPrint and fontTools during the block; yield the list of their warnings."""
    watcher = _Watcher(progress)
    loggers = [logging.getLogger("weasyprint"), logging.getLogger("fontTools")]
    steps = logging.getLogger("weasyprint.progress")
    levels = {logger: logger.level for logger in [*loggers, steps]}
    for logger in loggers:
        logger.addHandler(watcher)
        logger.setLevel(logging.WARNING)
    steps.setLevel(logging.INFO)
    try:
        yield watcher.complaints
    finally:
        for logger in loggers:
            logger.removeHandler(watcher)
        for logger, level in levels.items():
            logger.setLevel(level)
