"""The strict reader: it reads what is right as other programs do, and stops at whatever is not, within bounds."""

from __future__ import annotations

import hashlib
import time
import zlib
from decimal import Decimal

import pikepdf
import pytest
from pikepdf import Array, Dictionary, Name
from weasyprint import HTML

from tests.packets import Recipe, make_packet
from tracker.domain.packet_check.content import page_contents
from tracker.domain.packet_check.parser import Damaged, Real, Ref, parse
from tracker.domain.packet_check.parser import Name as PdfName
from tracker.domain.packet_check.reader import PdfReader, opened

OBJECTS = [
    (b"null ", None),
    (b"true]", True),
    (b"12 ", 12),
    (b"-007 ", -7),
    (b"+.50 ", Real("0.5")),
    (b"-1.250 ", Real("-1.25")),
    (b"4.00 ", 4),
    (b"-0.0 ", 0),
    (b"/A#20b ", PdfName("A b")),
    (b"/ ", PdfName("")),
    (rb"(a\(b\)(c)\101\n\\ \z)", b"a(b)(c)A\n\\ z"),
    (b"(a\\\nb\r\nc)", b"ab\nc"),
    (b"<4 1 4>", b"A@"),
    (b"12 0 R ", Ref(12, 0)),
    (b"[1 2 3 0 R]", [1, 2, Ref(3, 0)]),
    (b"<</A[1(x)]/B<</C null>>>>", {"A": [1, b"x"], "B": {"C": None}}),
    (b"%note\n [ % more\n 1]", [1]),
]


@pytest.mark.parametrize(("written", "value"), OBJECTS)
def test_an_object_is_read_as_the_standard_has_it(written, value):
    found, _ = parse(written, 0)

    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "written",
    [
        b"",
        b"<</A 1",
        b"[1",
        b"]",
        b"<<1 2>>",
        b"<</A 1/A 2>>",
        b"<</A>>",
        b"(x",
        b"(" * 99 + b")" * 99,
        b"<4x>",
        b"nul",
        b"1" * 50,
        b"[1>>",
    ],
)
def test_what_is_no_object_is_refused(written):
    with pytest.raises(Damaged):
        parse(written, 0)


@pytest.mark.parametrize(
    "written", [b"[" * 100_000, b"<</A" * 100_000, b" " * 5_000_000 + b"x", b"[" + b"0 " * 3_000_000]
)
def test_an_object_without_end_is_refused_soon(written):
    start = time.process_time()

    with pytest.raises(Damaged):
        parse(written, 0)
    assert time.process_time() - start < 20


# ---------------------------------------------------------------- files that are made to do harm


def pdf_of(*objects, trailer=b"/Root 1 0 R", size=None):
    """A PDF with a classic table of these objects, numbered from 1."""
    data, places = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    return (
        data
        + head
        + table
        + b"trailer <<%s/Size %d>>\nstartxref\n%d\n%%%%EOF\n"
        % (
            trailer,
            len(objects) + 1 if size is None else size,
            len(data),
        )
    )


def stream(body, entries=b""):
    return b"<</Length %d%s>>\nstream\n%s\nendstream" % (len(body), entries, body)


CATALOG, PAGES = b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>"
USING = b"<</Type/Page/Parent 2 0 R/Resources<</XObject %s>>/Contents 5 0 R>>"
HOSTILE = {
    "a tree of pages that holds itself": pdf_of(CATALOG, b"<</Type/Pages/Kids[2 0 R]>>"),
    "a page twice": pdf_of(CATALOG, b"<</Type/Pages/Kids[3 0 R 3 0 R]>>", b"<</Type/Page/Parent 2 0 R>>"),
    "a length that is its own stream": pdf_of(
        CATALOG, PAGES, b"<</Type/Page/Parent 2 0 R/Contents 4 0 R>>", b"<</Length 4 0 R>>\nstream\nx\nendstream"
    ),
    "resources that hold themselves": pdf_of(
        CATALOG, PAGES, USING % b"<</X 4 0 R>>", b"<</A 4 0 R/B 4 0 R>>", stream(b"/X Do")
    ),
    "contents that are no stream": pdf_of(CATALOG, PAGES, b"<</Type/Page/Parent 2 0 R/Contents 1 0 R>>"),
    "a reference that is an object": pdf_of(CATALOG, PAGES, b"4 0 R", b"5 0 R", b"<</Type/Page/Parent 2 0 R>>"),
    "a table before itself": pdf_of(CATALOG, PAGES, trailer=b"/Root 1 0 R/Prev 9"),
    "a table that is its own predecessor": pdf_of(CATALOG, PAGES, trailer=b"/Root 1 0 R/Prev 126"),
    "no root": pdf_of(CATALOG, trailer=b"/Root 9 0 R"),
    "a root that is a number": pdf_of(b"7"),
    "bytes behind the end": pdf_of(CATALOG, PAGES, b"<</Type/Page/Parent 2 0 R>>") + b"\n",
    "bytes before the beginning": b"x" + pdf_of(CATALOG, PAGES, b"<</Type/Page/Parent 2 0 R>>"),
}


@pytest.mark.parametrize("case", sorted(HOSTILE))
def test_a_file_that_is_made_to_do_harm_is_refused(tmp_path, case):
    path = tmp_path / "hostile.pdf"
    path.write_bytes(HOSTILE[case])

    with pytest.raises(Damaged) as found:
        page_contents(path)
    assert isinstance(found.value.where, int)


def test_a_file_without_such_faults_is_read(tmp_path):
    path = tmp_path / "plain.pdf"
    path.write_bytes(pdf_of(CATALOG, PAGES, b"<</Type/Page/Parent 2 0 R>>"))

    assert len(page_contents(path)) == 1


def test_a_table_that_inflates_without_end_is_refused():
    packed = zlib.compress(b"\x00" * 80_000_000)
    entries = b"/Type/XRef/W[1 2 1]/Size 20000000/Root 1 0 R/Filter/FlateDecode"
    data = b"%PDF-1.7\n1 0 obj\n" + stream(packed, entries) + b"\nendobj\nstartxref\n9\n%%EOF\n"

    with pytest.raises(Damaged, match="过大"):
        PdfReader(data)


def test_objects_that_lie_in_one_another_are_refused_soon(tmp_path):
    count, data, places = 30_000, b"%PDF-1.7\n", []
    head = [
        CATALOG,
        PAGES,
        b"<</Type/Page/Parent 2 0 R/Resources[%s]>>" % b" ".join(b"%d 0 R" % n for n in range(4, count)),
    ]
    for number, body in enumerate(head, start=1):
        places.append(len(data))
        data += b"%d 0 obj%s endobj\n" % (number, body)
    for number in range(4, count):
        places.append(len(data))
        data += b"%d 0 obj %%" % number
    data += b"\nnull endobj\n"
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer<</Root 1 0 R/Size 30000>>\nstartxref\n%d\n%%%%EOF\n" % len(data)
    path = tmp_path / "nested.pdf"
    path.write_bytes(data + b"xref\n0 %d\n0000000000 65535 f \n%s" % (count, table) + end)

    start = time.process_time()
    with opened(path) as reader, pytest.raises(Damaged):
        list(reader.every_object())
    assert time.process_time() - start < 20


def test_layers_of_shared_objects_take_no_more_time_than_there_are_objects(tmp_path):
    layers = [b"<</A %d 0 R/B %d 0 R>>" % (number, number) for number in range(7, 51)]
    path = tmp_path / "layers.pdf"
    objects = [USING % b"<</X 4 0 R>>", b"<</A 6 0 R>>", stream(b"/X Do"), *layers, b"<<>>"]
    path.write_bytes(pdf_of(CATALOG, PAGES, *objects))
    start = time.process_time()

    assert len(page_contents(path)) == 1
    assert time.process_time() - start < 20


# ---------------------------------------------------------------- the digest, made in another way


class Oracle:
    """The page content digest of `docs/packet.md`, by another reader of PDF."""

    def __init__(self, pdf):
        self.pages = {page.obj.objgen: number for number, page in enumerate(pdf.pages)}

    def page(self, page):
        apart = {"/Annots", "/Contents", "/Parent", "/Resources", "/StructParents", "/Type"}
        contents = page.obj.get("/Contents", [])
        contents = [contents] if isinstance(contents, pikepdf.Stream) else contents
        parts = [part for part in contents if "/TrkStamp" not in part]
        tokens = {name.encode()[1:]: self.token(value) for name, value in page.obj.items() if name not in apart}
        tokens[b"Contents"] = self.sha(self.members(self.token(part) for part in parts))
        if len(page.obj.get("/Annots", [])):
            tokens[b"Annots"] = self.sha(self.members(self.annotation(one) for one in page.obj.Annots))
        used = {str(word) for part in parts for one in pikepdf.parse_content_stream(part) for word in self.names(one)}
        resources = {}
        for name, value in page.obj.get("/Resources", {}).items():
            taken = {k.encode()[1:]: self.token(v) for k, v in value.items() if k in used}
            if taken:
                resources[name.encode()[1:]] = self.sha(self.dictionary(taken))
        if resources:
            tokens[b"Resources"] = self.sha(self.dictionary(resources))
        return self.sha(self.dictionary(tokens)).decode()

    def names(self, instruction):
        return [operand for operand in instruction.operands if isinstance(operand, Name)]

    def annotation(self, value):
        kept = {k.encode()[1:]: self.token(v) for k, v in value.items() if k not in {"/P", "/Parent", "/StructParent"}}
        return self.sha(self.dictionary(kept))

    def token(self, value):
        if isinstance(value, pikepdf.Object) and value.objgen in self.pages:
            return b"page:%d" % self.pages[value.objgen]
        if isinstance(value, Array):
            return self.sha(self.members(self.token(member) for member in value))
        if isinstance(value, pikepdf.Stream):
            raw = hashlib.sha256(value.read_raw_bytes()).hexdigest().encode()
            return self.sha(self.dictionary(self.entries(value)) + b"stream:" + raw)
        if isinstance(value, Dictionary):
            return self.sha(self.dictionary(self.entries(value)))
        return self.scalar(value)

    def entries(self, value):
        drop = {"/Length"} if isinstance(value, pikepdf.Stream) else set()
        return {name.encode()[1:]: self.token(member) for name, member in value.items() if name not in drop}

    def scalar(self, value):
        if isinstance(value, bool):
            return b"true" if value else b"false"
        if isinstance(value, int | Decimal):
            text = format(value, "f") if isinstance(value, Decimal) else str(value)
            return (text.rstrip("0").rstrip(".") if "." in text else text).encode()
        if isinstance(value, Name):
            name = str(value).encode()[1:]
            return b"/%d:%s" % (len(name), name)
        return b"(%d:%s" % (len(bytes(value)), bytes(value))

    def members(self, tokens):
        return b"[" + b"".join(token + b" " for token in tokens) + b"]"

    def dictionary(self, tokens):
        entries = (b"/%d:%s %s " % (len(name), name, token) for name, token in sorted(tokens.items()))
        return b"<" + b"".join(entries) + b">"

    def sha(self, data):
        return hashlib.sha256(data).hexdigest().encode()


@pytest.mark.parametrize("object_streams", [True, False])
def test_a_stamped_page_has_the_digest_that_another_reader_makes(tmp_path, object_streams):
    path = make_packet(tmp_path, Recipe(object_streams=object_streams))[0]
    with pikepdf.open(path) as pdf:
        expected = [Oracle(pdf).page(page) for page in pdf.pages]

    assert [page.content for page in page_contents(path)] == expected


def test_a_rendered_page_has_the_digest_that_another_reader_makes(tmp_path):
    path = tmp_path / "rendered.pdf"
    first = '<h1 id=a>督查</h1><p style="break-after: page">一<a href="#a">二</a>'
    HTML(string=f'<html lang=zh>{first}<p style="border: 0.3pt solid">三').write_pdf(path, pdf_tags=True)
    with pikepdf.open(path) as pdf:
        expected = [Oracle(pdf).page(page) for page in pdf.pages]

    assert [page.content for page in page_contents(path)] == expected
    with opened(path) as reader:
        assert len(list(reader.every_object())) > 10
