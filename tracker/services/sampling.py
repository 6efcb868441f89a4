"""Draws the sample of a check from its scope and keeps all that is needed to draw it again."""

from __future__ import annotations

import zlib
from datetime import datetime

from sqlalchemy.orm import Session

from tracker.domain.actor import Actor
from tracker.domain.errors import Conflict
from tracker.domain.sampling import Draw, Sample, drawn
from tracker.domain.text import _n
from tracker.models import Inspection, InspectionDraw
from tracker.queries.checklists import checklist_of
from tracker.queries.sampling import Population, Scope, population_of, stratum_name


def draw_from(session: Session, scope: Scope, draw: Draw) -> tuple[Sample, Population]:
    """Draw a sample without writing anything. Raises Conflict where it is not the one that was shown."""
    checklist = checklist_of(scope.cycle.checklist_version)
    by = draw.rule.by
    population = population_of(session, scope, by=by)
    sample = drawn(draw, population.candidates, name=lambda values: stratum_name(values, by=by, checklist=checklist))
    if draw.shown is not None and draw.shown != sample.mark:
        raise Conflict(_n("预览之后，检查范围内的任务或者抽样条件有变化，抽样结果已重新计算；请核对后再建立。"))
    return sample, population


def keep_draw(
    session: Session, inspection: Inspection, draw: Draw, sample: Sample, *, actor: Actor, now: datetime
) -> InspectionDraw:
    """Write down how the sample of a check was drawn."""
    picked = set(sample.picked)
    of_stratum = {one.key: one.stratum for one in sample.population if one.key in picked}
    taken = list(of_stratum.values())
    row = InspectionDraw(
        inspection_id=inspection.id,
        seed=draw.seed,
        rule=draw.rule.told(),
        strata=[
            {
                "values": list(one.values),
                "population": one.population,
                "excluded": one.excluded,
                "asked": one.asked,
                "picked": taken.count(one.values),
            }
            for one in sample.strata
        ],
        excluded=[{"key": one.key, "reason": one.reason.strip()} for one in draw.exclusions],
        population=zlib.compress(sample.lines),
        population_size=len(sample.population),
        population_sha256=sample.population_sha256,
        picked_size=len(sample.picked),
        picked_sha256=sample.picked_sha256,
        drawn_by_id=actor.person_id,
        recorded_at=now,
    )
    session.add(row)
    session.flush()
    return row
