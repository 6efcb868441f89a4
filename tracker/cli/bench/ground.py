"""The installation that pages and acts are measured on: seeded once, left as it is, and copied for whatever writes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from flask import Flask

from tracker.app import create_app
from tracker.cli.bench.measure import BenchError
from tracker.cli.bench.seed import fill
from tracker.cli.bench.seed_plan import INSPECTOR, ROOT, SCALES, Scale
from tracker.cli.demo.place import with_schema
from tracker.cli.demo.town import Ladder
from tracker.config import load_settings
from tracker.db import db, transaction
from tracker.domain.actor import operator
from tracker.queries import seed as seeded
from tracker.queries.checklists import checklist_of
from tracker.queries.history import SHANGHAI
from tracker.queries.people import by_account
from tracker.services import accounts
from tracker.services.password_hash import Hasher

PASSWORD = "Bench-2026-only-here"  # noqa: S105  of an installation that nobody but the bench reaches
TENTH = "tenth"
SIZES = {"tiny": Scale(2, 3), TENTH: Scale(10, 30), **SCALES}
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Visitors:
    """The account names of those who look at pages, and the keys that stand in addresses."""

    secretary: str
    middle: str
    head: str
    top: str
    inspector: str
    unit: str
    base: str


class Ground:
    """A data folder with a seeded database in it, or beside it where a URL is given."""

    def __init__(self, root: Path, *, url: str = "") -> None:
        self.root = root.resolve()
        self.url = url

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.root / "tracker.sqlite3"

    def environment(self) -> dict[str, str]:
        """What programs that work on it need in their environment."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "LD_LIBRARY_PATH", "TMPDIR") if name in os.environ}
        told = {"TRACKER_DATA_DIR": str(self.root), "TRACKER_DEMO": "true"}
        return {**kept, **told, **({"TRACKER_DATABASE_URL": self.url} if self.url else {}), "HOME": str(self.root)}

    def application(self, database: Path | None = None) -> Flask:
        """The application on this ground, or on a copy of its database."""
        url = f"sqlite:///{database}" if database else self.url
        return create_app(load_settings(data_dir=self.root, database_url=url, demo=True))

    def make(self, scale: str, *, years: int, progress: Progress | None = None) -> None:
        """Fill it, or go on filling; what is there already is kept. Passwords are set for those who look at pages."""
        app = with_schema(load_settings(data_dir=self.root, database_url=self.url, demo=True))
        today = datetime.now(SHANGHAI).date()
        with app.app_context():
            fill(SIZES[scale], first=today.year - years + 1, last=today.year, day=today, progress=progress)
            _set_passwords(app)
            db.session.remove()
            db.engine.dispose()

    def let_in(self) -> None:
        """Set the passwords of those who look at pages, where somebody else filled the database."""
        app = self.application()
        with app.app_context():
            _set_passwords(app)
            db.session.remove()
            db.engine.dispose()

    @contextmanager
    def copies(self, *names: str) -> Iterator[Sequence[Path]]:
        """Copies of the SQLite database, for what writes; gone afterwards."""
        if self.url:
            raise BenchError("acts are measured on SQLite; leave TRACKER_DATABASE_URL out")
        made = [self.root / f"{name}.sqlite3" for name in names]
        try:
            for path in made:
                shutil.copyfile(self.database, path)
            yield made
        finally:
            for path in made:
                for end in ("", "-wal", "-shm"):
                    Path(f"{path}{end}").unlink(missing_ok=True)


def _set_passwords(app: Flask) -> None:
    hasher = Hasher(app.config["TRACKER"].password_salt.get_secret_value())
    who = visitors()
    now = datetime.now(UTC)
    with transaction() as session:
        for name in (who.secretary, who.middle, who.head, who.top, who.inspector):
            person = by_account(session, name)
            assert person is not None  # noqa: S101  (the seed put everybody there)
            account = accounts.ensure_account(session, person, now=now)
            accounts.set_demo_password(
                session, account, password=PASSWORD, hasher=hasher, demo=True, actor=operator(), now=now
            )


def visitors() -> Visitors:
    """Those who look at pages: in the first unit, its second organization of the lowest level, and the top."""
    session = db.session()
    version = seeded.published(session)
    if version is None:
        raise BenchError("the database is empty: run `tracker bench seed` first")
    ladder, unit = Ladder.of(checklist_of(version)), sorted(seeded.units(session))[0]
    return Visitors(
        secretary=f"{unit}-002-{ladder.base_post.id}-1".lower(),
        middle=f"{unit}-M-{ladder.middle_post.id}-1".lower(),
        head=f"{unit}-{ladder.head.id}-1".lower(),
        top=f"{ROOT}-{ladder.root_posts[0].id}".lower(),
        inspector=INSPECTOR,
        unit=unit,
        base=f"{unit}-002",
    )
