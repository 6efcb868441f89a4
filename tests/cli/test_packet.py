"""The operator makes packets, checks them, writes the checker and tries out a key."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import select

from tests.tasks.packet_scene import install
from tracker.app import create_app
from tracker.cli.packet import packet
from tracker.config import CHECKOUT, load_settings
from tracker.db import db
from tracker.models import AccessLog, Organization
from tracker.reporting.fonts import FontSet

DAY = "2026-05-20"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory, prepared_fonts: FontSet) -> Flask:
    """An installation with a check."""
    folder = tmp_path_factory.mktemp("installed")
    install(folder, prepared_fonts, sentence="学习讨论").engine.dispose()
    return create_app(load_settings(data_dir=folder))


@pytest.fixture(scope="module")
def made(app: Flask, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packet of the check's unit."""
    path = tmp_path_factory.mktemp("out") / "packet.pdf"
    result = run(app, "build", "1", "--unit", "D1", "--as-of", DAY, "--out", str(path))
    assert result.exit_code == 0, result.output
    assert "unsigned" in result.output
    return path


def run(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(packet, words)


def test_a_packet_is_made_and_passes(app, made):
    result = run(app, "verify", str(made))

    assert result.exit_code == 0
    assert result.output.startswith("核验通过")


def test_the_unit_reads_that_the_operator_took_its_packet_along(app, made):
    assert made.exists()
    with app.app_context():
        rows = db.session.execute(select(AccessLog.actor, AccessLog.verb, AccessLog.object_kind, AccessLog.object_key))
        assert [tuple(row) for row in rows] == [("operator", "document.export", "packet", "1")]
        unit = db.session.get_one(Organization, db.session.scalar(select(AccessLog.unit_id)))
        assert unit.code == "D1"


def test_the_result_can_be_read_by_a_script_and_in_english(app, made):
    result = run(app, "verify", "--json", "--language", "en", str(made))
    found = json.loads(result.output)

    assert (found["passed"], found["signed"]) == (True, False)
    assert found["groups"][0]["title"] == "Authenticity"


def test_a_changed_packet_is_told_with_exit_code_one(app, made, tmp_path):
    content = bytearray(made.read_bytes())
    content[len(content) // 2] ^= 1
    changed = tmp_path / "changed.pdf"
    changed.write_bytes(content)

    result = run(app, "verify", str(changed))
    assert result.exit_code == 1
    assert result.output.startswith("核验不通过")


def test_a_packet_is_checked_where_nothing_is_installed_and_nothing_is_left_behind(made, tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TRACKER_")}
    environment |= {"PYTHONPATH": str(CHECKOUT), "TRACKER_DATA_DIR": str(folder / "data")}
    command = [sys.executable, "-c", "from tracker.cli import main; main()", "packet", "verify", made]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.partition("：")[0], done.stderr) == (0, "核验通过", "")
    assert list(folder.iterdir()) == []


def test_the_checker_is_written_as_one_file(app, made, tmp_path):
    checker = tmp_path / "verify_packet.py"
    assert run(app, "verifier", "--out", str(checker)).exit_code == 0

    done = subprocess.run(["/usr/bin/python3", "-I", checker, made], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.partition("：")[0]) == (0, "核验通过")


def test_a_key_to_try_out_signs_a_packet(app, tmp_path):
    told = run(app, "keys", "demo", "--out", str(tmp_path / "keys")).output
    given = dict(line.split("=", 1) for line in told.splitlines())
    settings = load_settings(
        data_dir=app.config["TRACKER"].data_dir,
        signing_key=Path(given["TRACKER_SIGNING_KEY"]),
        signing_passphrase=Path(given["TRACKER_SIGNING_PASSPHRASE_FILE"]).read_text().strip(),
        trusted_certificates=Path(given["TRACKER_TRUSTED_CERTIFICATES"]),
    )
    signing, path = create_app(settings), tmp_path / "quarter.pdf"

    assert "signed (B-B)" in run(signing, "quarter", "D1", "2026Q2", "--as-of", DAY, "--out", str(path)).output
    verified = run(signing, "verify", "--trusted", given["TRACKER_TRUSTED_CERTIFICATES"], str(path))
    assert (verified.exit_code, "签名有效" in verified.output) == (0, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("quarter", "D1", "2026-2", "--out", "q.pdf"), "write a quarter as 2026Q1"),
        (("build", "1", "--all", "--unit", "D1", "--out", "o"), "leave out --unit"),
        (("verify", "nothing.pdf"), "does not exist"),
    ],
)
def test_wrong_use_is_told_with_exit_code_two(app, words, said):
    result = run(app, *words)

    assert result.exit_code == 2
    assert said in result.output
