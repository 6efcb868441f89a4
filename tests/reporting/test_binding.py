"""A book bound of parts: it looks as its parts do, is found in as a whole, and is a PDF/A."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pikepdf
import pytest

from tests import verapdf
from tests.reporting.printed import Printed
from tests.reporting.volumes import Volume, volume
from tracker.reporting.binding import Part


@pytest.fixture(scope="module")
def made() -> Volume:
    return volume()


@pytest.fixture(scope="module")
def book(made: Volume) -> Iterator[pikepdf.Pdf]:
    with pikepdf.open(made.book) as opened:
        yield opened


def pictures_of(path: Path, folder: Path) -> list[bytes]:
    """Every page of a PDF as dots."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["pdftoppm", "-r", "50", path, folder / path.stem], check=True)
    return [picture.read_bytes() for picture in sorted(folder.glob(f"{path.stem}-*.ppm"))]


def number_of(book: pikepdf.Pdf, page: pikepdf.Object) -> int:
    return next(number for number, one in enumerate(book.pages, 1) if one.obj.objgen == page.objgen)


def links_of(page: pikepdf.Page) -> list[pikepdf.Object]:
    return list(page.obj.get("/Annots", pikepdf.Array()).as_list())


def elements(element: pikepdf.Object) -> Iterator[pikepdf.Object]:
    """The element and all below it."""
    yield element
    for kid in element.get("/K", pikepdf.Array()).as_list():
        if isinstance(kid, pikepdf.Dictionary) and "/S" in kid:
            yield from elements(kid)


def test_a_book_is_a_pdf_a(made):
    assert verapdf.validate(made.book) == []
    assert "No syntax or stream encoding errors" in Printed(made.book).check()


def test_the_same_parts_give_the_same_bytes(made, tmp_path):
    made.bind_to(tmp_path / "again.pdf")
    assert (tmp_path / "again.pdf").read_bytes() == made.book.read_bytes()


def test_its_pages_are_told_in_their_order(made, tmp_path):
    pages = made.bind_to(tmp_path / "book.pdf")
    assert pages == [
        (0, 0, False), (1, 0, False), (1, 1, False), (1, 2, True), (2, 0, False), (2, 1, False), (2, 2, True),
        (3, 0, False), (3, 1, True), (3, 2, False), (3, 3, False),
    ]  # fmt: skip


def test_every_page_looks_as_it_did_in_its_part(made, tmp_path):
    apart = [picture for part in made.parts for picture in pictures_of(part.pdf, tmp_path)]
    assert pictures_of(made.book, tmp_path) == apart


def test_the_text_is_that_of_the_parts_in_their_order(made):
    assert Printed(made.book).squeezed == "".join(Printed(part.pdf).squeezed for part in made.parts)


def test_what_units_have_in_common_lies_in_the_book_once(made, book):
    rows = Printed(made.book).fonts
    names = [row[0] for row in rows]
    assert len(names) == len(set(names))
    assert {row[-5] for row in rows} == {"yes"}
    assert "Type 3" not in str(rows)
    pictures = [
        thing for thing in book.objects if isinstance(thing, pikepdf.Stream) and thing.get("/Subtype") == "/Image"
    ]
    assert len(pictures) == 1 + 4
    profiles = [thing for thing in book.objects if isinstance(thing, pikepdf.Stream) and "/N" in thing]
    assert 0 < len([profile for profile in profiles if profile.get("/Type") != "/ObjStm"]) <= 2


def test_links_lead_to_the_first_page_of_their_part_or_to_one_behind_it(made, book):
    links = links_of(book.pages[0])
    assert {(str(link.Contents), number_of(book, link.Dest[0])) for link in links} == {
        ("单位一", 2),
        ("单位二", 5),
        ("佐证", 9),
    }
    assert [link for link in links if "/A" in link] == []


def test_a_link_to_another_volume_becomes_text(made, book):
    assert "见外卷" in Printed(made.book).squeezed
    assert all("packet.invalid" not in str(thing.get("/URI", "")) for thing in dictionaries(book))
    spans = [one for one in elements(book.Root.StructTreeRoot.K[0]) if one.S == "/Span"]
    assert len([one for one in spans if is_on(book, one, 1)]) >= 1


def dictionaries(book: pikepdf.Pdf) -> list[pikepdf.Object]:
    return [thing for thing in book.objects if isinstance(thing, pikepdf.Dictionary)]


def is_on(book: pikepdf.Pdf, element: pikepdf.Object, page: int) -> bool:
    return "/Pg" in element and number_of(book, element.Pg) == page


def test_a_link_within_a_part_leads_to_its_own_table(made, book):
    for first in (2, 5):
        targets = {number_of(book, link.Dest[0]) for link in links_of(book.pages[first - 1])}
        assert targets == {first + 1}


def test_the_outline_names_each_part_once_and_what_is_in_it(made, book):
    found = []

    def walk(entry: pikepdf.Object | None, depth: int) -> None:
        while entry is not None:
            found.append((depth, str(entry.Title), number_of(book, entry.Dest[0])))
            walk(entry.get("/First"), depth + 1)
            entry = entry.get("/Next")

    walk(book.Root.Outlines.First, 0)
    assert found == [
        (0, "目录", 1),
        (0, "单位一", 2), (1, "项目学习安排一二三é", 3), (1, "宽表", 4),
        (0, "单位二", 5), (1, "项目学习情况四五六ü", 6), (1, "宽表", 7), (1, "佐证", 8),
    ]  # fmt: skip


def test_each_page_finds_the_elements_that_are_on_it(made, book):
    finders = {}
    for node in book.Root.StructTreeRoot.ParentTree.Kids.as_list():
        numbers = node.Nums.as_list()
        finders |= dict(zip(map(int, numbers[::2]), numbers[1::2], strict=True))
        assert [min(map(int, numbers[::2])), max(map(int, numbers[::2]))] == list(map(int, node.Limits.as_list()))
    for number, page in enumerate(book.pages, 1):
        there = finders[int(page.obj.StructParents)].as_list()
        assert there
        assert {number_of(book, element.Pg) for element in there} == {number}
        for link in links_of(page):
            element = finders[int(link.StructParent)]
            assert element.S == "/Link"
            assert any(
                isinstance(kid, pikepdf.Dictionary) and kid.Obj.objgen == link.objgen for kid in element.K.as_list()
            )


def test_a_cell_finds_the_head_of_its_own_table(made, book):
    everything = list(elements(book.Root.StructTreeRoot.K[0]))
    heads = [str(one.ID) for one in everything if "/ID" in one]
    assert len(heads) == len(set(heads)) == 4
    cells = [[str(head) for head in one.A.Headers.as_list()] for one in everything if one.S == "/TD"]
    assert sorted(head for cell in cells for head in cell) == sorted(heads)


def test_the_parts_of_the_structure_bear_their_titles(made, book):
    document = book.Root.StructTreeRoot.K[0]
    assert [(str(part.S), str(part.T)) for part in document.K.as_list()] == [
        ("/Part", part.title) for part in made.parts
    ]


def test_a_part_may_have_an_entry_above_it(made, tmp_path):
    parts = [replace(made.parts[1], depth=1, above="各单位"), replace(made.parts[2], depth=1)]
    replace(made, parts=parts).bind_to(tmp_path / "book.pdf")
    with pikepdf.open(tmp_path / "book.pdf") as bound:
        top = bound.Root.Outlines.First
        assert (str(top.Title), str(top.First.Title), str(top.Last.Title)) == ("各单位", "单位一", "单位二")
        assert "/Next" not in top


def test_a_file_that_is_no_pdf_is_refused(made, tmp_path):
    (tmp_path / "part.pdf").write_bytes(b"nothing")
    with pytest.raises(pikepdf.PdfError):
        replace(made, parts=[Part(pdf=tmp_path / "part.pdf", anchor="a", title="一")]).bind_to(tmp_path / "book.pdf")
    assert not (tmp_path / "book.pdf").exists()
