"""`tracker worker`: do background work until told to stop."""

from __future__ import annotations

import click
from flask import current_app
from flask.cli import with_appcontext

from tracker.db import db
from tracker.tasks.documents import WORKS
from tracker.tasks.queue import Queue
from tracker.tasks.worker import Worker


@click.command()
@click.option("--workers", type=click.IntRange(1, 8), default=2, show_default=True, help="Documents made at a time.")
@with_appcontext
def worker(workers: int) -> None:
    """Make documents in the background. Stops on SIGTERM; what was begun is taken up again by the next worker."""
    queue: Queue = current_app.extensions["tracker_queue"]
    does = Worker(db.engine, current_app.config["TRACKER"], WORKS)

    def sweep() -> None:
        for key in does.waiting():
            queue.send(key)

    queue.consume(perform=does.perform, sweep=sweep, workers=workers)
