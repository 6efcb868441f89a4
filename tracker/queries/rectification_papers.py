"""The rectification ledger on paper, with measures, extensions, results and closing; and the record of a look-back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from tracker.domain.errors import WrongState
from tracker.domain.inspection import KIND_NAMES, RECTIFICATION_STATE_NAMES, SEVERITY_NAMES, InspectionKind
from tracker.domain.inspection import RectificationAction as A
from tracker.domain.inspection import RectificationState as S
from tracker.domain.paper import Block, Cell, Paper, Paragraph, Table
from tracker.domain.text import _n
from tracker.models import Inspection, Organization
from tracker.queries import inspections
from tracker.queries.history import SHANGHAI
from tracker.queries.inspection_report import CheckThen, check_then, marked
from tracker.queries.look_back import Drawn, Seen, drawn_of, seen_of
from tracker.queries.rectification import Row, StepLine, rows_of
from tracker.queries.reports import Setting, Translate, provenance_of

COLUMNS = (
    (_n("编号"), 4),
    (_n("组织"), 6),
    (_n("问题"), 12),
    (_n("程度"), 4),
    (_n("整改措施"), 12),
    (_n("整改责任岗位"), 6),
    (_n("整改期限"), 8),
    (_n("延期情况"), 10),
    (_n("状态"), 5),
    (_n("整改结果"), 10),
    (_n("佐证编号"), 8),
    (_n("复核"), 8),
)


def rectification_ledger(
    session: Session, inspection: Inspection, *, as_of: datetime, words: Translate, software_version: str = ""
) -> Paper:
    """The ledger of a check, for its team: units in official order."""
    checked = check_then(session, inspection, as_of=as_of, words=words)
    return _ledger(checked, words(_n("整改台账")), software_version)


def unit_rectification_ledger(
    session: Session,
    inspection: Inspection,
    unit: Organization,
    *,
    as_of: datetime,
    words: Translate,
    software_version: str = "",
) -> Paper:
    """The ledger of one unit in a check, for the unit and for the team."""
    checked = check_then(session, inspection, as_of=as_of, words=words, units=[unit.id])
    title = words(_n("%(unit)s整改台账")) % {"unit": checked.setting.nodes[unit.id].name}
    return _ledger(checked, title, software_version)


def _ledger(checked: CheckThen, title: str, software_version: str) -> Paper:
    setting = checked.setting
    units = {unit.id: place for place, unit in enumerate(checked.units)}
    rows = rows_of(setting.session, checked.inspection, today=setting.day, as_of=setting.as_of)
    rows = [row for row in rows if row.finding.unit_id in units]
    rows.sort(key=lambda row: (units[row.finding.unit_id], row.finding.number))
    fact = inspections.fact_of(setting.session, checked.inspection, as_of=setting.as_of)
    blocks: list[Block] = [
        Paragraph(_summary(setting, fact.title, rows)),
        Table.of(setting.words, _n("整改台账"), COLUMNS, (_cells(setting, row) for row in rows)),
    ]
    root = next((node for node in setting.nodes.values() if node.parent is None), None)
    return Paper(
        title=title,
        blocks=tuple(blocks),
        provenance=provenance_of(
            setting, chains=[unit.code for unit in checked.units], software_version=software_version
        ),
        issuer=root.name if root else "",
        issued_on=setting.day,
        wide=True,
    )


def _summary(setting: Setting, title: str, rows: Sequence[Row]) -> str:
    states = Counter(row.state for row in rows)
    counted = "，".join(f"{setting.words(RECTIFICATION_STATE_NAMES[state])} {states[state]}" for state in S)
    said = setting.words(
        _n("%(title)s共有问题 %(n)s 个：%(states)s；其中超期 %(late)s 个，一年内重复出现 %(again)s 个。")
    )
    return said % {
        "title": title,
        "n": len(rows),
        "states": counted,
        "late": sum(row.overdue for row in rows),
        "again": sum(row.finding.repeats is not None for row in rows),
    }


def _cells(setting: Setting, row: Row) -> tuple[Cell, ...]:
    words, measure, result = setting.words, row.last(A.MEASURE), row.last(A.REPORT, A.FIX)
    state = words(RECTIFICATION_STATE_NAMES[row.state])
    return (
        row.finding.key,
        setting.nodes[row.finding.organization_id].name,
        marked(row.finding, row.fact, words),
        words(SEVERITY_NAMES[row.fact.severity]),
        _measure(setting, measure),
        setting.post(measure.step.post if measure and measure.step.post else row.fact.post),
        row.deadline,
        _extensions(setting, row),
        words(_n("%(state)s（超期）")) % {"state": state} if row.overdue else state,
        result.step.text if result else "",
        "、".join(line.evidence for line in row.steps if line.evidence),
        _second_look(setting, row),
    )


def _measure(setting: Setting, line: StepLine | None) -> str:
    if line is None:
        return ""
    said = setting.words(_n("%(text)s（计划 %(day)s 完成）"))
    return said % {"text": line.step.text, "day": line.step.planned_on}


def _extensions(setting: Setting, row: Row) -> str:
    """Every request and decision with its reason, so that an extension stays visible; the first deadline is named."""
    ways = {
        A.ASK_EXTENSION: _n("申请延期到 %(day)s：%(text)s"),
        A.GRANT_EXTENSION: _n("同意延期到 %(day)s：%(text)s"),
        A.REFUSE_EXTENSION: _n("不同意延期：%(text)s"),
    }
    said = [
        setting.words(ways[line.step.action]) % {"day": line.step.deadline, "text": line.step.text}
        for line in row.steps
        if line.step.action in ways
    ]
    if row.deadline != row.fact.deadline:
        said.append(setting.words(_n("原期限 %(day)s")) % {"day": row.fact.deadline})
    return "；".join(said)


def _second_look(setting: Setting, row: Row) -> str:
    """Who looked at it last, when, and with what outcome."""
    ways = {A.CLOSE: _n("%(day)s %(person)s复核销号：%(text)s"), A.RETURN: _n("%(day)s %(person)s退回：%(text)s")}
    last = row.last(*ways)
    if last is None:
        return ""
    day = last.step.at.astimezone(SHANGHAI).date()
    return setting.words(ways[last.step.action]) % {"day": day, "person": last.person, "text": last.step.text}


def look_back_record(
    session: Session, inspection: Inspection, *, as_of: datetime, words: Translate, software_version: str = ""
) -> Paper:
    """What a look-back drew by which seed, and what it says of each finding. Raises WrongState before the draw."""
    checked = check_then(session, inspection, as_of=as_of, words=words)
    setting, found = checked.setting, drawn_of(session, inspection, as_of=as_of)
    if found is None:
        raise WrongState(_n("本次督查没有抽取已销号的问题，没有回头看记录。"))
    seen = seen_of(session, inspection, today=setting.day, as_of=as_of)
    held = [one.verdict.held for one in seen if one.verdict]
    told = {
        "seed": found.draw.seed,
        "population": found.draw.population_size,
        "picked": found.draw.picked_size,
        "held": held.count(True),
        "back": held.count(False),
        "unseen": len(seen) - len(held),
        "sha256": found.draw.population_sha256,
        "amount": _amount(setting, found),
    }
    blocks: list[Block] = [
        Paragraph(words(_n("以前的督查中已销号的问题共 %(population)s 个，%(amount)s，抽取 %(picked)s 个。")) % told),
        Paragraph(words(_n("抽样种子：%(seed)s。总体名单的 SHA-256：%(sha256)s。")) % told),
        Paragraph(words(_n("整改到位 %(held)s 个，问题反弹 %(back)s 个，未核查 %(unseen)s 个。")) % told),
        _seen_table(setting, seen),
    ]
    fact = inspections.fact_of(session, inspection, as_of=as_of)
    return Paper(
        title=_record_title(fact.title, words),
        blocks=tuple(blocks),
        provenance=provenance_of(
            setting, chains=[unit.code for unit in checked.units], software_version=software_version
        ),
        issued_on=setting.day,
    )


def _record_title(title: str, words: Translate) -> str:
    """The title of the record, which says once that it is a look-back where the check is called one itself."""
    called = KIND_NAMES[InspectionKind.LOOK_BACK]  # as people write it, whatever the language of the paper
    return words(_n("%(title)s记录") if called in title else _n("%(title)s回头看记录")) % {"title": title}


def _amount(setting: Setting, found: Drawn) -> str:
    if found.rule.percent is not None:
        return setting.words(_n("按百分之 %(percent)s 抽取")) % {"percent": f"{found.rule.percent:f}"}
    return setting.words(_n("按数量 %(n)s 个抽取")) % {"n": found.rule.number}


def _seen_table(setting: Setting, seen: Sequence[Seen]) -> Table:
    columns = (
        (_n("编号"), 4),
        (_n("组织"), 8),
        (_n("问题"), 14),
        (_n("销号"), 10),
        (_n("核查结论"), 6),
        (_n("说明"), 12),
        (_n("核查人"), 5),
    )
    rows: list[tuple[Cell, ...]] = [
        (
            one.row.finding.key,
            setting.nodes[one.row.finding.organization_id].name,
            marked(one.row.finding, one.row.fact, setting.words),
            _second_look(setting, one.row),
            _outcome(setting, one),
            one.verdict.note if one.verdict else "",
            one.person,
        )
        for one in seen
    ]
    headings = tuple(setting.words(heading) for heading, _ in columns)
    return Table(setting.words(_n("回头看的问题")), headings, tuple(rows), tuple(width for _, width in columns))


def _outcome(setting: Setting, one: Seen) -> str:
    if one.verdict is None:
        return setting.words(_n("未核查"))
    return setting.words(_n("整改到位") if one.verdict.held else _n("问题反弹"))
