"""What stands around every page: navigation for this person, words for states, addresses of static files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path

from flask import Flask, current_app, request, url_for
from flask_babel import gettext

from tracker.domain.actor import Actor, RoleName
from tracker.domain.board import COLUMN_NAMES, Column
from tracker.domain.duty import ACTION_NAMES, STATE_NAMES, TIMELINESS_NAMES, State, Timeliness
from tracker.domain.inspection import RECTIFICATION_STATE_NAMES, RectificationState
from tracker.domain.schedule import period_name
from tracker.domain.score import VERDICT_NAMES, Verdict, exact, shown
from tracker.domain.text import _n
from tracker.queries.history import SHANGHAI
from tracker.web.access import current_actor
from tracker.web.addresses import page_here
from tracker.web.forms import Confirmation
from tracker.web.log_words import actor_name, verb_name


@dataclass(frozen=True)
class Entry:
    """One entry of the navigation."""

    endpoint: str
    label: str
    icon: str
    shown_to: Callable[[Actor], bool]


def _signs(actor: Actor) -> bool:
    return any(sitting.may_sign for sitting in actor.sittings)


def _sits(actor: Actor) -> bool:
    return bool(actor.sittings)


def _reads_a_log(actor: Actor) -> bool:
    """A unit's log is read at the unit and above it, and by auditors."""
    return actor.has(RoleName.AUDITOR) or any(sitting.at_unit for sitting in actor.sittings)


def _administers(actor: Actor) -> bool:
    return actor.has(RoleName.ADMINISTRATOR)


def _inspects(actor: Actor) -> bool:
    return actor.has(RoleName.INSPECTOR)


def _answers_for_findings(actor: Actor) -> bool:
    """Whoever sits somewhere may be found wanting; those who check look at what was done."""
    return _sits(actor) or _inspects(actor) or _administers(actor)


NAVIGATION = (
    Entry("duties.home", _n("我的任务"), "check2-square", _sits),
    Entry("sign_offs.queue", _n("待我确认"), "pen", _signs),
    Entry("board.show", _n("看板"), "grid-3x3", lambda actor: _sits(actor) or _inspects(actor)),
    Entry("inspections.index", _n("督查"), "clipboard2-check", lambda actor: _inspects(actor) or _administers(actor)),
    Entry("good_practice.index", _n("亮点做法"), "star", lambda actor: _sits(actor) or _inspects(actor)),
    Entry("rectification.index", _n("整改"), "clipboard2-pulse", _answers_for_findings),
    Entry("organizations.index", _n("组织"), "diagram-3", lambda actor: _sits(actor) or _administers(actor)),
    Entry("cycles.index", _n("年度"), "calendar3", _administers),
    Entry("checklists.index", _n("清单"), "list-check", lambda _: True),
    Entry("jobs.index", _n("文件"), "file-earmark-pdf", lambda _: True),
    Entry("log.index", _n("日志"), "journal-text", _reads_a_log),
    Entry("accounts.index", _n("账号"), "people", _administers),
    Entry("seals.index", _n("封存"), "lock", _administers),
)

# Blueprints whose pages belong to the part of another one.
PART_OF = {"inspection_plans": "inspections"}

STATE_SIGNS: dict[State, tuple[str, str]] = {
    State.OPEN: ("circle", "open"),
    State.SUBMITTED: ("hourglass-split", "waiting"),
    State.RETURNED: ("arrow-return-left", "alert"),
    State.CONFIRMED: ("check-circle-fill", "good"),
    State.CLAIMED: ("chat-left-text", "waiting"),
    State.NOT_APPLICABLE: ("dash-circle", "quiet"),
    State.EXCUSED: ("slash-circle", "quiet"),
}

VERDICT_SIGNS: dict[Verdict, tuple[str, str]] = {
    Verdict.MET: ("check-circle-fill", "good"),
    Verdict.PARTLY: ("circle-half", "late"),
    Verdict.MISSING: ("x-octagon", "alert"),
    Verdict.NOT_APPLICABLE: ("dash-circle", "quiet"),
}

RECTIFICATION_SIGNS: dict[RectificationState, tuple[str, str]] = {
    RectificationState.NOT_STARTED: ("circle", "open"),
    RectificationState.UNDER_WAY: ("tools", "waiting"),
    RectificationState.REPORTED: ("hourglass-split", "late"),
    RectificationState.CLOSED: ("check-circle-fill", "good"),
}

TIMELINESS_SIGNS: dict[Timeliness, tuple[str, str]] = {
    Timeliness.NOT_YET_DUE: ("calendar", "quiet"),
    Timeliness.DUE_SOON: ("bell", "waiting"),
    Timeliness.OVERDUE: ("exclamation-triangle-fill", "alert"),
    Timeliness.IN_TIME: ("check2", "good"),
    Timeliness.RECORDED_LATE: ("clock-history", "late"),
    Timeliness.MADE_UP: ("arrow-repeat", "late"),
    Timeliness.MISSED: ("x-octagon", "alert"),
}


def navigation() -> list[Entry]:
    """The entries for whoever is signed in."""
    actor = current_actor()
    if actor.person_id is None:
        return []
    return [e for e in NAVIGATION if e.endpoint in current_app.view_functions and e.shown_to(actor)]


@cache
def _digest_of(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()[:12]


def first_page(actor: Actor, entries: Sequence[Entry]) -> str:
    """The endpoint of the first page of somebody who holds no seat: what their role is for."""
    wanted = {
        RoleName.AUDITOR: "log.index",
        RoleName.ADMINISTRATOR: "cycles.index",
        RoleName.INSPECTOR: "inspections.index",
    }
    reached = {entry.endpoint for entry in entries}
    return next((page for role, page in wanted.items() if actor.has(role) and page in reached), entries[0].endpoint)


def static_url(name: str) -> str:
    """The address of a static file, which changes with its content so that browsers may keep it for good."""
    return url_for("static", filename=name, v=_digest_of(Path(str(current_app.static_folder)) / name))


def is_current(endpoint: str) -> bool:
    """Whether the page belongs to the same part of the site as this endpoint."""
    if request.endpoint is None:
        return False
    here = page_here()
    part = PART_OF.get(here.blueprint, here.blueprint)
    return part == endpoint.partition(".")[0] and (
        endpoint == here.endpoint or not any(e.endpoint == here.endpoint for e in NAVIGATION)
    )


def _name_of(names: object, value: object) -> str:
    return gettext(names[value]) if isinstance(names, dict) else str(value)  # the tables are plain dicts


def _period(code: str) -> str:
    message, values = period_name(code)
    return str(gettext(message, **values))


@cache
def _duty_prefix() -> str:
    """The address of a duty without its key: for tables of many rows, where building each address costs more."""
    return url_for("duties.show", key="KEY", as_of=None).removesuffix("KEY")


def _local_time(moment: datetime) -> str:
    return moment.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")


def init_app(app: Flask) -> None:
    """Give templates what every page needs."""
    app.jinja_env.globals.update(
        navigation=navigation,
        actor=current_actor,
        static_url=static_url,
        is_current=is_current,
        page_here=page_here,
        state_name=lambda state: _name_of(STATE_NAMES, State(state)),
        state_sign=lambda state: STATE_SIGNS[State(state)],
        timeliness_name=lambda value: _name_of(TIMELINESS_NAMES, Timeliness(value)),
        timeliness_sign=lambda value: TIMELINESS_SIGNS[Timeliness(value)],
        column_name=lambda column: _name_of(COLUMN_NAMES, Column(column)),
        verdict_name=lambda value: _name_of(VERDICT_NAMES, Verdict(value)),
        shown=shown,
        exact=exact,
        verdict_sign=lambda value: VERDICT_SIGNS[Verdict(value)],
        rectification_name=lambda state: _name_of(RECTIFICATION_STATE_NAMES, RectificationState(state)),
        rectification_sign=lambda state: RECTIFICATION_SIGNS[RectificationState(state)],
        period_name=_period,
        local_time=_local_time,
        duty_prefix=_duty_prefix,
        verb_name=verb_name,
        actor_name=actor_name,
        action_name=lambda action: _name_of(ACTION_NAMES, action),
        button_form=lambda: Confirmation(formdata=None),  # it must render where the request cannot be read
        config_endpoints=lambda: current_app.view_functions,
    )
