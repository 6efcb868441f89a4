"""What the worker tidies up once a day."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tracker.config import load_settings
from tracker.storage import samples
from tracker.storage.blobs import BlobStore
from tracker.storage.sheets import SheetJob, draw_sheets
from tracker.tasks import daily
from tracker.tasks.daily import RESULTS_KEPT, tidy
from tracker.tasks.workplace import work_folder

NOW = datetime.now(UTC)


@pytest.fixture
def settings(tmp_path):
    settings = load_settings(data_dir=tmp_path)
    settings.result_dir.mkdir()
    return settings


def age(path: Path, by: timedelta) -> Path:
    then = (NOW - by).timestamp()
    os.utime(path, (then, then))
    return path


def test_a_document_is_kept_for_a_month_and_no_longer(session, settings):
    for name, old in (("old", RESULTS_KEPT + timedelta(hours=1)), ("young", RESULTS_KEPT - timedelta(hours=1))):
        path = settings.result_dir / name
        path.write_bytes(b"%PDF-")
        age(path, old)

    tidy(session.get_bind().engine, settings, now=NOW)

    assert [path.name for path in settings.result_dir.iterdir()] == ["young"]


def test_what_killed_workers_and_commands_left_goes_after_a_day(session, settings):
    for name in ("abc.1.part", "packet.def.part", "abc.kept", "young.1.part", "cleared-1"):
        folder = settings.result_dir / name
        folder.mkdir()
        (folder / "half.pdf").write_bytes(b"half")
        if name not in {"young.1.part", "cleared-1"}:
            age(folder, timedelta(days=2))
    (settings.section_dir / "cleared-sections-1").mkdir(parents=True)

    with work_folder(settings.result_dir / "alive.1.part") as alive:
        age(alive, timedelta(days=2))
        tidy(session.get_bind().engine, settings, now=NOW)
        assert sorted(path.name for path in settings.result_dir.iterdir()) == ["alive.1.part", "young.1.part"]

    assert not alive.exists()
    assert list(settings.section_dir.iterdir()) == []


def test_drawn_pages_go_that_were_not_wanted_for_longest(session, settings, monkeypatch):
    store = BlobStore(settings.store_dir)
    jobs = [SheetJob(store.put([samples.sample_jpeg(seed)]).sha256, "jpeg") for seed in range(3)]
    folders = [found.sheets[0].path.parent for found in draw_sheets(jobs, store, settings.section_dir)]
    for folder, days in zip(folders, (3, 2, 4), strict=True):
        age(folder, timedelta(days=days))
    draw_sheets(jobs[2:], store, settings.section_dir)  # the oldest one is wanted again
    size = sum(path.stat().st_size for path in folders[1].iterdir())
    monkeypatch.setattr(daily, "SHEETS_KEPT", 2 * size + size // 2)

    tidy(session.get_bind().engine, settings, now=NOW)
    assert [folder.exists() for folder in folders] == [False, True, True]

    monkeypatch.setattr(daily, "SHEETS_KEPT", 0)
    tidy(session.get_bind().engine, settings, now=NOW)
    assert [folder.exists() for folder in folders] == [False, False, True]
