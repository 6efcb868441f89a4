"""Documents that are being made, and those that are ready."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from flask import Blueprint, abort, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from tracker.db import db, transaction
from tracker.domain.errors import Invalid, RuleError
from tracker.domain.inspection import InspectionState
from tracker.domain.text import _n
from tracker.models import Cycle, Inspection, Job, JobState, Organization
from tracker.policy import Act, can
from tracker.queries.cycles import current_cycle
from tracker.queries.history import SHANGHAI, end_of_day
from tracker.queries.inspections import state_then, units_of
from tracker.queries.jobs import jobs_of
from tracker.queries.packets import quarter_days
from tracker.services import jobs, log
from tracker.tasks.queue import Queue
from tracker.tasks.results import results_of
from tracker.web import clock
from tracker.web.access import current_actor, guard, load
from tracker.web.downloads import send_open
from tracker.web.errors import sentence_of
from tracker.web.language import current_language

bp = Blueprint("jobs", __name__, url_prefix="/documents")

# By kind of document: what it tells of, which argument names that, and what somebody must be let do to read it.
ABOUT: Mapping[str, tuple[type[Any], str, Act]] = {
    "inspection_report": (Inspection, "number", Act.VIEW),
    "duty_list": (Organization, "organization", Act.VIEW),
    "self_check": (Organization, "unit", Act.REPORT),
    "packet": (Inspection, "number", Act.REPORT),
    "packet_quarter": (Organization, "unit", Act.REPORT),
    "packet_all": (Inspection, "number", Act.REPORT),
    "paper": (Inspection, "number", Act.REPORT),
    "unit_paper": (Organization, "unit", Act.REPORT),
}

# What a worker notes of what it is doing, in words; a volume of several is named too.
STEPS = {
    "gather": _n("正在汇集数据"),
    "pages": _n("正在排版：%(done)s 页"),
    "draw": _n("正在显示佐证文件：%(done)s/%(total)s"),
    "print": _n("正在排版：%(done)s/%(total)s 节"),
    "bind": _n("正在装订"),
    "embed": _n("正在嵌入附件"),
    "sign": _n("正在签名"),
}
OF_SEVERAL = {
    "bind": _n("正在装订：第 %(number)s 册（共 %(total)s 册）"),
    "embed": _n("正在嵌入附件：第 %(number)s 册（共 %(total)s 册）"),
    "sign": _n("正在签名：第 %(number)s 册（共 %(total)s 册）"),
}


_MANIFEST = re.compile(r"manifest ([0-9a-f]{64})")  # the last note of a worker that made a packet


@dataclass(frozen=True)
class Result:
    """The file that a job made: its digest, its size in bytes, and whether it is a ZIP of several PDFs."""

    sha256: str
    size: int
    is_zip: bool

    @property
    def media_type(self) -> str:
        """What kind of file it is."""
        return "application/zip" if self.is_zip else "application/pdf"

    def name(self, asked: str) -> str:
        """The name for the browser: the one given when the file was asked for, with the ending that fits."""
        return asked.removesuffix(".pdf") + (".zip" if self.is_zip else ".pdf")


def result_of(job: Job) -> Result | None:
    """The file of a job that is done; None before that, and where the file is gone."""
    if job.state is not JobState.DONE or job.result_sha256 is None:
        return None
    found = results_of(current_app.config["TRACKER"]).glance(job.key, job.result_sha256)
    if found is None:
        return None
    size, beginning = found
    return Result(job.result_sha256, size, is_zip=beginning == b"PK\x03\x04")


def doing(step: str) -> str:
    """What a worker notes (a word and numbers), as a sentence; empty for what says nothing to a reader."""
    word, *rest = step.split() or [""]
    if word == "packet":  # the first two numbers are those of the packet, then comes the step in it
        message = _n("第 %(number)s 卷（共 %(total)s 卷）：%(doing)s")
        return str(_(message, number=rest[0], total=rest[1], doing=doing(" ".join(rest[2:]))))
    if word not in STEPS:
        return ""
    done, total = (*(int(number) for number in rest), 0, 0)[:2]
    if word == "print" and not total:
        return str(_("正在排版"))
    message = OF_SEVERAL[word] if total > 1 and word in OF_SEVERAL else STEPS[word]
    return str(_(message, done=done, number=done + 1, total=total))


def manifest_of(job: Job) -> str:
    """The digest of the manifest of the packet that a job made, as the worker noted it; empty where it is not known."""
    found = _MANIFEST.fullmatch(job.step)
    return found[1] if found and job.state is JobState.DONE else ""


def reason_of(job: Job) -> str:
    """Why a job failed: a refusal (JSON of its `message` and `values`) or a sentence of ours in the page's language."""
    try:
        refusal = json.loads(job.error or "{}")
        return sentence_of(RuleError(refusal["message"], **refusal["values"]))
    except (ValueError, KeyError, TypeError):
        return str(_(job.error)) if job.error else ""


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
            "doing": doing(job.step),
            "url": url_for("jobs.show", key=job.key),
        }
    return render_template(
        "jobs/show.html",
        job=job,
        doing=doing(job.step),
        result=result_of(job),
        manifest=manifest_of(job),
        reason=reason_of(job),
    )


@bp.get("/<key>/file")
@guard(Act.VIEW, Job)
def download(job: Job) -> ResponseReturnValue:
    """The document, for whoever asked for it and may still see what it tells of; every unit in it can read who did."""
    model, argument, act = ABOUT[job.kind]
    thing = load(model, job.arguments[argument])
    if not can(db.session(), current_actor(), act, thing):
        abort(403)
    result = result_of(job)
    if result is None:
        abort(404)
    content = results_of(current_app.config["TRACKER"]).open(job.key, result.sha256)
    if content is None:
        abort(404)
    _note_export(job, thing, str(job.arguments[argument]))
    name = result.name(job.result_name or job.key)
    return send_open(content, media_type=result.media_type, name=name, digest=result.sha256)


def _note_export(job: Job, thing: Any, key: str) -> None:  # noqa: ANN401  a check or an organization
    actor, now, kind = current_actor(), clock.now(), str(job.arguments.get("paper", job.kind))
    with transaction() as session:
        for unit_id in _units_in(session, job, thing):
            log.record_access(
                session, actor=actor, now=now, verb="document.export", kind=kind, key=key, unit_id=unit_id
            )


def _units_in(session: Session, job: Job, thing: Any) -> list[int]:  # noqa: ANN401  a check or an organization
    """The row numbers of the units that a document tells of: of a check those it visited then, or the one chosen."""
    if job.unit_id is not None or not isinstance(thing, Inspection):
        return [job.unit_id or thing.unit_id]
    as_of = datetime.fromisoformat(job.arguments["as_of"])
    return [unit.id for unit in units_of(session, thing, as_of=as_of)]


def as_of_asked() -> datetime:
    """The recorded time as of which a document speaks: the end of the day that was asked for, else now."""
    wanted = request.form.get("as_of", "")
    if not wanted:
        return clock.now()
    try:
        return min(end_of_day(date.fromisoformat(wanted)), clock.now())
    except (ValueError, OverflowError):
        raise Invalid(_n("日期格式不对，请按 2026-03-31 的样子填写。"), field="as_of") from None


def told_apart(title: str) -> str:
    """The title with the day as of which the document was asked for, and its language where that is not Chinese."""
    if day := request.form.get("as_of", ""):
        title = _("%(title)s（截至%(day)s）", title=title, day=day)
    return _("%(title)s（英文）", title=title) if current_language() == "en" else title


def start(kind: str, arguments: dict[str, object], *, title: str, unit: Organization | None) -> ResponseReturnValue:
    """Ask for a document and go to the page that shows how far it is."""
    now = clock.now()
    given = {**arguments, "as_of": as_of_asked().isoformat(), "language": current_language()}
    title = told_apart(title)
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
    """Ask for the report of a check; one that was not closed by then is told apart by its name."""
    then = state_then(db.session(), inspection, as_of=as_of_asked())
    title = _("第%(number)s号督查报告", number=inspection.number)
    if then is not InspectionState.CLOSED:
        title = _("第%(number)s号督查报告（督查未结束）", number=inspection.number)
    return start("inspection_report", {"number": inspection.number}, title=title, unit=None)


def _cycle_then() -> Cycle | None:
    """The year that people worked on at the time as of which the document speaks."""
    at = as_of_asked()
    return current_cycle(db.session(), today=at.astimezone(SHANGHAI).date(), as_of=at)


@bp.post("/duty-lists/<key>")
@guard(Act.VIEW, Organization)
def duty_list(organization: Organization) -> ResponseReturnValue:
    """Ask for the printed list of what an organization owes."""
    cycle = _cycle_then()
    if cycle is None:
        abort(404)
    title = _("%(organization)s责任清单", organization=organization.name)
    arguments = {"year": cycle.year, "organization": organization.code, "seat": None}
    return start("duty_list", arguments, title=title, unit=organization.unit)


@bp.post("/self-check/<key>")
@guard(Act.REPORT, Organization)
def self_check(organization: Organization) -> ResponseReturnValue:
    """Ask for the self-check report of a unit."""
    cycle = _cycle_then()
    if cycle is None or not organization.is_unit:
        abort(404)
    title = _("%(unit)s自查报告", unit=organization.name)
    return start("self_check", {"year": cycle.year, "unit": organization.code}, title=title, unit=organization)


@bp.post("/packets/<int:number>")
@guard(Act.REPORT, Inspection, param="number")
def packet(inspection: Inspection) -> ResponseReturnValue:
    """Ask for the packet of a check, or of the one unit in it that was chosen."""
    number, code = inspection.number, request.form.get("unit", "")
    unit = _chosen_unit(inspection, code) if code else None
    if unit is None:
        title = _("第%(number)s号督查卷", number=number)
    else:
        title = _("第%(number)s号督查卷-%(unit)s", number=number, unit=unit.name)
    return start("packet", {"number": number, "unit": unit.code if unit else None}, title=title, unit=unit)


def _chosen_unit(inspection: Inspection, code: str) -> Organization:
    for unit in units_of(db.session(), inspection):
        if unit.code == code:
            return unit
    raise Invalid(_n("请在本次督查的被检查单位中选择。"), field="unit")


@bp.post("/packets/<int:number>/all")
@guard(Act.REPORT, Inspection, param="number")
def packet_all(inspection: Inspection) -> ResponseReturnValue:
    """Ask for the packets of all units of a check, and the book of them all."""
    title = _("第%(number)s号督查全部督查卷和汇编", number=inspection.number)
    return start("packet_all", {"number": inspection.number}, title=title, unit=None)


def quarters_begun(session: Session) -> dict[str, tuple[int, int]]:
    """The quarters of the current year that have begun, by what a form sends for them: year and quarter."""
    today = clock.today()
    cycle = current_cycle(session, today=today)
    if cycle is None:
        return {}
    begun = [quarter for quarter in range(1, 5) if quarter_days(cycle.year, quarter)[0] <= today]
    return {f"{cycle.year}-Q{quarter}": (cycle.year, quarter) for quarter in begun}


@bp.post("/quarters/<key>")
@guard(Act.REPORT, Organization)
def packet_quarter(organization: Organization) -> ResponseReturnValue:
    """Ask for the quarterly volume of a unit."""
    if not organization.is_unit:
        abort(404)
    found = quarters_begun(db.session()).get(request.form.get("quarter", ""))
    if found is None:
        raise Invalid(_n("请选择本年度已经开始的季度。"), field="quarter")
    year, quarter = found
    title = _("%(unit)s%(year)s年第%(quarter)s季度合订卷", unit=organization.name, year=year, quarter=quarter)
    arguments = {"unit": organization.code, "year": year, "quarter": quarter}
    return start("packet_quarter", arguments, title=title, unit=organization)
