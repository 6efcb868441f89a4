"""The rounds: everybody signed in by the form, and every page of the URL map given to somebody who may see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flask import Flask
from playwright.sync_api import Browser, StorageState

from tests.addresses import PEOPLE, addresses, share_out
from tests.browser.visitor import visit
from tests.scene import Scene


@dataclass(frozen=True)
class Rounds:
    """Who opens which pages, each in the browser state of somebody who signed in by the form."""

    states: Mapping[str, StorageState]
    pages: Mapping[str, list[str]]


def rounds(app: Flask, scene: Scene, browser: Browser, url: str) -> Rounds:
    """Sign everybody in and share the pages out."""
    states = {who: _signed_in(browser, url, who) for who in PEOPLE}
    contexts = {who: browser.new_context(storage_state=state) for who, state in states.items()}

    def answer(who: str, path: str) -> tuple[int, str]:
        response = contexts[who].request.get(url + path, max_redirects=0)
        return response.status, response.headers.get("content-type", "")

    pages = share_out(addresses(app, scene), answer)
    for context in contexts.values():
        context.close()
    return Rounds(states, pages)


def _signed_in(browser: Browser, url: str, who: str) -> StorageState:
    with visit(browser, url) as visitor:
        if who != "stranger":
            visitor.sign_in(who)
            visitor.page.get_by_role("button", name="退出").wait_for()
        return visitor.page.context.storage_state()
