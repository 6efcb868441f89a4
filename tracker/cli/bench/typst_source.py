"""The HTML of parts written as Typst: the same texts, headings, tables with the same columns, bars as rectangles."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from xml.etree.ElementTree import Element, fromstring

_SVG = "{http://www.w3.org/2000/svg}"
_WIDTH = re.compile(r"width:\s*([\d.]+)mm")
_BOLD = {"h1"}
_BREAKS = {"cover", "new-page"}
_BODY_SIZES = {"h1": 22, "h2": 16, "h3": 16, "h4": 14, "p": 16, "li": 16, "caption": 12}
_ROLES = {"h1": "biaosong", "h2": "heiti", "h3": "kaiti", "p": "fangsong", "li": "fangsong", "h4": "fangsong"}
_PREAMBLE = """#set page(paper: "a4", margin: (top: 37mm, right: 26mm, bottom: 35mm, left: 28mm))
#set text(font: {fangsong}, size: 16pt, lang: "zh")
#set par(leading: 12.95pt, spacing: 12.95pt, justify: true)
#show heading: set text(weight: "regular")
#set table(stroke: 0.5pt, inset: (x: 3.5pt, y: 2.5pt))
#let grid-text(size, lead, body) = {{
  set text(font: {song}, size: size)
  set par(leading: lead, spacing: lead, justify: false)
  body
}}
#let head(body) = text(font: {heiti}, body)
#let below(body) = {{ linebreak(); text(font: {kaiti}, body) }}
#let digest(body) = text(font: "LXGW WenKai Mono", size: 8pt, body)
#let wide(body) = page(flipped: true, margin: (top: 28mm, right: 37mm, bottom: 26mm, left: 35mm), body)
"""


def typst_source(body: str, families: Mapping[str, str]) -> str:
    """The Typst source of a body of well-formed HTML; `families` are the CSS font families by role."""
    chains = {role: "(" + chain.replace("\n", " ") + ",)" for role, chain in families.items()}
    writer = _Writer(chains)
    lines = [_PREAMBLE.format(**chains), *writer.block(fromstring(f"<body>{body}</body>"))]  # noqa: S314  our own
    return "\n".join(lines)


class _Writer:
    def __init__(self, chains: Mapping[str, str]) -> None:
        self.chains = chains

    def block(self, element: Element) -> Iterator[str]:
        """The blocks of an element, in code."""
        for child in element:
            yield from self._one(child)

    def _one(self, child: Element) -> Iterator[str]:
        classes = set((child.get("class") or "").split())
        if _BREAKS & classes:
            yield "#pagebreak(weak: true)"
        if "wide" in classes:
            yield "#wide[" + "\n".join(self.block(child)) + "]"
        elif child.tag == "table":
            yield self._table(child, wide="entry" in classes)
        elif child.tag in _ROLES:
            yield self._text(child)
        elif child.tag == "img":
            yield f"#image({_quoted(child.get('src', ''))})"
        else:
            yield from self.block(child)

    def _text(self, element: Element) -> str:
        font, size = self.chains[_ROLES[element.tag]], _BODY_SIZES[element.tag]
        text = self._inline(element)
        if element.tag[0] == "h":
            weight = ', weight: "bold"' if element.tag in _BOLD else ""
            return f"#heading(level: {element.tag[1]}, text(font: {font}, size: {size}pt{weight})[{text}])"
        return f"#par(first-line-indent: (amount: 2em, all: true))[#text(font: {font}, size: {size}pt)[{text}]]\n"

    def _inline(self, element: Element) -> str:
        """The text of an element with what stands in it, as markup."""
        found = [_escaped(element.text)]
        for child in element:
            found += [self._within(child), _escaped(child.tail)]
        return "".join(found).strip()

    def _within(self, child: Element) -> str:
        classes = set((child.get("class") or "").split())
        if child.tag == f"{_SVG}svg":
            return _drawing(child)
        text = self._inline(child)
        if "below" in classes:
            return f"#below[{text}]"
        if "digest" in classes:
            return f"#digest[{text}]"
        if child.tag == "a" and child.get("data-page"):
            return f"{text} #box(width: 1fr, repeat[.]) {child.get('data-page')}"
        return text

    def _table(self, table: Element, *, wide: bool) -> str:
        """A table with its columns in millimetres; a head is repeated on each page."""
        columns = [found[1] for col in table.iter("col") if (found := _WIDTH.search(col.get("style") or ""))]
        rows = [row for group in table for row in ([group] if group.tag == "tr" else group) if row.tag == "tr"]
        head = table.find("thead")
        heads = list(head) if head is not None else []
        cells = [cell for row in rows if row not in heads for cell in self._cells(row)]
        first = [cell for row in heads for cell in self._cells(row)]
        size = "(9pt, 4pt)" if wide else "(10.5pt, 5pt)"
        columns = columns or ["1fr"]
        width = ", ".join(f"{column}mm" if column != "1fr" else column for column in columns)
        repeated = f"table.header({', '.join(first)}), " if first else ""
        return f"#grid-text(..{size})[#table(columns: ({width},), {repeated}{', '.join(cells)})]"

    def _cells(self, row: Element) -> Iterator[str]:
        for cell in row:
            spans = [f"{name}: {cell.get(name)}" for name in ("colspan", "rowspan") if cell.get(name)]
            text = self._inline(cell)
            text = f"#head[{text}]" if cell.tag == "th" else text
            yield f"table.cell({', '.join(spans)})[{text}]" if spans else f"[{text}]"


def _drawing(svg: Element) -> str:
    """The bars of a drawing as rectangles of the same places and sizes."""
    width, height = svg.get("width", "1pt"), svg.get("height", "1pt")
    boxes = [
        f"#place(dx: {box.get('x')}pt, dy: {box.get('y')}pt, rect(width: {box.get('width')}pt, "
        f"height: {box.get('height')}pt, stroke: 0.6pt, fill: {_fill(box)}))"
        for box in svg.iter(f"{_SVG}rect")
    ]
    return f"#box(width: {width}, height: {height})[{''.join(boxes)}]"


def _fill(box: Element) -> str:
    colour = box.get("fill", "none")
    return f'rgb("{colour}")' if colour.startswith("#") else "none"


def _escaped(text: str | None) -> str:
    """The text as markup that means nothing else, its white space as HTML has it."""
    return re.sub(r"([\\#*_`$<>@\[\]~=\-+/'\"])", r"\\\1", re.sub(r"\s+", " ", text or ""))


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
