"""The lists that are delivered: sound, honest about what they are, and valid for editors too."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from tracker.domain.checklist import ROOT as TOP
from tracker.domain.checklist import Checklist
from tracker.domain.checklist_schema import editor_schema
from tracker.domain.checklist_source import load_checklist, read_checklist

ROOT = Path(__file__).parents[2]
FILES = [*sorted((ROOT / "checklists").glob("*.yaml")), *sorted((ROOT / "tests" / "checklists").glob("*.yaml"))]
VALIDATOR = Draft7Validator(json.loads(editor_schema()))
SOUND_FILE = ROOT / "tests" / "checklists" / "sound.yaml"
SOUND = SOUND_FILE.read_text(encoding="utf-8")


class EditorLoader(yaml.SafeLoader):
    """Reads words as editors do: the core types of YAML 1.2."""


EditorLoader.yaml_implicit_resolvers = {}
for tag, pattern in {
    "null": r"~|null|Null|NULL|",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?[0-9]+",
    "float": r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?",
}.items():
    EditorLoader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"^(?:{pattern})$"), None)


def as_editors_see(text: str) -> Any:
    return yaml.load(text, Loader=EditorLoader)


def editor_complaints(text: str) -> list[str]:
    return [f"{list(error.absolute_path)}: {error.message}" for error in VALIDATOR.iter_errors(as_editors_see(text))]


def loaded(name: str) -> Checklist:
    return load_checklist((ROOT / "checklists" / f"{name}.yaml").read_bytes())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_delivered_list_has_no_error(path):
    assert read_checklist(path.read_bytes(), name=path.name).errors == ()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_delivered_list_is_valid_in_an_editor(path):
    assert editor_complaints(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_first_line_leads_editors_to_the_schema(path):
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    assert (path.parent / first.partition("=")[2]).resolve() == ROOT / "checklists" / "checklist.schema.json"


@pytest.mark.parametrize("name", ["sanji-wugang", "four-level", "sound"])
def test_the_short_lists_have_no_weak_spot(name):
    path = next(path for path in FILES if path.stem == name)
    assert read_checklist(path.read_bytes(), name=path.name).problems == ()


def test_the_committed_schema_is_the_generated_one():
    assert (ROOT / "checklists" / "checklist.schema.json").read_text(encoding="utf-8") == editor_schema()


def test_the_schema_is_itself_valid():
    Draft7Validator.check_schema(json.loads(editor_schema()))


def test_every_key_has_a_description_for_editors():
    schema = json.loads(editor_schema())
    models = [schema, *schema["$defs"].values()]
    bare = [name for model in models for name, key in model["properties"].items() if not key.get("description")]
    assert bare == []


def test_editors_refuse_an_unknown_key():
    assert editor_complaints(SOUND.replace("requirement:", "requirment:"))


WORDS = st.sampled_from(
    [
        "no",
        "yes",
        "true",
        "True",
        "false",
        "12:30",
        "010",
        "1.50",
        "2026",
        "2026-01-01",
        "0x1F",
        "1e3",
        "~",
        "null",
        "",
        "文字",
        "A",
        "'7'",
        '"true"',
        "[]",
        "{}",
        "-5",
        "60",
        "60.0",
        "0",
        "03-01",
    ]
)
VALUES = [line for line in SOUND.splitlines() if re.match(r"\s*(- )?[a-z_]+: \S", line)]


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(VALUES), WORDS)
def test_whatever_passes_the_check_is_valid_in_an_editor(line, word):
    text = SOUND.replace(line, line[: line.index(": ") + 2] + word, 1)
    if not read_checklist(text.encode(), name="x.yaml").errors:
        assert editor_complaints(text) == []


def test_the_large_list_holds_the_whole_catalogue():
    items = loaded("sanji-sigang").items
    assert Counter(item.level for item in items) == {"L1": 29, "L2": 28, "L3": 28}
    assert [item.id for item in items] == [
        f"{level}-{number:02}" for level, last in (("L1", 29), ("L2", 28), ("L3", 28)) for number in range(1, last + 1)
    ]
    assert Counter(item.frequency.basis for item in items) == {
        "regulation": 29, "regulation_no_number": 33, "local": 12, "proposal": 11,
    }  # fmt: skip


def test_the_large_list_says_that_it_is_an_example_and_not_the_text_of_a_city():
    notice = loaded("sanji-sigang").notice
    assert "建议示例" in notice
    assert "不是长春" in notice
    assert loaded("sanji-sigang").status == "proposal"


def test_every_item_of_the_large_list_marks_its_derived_fields():
    for item in loaded("sanji-sigang").items:
        assert {"responsibility", "confirmer", "frequency.grace"} <= set(item.proposed), item.id
        assert ("counts" in item.proposed) == bool(item.counts), item.id
        assert ("frequency.windows" in item.proposed) == bool(item.frequency.windows), item.id
        assert ("applies" in item.proposed) == bool(item.applies.all_of or item.applies.none_of), item.id


def test_only_two_yearly_items_for_the_public_stand_on_submission():
    alone = [item.id for item in loaded("sanji-sigang").items if item.confirmer is None]
    assert alone == ["L1-10", "L1-11"]


@pytest.mark.parametrize("name", ["sanji-sigang", "sanji-wugang"])
def test_the_top_has_a_deputy_and_is_accountable_for_nothing(name):
    shown = loaded(name)
    top = [post.id for post in shown.posts if post.level == TOP]
    assert len(top) == 2
    assert not {item.post for item in shown.items} & set(top)


def test_the_five_post_list_adds_one_post_to_the_four():
    four = {post.id for post in loaded("sanji-sigang").posts}
    five = {post.id for post in loaded("sanji-wugang").posts}
    assert len(five - four) == 1
    assert {item.post for item in loaded("sanji-wugang").items} >= five - four


def test_no_name_of_a_level_or_post_occurs_in_the_language():
    lists = [load_checklist(path.read_bytes()) for path in FILES if path != SOUND_FILE]
    names = {entry.name for shown in lists for entry in (*shown.levels, *shown.posts)}
    sources = [*(ROOT / "tracker" / "domain").glob("checklist*.py"), ROOT / "tracker" / "cli" / "checklist.py"]
    assert len(sources) > 5
    assert [(path.name, name) for path in sources for name in names if name in path.read_text(encoding="utf-8")] == []
