"""Loading a checklist: typed values, one reading per content, refusal with reasons."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from tracker.domain.checklist_source import load_checklist, read_checklist
from tracker.domain.errors import Invalid

SOUND = (Path(__file__).parents[1] / "checklists" / "sound.yaml").read_bytes()


def test_a_sound_list_is_loaded_with_its_types():
    loaded = load_checklist(SOUND)
    assert loaded.as_of == date(2026, 11, 1)
    assert loaded.evidence_kind["tally"].attached is False
    assert loaded.evidence_kind["tally"].counts == ("present",)
    assert loaded.item["TOP-1"].points == 60
    assert loaded.item["TOP-1"].frequency.windows[1].start == "09-01"
    assert loaded.item["LOW-1"].frequency.years == 3
    assert loaded.item["LOW-1"].applies.to(frozenset({"has-cells"}))
    assert not loaded.item["LOW-1"].applies.to(frozenset())


def test_the_same_bytes_are_read_once():
    assert load_checklist(SOUND) is load_checklist(bytes(bytearray(SOUND)))


def test_a_broken_list_is_refused_with_place_and_reason():
    with pytest.raises(Invalid, match=r"checklist:\d+:\d+: TOP-1: .*CHEIF"):
        load_checklist(SOUND.replace(b"confirmer: CHIEF", b"confirmer: CHEIF"))


def test_yes_and_no_are_read_where_the_schema_wants_them_and_nowhere_else():
    text = SOUND.replace(b"attached: false", b"attached: no").replace('name: "小组"'.encode(), b"name: no")
    loaded = load_checklist(text)
    assert loaded.evidence_kind["tally"].attached is False
    assert loaded.level["LOW"].name == "no"


def test_numbers_stay_text_where_text_is_wanted():
    loaded = load_checklist(SOUND.replace(b'version: "1"', b"version: 2026.10"))
    assert loaded.version == "2026.10"


def test_an_empty_confirmer_means_that_the_duty_stands_on_submission():
    loaded = load_checklist(SOUND.replace(b"confirmer: CHIEF", b"confirmer:"))
    assert loaded.item["TOP-1"].confirmer is None


def test_the_values_of_a_problem_are_kept_for_translation():
    reading = read_checklist(SOUND.replace(b"points: 40", b"points: 30"), name="x.yaml")
    problem = reading.errors[0]
    assert problem.values["total"] == 90
    assert problem.as_json()["message"] == problem.message % problem.values


def test_a_fault_of_the_writing_names_the_item_around_it():
    broken = SOUND.replace(b"    points: 40\n", b"    points: 40\n    points: 40\n").replace(
        b"\n\nlevels:", b"\nkey: a\n\nlevels:"
    )
    problems = read_checklist(broken, name="x.yaml").problems
    assert [(problem.code, problem.item) for problem in problems] == [("duplicate-key", ""), ("duplicate-key", "TOP-2")]


def test_of_too_many_problems_the_first_thousand_are_listed():
    crowded = SOUND.replace(b"    sources:\n", b"    sources:\n" + b"      - {}\n" * 5000, 1)
    reading = read_checklist(crowded, name="x.yaml")
    assert len(reading.problems) == 1001
    assert "more" in {problem.code for problem in reading.problems}
    assert reading.checklist is None


def test_a_section_with_more_entries_than_any_list_has_is_refused_at_once():
    reading = read_checklist(b"items:\n" + b"- {}\n" * 501, name="x.yaml")
    assert [(problem.code, problem.line) for problem in reading.problems] == [("too-many-entries", 2)]


def test_words_are_not_compared_with_very_many():
    kinds = b"evidence_kinds:\n" + b"".join(b"  - {id: kind-%d, name: b}\n" % number for number in range(200))
    text = SOUND.replace(b"evidence_kinds:\n", kinds).replace(b"evidence: [minutes]", b"evidence: [minute]", 1)
    problem = read_checklist(text, name="x.yaml").errors[0]
    assert problem.code == "unknown-reference"
    assert problem.change == "改为 evidence_kinds 里有的编号，或在那里补上它"
