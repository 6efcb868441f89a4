"""The record of a draw on paper: what was drawn from what by which seed, and how anybody can draw it again."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from sqlalchemy.orm import Session

from tracker.domain.errors import WrongState
from tracker.domain.paper import Block, Heading, Paper, Paragraph, Signatures, Table
from tracker.domain.text import _n
from tracker.models import Inspection
from tracker.queries import inspections
from tracker.queries.duties import DutyThen
from tracker.queries.inspection_report import CheckThen, check_then
from tracker.queries.reports import Translate, provenance_of
from tracker.queries.sampling import Redrawn, description, redrawn, stratum_name

POPULATION_PRINTED = 400  # duties; a longer population is told by its digest, and its list is downloaded

AGAIN = _n(
    "重抽办法：对总体名单里的每个任务，把种子、一个换行符和任务编号连起来（UTF-8 编码）求 SHA-256；"
    "剔除名单上的任务除外，每一层内按这个摘要从小到大排列，取最前面的若干项，项数见“各层抽取情况”。"
)
LISTS = _n(
    "总体名单每行一项：任务编号，制表符，层的序号。抽中名单是抽中的任务编号，排好序，每行一项。两份名单的末行都不换行。"
)


def sampling_record(
    session: Session, inspection: Inspection, *, as_of: datetime, words: Translate, software_version: str
) -> Paper:
    """The record of the draw of a check. Raises WrongState where its sample was not drawn."""
    checked = check_then(session, inspection, as_of=as_of, words=words)
    found = redrawn(session, inspection, as_of=as_of)
    if found is None:
        raise WrongState(_n("本次督查的样本不是抽签得来的，没有抽样记录。"))
    setting, fact = checked.setting, inspections.fact_of(session, inspection, as_of=as_of)
    blocks: list[Block] = [
        Paragraph(words(_n("抽样种子：%(seed)s。")) % {"seed": found.draw.seed}),
        Paragraph(description(session, inspection, found.draw, words=words, as_of=as_of)),
        _strata(checked, found),
        Heading(words(_n("一、重抽"))),
        Paragraph(words(AGAIN)),
        Paragraph(words(LISTS)),
        _digests(checked, found),
        Heading(words(_n("二、剔除的任务"))),
        _excluded(checked, found),
        Heading(words(_n("三、抽中的任务"))),
        _picked(checked, found),
        Heading(words(_n("四、抽样总体"))),
        _population(checked, found),
        Signatures((words(_n("抽签人（签字）：")), words(_n("监督人（签字）：")))),
    ]
    chains = [unit.code for unit in checked.units]
    return Paper(
        title=words(_n("%(title)s抽样记录")) % {"title": fact.title},
        blocks=tuple(blocks),
        provenance=provenance_of(setting, chains=chains, software_version=software_version),
        issued_on=setting.day,
    )


def _digests(checked: CheckThen, found: Redrawn) -> Table:
    words, draw = checked.setting.words, found.draw
    rows = [
        (words(_n("总体名单")), draw.population_size, draw.population_sha256),
        (words(_n("抽中名单")), draw.picked_size, draw.picked_sha256),
    ]
    return Table.of(
        checked.setting.words, _n("名单摘要"), ((_n("名单"), 12), (_n("项数"), 8), (_n("SHA-256"), 62)), rows
    )


def _strata(checked: CheckThen, found: Redrawn) -> Table:
    setting, by, picked = checked.setting, found.asked.rule.by, set(found.sample.picked)
    taken = Counter(one.stratum for one in found.sample.population if one.key in picked)
    all_of_them = setting.words(_n("全部任务"))
    rows = [
        (
            number,
            stratum_name(one.values, by=by, checklist=setting.checklist, words=setting.words) or all_of_them,
            one.population,
            one.excluded,
            one.available,
            taken[one.values],
        )
        for number, one in enumerate(found.sample.strata, start=1)
    ]
    columns = (_n("序号"), 6), (_n("层"), 34), (_n("总数"), 9), (_n("剔除"), 9), (_n("可抽"), 9), (_n("抽取"), 9)
    return Table.of(checked.setting.words, _n("各层抽取情况"), columns, rows)


def _excluded(checked: CheckThen, found: Redrawn) -> Block:
    if not found.asked.exclusions:
        return Paragraph(checked.setting.words(_n("没有剔除任何任务。")))
    rows = [(one.key, one.reason) for one in found.asked.exclusions]
    return Table.of(checked.setting.words, _n("剔除的任务"), ((_n("任务编号"), 30), (_n("理由"), 40)), rows)


def _picked(checked: CheckThen, found: Redrawn) -> Table:
    known = {duty.key: duty for duty in checked.duties}
    rows = [(key, *_told(checked, known.get(key))) for key in found.sample.picked]
    columns = (_n("任务编号"), 34), (_n("组织"), 18), (_n("事项"), 27), (_n("时段"), 9)
    return Table.of(checked.setting.words, _n("抽中的任务"), columns, rows)


def _told(checked: CheckThen, duty: DutyThen | None) -> tuple[str, str, str]:
    """Whose duty it is, its item and its period; a duty that is not in force any more is told by its key alone."""
    if duty is None:
        return "", "", ""
    setting = checked.setting
    item = setting.items.get(duty.item_id)
    return setting.nodes[duty.organization_id].name, item.title if item else duty.item_id, setting.period(duty.period)


def _population(checked: CheckThen, found: Redrawn) -> Block:
    if found.draw.population_size > POPULATION_PRINTED:
        told = checked.setting.words(_n("总体共 %(n)s 项，名单从督查的抽样记录页下载，以上面的 SHA-256 核对。"))
        return Paragraph(told % {"n": found.draw.population_size})
    number = {one.values: place for place, one in enumerate(found.sample.strata, start=1)}
    rows = [(one.key, number[one.stratum]) for one in found.sample.population]
    return Table.of(checked.setting.words, _n("抽样总体"), ((_n("任务编号"), 40), (_n("层的序号"), 12)), rows)
