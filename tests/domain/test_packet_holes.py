"""What other readers would show, extract or believe differently is found, though manifest and digests fit."""

from __future__ import annotations

import json
import time
import zlib

import pikepdf
import pytest
import segno
from pikepdf import Array, Dictionary, Name

from tests.packets import (
    AT,
    NUMBER,
    Recipe,
    check,
    failed,
    faults,
    log_lines,
    make_packet,
    resealed,
    sha256,
    signed,
    tampered,
    with_manifest,
)
from tracker.domain.canonical import canonical_json
from tracker.domain.packet_check.check import check_packet
from tracker.domain.packet_check.content import page_contents
from tracker.domain.packet_check.order import compare
from tracker.domain.packet_check.parser import Damaged
from tracker.domain.packet_check.qr import is_code_of
from tracker.domain.packet_check.reader import PdfReader, opened
from tracker.domain.packet_check.result import PRINTED
from tracker.domain.sign_off import signature_digest
from tracker.reporting.stamp import code_form


@pytest.fixture(scope="module")
def packet(tmp_path_factory):
    return make_packet(tmp_path_factory.mktemp("packet"))[0]


# ---------------------------------------------------------------- the tree of pages


def add_kid(pdf):
    page = pdf.pages[2].obj
    drawn = pdf.make_stream(b"1 0 0 rg 0 0 200 200 re f")
    kid = Dictionary(Type=Name.Page, Parent=page, MediaBox=[0, 0, 200, 200], Contents=drawn)
    page.Kids, page.Count = Array([pdf.make_indirect(kid)]), 1


def disown(pdf):
    pdf.pages[1].obj.Parent = pdf.make_indirect(Dictionary(Type=Name.Pages, Rotate=90))


def test_a_tree_of_pages_with_another_number_is_refused(tmp_path):
    path = make_packet(tmp_path, Recipe(object_streams=False))[0]
    data = path.read_bytes()
    assert data.count(b"/Count 6") == 1
    path.write_bytes(resealed(data.replace(b"/Count 6", b"/Count 5")))

    assert "写明的页数与实际不符" in faults("structure", path)[0]


@pytest.mark.parametrize("change", [add_kid, disown])
def test_a_tree_of_pages_that_others_read_differently_is_refused(packet, change):
    source = packet.with_name("tree.pdf")
    with pikepdf.open(packet) as pdf:
        change(pdf)
        pdf.save(source, fix_metadata_version=False)
    with pytest.raises(Damaged, match="页面树不对"):
        page_contents(source)


# ---------------------------------------------------------------- tables of objects


@pytest.mark.parametrize("order", ["first", "last"])
def test_an_object_that_a_table_lists_twice_is_refused(tmp_path, order):
    path = make_packet(tmp_path, Recipe(object_streams=False))[0]
    with opened(path) as reader:
        number = reader.array(reader.pages()[0].entries["Contents"])[1].number
        table = reader.revisions[0].table
    data = path.read_bytes()
    red = b"%d 0 obj\n<< /Length 40 >>\nstream\n%s\nendstream\nendobj\n" % (number, b"0 0 9 9 re f".ljust(40))
    own, rest = data[table + 5 :].split(b"trailer", 1)
    more = b"%d 1\n%010d 00000 n \n" % (number, table)
    entries = more + own if order == "first" else own + more
    rest = rest.replace(b"startxref\n%d" % table, b"startxref\n%d" % (table + len(red)))
    path.write_bytes(resealed(data[:table] + red + b"xref\n" + entries + b"trailer" + rest))

    assert failed(path) == {"structure"}
    assert "列了两次" in faults("structure", path)[0]


def test_an_object_beyond_the_size_of_its_table_is_refused(tmp_path):
    path = make_packet(tmp_path, Recipe(object_streams=False))[0]
    data = path.read_bytes()
    size = data[data.rindex(b"/Size ") :].split()[1]
    path.write_bytes(resealed(data.replace(b"/Size " + size, b"/Size " + b"9".ljust(len(size)))))

    assert "比写明的多" in faults("structure", path)[0]


def table_of(parms):
    """A file of nothing but a table, which is read with these parameters."""
    rows = b"".join(b"\x02" + bytes(7) for _ in range(3)) if b"Predictor" in parms else bytes(21)
    entries = b"/Type/XRef/W[1 4 2]/Size 3/Root 1 0 R/DecodeParms<<%s>>/Length %d" % (parms, len(rows))
    body = b"<<%s>>\nstream\n%s\nendstream\nendobj\n" % (entries, rows)
    return b"%PDF-1.7\n1 0 obj\n" + body + b"startxref\n9\n%%EOF\n"


def test_a_table_that_is_predicted_in_another_way_is_refused():
    PdfReader(table_of(b"/Predictor 12/Columns 7"))
    for more in (b"/Colors 1", b"/BitsPerComponent 8", b"/EarlyChange 1"):
        with pytest.raises(Damaged, match="交叉引用流的内容不合规定"):
            PdfReader(table_of(b"/Predictor 12/Columns 7" + more))


# ---------------------------------------------------------------- embedded files


def spec_of(pdf):
    return pdf.attachments["E1-1.jpg"].obj


def predict(pdf):
    spec_of(pdf).EF.F.DecodeParms = Dictionary(Predictor=2, Colors=1, BitsPerComponent=8, Columns=50)


def predict_packed(pdf):
    parms = Dictionary(Predictor=2, Colors=1, BitsPerComponent=8, Columns=50)
    stream = spec_of(pdf).EF.F
    stream.write(zlib.compress(stream.read_bytes()), filter=Name.FlateDecode, decode_parms=parms)


def add_unix(pdf):
    spec_of(pdf).EF.Unix = pdf.make_stream(b"another", Type=Name.EmbeddedFile)


def add_related(pdf):
    hidden = pdf.make_stream(b"hidden", Type=Name.EmbeddedFile)
    spec_of(pdf).RF = Dictionary(F=Array([pikepdf.String("x.exe"), hidden]))


def call_it_a_page(pdf):
    spec_of(pdf).EF.F.Subtype = Name("/text/html")


def call_it_large(pdf):
    spec_of(pdf).EF.F.Params.Size = 9


@pytest.mark.parametrize("change", [predict, predict_packed, add_unix, add_related, call_it_a_page, call_it_large])
def test_an_embedded_file_that_others_extract_differently_is_named(packet, change):
    path = tampered(packet, change)

    assert "files" in failed(path)
    assert any("E1-1.jpg" in fault for fault in faults("files", path))


# ---------------------------------------------------------------- stamps


def font_of(pdf):
    return pdf.pages[0].obj.Resources.Font.TrkF1


def map_glyphs(pdf):
    font_of(pdf).DescendantFonts[0].CIDToGIDMap = pdf.make_stream(bytes(range(256)) * 4)


def say_otherwise(pdf):
    font_of(pdf).ToUnicode = pdf.make_stream(b"junk")


def widen(pdf):
    font_of(pdf).DescendantFonts[0].W = Array([0, Array([9000] * 50)])


def draw_letters(pdf):
    glyph = pdf.make_stream(b"1000 0 d0 0 0 500 500 re f")
    descriptor = font_of(pdf).DescendantFonts[0].FontDescriptor
    drawn = Dictionary(Type=Name.Font, Subtype=Name.Type3, FontDescriptor=descriptor, CharProcs=Dictionary(a=glyph))
    pdf.pages[0].obj.Resources.Font.TrkF1 = pdf.make_indirect(drawn)


def drop_font(pdf):
    pdf.pages[0].obj.Resources.Font = Dictionary(Other=font_of(pdf))


def move_stamp(pdf):
    own = pdf.pages[0].obj.Contents
    pdf.pages[0].obj.Contents = Array([own[1], own[0]])


def predict_stamp(pdf):
    pdf.pages[0].obj.Contents[0].DecodeParms = Dictionary(Predictor=2)


def unpack_stamp(pdf):
    pdf.pages[0].obj.Contents[0].Filter = Name.ASCIIHexDecode


def drop_code(pdf):
    del pdf.pages[0].obj.Resources.XObject.TrkQR


def hide_code(pdf):
    group = pdf.make_indirect(Dictionary(Type=Name.OCG, Name=pikepdf.String("x")))
    pdf.pages[0].obj.Resources.XObject.TrkQR.OC = group


def other_code(pdf):
    pdf.pages[0].obj.Resources.XObject.TrkQR = code_form(pdf, f"TRK1 {NUMBER} {'0' * 64}")


def turn_code(pdf):
    pdf.pages[0].obj.Resources.XObject.TrkQR.Matrix = Array([50, 0, 0, 50, 0, 0])


def one_module(pdf):
    form = pdf.pages[0].obj.Resources.XObject.TrkQR
    drawn = form.read_bytes()
    form.write(drawn.replace(b" 1 1 re ", b" 1 1 re 20 20 1 1 re ", 1) if b" 20 20 1" not in drawn else drawn[9:])


STAMPS = [map_glyphs, say_otherwise, widen, draw_letters, drop_font, move_stamp, predict_stamp, unpack_stamp]
CODES = [drop_code, hide_code, other_code, turn_code, one_module]


@pytest.mark.parametrize("change", STAMPS + CODES)
def test_a_stamp_that_is_drawn_differently_is_named(packet, change):
    assert "stamps" in failed(tampered(packet, change))


@pytest.mark.parametrize("length", [71, 84, 85, 106, 107, 122, 123, 152, 153, 180])
@pytest.mark.parametrize("mask", range(8))
def test_a_code_is_known_by_every_module(length, mask):
    text = ("TRK1 DC-2026 " + "abcd0123" * 25)[:length]
    code = segno.make_qr(text, error="m", mode="byte", boost_error=False, mask=mask).matrix
    dark = {(row, column) for row, line in enumerate(code) for column, module in enumerate(line) if module}

    assert is_code_of(text, dark, len(code))
    assert not is_code_of(text[:-1] + "z", dark, len(code))
    assert not is_code_of(text, dark ^ {(len(code) - 1, len(code) - 1)}, len(code))


# ---------------------------------------------------------------- what a page uses of its resources


def test_a_resource_may_have_any_name(packet):
    for name in ("/P", "/Parent", "/TrkPicture", "/StructParents"):

        def rename(pdf, name=name):
            page = pdf.pages[0].obj
            page.Contents[1] = pdf.make_stream(b"%s Do" % name.encode())
            page.Resources.XObject[name] = pdf.make_stream(b"\x01", Type=Name.XObject, Subtype=Name.Image)

        def repaint(pdf, name=name):
            pdf.pages[0].obj.Resources.XObject[name].write(b"\x02")

        first = tampered(packet, rename)
        before = page_contents(first)[0]
        assert page_contents(tampered(first, repaint))[0].content != before.content


def add_unused(pdf):
    for page in pdf.pages:
        page.obj.Resources.XObject.Unused = pdf.make_stream(b"x", Type=Name.XObject, Subtype=Name.Image)


def test_what_a_page_does_not_use_of_its_resources_is_no_part_of_it(packet):
    assert failed(tampered(packet, add_unused)) == set()


@pytest.mark.parametrize("prune", ["auto", "yes"])
def test_pages_of_which_others_were_taken_away_by_qpdf_stay_as_they_were(packet, prune):
    path, source = packet.with_name(f"pages-{prune}.pdf"), tampered(packet, add_unused)
    options = ["--stream-data=preserve", f"--remove-unreferenced-resources={prune}"]
    pikepdf.Job(["qpdf", str(source), "--pages", ".", "1-2,4-6", "--", *options, str(path)]).run()

    assert faults("pages", path) == ["缺少第 3 页。"]
    assert faults("stamps", path) == []


def test_a_form_without_resources_takes_all_of_its_page(packet):
    def borrow(pdf):
        page = pdf.pages[0].obj
        page.Contents[1] = pdf.make_stream(b"/Fm Do")
        page.Resources.XObject.Fm = pdf.make_stream(b"/Im Do", Type=Name.XObject, Subtype=Name.Form, BBox=[0, 0, 9, 9])
        page.Resources.XObject.Im = pdf.make_stream(b"\x01", Type=Name.XObject, Subtype=Name.Image)

    def repaint(pdf):
        pdf.pages[0].obj.Resources.XObject.Im.write(b"\x02")

    first = tampered(packet, borrow)
    before = page_contents(first)[0]
    assert page_contents(tampered(first, repaint))[0].content != before.content


# ---------------------------------------------------------------- the rest of the document


def page_entry(name, value):
    return lambda pdf: pdf.pages[0].obj.__setitem__(name, value)


@pytest.mark.parametrize(
    "change",
    [
        page_entry("/UserUnit", 40),
        page_entry("/TrimBox", Array([0, 0, 1, 1])),
        page_entry("/ArtBox", Array([0, 0, 1, 1])),
        page_entry("/Dur", 1),
    ],
)
def test_every_entry_of_a_page_belongs_to_it(packet, change):
    assert failed(tampered(packet, change)) == {"pages"}


def root_entry(name, value):
    return lambda pdf: pdf.Root.__setitem__(name, value)


@pytest.mark.parametrize(
    "change",
    [
        root_entry("/Collection", Dictionary(View=Name.D, D=pikepdf.String("E2-1.pdf"))),
        root_entry("/ViewerPreferences", Dictionary(ViewArea=Name.TrimBox)),
        root_entry("/PageLabels", Dictionary(Nums=Array([0, Dictionary(P=pikepdf.String("9999"))]))),
        root_entry("/PageMode", Name.UseAttachments),
        root_entry("/AcroForm", Dictionary(Fields=Array())),
        root_entry("/OCProperties", Dictionary(OCGs=Array())),
    ],
)
def test_what_packets_do_not_have_is_named(packet, change):
    assert failed(tampered(packet, change)) == {"document"}


def test_a_result_says_that_bookmarks_are_not_looked_at(packet):
    assert "书签" in str(check("document", packet).notes[0])


def test_a_field_of_a_signature_that_draws_is_named(packet):
    def draw(pdf):
        pdf.Root.AcroForm = Dictionary(Fields=Array())
        form = pdf.make_stream(b"0 0 600 900 re f", Type=Name.XObject, Subtype=Name.Form, BBox=[0, 0, 600, 900])
        field = Dictionary(
            Type=Name.Annot, Subtype=Name.Widget, FT=Name.Sig, Rect=[0, 0, 0, 800], AP=Dictionary(N=form)
        )
        pdf.pages[0].obj.Annots.append(pdf.make_indirect(field))
        pdf.Root.AcroForm.Fields.append(pdf.pages[0].obj.Annots[-1])

    assert failed(tampered(packet, draw)) == {"pages", "annotations", "document"}


# ---------------------------------------------------------------- behind a signature


def later(path, **objects):
    """The file with a revision behind it: `objects` are bodies by number, and entries of the trailer."""
    with opened(path) as reader:
        root, last, size = reader.trailer["Root"], reader.revisions[-1].table, reader.trailer["Size"]
    data, entries = path.read_bytes(), b""
    for number, body in sorted(objects.pop("bodies").items()):
        entries += b"%d 1\n%010d 00000 n \n" % (number, len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    more = b"".join(b"/%s %s " % (name.encode(), value) for name, value in objects.items())
    trailer = b"trailer << /Root %d 0 R /Prev %d /Size %d %s>>\n" % (root.number, last, size, more)
    other = path.with_name(f"later-{path.name}")
    other.write_bytes(data + b"xref\n" + entries + trailer + b"startxref\n%d\n%%%%EOF\n" % len(data))
    return other


def test_what_was_added_behind_a_signature_is_named_even_as_a_store_of_certificates(packet):
    path = signed(packet)
    with pikepdf.open(path) as pdf:
        catalog, info = pdf.Root, pdf.attachments["E1-1.jpg"].obj
        catalog.DSS = Dictionary()
        bodies = {catalog.objgen[0]: catalog.unparse(resolved=True), info.objgen[0]: b"<< /Type /Filespec >>"}
        number = info.objgen[0]
    found = later(path, bodies=bodies, Info=b"%d 0 R" % number)

    assert {"signature", "revisions"} <= failed(found)
    assert faults("signature", found) == ["最后一个签名之后，文件又加了内容，这些内容没有人签名。"]
    assert f"对象 {number} 被后来的修订替换" in " ".join(faults("revisions", found))


def test_a_signed_file_that_was_saved_anew_is_said_to_have_lost_its_signature(packet):
    path = signed(packet)
    other = path.with_name("saved.pdf")
    with pikepdf.open(path) as pdf:
        pdf.save(other)

    assert faults("signature", other) == ["文件被重新保存或改写，签名已失效。"]


# ---------------------------------------------------------------- what was sealed


def test_a_reason_and_an_entry_of_the_log_that_were_sealed_are_named(tmp_path):
    def seal(members):
        members["duties"][0]["sign_offs"][1]["reason"] = None

    path = make_packet(tmp_path, Recipe(change=seal, lines=log_lines(sealed=[4])))[0]

    assert failed(path) == set()
    assert [str(note) for note in check("sealed", path).notes] == [
        "任务 duty-1 第 2 次签认的理由已按规定封存，只留校验值。",
        "日志链 unit-1 第 4 条的内容已按规定封存，只留校验值。",
    ]
    assert [str(note) for note in check("log", path).notes] == [
        "日志链 unit-1：6 条；其中 1 条已封存，2 条与本卷无关，只有校验值。"
    ]


# ---------------------------------------------------------------- what a manifest claims


def of_another_person(members):
    members["appointments"][0]["person"] = "person-2"


def of_no_duty(members):
    members["evidence"][0]["duties"] = []


def on_other_pages(members):
    members["evidence"][0]["files"][0]["pages"] = [999, 1000]


def resigned(change):
    """The sign-offs with something changed, and every digest that follows from it."""

    def resign(members):
        for duty in members["duties"]:
            previous = None
            for one in duty["sign_offs"]:
                change(one)
                one["content_digest"] = sha256(one["content"].encode())
                names = ("content_digest", "action", "person", "appointment", "reason_sha256")
                one["previous"] = previous
                previous = signature_digest(at=AT, previous=previous, **{name: one[name] for name in names})
                one["digest"] = previous

    return resign


def confirm_nothing(sign_off):
    if sign_off["action"] == "confirm":
        content = json.loads(sign_off["content"])
        sign_off["content"] = canonical_json({**content, "evidence": []}).decode()


def confirm_oneself(sign_off):
    sign_off["person"], sign_off["appointment"] = "person-1", "appointment-1"


def no_log(members):
    members["log"] = []


CLAIMS = [
    (of_another_person, "manifest", "任务 duty-1 第 1 次签认所用的任职是另一个人的。"),
    (of_no_duty, "manifest", "任务 duty-1 与佐证 E1 在清单里没有互相写明。"),
    (on_other_pages, "manifest", "佐证 E1 的第 1 个文件写明的页码不在卷内。"),
    (resigned(confirm_nothing), "contents", "任务 duty-1 第 4 次签认确认的不是填报人提交的内容。"),
    (resigned(confirm_oneself), "sign_offs", "任务 duty-1 第 2 次签认由填报人自己作出：自己不能确认自己。"),
    (no_log, "log", "卷内没有操作日志。"),
]


@pytest.mark.parametrize(("change", "key", "said"), CLAIMS)
def test_what_cannot_be_is_named(tmp_path, change, key, said):
    path = make_packet(tmp_path, with_manifest(change))[0]

    assert failed(path) == {key}
    assert said in faults(key, path)


# ---------------------------------------------------------------- the order of pages

PAGES = [f"page-{number}" for number in range(1, 101)]


def said_of(found):
    return [str(fault) for fault in compare(PAGES, found).faults(1)]


def test_of_pages_of_which_one_is_missing_only_that_one_is_named():
    for gone in range(100):
        assert said_of(PAGES[:gone] + PAGES[gone + 1 :]) == [f"缺少第 {gone + 1} 页。"]


def test_of_pages_to_which_one_was_added_only_that_one_is_named():
    for place in range(101):
        assert said_of([*PAGES[:place], "new", *PAGES[place:]]) == [f"第 {place + 1} 页是后加的，不在清单中。"]


def test_of_pages_of_which_one_was_moved_only_that_one_is_named():
    rest = PAGES[:9] + PAGES[10:]

    assert said_of([*rest[:49], PAGES[9], *rest[49:]]) == ["原来的第 10 页被移到了第 50 页的位置。"]
    assert said_of([*rest[:10], PAGES[9], *rest[10:]]) == ["第 10 页与第 11 页互换。"]


def test_neighbours_of_pages_of_which_one_is_missing_are_not_said_to_be_swapped():
    found = [*PAGES[:20], *PAGES[21:77], PAGES[78], PAGES[77], *PAGES[79:]]

    assert "缺少第 21 页。" in said_of(found)
    assert not any("互换" in said for said in said_of(found))
    assert len(said_of(found)) == 2


# ---------------------------------------------------------------- bounds


def test_of_faults_without_end_some_are_kept_and_the_others_counted(packet):
    def flood(pdf):
        pdf.Root.MarkInfo = pdf.make_indirect(Array([Dictionary(JS=0)] * 5000))

    result = check_packet([tampered(packet, flood)])
    active = next(found for found in result.checks() if found.key == "active")

    assert (len(active.faults), active.more_faults) == (PRINTED, 5000 - PRINTED)
    assert result.faults == 5000
    assert len(str(result.as_json())) < 30_000
    assert "另有 4950 处。" in "\n".join(result.lines())


def test_a_long_name_is_cut_where_it_is_said(packet):
    def name(pdf):
        pdf.Root["/" + "x" * 100_000] = 1

    assert len(faults("document", tampered(packet, name))[0]) < 500


def test_annotations_that_all_pages_share_are_read_once(packet):
    def share(pdf):
        link = pdf.make_indirect(Dictionary(Type=Name.Annot, Subtype=Name.Link, Rect=Array([0, 0, 9, 9])))
        shared = pdf.make_indirect(Array([link] * 20_000))
        for _ in range(300):
            pdf.add_blank_page(page_size=(9, 9))
            pdf.pages[-1].obj.Annots = shared

    path = tampered(packet, share)
    start = time.process_time()
    assert "pages" in failed(path)
    assert time.process_time() - start < 10


def test_faults_stand_under_the_headline_with_what_was_checked(packet):
    lines = list(check_packet([tampered(packet, add_unix)]).lines())

    assert lines[0].startswith("核验不通过")
    assert lines[1].startswith("  ✗ 嵌入文件")
    assert "E1-1.jpg" in lines[2]


def test_a_whole_packet_of_many_pages_is_read_in_seconds(tmp_path):
    drawn = [b"%d 0 m 100 100 l S /Picture Do" % number for number in range(600)]
    path = make_packet(tmp_path, Recipe(drawn=drawn))[0]
    start = time.process_time()

    assert len(page_contents(path)) == 600
    assert time.process_time() - start < 5
