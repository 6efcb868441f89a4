"""A signature adds itself and nothing else: the file stays the PDF 1.7 that PDF/A-3 is, described as it was."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pikepdf
import pytest

from tests import verapdf
from tests.authorities import PASSPHRASE, Authority
from tests.reporting.volumes import volume
from tracker.reporting.signature import load_signer, sign

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bound book, signed with a key on an elliptic curve."""
    folder = tmp_path_factory.mktemp("version")
    signer = load_signer(Authority(NOW).organ(folder / "organ.p12"), PASSPHRASE, now=NOW)
    target = folder / "signed.pdf"
    sign(volume().book, target, signer=signer, reason="督查卷", organization="机关", timestamp_url=None, now=NOW)
    return target


def test_a_signature_does_not_raise_the_version(signed: Path) -> None:
    with pikepdf.open(signed) as pdf:
        assert pdf.pdf_version == "1.7"
        assert "/Version" not in pdf.Root
        assert set(pdf.Root.Extensions.keys()) <= {"/Type", "/ESIC"}


def test_a_signature_leaves_the_description_as_it_was(signed: Path) -> None:
    with pikepdf.open(signed) as after, pikepdf.open(volume().book) as before:
        assert after.Root.Metadata.read_raw_bytes() == before.Root.Metadata.read_raw_bytes()
        assert dict(after.docinfo) == dict(before.docinfo)


def test_a_signed_book_is_archival(signed: Path) -> None:
    assert verapdf.validate(signed) == []
