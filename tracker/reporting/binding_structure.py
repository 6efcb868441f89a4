"""Joins the structure trees of the parts of a book: each part's document becomes a part of the book's one document.

Elements are by far the most of a book's objects. They are carried over as text, with other numbers in it, and appended
to the file when the numbers of its pages are known; only the few that change are ever parsed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pikepdf
from pikepdf import Array, Dictionary, Name, Object, Pdf, String

from tracker.reporting.carrier import add_objects

_REFERENCE = re.compile(rb"([0-9]+) 0 R\b")
_KIDS = re.compile(rb"/K (\[[^\]]*|[0-9]+ 0 R)")
_DOUBTFUL = re.compile(rb"\([^)]*[0-9] 0 R")  # a string in which a reference seems to stand, where none has a backslash
_STRING = re.compile(rb"(\((?:[^()\\]|\\.)*\))", re.DOTALL)
_ELEMENT = b" 0 obj\n<</Type /StructElem"  # how WeasyPrint begins an element, behind its number
_END = b"\nendobj\n"
_LONGEST_NUMBER, _HEAD = 10, len(b" 0 obj\n")
_BETWEEN = b"\0"  # stands in no text of an object: strings have it escaped


@dataclass(frozen=True, slots=True)
class _Outside:
    """The numbers of what the elements of a file refer to: what is above them, the pages, the annotations of each."""

    above: int
    pages: Sequence[int]
    annotations: Sequence[Sequence[int]]

    def __iter__(self) -> Iterator[int]:
        yield self.above
        yield from self.pages
        for numbers in self.annotations:
            yield from numbers


@dataclass(frozen=True, slots=True)
class _Tree:
    """The structure of a part, with the numbers of its file: which elements there are, and which are the topmost.

    `pieces` are the texts of its finder and of the elements, cut so that every second piece is the number in a
    reference; the finder is its node of the tree by which elements are found.
    """

    elements: Sequence[int]
    tops: Sequence[int]
    pieces: Sequence[bytes]
    outside: _Outside

    def renumbered(self, new: Mapping[int, int]) -> list[bytes]:
        """Return the texts with new numbers."""
        references = {b"%d" % old: b"%d 0 R" % number for old, number in new.items()}
        pieces = [*self.pieces]
        pieces[1::2] = [references[number] for number in pieces[1::2]]
        return b"".join(pieces).split(_BETWEEN)


class StructureBinder:
    """Grows the structure tree of a book, and the tree by which pages and annotations find their elements."""

    def __init__(self, book: Pdf) -> None:
        self.trees: list[_Tree] = []
        self.next_key = 0
        self.named: set[str] = set()  # the files whose own names no other part has
        book.Root.StructTreeRoot = book.make_indirect(Dictionary())  # until `append_to`

    def add(self, source: Pdf, pages: Sequence[Object], *, title: str, is_cut: bool) -> None:
        """Take the tree of `source`, whose pages were copied to `pages` of the book just before.

        `is_cut` says that the tree is not any more as it lies in the file.
        """
        has_own_names = "/TrkNamed" in source.Root and source.filename not in self.named
        self.named.add(source.filename)
        if not has_own_names:
            _make_names_unique(source, f"{len(self.trees) + 1}-")
        found = source.Root.StructTreeRoot.ParentTree.Nums.as_list()
        keys = [int(key) + self.next_key for key in found[::2]]
        finder = _finder(keys, [each.unparse() for each in found[1::2]])
        for top in source.Root.StructTreeRoot.K.as_list():
            top.S, top.T = Name.Part, String(title)
        tree = _written(source, finder) if has_own_names and not is_cut else None
        self.trees.append(tree or _parsed(source, finder))
        self._shift(pages)
        self.next_key = keys[-1] + 1

    def _shift(self, pages: Sequence[Object]) -> None:
        """Give the keys of a part the numbers behind those of the parts before."""
        for page in pages:
            page.StructParents = int(page.StructParents) + self.next_key
            for annotation in page.get("/Annots", Array()).as_list():
                annotation.StructParent = int(annotation.StructParent) + self.next_key

    def append_to(self, path: Path) -> None:
        """Append the tree to the file that the book was saved in."""
        with pikepdf.open(path) as saved:
            here, size = _outside(saved.Root.StructTreeRoot, saved), int(saved.trailer.Size)
        add_objects(path, self._objects(here, size))

    def _objects(self, here: _Outside, size: int) -> Iterator[tuple[int, bytes]]:
        """Yield number and text of each object; new ones have the numbers from `size` on."""
        numbers = count(size)
        document, finder = next(numbers), next(numbers)
        tops, finders, first = [], [], 0
        for tree in self.trees:
            last = first + len(tree.outside.pages)
            outside = _Outside(document, here.pages[first:last], here.annotations[first:last])
            own = [next(numbers) for _ in tree.elements]
            new = dict(zip(tree.outside, outside, strict=True)) | dict(zip(tree.elements, own, strict=True))
            finders.append(next(numbers))
            tops += [new[top] for top in tree.tops]
            yield from zip([finders[-1], *own], tree.renumbered(new), strict=True)
            first = last
        yield document, b"<</Type/StructElem/S/Document/P %d 0 R/K%s>>" % (here.above, _array(tops))
        yield finder, b"<</Kids%s>>" % _array(finders)
        root = b"<</Type/StructTreeRoot/K[%d 0 R]/ParentTree %d 0 R/ParentTreeNextKey %d>>"
        yield here.above, root % (document, finder, self.next_key)


def _array(numbers: Iterable[int]) -> bytes:
    return b"[%s]" % b" ".join(b"%d 0 R" % number for number in numbers)


def _finder(keys: Sequence[int], found: Iterable[bytes]) -> bytes:
    """Return the text of the node of a part in the tree by which elements are found."""
    pairs = b" ".join(b"%d %s" % pair for pair in zip(keys, found, strict=True))
    return b"<</Limits[%d %d]/Nums[%s]>>" % (keys[0], keys[-1], pairs)


def _outside(above: Object, file: Pdf) -> _Outside:
    pages = [page.obj for page in file.pages]
    annotations = [[each.objgen[0] for each in page.get("/Annots", Array()).as_list()] for page in pages]
    return _Outside(above.objgen[0], [page.objgen[0] for page in pages], annotations)


def _written(source: Pdf, finder: bytes) -> _Tree | None:
    """Return the tree with the elements' texts as WeasyPrint wrote them, but for the topmost; None if in doubt.

    Elements that are nobody's kids are left out: part of them are spans that say nothing.
    """
    root = source.Root.StructTreeRoot
    tops = {top.objgen[0]: top.unparse(resolved=True) for top in root.K.as_list()}
    outside = _outside(root, source)
    elements = _texts(Path(source.filename).read_bytes()) | tops
    kids = {*map(int, _REFERENCE.findall(b" ".join(_KIDS.findall(_BETWEEN.join(elements.values())))))}
    used = {number: text for number, text in elements.items() if number in kids or number in tops}
    pieces = _pieces([finder, *used.values()])
    is_whole = {*map(int, set(pieces[1::2]))} <= used.keys() | set(outside)
    return _Tree([*used], [*tops], pieces, outside) if is_whole else None


def _texts(content: bytes) -> dict[int, bytes]:
    """Return the text of each element in a file of WeasyPrint, by its number; none where it cannot be told."""
    whole, _, rest = content.rpartition(_END)
    objects = whole.split(_END)
    if not rest.startswith(b"xref\n") or rest.count(b" n \n") != len(objects):
        return {}
    found = ((text, text.find(_ELEMENT, 0, _LONGEST_NUMBER + len(_ELEMENT))) for text in objects)
    return {int(text[:place]): text[place + _HEAD :] for text, place in found if place > 0}


def _parsed(source: Pdf, finder: bytes) -> _Tree:
    """Return the tree with the texts of the elements, and of all that they lead to, as they are now."""
    root = source.Root.StructTreeRoot
    outside = _outside(root, source)
    tops = [top.objgen[0] for top in root.K.as_list()]
    texts: dict[int, bytes] = dict.fromkeys(outside, b"")
    waiting = [*tops]
    for number in waiting:  # grows while it is walked
        if number not in texts:
            texts[number] = source.get_object(number, 0).unparse(resolved=True)
            waiting += sorted({*map(int, _pieces([texts[number]])[1::2])})
    elements = {number: text for number, text in texts.items() if text}
    return _Tree([*elements], tops, _pieces([finder, *elements.values()]), outside)


def _pieces(texts: Iterable[bytes]) -> list[bytes]:
    """Cut texts at their references: every second piece is a number. What looks like one in a string is none."""
    text = _BETWEEN.join(texts)
    if b"\\" not in text and not _DOUBTFUL.search(text):
        return _REFERENCE.split(text)
    pieces = [b""]
    for place, part in enumerate(_STRING.split(text)):
        first, *others = [part] if place % 2 else _REFERENCE.split(part)
        pieces[-1] += first
        pieces += others
    return pieces


def _make_names_unique(source: Pdf, prefix: str) -> None:
    """Put `prefix` before the names by which the cells of tables refer to their heads."""
    for element in source.objects:
        if not isinstance(element, Dictionary) or "/A" not in element:  # cells have attributes, and little else has
            continue
        if "/ID" in element:
            element.ID = String(prefix + str(element.ID))
        if "/Headers" in element.A:
            element.A.Headers = Array([String(prefix + str(head)) for head in element.A.Headers.as_list()])


def take_out(source: Pdf, annotation: Object) -> None:
    """Take a link that leads nowhere out of the structure: what it was made of becomes a piece of text."""
    numbers = source.Root.StructTreeRoot.ParentTree.Nums.as_list()
    place = next(at for at in range(0, len(numbers), 2) if numbers[at] == annotation.StructParent)
    element = numbers[place + 1]
    element.S = Name.Span
    element.K = Array([kid for kid in element.K.as_list() if not _refers_to(kid, annotation)])


def _refers_to(kid: Object | int, annotation: Object) -> bool:
    return isinstance(kid, Dictionary) and "/Obj" in kid and kid.Obj.objgen == annotation.objgen
