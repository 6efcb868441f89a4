"""Signing in and out by Flask-Security, with what it leaves open closed.

It checks the lock after the password and not at all at the second step: the forms here check it first, at both. It
takes a code twice until counters are kept: they are, and a code is used up inside a transaction. Sessions end after
half an hour without a click and after twelve hours in any case, and for good when the person signs out.

Flask-Security changes nothing in the database: it sees an account as a plain value, and every change goes through
`services.accounts` inside a transaction of ours.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache, wraps
from hashlib import sha256
from typing import Any

from flask import Flask, Response, current_app, flash, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import current_user, user_logged_out
from flask_security import (
    Form,
    LoginForm,
    Security,
    Totp,
    TwoFactorRescueForm,
    TwoFactorVerifyCodeForm,
    UserMixin,
    VerifyForm,
    user_authenticated,
)
from flask_security.datastore import UserDatastore
from flask_security.utils import uia_username_mapper
from sqlalchemy import Row, bindparam, select
from wtforms import EmailField, PasswordField, RadioField, StringField
from wtforms.validators import InputRequired, Regexp

from tracker.config import Settings
from tracker.db import db, transaction
from tracker.domain.actor import Actor
from tracker.domain.password import PROFILES, Profile, code_has_expired, has_aged
from tracker.domain.text import _n
from tracker.models import Account, Role
from tracker.queries.accounts import account_named, is_locked
from tracker.queries.columns import read
from tracker.services import accounts
from tracker.services.password_hash import Hasher
from tracker.web import clock
from tracker.web.access import current_actor, request_id
from tracker.web.errors import page_before

IDLE = 30 * 60
LONGEST = 12 * 3600
FRESH = 10 * 60
SEEN_EVERY = 60
SIGN_INS = "30 per minute"
STEP = 30

OPEN = {"security.login", "security.logout", "security.verify", "security.two_factor_token_validation"}
STILL_ALLOWED = {"accounts.password", "accounts.second_factor", "security.verify", "security.logout", "language.choose"}
REFUSED = _n("账号或密码不对，或者账号暂时不能登录。请核对后重试；多次不成功会暂停登录一段时间，可联系管理员处理。")
CODE_REFUSED = _n("动态口令不对、已用过，或者账号暂时不能登录。请等下一个口令出现后再试。")


class SignedIn(UserMixin):
    """An account as Flask-Security sees it: values, read once per request."""

    def __init__(self, account: Account | Row[*tuple[Any, ...]]) -> None:
        self.id = account.id
        self.person_id = account.person_id
        self.username = account.username
        self.password = account.password
        self.active = account.active
        self.fs_uniquifier = account.fs_uniquifier
        self.language = account.language
        self.must_change_password = account.must_change_password
        self.password_changed_at = account.password_changed_at
        self.tf_primary_method = account.tf_primary_method
        self.tf_totp_secret = account.tf_totp_secret
        self.tf_last_counter = account.tf_last_counter
        self.roles = []


@cache
def _account_by(column: str) -> Any:  # noqa: ANN401  a SELECT
    """What `SignedIn` takes of the account of which a column has a value; every request begins with it."""
    return select(
        Account.id,
        Account.person_id,
        Account.username,
        Account.password,
        Account.active,
        Account.fs_uniquifier,
        Account.language,
        Account.must_change_password,
        Account.password_changed_at,
        Account.tf_primary_method,
        Account.tf_totp_secret,
        Account.tf_last_counter,
    ).where(getattr(Account, column) == bindparam("value"))


class Accounts(UserDatastore):
    """Finds accounts for Flask-Security, and changes none."""

    def find_user(self, case_insensitive: bool = False, **wanted: Any) -> SignedIn | None:  # noqa: ANN401, ARG002
        """Return the account whose one named column has this value."""
        ((column, value),) = wanted.items()
        account = read(db.session(), _account_by(column), {"value": value}).one_or_none()
        return SignedIn(account) if account else None

    def put(self, model: Any) -> Any:  # noqa: ANN401  whatever Flask-Security wants to keep
        """Keep nothing."""
        return model

    def commit(self) -> None:
        """Commit nothing."""


class Counters(Totp):
    """Codes that work once: the counter of the last one stands in the account."""

    def get_last_counter(self, user: UserMixin) -> int | None:
        """The counter of the last code that was taken."""
        return user.tf_last_counter if isinstance(user, SignedIn) else None

    def set_last_counter(self, user: UserMixin, tmatch: Any) -> None:  # noqa: ANN401  passlib's match
        """Carry the counter to `accounts.attempt`, which stores it."""
        if isinstance(user, SignedIn):
            user.tf_last_counter = tmatch.counter


class SignInForm(LoginForm):
    """Account name and password."""

    email = EmailField()  # Flask-Security looks at its errors; the page does not show it
    remember = None  # type: ignore[assignment]  # WTForms drops a field that is set to None
    username = StringField(lazy_gettext("账号"))
    password = PasswordField(lazy_gettext("密码"))

    def validate(self, **_: Any) -> bool:  # noqa: ANN401  as Flask-Security calls it
        """Whether name and password let somebody in; the lock comes before the password."""
        if not Form.validate(self):
            return False
        if not self.username.data or not self.password.data:
            self.form_errors.append(gettext("请填写账号和密码。"))
            return False
        self.user = _let_in(self.username.data, self.password.data, step="password", actor=stranger())
        if self.user is None:
            self.form_errors.append(gettext(REFUSED))
        return self.user is not None


class SecondStepForm(TwoFactorVerifyCodeForm):
    """The code that the phone shows."""

    code = StringField(
        lazy_gettext("动态口令"),
        validators=[Regexp(r"^\s*[0-9]{6}\s*$", message=lazy_gettext("请填写手机上显示的 6 位数字。"))],
    )

    def validate(self, **_: Any) -> bool:  # noqa: ANN401  as Flask-Security calls it
        """Whether the code is right, new, and the account not locked."""
        if not Form.validate(self) or not isinstance(self.user, SignedIn):
            return False
        fits = verify_code(self.user, (self.code.data or "").strip(), self.tf_totp_secret)
        with transaction() as database:
            account = database.get(Account, self.user.id, populate_existing=True)
            counter = self.user.tf_last_counter if fits else None
            let_on = accounts.attempt(
                database, account, fits=fits, step="code", counter=counter, actor=stranger(), now=clock.now()
            )
        if not let_on:
            self.code.errors = [*self.code.errors, gettext(CODE_REFUSED)]
        return let_on


class AgainForm(VerifyForm):
    """The password once more, before something that matters."""

    password = PasswordField(lazy_gettext("密码"), validators=[InputRequired(lazy_gettext("请填写密码。"))])

    def validate(self, **_: Any) -> bool:  # noqa: ANN401  as Flask-Security calls it
        """Whether it is the password; failures count as they do when signing in."""
        if not Form.validate(self):
            return False
        is_proved = proves_password(self.password.data or "")
        if not is_proved:
            self.password.errors = [*self.password.errors, gettext(REFUSED)]
        return is_proved


class NoRescueForm(TwoFactorRescueForm):
    """Without a phone only an administrator helps."""

    help_setup = RadioField(choices=[])


def stranger() -> Actor:
    """Whoever is at the door."""
    return Actor(None, "stranger", "", request_id=request_id())


def hasher() -> Hasher:
    """The hasher of this installation."""
    found: Hasher = current_app.extensions["tracker_hasher"]
    return found


def profile() -> Profile:
    """The password rules of this installation. In a demo, whose year is told, no password grows old."""
    rules = PROFILES[_settings().password_profile]
    return replace(rules, longest_age=None) if _settings().demo else rules


def verify_code(user: SignedIn, code: str, secret: str) -> bool:
    """Whether this is a code of the secret, of the present half minute or of a neighbour, that was not used before."""
    totp: Counters = current_app.extensions["security"].totp_factory
    return totp.verify_totp(code, secret, user, window=STEP)


def proves_password(typed: str) -> bool:
    """Whether this is the password of whoever is signed in; failures count as they do when signing in."""
    return _let_in(current_user.username, typed, step="again", actor=current_actor()) is not None


def _settings() -> Settings:
    settings: Settings = current_app.config["TRACKER"]
    return settings


def _let_in(username: str, password: str, *, step: str, actor: Actor) -> SignedIn | None:
    """The account, if name and password fit and it is not locked. Whatever is wrong takes the same time."""
    fits = _fits(account_named(db.session(), username), password)
    with transaction() as database:
        account = account_named(database, username)
        let_in = accounts.attempt(database, account, fits=fits, step=step, actor=actor, now=clock.now())
        if account is None or not let_in:
            return None
        if hasher().is_outdated(account.password or ""):
            accounts.renew_hash(account, password, hasher=hasher())
        return SignedIn(account)


def _fits(account: Account | None, password: str) -> bool:
    """Whether the password is right; for an account that lets nobody in, the same work is done and the answer is no."""
    if account is None or not account.active or is_locked(account, now=clock.now()) or _is_dead_code(account):
        hasher().verify(password, None)
        return False
    return accounts.knows_password(account, password, hasher=hasher())


def _is_dead_code(account: Account) -> bool:
    return account.must_change_password and code_has_expired(account.password_changed_at, now=clock.now())


# -- sessions ----------------------------------------------------------------------------------------------------------


def _begin(_: Flask, user: SignedIn, **__: object) -> None:
    session["signed_in_at"] = session["seen_at"] = int(time.time())
    with transaction() as database:
        account = database.get_one(Account, user.id)
        actor = Actor(account.person_id, account.person.key, account.person.name, request_id=request_id())
        accounts.signed_in(database, account, actor=actor, now=clock.now())


def _end(_: Flask, user: SignedIn, **__: object) -> None:
    if not isinstance(getattr(user, "id", None), int):
        return
    with transaction() as database:
        account = database.get_one(Account, user.id)
        actor = Actor(account.person_id, account.person.key, account.person.name, request_id=request_id())
        accounts.sign_out(database, account, actor=actor, now=clock.now())


def sign_in_again() -> None:
    """Keep this browser signed in after all sessions of the account have ended."""
    session["_user_id"] = db.session.get_one(Account, current_user.id).fs_uniquifier
    session["fs_paa"] = time.time()


def _watch() -> ResponseReturnValue | None:
    """End a session that is too old, and let nobody on who must do something about their account first."""
    if request.endpoint in {"static", "bootstrap.static"} or not current_user.is_authenticated:
        return None
    now = int(time.time())
    if now - session.get("seen_at", 0) > IDLE or now - session.get("signed_in_at", 0) > LONGEST:
        return _timed_out()
    if now - session["seen_at"] >= SEEN_EVERY:
        session["seen_at"] = now
    if request.endpoint == "security.two_factor_token_validation":
        return redirect("/")
    wanted = _wanted_first()
    return redirect(url_for(wanted), 303) if wanted and request.endpoint not in STILL_ALLOWED else None


def _timed_out() -> ResponseReturnValue | None:
    language = session.get("language")
    session.clear()
    if language:
        session["language"] = language
    current_app.login_manager._update_request_context_with_user()  # type: ignore[attr-defined]
    flash(gettext("长时间没有操作或登录已超过 12 小时，请重新登录。"), "plain")
    return None


def _wanted_first() -> str | None:
    """The endpoint of what the person must do before anything else."""
    if current_user.must_change_password or has_aged(
        current_user.password_changed_at, profile=profile(), now=clock.now()
    ):
        return "accounts.password"
    if current_user.tf_totp_secret is None and needs_second_factor(current_actor()):
        return "accounts.second_factor"
    return None


def needs_second_factor(actor: Actor) -> bool:
    """Whether a role of this person asks for a second factor here."""
    asked = {name.strip() for name in _settings().second_factor_roles.split(",")}
    return bool(asked & {role.value for role in actor.roles})


def fresh(view: Callable[..., ResponseReturnValue]) -> Callable[..., ResponseReturnValue]:
    """Let a view run only for somebody who gave the password in the last ten minutes; others are asked for it first.

    Stands below `guard`. A form that was posted too late must be sent again: the page it was on is shown.
    """

    @wraps(view)
    def asked(*things: Any, **arguments: Any) -> ResponseReturnValue:  # noqa: ANN401  what the view takes
        if time.time() - session.get("fs_paa", 0) <= FRESH:
            return view(*things, **arguments)
        return redirect(url_for("security.verify", next=_here()), 303)

    return asked


def _here() -> str:
    if request.method == "GET":
        return request.full_path.rstrip("?")
    return page_before() or "/"


def _forget_in_browser(response: Response) -> Response:
    if request.endpoint == "security.logout" and response.status_code == 302:
        response.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'
    return response


# -- wiring ------------------------------------------------------------------------------------------------------------


def _configuration(settings: Settings) -> dict[str, Any]:
    secret = settings.secret_key.get_secret_value()
    return {
        "SECURITY_URL_PREFIX": "/auth",
        "SECURITY_PASSWORD_SALT": settings.password_salt.get_secret_value(),
        "SECURITY_USER_IDENTITY_ATTRIBUTES": [{"username": {"mapper": uia_username_mapper, "case_insensitive": True}}],
        "SECURITY_RETURN_GENERIC_RESPONSES": True,
        "SECURITY_FLASH_MESSAGES": False,
        "SECURITY_POST_LOGOUT_VIEW": "/auth/login?signed_out=1",  # no message outlives the cookies of the browser
        "SECURITY_CLI_USERS_NAME": "",
        "SECURITY_CLI_ROLES_NAME": "",
        "SECURITY_TWO_FACTOR": True,
        "SECURITY_TWO_FACTOR_ENABLED_METHODS": ["authenticator"],
        "SECURITY_TWO_FACTOR_RESCUE_EMAIL": False,
        "SECURITY_TOTP_SECRETS": {"1": sha256(f"totp:{secret}".encode()).hexdigest()},
        "SECURITY_TOTP_ISSUER": "tracker",
        "SESSION_COOKIE_NAME": "__Host-tracker" if settings.https else "tracker-http",
        "SESSION_COOKIE_SECURE": settings.https,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
    }


def _limiter(app: Flask, settings: Settings) -> Limiter:
    """Counts attempts in the Redis of the queue, for all processes; while that is away, or there is none, in each."""
    is_shared = settings.queue_is_redis
    url = settings.queue_url
    address = f"redis+{url}" if url.startswith("unix:") else url  # a socket of Redis, as the library calls it
    return Limiter(
        get_remote_address,
        app=app,
        storage_uri=address if is_shared else "memory://",
        storage_options={"socket_connect_timeout": 2, "socket_timeout": 5} if is_shared else {},
        in_memory_fallback_enabled=is_shared,
        key_prefix="tracker",
        headers_enabled=False,
    )


def init_app(app: Flask) -> None:
    """Set up signing in, its limits, and what ends a session."""
    settings: Settings = app.config["TRACKER"]
    app.config.update(_configuration(settings))
    app.extensions["tracker_hasher"] = Hasher(settings.password_salt.get_secret_value())
    security = Security(
        app,
        Accounts(Account, Role),  # type: ignore[arg-type]  # nothing is made by Flask-Security
        login_form=SignInForm,
        verify_form=AgainForm,
        two_factor_verify_code_form=SecondStepForm,
        two_factor_rescue_form=NoRescueForm,
        totp_cls=Counters,
    )
    security.want_json(lambda _: False)
    security.login_manager.request_loader(lambda _: None)  # no tokens: a session is the only way in
    app.config.setdefault("OPEN_ENDPOINTS", {"static", "bootstrap.static"}).update(OPEN)
    limiter = _limiter(app, settings)
    for endpoint in ("security.login", "security.two_factor_token_validation"):
        limited: Any = limiter.limit(SIGN_INS, methods=["POST"])(app.view_functions[endpoint])
        app.view_functions[endpoint] = limited
    user_authenticated.connect(_begin, app)
    user_logged_out.connect(_end, app)
    app.before_request(_watch)
    app.after_request(_forget_in_browser)
