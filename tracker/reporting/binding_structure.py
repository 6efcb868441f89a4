"""Joins the structure trees of the parts of a book: each part's document becomes a part of the book's one document.

Elements are by far the most of a book's objects. They are carried over as text, with other numbers in it, and appended
to the file when the numbers of its pages are known; only the few that change are ever parsed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, pairwise
from pathlib import Path

import pikepdf
from pikepdf import Array, Dictionary, Name, Object, Pdf, String

from tracker.reporting.carrier import add_objects, places_of

_PIECES = re.compile(rb"(\((?:[^()\\]|\\.)*\))|([0-9]+) 0 R\b", re.DOTALL)  # a string, or a reference
_BEGIN, _END = b"%d 0 obj\n", b"\nendobj\n"
_ELEMENT = b"<</Type /StructElem"  # how WeasyPrint begins an element
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
    """The structure of a part, with the numbers of its file: elements, the topmost of them, and by key who finds which.

    The keys are those of the book.
    """

    elements: Mapping[int, bytes]
    tops: Sequence[int]
    finder: Mapping[int, bytes]
    outside: _Outside


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
        root = source.Root.StructTreeRoot
        tops = root.K.as_list()
        outside = _outside(root, source)
        elements = _written(Path(source.filename), outside) if has_own_names and not is_cut else {}
        if not elements:
            elements = _parsed(source, [top.objgen[0] for top in tops], outside)
        for top in tops:
            top.S, top.T = Name.Part, String(title)
            elements[top.objgen[0]] = top.unparse(resolved=True)
        found = root.ParentTree.Nums.as_list()
        finder = {int(key) + self.next_key: each.unparse() for key, each in zip(found[::2], found[1::2], strict=True)}
        self.trees.append(_Tree(elements, [top.objgen[0] for top in tops], finder, outside))
        self._shift(pages)

    def _shift(self, pages: Sequence[Object]) -> None:
        """Give the keys of a part the numbers behind those of the parts before."""
        for page in pages:
            page.StructParents = int(page.StructParents) + self.next_key
            for annotation in page.get("/Annots", Array()).as_list():
                annotation.StructParent = int(annotation.StructParent) + self.next_key
        self.next_key = max(self.trees[-1].finder) + 1

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
            texts = _renumbered([_finder(tree.finder), *tree.elements.values()], new)
            yield from zip([finders[-1], *own], texts, strict=True)
            first = last
        yield document, b"<</Type/StructElem/S/Document/P %d 0 R/K%s>>" % (here.above, _array(tops))
        yield finder, b"<</Kids%s>>" % _array(finders)
        root = b"<</Type/StructTreeRoot/K[%d 0 R]/ParentTree %d 0 R/ParentTreeNextKey %d>>"
        yield here.above, root % (document, finder, self.next_key)


def _array(numbers: Iterable[int]) -> bytes:
    return b"[%s]" % b" ".join(b"%d 0 R" % number for number in numbers)


def _finder(found: Mapping[int, bytes]) -> bytes:
    """Return the text of the node of a part in the tree by which elements are found."""
    pairs = b" ".join(b"%d %s" % pair for pair in found.items())
    return b"<</Limits[%d %d]/Nums[%s]>>" % (min(found), max(found), pairs)


def _outside(above: Object, file: Pdf) -> _Outside:
    pages = [page.obj for page in file.pages]
    annotations = [[each.objgen[0] for each in page.get("/Annots", Array()).as_list()] for page in pages]
    return _Outside(above.objgen[0], [page.objgen[0] for page in pages], annotations)


def _written(path: Path, outside: _Outside) -> dict[int, bytes]:
    """Return the texts of the elements as WeasyPrint wrote them, but those that nothing leads to; none if in doubt."""
    content = path.read_bytes()
    places = places_of(content)
    elements: dict[int, bytes] = {}
    for number, (start, end) in enumerate(pairwise(places)):
        begin = start + len(_BEGIN % number)
        if content.startswith(_ELEMENT, begin) and content.endswith(_END, begin, end):
            elements[number] = content[begin : end - len(_END)]
    named = _references(_BETWEEN.join(elements.values()))
    used = {number: text for number, text in elements.items() if number in named}
    return used if named <= elements.keys() | set(outside) else {}


def _parsed(source: Pdf, tops: Iterable[int], outside: _Outside) -> dict[int, bytes]:
    """Return the texts of the elements, and of all that they lead to."""
    texts: dict[int, bytes] = dict.fromkeys(outside, b"")
    waiting = [*tops]
    for number in waiting:  # grows while it is walked
        if number not in texts:
            texts[number] = source.get_object(number, 0).unparse(resolved=True)
            waiting += sorted(_references(texts[number]))
    return {number: text for number, text in texts.items() if text}


def _references(text: bytes) -> set[int]:
    return set(map(int, set(filter(None, _PIECES.split(text)[2::3]))))


def _renumbered(texts: Iterable[bytes], new: Mapping[int, int]) -> list[bytes]:
    """Return the texts with new numbers in their references; what only looks like one, in a string, stays."""
    references = {b"%d" % old: b"%d 0 R" % number for old, number in new.items()}
    pieces: list[bytes | None] = _PIECES.split(_BETWEEN.join(texts))
    pieces[2::3] = [number and references[number] for number in pieces[2::3]]
    return b"".join(filter(None, pieces)).split(_BETWEEN)


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
