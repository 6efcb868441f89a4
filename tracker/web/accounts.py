"""Accounts: the list and one person's account for administrators, and everybody's own."""

from __future__ import annotations

from collections.abc import Callable

import segno
from flask import Blueprint, abort, current_app, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_login import current_user
from sqlalchemy.orm import Session
from wtforms import PasswordField, SelectField, StringField
from wtforms.validators import EqualTo, InputRequired, Regexp

from tracker.db import db, transaction
from tracker.domain.actor import RoleName
from tracker.domain.password import CODE_LIFE, has_aged
from tracker.domain.text import _n
from tracker.models import Account, Person
from tracker.policy import Act
from tracker.queries.accounts import account_of, holder_of, holders, is_locked, seats_of
from tracker.services import accounts
from tracker.web import clock
from tracker.web.access import current_actor, guard
from tracker.web.forms import Confirmation, Form, page
from tracker.web.security import (
    CODE_REFUSED,
    SignedIn,
    fresh,
    hasher,
    needs_second_factor,
    profile,
    proves_password,
    sign_in_again,
    verify_code,
)

bp = Blueprint("accounts", __name__, url_prefix="/accounts")

ROLE_NAMES: dict[RoleName, str] = {
    RoleName.INSPECTOR: _n("督查人员"),
    RoleName.ADMINISTRATOR: _n("系统管理员"),
    RoleName.AUDITOR: _n("审计人员"),
}
PENDING = "second_factor_pending"


class RoleForm(Form):
    """The one role of an account, or none."""

    role = SelectField(lazy_gettext("角色"), choices=[])

    def offer(self) -> RoleForm:
        """Fill in the roles that there are."""
        self.role.choices = [("", _("无（按任职办理）")), *((role.value, _(name)) for role, name in ROLE_NAMES.items())]
        return self


class PasswordForm(Form):
    """A new password twice, and the current one unless that was a one-time code."""

    current = PasswordField(lazy_gettext("原密码"), validators=[InputRequired(lazy_gettext("请填写原密码。"))])
    password = PasswordField(lazy_gettext("新密码"), validators=[InputRequired(lazy_gettext("请填写新密码。"))])
    again = PasswordField(
        lazy_gettext("再输一遍新密码"),
        validators=[EqualTo("password", message=lazy_gettext("两次输入的新密码不一样，请重新输入。"))],
    )


class CodeForm(Form):
    """The code that the phone shows."""

    code = StringField(
        lazy_gettext("手机上显示的 6 位数字"),
        validators=[Regexp(r"^\s*[0-9]{6}\s*$", message=lazy_gettext("请填写手机上显示的 6 位数字。"))],
    )


# -- for administrators ------------------------------------------------------------------------------------------------


@bp.get("/")
@guard(Act.ADMINISTER)
def index() -> ResponseReturnValue:
    """People and their accounts."""
    wanted = request.args.get("q", "")
    found = holders(db.session(), current_actor(), wanted=wanted, after=request.args.get("after", ""))
    return render_template("accounts/index.html", found=found, wanted=wanted)


@bp.get("/people/<key>")
@guard(Act.ADMINISTER, Person)
def show(person: Person) -> ResponseReturnValue:
    """One person's account, and what can be done about it."""
    return _person_page(person, RoleForm(role=_role_of(account_of(db.session(), person))).offer())


@bp.post("/people/<key>/create")
@guard(Act.ADMINISTER, Person)
@fresh
def create(person: Person) -> ResponseReturnValue:
    """Make an account and show its one-time code."""
    _confirmed()
    with transaction() as database:
        account = accounts.create_account(database, person, actor=current_actor(), now=clock.now())
        code = accounts.issue_code(database, account, hasher=hasher(), actor=current_actor(), now=clock.now())
    return _code_page(person, code)


@bp.post("/people/<key>/reset")
@guard(Act.ADMINISTER, Person)
@fresh
def reset(person: Person) -> ResponseReturnValue:
    """Replace a forgotten password by a one-time code, which is shown once."""
    _confirmed()
    with transaction() as database:
        account = _account_or_404(database, person)
        code = accounts.issue_code(database, account, hasher=hasher(), actor=current_actor(), now=clock.now())
    return _code_page(person, code)


@bp.post("/people/<key>/deactivate")
@guard(Act.ADMINISTER, Person)
@fresh
def deactivate(person: Person) -> ResponseReturnValue:
    """Let the person in no more."""
    return _done(person, accounts.deactivate, _("账号已停用，对方已被退出登录。"))


@bp.post("/people/<key>/activate")
@guard(Act.ADMINISTER, Person)
@fresh
def activate(person: Person) -> ResponseReturnValue:
    """Let the person in again."""
    return _done(person, accounts.activate, _("账号已启用。"))


@bp.post("/people/<key>/unlock")
@guard(Act.ADMINISTER, Person)
@fresh
def unlock(person: Person) -> ResponseReturnValue:
    """End a lock before its time."""
    return _done(person, accounts.unlock, _("已解除锁定，对方可以用原来的密码登录。"))


@bp.post("/people/<key>/second-factor/remove")
@guard(Act.ADMINISTER, Person)
@fresh
def remove_second_factor_of(person: Person) -> ResponseReturnValue:
    """Forget the second factor of somebody whose phone is lost."""
    return _done(person, accounts.remove_second_factor, _("动态口令已停用，对方登录后可重新设置。"))


@bp.post("/people/<key>/roles")
@guard(Act.ADMINISTER, Person)
@fresh
def roles(person: Person) -> ResponseReturnValue:
    """Give or take a role."""
    form = RoleForm().offer()
    if not form.validate_on_submit():
        return _person_page(person, form)
    chosen = [RoleName(form.role.data)] if form.role.data else []
    with transaction() as database:
        account = _account_or_404(database, person)
        accounts.set_roles(database, account, roles=chosen, actor=current_actor(), now=clock.now())
    flash(_("角色已更新，立即生效。"), "good")
    return redirect(url_for("accounts.show", key=person.key), 303)


def _confirmed() -> None:
    if not Confirmation().validate_on_submit():
        abort(400)


def _done(person: Person, verb: Callable[..., None], sentence: str) -> ResponseReturnValue:
    _confirmed()
    with transaction() as database:
        verb(database, _account_or_404(database, person), actor=current_actor(), now=clock.now())
    flash(sentence, "good")
    return redirect(url_for("accounts.show", key=person.key), 303)


def _account_or_404(database: Session, person: Person) -> Account:
    account = account_of(database, person)
    if account is None:
        abort(404)
    return account


def _role_of(account: Account | None) -> str:
    return account.roles[0].name if account is not None and account.roles else ""


def _person_page(person: Person, form: RoleForm) -> ResponseReturnValue:
    holder = holder_of(db.session(), person)
    return page("accounts/show.html", form, holder=holder, is_own=person.id == current_actor().person_id)


def _code_page(person: Person, code: str) -> ResponseReturnValue:
    account = account_of(db.session(), person)
    return render_template("accounts/code.html", person=person, account=account, code=code, hours=CODE_LIFE.days * 24)


# -- for everybody -----------------------------------------------------------------------------------------------------


@bp.get("/own")
@guard(Act.USE)
def own() -> ResponseReturnValue:
    """The own account: who I am here, password, second factor, language."""
    age = profile().longest_age
    changed = current_user.password_changed_at
    return render_template(
        "accounts/own.html",
        seats=seats_of(db.session(), current_actor()),
        renew_by=changed + age if age and changed else None,
        needs_code=needs_second_factor(current_actor()),
    )


@bp.route("/own/password", methods=["GET", "POST"])
@guard(Act.USE)
def password() -> ResponseReturnValue:
    """Choose a new password."""
    form = PasswordForm()
    if current_user.must_change_password:
        del form.current
    if form.validate_on_submit() and _is_current(form):
        with form.refusals(), transaction() as database:
            _change_password(database, form)
        if not form.errors:
            sign_in_again()
            flash(_("密码已修改，其他地方的登录都已退出。"), "good")
            return redirect("/", 303)
    return page(
        "accounts/password.html",
        form,
        rules=profile(),
        is_forced=current_user.must_change_password,
        is_aged=has_aged(current_user.password_changed_at, profile=profile(), now=clock.now()),
    )


def _is_current(form: PasswordForm) -> bool:
    """Whether the current password was given; a wrong one counts as a failed sign-in."""
    if "current" not in form or proves_password(form.current.data or ""):
        return True
    form.current.errors = [*form.current.errors, _("原密码不对，请重新输入。多次输错会暂停登录一段时间。")]
    return False


def _change_password(database: Session, form: PasswordForm) -> None:
    accounts.change_password(
        database,
        database.get_one(Account, current_user.id),
        current=form.current.data if "current" in form else None,
        new=form.password.data or "",
        hasher=hasher(),
        profile=profile(),
        actor=current_actor(),
        now=clock.now(),
    )


@bp.route("/own/second-factor", methods=["GET", "POST"])
@guard(Act.USE)
@fresh
def second_factor() -> ResponseReturnValue:
    """Set up codes from a phone: scan, then prove it with the first code."""
    if current_user.tf_totp_secret:
        return render_template("accounts/second_factor_set.html", needs_code=needs_second_factor(current_actor()))
    form = CodeForm()
    if form.validate_on_submit() and _is_set_up(form):
        flash(_("动态口令已启用，下次登录时请同时输入手机上显示的数字。"), "good")
        return redirect(url_for("accounts.own"), 303)
    totp = current_app.extensions["security"].totp_factory
    if PENDING not in session:
        session[PENDING] = totp.generate_totp_secret()
    picture = segno.make(totp.get_totp_uri(current_user.username, session[PENDING]), micro=False)
    return page(
        "accounts/second_factor.html",
        form,
        picture=picture.svg_data_uri(scale=5, border=4),
        key=totp.get_totp_pretty_key(session[PENDING]),
        needs_code=needs_second_factor(current_actor()),
    )


def _is_set_up(form: CodeForm) -> bool:
    """Whether the code proves the secret that was shown; if so it is kept."""
    secret = session.get(PENDING)
    user = SignedIn(db.session.get_one(Account, current_user.id))
    if not secret or not verify_code(user, (form.code.data or "").strip(), secret):
        form.code.errors = [*form.code.errors, _(CODE_REFUSED)]
        return False
    with transaction() as database:
        account = database.get_one(Account, user.id)
        counter = user.tf_last_counter or 0
        accounts.set_second_factor(
            database, account, secret=secret, counter=counter, actor=current_actor(), now=clock.now()
        )
    session.pop(PENDING)
    return True


@bp.post("/own/second-factor/remove")
@guard(Act.USE)
@fresh
def remove_second_factor() -> ResponseReturnValue:
    """Give up the second factor, or begin anew with another phone."""
    _confirmed()
    with transaction() as database:
        account = database.get_one(Account, current_user.id)
        accounts.remove_second_factor(database, account, actor=current_actor(), now=clock.now())
    sign_in_again()
    flash(_("动态口令已停用。"), "good")
    return redirect(url_for("accounts.own"), 303)


def account_state(account: Account | None) -> tuple[str, str, str]:
    """What to say of an account: words, sign, and kind of badge."""
    if account is None:
        return _("未开通"), "dash-circle", "quiet"
    if not account.active:
        return _("已停用"), "slash-circle", "quiet"
    if is_locked(account, now=clock.now()):
        return _("已锁定"), "lock-fill", "alert"
    if account.password is None:
        return _("待发口令"), "key", "waiting"
    if account.must_change_password:
        return _("待首次登录"), "hourglass-split", "waiting"
    return _("正常"), "check-circle-fill", "good"


def _role_name(role: str) -> str:
    return str(_(ROLE_NAMES[RoleName(role)]))


bp.app_template_global("account_state")(account_state)
bp.app_template_global("role_name")(_role_name)
