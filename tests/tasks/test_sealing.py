"""What a seal destroys beside the rows."""

from __future__ import annotations

from pathlib import Path

from tracker.config import load_settings
from tracker.storage import samples
from tracker.storage.blobs import BlobStore
from tracker.storage.preview import Previews
from tracker.storage.sheets import SheetJob, draw_sheets
from tracker.tasks import sealing


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
