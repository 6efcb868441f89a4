"""Packets from end to end: real files and databases in, PDFs out that other programs read and check."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pikepdf
import pytest
from sqlalchemy import create_engine

from tests import verapdf
from tests.city import NOW
from tests.prepared import lend
from tests.tasks.packet_scene import HOSTILE, Installed, install
from tracker.config import CHECKOUT, Settings, load_settings
from tracker.db import engine_options
from tracker.domain.packet import WHY_NOT_SHOWN
from tracker.domain.packet_check.bundle import verifier_source
from tracker.domain.packet_check.check import check_packet
from tracker.models import Base
from tracker.reporting.demo_keys import make_demo_authority
from tracker.reporting.fonts import FontSet
from tracker.storage.blobs import BlobStore
from tracker.tasks.copying import copy_rows, reading
from tracker.tasks.packet_verification import verify
from tracker.tasks.packets import (
    Made,
    Workshop,
    book_values,
    check_values,
    make_all,
    quarter_values,
)

AS_OF = NOW + timedelta(hours=1)


def nothing(*_: object) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class Press:
    """Packets of an installation, made once each and kept for the tests that read them."""

    installed: Installed
    folder: Path

    def make(self, name: str, values_of: Callable[..., object], *, settings: Settings | None = None, **which) -> Made:
        """Make a packet, or return it if it is there."""
        with self.installed.session() as session:
            values = values_of(session, **({"language": "zh", "as_of": AS_OF} | which))
        return make(values, self.folder / f"{name}.pdf", settings or self.installed.settings)


def make(values, target: Path, settings: Settings) -> Made:
    """Make a packet with an installation's settings."""
    with Workshop(settings, language=values.facts.language, now=datetime.now(UTC)) as workshop:
        return workshop.make(values, target, nothing)


@dataclass(frozen=True)
class Trap:
    """A server that nobody should call, a file that nobody should read, and markup that asks for both."""

    server: socket.socket
    file: Path

    @property
    def markup(self) -> str:
        """What a record says."""
        address = f"http://127.0.0.1:{self.server.getsockname()[1]}/"
        return f"<img src='{address}'><link rel=attachment href='file://{self.file}'>{{{{ 7*7 }}}}"


@pytest.fixture(scope="module")
def trap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trap]:
    """A trap that stands from before the installation is made."""
    file = tmp_path_factory.mktemp("t") / "p.txt"
    file.write_text("planted")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        yield Trap(server, file)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, prepared_fonts: FontSet, trap: Trap) -> Iterator[Installed]:
    """An installation without a key."""
    made = install(tmp_path_factory.mktemp("installed"), prepared_fonts, sentence=trap.markup)
    yield made
    made.engine.dispose()


@pytest.fixture(scope="module")
def press(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Press:
    """The press of that installation."""
    return Press(installed, tmp_path_factory.mktemp("packets"))


@pytest.fixture(scope="module")
def signing(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The settings of the same installation with a key to sign with, and with SM3 beside SHA-256."""
    keys = make_demo_authority(tmp_path_factory.mktemp("keys"), now=datetime.now(UTC) - timedelta(days=1))
    return load_settings(
        data_dir=installed.settings.data_dir,
        signing_key=keys.key,
        signing_passphrase=keys.passphrase.read_text().strip(),
        trusted_certificates=keys.root,
        packet_sm3=True,
    )


@pytest.fixture(scope="module")
def whole(press: Press) -> Path:
    """The packet of the whole check, unsigned."""
    [path] = press.make("whole", check_values, number=1, unit=None).files
    return path


@pytest.fixture(scope="module")
def signed(press: Press, signing: Settings) -> Path:
    """A packet of few pages, signed, with SM3: of the check before the hostile files were handed in."""
    [path] = press.make("signed", check_values, settings=signing, number=1, unit="D1", as_of=NOW).files
    return path


@pytest.fixture(scope="module")
def small(press: Press) -> Path:
    """A packet of few pages, unsigned."""
    [path] = press.make("small", check_values, number=1, unit="D1", as_of=NOW).files
    return path


@pytest.fixture(scope="module")
def quarter(press: Press) -> Path:
    """The volume of a quarter."""
    [path] = press.make("quarter", quarter_values, unit="D1", year=2026, quarter=2).files
    return path


@pytest.fixture(scope="module")
def book(press: Press) -> Path:
    """The book of the check, in English."""
    [path] = press.make("book", book_values, number=1, language="en").files
    return path


def taken_out(path: Path, folder: Path) -> Path:
    """Everything that another program takes out of a PDF."""
    folder.mkdir()
    subprocess.run(["pdfdetach", "-saveall", "-o", folder, path], check=True, capture_output=True)
    return folder


def embedded_in(path: Path) -> dict[str, bytes]:
    """Everything that is embedded in a PDF, by name."""
    with pikepdf.open(path) as pdf:
        return {name: spec.get_file().read_bytes() for name, spec in pdf.attachments.items()}


def manifest_of(path: Path) -> dict[str, object]:
    """The manifest in a packet."""
    return json.loads(embedded_in(path)["manifest.json"])


def text_of(path: Path, *pages: int, how: str = "-nopgbrk") -> str:
    """The text of a PDF, or of some pages of it, as another program reads it."""
    chosen = ["-f", str(pages[0]), "-l", str(pages[-1])] if pages else []
    return subprocess.run(["pdftotext", how, *chosen, path, "-"], check=True, capture_output=True, text=True).stdout


# ---------------------------------------------------------------- what lies in it


def test_every_file_of_every_record_lies_in_it_byte_for_byte(installed, whole, tmp_path):
    folder = taken_out(whole, tmp_path / "out")
    done = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=folder, capture_output=True, text=True, check=True)
    assert all(line.endswith(": OK") for line in done.stdout.splitlines())

    store = BlobStore(installed.settings.store_dir)
    files = [file for record in manifest_of(whole)["evidence"] for file in record["files"]]
    assert len(files) >= 24
    for file in files:
        if file["state"] == "embedded":
            assert (folder / file["file"]).read_bytes() == store.path(file["sha256"]).read_bytes()
        else:
            assert file["file"] is None


def test_nothing_lies_in_it_that_the_manifest_does_not_name(whole, tmp_path):
    names = {path.name for path in taken_out(whole, tmp_path / "out").iterdir()}
    listed = {file["name"] for file in manifest_of(whole)["files"]}

    assert names == listed | {"manifest.json", "SHA256SUMS"}
    assert {"checklist.yaml", "log-D1.jsonl", "verify_packet.py"} <= listed


def test_a_setting_puts_sm3_beside_sha256(signed, tmp_path):
    folder = taken_out(signed, tmp_path / "out")
    sums = dict(reversed(line.split("  ")) for line in (folder / "SM3SUMS").read_text().splitlines())

    assert sums.keys() == {path.name for path in folder.iterdir()} - {"SHA256SUMS", "SM3SUMS"}
    for name, expected in sums.items():
        assert hashlib.new("sm3", (folder / name).read_bytes()).hexdigest() == expected


def test_what_cannot_be_shown_says_so_on_its_page_and_in_the_manifest(whole):
    manifest = manifest_of(whole)
    [record] = [each for each in manifest["evidence"] if any(file["name"] in HOSTILE for file in each["files"])]
    said = {entry["file"]: entry["why"] for entry in manifest["not_shown"] if entry["evidence"] == record["key"]}
    text = "".join(text_of(whole).split())

    for number, (name, (_, _, why)) in enumerate(HOSTILE.items(), start=1):
        assert said.get(number, "") == why, name
        pages = record["files"][number - 1]["pages"]
        assert (pages is None) == (why not in {"", "too_many_pages"}), name
        assert not why or "".join(WHY_NOT_SHOWN[why].split()) in text


def test_each_page_of_a_file_is_stamped_with_record_file_and_page(whole):
    [record] = [each for each in manifest_of(whole)["evidence"] if any(f["name"] == "脚本.pdf" for f in each["files"])]
    number = next(n for n, file in enumerate(record["files"], start=1) if file["name"] == "脚本.pdf")
    [first, last] = record["files"][number - 1]["pages"]

    assert first == last
    assert f"佐证 {record['key']}" in text_of(whole, first)
    assert f"文件{number}" in text_of(whole, first)


def test_the_pages_are_numbered_through_the_whole_packet(whole):
    pages = len(manifest_of(whole)["pages"])

    info = subprocess.run(["pdfinfo", whole], check=True, capture_output=True, text=True).stdout
    assert f"Pages:           {pages}" in info
    for page in (2, 3, pages // 2, pages):
        text = "".join(text_of(whole, page).split())
        assert f"—{page}—" in text
        assert f"第{page}页共{pages}页" in text


def test_the_contents_name_the_page_on_which_each_part_begins(small):
    contents = [line.split() for line in text_of(small, 2, 3, how="-layout").splitlines()]
    keys = {record["key"] for record in manifest_of(small)["evidence"]}
    begins = {}
    for page in manifest_of(small)["pages"]:
        begins.setdefault(page["part"], page["page"])
    records = {words[0]: int(words[-1]) for words in contents if words and words[0] in keys}

    assert records == {part.removeprefix("evidence-"): page for part, page in begins.items() if "evidence" in part}


def test_the_check_code_of_a_page_is_printed_on_it(whole):
    for page in manifest_of(whole)["pages"][::25]:
        code = page["content"][:16].upper()
        assert " ".join(code[n : n + 4] for n in range(0, 16, 4)) in text_of(whole, page["page"])


def test_nothing_that_a_record_says_is_fetched_or_read(whole, trap):
    """Every packet of this file was made of a record whose markup names the trap's server and its file."""
    with pytest.raises(TimeoutError):
        trap.server.accept()
    text = "".join(text_of(whole).split())
    assert "".join(trap.markup.split()) in text
    assert "planted" not in text
    assert trap.file.name not in {file["name"] for file in manifest_of(whole)["files"]}
    assert not any(b"planted" in data for data in embedded_in(whole).values())


# ---------------------------------------------------------------- other programs


@pytest.mark.parametrize("name", ["whole", "signed", "quarter", "book"])
def test_it_is_what_an_archive_keeps(name, request):
    path = request.getfixturevalue(name)

    assert verapdf.validate(path, flavour="3a") == []
    assert subprocess.run(["qpdf", "--check", path], capture_output=True, check=False).returncode == 0
    fonts = subprocess.run(["pdffonts", path], check=True, capture_output=True, text=True).stdout.splitlines()[2:]
    assert fonts
    assert all("Type 3" not in line and line.split()[-5] == "yes" for line in fonts)


def test_another_program_finds_the_signature_valid(signed):
    said = subprocess.run(["pdfsig", "-nocert", signed], capture_output=True, text=True, check=False).stdout

    assert "Signature is Valid" in said
    assert "Total document signed" in said


# ---------------------------------------------------------------- the verifier


@pytest.mark.parametrize("name", ["whole", "signed", "quarter", "book"])
def test_the_checker_that_lies_in_it_passes_it_without_any_package(name, request, tmp_path):
    path = request.getfixturevalue(name)
    folder = taken_out(path, tmp_path / "out")
    assert (folder / "verify_packet.py").read_bytes() == verifier_source()

    command = ["/usr/bin/python3", "-I", "-S", folder / "verify_packet.py", "--json", path]
    done = subprocess.run(command, env={}, cwd=tmp_path, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["passed"]


def test_a_signed_packet_is_passed_with_its_certificate(signed, signing):
    result = verify([signed], trusted=signing.trusted_certificates, now=datetime.now(UTC))
    [validity] = [check for check in result.checks() if check.key == "validity"]

    assert (result.passed, result.signed, validity.outcome) == (True, True, "passed")


def test_an_unsigned_packet_is_said_to_protect_against_accidents_only(small):
    result = verify([small], trusted=None, now=datetime.now(UTC))

    assert result.passed
    assert "不能防伪造" in str(result.headline)
    assert "没有电子签名" in text_of(small)


def damaged(content: bytes, chance: random.Random) -> bytes:
    """The bytes with something flipped, deleted, inserted or swapped at a random place."""
    place, other = sorted(chance.sample(range(len(content)), 2))
    length = chance.choice([1, 1, 2, 7, 64])
    other = max(other, place + length)
    piece, swapped = content[place : place + length], content[other : other + length]
    return {
        "flip": content[:place] + bytes([content[place] ^ (1 << chance.randrange(8))]) + content[place + 1 :],
        "delete": content[:place] + content[place + length :],
        "insert": content[:place] + chance.randbytes(length) + content[place:],
        "swap": content[:place] + swapped + content[place + length : other] + piece + content[other + length :],
    }[chance.choice(["flip", "delete", "insert", "swap"])]


@pytest.mark.parametrize("name", ["small", "signed"])
def test_damage_at_three_hundred_random_places_is_always_found(name, request, tmp_path, signing):
    original = request.getfixturevalue(name).read_bytes()
    chance, path, missed = random.Random(20260520), tmp_path / "damaged.pdf", []
    trusted = signing.trusted_certificates if name == "signed" else None
    for number in range(300):
        content = damaged(original, chance)
        if content == original:
            continue
        path.write_bytes(content)
        if verify([path], trusted=trusted, now=datetime.now(UTC)).passed:
            missed.append(number)

    assert missed == []


# ---------------------------------------------------------------- same state, same bytes


def test_the_same_state_gives_the_same_bytes_on_other_machines_and_databases(
    installed, whole, prepared_fonts, postgresql_url, tmp_path
):
    """The rows are copied into PostgreSQL, the files into another folder, and nothing of the cache comes along."""
    with another_database(postgresql_url) as url:
        elsewhere = load_settings(data_dir=tmp_path / "elsewhere", database_url=url)
        lend(prepared_fonts, elsewhere.data_dir)
        shutil.copytree(installed.settings.store_dir, elsewhere.store_dir)
        engine = create_engine(elsewhere.database, **engine_options(elsewhere.database))
        Base.metadata.create_all(engine)
        with reading(installed.engine) as rows:
            copy_rows(rows, engine, progress=lambda *_: None)
        [path] = Press(Installed(elsewhere, engine), tmp_path).make("whole", check_values, number=1, unit=None).files
        engine.dispose()

    assert path.read_bytes() == whole.read_bytes()


@contextmanager
def another_database(url: str) -> Iterator[str]:
    """A database of its own on the same server, as long as the block."""
    server = create_engine(url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.exec_driver_sql("CREATE DATABASE copied")
    try:
        yield url.rpartition("/")[0] + "/copied"
    finally:
        with server.connect() as connection:
            connection.exec_driver_sql("DROP DATABASE copied WITH (FORCE)")
        server.dispose()


# ---------------------------------------------------------------- volumes


def test_a_packet_that_is_too_large_becomes_volumes_with_one_manifest(press, installed, tmp_path):
    small = load_settings(data_dir=installed.settings.data_dir, packet_limit=400_000)
    made = press.make("volumes", check_values, settings=small, number=1, unit=None)

    assert len(made.files) > 1
    assert len({hashlib.sha256(json.dumps(manifest_of(path)).encode()).hexdigest() for path in made.files}) == 1
    assert check_packet(made.files).passed
    assert check_packet(list(reversed(made.files))).passed
    alone = check_packet(made.files[1:2])
    assert (alone.outcome, alone.faults) == ("incomplete", 0)
    assert f"{len(made.files)} 册中的 1 册" in str(alone.headline)
    assert verapdf.validate(made.files[1], flavour="3a") == []
    for number, path in enumerate(made.files):
        folder = taken_out(path, tmp_path / f"out{number}")
        subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=folder, check=True)
        biggest = max(file.stat().st_size for file in folder.iterdir())
        assert path.stat().st_size < max(small.packet_limit, biggest) + 700_000


def test_all_packets_and_the_book_are_made_and_what_is_there_is_kept(installed, tmp_path):
    with installed.session() as session, Workshop(installed.settings, language="zh", now=NOW) as workshop:
        arguments = {"number": 1, "as_of": AS_OF, "folder": tmp_path, "progress": nothing}
        made = list(make_all(session, workshop, **arguments))
        times = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.pdf")}
        again = list(make_all(session, workshop, **arguments))

    assert [each.number.split("-")[2] for each in made] == ["D1", "_book"]
    assert again == [(path,) for path in sorted(times, key=lambda path: "_book" in path.name)]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.pdf")} == times
    assert all(check_packet(each.files).passed for each in made)


# ---------------------------------------------------------------- interrupted


MAKER = """
import sys
from datetime import datetime
from pathlib import Path
from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from tracker.config import load_settings
from tracker.db import engine_options, prepare
from tracker.tasks.packets import Workshop, check_values

def main():
    settings = load_settings(data_dir=Path(sys.argv[1]))
    engine = create_engine(settings.database, **engine_options(settings.database))
    prepare(engine)
    as_of = datetime.fromisoformat(sys.argv[2])
    with Session(engine) as session:
        values = check_values(session, number=1, unit=None, as_of=as_of, language="zh")
    with Workshop(settings, language="zh", now=as_of) as workshop:
        workshop.make(values, Path(sys.argv[3]), lambda step, done, total: print(step, done, total, flush=True))

if __name__ == "__main__":
    main()
"""


def test_after_a_kill_the_next_run_goes_on_with_what_was_finished(installed, whole, prepared_fonts, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(installed.settings.data_dir, data, symlinks=True, ignore=shutil.ignore_patterns("sections"))
    settings = load_settings(data_dir=data)
    command = [sys.executable, "-c", MAKER, data, AS_OF.isoformat(), tmp_path / "packet.pdf"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT, start_new_session=True) as process:
        for line in process.stdout or ():
            step, done, _ = line.split()
            if step == "print" and int(done) >= 4:
                os.killpg(process.pid, signal.SIGKILL)
                break
    finished = {path: path.stat().st_ino for path in settings.section_dir.rglob("*.pdf")}
    assert len(finished) >= 4
    assert not (tmp_path / "packet.pdf").exists()

    subprocess.run(command, check=True, capture_output=True, cwd=CHECKOUT)
    assert (tmp_path / "packet.pdf").read_bytes() == whole.read_bytes()
    assert {path: path.stat().st_ino for path in finished} == finished
    assert list(settings.result_dir.iterdir()) == []
    assert [path.name for path in tmp_path.iterdir() if path != data] == ["packet.pdf"]
