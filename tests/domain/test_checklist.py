"""The version of an item is the digest of its text, and of nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tracker.domain.checklist import Checklist, item_digest, item_text
from tracker.domain.checklist_source import load_checklist

SOUND = (Path(__file__).parents[1] / "checklists" / "sound.yaml").read_text(encoding="utf-8")


def digests(text: str) -> dict[str, str]:
    loaded = load_checklist(text.encode())
    return {item.id: item_digest(item, loaded) for item in loaded.items}


def test_the_digest_is_a_sha_256():
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in digests(SOUND).values())


def test_the_canonical_text_never_changes_by_accident():
    loaded = load_checklist(SOUND.encode())
    assert json.loads(item_text(loaded.item["LOW-1"], loaded)) == {
        "form": "item/1",
        "checklist": "xiao-ceshi",
        "item": {
            "id": "LOW-1",
            "level": "LOW",
            "duty": "collective",
            "responsibility": "post",
            "post": "LEADER",
            "confirmer": "HEAD",
            "dimension": "A",
            "title": "换届",
            "requirement": "按期换届。",
            "frequency": {"every": "term", "years": 3, "label": "每届3年", "basis": "regulation"},
            "evidence": ["minutes"],
            "points": 100,
            "sources": [{"regulation": "RULE", "article": "第三条", "checked": "text_read"}],
            "applies": {"all": ["has-cells"]},
        },
    }
    assert digests(SOUND)["LOW-1"] == "a849634d0c2c58331dff842dda20312fcd67c5c544b6930b5ef7eaae5295cbe2"


def test_layout_quotation_marks_and_key_order_do_not_change_it():
    other = SOUND.replace("    level: LOW\n    duty: collective\n", "    duty: 'collective'\n    level: \"LOW\"\n")
    other = other.replace("evidence: [minutes]\n    points: 100", "evidence:\n      - minutes\n    points:   100")
    assert other != SOUND
    assert digests(other) == digests(SOUND)


def test_writing_a_default_out_does_not_change_it():
    assert digests(SOUND.replace("every: term\n", "every: term\n      times: 1\n")) == digests(SOUND)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("按期换届。", "按期换届并报告。"),
        ("years: 3", "years: 5"),
        ("all: [has-cells]", "any: [has-cells]"),
        ("第三条", "第四条"),
    ],
)
def test_any_change_of_the_text_changes_it(old, new):
    before, after = digests(SOUND), digests(SOUND.replace(old, new))
    assert before["LOW-1"] != after["LOW-1"]
    assert before["TOP-1"] == after["TOP-1"]


def test_the_same_item_of_another_list_is_another_item():
    assert digests(SOUND.replace("xiao-ceshi", "da-ceshi"))["LOW-1"] != digests(SOUND)["LOW-1"]


def test_retiring_an_item_keeps_its_version():
    text = SOUND.replace('label: "每届3年"', 'label: "每届3年"').replace(
        "points: 100", "points: 100\n    retired: true"
    )
    assert digests(text)["LOW-1"] == digests(SOUND)["LOW-1"]


def test_a_checklist_cannot_be_changed():
    loaded: Checklist = load_checklist(SOUND.encode())
    with pytest.raises(ValueError, match="frozen"):
        loaded.items[0].points = 3  # type: ignore[misc]
