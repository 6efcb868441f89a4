"""The content digest of a page: what is seen on it, before the stamp is added (`docs/packet.md`, "Page content")."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tracker.domain.packet_check.parser import Damaged, Name, Real, Ref, Stream
from tracker.domain.packet_check.reader import Page, PdfReader, opened
from tracker.domain.text import _n

LEFT_OUT = frozenset({"Length", "Parent", "P", "StructParent", "StructParents"})
STAMP = "Trk"  # what the names of everything begin with that the stamp brings along
TAKEN = ("CropBox", "MediaBox", "Rotate")
DEEPEST_PAGE = 60
MOST_PARTS = 1_000  # streams that the content of a page is made of


@dataclass(frozen=True)
class PageContent:
    """A page's content digest, and the digest of the stamp on it (None: there is no stamp)."""

    content: str
    stamp: str | None


def page_contents(path: Path) -> list[PageContent]:
    """The digests of all pages of a file, in their order. Raises Damaged; OSError where it cannot be opened."""
    with opened(path) as reader:
        return list(page_digests(reader))


def page_digests(reader: PdfReader) -> Iterator[PageContent]:
    """The digests of all pages of a file, in their order. Raises Damaged."""
    pages = reader.pages()
    digests = PageDigests(reader, pages)
    yield from (digests.of(page) for page in pages)


class PageDigests:
    """Digests of the pages of one file; what pages share is hashed once."""

    def __init__(self, reader: PdfReader, pages: list[Page]) -> None:
        self.reader = reader
        self._numbers = {page.ref: number for number, page in enumerate(pages)}
        self._known: dict[Ref, bytes] = {}
        self._resources: dict[Ref, bytes | None] = {}

    def of(self, page: Page) -> PageContent:
        """The digests of one page. Raises Damaged."""
        own, stamps = self._contents(page)
        tokens = {name: self._token(page.entries[name]) for name in TAKEN if self._stands(page.entries.get(name))}
        tokens["Contents"] = _sha256(_array(map(self._token, own))).encode()
        annotations = [annotation for annotation in self.annotations(page) if not self.is_unseen_signature(annotation)]
        if annotations:
            tokens["Annots"] = _sha256(_array(map(self._token, annotations))).encode()
        resources = self._resources_token(page.entries.get("Resources"))
        if resources is not None:
            tokens["Resources"] = resources
        return PageContent(_sha256(_dictionary(tokens)), self._stamp(stamps))

    def annotations(self, page: Page) -> list[object]:
        """The annotations on a page, as they stand in its array."""
        return self.reader.array(page.entries.get("Annots"))

    def is_unseen_signature(self, annotation: object) -> bool:
        """Whether an annotation is the field of a signature that takes no room on the page."""
        entries = self.reader.dictionary(annotation)
        area = self.reader.array(entries.get("Rect"))
        unseen = len(area) == 4 and (area[0] == area[2] or area[1] == area[3])
        return unseen and entries.get("Subtype") == "Widget" and entries.get("FT") == "Sig"

    def _contents(self, page: Page) -> tuple[list[object], list[Stream]]:
        """The content streams of a page: its own, and the stamps."""
        whole = page.entries.get("Contents")
        found = self.reader.resolved(whole)
        parts = found if isinstance(found, list) else [whole] if found is not None else []
        if len(parts) > MOST_PARTS:
            raise Damaged(self.reader.where(page.ref), _n("页面内容分成了太多段。"))
        streams = [(part, self.reader.stream(part)) for part in parts]
        stamps = [stream for _, stream in streams if "TrkStamp" in stream.entries]
        return [part for part, stream in streams if "TrkStamp" not in stream.entries], stamps

    def _stamp(self, stamps: list[Stream]) -> str | None:
        if len(stamps) > 1:
            raise Damaged(stamps[1].start, _n("一页上有不止一个页边标识。"))
        return self._hashed(stamps[0]) if stamps else None

    def _resources_token(self, value: object) -> bytes | None:
        """The token of a page's resources; None where nothing is left of them without those of the stamp."""
        if isinstance(value, Ref) and value in self._resources:
            return self._resources[value]
        tokens: dict[str, bytes] = {}
        for name, member in self.reader.dictionary(value).items():
            if self._is_left_out(name, member):
                continue
            inner = self.reader.resolved(member)
            if not isinstance(inner, dict) or self._kept(inner):
                tokens[name] = self._token(member)
        token = _sha256(_dictionary(tokens)).encode() if tokens else None
        if isinstance(value, Ref):
            self._resources[value] = token
        return token

    # ------------------------------------------------------------ D and S of `docs/packet.md`

    def _token(self, value: object, depth: int = 0) -> bytes:
        """`D` of an array, a dictionary or a stream; `S` of anything else; `page:N` for a page."""
        if depth > DEEPEST_PAGE:
            raise Damaged(self.reader.where(value), _n("对象嵌套过深，或者互相引用。"))
        if not isinstance(value, Ref):
            return self._written(value, depth)
        if value in self._numbers:
            return b"page:%d" % self._numbers[value]
        if value not in self._known:
            token = self._written(self.reader.resolved(value), depth)
            if len(token) > 64:  # a long string: not worth keeping
                return token
            self._known[value] = token
        return self._known[value]

    def _written(self, value: object, depth: int) -> bytes:
        if isinstance(value, list):
            return _sha256(_array(self._token(member, depth + 1) for member in value)).encode()
        if isinstance(value, dict):
            return _sha256(self._entries(value, depth)).encode()
        if isinstance(value, Stream):
            text = self._entries(value.entries, depth) + b"stream:" + self._hashed(value).encode()
            return _sha256(text).encode()
        return _scalar(value)

    def _entries(self, entries: dict[str, object], depth: int) -> bytes:
        return _dictionary({name: self._token(value, depth + 1) for name, value in self._kept(entries).items()})

    def _kept(self, entries: dict[str, object]) -> dict[str, object]:
        return {name: value for name, value in entries.items() if not self._is_left_out(name, value)}

    def _is_left_out(self, name: str, value: object) -> bool:
        return name in LEFT_OUT or name.startswith(STAMP) or not self._stands(value)

    def _stands(self, value: object) -> bool:
        """Whether an entry is there at all: one whose value is null is not."""
        if isinstance(value, Ref) and (value in self._known or value in self._numbers):
            return self._known.get(value) != b"null"
        return self.reader.resolved(value) is not None

    def _hashed(self, stream: Stream) -> str:
        """SHA-256 of a stream's bytes as they lie in the file."""
        found = hashlib.sha256()
        for piece in self.reader.raw(stream):
            found.update(piece)
        return found.hexdigest()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _array(tokens: Iterator[bytes]) -> bytes:
    return b"[" + b"".join(token + b" " for token in tokens) + b"]"


def _dictionary(tokens: dict[str, bytes]) -> bytes:
    return b"<" + b"".join(_scalar(Name(name)) + b" " + tokens[name] + b" " for name in sorted(tokens)) + b">"


def _scalar(value: object) -> bytes:
    if isinstance(value, Name):
        return b"/%d:%s" % (len(value), value.encode("latin-1"))
    if isinstance(value, bytes):
        return b"(%d:%s" % (len(value), value)
    if isinstance(value, Real):
        return value.encode("ascii")
    if isinstance(value, bool):
        return b"true" if value else b"false"
    return b"null" if value is None else str(value).encode("ascii")
