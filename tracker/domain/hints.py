"""Hints for the inspector at the desk: what was compared and what came out, never an accusation.

A hint is printed nowhere and counted in no score. Each sentence names the two things that were compared, so that the
inspector can look for themselves. Of what the inspector may not see it says only that it exists.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from tracker.domain.text import _n

NEAR = 8  # bits of 64 in which the hashes of two pictures may differ for them to be nearly the same
BANDS = (13, 13, 13, 13, 12)  # bits of a hash that are looked up together: of NEAR bits, one band has 1 at the most
FAR_DAYS = 30  # between the day of an act and the day of the upload
BURST_DAYS = 2  # before the check
BURST_FILES = 8
BURST_TIMES = 3  # how many times the usual number
USUAL_DAYS = 60  # from which the usual number is taken
ONE_LINE = 28  # characters in a line of an official document


class HintKind(StrEnum):
    """What was compared."""

    SAME_FILE = "same_file"
    NEAR_PICTURE = "near_picture"
    BURST = "burst"
    ACT_FAR = "act_far"
    CAMERA_OUTSIDE = "camera_outside"
    THIN_DOCUMENT = "thin_document"


@dataclass(frozen=True)
class Hint:
    """One hint: a gettext key with its values. `record` is the key of another record, if the inspector may open it."""

    kind: HintKind
    sentence: str
    values: Mapping[str, Any] = field(default_factory=dict)
    record: str | None = None


@dataclass(frozen=True)
class FileSeen:
    """A file behind the duty that is judged, with its traits. `file` tells it apart from other bytes."""

    file: int
    record: str
    name: str
    act_on: date
    uploaded_on: date
    picture: str | None = None
    taken_on: date | None = None
    characters: int | None = None


@dataclass(frozen=True)
class Elsewhere:
    """The same or nearly the same file in a record that does not serve the duty.

    `seen` is whether the inspector may open it. `other_unit` and `other_period` say how it differs from the duty.
    """

    file: int
    record: str
    organization: str
    act_on: date
    seen: bool
    other_unit: bool
    other_period: bool
    picture: str | None = None


def distance(one: str, other: str) -> int:
    """In how many bits two picture hashes differ."""
    return (int(one, 16) ^ int(other, 16)).bit_count()


def near_ones(pictures: Iterable[tuple[int, str]], to: Iterable[str]) -> set[int]:
    """The numbers of those of these pictures that are nearly the same as one of the others."""
    others, found = [int(one, 16) for one in to], set()
    for number, picture in pictures:
        bits = int(picture, 16)
        if any((bits ^ other).bit_count() <= NEAR for other in others):
            found.add(number)
    return found


def bands(picture: str) -> tuple[int, ...]:
    """The parts of a hash by which near ones are looked up."""
    rest, parts = int(picture, 16), []
    for width in BANDS:
        parts.append(rest & ((1 << width) - 1))
        rest >>= width
    return tuple(parts)


def near_bands(pictures: Iterable[str]) -> tuple[frozenset[int], ...]:
    """For each band, the values of which a picture near one of these has at least one."""
    wanted: list[set[int]] = [set() for _ in BANDS]
    for picture in pictures:
        for values, width, part in zip(wanted, BANDS, bands(picture), strict=True):
            values.update((part, *(part ^ (1 << bit) for bit in range(width))))
    return tuple(frozenset(values) for values in wanted)


_SAME_SEEN = _n("《%(name)s》与%(organization)s佐证 %(record)s（%(act_on)s）中的文件完全相同（比较了文件摘要）。")
_SAME_UNIT = _n("《%(name)s》与另一单位的一个文件完全相同（比较了文件摘要；对方不在本次查阅范围内）。")
_SAME_PERIOD = _n("《%(name)s》与本单位另一时段的一个文件完全相同（比较了文件摘要；对方不在本次查阅范围内）。")
_NEAR_SEEN = _n(
    "《%(name)s》与%(organization)s佐证 %(record)s（%(act_on)s）中的图片相近（比较了画面，64 处中 %(bits)s 处不同）。"
)
_NEAR_UNIT = _n("《%(name)s》与另一单位的一张图片相近（比较了画面；对方不在本次查阅范围内）。")
_NEAR_PERIOD = _n("《%(name)s》与本单位另一时段的一张图片相近（比较了画面；对方不在本次查阅范围内）。")


def alike(files: Iterable[FileSeen], others: Sequence[Elsewhere]) -> Iterator[Hint]:
    """Files of the duty that stand, the same or nearly the same, in a record of another unit or period."""
    for mine in files:
        said: set[tuple[object, ...]] = set()
        for other in others:
            hint = _compared(mine, other)
            mark = (hint.kind, hint.record, hint.sentence) if hint else ()
            if hint and mark not in said:
                said.add(mark)
                yield hint


def _compared(mine: FileSeen, other: Elsewhere) -> Hint | None:
    if not (other.other_unit or other.other_period):
        return None
    if mine.file == other.file:
        return _told(mine, other, HintKind.SAME_FILE, (_SAME_SEEN, _SAME_UNIT, _SAME_PERIOD))
    if mine.picture and other.picture and (bits := distance(mine.picture, other.picture)) <= NEAR:
        return _told(mine, other, HintKind.NEAR_PICTURE, (_NEAR_SEEN, _NEAR_UNIT, _NEAR_PERIOD), bits=bits)
    return None


def _told(mine: FileSeen, other: Elsewhere, kind: HintKind, sentences: tuple[str, str, str], **more: int) -> Hint:
    seen, unit, period = sentences
    if not other.seen:
        return Hint(kind, unit if other.other_unit else period, {"name": mine.name})
    values = {"organization": other.organization, "record": other.record, "act_on": other.act_on.isoformat()}
    return Hint(kind, seen, {"name": mine.name, **values, **more}, record=other.record)


def far_acts(records: Iterable[tuple[str, date, date]]) -> Iterator[Hint]:
    """Records (key, day of the act, day of the upload) that were uploaded long after the act, or before it."""
    for key, act_on, uploaded_on in records:
        days = (uploaded_on - act_on).days
        if abs(days) > FAR_DAYS:
            values = {"record": key, "act_on": act_on.isoformat(), "day": uploaded_on.isoformat(), "days": abs(days)}
            sentence = _n("佐证 %(record)s 的办理日期（%(act_on)s）与上传日期（%(day)s）相差 %(days)s 天。")
            yield Hint(HintKind.ACT_FAR, sentence, values)


def camera_days(files: Iterable[FileSeen], starts_on: date, ends_on: date) -> Iterator[Hint]:
    """Pictures that the camera dates outside the period. One that was taken on the stated day of the act is none."""
    for file in files:
        day = file.taken_on
        if day is None or starts_on <= day <= ends_on or day == file.act_on:
            continue
        values = {"name": file.name, "day": day, "starts_on": starts_on, "ends_on": ends_on}
        sentence = _n("《%(name)s》中相机记录的日期（%(day)s）不在任务时段（%(starts_on)s 至 %(ends_on)s）内。")
        yield Hint(HintKind.CAMERA_OUTSIDE, sentence, {k: str(v) for k, v in values.items()})


def thin_documents(files: Iterable[FileSeen]) -> Iterator[Hint]:
    """Documents that hold nothing, or no more than one line."""
    for file in files:
        if file.characters == 0:
            yield Hint(HintKind.THIN_DOCUMENT, _n("《%(name)s》中没有读到文字，也没有图片。"), {"name": file.name})
        elif file.characters is not None and file.characters <= ONE_LINE:
            sentence = _n("《%(name)s》中只读到 %(count)s 个字，不超过一行（%(line)s 字）。")
            yield Hint(
                HintKind.THIN_DOCUMENT, sentence, {"name": file.name, "count": file.characters, "line": ONE_LINE}
            )


def burst_window(check_on: date) -> tuple[date, date]:
    """The first and the last day of the time just before a check."""
    return check_on - timedelta(days=BURST_DAYS), check_on - timedelta(days=1)


def usual_window(check_on: date) -> tuple[date, date]:
    """The first and the last day of the time from which the usual number is taken."""
    since, _ = burst_window(check_on)
    return since - timedelta(days=USUAL_DAYS), since - timedelta(days=1)


def burst(check_on: date, *, here: int, count: int, before: int) -> Hint | None:
    """Say so when an organization uploaded much more than usual just before the check.

    `count` files in those days, `here` of them of this duty, and `before` in all of the days that show what is usual.
    """
    usual = before * BURST_DAYS / USUAL_DAYS
    if not here or count < BURST_FILES or count < BURST_TIMES * usual:
        return None
    since, until = burst_window(check_on)
    sentence = _n(
        "督查开始前两天（%(since)s 至 %(until)s）该组织上传了 %(count)s 个文件，其中本任务 %(here)s 个；"
        "再往前 %(days)s 天共上传 %(before)s 个。"
    )
    values = {"since": since.isoformat(), "until": until.isoformat(), "count": count, "here": here}
    return Hint(HintKind.BURST, sentence, {**values, "days": USUAL_DAYS, "before": before})
