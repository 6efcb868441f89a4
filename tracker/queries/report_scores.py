"""The scores and summaries of an inspection report: every sum is that of the rows of its item table."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from tracker.domain import report as printed
from tracker.domain.score import (
    ItemScore,
    LevelScore,
    Verdict,
    level_score,
    mean_formula,
    recorded_score,
    unit_level_score,
)
from tracker.models import (
    Inspection,
)
from tracker.models import Verdict as VerdictRow
from tracker.queries import inspections
from tracker.queries.duties import DutyThen
from tracker.queries.reports import Setting

Scores = Mapping[int, Mapping[str, "ScoredItem"]]


@dataclass(frozen=True)
class ScoredItem:
    """The score of one item in one organization, and why an inspector changed it."""

    post: str
    dimension: str
    score: ItemScore
    reason: str

    @property
    def worked_points(self) -> Decimal | None:
        """The points by the formula, where an inspector put others in their place."""
        return rounded(self.score.worked_out, places=2) if self.score.overruled is not None else None


def rounded(value: Fraction | None, *, places: int = 1) -> Decimal | None:
    """Return a number as it is printed: one decimal, half rounded up; points of items have two, to be added up."""
    if value is None:
        return None
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return exact.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)


def scores_in(
    setting: Setting, inspection: Inspection, duties: Sequence[DutyThen], verdicts: Mapping[int, VerdictRow]
) -> dict[int, dict[str, ScoredItem]]:
    """Every item of every organization in the sample with its score, by organization and item."""
    overrules = inspections.overrules_of(setting.session, inspection, as_of=setting.as_of)
    grouped: defaultdict[tuple[int, str], list[Verdict]] = defaultdict(list)
    first: dict[tuple[int, str], DutyThen] = {}
    for duty in duties:
        first.setdefault((duty.organization_id, duty.item_id), duty)
        if duty.id in verdicts:
            grouped[duty.organization_id, duty.item_id].append(verdicts[duty.id].value)
    found: defaultdict[int, dict[str, ScoredItem]] = defaultdict(dict)
    for (organization, item_id), duty in first.items():
        overrule = overrules.get((organization, item_id))
        number = None if overrule is None or overrule.tenths is None else Fraction(overrule.tenths, 10)
        score = recorded_score(setting.items[item_id].points, grouped[organization, item_id], overruled=number)
        reason = overrule.reason if overrule and score.overruled is not None else ""
        found[organization][item_id] = ScoredItem(duty.post, duty.dimension, score, reason)
    return found


def _counts(setting: Setting, duties: Iterable[DutyThen], verdicts: Mapping[int, VerdictRow]) -> printed.Counts:
    duties = list(duties)
    by_verdict = Counter(verdicts[duty.id].value.value for duty in duties if duty.id in verdicts)
    by_time = Counter(setting.timeliness(duty) for duty in duties)
    return printed.Counts(
        **{key: by_verdict[key] for key in ("met", "partly", "missing", "not_applicable")},
        **{key: by_time[key] for key in ("in_time", "recorded_late", "made_up", "missed")},
    )


def _lines(
    setting: Setting,
    duties: Sequence[DutyThen],
    verdicts: Mapping[int, VerdictRow],
    headings: Iterable[tuple[str, str]],
    *,
    key: Callable[[DutyThen], str],
    points: Callable[[str], Fraction | None],
) -> tuple[printed.SummaryLine, ...]:
    grouped: defaultdict[str, list[DutyThen]] = defaultdict(list)
    for duty in duties:
        grouped[key(duty)].append(duty)
    return tuple(
        printed.SummaryLine(
            name=name, counts=_counts(setting, grouped[heading], verdicts), points=rounded(points(heading))
        )
        for heading, name in headings
        if heading in grouped
    )


def by_level(
    setting: Setting, duties: Sequence[DutyThen], verdicts: Mapping[int, VerdictRow], scores: Scores
) -> tuple[printed.SummaryLine, ...]:
    """Counts of each level; its points are the mean over the organizations."""
    level_of = {duty.organization_id: duty.level for duty in duties}
    totals = _totals(scores)

    def points(level: str) -> Fraction | None:
        return unit_level_score(total for node, total in totals.items() if level_of[node] == level)

    headings = [(level.id, level.name) for level in setting.checklist.levels]
    return _lines(setting, duties, verdicts, headings, key=lambda duty: duty.level, points=points)


def by_unit(
    setting: Setting, duties: Sequence[DutyThen], verdicts: Mapping[int, VerdictRow]
) -> tuple[printed.SummaryLine, ...]:
    """Counts of each unit, in official order; units are not compared by points."""
    headings = [(str(node.id), node.name) for node in setting.nodes.values()]
    return _lines(setting, duties, verdicts, headings, key=lambda duty: str(duty.unit_id), points=lambda _: None)


def by_post(
    setting: Setting, duties: Sequence[DutyThen], verdicts: Mapping[int, VerdictRow], scores: Scores
) -> tuple[printed.SummaryLine, ...]:
    """Counts of each post; its points are the mean over the organizations."""
    headings = [(post.id, post.name) for post in setting.checklist.posts]
    points = _mean(scores, lambda scored: scored.post)
    return _lines(setting, duties, verdicts, headings, key=lambda duty: duty.post, points=points)


def by_dimension(
    setting: Setting, duties: Sequence[DutyThen], verdicts: Mapping[int, VerdictRow], scores: Scores
) -> tuple[printed.SummaryLine, ...]:
    """Counts of each dimension; its points are the mean over the organizations."""
    headings = [(dimension.id, dimension.name) for dimension in setting.checklist.dimensions]
    points = _mean(scores, lambda scored: scored.dimension)
    return _lines(setting, duties, verdicts, headings, key=lambda duty: duty.dimension, points=points)


def _mean(scores: Scores, key: Callable[[ScoredItem], str]) -> Callable[[str], Fraction | None]:
    """Points of a heading: the mean over the organizations of what their items under it add up to, out of 100."""

    def points(heading: str) -> Fraction | None:
        return unit_level_score(
            level_score(scored.score for scored in items.values() if key(scored) == heading)
            for items in scores.values()
        )

    return points


def _totals(scores: Scores) -> dict[int, LevelScore | None]:
    return {node: level_score(scored.score for scored in items.values()) for node, items in scores.items()}


def score_lines(setting: Setting, scores: Scores) -> tuple[printed.ScoreLine, ...]:
    """The score of each unit at each level: the mean of its organizations, with the sum as on paper."""
    grouped: defaultdict[tuple[int, str], list[LevelScore]] = defaultdict(list)
    for node_id, total in _totals(scores).items():
        if total is not None:
            node = setting.nodes[node_id]
            grouped[node.unit_id, node.level].append(total)
    return tuple(
        printed.ScoreLine(
            unit=setting.nodes[unit].name,
            level=setting.checklist.level[level].name if level in setting.checklist.level else level,
            organizations=len(totals),
            score=rounded(unit_level_score(totals)),
            working=totals[0].formula if len(totals) == 1 else mean_formula(totals),
        )
        for (unit, level), totals in grouped.items()
    )
