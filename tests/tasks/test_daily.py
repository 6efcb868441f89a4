"""What the worker tidies up once a day."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tracker.config import load_settings
from tracker.tasks.daily import RESULTS_KEPT, tidy


def test_a_document_is_kept_for_a_month_and_no_longer(tmp_path: Path) -> None:
    settings, now = load_settings(data_dir=tmp_path), datetime.now(UTC)
    settings.result_dir.mkdir()
    for name, age in (("old", RESULTS_KEPT + timedelta(hours=1)), ("young", RESULTS_KEPT - timedelta(hours=1))):
        path = settings.result_dir / name
        path.write_bytes(b"%PDF-")
        then = (now - age).timestamp()
        os.utime(path, (then, then))

    tidy(settings, now=now)

    assert [path.name for path in settings.result_dir.iterdir()] == ["young"]
