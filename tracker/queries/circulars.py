"""The words of a team's papers as known then; before anybody wrote any, sentences made of the numbers alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from tracker.domain.good_practice import GoodPracticeState
from tracker.domain.inspection import Severity
from tracker.domain.score import Verdict
from tracker.domain.text import _n
from tracker.models import CircularText, Finding, FindingFact, Inspection, InspectionDuty
from tracker.models import Verdict as VerdictRow
from tracker.queries.good_practice import of_inspection
from tracker.queries.history import known
from tracker.queries.inspection_report import CheckThen
from tracker.queries.inspections import units_of
from tracker.queries.reports import Translate

PAPERS: Mapping[str, str] = {"summary": _n("检查组工作小结"), "circular": _n("督查通报")}


@dataclass(frozen=True)
class Words:
    """The four parts of a paper. `recorded_at` is None for a draft that nobody saved."""

    overall: str
    good_practice: str
    problems: str
    demands: str
    recorded_at: datetime | None


def text_of(
    session: Session, inspection: Inspection, paper: str, *, as_of: datetime | None = None
) -> CircularText | None:
    """The words in force then, or None if nobody had written any."""
    query = select(CircularText).where(
        CircularText.inspection_id == inspection.id, CircularText.paper == paper, known(CircularText, as_of)
    )
    return session.scalar(query)


def words_of(checked: CheckThen, paper: str) -> Words:
    """The words of a paper of what was checked, as known then; a draft if there are none."""
    setting = checked.setting
    row = text_of(setting.session, checked.inspection, paper, as_of=setting.as_of)
    if row is not None:
        return said(row)
    return draft(setting.session, checked.inspection, words=setting.words, as_of=setting.as_of)


def said(row: CircularText) -> Words:
    """What a row says."""
    return Words(row.overall, row.good_practice, row.problems, row.demands, row.recorded_at)


def draft(session: Session, inspection: Inspection, *, words: Translate, as_of: datetime | None = None) -> Words:
    """Sentences that say the numbers, as known then, and judge nothing."""
    practices = [
        one for one in of_inspection(session, inspection, as_of=as_of) if one.state is GoodPracticeState.AGREED
    ]
    numbers: dict[str, object] = {
        "units": len(units_of(session, inspection, as_of=as_of)),
        **_judged(session, inspection, as_of=as_of),
        "agreed": len(practices),
        "named": "；".join(f"{one.unit}“{one.title}”" for one in practices),
        **_found(session, inspection, as_of=as_of),
    }
    return Words(
        overall=words(_OVERALL) % numbers,
        good_practice=words(_GOOD_PRACTICE if practices else _NO_GOOD_PRACTICE) % numbers,
        problems=words(_PROBLEMS) % numbers,
        demands=words(_DEMANDS),
        recorded_at=None,
    )


def _judged(session: Session, inspection: Inspection, *, as_of: datetime | None) -> dict[str, int]:
    """How many duties are in the sample, and how many got which verdict."""
    given = and_(
        VerdictRow.inspection_id == InspectionDuty.inspection_id,
        VerdictRow.duty_id == InspectionDuty.duty_id,
        known(VerdictRow, as_of),
    )
    query = (
        select(VerdictRow.value, func.count())
        .select_from(InspectionDuty)
        .outerjoin(VerdictRow, given)
        .where(InspectionDuty.inspection_id == inspection.id, known(InspectionDuty, as_of))
        .group_by(VerdictRow.value)
    )
    counts: dict[Verdict | None, int] = dict(session.execute(query).all())
    judged = {value.value: counts.get(value, 0) for value in Verdict}
    return {"sampled": sum(counts.values()), "judged": sum(judged.values()), **judged}


def _found(session: Session, inspection: Inspection, *, as_of: datetime | None) -> dict[str, int]:
    """How many problems were noted, by their severity."""
    query = (
        select(FindingFact.severity, func.count())
        .join(Finding, Finding.id == FindingFact.finding_id)
        .where(Finding.inspection_id == inspection.id, known(FindingFact, as_of))
        .group_by(FindingFact.severity)
    )
    counts = dict(session.execute(query).all())
    return {"findings": sum(counts.values()), **{severity.value: counts.get(severity, 0) for severity in Severity}}


_OVERALL = _n(
    "本次督查检查%(units)s个单位，抽查任务%(sampled)s项，已核查%(judged)s项：落实%(met)s项，"
    "部分落实%(partly)s项，未落实%(missing)s项，不适用%(not_applicable)s项。"
)
_GOOD_PRACTICE = _n("经单位同意交流的亮点做法%(agreed)s项：%(named)s。")
_NO_GOOD_PRACTICE = _n("经单位同意交流的亮点做法%(agreed)s项。")
_PROBLEMS = _n("登记问题%(findings)s项，其中立行立改%(on_the_spot)s项，一般问题%(ordinary)s项，突出问题%(serious)s项。")
_DEMANDS = _n("请有关单位对照问题清单，在规定期限内完成整改，并按要求报告整改结果。")
