"""Fixtures for browser tests: Debian's chromium, and an installation whose server and worker really run."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.installation import Installation
from tests.browser.visitor import FLAGS

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for all tests; every person gets a context of their own."""
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
