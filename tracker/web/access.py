"""Closed by default: every view declares who may use it, and loads what it shows through the one policy.

A stranger is sent to sign in; an object that a person may not know of is 404; an act that is not theirs is 403.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, wraps
from typing import Any, TypeVar

from flask import Flask, abort, current_app, g, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy import Select, bindparam, select
from sqlalchemy.orm import InstrumentedAttribute, joinedload
from sqlalchemy.sql.base import ExecutableOption
from werkzeug.routing import IntegerConverter, Map

from tracker.db import db
from tracker.domain.actor import Actor
from tracker.models import (
    Appointment,
    ChecklistVersion,
    Cycle,
    Duty,
    Evidence,
    Finding,
    GoodPractice,
    Handover,
    Inspection,
    Job,
    LogEntry,
    Organization,
    Person,
    Seat,
)
from tracker.policy import Act, ViewerKind, can, kind_of, values_of, visible
from tracker.queries.actors import actor_numbered
from tracker.web import clock

View = TypeVar("View", bound=Callable[..., ResponseReturnValue])

LARGEST = 2**31 - 1  # of the numbers that both databases hold

KEYS: dict[type[Any], InstrumentedAttribute[Any]] = {
    ChecklistVersion: ChecklistVersion.sha256,
    Cycle: Cycle.year,
    Duty: Duty.key,
    Evidence: Evidence.key,
    Finding: Finding.key,
    GoodPractice: GoodPractice.key,
    Handover: Handover.key,
    Inspection: Inspection.number,
    Job: Job.key,
    LogEntry: LogEntry.digest,
    Organization: Organization.code,
    Person: Person.key,
    Seat: Seat.key,
}

# What nearly every page of an object shows with it, read in the same query.
WITH: dict[type[Any], tuple[ExecutableOption, ...]] = {
    Duty: (joinedload(Duty.organization), joinedload(Duty.cycle).joinedload(Cycle.checklist_version)),
    GoodPractice: (joinedload(GoodPractice.evidence), joinedload(GoodPractice.inspection)),
    Finding: (
        joinedload(Finding.organization).joinedload(Organization.unit),
        joinedload(Finding.duty),
        joinedload(Finding.inspection).joinedload(Inspection.cycle).joinedload(Cycle.checklist_version),
    ),
    Handover: (
        joinedload(Handover.outgoing).joinedload(Appointment.person),
        joinedload(Handover.incoming).joinedload(Appointment.person),
        joinedload(Handover.seat).joinedload(Seat.organization),
    ),
    Inspection: (joinedload(Inspection.cycle).joinedload(Cycle.checklist_version),),
}


@dataclass(frozen=True)
class AccessRule:
    """What a view asks for: an act (None: open to strangers), and the kind of object it loads by `param`."""

    act: Act | None
    model: type[Any] | None = None
    param: str = "key"


def public(view: View) -> View:
    """Declare that a view is open to strangers."""
    view.access_rule = AccessRule(None)  # type: ignore[attr-defined]
    return view


def guard(
    act: Act, model: type[Any] | None = None, *, param: str = "key"
) -> Callable[[Callable[..., ResponseReturnValue]], Any]:
    """Declare the act that a view performs; with `model`, load the object that `param` names and pass it first."""

    def decorate(view: Callable[..., ResponseReturnValue]) -> Callable[..., ResponseReturnValue]:
        @wraps(view)
        def guarded(**arguments: Any) -> ResponseReturnValue:  # noqa: ANN401  what the URL holds
            if model is None:
                _refuse_unless(act, None)
                return view(**arguments)
            thing = load(model, arguments.pop(param))
            if act is not Act.VIEW:  # loading has asked that already
                _refuse_unless(act, thing)
            return view(thing, **arguments)

        guarded.access_rule = AccessRule(act, model, param)  # type: ignore[attr-defined]
        return guarded

    return decorate


def _refuse_unless(act: Act, thing: Any) -> None:  # noqa: ANN401  any model, or None
    if not can(db.session(), current_actor(), act, thing):
        abort(403)


def load(model: Any, key: object) -> Any:  # noqa: ANN401  a model; an object of it
    """Return the object of that key if this person may know of it; otherwise 404."""
    actor = current_actor()
    thing = db.session.scalars(_seen(model, kind_of(actor)), {"key": key, **values_of(actor)}).one_or_none()
    if thing is None:
        abort(404)
    return thing


@cache
def _seen(model: Any, kind: ViewerKind) -> Select[Any]:  # noqa: ANN401  a model
    """The object of a key, with what is shown with it, if viewers of this kind may know of it."""
    query = select(model).where(KEYS[model] == bindparam("key"), visible(kind, model))
    return query.options(*WITH.get(model, ()))


def current_actor() -> Actor:
    """Whoever is signed in, with the appointments of today; a stranger gets an actor that may do nothing."""
    if "actor" not in g:
        g.actor = _signed_in() or Actor(None, "stranger", "", request_id=request_id())
    actor: Actor = g.actor
    return actor


def _signed_in() -> Actor | None:
    if not current_user.is_authenticated:
        return None
    return actor_numbered(db.session(), current_user.person_id, today=clock.today(), request_id=request_id())


def request_id() -> str:
    """The id of this request, which stands in log entries and in the answer's headers."""
    identifier: str = g.setdefault("request_id", "")
    return identifier


def _close_by_default() -> ResponseReturnValue | None:
    view = current_app.view_functions.get(request.endpoint or "")
    if view is None:
        return None  # no such page: the router answers
    rule: AccessRule | None = getattr(view, "access_rule", None)
    if rule is None and request.endpoint not in current_app.config["OPEN_ENDPOINTS"]:
        abort(403)
    if rule is None or rule.act is None or current_user.is_authenticated:
        return None
    if request.method != "GET" or request.accept_mimetypes.best == "application/json":
        abort(401)
    return redirect(url_for("security.login", next=request.full_path.rstrip("?")))


class NumberConverter(IntegerConverter):
    """A number in the path of an address; one that no row can have leads nowhere."""

    def __init__(self, map: Map) -> None:  # noqa: A002  as Werkzeug calls it
        """Take no larger numbers than the databases do."""
        super().__init__(map, max=LARGEST)


def number_asked(name: str) -> int | None:
    """The number that an address gives under this name; None where there is none that a row can have."""
    number = request.args.get(name, type=int)
    return number if number is not None and 0 <= number <= LARGEST else None


def init_app(app: Flask) -> None:
    """Deny every view that has not declared who may use it."""
    app.url_map.converters["int"] = NumberConverter
    app.config.setdefault("OPEN_ENDPOINTS", {"static", "bootstrap.static"})
    app.before_request(_close_by_default)
