"""For machines that watch this one: does it answer, can it serve, and how much does it do. No page tells of people."""

from __future__ import annotations

import hmac
from collections.abc import Iterator

from flask import Blueprint, Response, abort, current_app, request
from flask.typing import ResponseReturnValue
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import DBAPIError

from tracker.config import Settings
from tracker.db import db
from tracker.queries.jobs import COUNTED, jobs_by_state, oldest_waiting
from tracker.tasks.readiness import FINE, Lately
from tracker.web import clock
from tracker.web.access import public
from tracker.web.measuring import measures

OWN_MACHINE = frozenset({"127.0.0.1", "::1", "::ffff:127.0.0.1"})
FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP")

bp = Blueprint("health", __name__)


@bp.get("/healthz")
@public
def alive() -> ResponseReturnValue:
    """The process answers. Nothing else is asked."""
    return Response("ok\n", mimetype="text/plain")


@bp.get("/readyz")
@public
def ready() -> ResponseReturnValue:
    """Whether to send people here: 200, or 503 with what is wrong with each check."""
    found = _lately().readiness()
    is_ready = all(line == FINE for line in found.values())
    return {"ready": is_ready, "checks": found}, 200 if is_ready else 503


@bp.get("/metrics")
@public
def metrics() -> ResponseReturnValue:
    """Numbers for Prometheus: to this machine itself, or to whoever has the token."""
    if not (_is_own_machine() or _has_token()):
        abort(403)
    jobs = CollectorRegistry()
    jobs.register(_Jobs())
    return Response(generate_latest(measures().registry()) + generate_latest(jobs), content_type=CONTENT_TYPE_LATEST)


class _Jobs(Collector):
    """What the database says of background work, while it answers."""

    def collect(self) -> Iterator[Metric]:
        """The jobs of each state, and how long the oldest one has waited."""
        answers = GaugeMetricFamily("tracker_database_answers", "Whether the database answered just now.")
        try:
            counted = jobs_by_state(db.session())
            waiting_since = oldest_waiting(db.session())
        except DBAPIError:
            db.session.remove()
            answers.add_metric([], 0)
            yield answers
            return
        answers.add_metric([], 1)
        yield answers
        jobs = GaugeMetricFamily("tracker_jobs", f"Jobs in a state, {COUNTED} at most.", labels=["state"])
        for state, count in counted.items():
            jobs.add_metric([state], count)
        yield jobs
        age = (clock.now() - waiting_since).total_seconds() if waiting_since else 0.0
        yield GaugeMetricFamily(
            "tracker_queue_age_seconds", "How long the oldest waiting job has waited.", max(age, 0.0)
        )


def _lately() -> Lately:
    lately: Lately = current_app.extensions.setdefault("tracker_readiness", Lately(_settings()))
    return lately


def _settings() -> Settings:
    settings: Settings = current_app.config["TRACKER"]
    return settings


def _is_own_machine() -> bool:
    """Whether this machine itself asks. What came through a proxy has its address, and says so in a header."""
    return request.remote_addr in OWN_MACHINE and not any(header in request.headers for header in FORWARDED)


def _has_token() -> bool:
    wanted = _settings().metrics_token.get_secret_value()
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return bool(wanted) and scheme.lower() == "bearer" and hmac.compare_digest(given.encode(), wanted.encode())
