"""The papers of a check, printed by the worker or at once as a spreadsheet: for its team, and for the units in it."""

from __future__ import annotations

from datetime import datetime
from io import BytesIO

from flask import Blueprint, abort, request, send_file
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from tracker.db import db, transaction
from tracker.domain.errors import Invalid, NotFound, WrongState
from tracker.domain.text import _n
from tracker.models import Inspection, Organization
from tracker.policy import Act, UnitOfCheck, can
from tracker.queries.inspection_papers import NOT_GIVEN
from tracker.queries.inspections import inspection_named, units_of
from tracker.queries.rectification import checks_with_findings, was_given_notice
from tracker.reporting.spreadsheet import spreadsheet
from tracker.services import log
from tracker.tasks.papers import KINDS, Kind, paper_values
from tracker.tasks.words import translator
from tracker.web import clock
from tracker.web.access import current_actor, guard
from tracker.web.jobs import as_of_asked, start, told_apart
from tracker.web.language import current_language

bp = Blueprint("papers", __name__, url_prefix="/papers")

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@bp.post("/inspections/<int:number>")
@guard(Act.REPORT, Inspection, param="number")
def make(inspection: Inspection) -> ResponseReturnValue:
    """Ask for a paper of a check: printed by the worker, or its tables at once."""
    name, kind = _kind()
    unit = _unit_of(inspection, request.form.get("unit", "")) if kind.of_unit else None
    return _answer("paper", name, kind, inspection, unit)


@bp.post("/units/<key>/inspections/<int:number>")
@guard(Act.REPORT, Organization)
def make_for_unit(organization: Organization, number: int) -> ResponseReturnValue:
    """Ask for a paper that a check addressed to this unit."""
    name, kind = _kind()
    inspection = _known_to(organization, number) if kind.for_unit else None
    if inspection is None:
        abort(404)
    unit = _unit_of(inspection, organization.code)
    if kind.once_given and not was_given_notice(db.session(), inspection, unit):
        raise WrongState(NOT_GIVEN, number=inspection.number)
    return _answer("unit_paper", name, kind, inspection, unit)


def _known_to(unit: Organization, number: int) -> Inspection | None:
    """The check, if this person knows of it: by a finding, or because it asks the unit for a self-check table."""
    session, actor = db.session(), current_actor()
    try:
        inspection = inspection_named(session, number)
    except NotFound:
        return None
    asked = can(session, actor, Act.READ_SELF_CHECK, UnitOfCheck(inspection, unit))
    return inspection if asked or number in checks_with_findings(session, actor) else None


def _kind() -> tuple[str, Kind]:
    name = request.form.get("paper", "")
    if name not in KINDS:
        raise Invalid(_n("请选择文书。"), field="paper")
    return name, KINDS[name]


def _unit_of(inspection: Inspection, code: str) -> Organization:
    for unit in units_of(db.session(), inspection):
        if unit.code == code:
            return unit
    raise Invalid(_n("请在本次督查的被检查单位中选择。"), field="unit")


def _answer(job: str, name: str, kind: Kind, inspection: Inspection, unit: Organization | None) -> ResponseReturnValue:
    session, actor = db.session(), current_actor()
    own = job == "unit_paper"
    act = Act.SELF_CHECK if own and kind.drafts else kind.act  # what was not handed in is for the unit itself
    if act and unit and not can(session, actor, act, UnitOfCheck(inspection, unit)):
        abort(404)
    title = _("第%(number)s号督查%(paper)s", number=inspection.number, paper=_(kind.name))
    if unit is not None:
        title = _("%(title)s-%(unit)s", title=title, unit=unit.name)
    arguments = {"paper": name, "number": inspection.number, "unit": unit.code if unit else None}
    if request.form.get("as") != "xlsx":
        return start(job, arguments, title=title, unit=unit)
    return _sent(inspection, unit, name=name, title=told_apart(title), as_of=as_of_asked(), own=own)


def _sent(
    inspection: Inspection, unit: Organization | None, *, name: str, title: str, as_of: datetime, own: bool
) -> ResponseReturnValue:
    """The spreadsheet, after noting for every unit in it who took it along."""
    language, session = current_language(), db.session()
    code = unit.code if unit else None
    number = inspection.number
    paper = paper_values(session, paper=name, number=number, unit=code, as_of=as_of, language=language, own=own)
    units = [unit.id] if unit else [one.id for one in units_of(session, inspection, as_of=as_of)]
    content = spreadsheet(paper, translate=translator(language))
    actor, now, key = current_actor(), clock.now(), str(inspection.number)
    with transaction() as writing:
        for unit_id in units:
            log.record_access(
                writing, actor=actor, now=now, verb="document.export", kind=name, key=key, unit_id=unit_id
            )
    return send_file(BytesIO(content), mimetype=XLSX, as_attachment=True, download_name=f"{title}.xlsx")
