"""Whatever was changed, removed, added or swapped in a packet is named, even where the file was digested anew."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace

import pikepdf
import pytest
from pikepdf import Dictionary, Name

from tests.packets import (
    CHAIN,
    RECIPE,
    Recipe,
    attach,
    check,
    failed,
    faults,
    log_lines,
    make_packet,
    redraw,
    revised,
    sha256,
    signed,
    tampered,
    with_manifest,
)
from tracker.domain.canonical import canonical_json
from tracker.domain.packet_check.check import check_packet
from tracker.domain.packet_check.result import NOT_CHECKED, PASSED


@pytest.fixture(scope="module")
def packet(tmp_path_factory):
    return make_packet(tmp_path_factory.mktemp("packet"))[0]


# ---------------------------------------------------------------- pages


def swap(pdf, one, other):
    first, second = pdf.pages[one].obj, pdf.pages[other].obj
    first.Contents, second.Contents = second.Contents, first.Contents
    first.Resources, second.Resources = second.Resources, first.Resources


def move(pdf):
    page = pdf.pages[5]
    del pdf.pages[5]
    pdf.pages.insert(2, page)


def remove(pdf):
    del pdf.pages[2]


def add(pdf):
    pdf.add_blank_page()
    page = pdf.pages[-1]
    del pdf.pages[-1]
    pdf.pages.insert(3, page)


def replace_font(pdf):
    font = pdf.pages[0].obj.Resources.Font.TrkF1.DescendantFonts[0].FontDescriptor
    font.FontFile2 = pdf.make_stream(b"other outlines")


def draw_code(pdf):
    pdf.pages[0].obj.Resources.XObject.TrkQR.write(b"0 0 1 1 re 0 0 m 5 5 l S f")


def enlarge(pdf):
    pdf.pages[1].obj.MediaBox = [0, 0, 100, 100]


def repaint(pdf):
    pdf.pages[1].obj.Resources.XObject.Picture.write(b"\xff" * 12)


def stream_of(pdf, drawn, **entries):
    return pdf.make_stream(zlib.compress(drawn), Filter=Name.FlateDecode, **entries)


def restamp(pdf):
    pdf.pages[0].obj.Contents[0] = stream_of(pdf, b"BT (9) Tj ET", TrkStamp=True)


def unstamp(pdf):
    del pdf.pages[0].obj.Contents[0]


def annotate(pdf):
    note = Dictionary(Type=Name.Annot, Subtype=Name.FreeText, Rect=[0, 0, 99, 99], Contents="同意")
    pdf.pages[2].obj.Annots = [pdf.make_indirect(note)]


CHANGED = "被改动：内容与清单所列的校验值不符。"
PAGES = [
    (lambda pdf: redraw(pdf, 2), "pages", [f"第 3 页{CHANGED}"]),
    (lambda pdf: swap(pdf, 2, 4), "pages", ["第 3 页与第 5 页互换。"]),
    (move, "pages", ["原来的第 6 页被移到了第 3 页的位置。"]),
    (remove, "pages", ["缺少第 3 页。"]),
    (add, "pages", ["第 4 页是后加的，不在清单中。"]),
    (enlarge, "pages", [f"第 2 页{CHANGED}"]),
    (repaint, "pages", [f"第 {page} 页{CHANGED}" for page in (2, 4, 6)]),
    (restamp, "stamps", ["第 1 页的页边标识（卷号、页码、校验码、二维码）被改动或者缺失。"]),
    (unstamp, "stamps", ["第 1 页的页边标识（卷号、页码、校验码、二维码）被改动或者缺失。"]),
    (replace_font, "stamps", ["第 1 页：页边标识的字体 TrkF1 被改动：文字可能被换了样子。"]),
    (draw_code, "stamps", ["第 1 页：二维码 TrkQR 里有方块以外的东西，它可能被画成了别的样子。"]),
    (annotate, "annotations", ["第 3 页上有“FreeText”类的批注：督查卷的页上只应有目录链接。"]),
]


@pytest.mark.parametrize(("change", "key", "said"), PAGES)
def test_what_was_done_to_a_page_is_named(packet, change, key, said):
    path = tampered(packet, change)

    assert faults(key, path) == said
    assert failed(path) <= {key, "pages"}


# ---------------------------------------------------------------- embedded files


def other_bytes(name, data):
    return lambda pdf: attach(pdf, name, data)


def drop_file(pdf):
    del pdf.attachments["E1-1.jpg"]
    pdf.Root.AF = pikepdf.Array([spec for spec in pdf.Root.AF if str(spec.UF) != "E1-1.jpg"])


def hide_file(pdf):
    spec = pikepdf.AttachedFileSpec(pdf, b"hidden", filename="hidden.exe")
    pdf.Root.AF.append(spec.obj)


def describe(pdf):
    spec = next(spec for spec in pdf.Root.AF if str(spec.UF) == "E1-1.jpg")
    spec.Desc = pikepdf.String("别的说明")


def rewrite_sums(change):
    def rewrite(pdf):
        data = pdf.attachments["SHA256SUMS"].get_file().read_bytes()
        attach(pdf, "SHA256SUMS", change(data))

    return rewrite


FILES = [
    (other_bytes("E1-1.jpg", b"a phot0" * 50), "files", "嵌入文件 E1-1.jpg 的内容被改动：SHA-256 与清单不符。"),
    (other_bytes("E1-1.jpg", b""), "files", "嵌入文件 E1-1.jpg 的内容被改动：大小不是清单所列的 350 字节。"),
    (
        other_bytes("E1-1.jpg", RECIPE.files["E2-1.pdf"]),
        "files",
        "嵌入文件 E1-1.jpg 的内容被换成了 E2-1.pdf 的内容。",
    ),
    (other_bytes("more.txt", b"more"), "files", "嵌入文件 more.txt 不在清单中，是后加的。"),
    (drop_file, "files", "缺少嵌入文件 E1-1.jpg。"),
    (describe, "files", "嵌入文件 E1-1.jpg 的说明被改动。"),
    (rewrite_sums(lambda data: data.replace(b"a", b"b", 1)), "sums", None),
    (rewrite_sums(lambda data: data.split(b"\n", 1)[1]), "sums", "SHA256SUMS 里少了 E1-1.jpg。"),
    (rewrite_sums(lambda data: data + b"0" * 64 + b"  zzz\n"), "sums", "SHA256SUMS 里多了 zzz。"),
    (
        rewrite_sums(lambda data: b"\n".join(data.split(b"\n")[:-1][::-1]) + b"\n"),
        "sums",
        "SHA256SUMS 的写法或者次序被改动。",
    ),
]


@pytest.mark.parametrize(("change", "key", "said"), FILES)
def test_what_was_done_to_an_embedded_file_is_named(packet, change, key, said):
    path = tampered(packet, change)

    assert len(faults(key, path)) == 1
    assert said is None or faults(key, path) == [said]
    assert failed(path) == {key}


def test_a_file_that_is_only_associated_is_found(packet):
    path = tampered(packet, hide_file)

    assert failed(path) == {"files", "active"}


def test_another_checklist_is_named(packet):
    path = tampered(packet, other_bytes("checklist.yaml", b"a: 2\n"))

    assert faults("checklist", path) == ["责任清单原文 checklist.yaml 不是发布的那一份：校验值不符。"]


def test_another_manifest_is_named(packet):
    with pikepdf.open(packet) as pdf:
        data = pdf.attachments["manifest.json"].get_file().read_bytes()
    path = tampered(packet, other_bytes("manifest.json", data.replace("张三".encode(), "李四".encode())))

    assert "第 1 册的 manifest.json 被改动：与文件尾部的 TrkManifest 不符。" in faults("manifest", path)


# ---------------------------------------------------------------- the manifest


def at(*path, value):
    """A change of one member of the manifest."""

    def change(members):
        for step in path[:-1]:
            members = members[step]
        members[path[-1]] = value

    return change


def without(*path):
    def change(members):
        for step in path[:-1]:
            members = members[step]
        del members[path[-1]]

    return change


STATE = "任务 duty-1 的状态与最后一次签认不符：有签认被删去，或者状态被改动。"
HEAD = f"日志链 {CHAIN} 的最后一条与清单记下的链头（第 6 条）不符。"
NO_FILE = "佐证 E1 的第 1 个文件与清单所列的嵌入文件对不上。"
SIGNED = ("duties", 0, "sign_offs")
MANIFEST = [
    (without("pages"), "manifest", "manifest.json 的这一项缺少、多余或者写法不对：manifest.pages"),
    (without("files", 0, "size"), "manifest", "manifest.json 的这一项缺少、多余或者写法不对：manifest.files[0].size"),
    (
        at(*SIGNED, 1, "at", value="2026"),
        "manifest",
        "manifest.json 的这一项缺少、多余或者写法不对：manifest.duties[0].sign_offs[1].at",
    ),
    (at("form", value="x/9"), "manifest", "manifest.json 的格式不是 tracker/packet-manifest/1，这个程序不能核验。"),
    (at("volumes", 0, "last_page", value=5), "manifest", "manifest.json 里各册的页码不衔接，或者与总页数不符。"),
    (at("people", value=[]), "manifest", "任务 duty-1 第 1 次签认的签认人或任职不在清单中。"),
    (
        at("evidence", 0, "files", 0, "file", value=None),
        "manifest",
        NO_FILE,
    ),
    (
        at(*SIGNED, 1, "action", value="confirm"),
        "sign_offs",
        "任务 duty-1 第 2 次签认被改动：签认人、时间、动作、理由或内容与其校验值不符。",
    ),
    (
        at(*SIGNED, 1, "at", value="2026-03-04T05:06:07.000001Z"),
        "sign_offs",
        "任务 duty-1 第 2 次签认被改动：签认人、时间、动作、理由或内容与其校验值不符。",
    ),
    (without(*SIGNED, 1), "sign_offs", "任务 duty-1 第 3 次签认与上一次不衔接：有签认被删去、增加或改动。"),
    (without(*SIGNED, slice(2, 4)), "sign_offs", STATE),
    (
        at("duties", 0, "state", value="open"),
        "sign_offs",
        STATE,
    ),
    (
        lambda members: members["duties"][0]["sign_offs"].reverse(),
        "sign_offs",
        "任务 duty-1 的签认编号不连续：应是第 1 次，却是第 4 次，有删去、增加或调换。",
    ),
    (
        lambda members: at(*SIGNED, 0, "content", value=members["duties"][0]["sign_offs"][0]["content"] + " ")(members),
        "sign_offs",
        "任务 duty-1 第 1 次签认的内容被改动：与其校验值不符。",
    ),
    (
        at("duties", 0, "period", value="2026-Q2"),
        "contents",
        "任务 duty-1 第 1 次签认签的不是这项任务：任务、事项、期间或次序不同。",
    ),
    (
        at("evidence", 0, "act_on", value="2026-02-28"),
        "contents",
        "佐证 E1 与任务 duty-1 签认时不同：日期、说明、数字或文件被改动。",
    ),
    (
        at("evidence", 0, "counts", "people", value=120),
        "contents",
        "佐证 E1 与任务 duty-1 签认时不同：日期、说明、数字或文件被改动。",
    ),
    (at("duties", 0, "evidence", value=[]), "contents", "任务 duty-1 签认时有佐证 E1，本卷里却没有。"),
    (at("duties", 0, "evidence", value=["E1", "E2"]), "contents", "任务 duty-1 签认时没有佐证 E2，它是后加的。"),
    (
        at("duties", 0, "content_digest", value="0" * 64),
        "contents",
        "任务 duty-1 现在的内容与第 3 次签认的内容是否一致，清单所说与校验值不符。",
    ),
    (
        at("evidence", 0, "sentence", value="没有开会。"),
        "sentences",
        "佐证 E1 的说明被改动：文字与其校验值不符。",
    ),
    (
        at(*SIGNED, 1, "reason", value="没有问题。"),
        "sentences",
        "任务 duty-1 第 2 次签认的理由被改动：文字与其校验值不符。",
    ),
    (
        at("log", 0, "head", "digest", value="0" * 64),
        "log",
        HEAD,
    ),
    (at("stamp_fonts", value={}), "stamps", "第 1 页：页边标识用了不在清单中的字体 TrkF1。"),
]


@pytest.mark.parametrize(("change", "key", "said"), MANIFEST)
def test_what_the_manifest_claims_wrongly_is_named(tmp_path, change, key, said):
    paths = make_packet(tmp_path, with_manifest(change))

    assert faults(key, *paths)
    assert said is None or said in faults(key, *paths)
    assert "whole_file" not in failed(*paths)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"[" * 100_000, b'{"form": 1}', b'{"a":1e5}', b'{"a":"\xff"}'])
def test_a_manifest_that_is_no_canonical_json_is_named(packet, data):
    path = tampered(packet, other_bytes("manifest.json", data))

    assert faults("manifest", path)[1:] == ["manifest.json 不是规范写法的 JSON：它被改写过，或者不是系统生成的。"]
    assert check("pages", path).outcome == NOT_CHECKED


# ---------------------------------------------------------------- the log


def rehashed(line, **members):
    """An entry with other members, and with the digest that follows from them."""
    entry = {**json.loads(line), **members}
    kept = {name: value for name, value in entry.items() if name not in {"digest", "payload", "sealed"}}
    return canonical_json({**entry, "digest": sha256(canonical_json(kept))})


def changed_entry(line, **members):
    return canonical_json({**json.loads(line), **members})


LINES = log_lines()
LOG = [
    ([*LINES[:2], *LINES[3:]], ["缺少第 3 条。"]),
    ([*LINES[:2], LINES[3], LINES[2], *LINES[4:]], ["的次序被打乱：第 3 条排在第 4 条之后。"]),
    ([*LINES[:1], *LINES[4:]], ["缺少第 2 条至第 4 条。"]),
    (LINES[:4], ["的尾部被截去：应到第 6 条，只到第 4 条。"]),
    ([LINES[0], *LINES], ["的第 1 条出现了两次。"]),
    ([*LINES[:2], changed_entry(LINES[2], verb="x"), *LINES[3:]], ["第 3 条被改动：内容与其校验值不符。"]),
    ([*LINES[:2], rehashed(LINES[2], verb="x"), *LINES[3:]], ["第 4 条与上一条不衔接：上一条被改动或者换掉。"]),
    ([*LINES[:2], changed_entry(LINES[2], payload="x"), *LINES[3:]], ["第 3 条的附载内容被改动：与其校验值不符。"]),
    ([*LINES[:2], LINES[2] + b" ", *LINES[3:]], ["第 3 条不是规定的写法：它被改动过。"]),
    (
        [*LINES, rehashed(LINES[5], seq=7, previous=json.loads(LINES[5])["digest"])],
        ["的尾部是后加的：应到第 6 条，却到第 7 条。"],
    ),
]


@pytest.mark.parametrize(("lines", "said"), LOG)
def test_what_was_done_to_the_log_is_named(tmp_path, lines, said):
    head = {"seq": 6, "digest": json.loads(LINES[5])["digest"]}
    claimed = {"chain": CHAIN, "file": f"log-{CHAIN}.jsonl", "entries": 6, "head": head}
    recipe = replace(with_manifest(at("log", 0, value=claimed)), lines=lines)
    path = make_packet(tmp_path, recipe)[0]

    assert [fault.replace(f"日志链 {CHAIN} ", "") for fault in faults("log", path)] == said
    assert failed(path) == {"log"}


# ---------------------------------------------------------------- what a packet must not hold


def add_action(**entries):
    def change(pdf):
        pdf.Root.MarkInfo = pdf.make_indirect(Dictionary(**entries))

    return change


def script(pdf):
    pdf.Root.OpenAction = Dictionary(S=Name.JavaScript, JS="app.alert(1)")


def outside(pdf):
    pdf.Root.MarkInfo = pdf.make_stream(b"", F="http://example.org/x")


def unembedded(pdf):
    pdf.Root.MarkInfo = pdf.make_indirect(Dictionary(Type=Name.Font, Subtype=Name.Type1, BaseFont=Name.Helvetica))


def unclaimed(pdf):
    del pdf.Root.Metadata


FORBIDDEN = [
    (script, "active"),
    (add_action(S=Name.Launch, F="x.exe"), "active"),
    (add_action(S=Name.URI, URI="http://example.org"), "active"),
    (add_action(AA=Dictionary()), "active"),
    (add_action(Type=Name.Annot, Subtype=Name.RichMedia), "active"),
    (outside, "active"),
    (unembedded, "fonts"),
    (unclaimed, "archive"),
]


@pytest.mark.parametrize(("change", "key"), FORBIDDEN)
def test_what_a_packet_must_not_hold_is_named(packet, change, key):
    assert failed(tampered(packet, change)) - {"document"} == {key}


def test_an_encrypted_packet_is_named(packet, tmp_path):
    path = tmp_path / "encrypted.pdf"
    with pikepdf.open(packet) as pdf:
        pdf.save(path, encryption=pikepdf.Encryption(owner="a", user="b"))

    assert failed(path) == {"structure", "encryption"}
    assert check("pages", path).outcome == NOT_CHECKED


def test_a_revision_that_no_signature_brought_is_named(packet):
    with pikepdf.open(packet) as pdf:
        number = pdf.pages[0].obj.objgen[0]
        parent = pdf.pages[0].obj.Parent.objgen[0]
    path = revised(packet, number, b"<< /Type /Page /Contents [] /Parent %d 0 R >>" % parent)

    assert failed(path) == {"revisions", "pages"}
    assert faults("revisions", path) == [
        "成卷以后文件被修订过 1 次，却没有电子签名。",
        f"对象 {number} 被后来的修订替换：显示出来的内容可能不是成卷时的内容。",
    ]


def test_a_sealed_record_is_said_and_is_no_fault(tmp_path):
    def seal(members):
        at("evidence", 0, "sentence", value=None)(members)
        at("evidence", 0, "sealed", value=True)(members)

    path = make_packet(tmp_path, with_manifest(seal))[0]

    assert failed(path) == set()
    assert [str(note) for note in check("sealed", path).notes] == ["佐证 E1 的内容已按规定封存，只留校验值。"]


# ---------------------------------------------------------------- signed


@pytest.mark.parametrize("object_streams", [True, False])
def test_a_signature_changes_no_page_and_is_left_to_others_to_check(tmp_path, object_streams):
    path = signed(make_packet(tmp_path, Recipe(object_streams=object_streams))[0])
    result = check_packet([path])

    assert failed(path) == set()
    assert result.signed
    assert check("signature", path).outcome == PASSED
    assert check("validity", path).outcome == NOT_CHECKED


def test_two_signatures_pass(packet):
    assert failed(signed(signed(packet), "Second")) == set()


def test_what_was_added_behind_a_signature_is_named(packet):
    path = signed(packet)
    with pikepdf.open(path) as pdf:
        number = pdf.pages[1].obj.Contents[1].objgen[0]
    later = revised(path, number, b"<< /Length 5 >>\nstream\n0 0 m\nendstream")

    assert failed(later) == {"signature", "revisions", "pages"}
    assert faults("pages", later) == ["第 2 页被改动：内容与清单所列的校验值不符。"]


def test_a_signature_that_is_cut_out_of_its_range_is_named(packet):
    path = signed(packet)
    path.write_bytes(path.read_bytes().replace(b"/ByteRange [0 ", b"/ByteRange [1 "))

    assert faults("signature", path) == ["文件被重新保存或改写，签名已失效。"]


def test_a_signature_that_shows_over_a_page_is_named(packet):
    path = signed(packet)
    path.write_bytes(path.read_bytes().replace(b"/Rect [ 0 0 0 0 ]", b"/Rect [ 0 0 9 9 ]"))

    assert {"annotations", "pages"} <= failed(path)
