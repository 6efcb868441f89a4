"""Scores of an inspection, in exact arithmetic; rounding happens where a number is shown, and nowhere else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from tracker.domain.errors import Invalid
from tracker.domain.text import _n


class Verdict(StrEnum):
    """An inspector's judgement of one duty."""

    MET = "met"
    PARTLY = "partly"
    MISSING = "missing"
    NOT_APPLICABLE = "not_applicable"


VERDICT_NAMES: Mapping[Verdict, str] = {
    Verdict.MET: _n("落实"),
    Verdict.PARTLY: _n("部分落实"),
    Verdict.MISSING: _n("未落实"),
    Verdict.NOT_APPLICABLE: _n("不适用"),
}

FELL_SHORT = frozenset({Verdict.PARTLY, Verdict.MISSING})
NEEDS_A_REASON = FELL_SHORT | {Verdict.NOT_APPLICABLE}  # which takes a duty out of the score

_HALF = Fraction(1, 2)
_APART = "\N{NO-BREAK SPACE}" * 2  # one is narrow in print: 7 1/12 would be read as 71/12


@dataclass(frozen=True)
class ItemScore:
    """The score of one item in one organization: its points, the verdicts by number, and an inspector's own number."""

    points: int
    met: int = 0
    partly: int = 0
    missing: int = 0
    not_applicable: int = 0
    overruled: Fraction | None = None

    @property
    def judged(self) -> int:
        """How many duties count: those judged, without the ones that did not apply."""
        return self.met + self.partly + self.missing

    @property
    def worked_out(self) -> Fraction | None:
        """Points by the formula; None if nothing was judged, so that the item leaves the sum."""
        if not self.judged:
            return None
        return self.points * min(Fraction(1), (self.met + self.partly * _HALF) / self.judged)

    @property
    def value(self) -> Fraction | None:
        """The points that count: the inspector's own number where there is one."""
        return self.worked_out if self.overruled is None else self.overruled

    @property
    def formula(self) -> str:
        """How the number comes about, for the report: `5 × (2 + 1 × ½) ÷ 4 = 3.125`; empty if nothing was judged."""
        if self.worked_out is None:
            return ""
        return f"{self.points} × ({self.met} + {self.partly} × ½) ÷ {self.judged} = {exact(self.worked_out)}"


@dataclass(frozen=True)
class LevelScore:
    """The score of one organization: the sum of its items, scaled to 100 over the points that were judged."""

    earned: Fraction
    earned_by_formula: Fraction
    points: int

    @property
    def value(self) -> Fraction:
        """0–100, with the inspectors' own numbers."""
        return self.earned * 100 / self.points

    @property
    def worked_out(self) -> Fraction:
        """0–100, by the formula alone."""
        return self.earned_by_formula * 100 / self.points

    @property
    def formula(self) -> str:
        """How the number comes about, for the report: `61.5 ÷ 80 × 100 = 76.9`."""
        return f"{exact(self.earned)} ÷ {self.points} × 100 = {shown(self.value)}"


def item_score(
    points: int, verdicts: Iterable[Verdict], *, overruled: Fraction | Decimal | int | None = None
) -> ItemScore:
    """Score one item from the verdicts on its duties.

    Raises Invalid if the inspector's own number lies outside 0 to `points`, or stands where nothing was judged.
    """
    number = Counter(verdicts)
    score = ItemScore(
        points=points,
        met=number[Verdict.MET],
        partly=number[Verdict.PARTLY],
        missing=number[Verdict.MISSING],
        not_applicable=number[Verdict.NOT_APPLICABLE],
        overruled=None if overruled is None else Fraction(overruled),
    )
    _check_overruled(score)
    return score


def recorded_score(points: int, verdicts: Iterable[Verdict], *, overruled: Fraction | None) -> ItemScore:
    """Score one item with the number that an inspector once gave; it lapses once nothing is judged any more."""
    given = tuple(verdicts)
    judged = any(verdict is not Verdict.NOT_APPLICABLE for verdict in given)
    return item_score(points, given, overruled=overruled if judged else None)


def level_score(items: Iterable[ItemScore]) -> LevelScore | None:
    """Add up the items of one organization; None if nothing was judged that carries points."""
    judged = [(item, item.value, item.worked_out) for item in items]
    counted = [
        (item.points, value, by_rule) for item, value, by_rule in judged if value is not None and by_rule is not None
    ]
    points = sum(points for points, _, _ in counted)
    if not points:
        return None
    return LevelScore(
        earned=sum((value for _, value, _ in counted), Fraction(0)),
        earned_by_formula=sum((by_rule for _, _, by_rule in counted), Fraction(0)),
        points=points,
    )


def unit_level_score(scores: Iterable[LevelScore | None]) -> Fraction | None:
    """Return the mean over a unit's organizations of one level, without those where nothing was judged; 0–100."""
    values = [score.value for score in scores if score is not None]
    return sum(values, Fraction(0)) / len(values) if values else None


def shown(value: Fraction, *, places: int = 1) -> str:
    """Return a number that is not negative with so many decimals, half rounded up: 87.25 → 87.3."""
    scale = 10**places
    whole = (value * scale + _HALF).__floor__()
    return f"{whole // scale}.{whole % scale:0{places}d}" if places else str(whole)


def exact(value: Fraction) -> str:
    """Return a number that is not negative unrounded, to be added up: 2.25, or 1 2/3 if its decimals have no end."""
    for places in range(1, 5):
        if (value * 10**places).denominator == 1:
            return shown(value, places=places)
    whole, rest = divmod(value.numerator, value.denominator)
    left = f"{rest}/{value.denominator}"
    return f"{whole}{_APART}{left}" if whole else left


def mean_formula(scores: Sequence[LevelScore]) -> str:
    """How the mean comes about: `(91.43 + 85.00) ÷ 2 = 88.2`; with as many decimals as make it true as written."""
    values = [score.value for score in scores]
    mean = sum(values, Fraction(0)) / len(values)
    parts = next(filter(None, (_parts(values, mean, places) for places in range(1, 5))), [exact(v) for v in values])
    return f"({' + '.join(parts)}) ÷ {len(values)} = {shown(mean)}"


def _parts(values: Sequence[Fraction], mean: Fraction, places: int) -> list[str]:
    """The values with so many decimals; nothing if they round, or add up, to other numbers than the exact ones."""
    parts = [shown(value, places=places) for value in values]
    written = [Fraction(part) for part in parts]
    same = [shown(number) for number in written] == [shown(value) for value in values]
    return parts if same and shown(sum(written, Fraction(0)) / len(written)) == shown(mean) else []


def _check_overruled(score: ItemScore) -> None:
    if score.overruled is None:
        return
    if not score.judged:
        raise Invalid(_n("这个事项还没有核查结论，不能改分；请先对抽查的任务作出结论。"), field="points")
    if not 0 <= score.overruled <= score.points:
        raise Invalid(_n("改定的得分应在 0 到 %(points)s 之间。"), field="points", points=score.points)
