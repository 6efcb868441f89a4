"""The floor of a page: a Flask view that renders the same template from values that are ready.

Each page is asked for once, signed in; its template and everything that it was given are kept, and rendered anew for
every request. Nothing is read, worked out or filtered.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flask import Flask, Response, before_render_template, g, request
from jinja2 import Template

from tracker.app import create_app, leave_loaded_alone
from tracker.cli.bench.measure import BenchError

PAGES = "BENCH_PAGES"  # the variable with the file that names the pages
AGENT = "tracker-bench"


@dataclass(frozen=True)
class Kept:
    """A page as it was given to its template."""

    template: Template
    values: Mapping[str, Any]
    around: Mapping[str, Any]


def application() -> Flask:
    """What the server of the floor loads."""
    pages = json.loads(Path(os.environ[PAGES]).read_text("utf-8"))
    app, plain = create_app(), Flask("floor")
    kept = {page["path"]: keep(app, page["path"], page["cookie"]) for page in pages}

    @plain.get("/", defaults={"_path": ""})
    @plain.get("/<path:_path>")
    def view(_path: str) -> Response:
        page = kept[request.path]
        with app.request_context(request.environ):
            for name, value in page.around.items():
                setattr(g, name, value)
            return Response(page.template.render(page.values), mimetype="text/html")

    leave_loaded_alone()  # as the program's own server does
    return plain


def keep(app: Flask, path: str, cookie: str) -> Kept:
    """Ask for a page once and keep what its template was given. Raises BenchError where it is not shown."""
    heard: list[Kept] = []

    def listen(_: Flask, *, template: Template, context: dict[str, Any]) -> None:
        around = {name: getattr(g, name) for name in g}
        heard.append(Kept(template, dict(context), around))

    with before_render_template.connected_to(listen, app):
        answer = app.test_client(use_cookies=False).get(path, headers={"Cookie": cookie, "User-Agent": AGENT})
    if answer.status_code != 200 or not heard:
        raise BenchError(f"{path} answers {answer.status}")
    return heard[-1]
