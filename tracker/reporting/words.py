"""The fixed words and forms of printed documents: signs with words for every key, numerals, dates, sizes, points."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

from tracker.domain.duty import STATE_NAMES, TIMELINESS_NAMES, State, Timeliness
from tracker.domain.score import VERDICT_NAMES, Verdict
from tracker.domain.text import _n

Translate = Callable[[str], str]

# A sign stands before each word so that a status reads in black and white and from afar; every sign is in GB 2312.
VERDICT_WORDS = {
    "": ("", _n("未核查")),
    "met": ("√", VERDICT_NAMES[Verdict.MET]),
    "partly": ("△", VERDICT_NAMES[Verdict.PARTLY]),
    "missing": ("×", VERDICT_NAMES[Verdict.MISSING]),
    "not_applicable": ("—", VERDICT_NAMES[Verdict.NOT_APPLICABLE]),
}
TIMELINESS_WORDS = {
    "": ("", _n("无")),
    "not_due": ("—", TIMELINESS_NAMES[Timeliness.NOT_YET_DUE]),
    "in_time": ("●", TIMELINESS_NAMES[Timeliness.IN_TIME]),
    "recorded_late": ("◎", TIMELINESS_NAMES[Timeliness.RECORDED_LATE]),
    "made_up": ("○", TIMELINESS_NAMES[Timeliness.MADE_UP]),
    "missed": ("×", TIMELINESS_NAMES[Timeliness.MISSED]),
}
_STATE_SIGNS = {
    State.OPEN: "○",
    State.SUBMITTED: "◇",
    State.RETURNED: "×",
    State.CONFIRMED: "●",
    State.CLAIMED: "△",
    State.NOT_APPLICABLE: "—",
    State.EXCUSED: "□",
}
STATE_WORDS = {state.value: (sign, STATE_NAMES[state]) for state, sign in _STATE_SIGNS.items()}

# China has kept one offset, without summer time, for every year that a document can speak of.
BEIJING = timezone(timedelta(hours=8))
_DIGITS = "〇一二三四五六七八九"
_UNITS = ("B", "KB", "MB", "GB")
# A line's end between two full-width characters; between others it stands for a blank.
_END_OF_LINE = re.compile(
    r"(?<=[\u2018-\u201d\u3000-\u9fff\uff00-\uff60])[ \t]*\n\s*(?=[\u2018-\u201d\u3000-\u9fff\uff00-\uff60])"
)
# What a line may end behind: a word with its blanks, or any other character.
_PIECES = re.compile(r"[A-Za-z0-9.,'()&/–-]+\s*|[^A-Za-z0-9.,'()&/–-]\s*")


def numeral(number: int) -> str:
    """Return 1–99 as it numbers a heading: 一, 十, 十二, 二十一."""
    tens, ones = divmod(number, 10)
    head = "" if tens == 0 else ("" if tens == 1 else _DIGITS[tens]) + "十"
    return head + (_DIGITS[ones] if ones else "")


def long_date(day: date, translate: Translate) -> str:
    """Return a date in running text: 2026年3月5日, no leading zeros."""
    # A language that writes days in figures takes the last of these.
    values = {"year": day.year, "month": day.month, "day": day.day, "iso": day.isoformat()}
    return translate(_n("%(year)s年%(month)s月%(day)s日")) % values


def short_date(day: date | datetime) -> str:
    """Return a date for a column: 2026-03-05; of a moment, its day in Beijing time."""
    if isinstance(day, datetime):
        day = day.astimezone(BEIJING)
    return day.strftime("%Y-%m-%d")


def days(first: date, last: date) -> str:
    """Return a stretch of days for a column: 2026-03-05 — 2026-03-07, or the one day."""
    return short_date(first) if first == last else f"{short_date(first)} — {short_date(last)}"


def short_moment(instant: datetime) -> str:
    """Return a moment for a column, to the minute, in Beijing time: 2026-03-05 09:07."""
    return instant.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M")


def moment(instant: datetime, translate: Translate) -> str:
    """Return a moment in running text, to the second, in Beijing time."""
    local = instant.astimezone(BEIJING)
    return translate(_n("%(day)s %(time)s（北京时间）")) % {
        "day": long_date(local.date(), translate),
        "time": local.strftime("%H:%M:%S"),
    }


def file_size(size: int) -> str:
    """Return a size in bytes as a person says it: 512 B, 1.4 MB."""
    value, unit = Decimal(size), 0
    while value >= 1024 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.0f} {_UNITS[unit]}" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"


def points(value: Decimal | None) -> str:
    """Return points with at most two decimals and no trailing zeros; a dash where nothing was judged."""
    if value is None:
        return "—"
    return f"{value.quantize(Decimal('0.01')):f}".rstrip("0").rstrip(".")


def score(value: Decimal | None) -> str:
    """Return a score with one decimal always, so that a column of them reads alike, and two where it has two."""
    text = points(value)
    return text if value is None or "." in text else f"{text}.0"


def cell(value: str | int | Decimal | date | None) -> str:
    """Return what stands in a cell of a table; nothing where there is nothing."""
    match value:
        case None:
            return ""
        case Decimal():
            return score(value)
        case date():
            return short_date(value)
        case _:
            return str(value)


def millimetres(widths: Sequence[int], total: int) -> list[float]:
    """Return relative widths as millimetres that add up to `total`."""
    whole = sum(widths)
    return [round(total * width / whole, 2) for width in widths]


def share(part: int, whole: int) -> str:
    """Return part of whole as a percentage with one decimal, or a dash of nothing."""
    return f"{100 * part / whole:.1f}%" if whole else "—"


def grouped(digest: str) -> str:
    """Return a hex digest in groups of eight, so that an eye can compare it."""
    return " ".join(digest[start : start + 8] for start in range(0, len(digest), 8))


def flowing(text: str) -> str:
    """Return text of several lines as one that flows, without blanks between Chinese sentences."""
    return _END_OF_LINE.sub("", text)


def quoted_within(text: str) -> str:
    """Return text that is put between quotation marks: those inside become single ones."""
    return text.replace("“", "‘").replace("”", "’")


def width(text: str) -> int:
    """Return how wide text is, in halves of a full-width character."""
    return sum(2 if unicodedata.east_asian_width(character) in "WFA" else 1 for character in text)


def one_line(text: str, characters: int) -> str:
    """Return `text` on one line, cut to so many full-width characters with an ellipsis where it is longer."""
    line, room = "", characters * 2
    for character in text.replace("\n", ""):
        room -= width(character)
        if room < 0:
            return line[:-1] + "…"
        line += character
    return line


def wrapped(text: str, characters: float, lines: int) -> list[str]:
    """Return `text` on at most so many lines of full-width characters, cut with an ellipsis where it is longer.

    A word of an alphabet is kept whole where it fits on a line.
    """
    made, line = [], ""
    for piece in _PIECES.findall(text.replace("\n", " ")):
        if line and width(line) + width(piece.rstrip()) > characters * 2:
            made.append(line.strip())
            line = ""
        line += piece
        while width(line.rstrip()) > characters * 2:
            head = _head(line, characters)
            within = line[len(head) - 1 : len(head) + 1]
            made.append(f"{head}-" if len(within) == 2 and within.isascii() else head)
            line = line[len(head) :]
    made = [part for part in (*made, line.strip()) if part]
    if len(made) <= lines:
        return made
    last = made[lines - 1]
    while last and width(last) + 2 > characters * 2:
        last = last[:-1]
    return [*made[: lines - 1], f"{last}…"]


def _head(text: str, characters: float) -> str:
    """As much of `text` as one line takes, with room for a hyphen where a word is parted; at least one character."""
    end = 1
    while end < len(text) and width(text[: end + 1]) + text[end - 1 : end + 1].isascii() <= characters * 2:
        end += 1
    return text[:end]
