"""The self-check report of a unit: one line for each item, organization and post."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy.orm import Session

from tracker.domain import report as printed
from tracker.domain.text import _n
from tracker.models import (
    Cycle,
)
from tracker.queries.duties import DutyThen, duties_as_of
from tracker.queries.reports import SET_ASIDE, Setting, Translate, provenance_of, setting_of, span

_FROM_WORST = ("missed", "made_up", "recorded_late", "not_due", "in_time")


def self_check(
    session: Session, cycle: Cycle, unit_id: int, *, as_of: datetime, words: Translate, software_version: str
) -> printed.SelfCheckReport:
    """What a unit has done of what has fallen due by then: one line for each item, organization and post."""
    setting = setting_of(session, cycle, as_of=as_of, words=words)
    duties = duties_as_of(session, cycle=cycle, as_of=as_of, units=[unit_id])
    return check_of(
        setting,
        unit_id,
        [duty for duty in duties if duty.in_force and (duty.starts_on <= setting.day or duty.act_on is not None)],
        title=words(_n("%(year)s年度履责自查报告")) % {"year": cycle.year},
        period=span(date(cycle.year, 1, 1), setting.day),
        software_version=software_version,
    )


def check_of(
    setting: Setting, unit_id: int, duties: Sequence[DutyThen], *, title: str, period: str, software_version: str
) -> printed.SelfCheckReport:
    """What a unit did of these duties: one line for each item, organization and post."""
    unit = setting.nodes[unit_id]
    grouped: defaultdict[tuple[int, str, str], list[DutyThen]] = defaultdict(list)
    for duty in duties:
        grouped[duty.organization_id, duty.item_id, duty.post].append(duty)
    place = {node.id: number for number, node in enumerate(setting.nodes.values())}
    ordered = sorted(grouped.items(), key=lambda pair: (place.get(pair[0][0], 0), pair[0][1], pair[0][2]))
    return printed.SelfCheckReport(
        title=title,
        unit=unit.name,
        period=period,
        lines=tuple(_self_check_line(setting, key, group) for key, group in ordered),
        provenance=provenance_of(setting, chains=[unit.code], software_version=software_version),
    )


def _self_check_line(setting: Setting, key: tuple[int, str, str], duties: Sequence[DutyThen]) -> printed.SelfCheckLine:
    organization_id, item_id, post = key
    item = setting.items[item_id]
    counted = [duty for duty in duties if duty.state not in SET_ASIDE]
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
        (sum(duty.state in SET_ASIDE for duty in duties), _n("不适用或准予免办%(n)s项")),
    )
    return "，".join(setting.words(message) % {"n": n} for n, message in parts if n)
