"""Previews: upright, small, without metadata; and a sentence where there is none."""

import io

import pytest
from PIL import Image

from tests.storage.cabinet import EVERY_KIND
from tracker.storage import samples
from tracker.storage.blobs import BlobStore
from tracker.storage.preview import NotShown, Previews, Shown, Size


@pytest.fixture
def store(tmp_path):
    return BlobStore(tmp_path / "evidence")


@pytest.fixture
def previews(tmp_path, store):
    return Previews(tmp_path / "previews", store)


@pytest.mark.parametrize("code", ["jpeg", "png", "webp", "heic", "pdf"])
def test_pictures_and_pages_are_shown_without_metadata(code, store, previews):
    digest = store.put([EVERY_KIND[code]()]).sha256
    shown = previews.show(digest, kind=code)
    assert isinstance(shown, Shown)
    with Image.open(shown.path) as image:
        assert image.format == "JPEG"
        assert max(image.size) <= 1600
        assert not set(image.info) & {"exif", "xmp", "icc_profile", "comment", "photoshop"}
    assert b"Sample" not in shown.path.read_bytes()


def test_the_small_picture_is_made_with_the_large_one(store, previews):
    digest = store.put([samples.sample_jpeg(3, size=(2400, 1200))]).sha256
    large, small = previews.show(digest, kind="jpeg"), previews.show(digest, kind="jpeg", size=Size.SMALL)
    with Image.open(large.path) as image:
        assert image.size == (1600, 800)
    with Image.open(small.path) as image:
        assert image.size == (320, 160)
    assert len(list(previews.root.iterdir())) == 2


def test_a_photo_taken_sideways_is_shown_upright(store, previews):
    target = io.BytesIO()
    notes = Image.Exif()
    notes[0x0112] = 6
    Image.new("RGB", (400, 200), "red").save(target, "JPEG", exif=notes)
    shown = previews.show(store.put([target.getvalue()]).sha256, kind="jpeg")
    with Image.open(shown.path) as image:
        assert image.size == (200, 400)


@pytest.mark.parametrize(("mode", "colour", "seen"), [("RGBA", (255, 0, 0, 0), 255), ("LA", (0, 0), 255), ("1", 0, 0)])
def test_what_is_transparent_is_white(mode, colour, seen, store, previews):
    target = io.BytesIO()
    Image.new(mode, (50, 50), colour).save(target, "PNG")
    shown = previews.show(store.put([target.getvalue()]).sha256, kind="png")
    with Image.open(shown.path) as image:
        assert abs(image.getpixel((25, 25))[1] - seen) < 4


def test_a_deep_scan_keeps_its_shades(store, previews):
    target = io.BytesIO()
    deep = Image.new("I;16", (64, 64), 0)
    deep.paste(40_000, (0, 0, 32, 64))
    deep.save(target, "PNG")
    shown = previews.show(store.put([target.getvalue()]).sha256, kind="png")
    with Image.open(shown.path) as image:
        assert image.getpixel((10, 30))[0] > 200
        assert image.getpixel((55, 30))[0] < 50


def test_every_page_of_a_pdf_has_its_own_preview(store, previews):
    digest = store.put([samples.sample_pdf("题", ["一"], pages=2)]).sha256
    first, second = (previews.show(digest, kind="pdf", number=number) for number in (1, 2))
    assert first.path.read_bytes() != second.path.read_bytes()


@pytest.mark.parametrize("number", [0, 3, -1, 10**9])
def test_a_page_that_does_not_exist_is_said_to_be_none(number, store, previews):
    digest = store.put([samples.sample_pdf("题", ["一"], pages=2)]).sha256
    assert previews.show(digest, kind="pdf", number=number) == NotShown("没有这一页。")
    assert list(previews.root.iterdir()) == []


@pytest.mark.parametrize("code", ["docx", "xlsx", "pptx", "ofd", "txt"])
def test_other_kinds_say_that_they_are_for_downloading(code, store, previews):
    shown = previews.show(store.put([EVERY_KIND[code]()]).sha256, kind=code)
    assert isinstance(shown, NotShown)
    assert "下载" in shown.reason


@pytest.mark.parametrize("code", ["jpeg", "pdf"])
def test_a_file_that_cannot_be_drawn_is_tried_once_and_says_so(code, store, previews):
    digest = store.put([b"neither a photo nor a page"]).sha256
    first = previews.show(digest, kind=code)
    assert first == NotShown("文件无法解析，不能预览；请下载后查看。")
    assert [path.suffix for path in previews.root.iterdir()] == [".failed"]
    assert previews.show(digest, kind=code) == first


def test_a_failing_disk_is_not_remembered_against_the_file(store, previews):
    digest = store.put([samples.sample_jpeg(3)]).sha256
    previews.root.rmdir()
    assert previews.show(digest, kind="jpeg") == NotShown("预览图生成失败，请下载后查看。")
    previews.root.mkdir()
    assert isinstance(previews.show(digest, kind="jpeg"), Shown)


def test_a_missing_file_is_said_to_be_missing(store, previews):
    assert "存储" in previews.show("0" * 64, kind="jpeg").reason


def test_a_preview_is_drawn_once(store, previews):
    digest = store.put([samples.sample_jpeg(3)]).sha256
    path = previews.show(digest, kind="jpeg").path
    path.write_bytes(b"kept")
    assert previews.show(digest, kind="jpeg").path.read_bytes() == b"kept"


def test_a_sealed_file_loses_its_previews(store, previews):
    digest, other = (store.put([samples.sample_jpeg(seed)]).sha256 for seed in (3, 4))
    for each in (digest, other):
        previews.show(each, kind="jpeg")
    previews.forget(digest)
    assert {path.name[:64] for path in previews.root.iterdir()} == {other}


@pytest.mark.parametrize("digest", ["*", "../x", ""])
def test_only_a_digest_names_a_preview(digest, previews):
    with pytest.raises(ValueError, match="not the name"):
        previews.show(digest, kind="jpeg")
    with pytest.raises(ValueError, match="not the name"):
        previews.forget(digest)
