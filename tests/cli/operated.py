"""An installation that an operator works on: the small city in a database of its own, and a record with a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask
from sqlalchemy import select

from tests.city import NOW, City
from tests.web.conftest import PASSWORD, SALT
from tests.work import ACT, PRESENT, duty
from tracker.app import create_app
from tracker.config import Settings, load_settings
from tracker.db import db, transaction
from tracker.models import Account, Base
from tracker.services import sign_offs
from tracker.services.password_hash import Hasher
from tracker.storage.blobs import BlobStore
from tracker.storage.intake import Accepted

CONTENT = b"%PDF-1.4 minutes"


@contextmanager
def operated(data_dir: Path) -> Iterator[Flask]:
    """The application with one submitted duty of Asha's; Adam and Alma are administrators with a password."""
    app = create_app(load_settings(data_dir=data_dir, password_salt=SALT))
    with app.app_context():
        Base.metadata.create_all(db.engine)
        with transaction() as session:
            city = City.build(session)
            city.give_role("Alma", "administrator")
            for account in session.scalars(select(Account).where(Account.username.in_(("adam", "alma")))):
                account.password = Hasher(SALT).hash(PASSWORD)
            meeting = duty(city, "D1-B1.P4-1", "L3-02", "M05")
            blob = store_of(app).put([CONTENT])
            sign_offs.tick(
                session,
                duties=[meeting],
                act_on=ACT,
                sentence="召开五月会议",
                counts=PRESENT,
                files=[Accepted(blob.sha256, blob.size, "纪要.pdf", "application/pdf", {"kind": "pdf"}, False)],
                actor=city.actor("Asha"),
                now=NOW,
            )
        yield app
        db.session.remove()
        db.engine.dispose()


def store_of(app: Flask) -> BlobStore:
    """The evidence store of the installation."""
    settings: Settings = app.config["TRACKER"]
    return BlobStore(settings.store_dir)
