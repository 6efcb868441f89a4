"""Counts every request and logs it in one line: its id, endpoint, status, time, and the key of whoever asked.

No name, no address of a page, nothing of a form. Where a server runs several processes, `PROMETHEUS_MULTIPROC_DIR`
names a folder through which they count together.
"""

from __future__ import annotations

import logging
import os
import time

import structlog
from flask import Flask, Response, current_app, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.multiprocess import MultiProcessCollector

STATIC = frozenset({"static", "bootstrap.static"})
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

logger = logging.getLogger(__name__)


class Measures:
    """What one process counts."""

    def __init__(self) -> None:
        self._own = CollectorRegistry()
        self.requests = Counter(
            "tracker_requests", "Answered requests.", ("endpoint", "method", "status"), registry=self._own
        )
        self.durations = Histogram(
            "tracker_request_seconds", "Time to an answer.", ("endpoint",), buckets=BUCKETS, registry=self._own
        )

    def registry(self) -> CollectorRegistry:
        """What to show: the counts of this process, or of all that share the folder."""
        if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            return self._own
        shared = CollectorRegistry()
        MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
        return shared


def measures() -> Measures:
    """What this process counts."""
    found: Measures = current_app.extensions["tracker_measures"]
    return found


def _start() -> None:
    g.began = time.perf_counter()
    structlog.contextvars.clear_contextvars()  # the thread served somebody else before
    structlog.contextvars.bind_contextvars(request=g.request_id)


def _finish(response: Response) -> Response:
    taken = time.perf_counter() - g.get("began", time.perf_counter())
    endpoint = request.endpoint or "none"
    method = request.method if request.method in {"GET", "HEAD", "POST"} else "other"
    measures().requests.labels(endpoint, method, str(response.status_code)).inc()
    measures().durations.labels(endpoint).observe(taken)
    if _is_worth_a_line(endpoint, response):
        actor = g.get("actor")
        asked = {"endpoint": endpoint, "method": method, "status": response.status_code}
        logger.info(
            "request",
            extra={**asked, "milliseconds": round(taken * 1000, 1), "actor": actor.person_key if actor else None},
        )
    return response


def _is_worth_a_line(endpoint: str, response: Response) -> bool:
    """Files of the program, and probes that come every few seconds, are news only when they go wrong."""
    return response.status_code >= 400 or not (endpoint in STATIC or endpoint.startswith("health."))


def init_app(app: Flask) -> None:
    """Measure around everything else. To be called after the request has its id, before what may refuse it."""
    app.extensions["tracker_measures"] = Measures()
    app.before_request(_start)
    app.after_request(_finish)
