"""Every page that can be opened by its address, from the URL map, with objects that exist."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import Flask
from werkzeug.routing import Rule

from tests.scene import Scene
from tracker.models import (
    Duty,
    Evidence,
    Finding,
    GoodPractice,
    Handover,
    Inspection,
    Job,
    LogEntry,
    Organization,
    Person,
)

NO_PAGES = {
    "health.ready",  # says no over tables that no migration made
    "inspections.judge",  # leads to the desk
    "jobs.download",  # there only once the worker was there
    "security.logout",  # ends the session
    "security.two_factor_token_validation",  # only between the two steps of signing in
    *(
        "security.two_factor_setup",
        "security.two_factor_rescue",
        "security.tf_select",
    ),  # closed
}
STATIC = {"static", "bootstrap.static", "security.static"}
# Who looks at what first; whoever may see a page at all comes after.
FIRST = {
    **dict.fromkeys(("board", "desk", "inspection_plans", "inspections"), "ines"),
    "sign_offs": "chen",
    "jobs": "dong",
    "log": "ada",
    "rectification": "asha",
}
PEOPLE = ("asha", "adam", "chen", "ines", "ada", "dong", "yue", "stranger")


@dataclass(frozen=True)
class Address:
    """Where a page is, and which view answers."""

    endpoint: str
    path: str


def addresses(app: Flask, scene: Scene) -> list[Address]:
    """Every address to open; a route whose objects the scene does not name is a KeyError."""
    with app.test_request_context():
        return list(_addresses(app, scene))


def _addresses(app: Flask, scene: Scene) -> Iterator[Address]:
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
        Finding: "1-1",
        GoodPractice: "1-L1",
        Handover: scene.handover,
        Inspection: 1,
        Job: scene.job,
        LogEntry: scene.log_entry,
        Organization: "D1-B1",
        Person: "asha",
    }


def _named(scene: Scene) -> dict[str, Any]:
    return {"year": 2026, "digest": scene.photo, "number": 1, "record": scene.record, "paper": "circular"}


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
        "desk.show": [{"number": 1, "duty": key} for key in (scene.waiting, scene.confirmed)],
        "desk.hints": [{"number": 1, "key": scene.confirmed}],
        "desk.edit_reason": [{"reason": "R001"}],
        "inspections.find": [{"number": 1, "duty": scene.waiting}],
        "inspections.overrule": [{"number": 1, "code": "D1-B1", "item_id": "L3-02"}],
        "self_checks.show": [{"number": 1, "code": "D1"}],
        "seals.show": [{"kind": "evidence_text", "key": scene.free_record}],
    }


Answer = Callable[[str, str], tuple[int, str]]


def share_out(found: Iterable[Address], answer: Answer) -> dict[str, list[str]]:
    """Who opens which addresses: each goes to one who may see it, as `answer(who, path)` says by status and kind.

    An address that nobody may open fails: its route is new, and the scene or the tables above lack what it shows.
    """
    shared: dict[str, list[str]] = {who: [] for who in PEOPLE}
    nobody = []
    for address in found:
        first = FIRST.get(address.endpoint.split(".")[0], "")
        for who in sorted(PEOPLE, key=lambda name: name != first):
            status, kind = answer(who, address.path)
            if status == 200:
                if kind.startswith("text/html"):
                    shared[who].append(address.path)
                break
        else:
            nobody.append(f"{address.endpoint} {address.path}")
    assert nobody == [], f"nobody may open {nobody}"
    return shared
