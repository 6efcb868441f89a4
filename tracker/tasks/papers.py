"""The papers of a check: which there are, whether each is of one unit, and how its values are gathered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from tracker.domain.errors import Invalid, NotFound
from tracker.domain.paper import Paper
from tracker.domain.text import _n
from tracker.models import Inspection, Organization
from tracker.policy import Act
from tracker.queries.inspection_papers import inspection_notice, rectification_notice, self_check_table
from tracker.queries.inspections import inspection_named, units_of
from tracker.queries.rectification_papers import (
    look_back_record,
    rectification_ledger,
    unit_rectification_ledger,
)
from tracker.queries.result_papers import circular, problem_list, team_summary, unit_report
from tracker.queries.sampling_paper import sampling_record
from tracker.tasks.documents import as_job, software_version
from tracker.tasks.words import translator
from tracker.tasks.worker import Work


@dataclass(frozen=True)
class Kind:
    """One kind of paper. `of_unit` needs a unit; `for_unit` may be read by the people of that unit as well.

    `act` is what somebody must be let do with the unit in the check, where that is more than to see the check or the
    unit. `drafts` shows the people of the unit what they have saved and not handed in. `once_given` shows them what
    they were given notice of, and nothing before.
    """

    name: str
    build: Callable[..., Paper]
    of_unit: bool = False
    for_unit: bool = False
    act: Act | None = None
    drafts: bool = False
    once_given: bool = False


KINDS: Mapping[str, Kind] = {
    "inspection_notice": Kind(_n("检查通知"), inspection_notice, of_unit=True, for_unit=True),
    "sampling_record": Kind(_n("抽样记录"), sampling_record),
    "self_check_table": Kind(
        _n("自查表"), self_check_table, of_unit=True, for_unit=True, act=Act.READ_SELF_CHECK, drafts=True
    ),
    "rectification_notice": Kind(_n("整改通知书"), rectification_notice, of_unit=True, for_unit=True, once_given=True),
    "rectification_ledger": Kind(_n("整改台账"), rectification_ledger),
    "unit_rectification_ledger": Kind(_n("单位整改台账"), unit_rectification_ledger, of_unit=True, for_unit=True),
    "look_back_record": Kind(_n("回头看记录"), look_back_record),
    "problem_list": Kind(_n("问题清单"), problem_list),
    "unit_report": Kind(_n("单位督查报告"), unit_report, of_unit=True),
    "team_summary": Kind(_n("检查组工作小结"), team_summary),
    "circular": Kind(_n("督查通报"), circular),
}


def paper_values(
    session: Session, *, paper: str, number: int, unit: str | None, as_of: datetime, language: str, own: bool = False
) -> Paper:
    """The values of one paper as of a time; `own` for the people of its unit. Raises NotFound, Invalid, WrongState."""
    kind = KINDS.get(paper)
    if kind is None:
        raise NotFound(_n("没有名为 %(paper)s 的文书，可选：%(known)s。"), paper=paper, known="、".join(KINDS))
    inspection = inspection_named(session, number)
    given: dict[str, Any] = {"as_of": as_of, "words": translator(language), "software_version": software_version()}
    if kind.drafts:
        given["drafts"] = own
    if kind.once_given:
        given["once_given"] = own
    if kind.of_unit:
        return kind.build(session, inspection, _visited(session, inspection, unit), **given)
    return kind.build(session, inspection, **given)


def _visited(session: Session, inspection: Inspection, code: str | None) -> Organization:
    visited = {node.code: node for node in units_of(session, inspection)}
    if code not in visited:
        known = "、".join(visited)
        raise Invalid(_n("请指明本次督查的一个被检查单位，可选：%(known)s。"), field="unit", known=known)
    return visited[code]


PAPER_WORKS: Mapping[str, Work] = {
    "paper": as_job(paper_values),
    "unit_paper": as_job(partial(paper_values, own=True)),
}
