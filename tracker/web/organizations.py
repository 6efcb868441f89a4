"""Organizations: the tree on a day, and one organization with its seats and its history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from flask import Blueprint, abort, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from tracker.config import CHECKOUT
from tracker.db import db
from tracker.domain.appointment import KIND_NAMES
from tracker.domain.checklist import ROOT, Checklist
from tracker.domain.text import _n
from tracker.models import Organization, Seat
from tracker.policy import Act, can
from tracker.queries.handovers import handovers_of
from tracker.queries.organizations import Node, Records, records, seen_ids
from tracker.queries.organizations import names_of as names_of_places
from tracker.queries.people import names_of
from tracker.queries.roster import roster_checklist
from tracker.queries.seats import Holder, seats_of, terms_of
from tracker.web.access import current_actor, guard
from tracker.web.as_of import answers_past, asked, day_shown, known_at, refuse_unless_known
from tracker.web.jobs import quarters_begun
from tracker.web.language import named

bp = Blueprint("organizations", __name__, url_prefix="/organizations")

FOLDER = CHECKOUT / "checklists"
FACT_NAMES = {
    "name": _n("名称"),
    "parent": _n("上级"),
    "level": _n("层级"),
    "tags": _n("标签"),
    "is_unit": _n("是否单位"),
    "opened_on": _n("成立日期"),
    "closed_on": _n("撤销日期"),
    "term_ends_on": _n("届满日期"),
}


@bp.get("")
@guard(Act.USE)
@answers_past
def index() -> ResponseReturnValue:
    """The tree on a day: one's own part of it, or all of it for administrators."""
    session, day = db.session(), _day()
    return render_template(
        "organizations/index.html",
        nodes=_seen(session, records(session, as_of=known_at()), day),
        day=day,
        words=_words(session),
        may_import=asked() is None and can(session, current_actor(), Act.ADMINISTER),
    )


@bp.get("/<key>")
@guard(Act.VIEW, Organization)
@answers_past
def show(organization: Organization) -> ResponseReturnValue:
    """One organization on a day: what is true of it, who sits in its seats, and what was true before."""
    session, day, at = db.session(), _day(), known_at()
    known = records(session, as_of=at)
    if organization.id not in known.facts:
        refuse_unless_known(None)
    nodes = {node.code: node for node in _seen(session, known, day)}
    node = nodes.get(organization.code)
    seats = seats_of(session, [organization.id], as_of=at)
    numbers = [seat.id for seat in seats]
    handed = handovers_of(session, current_actor(), seat_ids=numbers, as_of=at)
    people = {side.person_id for handover in handed for side in (handover.outgoing, handover.incoming)}
    return render_template(
        "organizations/show.html",
        organization=organization,
        name=node.name if node else names_of_places(session, [organization.id], as_of=at)[organization.id],
        node=node,
        above=_above(node, nodes),
        below=[other for other in nodes.values() if other.parent == organization.code],
        seats=_rows_of(seats, terms_of(session, numbers, as_of=at), day),
        history=known.history(organization.id),
        handovers=handed,
        called=names_of(session, people, as_of=at),
        day=day,
        quarters=_quarters(session, organization),
        words=_words(session),
        kinds=KIND_NAMES,
        fact_names=FACT_NAMES,
    )


def _quarters(session: Session, organization: Organization) -> dict[str, tuple[int, int]]:
    """The quarters whose volume this person may ask for."""
    may_report = organization.is_unit and can(session, current_actor(), Act.REPORT, organization)
    return quarters_begun(session) if may_report else {}


def _day() -> date:
    """The day that the page shows; where none is given, today or the past day as of which it speaks."""
    try:
        return date.fromisoformat(request.args["on"]) if request.args.get("on") else day_shown()
    except ValueError:
        abort(400)


def _seen(session: Session, known: Records, day: date) -> list[Node]:
    """The nodes of the tree that this person may see; their depth counts from the topmost one seen."""
    seen = seen_ids(session, current_actor())
    return [node for node in known.tree(day) if node.id in seen]


def _above(node: Node | None, nodes: dict[str, Node]) -> list[Node]:
    """What is above a node and may be seen, from the top down."""
    line: list[Node] = []
    while node is not None and node.parent in nodes:
        node = nodes[node.parent]
        line.insert(0, node)
    return line


def _words(session: Session) -> dict[str, dict[str, str]]:
    """What levels, posts and tags are called."""
    checklist: Checklist = roster_checklist(session, folder=FOLDER, as_of=known_at())
    return {
        "level": {ROOT: checklist.root_name} | {level.id: named(level) for level in checklist.levels},
        "post": {post.id: named(post) for post in checklist.posts},
        "tag": {tag.id: named(tag) for tag in checklist.tags},
    }


def _rows_of(
    seats: Sequence[Seat], terms: dict[int, list[Holder]], day: date
) -> list[tuple[Seat, list[Holder], list[Holder]]]:
    """Each seat with who sits there on the day, and everybody who ever did."""
    everybody = [(seat, terms.get(seat.id, [])) for seat in seats]
    return [(seat, [holder for holder in found if holder.sits_on(day)], found) for seat, found in everybody]
