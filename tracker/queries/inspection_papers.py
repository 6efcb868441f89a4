"""Papers of a check made of what is recorded: notice and self-check table before it, the order to put right after."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from sqlalchemy.orm import Session

from tracker.domain.errors import WrongState
from tracker.domain.inspection import (
    KIND_NAMES,
    MEMBER_NAMES,
    SEVERITY_NAMES,
    RectificationAction,
    RectificationState,
)
from tracker.domain.paper import Block, Cell, Heading, Paper, Paragraph, Signatures, Slip, Table
from tracker.domain.score import VERDICT_NAMES
from tracker.domain.self_check_table import Line
from tracker.domain.text import _n
from tracker.models import Inspection, InspectionFact, Organization
from tracker.queries import inspections
from tracker.queries.history import SHANGHAI
from tracker.queries.inspection_report import CheckThen, check_then, marked
from tracker.queries.people import names_of
from tracker.queries.rectification import Row, rows_of
from tracker.queries.reports import Setting, Translate, provenance_of, setting_of, span
from tracker.queries.result_papers import paper_of
from tracker.queries.self_check_tables import HandedIn, handed_in, table_of

NOT_GIVEN = _n("第 %(number)s 号督查还没有下达整改通知，检查组下达后才能打印整改通知书。")
_PUT_RIGHT = (RectificationState.REPORTED, RectificationState.CLOSED)
_WIDTHS = (9, 15, 12, 27, 26, 13, 13, 19, 22)  # millimetres


def inspection_notice(
    session: Session,
    inspection: Inspection,
    unit: Organization,
    *,
    as_of: datetime,
    words: Translate,
    software_version: str,
) -> Paper:
    """What a unit is told before it is visited; the contact is left to the pen."""
    checked = check_then(session, inspection, as_of=as_of, words=words, units=[unit.id])
    fact = inspections.fact_of(session, inspection, as_of=as_of)
    said = [
        (words(_n("一、依据")), fact.basis),
        (words(_n("二、范围")), _scope(fact, words)),
        (words(_n("三、时间")), span(fact.starts_on, fact.ends_on)),
        (words(_n("四、检查组")), _team(checked)),
        (words(_n("五、方式")), words(_n("在系统中查看佐证材料，核对签认记录；不另要求报送台账和汇报材料。"))),
        (words(_n("六、自查")), _self_check(fact, words)),
    ]
    blocks: list[Block] = []
    for heading, text in said:
        blocks += [Heading(heading), Paragraph(text)]
    blocks.append(Signatures((words(_n("联系人：")), words(_n("联系电话：")))))
    return paper_of(
        checked,
        title=words(_n("%(title)s检查通知")) % {"title": fact.title},
        blocks=blocks,
        addressee=checked.setting.nodes[unit.id].name,
        software_version=software_version,
    )


def _scope(fact: InspectionFact, words: Translate) -> str:
    items = "、".join(fact.items) if fact.items else words(_n("清单全部事项"))
    return words(_n("%(kind)s。检查时段：%(period)s。检查事项：%(items)s。")) % {
        "kind": words(KIND_NAMES[fact.kind]),
        "period": span(fact.period_starts_on, fact.period_ends_on),
        "items": items,
    }


def _team(checked: CheckThen) -> str:
    setting = checked.setting
    team = inspections.team_of(setting.session, checked.inspection, as_of=setting.as_of)
    team.sort(key=lambda member: (member[1].value, member[0].key))
    names = names_of(setting.session, [person.id for person, _ in team], as_of=setting.as_of)
    each = setting.words(_n("%(name)s（%(role)s）"))
    return "、".join(each % {"name": names[p.id], "role": setting.words(MEMBER_NAMES[role])} for p, role in team)


def _self_check(fact: InspectionFact, words: Translate) -> str:
    if fact.self_check_due_on is None:
        return words(_n("请对照责任清单自查。系统中已有的内容不必重复填报。"))
    due = {"day": fact.self_check_due_on.isoformat()}
    return words(_n("请于 %(day)s 前在系统中填写并报送自查表。系统中已有的内容不必重复填报。")) % due


def rectification_notice(
    session: Session,
    inspection: Inspection,
    unit: Organization,
    *,
    as_of: datetime,
    words: Translate,
    software_version: str,
    once_given: bool = False,
) -> Paper:
    """The order to a unit to put right what was found there, with a slip to be signed and sent back.

    What is already put right is marked so, and is no part of the number that the unit is asked for.

    With `once_given` it names the findings alone of which the unit was given notice, and there must be one.
    """
    checked = check_then(session, inspection, as_of=as_of, words=words, units=[unit.id])
    rows = rows_of(session, inspection, today=as_of.astimezone(SHANGHAI).date(), as_of=as_of, unit_id=unit.id)
    named = [row for row in rows if not once_given or row.last(RectificationAction.NOTIFY)]
    if once_given and not named:
        raise WrongState(NOT_GIVEN, number=inspection.number)
    name = checked.setting.nodes[unit.id].name
    fact = inspections.fact_of(session, inspection, as_of=as_of)
    owed = sum(row.state not in _PUT_RIGHT for row in named)
    given = {"title": fact.title, "days": span(fact.starts_on, fact.ends_on), "n": owed, "unit": name}
    blocks: list[Block] = [
        Paragraph(words(_asked(len(named), owed)) % {**given, "found": len(named), "right": len(named) - owed}),
        _problem_table(checked.setting, named),
        Paragraph(
            words(
                _n(
                    "请签收本通知，在系统中提出整改措施、责任岗位和完成日期，按期整改后报告结果，由另一名检查人员复核销号。"
                    "不能按期完成的，请在期限前说明理由，申请延期。"
                )
            )
        ),
        Signatures((words(_n("检查组组长（签字）：")),)),
        Slip(
            words(_n("回　　执")),
            (words(_n("%(title)s整改通知书已收到，须整改的问题共 %(n)s 项。")) % given,),
            (words(_n("签收单位：%(unit)s")) % given, words(_n("签收人（签字）：")), words(_n("签收日期："))),
        ),
    ]
    return paper_of(
        checked, title=words(_n("整改通知书")), blocks=blocks, addressee=name, software_version=software_version
    )


def _asked(found: int, owed: int) -> str:
    """How many problems there are, and how many of them are still to be put right."""
    if owed == found:
        return _n("在%(title)s（%(days)s）中，检查组在你单位发现下列 %(n)s 项问题，请逐项整改。")
    if not owed:
        return _n("在%(title)s（%(days)s）中，检查组在你单位发现下列 %(found)s 项问题，均已整改。")
    return _n(
        "在%(title)s（%(days)s）中，检查组在你单位发现下列 %(found)s 项问题，其中 %(right)s 项已经整改，"
        "其余 %(n)s 项请逐项整改。"
    )


def self_check_table(
    session: Session,
    inspection: Inspection,
    unit: Organization,
    *,
    as_of: datetime,
    words: Translate,
    software_version: str,
    drafts: bool = False,
) -> Paper:
    """The self-check table of a unit: what is counted, and beside it what the unit said when it handed the table in.

    Before that the unit's side is blank, to be filled in with a pen; with `drafts` it holds what the unit has saved.
    """
    fact = inspections.fact_of(session, inspection, as_of=as_of)
    if fact.self_check_due_on is None:
        raise WrongState(_n("第 %(number)s 号督查没有要求报送自查表。"), number=inspection.number)
    setting = setting_of(session, inspection.cycle, as_of=as_of, words=words)
    sent = next(iter(handed_in(session, inspection, unit, as_of=as_of)), None)
    told_at = as_of if sent is None or drafts else sent.row.at
    lines = table_of(session, inspection, unit, as_of=told_at)
    name = setting.nodes[unit.id].name
    given = {"unit": name, "title": fact.title, "period": span(fact.period_starts_on, fact.period_ends_on)}
    due = {"day": fact.self_check_due_on.isoformat()}
    blocks: list[Block] = [
        Paragraph(words(_n("督查：%(title)s。检查时段：%(period)s。")) % given),
        Paragraph(_handing_in(sent, told_at, words) or words(_n("请于 %(day)s 前填写报送。")) % due),
        _line_table(setting, lines, answered=drafts or sent is not None),
        Paragraph(words(_n("逾期办理是指逾期录入（按期办理、过期才录入）和逾期补办（过期才办理）两种情况。"))),
        Signatures((words(_n("填报人：")), words(_n("单位主要负责人（签字）：")), words(_n("日期：")))),
    ]
    return Paper(
        title=words(_n("%(unit)s自查表")) % given,
        blocks=tuple(blocks),
        provenance=provenance_of(setting, chains=[unit.code], software_version=software_version),
        issuer=name,
        wide=True,
    )


def _handing_in(sent: HandedIn | None, told_at: datetime, words: Translate) -> str:
    """Which handing in it was, whether it came late, and whether the table was changed since; empty before any."""
    if sent is None:
        return ""
    at = sent.row.at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")
    message = _n("第 %(n)s 次报送：%(at)s（逾期）。") if sent.late else _n("第 %(n)s 次报送：%(at)s。")
    said = words(message) % {"n": sent.row.number, "at": at}
    if not sent.changed:
        return said
    more = _n("下表含报送后改动、尚未重新报送的内容。") if told_at > sent.row.at else _n("报送后有改动，尚未重新报送。")
    return said + words(more)


def _line_table(setting: Setting, lines: Sequence[Line], *, answered: bool) -> Table:
    words, levels = setting.words, setting.checklist.level
    columns = (
        (_n("编号"), 8),
        (_n("事项"), 24),
        (_n("层级"), 13),
        (_n("分值"), 5),
        (_n("应办"), 5),
        (_n("按期"), 5),
        (_n("逾期办理"), 6),
        (_n("逾期未办"), 6),
        (_n("未到期"), 6),
        (_n("不适用或准予免办"), 8),
        (_n("自评结论"), 9),
        (_n("自评得分"), 6),
        (_n("说明"), 22),
    )
    rows = tuple(
        (
            line.item_id,
            line.title,
            levels[line.level].name if line.level in levels else line.level,
            line.points,
            line.counts.required,
            line.counts.in_time,
            line.counts.late,
            line.counts.missing,
            line.counts.not_due,
            line.counts.set_aside,
            *(_answered(line, words) if answered else (None, None, None)),
        )
        for line in lines
    )
    headings = tuple(words(heading) for heading, _ in columns)
    return Table(words(_n("自查内容")), headings, rows, tuple(width for _, width in columns))


def _answered(line: Line, words: Translate) -> tuple[Cell, Cell, Cell]:
    answer = line.answer
    value = words(VERDICT_NAMES[answer.value]) if answer.value else None
    points = Decimal(answer.tenths) / 10 if answer.tenths is not None else None
    return value, points, answer.statement or None


def _problem_table(setting: Setting, findings: Sequence[Row]) -> Table:
    """Findings as a table, marked if the same item had one in the unit within a year, and if it is put right."""
    words = setting.words
    headings = (
        words(_n("编号")),
        words(_n("组织")),
        words(_n("事项")),
        words(_n("问题")),
        words(_n("依据")),
        words(_n("责任岗位")),
        words(_n("程度")),
        words(_n("整改要求")),
        words(_n("整改期限")),
    )
    rows = tuple(
        (
            row.finding.key,
            setting.nodes[row.finding.organization_id].name,
            row.finding.item_id or "",
            _problem(row, words),
            row.fact.basis,
            setting.post(row.fact.post),
            words(SEVERITY_NAMES[row.fact.severity]),
            row.fact.demand,
            row.fact.deadline,
        )
        for row in findings
    )
    return Table(name=words(_n("问题清单")), headings=headings, rows=rows, widths=_WIDTHS)


def _problem(row: Row, words: Translate) -> str:
    said = marked(row.finding, row.fact, words)
    if row.state not in _PUT_RIGHT:
        return said
    closed = row.state is RectificationState.CLOSED
    return words(_n("%(problem)s【已销号】") if closed else _n("%(problem)s【已整改】")) % {"problem": said}
