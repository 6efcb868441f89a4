"""Traits of files: made once, a few at a time, in a child process; a cache that a seal empties."""

from io import BytesIO

import pikepdf
import pytest
from sqlalchemy import delete, select

from tests.city import NOW
from tests.storage.cabinet import EVERY_KIND, PICTURES
from tracker.config import load_settings
from tracker.domain.hints import bands
from tracker.models import FileTrait, StoredFile
from tracker.services.file_traits import Traits, forget, keep, without_traits
from tracker.storage import child, samples
from tracker.storage.blobs import BlobStore
from tracker.storage.refusal import Refused
from tracker.tasks import traits
from tracker.tasks.traits import make_traits


@pytest.fixture
def settings(tmp_path):
    return load_settings(data_dir=tmp_path)


@pytest.fixture
def add(session, settings):
    """Put bytes in the store and name them in a row."""
    store = BlobStore(settings.store_dir)

    def add(content, kind, **facts):
        blob = store.put([content])
        row = StoredFile(
            sha256=blob.sha256, size=blob.size, media_type="", facts={"kind": kind, **facts}, stored_at=NOW
        )
        session.add(row)
        session.commit()
        return row

    return add


def made(session, file):
    session.expire_all()
    return session.scalars(select(FileTrait).where(FileTrait.stored_file_id == file.id)).one()


def make(session, settings, **how):
    return make_traits(session.connection(), settings, now=NOW, **how)


def test_every_kind_of_file_gets_its_traits(session, settings, add):
    files = {kind: add(content(), kind) for kind, content in EVERY_KIND.items()}
    assert make(session, settings) == len(files)
    for kind, file in files.items():
        row = made(session, file)
        assert (row.picture is not None) is (kind in PICTURES), kind
        parts = bands(row.picture) if row.picture else (None,) * 5
        assert (row.band_1, row.band_2, row.band_3, row.band_4, row.band_5) == parts
        if kind in PICTURES or kind == "pdf":  # the sample PDF looks scanned: nothing can be read in it
            assert row.characters is None
        else:
            assert row.characters > 10, kind


def test_it_is_made_once_and_a_few_at_a_time(session, settings, add):
    files = [add(samples.sample_txt([f"第{number}份"]), "txt") for number in range(3)]
    assert [make(session, settings, limit=2), make(session, settings, limit=2), make(session, settings)] == [2, 1, 0]
    assert made(session, files[0]).characters == 3


def test_the_day_of_the_camera_comes_from_what_was_found_at_intake(session, settings, add):
    file = add(samples.sample_jpeg(1), "jpeg", taken_on="2026-02-03")
    make(session, settings)
    assert made(session, file).taken_on.isoformat() == "2026-02-03"


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff broken", b"%PDF-1.7 broken"])
@pytest.mark.parametrize("kind", ["jpeg", "pdf", "docx", "unknown"])
def test_a_file_that_cannot_be_read_gets_empty_traits_and_is_not_tried_again(session, settings, add, content, kind):
    file = add(content, kind)
    assert make(session, settings) == 1
    row = made(session, file)
    assert (row.picture, row.characters) == (None, None)
    assert make(session, settings) == 0


def test_what_is_gone_from_the_store_stops_nothing(session, settings, add):
    file = add(b"gone", "txt")
    BlobStore(settings.store_dir).destroy(file.sha256)
    assert make(session, settings) == 1
    assert made(session, file).characters is None


def test_a_fault_of_the_disk_is_tried_again(session, settings, add, monkeypatch):
    add(samples.sample_txt(["一行"]), "txt")
    with monkeypatch.context() as patched:
        patched.setattr(traits, "_traits", lambda *_: (_ for _ in ()).throw(OSError("full")))
        assert make(session, settings) == 0
    assert make(session, settings) == 1


def test_a_sealed_file_has_no_traits_and_gets_none(session, settings, add):
    file = add(samples.sample_jpeg(1), "jpeg")
    make(session, settings)
    forget(session, file.id)
    file.sealed_at = NOW
    session.commit()
    assert list(without_traits(session, limit=5)) == []
    keep(session, file.id, Traits(picture="0" * 16), now=NOW)
    assert session.scalars(select(FileTrait)).all() == []


def test_two_workers_at_once_make_one_row(session, settings, add):
    file = add(samples.sample_txt(["一行"]), "txt")
    keep(session, file.id, Traits(characters=2), now=NOW)
    keep(session, file.id, Traits(characters=2), now=NOW)
    assert made(session, file).characters == 2
    session.execute(delete(FileTrait))
    session.commit()
    assert make(session, settings) == 1, "it is a cache: it can be thrown away"


def test_empty_and_scanned_documents_are_told_apart(tmp_path):
    def characters(content, kind):
        path = tmp_path / f"file.{kind}"
        path.write_bytes(content)
        return child.run("traits", str(path), kind)["characters"]

    assert characters(samples.sample_docx("", []), "docx") == 0
    assert characters(samples.sample_docx("标题", ["一 二 三"]), "docx") == 5
    assert characters(samples.sample_pdf("标题", ["正文"]), "pdf") is None
    assert characters(_blank_pdf(), "pdf") == 0
    assert characters(b" \n\t", "txt") == 0
    assert characters("一行字".encode("gb18030"), "txt") == 3


def _blank_pdf():
    target = BytesIO()
    with pikepdf.new() as pdf:
        pdf.add_blank_page()
        pdf.save(target)
    return target.getvalue()


def test_the_program_that_reads_hostile_files_refuses_what_it_cannot_read(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"no picture")
    with pytest.raises(Refused):
        child.run("traits", str(path), "png")
