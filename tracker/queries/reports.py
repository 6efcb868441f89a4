"""What a document prints, gathered as it was known at a time: values of `domain.report`, and nothing to look up."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracker.domain import report as printed
from tracker.domain.checklist import Checklist, Item
from tracker.domain.duty import Action, State, Timeliness
from tracker.domain.errors import NotFound
from tracker.domain.inspection import MemberRole, Severity
from tracker.domain.schedule import period_name
from tracker.domain.score import (
    ItemScore,
    LevelScore,
    Verdict,
    item_score,
    level_score,
    shown,
    unit_level_score,
)
from tracker.domain.text import _n
from tracker.models import (
    Appointment,
    ChecklistVersion,
    Cycle,
    CycleState,
    Duty,
    Evidence,
    EvidenceFact,
    EvidenceFile,
    EvidenceLink,
    FindingFact,
    Inspection,
    InspectionDuty,
    LogChain,
    LogEntry,
    Seat,
    SignOff,
    StoredFile,
)
from tracker.models import Verdict as VerdictRow
from tracker.queries import inspections
from tracker.queries.assignments import items_of_year
from tracker.queries.checklists import checklist_of
from tracker.queries.duties import DutyThen, duties_as_of
from tracker.queries.history import SHANGHAI, known
from tracker.queries.organizations import Node, tree
from tracker.queries.people import names_of

Translate = Callable[[str], str]

_PRINTED_TIMELINESS = {
    Timeliness.NOT_YET_DUE: "not_due",
    Timeliness.DUE_SOON: "not_due",
    Timeliness.OVERDUE: "missed",
    Timeliness.MISSED: "missed",
    Timeliness.IN_TIME: "in_time",
    Timeliness.RECORDED_LATE: "recorded_late",
    Timeliness.MADE_UP: "made_up",
}
_SET_ASIDE = frozenset({State.NOT_APPLICABLE, State.EXCUSED})
_FROM_WORST = ("missed", "made_up", "recorded_late", "not_due", "in_time")

_ROLES = {MemberRole.LEADER: _n("组长"), MemberRole.MEMBER: _n("成员")}
_SEVERITIES = {
    Severity.ON_THE_SPOT: _n("立行立改"),
    Severity.ORDINARY: _n("一般问题"),
    Severity.SERIOUS: _n("突出问题"),
}
FORMULA = _n(
    "事项得分＝分值×（落实数＋部分落实数×½）÷已核查数；不适用和未核查的事项不计入，其余折算为100分；"
    "单位在一个层级的得分为其该层级各组织得分的平均数。检查组改定得分的，同时列出计算得分和理由。"
)


@dataclass(frozen=True)
class Setting:
    """What all documents of one year share: the list, its items, the tree of that day, the words of the language."""

    session: Session
    cycle: Cycle
    checklist: Checklist
    items: Mapping[str, Item]
    nodes: Mapping[int, Node]
    as_of: datetime
    words: Translate

    @property
    def day(self) -> date:
        """The day, in Asia/Shanghai, as of which the document speaks."""
        return self.as_of.astimezone(SHANGHAI).date()

    def period(self, code: str) -> str:
        """The words for a period."""
        message, values = period_name(code)
        return self.words(message) % values if values else self.words(message)

    def post(self, post_id: str) -> str:
        """The name of a post."""
        return self.checklist.post[post_id].name if post_id in self.checklist.post else post_id

    def timeliness(self, duty: DutyThen) -> str:
        """What a document prints of a duty's dates; nothing for one that was set aside."""
        if duty.state in _SET_ASIDE:
            return ""
        closed = self.cycle.state is CycleState.CLOSED and self.cycle.closed_at is not None
        known_closed = closed and self.cycle.closed_at is not None and self.cycle.closed_at <= self.as_of
        return _PRINTED_TIMELINESS[duty.timeliness(today=self.day, closed=known_closed)]


def setting_of(session: Session, cycle: Cycle, *, as_of: datetime, words: Translate) -> Setting:
    """Gather what the documents of a year share, as known at `as_of`."""
    day = as_of.astimezone(SHANGHAI).date()
    nodes = {node.id: node for node in tree(session, on=day, as_of=as_of)}
    checklist = checklist_of(cycle.checklist_version)
    return Setting(session, cycle, checklist, items_of_year(session, cycle), nodes, as_of, words)


# ---------------------------------------------------------------- the report of an inspection


def inspection_report(
    session: Session, inspection: Inspection, *, as_of: datetime, words: Translate, software_version: str
) -> printed.InspectionReport:
    """The report of one check as it was known at `as_of`."""
    if inspection.created_at > as_of:
        raise NotFound(_n("到指定的时间，第 %(number)s 号督查尚未建立，请改选较晚的日期。"), number=inspection.number)
    setting = setting_of(session, inspection.cycle, as_of=as_of, words=words)
    units = inspections.units_of(session, inspection, as_of=as_of)
    duties = _sampled(setting, inspection, [unit.id for unit in units])
    verdicts = _verdicts(setting, inspection)
    findings = inspections.findings_of(session, inspection, as_of=as_of)
    number_of = {finding.duty_id: finding.key for finding, _ in findings if finding.duty_id}
    scores = _scores(setting, inspection, duties, verdicts)
    names = [setting.nodes[unit.id].name for unit in units if unit.id in setting.nodes]
    return printed.InspectionReport(
        cover=_cover(setting, inspection, names),
        facts=_facts(setting, inspection, len(duties)),
        by_unit=_by_unit(setting, duties, verdicts) if len(units) > 1 else (),
        by_level=_by_level(setting, duties, verdicts, scores),
        by_post=_by_post(setting, duties, verdicts, scores),
        by_dimension=_by_dimension(setting, duties, verdicts, scores),
        scores=_score_lines(setting, scores),
        formula=words(FORMULA),
        rows=tuple(_rows(setting, duties, verdicts, scores, number_of)),
        evidence=_evidence(setting, duties),
        findings=tuple(_finding(setting, key.key, key.organization_id, fact) for key, fact in findings),
        provenance=provenance_of(setting, chains=[unit.code for unit in units], software_version=software_version),
    )


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
        period=_span(fact.period_starts_on, fact.period_ends_on),
        issuer=root.name if root else "",
        issued_on=setting.day,
    )


def _span(start: date, end: date) -> str:
    return f"{start.isoformat()} — {end.isoformat()}"


def _facts(setting: Setting, inspection: Inspection, sampled: int) -> printed.Facts:
    fact = inspections.fact_of(setting.session, inspection, as_of=setting.as_of)
    words = setting.words
    team = inspections.team_of(setting.session, inspection, as_of=setting.as_of)
    names = names_of(setting.session, [person.id for person, _ in team], as_of=setting.as_of)
    how = _n("检查范围内的任务全部核查，共%(n)s项。") if fact.sample == "all" else _n("由检查组逐项挑选，共%(n)s项。")
    return printed.Facts(
        number=str(inspection.number),
        basis=tuple(line for line in fact.basis.splitlines() if line.strip()),
        started_on=fact.starts_on,
        ended_on=fact.ends_on,
        team=tuple(printed.TeamMember(name=names[p.id], role=words(_ROLES[role])) for p, role in team),
        periods=(_span(fact.period_starts_on, fact.period_ends_on),),
        items="、".join(fact.items) if fact.items else words(_n("清单全部事项")),
        methods=(words(_n("查看佐证材料")), words(_n("核对签认记录"))),
        sampling=words(how) % {"n": sampled},
    )


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
            points=_decimal(scored.score.value) if scored else None,
            worked_points=_worked(scored),
            overruled_because=scored.reason if scored and scored.score.overruled is not None else "",
        )


@dataclass(frozen=True)
class ScoredItem:
    """The score of one item in one organization, and why an inspector changed it."""

    post: str
    dimension: str
    score: ItemScore
    reason: str


def _worked(scored: ScoredItem | None) -> Decimal | None:
    return _decimal(scored.score.worked_out) if scored and scored.score.overruled is not None else None


def _decimal(value: Fraction | None) -> Decimal | None:
    if value is None:
        return None
    exact = Decimal(value.numerator) / Decimal(value.denominator)
    return exact.quantize(Decimal("0.1"), rounding=ROUND_HALF_UP)


def _scores(
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
        score = item_score(setting.items[item_id].points, grouped[organization, item_id], overruled=number)
        found[organization][item_id] = ScoredItem(duty.post, duty.dimension, score, overrule.reason if overrule else "")
    return found


# ---------------------------------------------------------------- summaries


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
            name=name, counts=_counts(setting, grouped[heading], verdicts), points=_decimal(points(heading))
        )
        for heading, name in headings
        if heading in grouped
    )


Scores = Mapping[int, Mapping[str, ScoredItem]]


def _by_level(
    setting: Setting, duties: Sequence[DutyThen], verdicts: Mapping[int, VerdictRow], scores: Scores
) -> tuple[printed.SummaryLine, ...]:
    level_of = {duty.organization_id: duty.level for duty in duties}
    totals = _totals(scores)

    def points(level: str) -> Fraction | None:
        return unit_level_score(total for node, total in totals.items() if level_of[node] == level)

    headings = [(level.id, level.name) for level in setting.checklist.levels]
    return _lines(setting, duties, verdicts, headings, key=lambda duty: duty.level, points=points)


def _by_unit(
    setting: Setting, duties: Sequence[DutyThen], verdicts: Mapping[int, VerdictRow]
) -> tuple[printed.SummaryLine, ...]:
    headings = [(str(node.id), node.name) for node in setting.nodes.values()]
    return _lines(setting, duties, verdicts, headings, key=lambda duty: str(duty.unit_id), points=lambda _: None)


def _by_post(
    setting: Setting, duties: Sequence[DutyThen], verdicts: Mapping[int, VerdictRow], scores: Scores
) -> tuple[printed.SummaryLine, ...]:
    headings = [(post.id, post.name) for post in setting.checklist.posts]
    pooled = _pooled(scores, lambda scored: scored.post)
    return _lines(setting, duties, verdicts, headings, key=lambda duty: duty.post, points=pooled)


def _by_dimension(
    setting: Setting, duties: Sequence[DutyThen], verdicts: Mapping[int, VerdictRow], scores: Scores
) -> tuple[printed.SummaryLine, ...]:
    headings = [(dimension.id, dimension.name) for dimension in setting.checklist.dimensions]
    pooled = _pooled(scores, lambda scored: scored.dimension)
    return _lines(setting, duties, verdicts, headings, key=lambda duty: duty.dimension, points=pooled)


def _pooled(scores: Scores, key: Callable[[ScoredItem], str]) -> Callable[[str], Fraction | None]:
    """Points of a heading: all its items in all organizations taken together, out of 100."""
    grouped: defaultdict[str, list[ItemScore]] = defaultdict(list)
    for items in scores.values():
        for scored in items.values():
            grouped[key(scored)].append(scored.score)

    def points(heading: str) -> Fraction | None:
        total = level_score(grouped[heading])
        return total.value if total else None

    return points


def _totals(scores: Scores) -> dict[int, LevelScore | None]:
    return {node: level_score(scored.score for scored in items.values()) for node, items in scores.items()}


def _score_lines(setting: Setting, scores: Scores) -> tuple[printed.ScoreLine, ...]:
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
            score=_decimal(unit_level_score(totals)),
            working=_working(totals),
        )
        for (unit, level), totals in grouped.items()
    )


def _working(totals: Sequence[LevelScore]) -> str:
    if len(totals) == 1:
        return totals[0].formula
    mean = unit_level_score(totals)
    values = " + ".join(shown(total.value) for total in totals)
    return f"({values}) ÷ {len(totals)} = {shown(mean)}" if mean is not None else ""


# ---------------------------------------------------------------- evidence, findings, provenance


def _evidence(setting: Setting, duties: Sequence[DutyThen]) -> tuple[printed.EvidenceEntry, ...]:
    ids = [duty.id for duty in duties]
    links = list(
        setting.session.execute(
            select(EvidenceLink.evidence_id, Duty.id, Duty.item_id)
            .join(Duty, Duty.id == EvidenceLink.duty_id)
            .where(EvidenceLink.duty_id.in_(ids), known(EvidenceLink, setting.as_of))
        )
    )
    items: defaultdict[int, set[str]] = defaultdict(set)
    served: defaultdict[int, set[int]] = defaultdict(set)
    for evidence_id, duty_id, item_id in links:
        items[evidence_id].add(item_id)
        served[evidence_id].add(duty_id)
    files = _files(setting, list(items))
    confirmed = _confirmed(setting, ids)
    rows = setting.session.execute(
        select(Evidence, EvidenceFact)
        .join(EvidenceFact, EvidenceFact.evidence_id == Evidence.id)
        .where(Evidence.id.in_(items), known(EvidenceFact, setting.as_of))
        .order_by(Evidence.key)
    )
    posts = _posts(setting)
    return tuple(
        printed.EvidenceEntry(
            number=evidence.key,
            sentence=fact.sentence or "",
            organization=setting.nodes[evidence.organization_id].name,
            acted_on=fact.act_on,
            recorded_at=evidence.entered_at,
            uploaded_by=posts.get(evidence.entered_as, ""),
            files=tuple(files.get(evidence.id, ())),
            items=tuple(sorted(items[evidence.id])),
            sign_off=_signed_words(setting, served[evidence.id], confirmed),
            withdrawn=fact.withdrawn,
            sealed=fact.sealed_at is not None and fact.sealed_at <= setting.as_of,
        )
        for evidence, fact in rows
    )


def _files(setting: Setting, evidence: Sequence[int]) -> dict[int, list[printed.EvidenceFile]]:
    rows = setting.session.execute(
        select(EvidenceFile.evidence_id, EvidenceFile.name, StoredFile)
        .join(StoredFile, StoredFile.id == EvidenceFile.stored_file_id)
        .where(EvidenceFile.evidence_id.in_(evidence), known(EvidenceFile, setting.as_of))
        .order_by(EvidenceFile.id)
    )
    found: defaultdict[int, list[printed.EvidenceFile]] = defaultdict(list)
    for evidence_id, name, stored in rows:
        sealed = stored.sealed_at is not None and stored.sealed_at <= setting.as_of
        found[evidence_id].append(
            printed.EvidenceFile(name=name, size=stored.size, sha256=stored.sha256, sealed=sealed)
        )
    return found


def _posts(setting: Setting) -> dict[str, str]:
    """The name of the post behind the key of an appointment."""
    query = select(Appointment.key, Seat.post).join(Seat, Seat.id == Appointment.seat_id)
    return {key: setting.post(post) for key, post in setting.session.execute(query)}


def _confirmed(setting: Setting, duties: Sequence[int]) -> dict[int, datetime]:
    query = (
        select(SignOff.duty_id, func.max(SignOff.at))
        .where(SignOff.duty_id.in_(duties), SignOff.action == Action.CONFIRM, SignOff.at <= setting.as_of)
        .group_by(SignOff.duty_id)
    )
    return {row[0]: row[1] for row in setting.session.execute(query)}


def _signed_words(setting: Setting, served: set[int], confirmed: Mapping[int, datetime]) -> str:
    done = sorted(confirmed[duty] for duty in served if duty in confirmed)
    if not done:
        return setting.words(_n("尚未确认"))
    day = done[-1].astimezone(SHANGHAI).date().isoformat()
    return setting.words(_n("%(day)s 确认（%(done)s/%(all)s 项）")) % {
        "day": day,
        "done": len(done),
        "all": len(served),
    }


def _finding(setting: Setting, key: str, organization_id: int, fact: FindingFact) -> printed.Finding:
    return printed.Finding(
        number=key,
        problem=fact.problem,
        organization=setting.nodes[organization_id].name,
        post=setting.post(fact.post),
        severity=setting.words(_SEVERITIES[fact.severity]),
        measure=fact.demand,
        deadline=fact.deadline,
        regulation=fact.basis,
    )


def provenance_of(setting: Setting, *, chains: Sequence[str], software_version: str) -> printed.Provenance:
    """Where the figures come from: the list and its digest, the heads of the units' chains at the time."""
    version = setting.cycle.checklist_version
    base = provenance_of_list(version, setting.checklist, as_of=setting.as_of, software_version=software_version)
    return replace(base, log_heads=tuple(_heads(setting, chains)))


def provenance_of_list(
    version: ChecklistVersion, checklist: Checklist, *, as_of: datetime, software_version: str
) -> printed.Provenance:
    """Where a document comes from that tells of a list alone."""
    return printed.Provenance(
        as_of=as_of,
        checklist_key=version.key,
        checklist_title=version.title,
        checklist_version=version.version,
        checklist_digest=version.sha256,
        checklist_notice=checklist.notice,
        software_version=software_version,
    )


def _heads(setting: Setting, chains: Sequence[str]) -> Iterable[printed.LogHead]:
    name_of = {node.code: node.name for node in setting.nodes.values()}
    for code in chains:
        entry = setting.session.scalar(
            select(LogEntry)
            .join(LogChain, LogChain.id == LogEntry.chain_id)
            .where(LogChain.key == code, LogEntry.at <= setting.as_of)
            .order_by(LogEntry.seq.desc())
            .limit(1)
        )
        if entry is not None:
            yield printed.LogHead(unit=name_of.get(code, code), sequence=entry.seq, digest=entry.digest)


# ---------------------------------------------------------------- the self-check report of a unit


def self_check(
    session: Session, cycle: Cycle, unit_id: int, *, as_of: datetime, words: Translate, software_version: str
) -> printed.SelfCheckReport:
    """What a unit has done of what has fallen due by then: one line for each item, organization and post."""
    setting = setting_of(session, cycle, as_of=as_of, words=words)
    unit = setting.nodes[unit_id]
    duties = duties_as_of(session, cycle=cycle, as_of=as_of, units=[unit_id])
    grouped: defaultdict[tuple[int, str, str], list[DutyThen]] = defaultdict(list)
    for duty in duties:
        if duty.in_force and (duty.starts_on <= setting.day or duty.act_on is not None):
            grouped[duty.organization_id, duty.item_id, duty.post].append(duty)
    place = {node.id: number for number, node in enumerate(setting.nodes.values())}
    ordered = sorted(grouped.items(), key=lambda pair: (place.get(pair[0][0], 0), pair[0][1], pair[0][2]))
    return printed.SelfCheckReport(
        title=words(_n("%(year)s年度履责自查报告")) % {"year": cycle.year},
        unit=unit.name,
        period=_span(date(cycle.year, 1, 1), setting.day),
        lines=tuple(_self_check_line(setting, key, group) for key, group in ordered),
        provenance=provenance_of(setting, chains=[unit.code], software_version=software_version),
    )


def _self_check_line(setting: Setting, key: tuple[int, str, str], duties: Sequence[DutyThen]) -> printed.SelfCheckLine:
    organization_id, item_id, post = key
    item = setting.items[item_id]
    counted = [duty for duty in duties if duty.state not in _SET_ASIDE]
    times = [setting.timeliness(duty) for duty in counted]
    done = sum(time in {"in_time", "recorded_late", "made_up"} for time in times)
    return printed.SelfCheckLine(
        item=item_id,
        title=item.title,
        organization=setting.nodes[organization_id].name,
        post=setting.post(post),
        frequency=item.frequency.label,
        required=len(counted),
        done=done,
        timeliness=next((time for time in _FROM_WORST if time in times), ""),
        statement=_statement(setting, duties, times),
        points=Decimal(item.points),
        changed_after_signing=any(duty.is_changed for duty in duties),
    )


def _statement(setting: Setting, duties: Sequence[DutyThen], times: Sequence[str]) -> str:
    number = Counter(times)
    parts = (
        (number["in_time"], _n("按期%(n)s项")),
        (number["recorded_late"], _n("逾期录入%(n)s项")),
        (number["made_up"], _n("逾期补办%(n)s项")),
        (number["missed"], _n("逾期未办%(n)s项")),
        (number["not_due"], _n("未到期%(n)s项")),
        (sum(duty.state in _SET_ASIDE for duty in duties), _n("不适用或准予免办%(n)s项")),
    )
    return "，".join(setting.words(message) % {"n": n} for n, message in parts if n)
