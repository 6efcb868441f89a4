"""Joins the structure trees of the parts of a book: each part's document becomes a part of the book's one document."""

from __future__ import annotations

from collections.abc import Sequence

from pikepdf import Array, Dictionary, Name, Object, Pdf, String


class StructureBinder:
    """Grows the structure tree of a book, and the tree by which pages and annotations find their elements."""

    def __init__(self, book: Pdf) -> None:
        self.book = book
        self.document = book.make_indirect(Dictionary(Type=Name.StructElem, S=Name.Document, K=Array()))
        self.finders = Array()
        self.next_key = 0
        self.parts = 0
        self.named: set[str] = set()  # the files whose own names no other part has

    def add(self, source: Pdf, pages: Sequence[Object], *, title: str) -> None:
        """Take the tree of `source`, whose pages were copied to `pages` of the book just before."""
        self.parts += 1
        if "/TrkNamed" in source.Root and source.filename not in self.named:
            self.named.add(source.filename)
        else:
            _make_names_unique(source, f"{self.parts}-")
        root = self.book.copy_foreign(source.Root.StructTreeRoot)
        for element in root.K.as_list():
            element.P = self.document
            element.S = Name.Part
            element.T = String(title)
            self.document.K.append(element)
        self._shift(root.ParentTree, pages)

    def close(self) -> None:
        """Hang the tree into the book."""
        finder = self.book.make_indirect(Dictionary(Kids=self.finders))
        root = Dictionary(
            Type=Name.StructTreeRoot, K=Array([self.document]), ParentTree=finder, ParentTreeNextKey=self.next_key
        )
        self.book.Root.StructTreeRoot = self.book.make_indirect(root)
        self.document.P = self.book.Root.StructTreeRoot

    def _shift(self, finder: Object, pages: Sequence[Object]) -> None:
        """Give the keys of a part the numbers behind those of the parts before."""
        numbers = finder.Nums.as_list()
        shifted = [key + self.next_key for key in map(int, numbers[::2])]
        pairs = Array([item for pair in zip(shifted, numbers[1::2], strict=True) for item in pair])
        limits = Array([shifted[0], shifted[-1]])
        self.finders.append(self.book.make_indirect(Dictionary(Limits=limits, Nums=pairs)))
        for page in pages:
            page.StructParents = int(page.StructParents) + self.next_key
            for annotation in page.get("/Annots", Array()).as_list():
                annotation.StructParent = int(annotation.StructParent) + self.next_key
        self.next_key = shifted[-1] + 1


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
