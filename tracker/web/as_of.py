"""Any past day: `?as_of=2026-06-30` asks a page for what the system said at the end of that day.

A view that answers declares it with `answers_past` below its `guard`; every other page refuses the parameter, and so
does every act. On a page of a past day `url_for` carries the day to pages that answer too, except those of the board:
their addresses carry their whole view themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar
from urllib.parse import urlencode

from flask import Flask, current_app, g, request
from flask.typing import ResponseReturnValue

from tracker.db import db
from tracker.domain.errors import Invalid, NotFound, WrongState
from tracker.domain.text import _n
from tracker.queries.history import end_of_day
from tracker.queries.log import first_day
from tracker.web import clock

View = TypeVar("View", bound=Callable[..., ResponseReturnValue])

READING = frozenset({"GET", "HEAD", "OPTIONS"})
PLACE = frozenset({"after", "after_due", "after_key"})  # where a page of a list begins: another day has other pages
DOCUMENTS = frozenset({"jobs", "papers"})  # blueprints whose forms say as of which day a document speaks


@dataclass(frozen=True)
class Past:
    """A past day that is looked at, and its last moment: what was recorded by then was known."""

    day: date
    at: datetime


def answers_past(view: View) -> View:
    """Declare that a view answers `?as_of=`."""
    view.answers_past = True  # type: ignore[attr-defined]
    return view


def asked() -> Past | None:
    """The past day that this page is asked for; None where it is to show the present."""
    past: Past | None = g.get("past")
    return past


def known_at() -> datetime | None:
    """The recorded time as of which queries answer on this page; None for the present."""
    past = asked()
    return past.at if past else None


def day_shown() -> date:
    """The day that counts as today on this page."""
    past = asked()
    return past.day if past else clock.today()


def refuse_unless_known(recorded_at: datetime | None) -> None:
    """Refuse a past day on which there was no such thing yet. Raises NotFound."""
    past = asked()
    if past is not None and (recorded_at is None or recorded_at > past.at):
        raise NotFound(_n("到 %(day)s 日终，系统里还没有这条记录，请改选较晚的日期。"), day=past.day)


def _past(wanted: str) -> Past | None:
    """The day that was asked for. Today is not over: it is the present. Raises Invalid."""
    try:
        day = date.fromisoformat(wanted)
    except ValueError:
        raise Invalid(_n("日期格式不对，请按 2026-03-31 的样子填写。"), field="as_of") from None
    today, first = clock.today(), first_day(db.session())
    if day > today:
        message = _n("%(day)s 还没有到，不能查看那一天的记录。请选择 %(today)s 或以前的日期。")
        raise Invalid(message, field="as_of", day=day, today=today)
    if first is None or day < first:
        message = _n("系统从 %(first)s 开始有记录，没有 %(day)s 的记录。请选择 %(first)s 或以后的日期。")
        raise Invalid(message, field="as_of", day=day, first=first or today)
    return None if day == today else Past(day, end_of_day(day))


def _ask() -> None:
    """Note which day is asked for, or refuse: an act in the past, a page that knows only the present, no such day."""
    view = current_app.view_functions.get(request.endpoint or "")
    if view is None or request.endpoint in current_app.config["OPEN_ENDPOINTS"]:
        return
    if request.method not in READING:
        _refuse_to_act()
        return
    if "as_of" not in request.args:
        return
    if not answers(view):
        raise Invalid(
            _n(
                "这个页面只有现在的内容，不能查看过去某一天。"
                "请去掉地址中的 as_of；要看过去某一天，请从看板、任务、佐证、组织或督查的页面查看。"
            ),
            field="as_of",
        )
    if wanted := request.args["as_of"]:
        g.past = _past(wanted)


def _refuse_to_act() -> None:
    """Nothing is done on a page of a past day; a form for a document may say as of which day it speaks."""
    if "as_of" in request.args or ("as_of" in request.form and request.blueprint not in DOCUMENTS):
        raise WrongState(_n("过去某一天的记录只能查看，不能办理，没有保存任何改动。请回到今天的页面再办理。"))


def answers(view: Callable[..., Any] | None) -> bool:
    """Whether a view answers `?as_of=`."""
    return bool(getattr(view, "answers_past", False))


def carry(endpoint: str, values: dict[str, Any]) -> None:
    """Let links on a page of a past day lead to pages of the same day, where those answer."""
    past = asked()
    if past is None or endpoint.startswith("board."):
        return
    if answers(current_app.view_functions.get(endpoint)):
        values.setdefault("as_of", past.day.isoformat())


def suffix() -> str:
    """What is put behind an address that is built from parts: `?as_of=…`, or nothing for the present."""
    past = asked()
    return f"?as_of={past.day}" if past else ""


def present_link() -> str:
    """The address of this page for today."""
    kept = [(name, value) for name, value in request.args.items(multi=True) if name != "as_of"]
    return request.path + ("?" + urlencode(kept) if kept else "")


def other_arguments() -> list[tuple[str, str]]:
    """What the address of this page says beside the day, for a form that goes to another one."""
    return [(name, value) for name, value in request.args.items(multi=True) if name not in {"as_of", *PLACE}]


def init_app(app: Flask) -> None:
    """Ask before every view, after it is known that somebody is signed in."""
    app.before_request(_ask)
    app.url_defaults(carry)
    app.jinja_env.globals.update(
        past=asked,
        then=suffix,
        today=day_shown,
        present_day=clock.today,
        present_link=present_link,
        other_arguments=other_arguments,
        answers_past=lambda: answers(current_app.view_functions.get(request.endpoint or "")),
    )
