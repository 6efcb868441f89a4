"""The self-check table of a unit: what is counted for each item, and what the unit says of it itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from tracker.domain.canonical import canonical_json, digest
from tracker.domain.duty import Timeliness
from tracker.domain.errors import Invalid, WrongState
from tracker.domain.score import Verdict
from tracker.domain.text import _n

STATEMENT_LIMIT = 300  # characters of the one sentence
FORM = "self-check-table/1"  # changes when the canonical form below changes

_LATE = (Timeliness.RECORDED_LATE, Timeliness.MADE_UP)
_MISSING = (Timeliness.OVERDUE, Timeliness.MISSED)


@dataclass(frozen=True)
class Counts:
    """What is known of the duties of one item. Those set aside (not applicable, excused) are not required."""

    required: int = 0
    in_time: int = 0
    late: int = 0
    missing: int = 0
    set_aside: int = 0

    @property
    def done(self) -> int:
        """How many were handed in, in time or late."""
        return self.in_time + self.late

    @property
    def not_due(self) -> int:
        """How many are neither handed in nor due yet."""
        return self.required - self.done - self.missing


@dataclass(frozen=True)
class Answer:
    """What a unit says of one item: how far it is met, its own points in tenths, and one sentence."""

    item_id: str
    value: Verdict | None = None
    tenths: int | None = None
    statement: str = ""


@dataclass(frozen=True)
class Line:
    """One line of the table."""

    item_id: str
    title: str
    level: str
    points: int
    counts: Counts
    answer: Answer


def counted(times: Iterable[Timeliness | None]) -> Counts:
    """Count the duties of one item by what their dates say; None stands for one that was set aside."""
    number = Counter(times)
    aside = number.pop(None, 0)
    return Counts(
        required=number.total(),
        in_time=number[Timeliness.IN_TIME],
        late=sum(number[time] for time in _LATE),
        missing=sum(number[time] for time in _MISSING),
        set_aside=aside,
    )


def checked(answer: Answer, *, points: int) -> Answer:
    """Return the answer with its sentence on one line. Raises Invalid if the points or the sentence do not fit."""
    statement = " ".join(answer.statement.split())
    if len(statement) > STATEMENT_LIMIT:
        raise Invalid(
            _n("%(item)s 的自查说明不超过 %(limit)s 字，现在是 %(length)s 字；请删减。"),
            field=answer.item_id,
            item=answer.item_id,
            limit=STATEMENT_LIMIT,
            length=len(statement),
        )
    if answer.tenths is not None and not 0 <= answer.tenths <= points * 10:
        raise Invalid(
            _n("%(item)s 的自评得分应在 0 到 %(points)s 之间，请改正。"),
            field=answer.item_id,
            item=answer.item_id,
            points=points,
        )
    if answer.value is Verdict.NOT_APPLICABLE and answer.tenths is not None:
        raise Invalid(
            _n("%(item)s 自评为不适用，不计分；请删去自评得分，或者改选自评结论。"),
            field=answer.item_id,
            item=answer.item_id,
        )
    return Answer(answer.item_id, answer.value, answer.tenths, statement)


def require_complete(lines: Sequence[Line]) -> None:
    """Refuse a table without a line, or with a line of which the unit does not say how far it is met."""
    if not lines:
        raise WrongState(_n("检查范围内没有本单位的事项，不需要报送自查表。"))
    empty = [line.item_id for line in lines if line.answer.value is None]
    if empty:
        raise WrongState(
            _n("还有 %(number)s 个事项没有自评结论（%(items)s 等），请填写完再报送。"),
            number=len(empty),
            items="、".join(empty[:5]),
        )


@dataclass(frozen=True)
class Merged:
    """What a form shows of a line that was typed while somebody else saved too; `theirs` where the two differ."""

    shown: Answer
    theirs: Answer | None = None


def merged(typed: Answer, *, seen: Answer, stands: Answer) -> Merged:
    """Bring together what was typed, what stood when the form was opened, and what stands now."""
    if typed == seen:
        return Merged(stands)
    return Merged(typed, None if stands in (seen, typed) else stands)


def table_digest(lines: Iterable[Line], *, inspection: int, unit: str) -> str:
    """The digest of all lines, with what was counted and what the unit said, in whatever order they come."""
    told = [
        {
            "item": line.item_id,
            "points": line.points,
            "counts": {
                "required": line.counts.required,
                "in_time": line.counts.in_time,
                "late": line.counts.late,
                "missing": line.counts.missing,
                "set_aside": line.counts.set_aside,
            },
            "value": line.answer.value,
            "tenths": line.answer.tenths,
            "statement": line.answer.statement,
        }
        for line in sorted(lines, key=lambda line: line.item_id)
    ]
    return digest(canonical_json({"form": FORM, "inspection": inspection, "unit": unit, "lines": told}))


def is_late(handed_in_on: date, *, due_on: date | None) -> bool:
    """Whether a table came after its day. Late is honest: it is taken, and marked."""
    return due_on is not None and handed_in_on > due_on
