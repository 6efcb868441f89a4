"""What a seal destroys beside the rows: the bytes of sealed files, and everything that was ever made of evidence."""

from __future__ import annotations

import shutil
from collections.abc import Iterable

from tracker.config import Settings
from tracker.reporting import press
from tracker.storage import sheets
from tracker.storage.blobs import BlobStore
from tracker.storage.preview import Previews


def destroy(digests: Iterable[str], settings: Settings) -> None:
    """Remove the bytes of sealed files with their pictures, and what may show a sealed text. Once more does no harm.

    Laid-out sections and finished documents go all of them: they are made anew when somebody asks for them.
    """
    store = BlobStore(settings.store_dir)
    previews = Previews(settings.preview_dir, store)
    for digest in digests:
        store.destroy(digest)
        previews.forget(digest)
        sheets.forget(settings.section_dir, digest)
    press.clear(settings.section_dir)
    for path in settings.result_dir.glob("*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
