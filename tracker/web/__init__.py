"""HOW IT IS SHOWN. Blueprints, forms, access, error table; static files."""

from __future__ import annotations

from flask import Blueprint, Flask
from flask_bootstrap import Bootstrap5
from flask_wtf import CSRFProtect

from tracker.web import (
    access,
    accounts,
    as_of,
    assignments,
    board,
    checklists,
    circulars,
    cycles,
    desk,
    duties,
    errors,
    evidence,
    good_practice,
    handovers,
    headers,
    health,
    inspection_plans,
    inspection_teams,
    inspections,
    jobs,
    language,
    layout,
    log,
    look_back,
    measuring,
    organizations,
    packets,
    papers,
    rectification,
    roster,
    seals,
    security,
    self_checks,
    sign_offs,
)

BLUEPRINTS: tuple[Blueprint, ...] = (
    accounts.bp,
    assignments.bp,
    board.bp,
    checklists.bp,
    circulars.bp,
    cycles.bp,
    desk.bp,
    duties.bp,
    evidence.bp,
    good_practice.bp,
    handovers.bp,
    health.bp,
    inspection_plans.bp,
    inspection_teams.bp,
    inspections.bp,
    jobs.bp,
    log.bp,
    look_back.bp,
    organizations.bp,
    packets.bp,
    papers.bp,
    rectification.bp,
    roster.bp,
    seals.bp,
    self_checks.bp,
    sign_offs.bp,
)


def init_app(app: Flask) -> None:
    """Register everything that pages are made of."""
    app.config.update(BOOTSTRAP_SERVE_LOCAL=True, WTF_CSRF_TIME_LIMIT=12 * 3600)
    Bootstrap5(app)
    headers.init_app(app)
    measuring.init_app(app)
    CSRFProtect(app)
    language.init_app(app)
    security.init_app(app)
    access.init_app(app)
    as_of.init_app(app)
    errors.init_app(app)
    layout.init_app(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
