"""What the program tells whoever runs it: one JSON object a line on stderr, or readable lines on a terminal.

Everything is logged through the standard library; the words are keys of persons, jobs and requests, never names, and
never what somebody typed into a form.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor

# What PostgreSQL repeats of a row, up to the next line that is none of it: values may have several lines.
_VALUES = re.compile(
    r"^(DETAIL|CONTEXT):.*?(?=^\[SQL|^\(Background|^Traceback|^The above|^During|^\s+File|\Z)", re.MULTILINE | re.DOTALL
)


def configure(*, quiet: bool = False, stream: TextIO | None = None) -> None:
    """Send all logs of this process to `stream` (stderr); where it is to be quiet, only what went wrong.

    For the beginning of a program; no library calls it.
    """
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_common(),
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_last(stream)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)  # what libraries tell in passing is not for the operator
    logging.getLogger("tracker").setLevel(logging.WARNING if quiet else logging.INFO)


def _common() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]


def _last(stream: TextIO) -> list[Processor]:
    shown: Processor = structlog.processors.JSONRenderer(ensure_ascii=False)
    if stream.isatty():
        shown = structlog.dev.ConsoleRenderer()
    return [structlog.processors.format_exc_info, _without_values, shown]


def _without_values(_: object, __: str, event: EventDict) -> EventDict:
    """Cut out what a database repeats of a row that it refused: it may be what somebody typed."""
    for key in ("event", "exception"):
        if isinstance(event.get(key), str):
            event[key] = _VALUES.sub(r"\1: (left out)\n", event[key])
    return event
