"""Pages of stored files as pictures: all of them, as printed; and a word for every file that cannot be shown."""

import hashlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import zlib

import pikepdf
import psutil
import pytest
from pikepdf import Array, Dictionary, Name
from PIL import Image, ImageCms, ImageDraw
from pypdfium2.version import PDFIUM_INFO

from tests.storage.cabinet import EVERY_KIND
from tests.storage.test_child import huge_picture
from tracker.domain.packet import WHY_NOT_SHOWN
from tracker.storage import child, samples, sheets
from tracker.storage.blobs import BlobStore
from tracker.storage.sheets import NoTime, SheetJob, Sheets, draw_sheets, forget

A4 = (1240, 1755)


@pytest.fixture
def store(tmp_path):
    return BlobStore(tmp_path / "evidence")


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "sheets"


@pytest.fixture
def shown(store, cache):
    """Put files into the store as they are, past every check at intake, and draw them in one go."""

    def draw(*files):
        jobs = [SheetJob(store.put([content]).sha256, kind) for content, kind in files]
        found = draw_sheets(jobs, store, cache)
        assert {each.why for each in found} <= set(WHY_NOT_SHOWN) | {""}
        return found

    return draw


def picture_at(sheet):
    """The picture, checked to be a JPEG of that size without metadata."""
    with Image.open(sheet.path) as image:
        assert image.format == "JPEG"
        assert image.size == (sheet.width, sheet.height)
        assert not set(image.info) & {"exif", "xmp", "icc_profile", "comment", "photoshop"}
        image.load()
    return image


def encoded(image, kind, **options):
    target = io.BytesIO()
    image.save(target, kind, **options)
    return target.getvalue()


def pdf_of(*contents, change=lambda pdf: None, **saving):
    """A PDF with a page of 300 points a side for each content stream."""
    pdf = pikepdf.new()
    for content in contents:
        pdf.add_blank_page(page_size=(300, 300)).obj.Contents = pdf.make_stream(content)
    change(pdf)
    target = io.BytesIO()
    pdf.save(target, **saving)
    return target.getvalue()


RED = b"1 0 0 rg 0 0 300 150 re f"


# --- pictures -----------------------------------------------------------------------------------------------------


def test_files_of_every_kind_are_answered_in_the_order_of_the_jobs(shown):
    found = dict(zip(EVERY_KIND, shown(*((make(), code) for code, make in EVERY_KIND.items())), strict=True))
    for code in ("pdf", "jpeg", "png", "webp", "heic"):
        assert (found[code].why, found[code].pages, len(found[code].sheets)) == ("", 1, 1)
        picture_at(found[code].sheets[0])
        assert b"Sample" not in found[code].sheets[0].path.read_bytes()
    for code in ("docx", "xlsx", "pptx", "ofd", "txt"):
        assert found[code] == Sheets(why="kind")


@pytest.mark.parametrize("kind", ["image/svg+xml", "text/html", "application/x-unheard-of", "", "image/tiff"])
def test_a_type_that_no_table_knows_is_not_shown(kind, shown, cache):
    assert shown((b"<svg onload='alert(1)'/>", kind)) == [Sheets(why="kind")]
    assert list(cache.iterdir()) == []


def test_a_media_type_is_as_good_as_the_code_of_a_kind(shown):
    photo = samples.sample_jpeg(3)
    by_code, by_type = shown((photo, "jpeg"), (photo, "image/jpeg"))
    assert by_code == by_type


def test_a_photo_is_upright_and_of_a_size_to_print(shown):
    photo = Image.new("RGB", (4000, 3000), "white")
    ImageDraw.Draw(photo).rectangle((0, 0, 4000, 1000), fill="red")  # what is up for the sensor is right in the photo
    notes = Image.Exif()
    notes[0x0112] = 6
    [found] = shown((encoded(photo, "JPEG", exif=notes), "jpeg"))
    seen = picture_at(found.sheets[0])
    assert seen.size == (1200, 1600)
    assert seen.getpixel((1100, 800))[1] < 20
    assert seen.getpixel((100, 800))[1] > 235


def test_the_colours_of_print_become_those_of_a_screen(shown):
    plain = Image.new("CMYK", (64, 64), (0, 255, 255, 0))
    odd_profile = encoded(plain, "JPEG", icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for found in shown((encoded(plain, "JPEG"), "jpeg"), (odd_profile, "jpeg")):
        red, green, blue = picture_at(found.sheets[0]).getpixel((30, 30))
        assert red > 220
        assert max(green, blue) < 60


def test_deep_indexed_and_transparent_pictures_are_shown_on_white(shown):
    deep = Image.new("I;16", (64, 64), 0)
    deep.paste(40_000, (0, 0, 32, 64))
    indexed = Image.new("P", (64, 64), 0)
    indexed.putpalette([255, 0, 0, 0, 255, 0])
    indexed.paste(1, (0, 0, 32, 64))
    clear = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    files = [(encoded(image, "PNG"), "png") for image in (deep, indexed, clear)]
    one, two, three = (picture_at(found.sheets[0]).convert("RGB") for found in shown(*files))
    assert (one.getpixel((10, 30))[0] > 200, one.getpixel((55, 30))[0] > 50) == (True, False)
    assert (two.getpixel((10, 30))[1] > 200, two.getpixel((55, 30))[1] > 50) == (True, False)
    assert three.getpixel((30, 30)) == (255, 255, 255)


def test_a_picture_of_too_many_pixels_is_not_decoded(shown, tmp_path):
    bomb = huge_picture(tmp_path / "huge").read_bytes()
    started = time.monotonic()
    assert shown((bomb, "png")) == [Sheets(pages=1, why="too_large")]
    assert time.monotonic() - started < 5


# --- pages --------------------------------------------------------------------------------------------------------


def test_all_pages_are_drawn_at_150_dots_an_inch_and_grey_where_they_are_grey(shown):
    [found] = shown((samples.sample_pdf("题", ["一"], pages=3), "pdf"))
    assert [(sheet.width, sheet.height) for sheet in found.sheets] == [A4] * 3
    assert {picture_at(sheet).mode for sheet in found.sheets} == {"L"}
    assert len({sheet.path.read_bytes() for sheet in found.sheets}) == 3


def test_a_turned_page_is_upright_and_in_colour(shown):
    def turn(pdf):
        pdf.pages[0].obj.Rotate = 90
        pdf.pages[0].obj.MediaBox = Array([0, 0, 300, 600])

    seen = picture_at(shown((pdf_of(RED, change=turn), "pdf"))[0].sheets[0])
    assert seen.size == (1250, 625)
    assert seen.getpixel((100, 100))[1] < 20  # the lower end is on the left
    assert seen.getpixel((1100, 300)) == (255, 255, 255)


def test_a_wall_chart_is_drawn_smaller(shown):
    def enlarge(pdf):
        pdf.pages[0].obj.MediaBox = Array([0, 0, 14_400, 7_200])

    [sheet] = shown((pdf_of(RED, change=enlarge), "pdf"))[0].sheets
    assert (sheet.width, sheet.height) == (2000, 1000)


def test_stamps_and_the_fields_of_a_form_are_shown_as_printed(shown):
    def fill(pdf):
        def annotation(left, colour, **entries):
            look = pdf.make_stream(colour + b" rg 0 0 50 50 re f", Type=Name.XObject, Subtype=Name.Form)
            look.BBox = Array([0, 0, 50, 50])
            rect = Array([left, 10, left + 50, 60])
            return pdf.make_indirect(Dictionary(Type=Name.Annot, Rect=rect, AP=Dictionary(N=look), **entries))

        field = annotation(10, b"1 0 0", Subtype=Name.Widget, FT=Name.Sig, T="field", F=4)
        stamp = annotation(110, b"0 1 0", Subtype=Name.Stamp, F=4)
        hidden = annotation(210, b"0 0 1", Subtype=Name.Stamp, F=2)
        pdf.pages[0].obj.Annots = Array([field, stamp, hidden])
        pdf.Root.AcroForm = Dictionary(Fields=Array([field]))

    seen = picture_at(shown((pdf_of(b"", change=fill), "pdf"))[0].sheets[0])
    scale = 150 / 72
    field, stamp, hidden = (seen.getpixel((int((left + 25) * scale), int(265 * scale))) for left in (10, 110, 210))
    assert (field[0] > 200, field[1] > 60) == (True, False)
    assert (stamp[0] > 60, stamp[1] > 200) == (False, True)
    assert hidden == (255, 255, 255)


def test_of_a_long_document_the_first_pages_are_shown(shown):
    def lengthen(pdf):
        tree = pdf.Root.Pages
        blank = {"Type": Name.Page, "Parent": tree, "MediaBox": Array([0, 0, 30, 30])}
        tree.Kids = Array([pdf.make_indirect(Dictionary(**blank)) for _ in range(10_000)])
        tree.Count = 10_000

    [found] = shown((pdf_of(change=lengthen), "pdf"))
    assert (found.why, found.pages, len(found.sheets)) == ("too_many_pages", 10_000, sheets.MAX_PAGES)


def test_a_file_whose_pictures_would_fill_the_disk_shows_its_first_pages(store, tmp_path):
    path = store.path(store.put([samples.sample_pdf("题", ["一"], pages=3)]).sha256)
    job = json.dumps({"path": str(path), "kind": "pdf", "folder": str(tmp_path)})
    program = "from tracker.storage import draw_sheets; draw_sheets.MAX_BYTES = 1; draw_sheets.main([])"
    run = subprocess.run([sys.executable, "-c", program], input=job.encode(), capture_output=True, check=True)
    size = {"width": A4[0], "height": A4[1]}
    assert [*map(json.loads, run.stdout.splitlines())] == [
        {"ready": True},
        {"pages": 3},
        size,
        {"why": "too_many_pages"},
    ]


# --- hostile documents --------------------------------------------------------------------------------------------


def locked(*, user):
    return pdf_of(RED, encryption=pikepdf.Encryption(owner="owner", user=user))


def test_a_document_with_a_password_is_shown_only_if_the_password_forbids_no_reading(shown):
    closed, printable = shown((locked(user="secret"), "pdf"), (locked(user=""), "pdf"))
    assert closed == Sheets(why="encrypted")
    assert (printable.why, len(printable.sheets)) == ("", 1)


def looped_pages():
    """A page tree that is its own child."""

    def knot(pdf):
        tree = pdf.Root.Pages
        tree.Kids.append(tree)
        tree.Count = 1_000

    return pdf_of(RED, change=knot)


BROKEN = {
    "garbage": b"no page at all" * 999,
    "nothing": b"",
    "half": samples.sample_pdf("题", ["一"], pages=4)[:2000],
    "half of an old form": pdf_of(RED, RED, object_stream_mode=pikepdf.ObjectStreamMode.disable)[:500],
    "web page": b"<html><script>location='http://127.0.0.1/'</script></html>",
    "no pages": pdf_of(),
    "loop": looped_pages(),
}


def test_what_is_no_document_is_damaged(shown):
    found = shown(*((content, "pdf") for content in BROKEN.values()))
    assert {each.why for each in found} == {"damaged"}
    assert not any(each.sheets for each in found)


def test_what_is_no_picture_is_damaged(shown):
    half = samples.sample_jpeg(3)[:4000]
    found = shown(*((content, code) for content in (half, b"", b"GIF89a") for code in ("jpeg", "png", "webp", "heic")))
    assert [each.why for each in found] == ["damaged"] * 12


def inflated(operators, mebibytes):
    """A plain page, and one whose content is little when packed and that many mebibytes of operators when it is not."""
    packer = zlib.compressobj(9)
    block = operators * (2**20 // len(operators))
    first, each = (packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    packed = first + each * (mebibytes - 1) + packer.flush()

    def put(pdf):
        pdf.pages[1].obj.Contents = pikepdf.Stream(pdf, packed, Filter=Name.FlateDecode)

    return pdf_of(RED, b"", change=put, compress_streams=False, stream_decode_level=pikepdf.StreamDecodeLevel.none)


def test_a_bomb_costs_a_child_and_not_the_neighbours(shown, cache):
    started = time.monotonic()
    bomb = inflated(b"q Q ", 1_000), "pdf"
    before, found, after = shown((samples.sample_jpeg(3), "jpeg"), bomb, (samples.sample_jpeg(4), "jpeg"))
    assert found == Sheets(pages=2, why="too_slow")
    assert (before.why, after.why) == ("", "")
    assert sorted(path.name for path in cache.rglob("*.*")) == ["001.jpg"] * 2 + ["note.json"] * 3
    assert time.monotonic() - started < 20


def test_nothing_in_a_document_is_run_or_fetched_or_read(shown, tmp_path):
    assert "V8" not in PDFIUM_INFO.flags
    secret = tmp_path / "secret.pdf"
    secret.write_bytes(pdf_of(b"0 0 1 rg 0 0 300 300 re f"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/"

        def arm(pdf):
            script = Dictionary(S=Name.JavaScript, JS=f"app.launchURL('{address}'); this.getURL('{address}')")
            launch = Dictionary(S=Name.Launch, F="/bin/sh", Win=Dictionary(F="touch"))
            outside = Dictionary(FS=Name.URL, F=address)
            form = pdf.make_stream(b"", Type=Name.XObject, Subtype=Name.Form, BBox=[0, 0, 300, 300])
            form.Ref = Dictionary(F=Dictionary(Type=Name.Filespec, F=str(secret)), Page=0)
            image = pdf.make_stream(b"", Type=Name.XObject, Subtype=Name.Image, Width=8, Height=8, BitsPerComponent=8)
            image.ColorSpace, image.F = Name.DeviceGray, outside
            stream = pdf.make_stream(b"")
            stream.F = str(secret)
            page = pdf.pages[0].obj
            page.Resources = Dictionary(XObject=Dictionary(A=form, B=image))
            page.Contents = Array([page.Contents, stream])
            page.AA = Dictionary(O=script, C=launch)
            link = {"Type": Name.Annot, "Rect": Array([0, 200, 300, 300]), "F": 4}
            page.Annots = Array([Dictionary(Subtype=Name.Link, A=launch, **link)])
            field = Dictionary(Subtype=Name.Widget, FT=Name.Tx, T="x", AA=Dictionary(F=script, C=script), **link)
            page.Annots.append(pdf.make_indirect(field))
            pdf.Root.AcroForm = Dictionary(Fields=Array([page.Annots[1]]), CO=Array([page.Annots[1]]))
            pdf.Root.OpenAction = script
            pdf.Root.AA = Dictionary(WC=launch)
            pdf.Root.Names = Dictionary(JavaScript=Dictionary(Names=Array(["a", script])))
            pdf.attachments["secret"] = b"0 0 1 rg"

        [found] = shown((pdf_of(RED + b" /A Do /B Do", change=arm), "pdf"))
        assert (found.why, found.pages) == ("", 1)
        with pytest.raises(TimeoutError):
            listener.accept()
    seen = picture_at(found.sheets[0])
    assert seen.getpixel((300, 600))[2] < 30  # red below
    assert seen.getpixel((300, 300)) == (255, 255, 255)


# --- children -----------------------------------------------------------------------------------------------------


def test_that_a_child_had_no_time_twice_is_not_blamed_on_the_file(shown, monkeypatch, cache):
    slow = (inflated(b"0 0 300 300 re f ", 20), "pdf")
    with monkeypatch.context() as patch:
        patch.setattr(sheets, "STALL_SECONDS", 0.5)
        with pytest.raises(NoTime):
            shown(slow)
    assert children() == []
    assert list(cache.iterdir()) == []


def test_a_file_is_drawn_again_when_its_child_is_killed_from_outside(store, cache):
    digest = store.put([samples.sample_pdf("题", ["一"], pages=60)]).sha256

    def kill():
        while not list(cache.glob("*.new/003.jpg")):
            time.sleep(0.005)
        for pid in children():
            os.kill(pid, signal.SIGKILL)

    killing = threading.Thread(target=kill)
    killing.start()
    [found] = draw_sheets([SheetJob(digest, "pdf")], store, cache, workers=1)
    killing.join()
    assert (found.why, found.pages, len(found.sheets)) == ("", 60, 60)


def children():
    return [each.pid for each in psutil.Process().children() if "draw_sheets" in each.cmdline()]


def test_a_child_that_was_killed_between_two_files_is_replaced(store, cache):
    jobs = [SheetJob(store.put([samples.sample_jpeg(seed)]).sha256, "jpeg") for seed in range(4)]
    killed = []

    def kill(done, total):
        if not killed:
            killed.extend(children())
            for pid in killed:
                os.kill(pid, signal.SIGKILL)

    found = draw_sheets(jobs, store, cache, workers=1, progress=kill)
    assert killed
    assert [each.why for each in found] == [""] * 4
    assert children() == []


def test_no_child_is_left_when_the_caller_gives_up(store, cache):
    jobs = [SheetJob(store.put([samples.sample_jpeg(seed)]).sha256, "jpeg") for seed in range(4)]

    def give_up(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        draw_sheets(jobs, store, cache, progress=give_up)
    assert children() == []
    assert not list(cache.glob("*.new"))


def test_a_child_is_under_limits_and_knows_no_secrets(monkeypatch):
    monkeypatch.setenv("TRACKER_SECRET_KEY", "long and secret")
    with child.start("draw_sheets", stdin=subprocess.PIPE) as process:
        try:
            assert json.loads(process.stdout.readline()) == {"ready": True}
            with open(f"/proc/{process.pid}/limits") as file:
                limits = {line[:25].strip(): line[26:].split()[:2] for line in file}
            with open(f"/proc/{process.pid}/environ", "rb") as file:
                surroundings = file.read()
            assert os.getpgid(process.pid) == process.pid
        finally:
            child.end(process)
    assert limits["Max address space"] == [str(child.MEMORY)] * 2
    assert limits["Max core file size"] == ["0", "0"]
    assert limits["Max open files"] == ["64", "64"]
    assert limits["Max cpu time"][1] == "3600"
    assert b"secret" not in surroundings


def test_progress_is_told_for_every_file(store, cache):
    jobs = [SheetJob(store.put([samples.sample_jpeg(seed)]).sha256, "jpeg") for seed in (1, 2)]
    told = []
    draw_sheets(jobs, store, cache, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 2), (2, 2)]


# --- what is kept -------------------------------------------------------------------------------------------------


def files_in(folder):
    return {path.relative_to(folder): (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*.*")}


def test_a_file_is_drawn_once(shown, cache, monkeypatch):
    files = [
        (EVERY_KIND["pdf"](), "pdf"),
        (EVERY_KIND["heic"](), "heic"),
        (b"garbage", "pdf"),
        (locked(user="x"), "pdf"),
    ]
    found, kept = shown(*files), files_in(cache)
    monkeypatch.setattr(child, "start", None)  # it would fail
    assert shown(*files) == found
    assert files_in(cache) == kept
    assert not list(cache.glob("*.new"))


def test_the_same_software_draws_the_same_bytes(store, tmp_path):
    jobs = [SheetJob(store.put([EVERY_KIND[code]()]).sha256, code) for code in ("pdf", "jpeg", "png", "webp", "heic")]
    digests = [
        [
            hashlib.sha256(each.sheets[0].path.read_bytes()).hexdigest()
            for each in draw_sheets(jobs, store, tmp_path / name)
        ]
        for name in ("one", "two")
    ]
    assert digests[0] == digests[1]


def test_other_software_draws_anew(shown, cache, monkeypatch):
    photo = samples.sample_jpeg(3), "jpeg"
    [before] = shown(photo)
    monkeypatch.setattr(sheets, "version", lambda name: "0")
    [after] = shown(photo)
    assert before.sheets[0].path.parent != after.sheets[0].path.parent


def test_a_missing_and_a_changed_file_are_named_each_time(store, cache):
    digest = store.put([samples.sample_jpeg(3)]).sha256
    jobs = [SheetJob(digest, "jpeg"), SheetJob("0" * 64, "docx")]
    assert [each.why for each in draw_sheets(jobs, store, cache)] == ["", "missing"]
    store.path(digest).chmod(0o600)
    store.path(digest).write_bytes(samples.sample_jpeg(4))
    assert draw_sheets(jobs, store, cache) == [Sheets(why="changed"), Sheets(why="missing")]
    store.destroy(digest)
    assert draw_sheets(jobs, store, cache) == [Sheets(why="missing")] * 2
    store.put([samples.sample_jpeg(3)])
    assert draw_sheets(jobs, store, cache)[0].why == ""


def test_what_a_power_cut_left_of_a_page_is_drawn_anew(shown, cache):
    photo = samples.sample_jpeg(3), "jpeg"
    [found] = shown(photo)
    whole = found.sheets[0].path.read_bytes()
    for broken in (found.sheets[0].path, found.sheets[0].path.with_name("note.json")):
        broken.write_bytes(b"")
        assert shown(photo) == [found]
        assert found.sheets[0].path.read_bytes() == whole
    found.sheets[0].path.unlink()
    assert shown(photo) == [found]


def test_what_a_crash_left_unfinished_is_swept_up_a_day_later(shown, cache):
    old, young = cache / f"{'0' * 64}-a.new", cache / f"{'0' * 64}-b.new"
    for folder in (old, young):
        folder.mkdir(parents=True)
    os.utime(old, (0, 0))
    shown()
    assert list(cache.iterdir()) == [young]


def test_a_sealed_file_loses_its_pages_and_no_other_does(shown, cache):
    sealed, other = shown((samples.sample_jpeg(3), "jpeg"), (samples.sample_pdf("题", ["一"], pages=2), "pdf"))
    digest = sealed.sheets[0].path.parent.name[:64]
    (cache / f"{digest}-unfinished.new").mkdir()
    for nobody in ("", "*", ".."):
        forget(cache, nobody)
    forget(cache, digest)
    assert [path.name for path in cache.iterdir()] == [other.sheets[0].path.parent.name]
    forget(cache / "nowhere", digest)


def test_a_file_that_is_sealed_while_it_is_drawn_leaves_nothing(store, cache):
    """Destroyed after the check and before the pages are kept, at whatever moment."""
    digest = store.put([samples.sample_pdf("题", ["一"], pages=60)]).sha256

    def destroy():
        while not list(cache.glob("*.new/001.jpg")):
            time.sleep(0.005)
        store.destroy(digest)
        forget(cache, digest)

    sealing = threading.Thread(target=destroy)
    sealing.start()
    found = draw_sheets([SheetJob(digest, "pdf")], store, cache)
    sealing.join()
    assert found == [Sheets(why="missing")]
    assert list(cache.iterdir()) == []


def test_a_full_disk_is_not_blamed_on_the_file(store, cache):
    digest = store.put([samples.sample_jpeg(3)]).sha256
    cache.mkdir(mode=0o500)
    if os.access(cache, os.W_OK):  # the superuser writes everywhere
        cache.rmdir()
        cache.write_bytes(b"a file where a folder should be")
    with pytest.raises(OSError, match=str(cache)):
        draw_sheets([SheetJob(digest, "jpeg")], store, cache)


def test_two_programs_may_draw_the_same_at_once(store, cache):
    jobs = [SheetJob(store.put([samples.sample_jpeg(seed)]).sha256, "jpeg") for seed in range(3)]
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(draw_sheets(jobs, store, cache))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers[0] == answers[1]
    assert {each.why for each in answers[0]} == {""}
    assert len(list(cache.iterdir())) == 3
