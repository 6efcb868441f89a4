"""Papers: a title, blocks of text and tables, and who issues it. The same values become a PDF and an .xlsx."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import takewhile
from typing import Annotated, ClassVar

from tracker.domain.pictures import Picture
from tracker.domain.report import Provenance, Report
from tracker.domain.text import _n

Cell = str | int | Decimal | date | None


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of a section; its number (一、…) stands in the text."""

    kind: ClassVar[str] = "heading"
    text: Annotated[str, _n("小标题")]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A paragraph of text."""

    kind: ClassVar[str] = "paragraph"
    text: Annotated[str, _n("正文")]


@dataclass(frozen=True, slots=True)
class Table:
    """A table. `widths` are relative, one for each column; `name` is the name of its sheet in an .xlsx."""

    kind: ClassVar[str] = "table"
    name: Annotated[str, _n("表名")]
    headings: Annotated[tuple[str, ...], _n("表头")]
    rows: Annotated[tuple[tuple[Cell, ...], ...], _n("表格内容")]
    widths: tuple[int, ...]

    def __post_init__(self) -> None:
        """Refuse a table whose rows do not have one cell for each heading."""
        if len(self.widths) != len(self.headings) or any(len(row) != len(self.headings) for row in self.rows):
            raise ValueError(f"the rows of {self.name} do not fit its headings")

    @classmethod
    def of(
        cls,
        words: Callable[[str], str],
        name: str,
        columns: Sequence[tuple[str, int]],
        rows: Iterable[tuple[Cell, ...]],
    ) -> Table:
        """Make a table of columns, each a heading and a width; name and headings are put into the paper's language."""
        headings = tuple(words(heading) for heading, _ in columns)
        return cls(words(name), headings, tuple(rows), tuple(width for _, width in columns))


@dataclass(frozen=True, slots=True)
class Signatures:
    """Lines to be signed by hand, each with a blank behind its words."""

    kind: ClassVar[str] = "signatures"
    lines: Annotated[tuple[str, ...], _n("签字栏")]


@dataclass(frozen=True, slots=True)
class Slip:
    """A receipt below a cutting line, to be signed and sent back."""

    kind: ClassVar[str] = "slip"
    title: Annotated[str, _n("回执标题")]
    paragraphs: Annotated[tuple[str, ...], _n("回执正文")]
    lines: Annotated[tuple[str, ...], _n("签字栏")]


@dataclass(frozen=True, slots=True)
class Annex:
    """Where an annex begins: a page of its own behind the signature; what follows belongs to it."""

    kind: ClassVar[str] = "annex"
    title: Annotated[str, _n("附件标题")]


Block = Heading | Paragraph | Table | Picture | Signatures | Slip | Annex


@dataclass(frozen=True, slots=True)
class Paper:
    """One paper. `wide` lays it across the sheet, for tables of many columns."""

    title: Annotated[str, _n("文件标题")]
    blocks: tuple[Block, ...]
    provenance: Provenance
    addressee: Annotated[str, _n("主送单位")] = ""
    issuer: Annotated[str, _n("制发单位")] = ""
    issued_on: date | None = None
    mark: Annotated[str, _n("标识")] = ""
    wide: bool = False

    @property
    def record(self) -> str:
        """What a message about this paper calls it."""
        return self.title

    @property
    def body(self) -> tuple[Block, ...]:
        """What stands above the signature."""
        return tuple(takewhile(lambda block: not isinstance(block, Annex), self.blocks))

    @property
    def annexes(self) -> tuple[tuple[Annex, tuple[Block, ...]], ...]:
        """Each annex with its blocks."""
        found: list[tuple[Annex, list[Block]]] = []
        for block in self.blocks:
            if isinstance(block, Annex):
                found.append((block, []))
            elif found:
                found[-1][1].append(block)
        return tuple((annex, tuple(blocks)) for annex, blocks in found)

    @property
    def tables(self) -> tuple[Table, ...]:
        """The tables in their order, those behind pictures among them."""
        return tuple(_tables(self.blocks))


def _tables(blocks: Iterable[Block]) -> Iterator[Table]:
    for block in blocks:
        if isinstance(block, Table):
            yield block
        elif isinstance(block, Picture):
            yield Table(block.title, block.headings, block.rows, block.widths)


Document = Report | Paper
