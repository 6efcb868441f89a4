"""Embedded files: every byte, once, with what a reader is told of them; and the digest of the file within itself."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pikepdf
import pytest

from tests import verapdf
from tests.reporting.printed import Printed
from tests.reporting.volumes import MOMENT, Volume, volume
from tracker.config import CHECKOUT
from tracker.reporting.embed import Embedded
from tracker.reporting.finishing import Identity, finish
from tracker.reporting.stamp import StampedPage, Stamps, make_stamps

IDENTITY = Identity(packet="DC-2026-0012", volume=2, manifest_sha256="cd" * 32)
MANIFEST = Embedded(
    name="manifest.json",
    content=b'{"form":"tracker/packet-manifest/1"}' * 200,
    media_type="application/json",
    relationship="Data",
    description="清单",
    modified=MOMENT,
)


@pytest.fixture(scope="module")
def made() -> Volume:
    return volume()


@pytest.fixture(scope="module")
def stamps(made: Volume) -> Stamps:
    with pikepdf.open(made.book) as book:
        sizes = [(float(page.mediabox[2]), float(page.mediabox[3])) for page in book.pages]
    pages = [
        StampedPage(width=width, height=height, left="", right="", number=place, total=len(sizes), code="1A2B")
        for place, (width, height) in enumerate(sizes, 1)
    ]
    return make_stamps(pages, packet=IDENTITY.packet, fonts=made.fonts, translate=str)


@pytest.fixture(scope="module")
def files(made: Volume) -> list[Embedded]:
    path = made.folder / "evidence.bin"
    path.write_bytes(os.urandom(3_000_000) + b"endstream endobj\n%%EOF\n")
    evidence = replace(
        MANIFEST,
        name="2026.LY-01.3-1.bin",
        content=path,
        media_type="application/octet-stream",
        relationship="Source",
        description="会议记录.bin",
    )
    return [MANIFEST, evidence, replace(MANIFEST, name="empty.txt", content=b"", media_type="text/plain")]


@pytest.fixture(scope="module")
def finished(made: Volume, stamps: Stamps, files: list[Embedded]) -> Path:
    finish(made.book, made.folder / "embedded.pdf", stamps=stamps, files=files, identity=IDENTITY)
    return made.folder / "embedded.pdf"


def content_of(file: Embedded) -> bytes:
    return file.content if isinstance(file.content, bytes) else file.content.read_bytes()


def test_a_volume_with_files_is_a_pdf_a(finished):
    assert verapdf.validate(finished) == []
    assert "No syntax or stream encoding errors" in Printed(finished).check()


def test_every_file_comes_out_as_it_went_in(finished, files, tmp_path):
    subprocess.run(["pdfdetach", "-saveall", "-o", tmp_path, finished], check=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        file.name: content_of(file) for file in files
    }


def test_a_reader_is_told_what_each_file_is(finished, files):
    with pikepdf.open(finished) as book:
        names = book.Root.Names.EmbeddedFiles.Names.as_list()
        assert [str(name) for name in names[::2]] == sorted(file.name for file in files)
        assert [spec.objgen for spec in book.Root.AF.as_list()] == [spec.objgen for spec in names[1::2]]
        evidence = names[1]
        assert (str(evidence.UF), str(evidence.Desc)) == ("2026.LY-01.3-1.bin", "会议记录.bin")
        assert evidence.AFRelationship == "/Source"
        stream = evidence.EF.F
        content = content_of(files[1])
        assert stream.Subtype == "/application/octet-stream"
        assert int(stream.Params.Size) == len(content)
        assert bytes(stream.Params.CheckSum) == hashlib.md5(content).digest()
        assert str(stream.Params.ModDate) == "D:20261120093005+00'00'"


def test_only_text_is_made_smaller(finished, files):
    with pikepdf.open(finished) as book:
        specs = {str(spec.F): spec for spec in book.Root.AF.as_list()}
        assert len(specs["manifest.json"].EF.F.read_raw_bytes()) < len(content_of(MANIFEST)) / 10
        assert len(specs["2026.LY-01.3-1.bin"].EF.F.read_raw_bytes()) >= len(content_of(files[1]))


def test_two_files_of_one_name_are_refused(made, stamps, tmp_path):
    with pytest.raises(ValueError, match="same name"):
        finish(made.book, tmp_path / "x.pdf", stamps=stamps, files=[MANIFEST, MANIFEST], identity=IDENTITY)


def test_the_file_bears_its_own_digest(made, stamps, files, finished, tmp_path):
    digest = finish(made.book, tmp_path / "again.pdf", stamps=stamps, files=files, identity=IDENTITY)
    content = (tmp_path / "again.pdf").read_bytes()
    assert content == finished.read_bytes()
    assert content.endswith(b"%%EOF\n")
    assert content.count(b"%%EOF") == 1 + 1  # one stands in a file that lies within
    assert hashlib.sha256(content.replace(digest.encode(), b"0" * 64)).hexdigest() == digest
    with pikepdf.open(finished) as book:
        told = {name: str(book.trailer["/" + name]) for name in ("TrkPacket", "TrkVolume", "TrkManifest", "TrkDigest")}
    assert told == {
        "TrkPacket": "DC-2026-0012",
        "TrkVolume": "2",
        "TrkManifest": "cd" * 32,
        "TrkDigest": digest,
    }


PEAK = """
import resource, sys
from pathlib import Path
from tests.reporting.volumes import MOMENT
from tracker.reporting.carrier import write_empty
from tracker.reporting.embed import Attachments, Embedded
names = [f"{number}.bin" for number in range(12)]
files = [Embedded(name=name, content=Path(sys.argv[1]), media_type="image/jpeg", relationship="Source",
                  description="", modified=MOMENT) for name in names]
write_empty(Path(sys.argv[2]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
Attachments(files).add_to(Path(sys.argv[2]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_files_are_not_held_in_memory(tmp_path):
    (tmp_path / "large.bin").write_bytes(os.urandom(1_000_000) * 10)
    command = [sys.executable, "-c", PEAK, tmp_path / "large.bin", tmp_path / "all.pdf"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert (tmp_path / "all.pdf").stat().st_size > 120_000_000
    assert int(done.stdout) * 1024 < 40_000_000
