"""Documents that are being made, and those that are ready."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

from flask import Blueprint, abort, current_app, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from tracker.db import db, transaction
from tracker.domain.errors import Invalid
from tracker.domain.text import _n
from tracker.models import Inspection, Job, JobState, Organization
from tracker.policy import Act, can
from tracker.queries.cycles import current_cycle
from tracker.queries.history import end_of_day
from tracker.queries.inspections import units_of
from tracker.queries.jobs import jobs_of
from tracker.services import jobs, log
from tracker.tasks.queue import Queue
from tracker.tasks.worker import result_path
from tracker.web import clock
from tracker.web.access import current_actor, guard, load
from tracker.web.language import current_language

bp = Blueprint("jobs", __name__, url_prefix="/documents")

# By kind of document: what it tells of, which argument names that, and what somebody must be let do to read it.
ABOUT: Mapping[str, tuple[type[Any], str, Act]] = {
    "inspection_report": (Inspection, "number", Act.VIEW),
    "duty_list": (Organization, "organization", Act.VIEW),
    "self_check": (Organization, "unit", Act.REPORT),
}


@bp.get("")
@guard(Act.USE)
def index() -> ResponseReturnValue:
    """What this person asked for."""
    return render_template("jobs/index.html", jobs=jobs_of(db.session(), current_actor()))


@bp.get("/<key>")
@guard(Act.VIEW, Job)
def show(job: Job) -> ResponseReturnValue:
    """How far a document is; the page looks again by itself."""
    if request.accept_mimetypes.best == "application/json":
        return {
            "state": job.state.value,
            "done": job.done,
            "total": job.total,
            "url": url_for("jobs.show", key=job.key),
        }
    return render_template("jobs/show.html", job=job)


@bp.get("/<key>/file")
@guard(Act.VIEW, Job)
def download(job: Job) -> ResponseReturnValue:
    """The document, for whoever asked for it and may still see what it tells of; every unit in it can read who did."""
    model, argument, act = ABOUT[job.kind]
    thing = load(model, job.arguments[argument])
    if not can(db.session(), current_actor(), act, thing):
        abort(403)
    path: Path = result_path(current_app.config["TRACKER"], job.key)
    if job.state is not JobState.DONE or not path.exists():
        abort(404)
    key = str(job.arguments[argument])
    with transaction() as session:
        units = [unit.id for unit in units_of(session, thing)] if model is Inspection else [thing.unit_id]
        actor, now = current_actor(), clock.now()
        for unit_id in units:
            log.record_access(
                session, actor=actor, now=now, verb="document.export", kind=job.kind, key=key, unit_id=unit_id
            )
    return send_file(path, mimetype="application/pdf", as_attachment=True, download_name=job.result_name)


def _as_of() -> datetime:
    """The recorded time as of which a document speaks: the end of the day that was asked for, else now."""
    wanted = request.form.get("as_of", "")
    if not wanted:
        return clock.now()
    try:
        return min(end_of_day(date.fromisoformat(wanted)), clock.now())
    except ValueError:
        raise Invalid(_n("日期格式不对，请按 2026-03-31 的样子填写。"), field="as_of") from None


def start(kind: str, arguments: dict[str, object], *, title: str, unit: Organization | None) -> ResponseReturnValue:
    """Ask for a document and go to the page that shows how far it is."""
    now = clock.now()
    given = {**arguments, "as_of": _as_of().isoformat(), "language": current_language()}
    with transaction() as session:
        job = jobs.ask(
            session,
            kind=kind,
            arguments=given,
            title=title,
            result_name=f"{title}.pdf",
            unit_id=unit.id if unit else None,
            actor=current_actor(),
            now=now,
        )
        key = job.key
    queue: Queue = current_app.extensions["tracker_queue"]
    queue.send(key)
    return redirect(url_for("jobs.show", key=key))


@bp.post("/inspections/<int:number>")
@guard(Act.VIEW, Inspection, param="number")
def inspection_report(inspection: Inspection) -> ResponseReturnValue:
    """Ask for the report of a check."""
    title = _("第%(number)s号督查报告", number=inspection.number)
    return start("inspection_report", {"number": inspection.number}, title=title, unit=None)


@bp.post("/duty-lists/<key>")
@guard(Act.VIEW, Organization)
def duty_list(organization: Organization) -> ResponseReturnValue:
    """Ask for the printed list of what an organization owes."""
    cycle = current_cycle(db.session(), today=clock.today())
    if cycle is None:
        abort(404)
    title = _("%(organization)s责任清单", organization=organization.name)
    arguments = {"year": cycle.year, "organization": organization.code, "seat": None}
    return start("duty_list", arguments, title=title, unit=organization.unit)


@bp.post("/self-check/<key>")
@guard(Act.REPORT, Organization)
def self_check(organization: Organization) -> ResponseReturnValue:
    """Ask for the self-check report of a unit."""
    cycle = current_cycle(db.session(), today=clock.today())
    if cycle is None or not organization.is_unit:
        abort(404)
    title = _("%(unit)s自查报告", unit=organization.name)
    return start("self_check", {"year": cycle.year, "unit": organization.code}, title=title, unit=organization)
