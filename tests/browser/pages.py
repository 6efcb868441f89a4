"""Every page that can be opened by its address, from the URL map, with objects that exist."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import Flask
from playwright.sync_api import Browser, StorageState
from werkzeug.routing import Rule

from tests.browser.scene import Scene
from tests.browser.visitor import visit
from tracker.models import Duty, Evidence, Handover, Inspection, Job, LogEntry, Organization, Person

NO_PAGES = {
    "security.logout",  # ends the session
    "security.two_factor_token_validation",  # only between the two steps of signing in
    *(
        "security.two_factor_setup",
        "security.two_factor_rescue",
        "security.tf_select",
    ),  # closed: the program has its own
}
STATIC = {"static", "bootstrap.static", "security.static"}
# Who looks at what first; whoever may see a page at all comes after.
FIRST = {"board": "ines", "inspections": "ines", "sign_offs": "chen", "jobs": "dong", "log": "ada"}
PEOPLE = ("asha", "adam", "chen", "ines", "ada", "dong", "yue", "stranger")


@dataclass(frozen=True)
class Address:
    """Where a page is, and which view answers."""

    endpoint: str
    path: str


def addresses(app: Flask, scene: Scene) -> Iterator[Address]:
    """Every address to open; a route whose objects the scene does not name is a KeyError."""
    with app.test_request_context():
        for rule in app.url_map.iter_rules():
            if "GET" not in (rule.methods or ()) or rule.endpoint in NO_PAGES | STATIC:
                continue
            for values in _values(app, rule, scene):
                path = {name: value for name, value in values.items() if name in rule.arguments}
                asked = urlencode({name: value for name, value in values.items() if name not in rule.arguments})
                built = rule.build(path, append_unknown=False)
                assert built, f"{rule.endpoint} cannot be built from {values}"
                yield Address(rule.endpoint, built[1] + (f"?{asked}" if asked else ""))


def _values(app: Flask, rule: Rule, scene: Scene) -> list[dict[str, Any]]:
    special = _special(scene).get(rule.endpoint)
    if special:
        return special
    access = getattr(app.view_functions[rule.endpoint], "access_rule", None)
    found = _named(scene) | ({access.param: _by_model(scene)[access.model]} if access and access.model else {})
    return [{name: found[name] for name in rule.arguments}]


def _by_model(scene: Scene) -> Mapping[type, Any]:
    return {
        Duty: scene.open,
        Evidence: scene.record,
        Handover: scene.handover,
        Inspection: 1,
        Job: scene.job,
        LogEntry: scene.log_entry,
        Organization: "D1-B1",
        Person: "asha",
    }


def _named(scene: Scene) -> dict[str, Any]:
    return {"year": 2026, "digest": scene.photo, "number": 1}


def _special(scene: Scene) -> dict[str, list[dict[str, Any]]]:
    """Views that want other objects, or that are worth looking at more than once."""
    states = (scene.open, scene.waiting, scene.returned, scene.confirmed, scene.changed)
    return {
        "duties.show": [{"key": key} for key in states],
        "duties.section": [{"section": section} for section in ("overdue", "handed_in")],
        "evidence.show": [{"key": key} for key in (scene.record, scene.free_record)],
        "evidence.correct": [{"key": scene.free_record}],
        "evidence.withdraw": [{"key": scene.free_record}],
        "board.unit": [{"key": "D1"}],
        "board.duties": [{"show": "fallen_due"}, {"item": "L3-05", "unit": "D1"}],
        "organizations.show": [{"key": key} for key in ("D1", "D1-B2")],
        "assignments.show": [{"key": key} for key in ("D1", "D1-B2")],
        "assignments.take_back": [{"key": "D1-B2", "decision": scene.decision}],
        "checklists.show": [{"digest": scene.checklist}],
        "cycles.preview": [{}, {"year": 2027, "checklist": scene.checklist}],
        "inspections.judge": [{"number": 1, "key": key} for key in (scene.waiting, scene.confirmed)],
        "inspections.find": [{"number": 1, "duty": scene.waiting}],
        "inspections.overrule": [{"number": 1, "code": "D1-B1", "item_id": "L3-02"}],
        "seals.show": [{"kind": "evidence_text", "key": scene.free_record}],
    }


@dataclass(frozen=True)
class Rounds:
    """Who opens which pages, each in the browser state of somebody who signed in by the form."""

    states: Mapping[str, StorageState]
    pages: Mapping[str, list[str]]


def rounds(app: Flask, scene: Scene, browser: Browser, url: str) -> Rounds:
    """Sign everybody in and share the pages out: each goes to somebody who may see it."""
    states = {who: _signed_in(browser, url, who) for who in PEOPLE}
    contexts = {who: browser.new_context(storage_state=state) for who, state in states.items()}
    shared: dict[str, list[str]] = {who: [] for who in PEOPLE}
    nobody = []
    for address in addresses(app, scene):
        first = FIRST.get(address.endpoint.split(".")[0], "")
        for who in sorted(PEOPLE, key=lambda name: name != first):
            answer = contexts[who].request.get(url + address.path, max_redirects=0)
            if answer.status == 200:
                if answer.headers["content-type"].startswith("text/html"):
                    shared[who].append(address.path)
                break
        else:
            nobody.append(f"{address.endpoint} {address.path}")
    for context in contexts.values():
        context.close()
    assert nobody == [], f"nobody may open {nobody}"
    return Rounds(states, {who: paths for who, paths in shared.items() if paths})


def _signed_in(browser: Browser, url: str, who: str) -> StorageState:
    with visit(browser, url) as visitor:
        if who != "stranger":
            visitor.sign_in(who)
            visitor.page.get_by_role("button", name="退出").wait_for()
        return visitor.page.context.storage_state()
