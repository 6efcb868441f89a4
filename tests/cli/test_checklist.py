"""The operator's commands for checklists, as an author of lists meets them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tracker.cli.checklist import checklist

ROOT = Path(__file__).parents[2]
SOUND = ROOT / "tests" / "checklists" / "sound.yaml"


def run(*arguments: object):
    return CliRunner().invoke(checklist, [str(argument) for argument in arguments])


@pytest.fixture
def broken(tmp_path):
    """A list with two errors and a warning."""
    text = SOUND.read_text(encoding="utf-8")
    text = text.replace("confirmer: CHIEF", "confirmer: CHEIF").replace("duty: individual", "duty: personal")
    text = text.replace("checked: text_read\n\n", "checked: not_seen\n\n", 1)
    path = tmp_path / "broken.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_sound_list_passes_in_silence():
    result = run("check", SOUND)
    assert result.exit_code == 0
    assert result.stdout == ""
    assert result.stderr == "0 errors, 0 warnings\n"


def test_every_problem_of_every_file_is_printed_and_the_exit_code_is_one(broken):
    result = run("check", SOUND, broken, broken)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert lines == lines[: len(lines) // 2] * 2
    assert lines[0].startswith(f"{broken}:73:16: TOP-1: ")
    assert any("personal" in line for line in lines)
    assert any("(warning)" in line for line in lines)
    assert result.stderr == "4 errors, 2 warnings\n"


def test_warnings_alone_are_fine(tmp_path):
    path = tmp_path / "weak.yaml"
    path.write_text(SOUND.read_text(encoding="utf-8").replace("    occasion: day\n", ""), encoding="utf-8")
    result = run("check", path)
    assert result.exit_code == 0
    assert "(warning)" in result.stdout


def test_scripts_read_the_problems_as_json(broken):
    result = run("check", "--json", broken)
    assert result.exit_code == 1
    problems = json.loads(result.stdout)
    assert problems[0]["line"] == 73
    assert problems[0]["column"] == 16
    assert problems[0]["item"] == "TOP-1"
    assert problems[0]["code"] == "unknown-reference"
    assert {problem["severity"] for problem in problems} == {"error", "warning"}


def test_a_sound_list_is_an_empty_json_list():
    result = run("check", "--json", SOUND)
    assert result.exit_code == 0
    assert json.loads(result.stdout) == []


@pytest.mark.parametrize(
    "arguments", [("check",), ("check", "no-such-file.yaml"), ("check", ROOT), ("show", "no-such-list")]
)
def test_wrong_use_is_exit_code_two(arguments):
    assert run(*arguments).exit_code == 2


def test_a_file_that_cannot_be_read_is_a_matter_of_the_environment():
    assert run("check", "/proc/self/mem").exit_code == 3


def test_a_hostile_file_is_reported_by_the_command_within_its_time(tmp_path):
    path = tmp_path / "deep.yaml"
    path.write_bytes(b"[" * 100_000)
    program = "from tracker.cli.checklist import checklist; checklist()"
    done = subprocess.run(
        [sys.executable, "-c", program, "check", str(path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout.startswith(f"{path}:1:17: ")


def test_the_schema_is_the_committed_one():
    result = run("schema")
    assert result.exit_code == 0
    assert result.stdout == (ROOT / "checklists" / "checklist.schema.json").read_text(encoding="utf-8")


def test_a_list_is_shown_by_its_key():
    result = run("show", "sanji-wugang")
    assert result.exit_code == 0
    assert "机关纪委书记" in result.stdout
    assert "L3 党支部: 4 / 100" in result.stdout
    assert "10-01..12-31" in result.stdout


def test_a_list_is_shown_as_json_that_reads_back():
    result = run("show", "sanji-wugang", "--json")
    assert json.loads(result.stdout)["items"][0]["id"] == "L1-01"


def test_an_unknown_key_is_answered_with_the_known_ones():
    result = run("show", "sanji", "--folder", ROOT / "checklists")
    assert "sanji-sigang, sanji-wugang" in result.stderr
