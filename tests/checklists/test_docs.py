"""The documentation of the language tells the truth: every key is explained, every example passes the check."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tracker.domain.checklist_schema import editor_schema
from tracker.domain.checklist_source import read_checklist
from tracker.domain.checklist_yaml import MAX_BYTES, MAX_DEPTH, MAX_LINE, MAX_LINES

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ["checklist-language.md", "checklist-language.zh-CN.md"]
SCHEMA = json.loads(editor_schema())


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def keys_and_words() -> set[str]:
    models = [SCHEMA, *SCHEMA["$defs"].values()]
    fields = [(key, field) for model in models for key, field in model["properties"].items()]
    words = {word for _, field in fields for word in field.get("enum", []) if isinstance(word, str)}
    return {key for key, _ in fields} | (words - {"yes", "no"})


@pytest.mark.parametrize("name", PAGES)
def test_every_key_and_every_fixed_word_is_explained(name):
    explained = set(re.findall(r"`([a-z_-]+)`", page(name)))
    assert keys_and_words() - explained == set()


@pytest.mark.parametrize("name", PAGES)
def test_the_example_is_a_list_of_two_items_without_a_problem(name):
    example = page(name).partition("<!-- example -->")[2].partition("```yaml\n")[2].partition("```")[0]
    reading = read_checklist(example.encode(), name=name)
    assert reading.problems == ()
    assert reading.checklist is not None
    assert len(reading.checklist.items) == 2


@pytest.mark.parametrize("name", PAGES)
def test_the_limits_are_the_real_ones(name):
    text = page(name).replace(",", "")
    for limit in (f"{MAX_BYTES // 1024} KB", str(MAX_LINES), str(MAX_DEPTH), str(MAX_LINE)):
        assert limit in text


@pytest.mark.parametrize("name", PAGES)
def test_the_printed_problem_is_what_the_check_prints(name):
    example = page(name).partition("<!-- example -->")[2].partition("```yaml\n")[2].partition("```")[0]
    shown = re.search(r"^checklists/\S+\.yaml:.*$", page(name), re.MULTILINE)
    assert shown is not None
    broken = example.replace("confirmer: R1", "confirmer: R3", 1)
    file = shown.group().partition(":")[0]
    assert str(read_checklist(broken.encode(), name=file).problems[0]) == shown.group()
