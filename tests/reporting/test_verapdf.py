"""The validator that other tests lean on finds faults where there are some."""

from __future__ import annotations

import pikepdf
import pytest

from tests import verapdf
from tests.reporting.volumes import volume


def test_a_plain_pdf_is_no_pdf_a(tmp_path):
    with pikepdf.new() as book:
        book.add_blank_page()
        book.save(tmp_path / "plain.pdf")
    rules = {failure.partition(":")[0] for failure in verapdf.validate(tmp_path / "plain.pdf")}
    assert {"6.6.2.1-1", "6.7.2.2-1"} <= rules  # no metadata, no structure


@pytest.mark.parametrize("gone", ["/OutputIntents", "/StructTreeRoot", "/MarkInfo", "/Metadata"])
def test_what_is_taken_away_is_missed(gone: str, tmp_path):
    with pikepdf.open(volume().book) as book:
        del book.Root[gone]
        book.save(tmp_path / "less.pdf")
    assert verapdf.validate(tmp_path / "less.pdf") != []


def test_a_font_without_its_file_is_found(tmp_path):
    with pikepdf.open(volume().book) as book:
        for thing in book.objects:
            if isinstance(thing, pikepdf.Dictionary) and "/FontFile2" in thing:
                del thing.FontFile2
        book.save(tmp_path / "less.pdf")
    assert any(failure.startswith("6.2.11.4") for failure in verapdf.validate(tmp_path / "less.pdf"))


def test_each_level_asks_for_its_own(tmp_path):
    with pikepdf.open(volume().book) as book:
        del book.Root.MarkInfo
        book.save(tmp_path / "untagged.pdf")
    assert verapdf.validate(tmp_path / "untagged.pdf", "3a") != []


def test_what_is_no_pdf_is_an_error(tmp_path):
    (tmp_path / "nothing.pdf").write_bytes(b"nothing")
    with pytest.raises(AssertionError, match="could not read"):
        verapdf.validate(tmp_path / "nothing.pdf")
