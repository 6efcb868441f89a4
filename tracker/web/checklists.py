"""Published checklists: which there are, what stands in them, and publishing a new version."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf.file import FileField, FileRequired

from tracker.db import db, transaction
from tracker.domain.checklist import Checklist, Item
from tracker.domain.checklist_problem import Problem
from tracker.domain.checklist_source import read_checklist
from tracker.domain.text import _n
from tracker.models import ChecklistVersion
from tracker.policy import Act, can
from tracker.queries.checklists import checklist_of, published
from tracker.queries.printed_checklists import DUTY_NAMES, RESPONSIBILITY_NAMES
from tracker.services import checklists
from tracker.web import clock
from tracker.web.access import current_actor, guard
from tracker.web.forms import Form, page
from tracker.web.language import named

bp = Blueprint("checklists", __name__, url_prefix="/checklists")

READ_AT_MOST = 16 * 1024 * 1024  # the reader refuses long before; this only spares the memory

CHECKED_NAMES = {
    "text_read": _n("已核对公开原文"),
    "text_read_unofficial_copy": _n("已核对非正式文本"),
    "quoted_by_secondary_page": _n("见于他页引用的条文"),
    "secondary_only": _n("只见转述"),
    "article_number_unverified": _n("条号待核"),
    "not_seen": _n("未见原文，待核"),
}
SOUND = ("text_read", "text_read_unofficial_copy")
STATUS_NAMES = {"proposal": _n("建议稿"), "trial": _n("试行"), "in_force": _n("施行")}
BASIS_NAMES = {
    "regulation": _n("次数由法规写明"),
    "regulation_no_number": _n("法规有此责任，未定次数"),
    "local": _n("次数来自地方做法"),
    "proposal": _n("次数为建议"),
}


class PublishForm(Form):
    """A file to publish."""

    file = FileField(_l("清单文件（YAML）"), validators=[FileRequired(_l("请选择清单文件。"))])


@bp.get("")
@guard(Act.USE)
def index() -> ResponseReturnValue:
    """All published versions."""
    may_publish = can(db.session(), current_actor(), Act.ADMINISTER)
    return render_template("checklists/index.html", versions=published(db.session()), may_publish=may_publish)


@bp.get("/<digest>")
@guard(Act.VIEW, ChecklistVersion, param="digest")
def show(version: ChecklistVersion) -> ResponseReturnValue:
    """One version: its notice, and its items by level and post."""
    checklist = checklist_of(version)
    return render_template(
        "checklists/show.html",
        version=version,
        checklist=checklist,
        groups=_groups(checklist),
        responsibilities=RESPONSIBILITY_NAMES,
        duties=DUTY_NAMES,
        checked=CHECKED_NAMES,
        sound=SOUND,
        statuses=STATUS_NAMES,
        bases=BASIS_NAMES,
    )


@bp.route("/publish", methods=["GET", "POST"])
@guard(Act.ADMINISTER)
def publish() -> ResponseReturnValue:
    """Publish a file; every problem in it is listed at once."""
    form = PublishForm()
    found: tuple[Problem, ...] = ()
    if form.validate_on_submit():
        source: bytes = form.file.data.read(READ_AT_MOST)
        reading = read_checklist(source, name=form.file.data.filename or "checklist.yaml")
        found = reading.problems
        if not reading.errors and (made := _publish(form, source)):
            return redirect(url_for("checklists.show", digest=made))
        if reading.errors:
            wrong = len(reading.errors)
            form.form_errors.append(_("清单有 %(count)s 处错误，没有发布。请按下表改正后重新上传。", count=wrong))
    return page("checklists/publish.html", form, found=found)


def _publish(form: PublishForm, source: bytes) -> str | None:
    """Publish the bytes; the digest, or nothing if a rule refuses."""
    digest = None
    with form.refusals(), transaction() as session:
        version = checklists.publish(session, source, actor=current_actor(), now=clock.now())
        digest = version.sha256
        name = f"{version.key} {version.version}"
    if digest:
        flash(_("已发布 %(name)s，内容不再改变。", name=name), "good")
    return digest


def _groups(checklist: Checklist) -> list[tuple[str, list[tuple[str, list[Item]]]]]:
    """The items by level and, within it, by post, both from the top down."""
    return [
        (
            named(level),
            [
                (named(post), items)
                for post in checklist.posts
                if (items := [item for item in checklist.items if (item.level, item.post) == (level.id, post.id)])
            ],
        )
        for level in checklist.levels
    ]
