"""The operator's command that prepares the fonts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracker.app import create_app
from tracker.cli.fonts import fonts
from tracker.config import load_settings
from tracker.reporting import fonts as system
from tracker.tasks.documents import fonts_of


def test_a_small_set_is_prepared_and_the_worker_prints_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(system, "FACES", tuple(face for face in system.FACES if not face.optional))
    monkeypatch.setattr(system, "wanted_characters", lambda: frozenset(map(ord, "永字八法")))
    settings = load_settings(data_dir=tmp_path)
    result = create_app(settings).test_cli_runner().invoke(fonts)
    assert result.exit_code == 0, result.output
    prepared = fonts_of(settings)
    assert prepared.is_prepared
    assert result.output.splitlines() == list(prepared.names)


def test_a_font_that_cannot_be_used_is_told_and_the_exit_code_is_three(tmp_path: Path):
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    settings = load_settings(data_dir=tmp_path, fangsong_font=tmp_path / "broken.ttf")
    result = create_app(settings).test_cli_runner().invoke(fonts)
    assert result.exit_code == 3
    assert "broken.ttf" in result.output
