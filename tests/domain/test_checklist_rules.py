"""Every rule of checklists: a fault put into a sound list is found at its line and column."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracker.domain.checklist_problem import Problem
from tracker.domain.checklist_source import read_checklist

SOUND = (Path(__file__).parents[1] / "checklists" / "sound.yaml").read_text(encoding="utf-8")
HERE = "¦"  # stands in the edit where the problem is expected


def edited(*edits: tuple[str, str]) -> str:
    text = SOUND
    for old, new in edits:
        assert text.count(old.replace(HERE, "")) >= 1, old
        text = text.replace(old, new, 1)
    return text


def problems_of(text: str) -> tuple[Problem, ...]:
    return read_checklist(text.encode(), name="list.yaml").problems


def marked(text: str) -> tuple[str, int, int]:
    """The text without the mark, and the line and column where the mark stood."""
    before = text[: text.index(HERE)]
    return text.replace(HERE, ""), before.count("\n") + 1, len(before) - before.rfind("\n")


def test_a_sound_list_has_no_problem():
    reading = read_checklist(SOUND.encode(), name="list.yaml")
    assert reading.problems == ()
    assert reading.checklist is not None
    assert [item.id for item in reading.checklist.items] == ["TOP-1", "TOP-2", "LOW-1"]


ERRORS = {
    "an item id given twice": ("duplicate-id", "TOP-1", [("- id: TOP-2", "- id: ¦TOP-1")]),
    "a post id given twice": (
        "duplicate-id",
        "HEAD",
        [("- id: SECOND", "- id: ¦HEAD"), ("post: SECOND", "post: HEAD"), ("confirmer: HEAD", "confirmer: CHIEF")],
    ),
    "a level that takes the id of the top": (
        "reserved-id",
        "root",
        [("  - id: LOW\n", "  - id: LOW\n    name: '低'\n  - id: ¦root\n")],
    ),
    "a post of an unknown level": (
        "unknown-reference",
        "LEADER",
        [("    level: LOW\n\ndim", "    level: ¦LOOW\n\ndim")],
    ),
    "an item of an unknown level": (
        "unknown-reference",
        "TOP-2",
        [("- id: TOP-2\n    level: TOP", "- id: TOP-2\n    level: ¦TIP")],
    ),
    "an unknown post": ("unknown-reference", "LOW-1", [("post: LEADER", "post: ¦LEADRE")]),
    "an unknown confirmer": ("unknown-reference", "TOP-1", [("confirmer: CHIEF", "confirmer: ¦CHEIF")]),
    "an unknown dimension": ("unknown-reference", "TOP-1", [("dimension: A", "dimension: ¦B")]),
    "an unknown evidence kind": (
        "unknown-reference",
        "TOP-1",
        [("evidence: [minutes]", "evidence: [minutes, ¦minuets]")],
    ),
    "an unknown count": (
        "unknown-reference",
        "TOP-2",
        [("counts: [present]\n    points", "counts: [present, ¦presence]\n    points")],
    ),
    "an unknown count of an evidence kind": (
        "unknown-reference",
        "tally",
        [("counts: [present]\n\n", "counts: [present, ¦absent]\n\n")],
    ),
    "an unknown upper bound of a count": (
        "unknown-reference",
        "present",
        [('    name: "实到人数"\n', '    name: "实到人数"\n    at_most: ¦expected\n')],
    ),
    "an unknown occasion": ("unknown-reference", "TOP-1", [("occasion: day", "occasion: ¦night")]),
    "an unknown regulation": ("unknown-reference", "TOP-1", [("regulation: RULE", "regulation: ¦RULES")]),
    "an unknown tag": ("unknown-reference", "LOW-1", [("all: [has-cells]", "all: [has-cells, ¦has-cell]")]),
    "a post of another level": (
        "post-of-other-level",
        "LOW-1",
        [("post: LEADER\n    confirmer: HEAD", "post: ¦SECOND\n    confirmer: HEAD")],
    ),
    "points that do not add up": (
        "points",
        "LOW",
        [('  - id: LOW\n    name: "小组"\n', '  - id: LOW\n    name: "小组"\n    points: ¦90\n')],
    ),
    "a confirmer on the same post": ("confirmer-not-above", "TOP-1", [("confirmer: CHIEF", "confirmer: ¦HEAD")]),
    "a confirmer on a lower post": ("confirmer-not-above", "TOP-1", [("confirmer: CHIEF", "confirmer: ¦LEADER")]),
    "a confirmer further down on the same level": (
        "confirmer-not-above",
        "TOP-1",
        [("confirmer: CHIEF", "confirmer: ¦SECOND")],
    ),
    "too few windows": ("windows-count", "TOP-1", [("      windows:", "      times: 2\n      ¦windows:")]),
    "windows with months": (
        "windows-not-allowed",
        "TOP-1",
        [("every: half\n      windows", "every: month\n      ¦windows")],
    ),
    "windows out of order": (
        "windows-order",
        "TOP-1",
        [
            ("every: half", "every: year\n      times: 2"),
            ('from: "09-01"\n          to: "11-30"', 'from: ¦"02-01"\n          to: "02-20"'),
        ],
    ),
    "windows that overlap": (
        "windows-order",
        "TOP-1",
        [("every: half", "every: year\n      times: 2"), ('from: "09-01"', 'from: ¦"05-31"')],
    ),
    "a window that crosses the year": ("window-crosses-year", "TOP-1", [('to: "11-30"', 'to: ¦"01-30"')]),
    "a window outside its half-year": (
        "window-outside-half",
        "TOP-1",
        [('- from: "03-01"\n          to: "05-31"', '- ¦from: "03-01"\n          to: "07-31"')],
    ),
    "a day that does not exist": ("no-such-day", "TOP-1", [('to: "11-30"', 'to: ¦"11-31"')]),
    "the day that only leap years have": (
        "no-such-day",
        "TOP-1",
        [
            ("every: half", "every: year\n      times: 2"),
            ('to: "05-31"', 'to: "05-31"'),
            ('from: "03-01"', 'from: ¦"02-29"'),
        ],
    ),
    "a term without its years": ("term-without-years", "LOW-1", [("every: term\n      years: 3", "every: ¦term")]),
    "years without a term": (
        "years-without-term",
        "LOW-1",
        [("every: term\n      years", "every: year\n      ¦years")],
    ),
    "an event that happens twice": ("times-of-event", "TOP-2", [("every: year", "every: event\n      times: ¦2")]),
    "an unknown key": (
        "unknown-key",
        "TOP-1",
        [('    requirement: "部署', '    ¦requirment: x\n    requirement: "部署')],
    ),
    "a missing key": (
        "missing-key",
        "TOP-1",
        [("- id: TOP-1\n", "- ¦id: TOP-1\n"), ('    requirement: "部署全年学习。"\n', "")],
    ),
    "a word outside the choices": ("unknown-word", "TOP-1", [("duty: collective", "duty: ¦collectiv")]),
    "a number in words": ("whole-number", "TOP-1", [("points: 60", "points: ¦sixty")]),
    "a number in quotation marks": ("whole-number", "TOP-1", [("points: 60", 'points: ¦"60"')]),
    "a number with a point": ("whole-number", "TOP-1", [("points: 60", "points: ¦60.0")]),
    "too many points": (
        "too-large-number",
        "TOP-1",
        [
            ("points: 60", "points: ¦101"),
        ],
    ),
    "a negative grace": ("too-small", "TOP-1", [("grace: 5", "grace: ¦-1")]),
    "neither yes nor no": ("flag", "tally", [("attached: false", "attached: ¦nope")]),
    "no such date": ("day", "", [('as_of: "2026-11-01"', 'as_of: ¦"2026-13-01"')]),
    "a word where a list is wanted": ("list", "TOP-1", [("evidence: [minutes]", "evidence: ¦minutes")]),
    "a word where keys are wanted": ("mapping", "LOW-1", [("applies:\n      all: [has-cells]", "applies: ¦has-cells")]),
    "a list where text is wanted": ("text", "TOP-1", [('title: "部署学习"', "title: ¦[部署, 学习]")]),
    "true where text is wanted": ("text", "TOP-1", [('title: "部署学习"', "title: ¦true")]),
    "an empty title": ("text-too-short", "TOP-1", [('title: "部署学习"', 'title: ¦""')]),
    "a title of blanks": ("form", "TOP-1", [('title: "部署学习"', 'title: ¦"  "')]),
    "a title over two lines": ("form", "TOP-1", [('title: "部署学习"', 'title: ¦"部署\\n学习"')]),
    "a title that is too long": ("text-too-long", "TOP-1", [('title: "部署学习"', f'title: ¦"{"学" * 201}"')]),
    "nothing after the colon": ("empty-value", "TOP-1", [('    title: "部署学习"', "    title:¦")]),
    "an id with a blank": ("form", "", [("key: xiao-ceshi", "key: ¦xiao ceshi")]),
    "a window written as a date": ("form", "TOP-1", [('to: "11-30"', 'to: ¦"2026-11-30"')]),
    "the same evidence twice": ("repeated", "TOP-1", [("evidence: [minutes]", "evidence: [minutes, ¦minutes]")]),
    "a tag that is wanted and excluded": (
        "contradiction",
        "LOW-1",
        [("all: [has-cells]", "all: [has-cells]\n      none: [¦has-cells]")],
    ),
    "a proposal of a field that items lack": (
        "unknown-field",
        "TOP-1",
        [("proposed: [frequency.windows", "proposed: [¦frequency.window")],
    ),
    "a section without entries": ("empty-list", "", [(SOUND[SOUND.index("items:\n") :], "items: ¦[]\n")]),
    "a newer form of the language": ("unknown-word", "", [("schema_version: 1", "schema_version: ¦2")]),
}

WARNINGS = {
    "a collective item of a post with many holders": (
        "collective-of-many",
        "TOP-2",
        [("duty: individual", "duty: collective"), ("post: SECOND", "post: ¦SECOND")],
    ),
    "an item without a source": (
        "no-source",
        "LOW-1",
        [
            ("- id: LOW-1", "- ¦id: LOW-1"),
            ('    sources:\n      - regulation: RULE\n        article: "第三条"\n        checked: text_read\n', ""),
        ],
    ),
    "a regulation's number that nobody has read": (
        "basis-unchecked",
        "TOP-1",
        [("basis: regulation", "basis: ¦regulation"), ("checked: text_read", "checked: not_seen")],
    ),
    "an evidence kind that nobody asks for": (
        "unused",
        "photo",
        [("evidence_kinds:\n", "evidence_kinds:\n  - ¦id: photo\n    name: 照片\n")],
    ),
    "an occasion without items": ("unused", "day", [("  - id: day", "  - ¦id: day"), ("    occasion: day\n", "")]),
    "a tag that decides nothing": (
        "unused",
        "has-cells",
        [("  - id: has-cells", "  - ¦id: has-cells"), ("    applies:\n      all: [has-cells]\n", "")],
    ),
    "a level without items": (
        "level-without-items",
        "MID",
        [("  - id: LOW\n", "  - ¦id: MID\n    name: 中\n  - id: LOW\n")],
    ),
    "a post without items": (
        "post-without-items",
        "AIDE",
        [("  - id: LEADER\n", "  - ¦id: AIDE\n    name: 助理\n    level: LOW\n  - id: LEADER\n")],
    ),
    "two documents for one duty": (
        "several-attached",
        "TOP-1",
        [
            ("evidence_kinds:\n", "evidence_kinds:\n  - id: photo\n    name: 照片\n"),
            ("evidence: [minutes]", "evidence: [minutes, ¦photo]"),
        ],
    ),
    "attendance without its counts": (
        "counts-missing",
        "TOP-2",
        [("evidence: [minutes, tally]\n    counts: [present]", "evidence: [minutes, ¦tally]")],
    ),
    "no evidence at all": ("no-evidence", "TOP-1", [("evidence: [minutes]", "evidence: ¦[]")]),
    "a proposed number that is not marked": (
        "not-marked",
        "TOP-2",
        [('label: "每年1次"\n      basis: regulation', 'label: "每年1次"\n      basis: ¦proposal')],
    ),
    "a lower item that nobody confirms": (
        "stands-on-submission",
        "LOW-1",
        [("post: LEADER\n    confirmer: HEAD", "post: LEADER\n    confirmer: ¦null")],
    ),
    "a proposed list that marks nothing": (
        "nothing-marked",
        "",
        [("status: proposal", "status: ¦proposal"), ("    proposed: [frequency.windows, confirmer]\n", "")],
    ),
    "a top without a deputy": (
        "no-deputy",
        "CHIEF",
        [("  - id: CHIEF", "  - ¦id: CHIEF"), ('  - id: VICE\n    name: "总部代理人"\n    level: root\n', "")],
    ),
    "two items of a post that read the same": (
        "same-title",
        "TOP-3",
        [
            (
                "  - id: LOW-1\n",
                SOUND[SOUND.index("  - id: TOP-2") : SOUND.index("  - id: LOW-1")]
                .replace("TOP-2", "TOP-3")
                .replace('title: "', 'title: ¦"')
                + "  - id: LOW-1\n",
            ),
            ("points: 40", "points: 20"),
            ("points: 40", "points: 20"),
        ],
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_a_fault_is_an_error_at_its_place(name):
    code, item, edits = ERRORS[name]
    text, line, column = marked(edited(*edits))
    reading = read_checklist(text.encode(), name="list.yaml")
    found = {(problem.line, problem.column, problem.code, problem.item) for problem in reading.errors}
    assert (line, column, code, item) in found
    assert reading.checklist is None


@pytest.mark.parametrize("name", WARNINGS)
def test_a_weak_spot_is_a_warning_at_its_place(name):
    code, item, edits = WARNINGS[name]
    text, line, column = marked(edited(*edits))
    reading = read_checklist(text.encode(), name="list.yaml")
    assert [(problem.line, problem.column, problem.code, problem.item) for problem in reading.problems] == [
        (line, column, code, item)
    ]
    assert reading.checklist is not None


@pytest.mark.parametrize("name", {**ERRORS, **WARNINGS})
def test_every_problem_says_what_is_wrong_and_what_to_change(name):
    text, _, _ = marked(edited(*(ERRORS | WARNINGS)[name][2]))
    for problem in problems_of(text):
        assert problem.what
        assert problem.change
        assert "%(" not in str(problem)


def test_the_nearest_known_word_is_named():
    text, _, _ = marked(edited(*ERRORS["an unknown evidence kind"][2]))
    assert "minutes" in problems_of(text)[0].change
    text, _, _ = marked(edited(*ERRORS["an unknown key"][2]))
    assert "requirement" in problems_of(text)[0].change


def test_all_problems_come_at_once_and_in_the_order_of_the_file():
    text = edited(
        ('version: "1"', 'versoin: "1"'),
        ("level: root", "level: rot"),
        ("duty: collective", "duty: both"),
        ("points: 40", "points: 39"),
        ("post: LEADER", "post: HEAD"),
    )
    problems = problems_of(text)
    assert {problem.code for problem in problems} >= {
        "unknown-key",
        "missing-key",
        "unknown-reference",
        "unknown-word",
        "points",
        "post-of-other-level",
    }
    assert [problem.line for problem in problems] == sorted(problem.line for problem in problems)


def test_a_problem_prints_as_file_line_column_item():
    text, line, column = marked(edited(*ERRORS["an unknown confirmer"][2]))
    printed = str(problems_of(text)[0])
    assert printed == f"list.yaml:{line}:{column}: TOP-1: posts 里没有“CHEIF”; 改为“CHIEF”，或在 posts 里补上它"


def test_a_retired_item_owes_no_points():
    text = edited(("points: 40\n", "points: 40\n    retired: true\n"), ("points: 60", "points: 100"))
    assert read_checklist(text.encode(), name="list.yaml").errors == ()


def test_a_post_of_the_top_stands_above_every_level():
    text = edited(("post: LEADER\n    confirmer: HEAD", "post: LEADER\n    confirmer: VICE"))
    assert problems_of(text) == ()
