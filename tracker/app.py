"""Builds the application: wiring only."""

from __future__ import annotations

import gc

from flask import Flask
from flask_migrate import Migrate
from werkzeug.middleware.proxy_fix import ProxyFix

from tracker import web
from tracker.config import CHECKOUT, Settings, load_settings
from tracker.db import db, engine_options, prepare
from tracker.tasks.engines import check_engines, make_folders
from tracker.tasks.queue import Queue


def create_app(settings: Settings | None = None) -> Flask:
    """Return the application for these settings (by default those of the environment): wiring only."""
    settings = settings or load_settings()
    app = Flask(
        "tracker",
        template_folder=str(CHECKOUT / "templates"),
        static_folder=str(CHECKOUT / "tracker" / "web" / "static"),
    )
    app.config.from_mapping(
        TRACKER=settings,
        SECRET_KEY=settings.secret_key.get_secret_value(),
        SQLALCHEMY_DATABASE_URI=settings.database,
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(settings.database, allow_old_sqlite=settings.allow_old_sqlite),
        MAX_CONTENT_LENGTH=settings.request_limit,
        MAX_FORM_MEMORY_SIZE=2 * 1024**2,
        MAX_FORM_PARTS=500,
    )
    make_folders(settings)
    app.extensions["tracker_queue"] = queue = Queue(settings)
    check_engines(settings, queue)
    db.init_app(app)
    Migrate(app, db, directory=str(CHECKOUT / "migrations"), render_as_batch=True)
    with app.app_context():
        prepare(db.engine)
    web.init_app(app)
    if hops := settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops)  # type: ignore[method-assign]
    return app


def leave_loaded_alone() -> None:
    """Leave what a server has loaded by now out of the search for garbage.

    It stays as long as the server does; to look through it time and again took a tenth of the time of a large page.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
