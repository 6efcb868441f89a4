"""The place is cut out of photos; the pixels, the other metadata and the length stay."""

import contextlib
import io
import struct
import zlib
from datetime import date
from functools import cache

import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.storage.cabinet import PICTURES
from tracker.storage import exif, samples
from tracker.storage.location import cut_location

GPS, EXIF = 0x8825, 0x8769
MAKE = {
    "jpeg": cache(samples.sample_jpeg),
    "png": cache(samples.sample_png),
    "webp": cache(samples.sample_webp),
    "heic": cache(samples.sample_heic),
}
PLACE_WORDS = (b"GPSLatitude", "长春".encode(), b"125,19.4E", b"43,53")

pillow_heif.register_heif_opener()


def cut(tmp_path, content, code="jpeg"):
    path = tmp_path / "photo"
    path.write_bytes(content)
    return cut_location(path, code), path.read_bytes()


def opened(content):
    return Image.open(io.BytesIO(content))


def with_segment(jpeg, marker, payload):
    """Put a segment behind the beginning of a JPEG."""
    return jpeg[:2] + b"\xff" + bytes([marker]) + struct.pack(">H", len(payload) + 2) + payload + jpeg[2:]


def scan_of(jpeg):
    """The compressed picture itself."""
    return jpeg[jpeg.rindex(b"\xff\xda") :]


@pytest.mark.parametrize("code", PICTURES)
def test_the_place_is_gone_and_everything_else_is_still_there(code, tmp_path):
    before = MAKE[code](3, gps=True)
    cleaned, after = cut(tmp_path, before, code)
    assert cleaned.location_removed
    assert cleaned.taken_on == date(2026, 3, 5)
    assert len(after) == len(before)
    old, new = opened(before), opened(after)
    assert old.getexif().get_ifd(GPS)
    assert GPS not in new.getexif()
    assert not new.getexif().get_ifd(GPS)
    assert new.getexif().get_ifd(EXIF) == old.getexif().get_ifd(EXIF)
    assert {tag: value for tag, value in old.getexif().items() if tag not in {GPS, EXIF}} == {
        tag: value for tag, value in new.getexif().items() if tag != EXIF
    }
    assert new.tobytes() == old.tobytes()
    assert not [word for word in PLACE_WORDS if word in after]


@pytest.mark.parametrize("code", PICTURES)
def test_a_photo_without_a_place_is_not_touched(code, tmp_path):
    before = MAKE[code](3)
    cleaned, after = cut(tmp_path, before, code)
    assert not cleaned.location_removed
    assert cleaned.taken_on == date(2026, 3, 5)
    assert after == before


@pytest.mark.parametrize("code", PICTURES)
def test_cutting_twice_changes_nothing_more(code, tmp_path):
    _, once = cut(tmp_path, MAKE[code](3, gps=True), code)
    cleaned, twice = cut(tmp_path, once, code)
    assert not cleaned.location_removed
    assert twice == once


def test_the_compressed_picture_of_a_jpeg_stays_byte_for_byte(tmp_path):
    before = samples.sample_jpeg(3, gps=True)
    _, after = cut(tmp_path, before)
    assert scan_of(after) == scan_of(before)


def test_xmp_of_a_jpeg_loses_the_place_and_stays_well_formed(tmp_path):
    packet = b"http://ns.adobe.com/xap/1.0/\0" + samples.sample_xmp(gps=True).encode()
    cleaned, after = cut(tmp_path, with_segment(samples.sample_jpeg(3), 0xE1, packet))
    assert cleaned.location_removed
    assert not [word for word in PLACE_WORDS if word in after]
    assert "Sample" in str(opened(after).getxmp())


def test_xmp_in_another_encoding_goes_as_a_whole_if_it_names_a_place(tmp_path):
    packet = b"http://ns.adobe.com/xap/1.0/\0" + samples.sample_xmp(gps=True).encode("utf-16-le")
    cleaned, after = cut(tmp_path, with_segment(samples.sample_jpeg(3), 0xE1, packet))
    assert cleaned.location_removed
    assert "GPSLatitude".encode("utf-16-le") not in after


def test_a_place_across_the_parts_of_long_xmp_is_found(tmp_path):
    packet = samples.sample_xmp(gps=True).encode()
    middle = packet.index(b"GPSLatitude") + 4
    photo = samples.sample_jpeg(3)
    for start, piece in ((0, packet[:middle]), (middle, packet[middle:])):  # the last one put in stands first
        head = b"http://ns.adobe.com/xmp/extension/\0" + b"A" * 32 + struct.pack(">LL", len(packet), start)
        photo = with_segment(photo, 0xE1, head + piece)
    cleaned, after = cut(tmp_path, photo)
    assert cleaned.location_removed
    assert b"43,53.1N" not in after


def test_iptc_loses_city_and_country_and_keeps_the_caption(tmp_path):
    def record(number, text):
        return b"\x1c\x02" + bytes([number]) + struct.pack(">H", len(text)) + text

    iptc = record(120, b"Meeting of March") + record(90, b"Changchun") + record(101, b"China")
    resource = b"8BIM\x04\x04\0\0" + struct.pack(">L", len(iptc)) + iptc
    cleaned, after = cut(tmp_path, with_segment(samples.sample_jpeg(3), 0xED, b"Photoshop 3.0\0" + resource))
    assert cleaned.location_removed
    assert b"Meeting of March" in after
    assert b"Changchun" not in after
    assert b"China" not in after


def test_the_second_picture_behind_a_photo_loses_its_place_too(tmp_path):
    cleaned, after = cut(tmp_path, samples.sample_jpeg(3) + samples.sample_jpeg(4, gps=True))
    assert cleaned.location_removed
    assert GPS not in opened(after[len(samples.sample_jpeg(3)) :]).getexif()


def test_the_film_behind_a_living_photo_loses_its_place(tmp_path):
    film = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + b"\0\0\0\x1e\xa9xyz\0\x12\x15\xc7+43.8850+125.3233/"
    cleaned, after = cut(tmp_path, samples.sample_jpeg(3) + film)
    assert cleaned.location_removed
    assert b"125.3" not in after
    assert b"\xa9xyz" in after


@pytest.mark.parametrize("packed", [True, False])
def test_compressed_text_of_a_png_goes_if_it_names_a_place(packed, tmp_path):
    notes = PngInfo()
    notes.add_text("Author", "Sample", zip=True)
    notes.add_text("XML:com.adobe.xmp", samples.sample_xmp(gps=packed), zip=True)
    target = io.BytesIO()
    opened(samples.sample_png(3)).save(target, "PNG", pnginfo=notes)
    cleaned, after = cut(tmp_path, target.getvalue(), "png")
    assert cleaned.location_removed == packed
    again = opened(after)
    again.load()
    assert again.text["Author"] == "Sample"
    assert ("XML:com.adobe.xmp" in again.text) != packed


def test_an_exif_profile_written_as_digits_in_a_png_goes_if_it_names_a_place(tmp_path):
    block = opened(samples.sample_jpeg(3, gps=True)).info["exif"]
    notes = PngInfo()
    notes.add_text("Raw profile type exif", f"\nexif\n{len(block):8}\n{block.hex()}\n", zip=True)
    target = io.BytesIO()
    opened(samples.sample_png(3)).save(target, "PNG", pnginfo=notes, exif=b"")
    cleaned, after = cut(tmp_path, target.getvalue(), "png")
    assert cleaned.location_removed
    assert b"Raw profile" not in after


def test_every_checksum_of_a_cut_png_is_right(tmp_path):
    _, after = cut(tmp_path, samples.sample_png(3, gps=True), "png")
    at = 8
    while at < len(after):
        (length,) = struct.unpack(">L", after[at : at + 4])
        end = at + 8 + length
        assert struct.unpack(">L", after[end : end + 4])[0] == zlib.crc32(after[at + 4 : end])
        at = end + 4


def box(name, *content):
    body = b"".join(content)
    return struct.pack(">L4s", len(body) + 8, name) + body


def full(name, version, *content):
    return box(name, bytes([version, 0, 0, 0]), *content)


def heif_with(info, method, payload):
    """A HEIF file with one metadata item that lies in the box of small data."""
    location = struct.pack(">BBHHHHHLL", 0x44, 0, 1, 1, method, 0, 1, 0, len(payload))
    items = full(b"iinf", 0, struct.pack(">H", 1), full(b"infe", 2, struct.pack(">HH", 1, 0), info))
    return box(b"ftyp", b"heic") + full(b"meta", 0, items, full(b"iloc", 1, location), box(b"idat", payload))


def test_exif_in_the_box_of_small_data_loses_its_place(tmp_path):
    block = opened(samples.sample_jpeg(3, gps=True)).info["exif"]
    cleaned, after = cut(tmp_path, heif_with(b"Exif\0", 1, struct.pack(">L", 6) + block), "heic")
    assert cleaned.location_removed
    assert cleaned.taken_on == date(2026, 3, 5)
    assert after.endswith(block[:6] + exif.without_place(block[6:]))


@pytest.mark.parametrize(
    ("info", "method"), [(b"Exif\0", 2), (b"mime\0application/rdf+xml\0deflate\0", 1)], ids=["in an item", "packed"]
)
def test_a_heic_whose_metadata_cannot_be_edited_is_refused(info, method, tmp_path):
    with pytest.raises(ValueError, match=r"another item|compressed"):
        cut(tmp_path, heif_with(info, method, b"whatever"), "heic")


def test_a_big_endian_block_loses_its_place():
    block = opened(samples.sample_jpeg(3, gps=True)).getexif()
    block.endian = ">"
    content = block.tobytes()[6:]
    assert content.startswith(b"MM")
    reread = Image.Exif()
    reread.load(exif.without_place(content))
    assert GPS not in reread
    assert exif.taken_on(exif.without_place(content)) == date(2026, 3, 5)


@pytest.mark.parametrize("stamp", [b"0000:00:00", b"2026:13:01", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"])
def test_a_day_that_does_not_exist_is_no_day(stamp):
    block = opened(samples.sample_jpeg(3)).info["exif"][6:].replace(b"2026:03:05", stamp)
    assert exif.taken_on(block) is None


def test_a_block_that_is_no_exif_is_blanked():
    assert exif.without_place(b"GIF89a+43.8850+125.3233/") == bytes(24)


@given(st.binary(max_size=200))
@settings(max_examples=300)
def test_no_block_is_so_broken_that_it_changes_length_or_never_ends(tail):
    for head in (b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"):
        assert len(exif.without_place(head + tail)) == 8 + len(tail)
        exif.taken_on(head + tail)


@pytest.mark.parametrize("code", PICTURES)
@given(where=st.integers(0, 10_000), junk=st.binary(min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_no_file_is_so_broken_that_cutting_changes_its_length(code, where, junk, tmp_path_factory):
    content = bytearray(_BROKEN_FROM[code])
    at = where % len(content)
    content[at : at + len(junk)] = junk[: len(content) - at]
    path = tmp_path_factory.mktemp("broken") / "photo"
    path.write_bytes(content)
    with contextlib.suppress(ValueError):
        cut_location(path, code)
    assert path.stat().st_size == len(content)


_BROKEN_FROM = {code: make(3, gps=True) for code, make in MAKE.items()}
