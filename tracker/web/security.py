"""Signing in and out by Flask-Security, with what it leaves open closed: see `SignInForm` and `SecondStepForm`.

Flask-Security changes nothing in the database here: it sees an account as a plain value, and every change goes through
`services.accounts` inside a transaction of ours.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from flask import Flask, current_app
from flask_babel import gettext, lazy_gettext
from flask_security import Form, LoginForm, Security, UserMixin
from flask_security.datastore import UserDatastore
from flask_security.utils import uia_username_mapper
from sqlalchemy import select
from wtforms import PasswordField, StringField
from wtforms.validators import InputRequired

from tracker.config import Settings
from tracker.db import db, transaction
from tracker.domain.actor import Actor
from tracker.domain.text import _n
from tracker.models import Account, Role
from tracker.queries.accounts import account_named
from tracker.services import accounts
from tracker.services.password_hash import Hasher
from tracker.web import clock
from tracker.web.access import request_id

OPEN = {"security.login", "security.logout", "security.verify", "security.two_factor_token_validation"}
REFUSED = _n("账号或密码不对，或者账号暂时不能登录。请核对后重试；多次不成功会暂停登录一段时间，可联系管理员处理。")


class SignedIn(UserMixin):
    """An account as Flask-Security sees it: values, read once per request."""

    def __init__(self, account: Account) -> None:
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


class Accounts(UserDatastore):
    """Finds accounts for Flask-Security, and changes none."""

    def find_user(self, case_insensitive: bool = False, **wanted: Any) -> SignedIn | None:  # noqa: ANN401, ARG002
        """Return the account whose one named column has this value."""
        ((column, value),) = wanted.items()
        account = db.session.scalar(select(Account).where(getattr(Account, column) == value))
        return SignedIn(account) if account else None

    def put(self, model: Any) -> Any:  # noqa: ANN401  whatever Flask-Security wants to keep
        """Keep nothing."""
        return model

    def commit(self) -> None:
        """Commit nothing."""


class SignInForm(LoginForm):
    """Account name and password."""

    email = None
    remember = None
    username = StringField(lazy_gettext("账号"), validators=[InputRequired(lazy_gettext("请填写账号。"))])
    password = PasswordField(lazy_gettext("密码"), validators=[InputRequired(lazy_gettext("请填写密码。"))])

    def validate(self, **_: Any) -> bool:  # noqa: ANN401  as Flask-Security calls it
        """Whether name and password let somebody in; the lock comes before the password."""
        if not Form.validate(self):
            return False
        self.user = _let_in(self.username.data or "", self.password.data or "")
        if self.user is None:
            self.form_errors.append(gettext(REFUSED))
        return self.user is not None


def _let_in(username: str, password: str) -> SignedIn | None:
    """The account, if name and password fit and it is not locked. Whatever is wrong takes the same time."""
    account = account_named(db.session(), username)
    open_for_trial = account is not None and account.active and not accounts.is_locked(account, now=clock.now())
    fits = hasher().verify(password, account.password if account and open_for_trial else None)
    with transaction() as session:
        account = account_named(session, username)
        stranger = Actor(None, "stranger", "", request_id=request_id())
        let_in = accounts.attempt(session, account, fits=fits, step="password", actor=stranger, now=clock.now())
    return SignedIn(account) if account is not None and let_in else None


def hasher() -> Hasher:
    """The hasher of this installation."""
    found: Hasher = current_app.extensions["tracker_hasher"]
    return found


def _configuration(settings: Settings) -> dict[str, Any]:
    secret = settings.secret_key.get_secret_value()
    return {
        "SECURITY_URL_PREFIX": "/auth",
        "SECURITY_PASSWORD_SALT": settings.password_salt.get_secret_value(),
        "SECURITY_USER_IDENTITY_ATTRIBUTES": [{"username": {"mapper": uia_username_mapper, "case_insensitive": True}}],
        "SECURITY_RETURN_GENERIC_RESPONSES": True,
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


def init_app(app: Flask) -> None:
    """Set up signing in."""
    settings: Settings = app.config["TRACKER"]
    app.config.update(_configuration(settings))
    app.extensions["tracker_hasher"] = Hasher(settings.password_salt.get_secret_value())
    security = Security(app, Accounts(Account, Role), login_form=SignInForm)
    security.want_json(lambda _: False)
    security.login_manager.request_loader(lambda _: None)
    app.config.setdefault("OPEN_ENDPOINTS", {"static", "bootstrap.static"}).update(OPEN)
