"""`tracker worker`: do background work until told to stop."""

from __future__ import annotations

from datetime import UTC, date, datetime

import click
from flask import current_app
from flask.cli import with_appcontext
from sqlalchemy.orm import Session

from tracker import logs
from tracker.config import Settings
from tracker.db import db
from tracker.queries.history import SHANGHAI
from tracker.tasks import sealing
from tracker.tasks.daily import once_a_day, tidy
from tracker.tasks.queue import Queue
from tracker.tasks.traits import make_traits
from tracker.tasks.worker import Worker
from tracker.tasks.works import WORKS


@click.command()
@click.option("--workers", type=click.IntRange(1, 8), default=2, show_default=True, help="Documents made at a time.")
@with_appcontext
def worker(workers: int) -> None:
    """Make documents in the background. Stops on SIGTERM; what was begun is taken up again by the next worker."""
    queue: Queue = current_app.extensions["tracker_queue"]
    settings: Settings = current_app.config["TRACKER"]
    logs.configure(quiet=settings.demo)
    engine, does = db.engine, Worker(db.engine, settings, WORKS)
    days: set[date] = set()

    def sweep() -> None:
        for key in does.waiting():
            queue.send(key)
        now = datetime.now(UTC)
        with Session(engine) as session:
            sealing.keep_up(session, settings)
        today = now.astimezone(SHANGHAI).date()
        if today not in days:
            once_a_day(engine, now=now)
            tidy(engine, settings, now=now)
            days.add(today)
        make_traits(engine, settings, now=now)

    queue.consume(perform=does.perform, sweep=sweep, workers=workers)
