"""The structure of a part comes into a book as it was, whether its text is taken over or it is parsed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pikepdf
import pydyf
import pytest

from tracker.reporting.binding import Part, bind

MOMENT = datetime(2026, 11, 20, tzinfo=UTC)
ADDRESS = "https://packet.invalid/#elsewhere"
SEEMING = "7 0 R (8 0 R) \\ 9 0 R"  # a text in which references seem to stand


def write_part(path: Path, *, title: str, link: str = "https://example.org/", separator: str = "") -> Path:
    """Write a page with a heading, a cell and a link as the children of the press do, and a span that nothing names."""
    pdf = pydyf.PDF()
    page = pydyf.Dictionary({"Type": "/Page", "Parent": pdf.pages.reference, "MediaBox": pydyf.Array([0, 0, 200, 200])})
    stream, note = pydyf.Stream([b"/H1 <</MCID 0>> BDC EMC"]), pydyf.Dictionary({"Type": "/Annot", "Subtype": "/Link"})
    note |= {"Rect": pydyf.Array([0, 0, 9, 9]), "StructParent": 1, "A": pydyf.Dictionary({"URI": pydyf.String(link)})}
    names = ("root", "document", "heading", "cell", "anchor", "span", "finder")
    root, document, heading, cell, anchor, span, finder = things = [pydyf.Dictionary() for _ in names]
    for thing in (stream, note, page, *things):
        pdf.add_object(thing)
    page |= {"Contents": stream.reference, "Resources": pydyf.Dictionary(), "StructParents": 0}
    page["Annots"] = pydyf.Array([note.reference])
    pdf.pages["Kids"].extend([page.number, 0, "R"])
    pdf.pages["Count"] = 1
    object_reference = pydyf.Dictionary({"Type": "/OBJR", "Obj": note.reference, "Pg": page.reference})
    for element, kind, kids, above in (
        (document, "/Document", [each.reference for each in (heading, cell, anchor)], root),
        (heading, "/H1", [0], document),
        (cell, "/TD", [1], document),
        (anchor, "/Link", [object_reference, 2], document),
        (span, "/Span", [2], anchor),
    ):
        element |= {"Type": "/StructElem", "S": kind, "K": pydyf.Array(kids), "P": above.reference}
        if element is not document:
            element["Pg"] = page.reference
    heading["Alt"] = pydyf.String(title + separator)
    cell |= {"ID": pydyf.String("own-1"), "A": pydyf.Dictionary({"O": "/Table"})}
    found = pydyf.Array([heading.reference, cell.reference, anchor.reference])
    finder["Nums"] = pydyf.Array([0, found, 1, anchor.reference])
    root |= {"Type": "/StructTreeRoot", "ParentTree": finder.reference, "K": pydyf.Array([document.reference])}
    pdf.catalog |= {"StructTreeRoot": root.reference, "TrkNamed": "true"}
    with path.open("wb") as file:
        pdf.write(file)
    return path


def bound(parts: list[Path], target: Path) -> Path:
    listed = [Part(pdf=path, anchor=f"p{number}", title=f"第{number}部分") for number, path in enumerate(parts)]
    bind(listed, target, title="卷", language="zh-CN", created=MOMENT, identifier="1")
    return target


def told(part: pikepdf.Object, book: pikepdf.Pdf) -> list[object]:
    """What the elements of a part say, with the pages and links that they are of."""
    pages = [page.obj.objgen for page in book.pages]
    facts: list[object] = []
    for element in part.K.as_list():
        assert element.P.objgen == part.objgen
        kids = [kid if isinstance(kid, int) else kid.Obj.objgen == link_of(book, kid).objgen for kid in element.K]
        identifier = str(element.get("/ID", "")).rpartition("own")[1:]
        facts.append((str(element.S), str(element.get("/Alt", "")), identifier, kids, pages.index(element.Pg.objgen)))
    return facts


def link_of(book: pikepdf.Pdf, kid: pikepdf.Object) -> pikepdf.Object:
    return next(page.obj.Annots[0] for page in book.pages if page.obj.objgen == kid.Pg.objgen)


@pytest.mark.parametrize("title", ["标题", "Heading", SEEMING])
def test_text_that_is_taken_over_says_what_parsing_finds(title, tmp_path):
    part = write_part(tmp_path / "part.pdf", title=title)
    # The second time its names are not its own any more, so its elements are parsed and changed.
    with pikepdf.open(bound([part, part], tmp_path / "book.pdf")) as book:
        taken, parsed = (told(each, book) for each in book.Root.StructTreeRoot.K[0].K.as_list())
        assert [fact[:-1] for fact in taken] == [fact[:-1] for fact in parsed]
        assert [[fact[-1] for fact in each] for each in (taken, parsed)] == [[0] * 3, [1] * 3]
        assert taken[0] == ("/H1", title, ("", ""), [0], 0)
        assert taken[2] == ("/Link", "", ("", ""), [True, 2], 0)


def test_names_stay_unique_where_a_file_comes_twice(tmp_path):
    part = write_part(tmp_path / "part.pdf", title="标题")
    with pikepdf.open(bound([part, part], tmp_path / "book.pdf")) as book:
        cells = [each.K[1] for each in book.Root.StructTreeRoot.K[0].K.as_list()]
        assert [str(cell.ID) for cell in cells] == ["own-1", "2-own-1"]


def test_an_element_that_nothing_leads_to_is_left_behind(tmp_path):
    part = write_part(tmp_path / "part.pdf", title="标题")
    with pikepdf.open(bound([part], tmp_path / "book.pdf")) as book:
        spans = [each for each in book.objects if isinstance(each, pikepdf.Dictionary) and each.get("/S") == "/Span"]
        assert spans == []


def test_a_text_that_seems_to_end_an_object_ends_none(tmp_path):
    forged = "\nendobj\n11 0 obj\n<</Type /StructElem/S /Span/K [0]/P 7 0 R>>"
    part = write_part(tmp_path / "part.pdf", title="Heading", separator=forged)
    with pikepdf.open(bound([part], tmp_path / "book.pdf")) as book:
        [only] = book.Root.StructTreeRoot.K[0].K.as_list()
        assert told(only, book)[0] == ("/H1", "Heading" + forged, ("", ""), [0], 0)


def test_a_link_that_is_taken_out_leaves_its_text(tmp_path):
    part = write_part(tmp_path / "part.pdf", title="标题", link=ADDRESS)
    with pikepdf.open(bound([part], tmp_path / "book.pdf")) as book:
        [only] = book.Root.StructTreeRoot.K[0].K.as_list()
        assert told(only, book)[2] == ("/Span", "", ("", ""), [2], 0)
        assert "/Annots" not in book.pages[0].obj
        finder = book.Root.StructTreeRoot.ParentTree.Kids[0].Nums.as_list()
        assert [each.S for each in finder[1].as_list()] == ["/H1", "/TD", "/Span"]


def test_a_book_is_read_without_repair(tmp_path):
    parts = [write_part(tmp_path / f"{number}.pdf", title=str(number)) for number in range(3)]
    path = bound(parts, tmp_path / "book.pdf")
    with pikepdf.open(path) as book:
        assert book.check_pdf_syntax() == []
        assert int(book.Root.StructTreeRoot.ParentTreeNextKey) == 6
    assert bound(parts, tmp_path / "again.pdf").read_bytes() == path.read_bytes()
