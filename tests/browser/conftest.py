"""Fixtures for browser tests: Debian's chromium, and an installation whose server and worker really run."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright
from sqlalchemy.orm import Session

from tests.browser.installation import Installation
from tests.browser.pages import Rounds, rounds
from tests.browser.visitor import FLAGS, PASSWORD
from tests.prepared import lend
from tests.scene import Scene, play
from tracker.app import create_app
from tracker.db import writing
from tracker.reporting.fonts import FontSet

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One browser for all tests; every person gets a context of their own.

    It is closed behind the last of them: while it is there an event loop runs, and whoever signs a file wants his own.
    """
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield found
        found.close()


@pytest.fixture(scope="module")
def new_city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation on its first day: the tables, an administrator and an inspector with one-time codes."""
    installation = Installation(tmp_path_factory.mktemp("new"))
    installation.command("db", "upgrade")
    installation.start()
    yield installation
    installation.stop()


@pytest.fixture(scope="session")
def lived_in(tmp_path_factory: pytest.TempPathFactory, prepared_fonts: FontSet) -> Iterator[tuple[Installation, Scene]]:
    """An installation in the middle of its year, with the fonts of packets, and what there is in it."""
    installation = Installation(tmp_path_factory.mktemp("lived-in"))
    lend(prepared_fonts, installation.folder)
    engine = installation.engine()
    with Session(engine) as session, writing(session):
        scene = play(session, installation.settings, password=PASSWORD)
    engine.dispose()
    installation.start()
    yield installation, scene
    installation.stop()


@pytest.fixture(scope="package")
def shared_out(lived_in: tuple[Installation, Scene], browser: Browser) -> Rounds:
    """Everybody signed in, and every page given to somebody who may see it."""
    installation, scene = lived_in
    app = create_app(installation.settings)
    found = rounds(app, scene, browser, installation.url)
    with app.app_context():
        app.extensions["sqlalchemy"].engine.dispose()
    return found
