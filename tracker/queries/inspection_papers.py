"""Papers of a check made of what is recorded: the notice before it, and the order to put right what was found."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from tracker.domain.inspection import KIND_NAMES, MEMBER_NAMES, SEVERITY_NAMES
from tracker.domain.paper import Block, Heading, Paper, Paragraph, Signatures, Slip, Table
from tracker.domain.text import _n
from tracker.models import Finding, FindingFact, Inspection, InspectionFact, Organization
from tracker.queries import inspections
from tracker.queries.inspection_report import CheckThen, check_then
from tracker.queries.people import names_of
from tracker.queries.reports import Setting, Translate, provenance_of, span

_WIDTHS = (5, 10, 5, 18, 12, 8, 6, 18, 8)


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
    return _paper(
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
    return words(_n("请于 %(day)s 前完成自查。系统中已有的内容不必重复填报。")) % due


def rectification_notice(
    session: Session,
    inspection: Inspection,
    unit: Organization,
    *,
    as_of: datetime,
    words: Translate,
    software_version: str,
) -> Paper:
    """The order to a unit to put right what was found there, with a slip to be signed and sent back."""
    checked = check_then(session, inspection, as_of=as_of, words=words, units=[unit.id])
    name = checked.setting.nodes[unit.id].name
    fact = inspections.fact_of(session, inspection, as_of=as_of)
    given = {"title": fact.title, "days": span(fact.starts_on, fact.ends_on), "n": len(checked.findings), "unit": name}
    blocks: list[Block] = [
        Paragraph(words(_n("在%(title)s（%(days)s）中，检查组在你单位发现下列 %(n)s 项问题，请逐项整改。")) % given),
        _problem_table(checked.setting, checked.findings),
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
            (words(_n("%(title)s整改通知书已收到，共 %(n)s 项问题。")) % given,),
            (words(_n("签收单位：%(unit)s")) % given, words(_n("签收人（签字）：")), words(_n("签收日期："))),
        ),
    ]
    return _paper(
        checked, title=words(_n("整改通知书")), blocks=blocks, addressee=name, software_version=software_version
    )


def _problem_table(setting: Setting, findings: Sequence[tuple[Finding, FindingFact]]) -> Table:
    """Findings as a table; one that the same item had in the same unit within a year is marked as repeated."""
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
            finding.key,
            setting.nodes[finding.organization_id].name,
            finding.item_id or "",
            _problem(finding, fact, words),
            fact.basis,
            setting.post(fact.post),
            words(SEVERITY_NAMES[fact.severity]),
            fact.demand,
            fact.deadline,
        )
        for finding, fact in findings
    )
    return Table(name=words(_n("问题清单")), headings=headings, rows=rows, widths=_WIDTHS)


def _problem(finding: Finding, fact: FindingFact, words: Translate) -> str:
    if finding.repeats is None:
        return fact.problem
    return words(_n("%(problem)s【一年内重复出现，前一次编号 %(earlier)s】")) % {
        "problem": fact.problem,
        "earlier": finding.repeats,
    }


def _paper(
    checked: CheckThen,
    *,
    title: str,
    blocks: Sequence[Block],
    software_version: str,
    addressee: str,
) -> Paper:
    setting = checked.setting
    root = next((node for node in setting.nodes.values() if node.parent is None), None)
    return Paper(
        title=title,
        blocks=tuple(blocks),
        provenance=provenance_of(
            setting, chains=[unit.code for unit in checked.units], software_version=software_version
        ),
        addressee=addressee,
        issuer=root.name if root else "",
        issued_on=setting.day,
    )
