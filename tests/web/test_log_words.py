"""Whatever any service writes into the logs has words: the calls that write are read, and what they say looked up."""

from __future__ import annotations

import ast
import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import time_machine
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from tests.city import NOW
from tests.scene import play
from tests.web.conftest import PASSWORD, SALT
from tracker.config import CHECKOUT, load_settings
from tracker.db import engine_options, prepare, writing
from tracker.domain.duty import Action
from tracker.domain.good_practice import GoodPracticeAction
from tracker.domain.rectification import RectificationAction
from tracker.domain.seal import SealKind
from tracker.models import LogEntry, LogPayload, Person
from tracker.tasks.papers import KINDS as PAPERS
from tracker.web.log_words import ACTORS, KINDS, MEMBERS, VERBS

LAYERS = ("services", "tasks", "web", "cli")
# What a call says by a value that only the running program knows, and all that this can be.
WORKED_OUT = {
    "signing.action.value": {action.value for action in Action},
    "f'good_practice.{action.value}'": {f"good_practice.{action.value}" for action in GoodPracticeAction},
    "f'rectification.{step.action.value}'": {f"rectification.{action.value}" for action in RectificationAction},
    "target.kind.value": {kind.value for kind in SealKind},
    "kind": {"duty", "evidence"},
}
# Functions that take a verb of another kind.
OTHER_VERBS = {"_done"}


def sources() -> list[Path]:
    found = [path for layer in LAYERS for path in sorted((CHECKOUT / "tracker" / layer).rglob("*.py"))]
    return [path for path in found if "bench" not in path.parts]


def places_of(tree: ast.Module, member: str) -> dict[str, int | None]:
    """The functions and classes of a file that take `member`, and at which place (None: by name only)."""
    found: dict[str, int | None] = {"record": None, "record_access": None, "Told": {"verb": 0, "kind": 1}[member]}
    found |= {"note_opening": 1} if member == "verb" else {}
    for node in ast.walk(tree):
        if member == "verb" and isinstance(node, ast.FunctionDef) and node.name not in OTHER_VERBS:
            names = [one.arg for one in (*node.args.posonlyargs, *node.args.args) if one.arg != "self"]
            if member in names or member in {one.arg for one in node.args.kwonlyargs}:
                found[node.name] = names.index(member) if member in names else None
    return found


def said(path: Path, member: str) -> Iterator[tuple[str, str]]:
    """What the calls of a file say as `member`: the text, or the expression where it is none, and the place."""
    tree = ast.parse(path.read_text("utf-8"))
    takers = places_of(tree, member)
    module = importlib.import_module(".".join(path.relative_to(CHECKOUT).with_suffix("").parts))
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        assigned = {
            target.id: node.value
            for node in ast.walk(function)
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            if name not in takers or not writes(call, name):
                continue
            place, given = takers[name], [one.value for one in call.keywords if one.arg == member]
            if not given and place is not None and len(call.args) > place:
                given = [call.args[place]]
            for value in given:
                yield from ((text, f"{path.name}:{call.lineno}") for text in texts(value, assigned, module, function))


def writes(call: ast.Call, name: str) -> bool:
    """Whether the call is one of those that the log is told by; other things are called `record` too."""
    return name != "record" or any(one.arg == "verb" for one in call.keywords)


def texts(value: ast.expr, assigned: dict[str, ast.expr], module: Any, function: ast.FunctionDef) -> Iterator[str]:
    if isinstance(value, ast.Constant):
        yield str(value.value)
    elif isinstance(value, ast.IfExp):
        for branch in (value.body, value.orelse):
            yield from texts(branch, assigned, module, function)
    elif isinstance(value, ast.Name) and value.id in assigned:
        yield from texts(assigned[value.id], {}, module, function)
    elif isinstance(value, ast.Name) and isinstance(getattr(module, value.id, None), str):
        yield getattr(module, value.id)
    elif not (
        isinstance(value, ast.Name) and value.id in {a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)}
    ):
        yield from WORKED_OUT.get(ast.unparse(value), {ast.unparse(value)})


@pytest.mark.parametrize(("member", "words"), [("verb", VERBS), ("kind", {**KINDS, **PAPERS})])
def test_every_word_that_is_written_into_the_logs_has_words(member, words):
    written = {text: place for path in sources() for text, place in said(path, member)}
    assert len(written) > len(words) / 3, "the calls that write were not found"
    assert {text: place for text, place in written.items() if text not in words} == {}


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What the log of a city in the middle of its year tells: who, and before and after."""
    folder = tmp_path_factory.mktemp("told")
    settings = load_settings(data_dir=folder, password_salt=SALT, secret_key="a key for the tests")
    engine = create_engine(settings.database, **engine_options(settings.database))
    prepare(engine)
    with time_machine.travel(NOW, tick=True), Session(engine) as session, writing(session):
        play(session, settings, password=PASSWORD, more=0)
        rows = session.execute(select(LogEntry.actor, LogEntry.verb, LogPayload.body).join(LogEntry.payload)).all()
        people = set(session.scalars(select(Person.key)))
    engine.dispose()
    return rows, people


def members(value: Any) -> Iterator[str]:
    """Every name of a member, however deep; what is counted is named by the lists."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield name
            yield from () if name == "counts" else members(member)
    elif isinstance(value, list):
        for member in value:
            yield from members(member)


def test_every_member_that_the_log_tells_of_has_words(told):
    rows, _ = told
    names = {
        name: verb
        for _, verb, body in rows
        if verb != "heads"
        for said in json.loads(body).values()
        for name in members(said)
    }
    assert {name: verb for name, verb in names.items() if name not in MEMBERS} == {}


def test_whoever_is_no_person_has_words(told):
    rows, people = told
    assert {actor for actor, _, _ in rows} - people <= set(ACTORS)
