"""Hostile and clumsy files: each gets a clear error soon, and none brings the reader down."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tracker.domain.checklist_source import read_checklist
from tracker.domain.checklist_yaml import MAX_BYTES, MAX_LINE, MAX_LINES, MAX_NODES, read_tree

ROOT = Path(__file__).parents[2]
SOUND = (ROOT / "tests" / "checklists" / "sound.yaml").read_bytes()

HOSTILE = {
    "brackets 100,000 deep": (b"[" * 100_000, "too-deep", 1, 17),
    "brackets 100,000 deep on lines of their own": (b"[\n" * 100_000, "too-deep", 17, 1),
    "braces 100,000 deep": (b"{" * 100_000, "too-deep", 1, 17),
    "braces with keys 100,000 deep": (b"{a: " * 100_000, "too-many-nodes", 1, 1),
    "braces with keys, short lines": (b"{a:\n" * 7_000, "too-deep", 16, 2),
    "dashes 100,000 deep": (b"- " * 100_000, "too-deep", 1, 33),
    "question marks 100,000 deep": (b"? " * 100_000, "too-deep", 1, 33),
    "indented 1,000 deep": (b"".join(b" " * n + b"a:\n" for n in range(700)), "too-deep", 16, 16),
    "a scalar of 4 MB": (b"a: " + b"x" * 4_000_000, "too-large", 1, 1),
    "a quoted scalar of 4 MB": (b'a: "' + (b"x" * 99 + b"\n ") * 40_000 + b'"', "too-large", 1, 1),
    "a scalar of 500 KB on one line": (b"a: " + b"x" * 500_000, "line-too-long", 1, MAX_LINE),
    "half a million lines": (b"\n" * 500_000, "too-many-lines", MAX_LINES, 1),
    "too many entries in brackets": (b"- [" + b"a,b,c,d,\n" * 9_000 + b"]", "too-many-nodes", 1, 1),
    "too many entries": (b"".join(b"- {a: b, c: d, e: f}\n" for _ in range(8_000)), "too-many-nodes", 1, 1),
    "an alias": (b"a: &x 1\nb: *x\n", "alias", 2, 4),
    "an anchor": (b"a: &x 1\n", "anchor", 1, 4),
    "a bomb of aliases": (b"a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n", "alias", 2, 8),
    "a tag that builds an object": (b"a: !!python/object/apply:os.system [ls]\n", "yaml-tag", 1, 4),
    "a tag of one's own": (b"a: !x 1\n", "yaml-tag", 1, 4),
    "a key given twice": (b"a: 1\nb: 2\na: 3\n", "duplicate-key", 3, 1),
    "a key given twice further down": (b"a:\n  - {b: 1, b: 2}\n", "duplicate-key", 2, 12),
    "NUL": (b"a: \x00\n", "control-character", 1, 4),
    "an escaped NUL": (b'a: "\\0"\n', "control-character", 1, 4),
    "a bell": (b"a: b\nc: \x07\n", "control-character", 2, 4),
    "a lone carriage return": (b"a: b\rc: d\n", "control-character", 1, 5),
    "text that runs backwards": ("a: \u202eb\n".encode(), "bidi", 1, 4),
    "text that runs backwards, escaped": (b'a: "\\u202e"\n', "bidi", 1, 4),
    "an isolate": ("a: b\u2066c\n".encode(), "bidi", 1, 5),
    "a blank of no width": ("a: b\u200bc\n".encode(), "control-character", 1, 5),
    "a line separator": ("a: b\u2028c\n".encode(), "control-character", 1, 5),
    "an escape beyond the last character": (b'a: "\\UFFFFFFFF"\n', "syntax", 1, 1),
    "half a surrogate pair": (b'a: "\\ud800"\n', "control-character", 1, 4),
    "another encoding": ("a: 清单\n".encode("gbk"), "encoding", 1, 4),
    "bytes that end in the middle": (b"a: \xe6\xb8", "encoding", 1, 4),
    "a mark at the start": (b"\xef\xbb\xbfa: b\n", "bom", 1, 1),
    "UTF-16": ("a: b\n".encode("utf-16"), "bom", 1, 1),
    "two documents": (b"---\na: b\n---\nc: d\n", "second-document", 3, 1),
    "a directive": (b"%YAML 1.1\n---\na: b\n", "directive", 1, 1),
    "a directive with a huge number": (b"%YAML " + b"9" * 3000 + b".1\n---\na: b\n", "", 0, 0),
    "a key that is a list": (b"? [a, b]\n: c\n", "key", 1, 3),
    "a key that is nothing": (b"~: c\n", "key", 1, 1),
    "a tab": (b"a:\n\tb: c\n", "tab", 2, 1),
    "a full-width colon": ("title：x\n".encode(), "colon", 1, 6),
    "a full-width colon among good lines": ("key: a\ntitle：x\nstatus: trial\n".encode(), "colon", 2, 6),
    "no blank after a colon": (b"key: a\ntitle:x\nstatus: trial\n", "colon", 2, 6),
    "two colons": (b"a: b: c\n", "syntax", 1, 5),
    "an open quotation mark": (b'a: "b\n', "syntax", 2, 1),
    "an open bracket": (b"a: [b, c\n", "syntax", 2, 1),
    "a wrong indentation": (b"a: b\n  c: d\n", "syntax", 2, 4),
    "nothing": (b"", "empty", 1, 1),
    "only a remark": (b"# a\n", "empty", 1, 1),
    "a list instead of keys": (b"- a\n", "document", 1, 1),
    "a word instead of keys": (b"a\n", "document", 1, 1),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_gets_a_clear_error_within_a_second(name):
    source, code, line, column = HOSTILE[name]
    began = time.process_time()
    reading = read_checklist(source, name="x.yaml")
    assert time.process_time() - began < 1
    assert reading.checklist is None
    assert reading.errors
    if code:
        assert (code, line, column) in {(problem.code, problem.line, problem.column) for problem in reading.errors}


def test_the_hostile_files_leave_a_process_alive(tmp_path):
    for number, (source, *_) in enumerate(HOSTILE.values()):
        (tmp_path / f"{number:02}.yaml").write_bytes(source)
    program = (
        "import pathlib, sys\n"
        "from tracker.domain.checklist_source import read_checklist\n"
        "for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):\n"
        "    assert read_checklist(path.read_bytes(), name=path.name).checklist is None\n"
        "print('alive')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout == "alive\n", done.stderr[-2000:]


def pieces():
    words = [
        "a",
        "id",
        "items",
        "levels",
        ": ",
        ":",
        "\n",
        "\n  ",
        "- ",
        "[",
        "]",
        "{",
        "}",
        ",",
        '"',
        "'",
        "|",
        ">",
        "&x",
        "*x",
        "!t",
        "#",
        "%",
        "---\n",
        "...\n",
        "? ",
        "~",
        "1",
        "\t",
        "\\",
        "\ufeff",
        "\x00",
        "清",
        "：",
        "@",
        "`",
        "\r\n",
    ]
    return st.lists(st.sampled_from(words), max_size=60).map(lambda parts: "".join(parts).encode())


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(st.binary(max_size=300), pieces()))
@example(b'"\\xZZ"')
@example(b"%TAG ! tag:x,2000:\n--- !a b")
def test_no_bytes_bring_the_reader_down(source):
    reading = read_checklist(source, name="x.yaml")
    assert reading.checklist is None
    assert reading.errors
    assert all(problem.line >= 1 and problem.column >= 1 for problem in reading.problems)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(SOUND) - 1), st.integers(0, len(SOUND) - 1), pieces())
def test_no_damage_to_a_sound_list_brings_the_reader_down(start, end, inserted):
    damaged = SOUND[: min(start, end)] + inserted + SOUND[max(start, end) :]
    reading = read_checklist(damaged, name="x.yaml")
    assert (reading.checklist is None) == bool(reading.errors)


def test_words_stay_as_they_are_written():
    tree = read_tree(b"a: no\nb: 12:30\nc: 010\nd: 1.50\ne: 2026-01-01\nf: 0x1F\ng: yes\nh: ~\n")
    assert tree.data == {
        "a": "no",
        "b": "12:30",
        "c": "010",
        "d": "1.50",
        "e": "2026-01-01",
        "f": "0x1F",
        "g": "yes",
        "h": None,
    }


def test_a_file_from_windows_is_read_like_any_other():
    reading = read_checklist(SOUND.replace(b"\n", b"\r\n"), name="x.yaml")
    assert reading.problems == ()


def test_a_list_of_the_largest_allowed_size_is_read_to_its_end_within_some_seconds():
    count = min(MAX_LINES, MAX_NODES // 2) - 2
    lines = b"".join(b"- word %d\n" % number for number in range(count))
    assert len(lines) < MAX_BYTES
    tree = read_tree(lines)
    assert tree.findings == []
    assert isinstance(tree.data, list)
    assert len(tree.data) == count
