"""Chinese first, English by a switch."""

from __future__ import annotations

from collections.abc import Iterable

from flask import Blueprint, Flask, g, redirect, request, session
from flask.typing import ResponseReturnValue
from flask_babel import Babel, gettext
from flask_login import current_user

from tracker.db import transaction
from tracker.domain.checklist import CountKind, Named
from tracker.models import Account
from tracker.web.access import public
from tracker.web.forms import Confirmation

LANGUAGES = {"zh": "中文", "en": "English"}
LOCALES = {"zh": "zh_Hans_CN", "en": "en"}

bp = Blueprint("language", __name__, url_prefix="/language")


def current_language() -> str:
    """The language of this request: chosen in this session, else that of the account, else Chinese."""
    chosen = session.get("language")
    if chosen in LANGUAGES:
        return str(chosen)
    if g.get("database_away"):
        return "zh"
    if current_user and current_user.is_authenticated and current_user.language in LANGUAGES:
        return str(current_user.language)
    return "zh"


def current_locale() -> str:
    """The locale of this request, as Babel names it."""
    return LOCALES[current_language()]


def named(thing: Named) -> str:
    """What the checklist calls a thing in the language of the page; in Chinese where it has no English name."""
    return thing.name_en if thing.name_en and current_language() == "en" else thing.name


def unit_of(kind: CountKind) -> str:
    """The measure word of a count, where its name does not say it already: English names do."""
    return kind.unit if named(kind) == kind.name else ""


def listed(words: Iterable[str]) -> str:
    """Words in a row, with the comma of the language between them."""
    return str(gettext("、")).join(words)


def _safe_target() -> str:
    target = request.form.get("next", "/")
    return target if target.startswith("/") and not target.startswith(("//", "/\\")) else "/"


@bp.post("/<language>")
@public
def choose(language: str) -> ResponseReturnValue:
    """Switch the language, for this session and, if somebody is signed in, for good."""
    if language in LANGUAGES and Confirmation().validate_on_submit():
        session["language"] = language
        if current_user.is_authenticated:
            with transaction() as database:
                account = database.get_one(Account, current_user.id)
                account.language = language
    return redirect(_safe_target())


def init_app(app: Flask) -> None:
    """Set up the translations."""
    app.config.setdefault("BABEL_DEFAULT_LOCALE", "zh_Hans_CN")
    app.config.setdefault("BABEL_DEFAULT_TIMEZONE", "Asia/Shanghai")
    app.config.setdefault("BABEL_TRANSLATION_DIRECTORIES", "translations")
    Babel(app, locale_selector=current_locale)
    app.register_blueprint(bp)
    app.jinja_env.globals.update(
        current_language=current_language, languages=LANGUAGES, named=named, listed=listed, unit_of=unit_of
    )
