"""The outline of a book: an entry for each part, and under it the outline that the part brought along."""

from __future__ import annotations

from dataclasses import dataclass, field

from pikepdf import Array, Dictionary, Name, Object, Pdf, String


@dataclass
class _Entry:
    """An entry with its depth, its own entries of the part, and the entries of parts that are deeper."""

    item: Object
    depth: int
    children: list[Object] = field(default_factory=list)


class OutlineBinder:
    """Collects the entries in the order of the pages."""

    def __init__(self, book: Pdf) -> None:
        self.book = book
        self.entries: list[_Entry] = []

    def add(self, source: Pdf, first_page: Object, *, title: str, depth: int) -> None:
        """Take a part that begins on `first_page` of the book. Its pages were copied from `source` just before."""
        item = self.book.make_indirect(Dictionary(Title=String(title), Dest=top_of(first_page)))
        self.entries.append(_Entry(item, depth, _own_entries(self.book, source, title)))

    def open(self, page: Object, *, title: str, depth: int) -> None:
        """Begin an entry that stands over the parts which follow."""
        item = self.book.make_indirect(Dictionary(Title=String(title), Dest=top_of(page)))
        self.entries.append(_Entry(item, depth))

    def close(self) -> None:
        """Hang the outline into the book, its first level open, everything below closed."""
        root = self.book.make_indirect(Dictionary(Type=Name.Outlines))
        above = [_Entry(root, -1)]
        for entry in self.entries:
            while above[-1].depth >= entry.depth:
                _close(above.pop())
            above[-1].children.append(entry.item)
            above.append(entry)
        for entry in reversed(above):
            _close(entry)
        root.Count = len(above[0].children)
        self.book.Root.Outlines = root
        self.book.Root.PageMode = Name.UseOutlines  # a reader shows it without being asked


def top_of(page: Object) -> Array:
    """Return the destination: the top of a page, at the reader's own scale."""
    return Array([page, Name.XYZ, 0, page.MediaBox[3], 0])


def _own_entries(book: Pdf, source: Pdf, title: str) -> list[Object]:
    """Return the entries of the part; one that says what the part's title says is passed over for those below it."""
    if "/Outlines" not in source.Root or "/First" not in source.Root.Outlines:
        return []
    entries = _siblings(book.copy_foreign(source.Root.Outlines))
    if len(entries) == 1 and str(entries[0].Title) == title:
        return _siblings(entries[0])
    return entries


def _siblings(parent: Object) -> list[Object]:
    entries = []
    entry = parent.get("/First")
    while entry is not None:
        entries.append(entry)
        entry = entry.get("/Next")
    return entries


def _close(entry: _Entry) -> None:
    """Link the children of a finished entry with it and with each other."""
    children = entry.children
    for place, child in enumerate(children):
        child.Parent = entry.item
        _link(child, "/Prev", children[place - 1] if place else None)
        _link(child, "/Next", children[place + 1] if place + 1 < len(children) else None)
    if children:
        entry.item.First, entry.item.Last = children[0], children[-1]
        entry.item.Count = -len(children)


def _link(child: Object, name: str, neighbour: Object | None) -> None:
    if neighbour is not None:
        child[name] = neighbour
    elif name in child:
        del child[name]
