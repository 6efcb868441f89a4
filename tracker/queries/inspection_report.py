"""The report of an inspection as it was known at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain import report as printed
from tracker.domain.errors import NotFound
from tracker.domain.inspection import MEMBER_NAMES, SEVERITY_NAMES, InspectionState
from tracker.domain.text import _n
from tracker.models import Finding, FindingFact, Inspection, InspectionDuty, Organization
from tracker.models import Verdict as VerdictRow
from tracker.queries import inspections
from tracker.queries.duties import DutyThen, duties_as_of
from tracker.queries.evidence_index import evidence_index
from tracker.queries.history import known
from tracker.queries.people import names_of
from tracker.queries.report_scores import (
    ScoredItem,
    by_dimension,
    by_level,
    by_post,
    by_unit,
    rounded,
    score_lines,
    scores_in,
)
from tracker.queries.reports import Setting, Translate, provenance_of, setting_of, span
from tracker.queries.result_pictures import Sample, pictures_of
from tracker.queries.sampling import description, draw_of

FORMULA = _n(
    "事项得分＝分值×（落实数＋部分落实数×½）÷已核查数；不适用和未核查的事项不计入，其余折算为100分；"
    "单位在一个层级的得分为其该层级各组织得分的平均数，各岗位、各维度的得分同样取各组织的平均数；各层级分别计分，不合并为单位总分。检查组改定得分的，同时列出计算得分和理由。"
)


def inspection_report(
    session: Session, inspection: Inspection, *, as_of: datetime, words: Translate, software_version: str
) -> printed.InspectionReport:
    """The report of one check as it was known at `as_of`."""
    checked = check_then(session, inspection, as_of=as_of, words=words)
    return report_of(checked, software_version=software_version)


@dataclass(frozen=True)
class CheckThen:
    """What was known of one check, or of some units of it: units, sampled duties, verdicts by duty, findings."""

    setting: Setting
    inspection: Inspection
    units: Sequence[Organization]
    duties: Sequence[DutyThen]
    verdicts: Mapping[int, VerdictRow]
    findings: Sequence[tuple[Finding, FindingFact]]


def check_then(
    session: Session,
    inspection: Inspection,
    *,
    as_of: datetime,
    words: Translate,
    units: Collection[int] | None = None,
    setting: Setting | None = None,
) -> CheckThen:
    """What was known at `as_of` of the check, or of these units (row numbers) in it; `setting` if it is there already.

    Raises NotFound where the check was not planned by then, or does not visit one of the units.
    """
    if inspection.created_at > as_of:
        raise NotFound(_n("到指定的时间，第 %(number)s 号督查尚未建立，请改选较晚的日期。"), number=inspection.number)
    setting = setting or setting_of(session, inspection.cycle, as_of=as_of, words=words)
    visited = inspections.units_of(session, inspection, as_of=as_of)
    if units is not None and not set(units) <= {unit.id for unit in visited}:
        raise NotFound(_n("第 %(number)s 号督查不检查这个单位，请核对单位代码。"), number=inspection.number)
    chosen = [unit for unit in visited if units is None or unit.id in units]
    numbers = {unit.id for unit in chosen}
    duties = _sampled(setting, inspection, sorted(numbers))
    findings = inspections.findings_of(session, inspection, as_of=as_of)
    return CheckThen(
        setting,
        inspection,
        chosen,
        duties,
        _verdicts(setting, inspection),
        [(finding, fact) for finding, fact in findings if finding.unit_id in numbers],
    )


def report_of(checked: CheckThen, *, software_version: str) -> printed.InspectionReport:
    """The report of what was checked."""
    setting, inspection, units = checked.setting, checked.inspection, checked.units
    duties, verdicts, findings = checked.duties, checked.verdicts, checked.findings
    number_of = {finding.duty_id: finding.key for finding, _ in findings if finding.duty_id}
    scores = scores_in(setting, inspection, duties, verdicts)
    names = [setting.nodes[unit.id].name for unit in units if unit.id in setting.nodes]
    return printed.InspectionReport(
        cover=_cover(setting, inspection, names),
        facts=_facts(setting, inspection, duties, verdicts),
        by_unit=by_unit(setting, duties, verdicts) if len(units) > 1 else (),
        by_level=by_level(setting, duties, verdicts, scores),
        by_post=by_post(setting, duties, verdicts, scores),
        by_dimension=by_dimension(setting, duties, verdicts, scores),
        scores=score_lines(setting, scores),
        formula=setting.words(FORMULA),
        rows=tuple(_rows(setting, duties, verdicts, scores, number_of)),
        evidence=evidence_index(setting, duties),
        findings=tuple(_finding(setting, finding, fact) for finding, fact in findings),
        provenance=provenance_of(setting, chains=[unit.code for unit in units], software_version=software_version),
        pictures=pictures_of(sample_of(checked)),
    )


def sample_of(checked: CheckThen) -> Sample:
    """What is drawn of a check."""
    return Sample(checked.setting, checked.inspection.number, checked.units, checked.duties, checked.verdicts)


def _sampled(setting: Setting, inspection: Inspection, units: Sequence[int]) -> list[DutyThen]:
    sample = set(
        setting.session.scalars(
            select(InspectionDuty.duty_id).where(
                InspectionDuty.inspection_id == inspection.id, known(InspectionDuty, setting.as_of)
            )
        )
    )
    duties = duties_as_of(setting.session, cycle=inspection.cycle, as_of=setting.as_of, units=units)
    place = {node.id: number for number, node in enumerate(setting.nodes.values())}
    chosen = [duty for duty in duties if duty.id in sample]
    return sorted(chosen, key=lambda d: (place.get(d.organization_id, 0), d.item_id, d.starts_on, d.key))


def _verdicts(setting: Setting, inspection: Inspection) -> dict[int, VerdictRow]:
    query = select(VerdictRow).where(VerdictRow.inspection_id == inspection.id, known(VerdictRow, setting.as_of))
    return {row.duty_id: row for row in setting.session.scalars(query)}


def _cover(setting: Setting, inspection: Inspection, names: Sequence[str]) -> printed.Cover:
    fact = inspections.fact_of(setting.session, inspection, as_of=setting.as_of)
    root = next((node for node in setting.nodes.values() if node.parent is None), None)
    return printed.Cover(
        title=fact.title,
        units=tuple(names),
        period=span(fact.period_starts_on, fact.period_ends_on),
        issuer=root.name if root else "",
        issued_on=setting.day,
    )


def _facts(
    setting: Setting, inspection: Inspection, duties: Sequence[DutyThen], verdicts: Mapping[int, VerdictRow]
) -> printed.Facts:
    fact = inspections.fact_of(setting.session, inspection, as_of=setting.as_of)
    words = setting.words
    team = inspections.team_of(setting.session, inspection, as_of=setting.as_of)
    team.sort(key=lambda member: (member[1].value, member[0].key))  # here: databases sort text each in their own way
    names = names_of(setting.session, [person.id for person, _ in team], as_of=setting.as_of)
    sampling, seed = _sampling(setting, inspection, fact.sample, len(duties))
    return printed.Facts(
        number=str(inspection.number),
        basis=tuple(line for line in fact.basis.splitlines() if line.strip()),
        started_on=fact.starts_on,
        ended_on=fact.ends_on,
        team=tuple(printed.TeamMember(name=names[p.id], role=words(MEMBER_NAMES[role])) for p, role in team),
        periods=(span(fact.period_starts_on, fact.period_ends_on),),
        items="、".join(fact.items) if fact.items else words(_n("清单全部事项")),
        methods=(words(_n("查看佐证材料")), words(_n("核对签认记录"))),
        sampling=sampling,
        seed=seed,
        open_as_of=setting.as_of if fact.state is InspectionState.OPEN else None,
        judged=sum(duty.id in verdicts for duty in duties),
        sampled=len(duties),
    )


def _sampling(setting: Setting, inspection: Inspection, sample: str, number: int) -> tuple[str, str]:
    """How the sample came about, and the seed where it was drawn."""
    draw = draw_of(setting.session, inspection, as_of=setting.as_of)
    if draw is not None:
        told = description(setting.session, inspection, draw, words=setting.words, as_of=setting.as_of)
        return told, draw.seed
    how = _n("检查范围内的任务全部核查，共%(n)s项。") if sample == "all" else _n("由检查组逐项挑选，共%(n)s项。")
    return setting.words(how) % {"n": number}, ""


def _rows(
    setting: Setting,
    duties: Sequence[DutyThen],
    verdicts: Mapping[int, VerdictRow],
    scores: Mapping[int, Mapping[str, ScoredItem]],
    number_of: Mapping[int, str],
) -> Iterable[printed.ItemRow]:
    """One line for each duty; the points of its item stand on the first line of the item in an organization."""
    seen: set[tuple[int, str]] = set()
    for duty in duties:
        item, verdict = setting.items[duty.item_id], verdicts.get(duty.id)
        scored = None if (duty.organization_id, duty.item_id) in seen else scores[duty.organization_id][duty.item_id]
        seen.add((duty.organization_id, duty.item_id))
        timeliness = setting.timeliness(duty)
        yield printed.ItemRow(
            item=duty.item_id,
            title=item.title,
            organization=setting.nodes[duty.organization_id].name,
            post=setting.post(duty.post),
            frequency=item.frequency.label,
            period=setting.period(duty.period),
            required=1,
            done=int(timeliness in {"in_time", "recorded_late", "made_up"}),
            timeliness=timeliness,
            state=duty.shown.value,
            changed_after_signing=duty.is_changed,
            verdict=verdict.value.value if verdict else "",
            finding=number_of.get(duty.id, ""),
            points=rounded(scored.score.value, places=2) if scored else None,
            worked_points=scored.worked_points if scored else None,
            overruled_because=scored.reason if scored and scored.score.overruled is not None else "",
        )


def _finding(setting: Setting, finding: Finding, fact: FindingFact) -> printed.Finding:
    item = setting.items.get(finding.item_id or "")
    return printed.Finding(
        number=finding.key,
        problem=marked(finding, fact, setting.words),
        organization=setting.nodes[finding.organization_id].name,
        post=setting.post(fact.post),
        severity=setting.words(SEVERITY_NAMES[fact.severity]),
        measure=fact.demand,
        deadline=fact.deadline,
        regulation=fact.basis,
        items=(f"{item.id} {item.title}",) if item else (),
    )


def marked(finding: Finding, fact: FindingFact, words: Translate) -> str:
    """The problem; one that the same item had in the same unit within a year is marked as repeated."""
    if finding.repeats is None:
        return fact.problem
    return words(_n("%(problem)s【一年内重复出现，前一次编号 %(earlier)s】")) % {
        "problem": fact.problem,
        "earlier": finding.repeats,
    }
