"""What a seal destroys beside the rows."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tracker.config import load_settings
from tracker.models import Seal, SealState
from tracker.storage import samples
from tracker.storage.blobs import BlobStore
from tracker.storage.preview import Previews
from tracker.storage.sheets import SheetJob, draw_sheets
from tracker.tasks import sealing
from tracker.tasks.sealing import SealedMeanwhile


def test_a_sealed_file_leaves_no_picture_no_section_and_no_document(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path)
    store = BlobStore(settings.store_dir)
    sealed, other = (store.put([samples.sample_jpeg(seed)]).sha256 for seed in (1, 2))
    previews = Previews(settings.preview_dir, store)
    draw_sheets([SheetJob(sealed, "jpeg"), SheetJob(other, "jpeg")], store, settings.section_dir)
    for digest in (sealed, other):
        previews.show(digest, kind="jpeg")
    (settings.section_dir / "sections-1").mkdir()
    (settings.section_dir / "sections-1" / "a.pdf").write_bytes(b"a section")
    settings.result_dir.mkdir()
    (settings.result_dir / "a").write_bytes(b"a document")

    sealing.destroy([sealed], settings)

    assert not store.path(sealed).exists()
    assert store.path(other).exists()
    left = {
        path.name.partition("-")[0] for folder in ("previews", "sections") for path in (tmp_path / folder).iterdir()
    }
    assert left == {other}
    assert list(settings.result_dir.iterdir()) == []


def test_a_sealed_text_takes_what_was_laid_out_with_it(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path)
    (settings.section_dir / "sections-1").mkdir(parents=True)

    sealing.destroy([], settings)
    sealing.destroy([], settings)

    assert list(settings.section_dir.iterdir()) == []


def test_each_seal_ends_the_generation_of_what_was_gathered_before(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path)
    since = sealing.generation(settings)
    sealing.check_generation(settings, since)

    for _ in range(2):
        sealing.destroy([], settings)
        with pytest.raises(SealedMeanwhile, match="被封存"):
            sealing.check_generation(settings, since)
        since = sealing.generation(settings)
        sealing.check_generation(settings, since)


def test_a_seal_removes_documents_into_which_a_worker_still_writes(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path)
    settings.result_dir.mkdir()
    ended = []

    def write(folder: Path, begun: threading.Event) -> None:
        number = 0
        try:
            while True:
                (folder / f"{number}").write_bytes(b"a secret")
                number += 1
                begun.set()
        except OSError:
            ended.append(folder)

    for attempt in range(10):
        folder, begun = settings.result_dir / f"a.{attempt}.part", threading.Event()
        folder.mkdir()
        writer = threading.Thread(target=write, args=(folder, begun))
        writer.start()
        begun.wait()
        sealing.destroy([], settings)
        writer.join(10)
        assert list(settings.result_dir.iterdir()) == []
    assert len(ended) == 10


def seal(session, city, at: datetime) -> None:
    who = city.actor("Adam").person_id
    session.add(
        Seal(
            target_kind="file",
            target_key="0" * 64,
            digest="0" * 64,
            reason="涉密",
            state=SealState.DONE,
            asked_by_id=who,
            asked_at=at,
            decided_by_id=city.actor("Ines").person_id,
            decided_at=at,
        )
    )
    session.flush()


def test_what_a_seal_could_not_finish_is_owed_until_it_is_made_good(tmp_path: Path, session, city) -> None:
    settings, now = load_settings(data_dir=tmp_path), datetime.now(UTC)
    settings.result_dir.mkdir()
    document = settings.result_dir / "a"

    document.write_bytes(b"a document")
    sealing.make_good(session, settings)
    assert document.exists()

    seal(session, city, now - timedelta(hours=1))  # the program ended right after this was written
    assert sealing.is_owed(session, settings)
    session.commit()
    sealing.make_good(session, settings)
    assert not document.exists()
    assert not sealing.is_owed(session, settings)

    document.write_bytes(b"another document")
    sealing.make_good(session, settings)
    assert document.exists()


def test_a_seal_that_fails_half_way_is_owed(tmp_path: Path, session, city) -> None:
    settings, now = load_settings(data_dir=tmp_path), datetime.now(UTC)
    settings.result_dir.write_bytes(b"a file where a folder should be")
    seal(session, city, now - timedelta(hours=1))
    settings.section_dir.mkdir()
    (settings.section_dir / "sections-1").write_bytes(b"the same here")

    with pytest.raises(OSError, match="sections-1"):
        sealing.destroy([], settings)
    assert sealing.is_owed(session, settings)


def test_every_machine_takes_away_what_was_sealed_at_another_one_and_once(tmp_path: Path, session, city) -> None:
    here, there = (load_settings(data_dir=tmp_path / name) for name in ("here", "there"))
    for settings in (here, there):
        settings.result_dir.mkdir(parents=True)
        settings.section_dir.mkdir()
        sealing.keep_up(session, settings)  # nothing was ever sealed
    section, document = there.section_dir / "sections-1", there.result_dir / "a"
    section.mkdir()
    document.write_bytes(b"a document")
    sealing.keep_up(session, there)
    assert document.exists()

    seal(session, city, datetime.now(UTC))
    session.commit()
    sealing.destroy([], here)
    sealing.carried_out(session, here)
    sealing.keep_up(session, there)
    assert not document.exists()
    assert not section.exists()

    for settings in (here, there):
        since = sealing.generation(settings)
        (settings.result_dir / "b").write_bytes(b"made since")
        sealing.keep_up(session, settings)
        assert (settings.result_dir / "b").exists()
        sealing.check_generation(settings, since)


def test_two_seals_at_once_of_which_one_was_not_carried_out_are_looked_at_again(tmp_path: Path, session, city) -> None:
    settings = load_settings(data_dir=tmp_path)
    settings.result_dir.mkdir()
    for _ in range(2):
        seal(session, city, datetime.now(UTC))
    session.commit()
    sealing.destroy([], settings)
    sealing.carried_out(session, settings)  # of one of them
    (settings.result_dir / "b").write_bytes(b"made since")
    sealing.keep_up(session, settings)
    assert not (settings.result_dir / "b").exists()
