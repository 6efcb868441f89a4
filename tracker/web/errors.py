"""What HTTP makes of a refusal: one table, one page that says what happened and what to do."""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

from flask import Flask, g, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import DBAPIError, OperationalError
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from tracker.db import db
from tracker.domain.errors import Conflict, Invalid, NotAllowed, NotFound, RuleError, TooLarge, Unavailable, WrongState
from tracker.domain.text import _n
from tracker.web.access import current_actor
from tracker.web.addresses import page_here

STATUS: dict[type[RuleError], int] = {
    NotAllowed: 403,
    Invalid: 400,
    WrongState: 409,
    Conflict: 409,
    TooLarge: 413,
    NotFound: 404,
    Unavailable: 503,
}

SENTENCES: dict[int, str] = {
    400: _n("提交的内容不完整或格式不对，请返回检查后重新提交。"),
    401: _n("登录已失效，请重新登录后再办理。"),
    403: _n("您没有办理这件事的权限。如有疑问，请联系本单位管理员核对任职和角色。"),
    404: _n("没有找到这个页面，或者它不在您的查看范围内。请从首页重新进入。"),
    405: _n("这个地址不接受这种操作，请从页面上的按钮进入。"),
    409: _n("情况已经变化，请刷新后查看最新状态再办理。"),
    413: _n("上传的内容超过了大小限制。请压缩或分开上传，限制见上传页面的说明。"),
    429: _n("操作过于频繁，请稍等一分钟再试。"),
    500: _n("系统出现故障，没有保存任何改动。请稍后重试；若仍不行，请把下面的编号告诉管理员。"),
    503: _n("系统暂时不能写入，可以查看，请稍后再提交。"),
}


_DATABASE_AWAY = _n(
    "数据库暂时没有应答，刚才提交的内容可能没有保存。请稍候先查看是否已经保存，没有保存再提交；"
    "用浏览器的“后退”可以回到上一页，填写的内容仍在。"
)
_DATABASE_FULL = _n(
    "数据库所在的磁盘已满，刚才提交的内容没有保存，已有的内容仍可查看。请告诉管理员腾出空间，然后再提交；"
    "用浏览器的“后退”可以回到上一页，填写的内容仍在。"
)
_DATABASE_BROKEN = _n(
    "数据库不能正常读写，刚才提交的内容可能没有保存，稍后重试也不会好转。请把下面的编号告诉管理员，恢复后先查看是否已经保存，没有保存再提交。"
)
_SQLITE_ERROR, _SQLITE_READONLY, _SQLITE_IOERR, _SQLITE_FULL = 1, 8, 10, 13  # the low byte of its codes

logger = logging.getLogger(__name__)


def status_of(error: RuleError) -> int:
    """The HTTP status that stands for a refusal."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 400)


def sentence_of(error: RuleError) -> str:
    """The refusal in the language of the page. A value called `label` is a word of ours and translated too."""
    label = error.values.get("label")
    values = error.values | {"label": gettext(label)} if label else error.values
    return str(gettext(error.message, **values))


def _page(status: int, sentence: str, **more: str) -> ResponseReturnValue:
    if request.accept_mimetypes.best == "application/json":
        return {"error": sentence, "request": g.get("request_id", "")}, status
    return render_template("errors/refusal.html", status=status, sentence=sentence, **more), status


def _rule_error(error: RuleError) -> ResponseReturnValue:
    return _page(status_of(error), sentence_of(error))


def _http_error(error: HTTPException) -> ResponseReturnValue:
    status = error.code or 500
    if status < 400:
        return error.get_response()
    return _page(status, gettext(SENTENCES.get(status, SENTENCES[400])))


def _not_to_be_opened(error: MethodNotAllowed) -> ResponseReturnValue:
    """Whoever opens the address of an act (again, after a refusal) is led to the page of what it is done to."""
    if request.method in {"GET", "HEAD"} and request.accept_mimetypes.best != "application/json":
        return redirect(page_here().address)
    return _http_error(error)


def _database_error(error: DBAPIError) -> ResponseReturnValue:
    """A database in trouble is not asked again for the page that says so; what was typed is still in the browser."""
    logger.error("the database failed", exc_info=error)
    trouble = _trouble(error)
    if trouble is None:
        return _page(500, gettext(SENTENCES[500]))
    db.session.remove()
    g.database_away = True
    status, sentence = trouble[0], gettext(trouble[1])
    if request.accept_mimetypes.best == "application/json":
        return {"error": sentence, "request": g.get("request_id", "")}, status
    return render_template("errors/away.html", sentence=sentence, status=status), status


def _trouble(error: DBAPIError) -> tuple[int, str] | None:
    """Status and sentence where the fault is the database's and not that of a statement.

    Away is also a connection that was lost, perhaps during COMMIT, and a SQLite file that another one holds too long.
    """
    state = getattr(error.orig, "sqlstate", None) or ""
    code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
    if state == "53100" or code == _SQLITE_FULL:
        return 507, _DATABASE_FULL
    if state in {"25006", "58030"} or code in {_SQLITE_READONLY, _SQLITE_IOERR}:
        return 500, _DATABASE_BROKEN
    no_answer = isinstance(error, OperationalError) and not state and code != _SQLITE_ERROR
    is_away = error.connection_invalidated or state[:2] in {"08", "53", "57"} or no_answer
    return (503, _DATABASE_AWAY) if is_away else None


def _csrf_error(_: CSRFError) -> ResponseReturnValue:
    """The page was open for too long, or its session has ended: what was typed is put back by `keep.js`."""
    if current_actor().person_id is None:
        sentence = gettext("登录已失效，这次没有提交。请重新登录，再从原来的页面提交。")
        before = page_before() or request.path
        return _page(401, sentence, sign_in_for="/" if before.startswith("/auth/") else before)
    return _page(400, gettext("页面停留时间过长，安全校验已失效，这次没有提交。请返回上一页，刷新后再提交。"))


def page_before() -> str:
    """The path of the page of ours that the request came from; empty where the browser does not say it."""
    page = urlsplit(request.referrer or "")
    return page.path if page.netloc == request.host else ""


def init_app(app: Flask) -> None:
    """Register the table."""
    app.register_error_handler(RuleError, _rule_error)
    app.register_error_handler(CSRFError, _csrf_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(MethodNotAllowed, _not_to_be_opened)
    app.register_error_handler(DBAPIError, _database_error)
