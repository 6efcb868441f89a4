"""Packets as they were known at a time: of a check, of a quarter of a unit, and the book of all units of a check."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain.canonical import canonical_json, moment
from tracker.domain.inspection import (
    RECTIFICATION_ACTION_NAMES,
    RECTIFICATION_STATE_NAMES,
    STATE_AFTER,
    RectificationAction,
    RectificationState,
)
from tracker.domain.log import ENTRY_FORM, Entry
from tracker.domain.packet import (
    PacketChain,
    PacketChecklist,
    PacketDuty,
    PacketFacts,
    PacketKind,
    PacketOrganization,
)
from tracker.domain.packet_parts import (
    BodyPart,
    PacketValues,
    QuarterPart,
    Rectification,
    RectificationLine,
    RectificationPart,
    ReportPart,
    StatisticsPart,
)
from tracker.domain.text import _n
from tracker.models import (
    Cycle,
    Evidence,
    Finding,
    FindingFact,
    Inspection,
    LogChain,
    Organization,
    RectificationStep,
)
from tracker.queries import inspections
from tracker.queries.duties import DutyThen, duties_as_of
from tracker.queries.history import SHANGHAI
from tracker.queries.inspection_report import FORMULA, CheckThen, check_then, marked, report_of
from tracker.queries.log import chains, entries_of
from tracker.queries.organizations import Node
from tracker.queries.packet_evidence import Serving, Signed, evidence_parts, packet_record, serving, signed
from tracker.queries.people import names_of
from tracker.queries.reports import Setting, Translate, provenance_of, setting_of, span
from tracker.queries.self_check import check_of

BOOK = "_book"  # stands in a number where others have a unit's code: no code has such a character


def inspection_packet(
    session: Session,
    inspection: Inspection,
    *,
    unit: Organization | None,
    as_of: datetime,
    words: Translate,
    language: str,
    software_version: str,
) -> PacketValues:
    """The packet of a check, or of one unit in it."""
    chosen = None if unit is None else [unit.id]
    visited = inspections.units_of(session, inspection, as_of=as_of)
    checked = check_then(session, inspection, as_of=as_of, words=words, units=chosen)
    setting, report = checked.setting, report_of(checked, software_version=software_version)
    rectified = _rectifications(checked)
    verdicts = {number: row.value.value for number, row in checked.verdicts.items()}
    scope = _Scope(
        number=_number(setting, str(inspection.number), unit.code if unit else "", language),
        kind=PacketKind.INSPECTION,
        title=report.cover.title,
        inspection=inspection,
        period=_period_of(checked),
        language=language,
        is_partial=len(checked.units) < len(visited),
    )
    return _values(
        setting,
        scope,
        units=[setting.nodes[each.id] for each in checked.units],
        sampled=checked.duties,
        verdicts=verdicts,
        body=(ReportPart(report=report), *([RectificationPart(rectifications=rectified)] if rectified else [])),
        software_version=software_version,
    )


def quarter_packet(
    session: Session,
    cycle: Cycle,
    unit: Organization,
    *,
    quarter: int,
    as_of: datetime,
    words: Translate,
    language: str,
    software_version: str,
) -> PacketValues:
    """What a unit did of what was to be done by the end of quarter 1 to 4 of a year, however late it was due."""
    setting = setting_of(session, cycle, as_of=as_of, words=words)
    first, last = quarter_days(cycle.year, quarter)
    owed = duties_as_of(session, cycle=cycle, as_of=as_of, units=[unit.id])
    place = {number: index for index, number in enumerate(setting.nodes)}
    due = [duty for duty in owed if duty.in_force and first <= duty.ends_on <= last]
    due.sort(key=lambda duty: (place[duty.organization_id], duty.item_id, duty.starts_on, duty.key))
    title = words(_n("%(year)s年第%(quarter)s季度履责纪实")) % {"year": cycle.year, "quarter": quarter}
    report = check_of(setting, unit.id, due, title=title, period=span(first, last), software_version=software_version)
    scope = _Scope(
        number=_number(setting, f"Q{quarter}", unit.code, language),
        kind=PacketKind.QUARTER,
        title=title,
        inspection=None,
        period=(first, last),
        language=language,
    )
    return _values(
        setting,
        scope,
        units=[setting.nodes[unit.id]],
        sampled=due,
        verdicts={},
        body=(QuarterPart(report=report),),
        software_version=software_version,
        owed=owed,
    )


def city_book(
    session: Session,
    inspection: Inspection,
    *,
    as_of: datetime,
    words: Translate,
    language: str,
    software_version: str,
) -> PacketValues:
    """The book of a check: statistics, then the report of every unit; evidence stands in the packets of the units."""
    whole = check_then(session, inspection, as_of=as_of, words=words)
    setting, report = whole.setting, report_of(whole, software_version=software_version)
    statistics = StatisticsPart(
        title=words(_n("总体情况")),
        by_unit=report.by_unit,
        by_level=report.by_level,
        by_dimension=report.by_dimension,
        formula=words(FORMULA),
    )
    reports = [
        ReportPart(
            report=report_of(_only(whole, unit), software_version=software_version), heading=setting.nodes[unit.id].name
        )
        for unit in whole.units
    ]
    scope = _Scope(
        number=_number(setting, str(inspection.number), BOOK, language),
        kind=PacketKind.BOOK,
        title=report.cover.title,
        inspection=inspection,
        period=_period_of(whole),
        language=language,
    )
    return _values(
        setting,
        scope,
        units=[setting.nodes[unit.id] for unit in whole.units],
        sampled=(),
        verdicts={},
        body=(statistics, *reports),
        software_version=software_version,
        owed=(),
    )


def quarter_days(year: int, quarter: int) -> tuple[date, date]:
    """The first and the last day of a quarter."""
    after = date(year + quarter // 4, quarter % 4 * 3 + 1, 1)
    return date(year, quarter * 3 - 2, 1), date.fromordinal(after.toordinal() - 1)


# ---------------------------------------------------------------- what all packets share


@dataclass(frozen=True)
class _Scope:
    """What a packet is, apart from what is in it; `is_partial` when the check visits more units than it tells of."""

    number: str
    kind: PacketKind
    title: str
    inspection: Inspection | None
    period: tuple[date, date]
    language: str
    is_partial: bool = False


def _number(setting: Setting, subject: str, unit: str, language: str) -> str:
    """The number of a packet: what it is about, as of when, in which language; the same state has the same number."""
    when = setting.as_of.astimezone(SHANGHAI)
    # An as-of day ends with its last microsecond: that one needs no digits of its own.
    digits = when.strftime("%Y%m%d%H%M%S") + (when.strftime("%f") if when.microsecond not in {0, 999_999} else "")
    tongue = "" if language == "zh" else language.upper()
    return "-".join(part for part in (str(setting.cycle.year), subject, unit, digits, tongue) if part)


def _period_of(checked: CheckThen) -> tuple[date, date]:
    fact = inspections.fact_of(checked.setting.session, checked.inspection, as_of=checked.setting.as_of)
    return fact.period_starts_on, fact.period_ends_on


def _only(whole: CheckThen, unit: Organization) -> CheckThen:
    """What was known of one unit of the check."""
    return CheckThen(
        whole.setting,
        whole.inspection,
        [unit],
        [duty for duty in whole.duties if duty.unit_id == unit.id],
        whole.verdicts,
        [(finding, fact) for finding, fact in whole.findings if finding.unit_id == unit.id],
    )


def _values(
    setting: Setting,
    scope: _Scope,
    *,
    units: Sequence[Node],
    sampled: Sequence[DutyThen],
    verdicts: Mapping[int, str],
    body: tuple[BodyPart, ...],
    software_version: str,
    owed: Sequence[DutyThen] | None = None,
) -> PacketValues:
    if owed is None:
        owed = duties_as_of(
            setting.session, cycle=setting.cycle, as_of=setting.as_of, units=[unit.id for unit in units]
        )
    found, signatures = serving(setting, sampled, owed), signed(setting, sampled)
    facts = _facts(setting, scope, units, sampled, verdicts, found, signatures)
    root = next((node for node in setting.nodes.values() if node.parent is None), None)
    return PacketValues(
        facts=facts,
        issuer=root.name if root else "",
        period=span(*scope.period),
        units=tuple(unit.name for unit in units),
        body=body,
        evidence=evidence_parts(setting, found, sampled, signatures, verdicts if scope.inspection else None),
        provenance=provenance_of(setting, chains=[unit.code for unit in units], software_version=software_version),
    )


def _facts(
    setting: Setting,
    scope: _Scope,
    units: Sequence[Node],
    sampled: Sequence[DutyThen],
    verdicts: Mapping[int, str],
    found: Serving,
    signatures: Signed,
) -> PacketFacts:
    version = setting.cycle.checklist_version
    serves = _keys_by_duty(found)
    duties = tuple(_duty(setting, duty, verdicts.get(duty.id), serves, signatures) for duty in sampled)
    records = tuple(packet_record(setting, found, evidence, fact) for evidence, fact in found.records)
    named = {duty.organization for duty in duties} | {record.organization for record in records}
    named |= {each.organization for each in signatures.appointments} | {unit.code for unit in units}
    concerns = {("duty", duty.key) for duty in duties} | {("evidence", record.key) for record in records}
    if scope.inspection is not None and not scope.is_partial:  # its entries name every unit and the whole team
        concerns.add(("inspection", str(scope.inspection.number)))
    return PacketFacts(
        number=scope.number,
        kind=scope.kind,
        title=scope.title,
        inspection=str(scope.inspection.number) if scope.inspection else None,
        units=tuple(unit.code for unit in units),
        period=scope.period,
        as_of=setting.as_of,
        language=scope.language,
        checklist=PacketChecklist(
            key=version.key,
            version=version.version,
            title=version.title,
            sha256=version.sha256,
            source=version.source,
        ),
        organizations=_organizations(setting, named),
        people=signatures.people,
        appointments=signatures.appointments,
        duties=duties,
        evidence=records,
        log=() if scope.kind is PacketKind.BOOK else tuple(_chain(setting, unit.code, concerns) for unit in units),
    )


def _keys_by_duty(found: Serving) -> dict[int, list[str]]:
    """The keys of the records that serve each duty, in the order of the packet."""
    keys: dict[int, list[str]] = {}
    for evidence, _ in found.records:
        for duty in found.duties.get(evidence.id, ()):
            keys.setdefault(duty.id, []).append(evidence.key)
    return keys


def _organizations(setting: Setting, named: Collection[str]) -> tuple[PacketOrganization, ...]:
    return tuple(
        PacketOrganization(code=node.code, name=node.name, level=node.level, parent=node.parent, unit=node.unit)
        for node in setting.nodes.values()
        if node.code in named
    )


def _duty(
    setting: Setting,
    duty: DutyThen,
    verdict: str | None,
    serves: Mapping[int, Sequence[str]],
    signatures: Signed,
) -> PacketDuty:
    return PacketDuty(
        key=duty.key,
        organization=setting.nodes[duty.organization_id].code,
        item=duty.item_id,
        item_digest=duty.item_digest,
        title=setting.items[duty.item_id].title,
        post=duty.post,
        period=duty.period,
        occurrence=duty.occurrence,
        due_on=duty.due_on,
        state=duty.shown.value,
        timeliness=setting.timeliness(duty),
        act_on=duty.act_on,
        changed_after_signing=duty.is_changed,
        content_digest=duty.content_digest,
        evidence=tuple(serves.get(duty.id, ())),
        verdict=verdict,
        sign_offs=signatures.by_duty.get(duty.id, ()),
    )


# ---------------------------------------------------------------- the log


def _chain(setting: Setting, code: str, concerns: Collection[tuple[str, str]]) -> PacketChain:
    """A unit's chain up to the as-of time: every entry, with the payloads of those that concern the packet."""
    row = next(iter(chains(setting.session, code)), None)
    entries = _until(setting.session, row, setting.as_of) if row else []
    lines = b"".join(_line(entry, shown=(entry.object_kind, entry.object_key) in concerns) for entry in entries)
    head = (entries[-1].seq, entries[-1].digest) if entries else None
    return PacketChain(chain=code, entries=len(entries), head=head, lines=lines)


def _until(session: Session, row: LogChain, as_of: datetime) -> list[Entry]:
    """The entries from the first to the last one written by then: a clock that went back leaves no hole."""
    entries = list(entries_of(session, row))
    last = next((number for number in range(len(entries), 0, -1) if entries[number - 1].at <= as_of), 0)
    return entries[:last]


def _line(entry: Entry, *, shown: bool) -> bytes:
    payload = entry.payload.decode("utf-8") if shown and entry.payload is not None else None
    members = {
        "form": ENTRY_FORM,
        "chain": entry.chain,
        "seq": entry.seq,
        "at": moment(entry.at),
        "act_id": entry.act_id,
        "actor": entry.actor,
        "appointment": entry.appointment,
        "verb": entry.verb,
        "object_kind": entry.object_kind,
        "object_key": entry.object_key,
        "payload_digest": entry.payload_digest,
        "request_id": entry.request_id,
        "previous": entry.previous,
    }
    added = {"digest": entry.digest, "payload": payload, "sealed": entry.payload is None}
    return canonical_json(members | added) + b"\n"


# ---------------------------------------------------------------- rectification


def _rectifications(checked: CheckThen) -> tuple[Rectification, ...]:
    """Every finding with every step by then, where a step was taken on any of them."""
    setting = checked.setting
    steps = setting.session.execute(
        select(RectificationStep, Evidence.key)
        .outerjoin(Evidence, Evidence.id == RectificationStep.evidence_id)
        .where(
            RectificationStep.finding_id.in_([finding.id for finding, _ in checked.findings]),
            RectificationStep.at <= setting.as_of,
        )
        .order_by(RectificationStep.finding_id, RectificationStep.number)
    ).all()
    names = names_of(setting.session, [step.person_id for step, _ in steps], as_of=setting.as_of)
    taken: dict[int, list[tuple[RectificationStep, RectificationLine]]] = {}
    for step, evidence in steps:
        line = _step(setting, step, evidence, names[step.person_id])
        taken.setdefault(step.finding_id, []).append((step, line))
    if not taken:
        return ()
    return tuple(
        _rectification(setting, finding, fact, taken.get(finding.id, [])) for finding, fact in checked.findings
    )


def _step(setting: Setting, step: RectificationStep, evidence: str | None, person: str) -> RectificationLine:
    return RectificationLine(
        at=step.at,
        action=setting.words(RECTIFICATION_ACTION_NAMES[step.action]),
        person=person,
        text=_said(setting, step),
        deadline=step.deadline,
        evidence=evidence or "",
    )


def _said(setting: Setting, step: RectificationStep) -> str:
    """The words of a step; of measures with the post that takes them and the day they are planned for."""
    if step.post is None:
        return step.text
    said = setting.words(_n("%(text)s（责任岗位：%(post)s，计划 %(day)s 完成）"))
    return said % {"text": step.text, "post": setting.post(step.post), "day": step.planned_on}


def _rectification(
    setting: Setting,
    finding: Finding,
    fact: FindingFact,
    taken: Sequence[tuple[RectificationStep, RectificationLine]],
) -> Rectification:
    granted = [step.deadline for step, _ in taken if step.action is RectificationAction.GRANT_EXTENSION]
    state = STATE_AFTER[taken[-1][0].action] if taken else RectificationState.NOT_STARTED
    return Rectification(
        number=finding.key,
        problem=marked(finding, fact, setting.words),
        organization=setting.nodes[finding.organization_id].name,
        post=setting.post(fact.post),
        demand=fact.demand,
        deadline=granted[-1] if granted else fact.deadline,
        state=setting.words(RECTIFICATION_STATE_NAMES[state]),
        lines=tuple(line for _, line in taken),
    )
