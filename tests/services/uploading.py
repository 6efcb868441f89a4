"""Processes that hand in evidence without end and are killed in the middle: `python -m tests.services.uploading`.

Forked from a process of its own, so that a round costs milliseconds and nothing of the test runner is copied.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Iterable
from itertools import count
from pathlib import Path

from sqlalchemy import Engine, create_engine, select
from sqlalchemy.orm import Session

from tests.city import NOW, TODAY
from tracker.db import engine_options, prepare, writing
from tracker.models import Duty, Person
from tracker.queries.actors import actor_of_person
from tracker.services import evidence
from tracker.storage.blobs import BlobStore
from tracker.storage.intake import Accepted


def upload(engine: Engine, root: str, number: int, committed: int, turns: Iterable[int]) -> None:
    """Store bytes and write the record that names them, turn by turn; a byte is written to `committed` each time."""
    store = BlobStore(Path(root))
    for turn in turns:
        blob = store.put([f"{number}.{turn}.".encode() * 5_000, b"." * 50_000])
        with Session(engine) as session, writing(session):
            duty = session.scalars(select(Duty)).one()
            asha = session.scalars(select(Person).where(Person.key == "asha")).one()
            evidence.record(
                session,
                duties=[duty],
                act_on=TODAY,
                sentence="召开会议",
                counts={},
                files=[Accepted(blob.sha256, blob.size, "纪要.pdf", "application/pdf", {"kind": "pdf"}, False)],
                actor=actor_of_person(session, asha, today=TODAY),
                now=NOW,
            )
        os.write(committed, b".")


def main(url: str, root: str, rounds: int) -> None:
    """Start a process, let it commit once, kill it a moment later; and that many times."""
    chance = random.Random(20260520)
    engine = create_engine(url, **engine_options(url))
    prepare(engine)
    upload(engine, root, -1, os.open(os.devnull, os.O_WRONLY), [0])  # what is prepared once is prepared
    engine.dispose()
    for number in range(rounds):
        reads, writes = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                upload(engine, root, number, writes, count())
            finally:
                os._exit(1)
        os.close(writes)
        if os.read(reads, 1) != b".":
            sys.exit("the process ended by itself")
        time.sleep(chance.uniform(0, 0.05))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reads)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
