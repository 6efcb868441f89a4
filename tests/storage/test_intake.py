"""Taking files in: what arrives safely, and the hostile list that does not."""

import contextlib
import hashlib
import io
import json
import struct
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import pikepdf
import pytest
from PIL import Image

from tests.storage.cabinet import EVERY_KIND
from tests.storage.test_antivirus import address_of, clamd
from tracker.domain.errors import Invalid, TooLarge
from tracker.domain.media import KINDS, Limits, kind_of
from tracker.storage import samples
from tracker.storage.blobs import BlobStore
from tracker.storage.inspect import facts_of
from tracker.storage.intake import take_in
from tracker.storage.parts import Check, StoreFull
from tracker.storage.refusal import Refused, as_rule_error

LIMITS = Limits()
PDF = EVERY_KIND["pdf"]()
DOCX = EVERY_KIND["docx"]()
JPEG = samples.sample_jpeg(3)


@pytest.fixture
def store(tmp_path):
    return BlobStore(tmp_path / "evidence")


@pytest.fixture
def hand_in(store):
    def hand_in(content, name, limits=LIMITS, **values):
        return take_in(io.BytesIO(content), name=name, store=store, limits=limits, **values)

    return hand_in


@pytest.fixture
def look(tmp_path):
    """Look into a file as the child does, without the child, and refuse it as the intake does."""

    def look(content, name, limits=LIMITS):
        path, kind = tmp_path / "file", kind_of(name)
        path.write_bytes(content)
        try:
            return facts_of(path, kind, limits)
        except Refused as refusal:
            raise as_rule_error(refusal.why, name=name, label=kind.label, values=refusal.values) from None

    return look


@contextlib.contextmanager
def refused(store, sentence, kind=Invalid):
    """The block raises a refusal that says so on the field of the files, and leaves nothing behind."""
    with pytest.raises(kind, match=sentence) as refusal:
        yield
    assert refusal.value.field == "files"
    assert list(store.digests()) == []
    assert list((store.root / "parts").iterdir()) == []


def zipped(parts, *, compress=zipfile.ZIP_DEFLATED):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", compress) as package:
        for name, content in parts.items():
            package.writestr(name, content)
    return target.getvalue()


def parts_of(package):
    with zipfile.ZipFile(io.BytesIO(package)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def png_that_says(width, height):
    def chunk(name, content):
        return struct.pack(">L", len(content)) + name + content + struct.pack(">L", zlib.crc32(name + content))

    head = struct.pack(">LLBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    )


def pdf_with(**values):
    target = io.BytesIO()
    with pikepdf.open(io.BytesIO(PDF)) as pdf:
        pdf.save(target, **values)
    return target.getvalue()


# --- what is accepted ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", list(KINDS))
def test_every_kind_is_taken_in_with_its_facts(code, store, hand_in):
    content = EVERY_KIND[code]()
    accepted = hand_in(content, f"记录.{KINDS[code].extensions[-1].upper()}")
    with store.open(accepted.sha256) as file:
        kept = file.read()
    assert hashlib.sha256(kept).hexdigest() == accepted.sha256
    assert accepted.size == len(kept) == len(content)
    assert accepted.media_type == KINDS[code].media_type
    assert accepted.facts["kind"] == code
    assert accepted.facts["scan"] == "not_scanned"
    assert json.loads(json.dumps(accepted.facts)) == accepted.facts
    assert (kept == content) != accepted.location_removed


def test_the_facts_of_each_family(hand_in):
    photo = hand_in(samples.sample_jpeg(3, gps=True), "a.jpg")
    assert photo.location_removed
    assert (photo.facts["width"], photo.facts["height"], photo.facts["taken_on"]) == (640, 480, "2026-03-05")
    assert hand_in(samples.sample_pdf("题", ["一"], pages=3), "a.pdf").facts["pages"] == 3
    assert hand_in(EVERY_KIND["xlsx"](), "a.xlsx").facts["sheets"] == 1
    assert hand_in(EVERY_KIND["pptx"](), "a.pptx").facts["slides"] == 1
    assert hand_in(EVERY_KIND["ofd"](), "a.ofd").facts["pages"] == 1
    assert hand_in(samples.sample_txt(["一", "二"], encoding="gb18030"), "a.txt").facts["encoding"] == "gb18030"


def test_the_digest_is_that_of_the_bytes_without_the_place(store, hand_in):
    accepted = hand_in(samples.sample_heic(3, gps=True), "a.heic")
    assert store.verify(accepted.sha256) is Check.OK
    assert list(store.digests()) == [accepted.sha256]


def test_the_same_file_under_two_names_is_kept_once(store, hand_in):
    assert hand_in(PDF, "一.pdf").sha256 == hand_in(PDF, "二.pdf").sha256
    assert len(list(store.digests())) == 1


def test_a_path_in_the_name_goes_nowhere(store, hand_in):
    accepted = hand_in(PDF, "../../../../tmp/记录.pdf")
    assert accepted.name == "记录.pdf"
    assert store.path(accepted.sha256).is_relative_to(store.root)


def test_a_pdf_that_only_forbids_printing_is_accepted(look):
    assert look(pdf_with(encryption=pikepdf.Encryption(owner="boss", user="")), "a.pdf")["pages"] == 1


def test_a_pdf_with_a_sloppy_table_of_contents_is_accepted(look):
    assert look(PDF.replace(b"startxref\n", b"startxref\n9"), "a.pdf")["pages"] == 1


def test_text_that_looks_like_a_table_or_a_program_is_text(look):
    for text in (b'{"a": 1}', b"a,b,c\r\n1,2,3\r\n", b"import os\ndef f():\n    pass\n", b"\xef\xbb\xbfabc"):
        assert look(text, "a.txt")["encoding"] == "utf-8"


# --- the hostile list ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["pdf", "jpg", "heic", "docx", "ofd", "txt"])
def test_an_empty_file_is_refused(ending, store, hand_in):
    with refused(store, "空文件"):
        hand_in(b"", f"a.{ending}")


@pytest.mark.parametrize("name", ["a\r\nSet-Cookie: x.pdf", "a\u202efdp.docx", "a\x00.pdf"])
def test_a_name_that_plays_tricks_is_refused(name, store, hand_in):
    with refused(store, "控制字符"):
        hand_in(PDF, name)


MISTAKEN = [
    ("pdf", "jpg"), ("jpeg", "png"), ("docx", "pdf"), ("pdf", "txt"), ("docx", "xlsx"), ("ofd", "docx"),
    ("docx", "ofd"), ("txt", "pdf"), ("jpeg", "heic"), ("xlsx", "jpg"), ("jpeg", "txt"), ("png", "webp"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "ending"), MISTAKEN, ids="-as-".join)
def test_a_file_under_the_wrong_extension_is_refused(code, ending, store, look):
    with refused(store, f"《记录.{ending}》.*(与扩展名不符|纯文本)"):
        look(EVERY_KIND[code](), f"记录.{ending}")


def test_the_sentence_for_a_wrong_extension_says_what_to_do(store, hand_in):
    with refused(store, "《记录.jpg》的内容不是“JPEG 图片”，与扩展名不符；请用原来的软件打开并另存"):
        hand_in(PDF, "记录.jpg")


HOSTILE = {
    "a web page as text": (b"<!DOCTYPE html><html><script>alert(1)</script>", "a.txt", "不是“纯文本”"),
    "a program as photo": (b"MZ" + bytes(5000), "a.jpg", "不是“JPEG"),
    "text with zeros": ("会议记录\0".encode() * 9, "a.txt", "不是"),
    "random bytes as text": (bytes(range(128, 256)) * 9, "a.txt", "不是"),
    "a zip behind a photo": (JPEG + zipped({"x.exe": "MZ"}), "a.jpg", "夹带"),
    "a zip behind a pdf": (PDF + zipped({"x.exe": "MZ"}), "a.pdf", "夹带"),
    "a document behind something": (b"#!/bin/sh\n" + DOCX, "a.docx", "不是“Word"),
    "half a photo": (JPEG[: len(JPEG) // 2], "a.jpg", "不完整"),
    "half a png": (samples.sample_png(3)[:1500], "a.png", "不完整"),
    "half a webp": (samples.sample_webp(3)[:300], "a.webp", "不完整"),
    "half a heic": (samples.sample_heic(3)[:4000], "a.heic", "不完整"),
    "half a pdf": (PDF[: len(PDF) // 2], "a.pdf", "不完整"),
    "half a document": (DOCX[: len(DOCX) // 2], "a.docx", "不完整"),
    "a pdf with a password": (pdf_with(encryption=pikepdf.Encryption(owner="a", user="b")), "a.pdf", "去掉密码"),
    "an old document": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(4096), "a.docx", "旧版格式"),
    "macros in a docx": (
        zipped({**parts_of(DOCX), "word/vbaProject.bin": b"macro"}),
        "a.docx",
        "《a.docx》含宏，请另存为不含宏的 Word 文档后再上传。",
    ),
    "a docm under another name": (
        zipped(
            {
                name: part.replace(
                    b"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main",
                    b"application/vnd.ms-word.document.macroEnabled.main",
                )
                for name, part in parts_of(DOCX).items()
            }
        ),
        "a.docx",
        "含宏",
    ),
    "a zip as document": (zipped({"readme.txt": "hello"}), "a.docx", "不是“Word"),
    "a document without its main part": (
        zipped({name: part for name, part in parts_of(DOCX).items() if name != "word/document.xml"}),
        "a.docx",
        "不是“Word",
    ),
    "entities in xml": (
        zipped({**parts_of(DOCX), "[Content_Types].xml": b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'}),
        "a.docx",
        "不完整",
    ),
    "an ofd without document": (zipped({"OFD.xml": parts_of(EVERY_KIND["ofd"]())["OFD.xml"]}), "a.ofd", "不是“OFD"),
}


@pytest.mark.parametrize("case", list(HOSTILE))
def test_hostile_content_is_refused_with_a_sentence_that_names_the_file(case, store, look):
    content, name, sentence = HOSTILE[case]
    with refused(store, f"《{name}》.*{sentence}|^{sentence}"):
        look(content, name)


@pytest.mark.parametrize("case", ["half a photo", "a zip behind a pdf", "a pdf with a password", "macros in a docx"])
def test_hostile_content_leaves_nothing_in_the_store(case, store, hand_in):
    content, name, sentence = HOSTILE[case]
    with refused(store, sentence):
        hand_in(content, name)


def test_a_picture_of_sixty_thousand_by_sixty_thousand_is_refused_before_it_is_decoded(store, look):
    with refused(store, "60000×60000 像素.*6000 万", TooLarge):
        look(png_that_says(60_000, 60_000), "a.png")


def test_a_bomb_is_refused(store, look):
    bomb = zipped({**parts_of(DOCX), "word/media/image1.bin": bytes(40 * 2**20)})
    assert len(bomb) < 100_000
    with refused(store, "解压后过大", TooLarge):
        look(bomb, "a.docx", Limits(unpacked_bytes=30 * 2**20))


def test_a_bomb_that_lies_about_its_size_is_refused(store, look):
    honest = zipped({**parts_of(DOCX), "word/media/image1.bin": bytes(2**20)})
    lying = honest.replace(struct.pack("<L", 2**20), struct.pack("<L", 100))
    assert lying != honest
    with refused(store, "不完整"):
        look(lying, "a.docx")


def test_too_many_parts_are_refused(store, look):
    with refused(store, "结构异常", TooLarge):
        look(zipped({**parts_of(DOCX), **{f"x{n}": "" for n in range(60)}}), "a.docx", Limits(members=50))


@pytest.mark.parametrize("name", ["../evil.xml", "/etc/passwd", "..\\evil.xml", "C:\\evil.xml"])
def test_a_part_that_wants_to_lie_elsewhere_is_refused(name, store, look):
    with refused(store, "结构异常", TooLarge):
        look(zipped({**parts_of(DOCX), name: "x"}), "a.docx")


def test_too_many_pages_are_refused(store, look):
    with refused(store, "共 3 页，超过 2 页", TooLarge):
        look(samples.sample_pdf("题", [], pages=3), "a.pdf", Limits(pages=2))


def test_a_pdf_without_pages_is_refused(store, look):
    target = io.BytesIO()
    pikepdf.new().save(target)
    with refused(store, "没有任何内容页"):
        look(target.getvalue(), "a.pdf")


def test_an_interlaced_bomb_of_text_in_a_png_does_no_harm(store, look):
    packed = b"Comment\0\0" + zlib.compress(bytes(60 * 2**20))
    chunk = struct.pack(">L", len(packed)) + b"zTXt" + packed + struct.pack(">L", zlib.crc32(b"zTXt" + packed))
    plain = samples.sample_png(3)
    with refused(store, "不完整"):
        look(plain[:33] + chunk + plain[33:], "a.png")


class Endless:
    """A stream that has no end and remembers how much was asked of it."""

    def __init__(self):
        self.given = 0

    def read(self, size):
        self.given += size
        return b"%PDF-1.7\n".ljust(size, b" ")


def test_a_stream_that_is_too_long_is_not_read_to_its_end(store):
    stream = Endless()
    with refused(store, "《长.pdf》超过 2 MB", TooLarge):
        take_in(stream, name="长.pdf", store=store, limits=Limits(file_bytes=2 * 2**20))
    assert stream.given <= 3 * 2**20


def test_exactly_the_limit_is_accepted(hand_in):
    assert hand_in(PDF, "a.pdf", Limits(file_bytes=len(PDF))).size == len(PDF)


def test_fifty_megabytes_of_text_pass_through_little_memory(store):
    class Fifty(Endless):
        def read(self, size):
            self.given += size
            return b"a line of text\n" * (size // 15) if self.given < 50 * 2**20 else b""

    tracemalloc.start()
    accepted = take_in(Fifty(), name="长.txt", store=store, limits=LIMITS)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert accepted.size > 49 * 2**20
    assert peak < 4 * 2**20


def test_a_full_disk_is_said_before_a_byte_is_read(tmp_path):
    stream = Endless()
    with pytest.raises(StoreFull, match="存储空间不足"):
        take_in(stream, name="a.pdf", store=BlobStore(tmp_path, free_space_floor=2**60), limits=LIMITS)
    assert stream.given == 0


def test_a_virus_is_refused_and_a_clean_file_says_that_it_was_scanned(store, hand_in):
    with clamd() as server:
        with refused(store, "《a.txt》.*病毒"):
            hand_in(b"EICAR test file", "a.txt", clamd=address_of(server))
        assert hand_in(b"minutes", "a.txt", clamd=address_of(server)).facts["scan"] == "clean"


def test_the_scanner_sees_the_photo_as_it_is_kept(hand_in):
    with clamd() as server:
        accepted = hand_in(samples.sample_jpeg(3, gps=True), "a.jpg", clamd=address_of(server))
        assert hashlib.sha256(server.seen[0]).hexdigest() == accepted.sha256


def test_nothing_else_in_the_folder_changes(store, hand_in, tmp_path):
    hand_in(samples.sample_jpeg(3, gps=True), "a.jpg")
    assert [path.name for path in tmp_path.iterdir()] == ["evidence"]
    assert list(Path(store.root / "parts").iterdir()) == []


def test_a_turned_photo_keeps_its_turn(store, hand_in):
    target = io.BytesIO()
    with Image.open(io.BytesIO(samples.sample_jpeg(3, gps=True))) as photo:
        notes = photo.getexif()
        notes[0x0112] = 6
        photo.save(target, "JPEG", exif=notes)
    with store.open(hand_in(target.getvalue(), "a.jpg").sha256) as file, Image.open(file) as kept:
        assert kept.getexif()[0x0112] == 6
