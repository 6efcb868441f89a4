"""The roster page: download the template, try a file out, and import what was shown."""

from __future__ import annotations

from datetime import timedelta
from io import BytesIO
from typing import Any

from flask import Blueprint, current_app, flash, redirect, render_template, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf.file import FileField, FileRequired
from sqlalchemy.orm import Session
from wtforms import BooleanField, HiddenField
from wtforms.validators import Regexp

from tracker.config import CHECKOUT, Settings
from tracker.db import db, transaction
from tracker.domain.errors import Conflict, NotFound
from tracker.domain.roster import RosterRefused
from tracker.domain.roster_changes import VERB_NAMES, Plan
from tracker.domain.text import _n
from tracker.policy import Act
from tracker.queries.roster import roster_checklist
from tracker.services.roster import Outcome, carry_out, plan_import, rehearse
from tracker.services.roster_file import MOST_BYTES, read_roster
from tracker.services.roster_template import write_template
from tracker.storage.store import Store
from tracker.tasks.stores import roster_store
from tracker.web import clock
from tracker.web.access import current_actor, guard
from tracker.web.forms import Form, entered, page

bp = Blueprint("roster", __name__, url_prefix="/roster")

FOLDER = CHECKOUT / "checklists"
KEPT_FOR = timedelta(days=1)
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
DIGEST = Regexp(r"[0-9a-f]{64}\Z")


class UploadForm(Form):
    """A file to try out."""

    file = FileField(_l("花名册文件（.xlsx）"), validators=[FileRequired(_l("请选择花名册文件。"))])
    close_missing = BooleanField(_l("表中没有写到的组织和任职，从今天起终止"))


class ImportForm(Form):
    """The file that was tried out, by its digest, and the plan that was shown."""

    file = HiddenField(validators=[DIGEST])
    plan = HiddenField(validators=[DIGEST])
    close_missing = BooleanField()


@bp.get("/template.xlsx")
@guard(Act.ADMINISTER)
def template() -> ResponseReturnValue:
    """The template for the checklist in use."""
    content = BytesIO()
    write_template(content, checklist=roster_checklist(db.session(), folder=FOLDER))
    content.seek(0)
    return send_file(content, mimetype=XLSX, as_attachment=True, download_name="roster-template.xlsx")


@bp.route("", methods=["GET", "POST"])
@guard(Act.ADMINISTER)
def upload() -> ResponseReturnValue:
    """Choose a file; see what it would change, or everything that is wrong with it."""
    form = UploadForm()
    if not form.validate_on_submit():
        return page("roster/upload.html", form, megabytes=MOST_BYTES // 1024**2)
    content: bytes = form.file.data.read(MOST_BYTES + 1)
    with transaction() as session:
        plan = _plan(session, content, close_missing=form.close_missing.data)
        shown = plan.digest()
        plan, outcome = rehearse(session, plan, actor=current_actor(), now=clock.now())
    if not plan.errors:
        _keep(content)
    return _result(plan, outcome, shown, close_missing=form.close_missing.data)


@bp.post("/import")
@guard(Act.ADMINISTER)
def carry() -> ResponseReturnValue:
    """Import the file that was shown, if it still changes what was shown."""
    form = ImportForm()
    if not form.validate_on_submit():
        raise NotFound(_n("没有找到试算过的文件，请重新上传。"))
    content, close_missing = _kept(entered(form.file)), bool(form.close_missing.data)
    try:
        with transaction() as session:
            plan = _plan(session, content, close_missing=close_missing)
            if plan.digest() != form.plan.data:
                raise Conflict(_n("试算之后情况有变化，没有导入。请重新上传文件试算。"))
            outcome = carry_out(session, plan, actor=current_actor(), now=clock.now())
            counts, lists = plan.counts(), len(outcome.handovers)
    except RosterRefused as refused:
        return render_template("roster/result.html", **_told(plan, Outcome(), refused.rows), form=form), 400
    _store().destroy(entered(form.file))
    flash(_("已导入，共变更 %(count)s 行。", count=sum(sum(verbs.values()) for verbs in counts.values())), "good")
    return redirect(url_for("handovers.index" if lists else "organizations.index"))


def _plan(session: Session, content: bytes, *, close_missing: bool) -> Plan:
    checklist = roster_checklist(session, folder=FOLDER)
    roster, unread = read_roster(BytesIO(content), checklist=checklist)
    return plan_import(session, roster, today=clock.today(), close_missing=close_missing, unread=unread)


def _result(plan: Plan, outcome: Outcome, shown: str, *, close_missing: bool) -> ResponseReturnValue:
    """The page that says what would change, with the button that does it; 400 if rows are wrong."""
    form = ImportForm(formdata=None, file=plan.sha256, plan=shown, close_missing=close_missing)
    values = _told(plan, outcome, plan.errors)
    return render_template("roster/result.html", form=form, **values), 400 if plan.errors else 200


def _told(plan: Plan, outcome: Outcome, errors: Any) -> dict[str, Any]:  # noqa: ANN401  rows of errors
    return {"plan": plan, "outcome": outcome, "errors": errors, "verbs": VERB_NAMES}


def _store() -> Store:
    settings: Settings = current_app.config["TRACKER"]
    return roster_store(settings)


def _keep(content: bytes) -> None:
    """Keep the file by its digest for the second step; those of yesterday go."""
    store, yesterday = _store(), clock.now() - KEPT_FOR
    store.bring_back(older_than=yesterday)
    for digest in list(store.digests()):
        store.remove_orphan(digest, older_than=yesterday)
    store.put([content])


def _kept(digest: str) -> bytes:
    try:
        with _store().open(digest) as file:
            return file.read()
    except FileNotFoundError as error:
        raise NotFound(_n("没有找到试算过的文件，请重新上传。")) from error
