"""The log and the access log, as auditors and the units themselves read them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from urllib.parse import urlencode

from flask import Blueprint, abort, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import DateField, Field, SelectField, StringField
from wtforms.validators import Optional, ValidationError

from tracker.db import db, transaction
from tracker.models import LogEntry
from tracker.policy import Act, can
from tracker.queries import log as queries
from tracker.queries.checklists import count_kinds
from tracker.services import log
from tracker.services.verification import ChainReport, verify_log
from tracker.web import clock
from tracker.web.access import current_actor, guard
from tracker.web.language import named
from tracker.web.log_words import (
    ACCESSES,
    VERBS,
    actor_called,
    changes_of,
    kind_name,
    tells_counts,
    verb_name,
)

bp = Blueprint("log", __name__, url_prefix="/log")

OBJECTS = 50  # how many things a list may be narrowed to at once
NARROW = ("chain", "actor", "verb", "target", "since", "until")


class FilterForm(FlaskForm):  # type: ignore[misc]  # Flask-WTF carries no types
    """What the list is narrowed to; it stands in the address, so that a view can be passed on."""

    class Meta:
        """A form that reads carries no token."""

        csrf = False

    chain = SelectField(_l("单位"), coerce=str, validators=[Optional()])
    actor = StringField(_l("办理人（姓名或账号）"), validators=[Optional()])
    verb = SelectField(_l("做了什么"), coerce=str, validators=[Optional()])
    target = StringField(_l("对象编号"), validators=[Optional()])
    since = DateField(_l("自"), validators=[Optional()])
    until = DateField(_l("至"), validators=[Optional()])

    def validate_until(self, field: Field) -> None:
        """Refuse a period that ends before it begins."""
        if field.data and self.since.data and field.data < self.since.data:
            raise ValidationError(_("“至”早于“自”，请改正其中一个。"))


class AccessForm(FilterForm):
    """The same for the access log."""

    actor = StringField(_l("查阅人（姓名或账号）"), validators=[Optional()])


def _form(chains: list[queries.Chain]) -> FilterForm:
    return _offered(FilterForm(request.args), chains, [verb for verb in VERBS if verb not in ACCESSES])


def _offered(form: FilterForm, chains: list[queries.Chain], verbs: Iterable[str]) -> FilterForm:
    form.chain.choices = [("", _l("全部")), *((chain.key, _chain_name(chain)) for chain in chains)]
    form.verb.choices = [("", _l("全部")), *((verb, verb_name(verb)) for verb in verbs)]
    form.validate()
    return form


def _chain_name(chain: queries.Chain) -> str:
    return str(_("系统")) if chain.key == queries.SYSTEM else (chain.name or chain.key)


def _filters(form: FilterForm) -> queries.Filters:
    """What the list is narrowed to, where all of it fits: what does not is shown beside its field, and no list."""
    text = {name: (request.args.get(name) or "").strip() for name in NARROW[:4]}
    text["actor"] = actor_called(text["actor"])
    return queries.Filters(**text, since=_day(form.since), until=_day(form.until), objects=_objects())


def _objects() -> tuple[str, ...]:
    """The keys of what the page is about, where a page of a duty or a record leads here."""
    return tuple(request.args.getlist("of")[:OBJECTS])


def _day(field: DateField) -> date | None:
    value = field.data
    return value if isinstance(value, date) else None


def _link(**changes: str) -> str:
    """The query string of the same view with some parts changed."""
    parts = {name: request.args.get(name, "") for name in NARROW} | changes
    return urlencode([*((name, value) for name, value in parts.items() if value), *(("of", key) for key in _objects())])


@bp.get("")
@guard(Act.USE)
def index() -> ResponseReturnValue:
    """The entries that this person may read, the latest first."""
    session, actor = db.session(), current_actor()
    chains = queries.chains_seen(session, actor)
    form = _form(chains)
    found = queries.Page((), None)
    if not form.errors:
        found = queries.page_of_entries(session, actor, _filters(form), after=request.args.get("after", ""))
    chosen = next((chain for chain in chains if chain.key == request.args.get("chain")), None)
    return render_template(
        "log/index.html",
        form=form,
        found=found,
        following=_link(after=found.following) if found.following else "",
        chosen=chosen,
        chain_name=_chain_name(chosen) if chosen else "",
        report=_checked(chosen) if chosen and request.args.get("check") else None,
        check=_link(check="1"),
        has_chains=bool(chains),
        sees_all=can(session, actor, Act.AUDIT),
        kind_name=kind_name,
    )


def _checked(chain: queries.Chain) -> ChainReport:
    return verify_log(db.session(), chain=chain.key)[0]


@bp.get("/entries/<key>")
@guard(Act.VIEW, LogEntry)
def show(entry: LogEntry) -> ResponseReturnValue:
    """One entry: who, in which appointment, did what, and what was before and after. The unit can see who read it."""
    shown = queries.entry_shown(db.session(), entry, actor=current_actor())
    page = render_template(
        "log/show.html",
        entry=shown,
        changes=changes_of(shown.before, shown.after, _counts_named(shown)),
        kind_name=kind_name,
    )
    _note_access(shown.line)
    return page


def _counts_named(shown: queries.Shown) -> dict[str, str]:
    """What the lists call what is counted, where the entry tells of it."""
    if not tells_counts(shown.before, shown.after):
        return {}
    return {key: named(kind) for key, kind in count_kinds(db.session()).items()}


def _note_access(line: queries.Line) -> None:
    unit = queries.unit_of_chain(db.session(), line.chain)
    if unit is None:
        return
    number, key = unit.id, f"{line.chain}:{line.seq}"
    with transaction() as session:
        log.record_access(
            session, actor=current_actor(), now=clock.now(), verb="log.view", kind="log", key=key, unit_id=number
        )


@bp.get("/access")
@guard(Act.USE)
def access() -> ResponseReturnValue:
    """Who opened or exported what, as far as this person may know."""
    session, actor = db.session(), current_actor()
    form = _offered(AccessForm(request.args), queries.chains_seen(session, actor), ACCESSES)
    found = queries.AccessPage((), None)
    if not form.errors:
        found = queries.page_of_access(session, actor, _filters(form), before=_moment())
    return render_template(
        "log/access.html",
        form=form,
        found=found,
        following=_link(before=found.following.astimezone(UTC).isoformat()) if found.following else "",
        objects=_objects(),
        pages={"duty": "duties.show", "evidence": "evidence.show"},
        opened=queries.opened_by(session, actor, found.lines),
        kind_name=kind_name,
    )


def _moment() -> datetime | None:
    """Where the page begins, as the page before said; something else is no page of this list."""
    given = request.args.get("before", "")
    if not given:
        return None
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        abort(404)
    if moment.tzinfo is None:
        abort(404)
    return moment
