"""What comes of a check, on paper: report of a unit, summary, circular, list of problems, as known at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from tracker.domain.good_practice import GoodPracticeState
from tracker.domain.inspection import SEVERITY_NAMES
from tracker.domain.paper import Annex, Block, Cell, Heading, Paper, Paragraph, Table
from tracker.domain.score import VERDICT_NAMES, ItemScore, Verdict, exact, level_score, unit_level_score
from tracker.domain.text import _n
from tracker.models import Inspection, Organization
from tracker.queries import inspections
from tracker.queries.circulars import words_of
from tracker.queries.good_practice import of_inspection
from tracker.queries.inspection_report import FORMULA, CheckThen, check_then, sample_of
from tracker.queries.report_scores import Scores, rounded, score_lines, scores_in
from tracker.queries.reports import Translate, provenance_of, span
from tracker.queries.result_pictures import pictures_of


def unit_report(
    session: Session,
    inspection: Inspection,
    unit: Organization,
    *,
    as_of: datetime,
    words: Translate,
    software_version: str = "",
) -> Paper:
    """The result of a check in one unit: facts, scores with the sums behind them, verdicts, problems, good practice."""
    checked = check_then(session, inspection, as_of=as_of, words=words, units=[unit.id])
    scores = scores_in(checked.setting, inspection, checked.duties, checked.verdicts)
    blocks: list[Block] = [
        Heading(words(_n("一、督查情况"))),
        *_facts(checked),
        Heading(words(_n("二、得分"))),
        Paragraph(words(FORMULA)),
        _score_sums(checked, scores),
        _item_sums(checked, scores),
        Heading(words(_n("三、核查结论"))),
        _verdicts(checked),
        Heading(words(_n("四、存在问题"))),
        _problems(checked),
        Heading(words(_n("五、亮点做法"))),
        _practices(checked),
        *_drawn(checked, _n("六、图示")),
    ]
    title = words(_n("%(unit)s督查结果报告")) % {"unit": checked.setting.nodes[unit.id].name}
    return paper_of(checked, title, blocks, software_version)


def team_summary(
    session: Session, inspection: Inspection, *, as_of: datetime, words: Translate, software_version: str = ""
) -> Paper:
    """The team's own summary: its words, the numbers of each unit, and the sums behind the scores."""
    checked = check_then(session, inspection, as_of=as_of, words=words)
    scores = scores_in(checked.setting, inspection, checked.duties, checked.verdicts)
    numbers: list[Block] = [
        Heading(words(_n("五、各单位核查情况"))),
        _counts(checked),
        Heading(words(_n("六、得分"))),
        Paragraph(words(FORMULA)),
        _score_sums(checked, scores),
    ]
    blocks = [*_facts(checked), *_said(checked, "summary"), *numbers, *_drawn(checked, _n("七、图示"))]
    return paper_of(checked, words(_n("检查组工作小结")), blocks, software_version)


def circular(
    session: Session, inspection: Inspection, *, as_of: datetime, words: Translate, software_version: str = ""
) -> Paper:
    """The circular to all units; units by score only where an administrator turned that on."""
    checked = check_then(session, inspection, as_of=as_of, words=words)
    scores = scores_in(checked.setting, inspection, checked.duties, checked.verdicts)
    fact = inspections.fact_of(session, inspection, as_of=as_of)
    tables = _by_score(checked, scores) if fact.ranked else [_score_sums(checked, scores, sums=False)]
    order = _n("各单位得分（按得分排列）") if fact.ranked else _n("各单位得分（按规定次序排列）")
    practices = _practices(checked)
    shared: list[Block] = [Annex(words(_n("亮点做法"))), practices] if practices.rows else []
    blocks = [*_said(checked, "circular"), *shared, Annex(words(order)), *tables]
    title = words(_n("关于%(title)s情况的通报")) % {"title": fact.title}
    return paper_of(checked, title, blocks, software_version, addressee=words(_n("各有关单位")))


def problem_list(
    session: Session, inspection: Inspection, *, as_of: datetime, words: Translate, software_version: str = ""
) -> Paper:
    """Every problem found, units in official order."""
    checked = check_then(session, inspection, as_of=as_of, words=words)
    return paper_of(checked, words(_n("问题清单")), [_problems(checked, wide=True)], software_version, wide=True)


def paper_of(
    checked: CheckThen,
    title: str,
    blocks: Sequence[Block],
    software_version: str,
    *,
    addressee: str = "",
    wide: bool = False,
) -> Paper:
    """A paper on a check, issued by the body at the root of the tree as it was known then."""
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
        wide=wide,
    )


def _facts(checked: CheckThen) -> list[Block]:
    setting = checked.setting
    fact = inspections.fact_of(setting.session, checked.inspection, as_of=setting.as_of)
    judged = sum(duty.id in checked.verdicts for duty in checked.duties)
    names = "、".join(setting.nodes[unit.id].name for unit in checked.units)
    rows: list[tuple[Cell, ...]] = [
        (setting.words(_n("名称")), fact.title),
        (setting.words(_n("依据")), fact.basis),
        (setting.words(_n("被检查单位")), names),
        (setting.words(_n("检查时间")), span(fact.starts_on, fact.ends_on)),
        (setting.words(_n("检查时段")), span(fact.period_starts_on, fact.period_ends_on)),
        (setting.words(_n("抽查任务数")), str(len(checked.duties))),
        (setting.words(_n("已核查数")), str(judged)),
    ]
    return [Table.of(checked.setting.words, _n("督查情况"), ((_n("项目"), 2), (_n("内容"), 6)), rows)]


def _said(checked: CheckThen, paper: str) -> list[Block]:
    words, said = checked.setting.words, words_of(checked, paper)
    parts = (
        (_n("一、总体情况"), said.overall),
        (_n("二、亮点做法"), said.good_practice),
        (_n("三、存在问题"), said.problems),
        (_n("四、整改要求"), said.demands),
    )
    blocks: list[Block] = []
    for heading, text in parts:
        blocks.append(Heading(words(heading)))
        blocks.extend(Paragraph(line) for line in text.splitlines() if line.strip())
    return blocks


def _counts(checked: CheckThen) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for unit in checked.units:
        duties = [duty for duty in checked.duties if duty.unit_id == unit.id]
        given = Counter(checked.verdicts[duty.id].value for duty in duties if duty.id in checked.verdicts)
        found = sum(finding.unit_id == unit.id for finding, _ in checked.findings)
        name = checked.setting.nodes[unit.id].name
        rows.append((name, len(duties), *(given[value] for value in Verdict), found))
    verdicts = [(VERDICT_NAMES[value], 2) for value in Verdict]
    columns = [(_n("单位"), 5), (_n("抽查任务数"), 2), *verdicts, (_n("问题数"), 2)]
    return Table.of(checked.setting.words, _n("各单位核查情况"), columns, rows)


def _drawn(checked: CheckThen, heading: str) -> list[Block]:
    """The pictures under their heading; nothing where nothing was sampled."""
    pictures = pictures_of(sample_of(checked))
    return [Heading(checked.setting.words(heading)), *pictures] if pictures else []


def _score_sums(checked: CheckThen, scores: Scores, *, sums: bool = True) -> Table:
    """The score of each unit at each level, units in official order."""
    lines = score_lines(checked.setting, scores)
    columns = [(_n("单位"), 5), (_n("层级"), 3), (_n("组织数"), 2), (_n("得分"), 2)]
    rows: list[tuple[Cell, ...]] = [(line.unit, line.level, line.organizations, line.score) for line in lines]
    if sums:
        columns.append((_n("计算"), 6))
        rows = [(*row, line.working) for row, line in zip(rows, lines, strict=True)]
    return Table.of(checked.setting.words, _n("各层级得分"), columns, rows)


def _by_score(checked: CheckThen, scores: Scores) -> list[Table]:
    """A table for each level, since levels are not added up: the highest score first, equal ones side by side."""
    setting = checked.setting
    tables = []
    for level in setting.checklist.levels:
        ordered = []
        for unit in checked.units:
            nodes = [n for n in scores if setting.nodes[n].unit_id == unit.id and setting.nodes[n].level == level.id]
            value = unit_level_score(level_score(item.score for item in scores[node].values()) for node in nodes)
            if value is not None:
                ordered.append((value, setting.nodes[unit.id].name))
        ordered.sort(key=lambda pair: -pair[0])  # stable: equal scores stay in official order
        rows = [
            (1 + sum(other > value for other, _ in ordered), name, level.name, rounded(value))
            for value, name in ordered
        ]
        if rows:
            columns = ((_n("名次"), 1), (_n("单位"), 5), (_n("层级"), 3), (_n("得分"), 2))
            table = Table.of(checked.setting.words, _n("各层级得分"), columns, rows)
            tables.append(Table(f"{table.name}（{level.name}）", table.headings, table.rows, table.widths))
    return tables


def _item_sums(checked: CheckThen, scores: Scores) -> Table:
    setting = checked.setting
    rows: list[tuple[Cell, ...]] = []
    for node in setting.nodes.values():
        for item_id, item in sorted(scores.get(node.id, {}).items()):
            value = item.score.value
            given = item.reason if item.score.overruled is not None else ""
            rows.append(
                (
                    node.name,
                    f"{item_id} {setting.items[item_id].title}",
                    item.score.formula or setting.words(_left_out(item.score)),
                    exact(value) if value is not None else "—",
                    given,
                )
            )
    columns = ((_n("组织"), 28), (_n("事项"), 45), (_n("计算"), 47), (_n("得分"), 12), (_n("改定理由"), 24))
    return Table.of(checked.setting.words, _n("各事项得分"), columns, rows)


def _left_out(score: ItemScore) -> str:
    """Why an item stands in no sum."""
    return _n("不适用，不计入") if score.not_applicable else _n("尚未核查，不计入")


def _verdicts(checked: CheckThen) -> Table:
    setting = checked.setting
    rows: list[tuple[Cell, ...]] = []
    for duty in checked.duties:
        verdict = checked.verdicts.get(duty.id)
        rows.append(
            (
                setting.nodes[duty.organization_id].name,
                f"{duty.item_id} {setting.items[duty.item_id].title}",
                setting.post(duty.post),
                setting.period(duty.period),
                setting.words(VERDICT_NAMES[verdict.value] if verdict else _n("未核查")),
                verdict.note if verdict else "",
            )
        )
    columns = (
        (_n("组织"), 30),
        (_n("事项"), 46),
        (_n("岗位"), 24),
        (_n("时段"), 15),
        (_n("结论"), 14),
        (_n("说明"), 27),
    )
    return Table.of(checked.setting.words, _n("核查结论"), columns, rows)


def _problems(checked: CheckThen, *, wide: bool = False) -> Table:
    """Every problem, units in official order; on an upright sheet what was found again is said with the problem."""
    setting = checked.setting
    place = {node_id: number for number, node_id in enumerate(setting.nodes)}
    ordered = sorted(checked.findings, key=lambda pair: (place.get(pair[0].unit_id, 0), pair[0].number))
    rows: list[tuple[Cell, ...]] = []
    for finding, fact in ordered:
        again = setting.words(_n("一年内重复出现（%(key)s）")) % {"key": finding.repeats} if finding.repeats else ""
        row: tuple[Cell, ...] = (
            finding.key,
            setting.nodes[finding.organization_id].name,
            fact.problem if wide or not again else f"{fact.problem}【{again}】",
            fact.basis,
            setting.post(fact.post),
            setting.words(SEVERITY_NAMES[fact.severity]),
            fact.demand,
            fact.deadline,
        )
        rows.append((*row, again) if wide else row)
    columns = [
        (_n("编号"), 13),
        (_n("组织"), 20),
        (_n("问题"), 29),
        (_n("依据"), 21),
        (_n("责任岗位"), 17),
        (_n("程度"), 11),
        (_n("整改要求"), 22),
        (_n("期限"), 23),
    ]
    return Table.of(checked.setting.words, _n("问题清单"), [*columns, (_n("重复"), 17)] if wide else columns, rows)


def _practices(checked: CheckThen) -> Table:
    """What the unit agreed to; what it has not agreed to stands on no paper."""
    setting, units = checked.setting, {unit.id for unit in checked.units}
    found = of_inspection(setting.session, checked.inspection, as_of=setting.as_of)
    rows = [
        (one.unit, one.title, one.text)
        for one in found
        if one.unit_id in units and one.state is GoodPracticeState.AGREED
    ]
    return Table.of(checked.setting.words, _n("亮点做法"), ((_n("单位"), 3), (_n("名称"), 3), (_n("做法"), 8)), rows)
