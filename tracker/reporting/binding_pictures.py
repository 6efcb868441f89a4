"""Gathers the pictures of all parts of a book in one file, each once, so that they are never in memory together."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from mmap import ACCESS_READ, mmap
from pathlib import Path

import pikepdf
from pikepdf import Dictionary, Name, Object, Pdf

from tracker.reporting.carrier import add_streams, write_empty

_REFERENCE = re.compile(rb"\d+ \d+ R\b")


class PictureBinder:
    """The pictures of the parts, by part and resources, and the file in which they lie."""

    def __init__(self, sources: Iterable[Path], path: Path) -> None:
        """Write the pictures of `sources` to a new PDF `path`, which is to be opened as the book."""
        self._named: list[list[dict[str, int]]] = []
        self._known: dict[bytes, int] = {}
        write_empty(path)
        self._numbers = add_streams(path, self._streams(sources))

    def detach(self, part: int, source: Pdf) -> None:
        """Take the pictures out of a part, that they are not copied with its pages."""
        for resources, named in zip(resources_of(source.pages), self._named[part], strict=False):
            for name in named:
                del resources.XObject[name]

    def attach(self, part: int, book: Pdf, pages: Sequence[pikepdf.Page]) -> None:
        """Name the pictures of a part where its pages in the book look for them."""
        for resources, named in zip(resources_of(pages), self._named[part], strict=False):
            for name, place in named.items():
                resources.XObject[name] = book.get_object(self._numbers[place], 0)

    def _streams(self, sources: Iterable[Path]) -> Iterator[tuple[bytes, Iterator[bytes]]]:
        for path in sources:
            self._named.append([])
            if not _may_show_pictures(path):
                continue
            with pikepdf.open(path) as source:
                for resources in resources_of(source.pages):
                    self._named[-1].append({})
                    yield from self._new(resources, self._named[-1][-1])

    def _new(self, resources: Object, named: dict[str, int]) -> Iterator[tuple[bytes, Iterator[bytes]]]:
        """Yield those pictures of the resources that were not seen before."""
        for name, entries, content in _pictures(resources):
            digest = hashlib.sha256(entries + b"\0" + content).digest()
            if digest not in self._known:
                self._known[digest] = len(self._known)
                yield entries, iter((content,))
            named[name] = self._known[digest]


def _may_show_pictures(path: Path) -> bool:
    """Tell whether a file can have pictures: their dictionaries always lie open. To ask is quicker than to parse."""
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        return content.find(b"/Image") >= 0


def resources_of(pages: Iterable[pikepdf.Page]) -> Iterator[Object]:
    """Yield the resources of the pages, those that pages have in common once."""
    seen = set()
    for page in pages:
        resources = page.obj.Resources
        if resources.objgen not in seen:
            yield resources
        if resources.is_indirect:
            seen.add(resources.objgen)


def _pictures(resources: Object) -> Iterator[tuple[str, bytes, bytes]]:
    """Yield name, entries and bytes of each picture that needs nothing beside itself."""
    named: Mapping[str, Object] = dict(resources.get("/XObject", Dictionary()).items())
    for name, picture in sorted(named.items()):
        if picture.get("/Subtype") != Name.Image:
            continue
        own = Dictionary({key: entry for key, entry in picture.items() if key != "/Length"})
        entries = own.unparse()[2:-2]
        if not _REFERENCE.search(entries):
            yield name, entries, picture.read_raw_bytes()
