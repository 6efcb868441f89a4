"""Hand-overs: the lists that concern this person, one list with its duties, and signing it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session
from wtforms import TextAreaField
from wtforms.validators import Length

from tracker.db import db, transaction
from tracker.domain.errors import NotAllowed
from tracker.domain.handover import Side
from tracker.domain.text import _n
from tracker.models import Handover, HandoverSignature
from tracker.policy import Act
from tracker.queries.assignments import items_of_year
from tracker.queries.cycles import cycles_of
from tracker.queries.handovers import handovers_for, signatures_of
from tracker.services import handovers
from tracker.web import clock
from tracker.web.access import current_actor, guard
from tracker.web.forms import Form, page

bp = Blueprint("handovers", __name__, url_prefix="/handovers")

SIDE_NAMES = {Side.OUT: _n("移交人"), Side.IN: _n("接收人")}


class SignForm(Form):
    """The signature; a reason where somebody signs in place of the outgoing person."""

    reason = TextAreaField(_l("代签理由"), validators=[Length(max=500)])


@bp.get("")
@guard(Act.USE)
def index() -> ResponseReturnValue:
    """The lists that this person may see."""
    found = handovers_for(db.session(), current_actor())
    return render_template("handovers/index.html", found=found, sides=SIDE_NAMES)


@bp.route("/<key>", methods=["GET", "POST"])
@guard(Act.VIEW, Handover)
def show(handover: Handover) -> ResponseReturnValue:
    """One list: what is handed over, who has signed; sign it here."""
    form, key = SignForm(), handover.key
    if form.validate_on_submit():
        with form.refusals(), transaction() as session:
            handovers.sign(session, handover, actor=current_actor(), now=clock.now(), reason=form.reason.data or "")
        if not form.errors:
            flash(_("已签字。"), "good")
            return redirect(url_for("handovers.show", key=key))
    session = db.session()
    signatures = signatures_of(session, handover)
    return page("handovers/show.html", form, **_values(session, handover, signatures))


def _values(session: Session, handover: Handover, signatures: Mapping[Side, HandoverSignature]) -> dict[str, Any]:
    """What the page shows: the list as it was fixed, with the titles of its items."""
    covered = json.loads(handover.covered)
    years = {int(duty["duty"].split(".", 1)[0]) for duty in covered["duties"]}
    titles = {
        key: item.title
        for cycle in cycles_of(session, years)
        for key, item in items_of_year(session, cycle).items()
    }
    return {
        "handover": handover,
        "duties": sorted(covered["duties"], key=lambda duty: (duty["due"], duty["duty"])),
        "titles": titles,
        "signatures": signatures,
        "sides": SIDE_NAMES,
        "side": _open_side(session, handover, signatures),
        "in_place": current_actor().person_id not in (handover.outgoing.person_id, handover.incoming.person_id),
    }


def _open_side(session: Session, handover: Handover, signatures: Mapping[Side, HandoverSignature]) -> Side | None:
    """The side for which this person may sign now; None if there is none."""
    try:
        side, _appointment = handovers.side_of(session, handover, current_actor(), signed=frozenset(signatures))
    except NotAllowed:
        return None
    return side if side not in signatures else None
