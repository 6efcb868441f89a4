"""The rules of how often: which frequencies are possible at all."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator
from itertools import pairwise

from tracker.domain.checklist_draft import Node
from tracker.domain.checklist_problem import Finding
from tracker.domain.text import _n

PERIODS = {"year": 1, "half": 2}  # the periods that windows can narrow, and how many of them a year has
HALVES = (("01-01", "06-30"), ("07-01", "12-31"))
YEAR = ("01-01", "12-31")


def frequency_findings(item: Node) -> Iterator[Finding]:
    """Every impossibility in the frequency of an item."""
    frequency = item.part("frequency")
    yield from _term(frequency)
    yield from _once(frequency)
    yield from _windows(frequency)


def _term(frequency: Node) -> Iterator[Finding]:
    every = frequency.text("every")
    if every == "term" and "years" not in frequency.data:
        yield Finding(
            (*frequency.path, "every"), "term-without-years", _n("没有写一届几年"), _n("补上一行“years: 3”（年数）")
        )
    if every and every != "term" and "years" in frequency.data:
        yield Finding(
            (*frequency.path, "years"),
            "years-without-term",
            _n("years 只用于每届一次的事项"),
            _n("删去 years，或写 every: term"),
            at_key=True,
        )


def _once(frequency: Node) -> Iterator[Finding]:
    """An event happens when it happens, and a term ends once."""
    times = frequency.whole("times", 1)
    if frequency.text("every") in ("event", "term") and times not in (1, None):
        yield Finding(
            (*frequency.path, "times"),
            "times-of-event",
            _n("every: %(every)s 时 times 只能是 1"),
            _n("删去 times"),
            {"every": frequency.text("every")},
        )


def _windows(frequency: Node) -> Iterator[Finding]:
    windows = frequency.parts("windows")
    every, times = frequency.text("every"), frequency.whole("times", 1)
    if not windows or not every:
        return
    if every not in PERIODS:
        yield Finding(
            (*frequency.path, "windows"),
            "windows-not-allowed",
            _n("every: %(every)s 不能写 windows"),
            _n("删去 windows，或写 every: year 加次数"),
            {"every": every},
            at_key=True,
        )
        return
    if times is not None and len(windows) != times * PERIODS[every]:
        yield Finding(
            (*frequency.path, "windows"),
            "windows-count",
            _n("全年 %(wanted)s 次，却写了 %(given)s 个时间窗口"),
            _n("每次写一个窗口，共 %(wanted)s 个"),
            {"wanted": times * PERIODS[every], "given": len(windows)},
            at_key=True,
        )
    yield from _days(windows)
    yield from _order(windows)
    if every == "half" and times is not None and len(windows) == times * 2:
        yield from _halves(windows, times)


def _days(windows: list[Node]) -> Iterator[Finding]:
    """Days that exist every year, the first before the last."""
    for window in windows:
        for key in ("from", "to"):
            if not _exists(window.text(key)):
                yield Finding(
                    (*window.path, key),
                    "no-such-day",
                    _n("不是每年都有 %(day)s 这一天"),
                    _n("改为每年都有的日子，如 02-28"),
                    {"day": window.text(key)},
                )
        if window.text("from") > window.text("to") > "":
            yield Finding(
                (*window.path, "to"),
                "window-crosses-year",
                _n("时间窗口的截止日早于起始日"),
                _n("窗口不能跨年；截止日改为不早于起始日，最晚 12-31"),
            )


def _exists(day: str) -> bool:
    """Whether there is such a day in every year; what is not a day at all is another rule's matter."""
    month, dash, number = day.partition("-")
    if not (dash and month.isdecimal() and number.isdecimal() and 1 <= int(month) <= 12 and len(day) == 5):
        return True
    return int(number) <= monthrange(2025, int(month))[1]


def _order(windows: list[Node]) -> Iterator[Finding]:
    """In the order of the year, and none into the next."""
    for before, window in pairwise(windows):
        if "" < window.text("from") <= before.text("to"):
            yield Finding(
                (*window.path, "from"),
                "windows-order",
                _n("时间窗口与前一个重叠或次序颠倒"),
                _n("按先后写，起始日晚于前一个的截止日 %(day)s"),
                {"day": before.text("to")},
            )


def _halves(windows: list[Node], times: int) -> Iterator[Finding]:
    """Each half-year's windows lie within it."""
    for index, window in enumerate(windows):
        first, last = HALVES[index // times]
        start, end = window.text("from"), window.text("to")
        if start and end and not first <= start <= end <= last and start <= end:
            yield Finding(
                window.path,
                "window-outside-half",
                _n("时间窗口不在它所属的半年（%(first)s 至 %(last)s）内"),
                _n("移到这半年内，或写 every: year 加次数"),
                {"first": first, "last": last},
            )
