"""Headers of every answer: a strict content security policy with a nonce, no caching of pages, no sniffing."""

from __future__ import annotations

import secrets
import uuid

from flask import Flask, Response, g, request

PAGE_POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic'; style-src 'self'; img-src 'self' data: blob:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; frame-src 'self'; object-src 'none'; base-uri 'none'; "
    "frame-ancestors 'self'"
)
FILE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; sandbox; frame-ancestors 'self'"


def _start() -> None:
    g.nonce = secrets.token_urlsafe(16)
    g.request_id = uuid.uuid4().hex[:16]


def _finish(response: Response) -> Response:
    headers = response.headers
    is_file = "attachment" in headers.get("Content-Disposition", "") or headers.get("X-Evidence") == "1"
    headers.setdefault(
        "Content-Security-Policy", FILE_POLICY if is_file else PAGE_POLICY.format(nonce=g.get("nonce", ""))
    )
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    headers.setdefault("Permissions-Policy", "camera=(self), geolocation=(), microphone=()")
    headers.setdefault("X-Request-ID", g.get("request_id", ""))
    if request.endpoint not in {"static", "bootstrap.static"}:
        headers["Cache-Control"] = "no-store"  # files too: `send_file` would let a browser keep them
    return response


def init_app(app: Flask) -> None:
    """Give every request a nonce and an id, and every answer its headers."""
    app.before_request(_start)
    app.after_request(_finish)
    app.jinja_env.globals["csp_nonce"] = lambda: g.nonce
