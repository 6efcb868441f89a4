"""The page on which an administrator says who is in the team of a check."""

from __future__ import annotations

from collections.abc import Iterable

from flask import Blueprint, flash, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import SelectField
from wtforms.validators import InputRequired

from tracker.db import db, transaction
from tracker.domain.inspection import MemberRole
from tracker.models import Inspection, Person
from tracker.policy import Act
from tracker.queries.inspections import fact_of, inspectors_to_choose, team_of
from tracker.services.inspection_teams import Pair, set_team
from tracker.web import clock
from tracker.web.access import current_actor, guard
from tracker.web.forms import Form, page
from tracker.web.inspection_plans import ManyField

bp = Blueprint("inspection_teams", __name__, url_prefix="/inspections")


class TeamForm(Form):
    """Who leads, and who else goes along."""

    leader = SelectField(_l("组长"), validators=[InputRequired()])
    members = ManyField(_l("成员"))

    def offer(self, people: Iterable[Person]) -> None:
        """Fill in who can be chosen."""
        self.leader.choices = self.members.choices = [(person.key, person.name) for person in people]

    def chosen(self, people: Iterable[Person]) -> list[Pair]:
        """The team that was chosen; whoever leads is no member beside that."""
        keys = set(self.members.data or ()) - {self.leader.data}
        roles = dict.fromkeys(keys, MemberRole.MEMBER) | {self.leader.data: MemberRole.LEADER}
        return [(person, roles[person.key]) for person in people if person.key in roles]


@bp.route("/<int:number>/team", methods=["GET", "POST"])
@guard(Act.ADMINISTER, Inspection, param="number")
def edit(inspection: Inspection) -> ResponseReturnValue:
    """Change the team, so that somebody else can judge, or look again at what was put right."""
    team = team_of(db.session(), inspection)
    people = _people(team)
    leader = next((person.key for person, role in team if role is MemberRole.LEADER), None)
    form = TeamForm(leader=leader, members=[person.key for person, role in team if role is MemberRole.MEMBER])
    form.offer(people)
    if form.validate_on_submit():
        with form.refusals(), transaction() as session:
            changed = set_team(session, inspection, form.chosen(people), actor=current_actor(), now=clock.now())
        if not form.errors:
            flash(_("检查组已调整。") if changed else _("检查组没有变化。"), "good")
            return redirect(url_for("inspections.show", number=inspection.number))
    return page("inspections/team.html", form, inspection=inspection, fact=fact_of(db.session(), inspection))


def _people(team: Iterable[Pair]) -> list[Person]:
    """Everybody who inspects, and whoever is in the team though they do not any more."""
    found = {person.key: person for person in (*inspectors_to_choose(db.session()), *(person for person, _ in team))}
    return [found[key] for key in sorted(found)]
