"""Quicker ways for steps of WeasyPrint that cost most on our documents; what they lay out stays the same.

Only for the version that they were written for (`MADE_FOR`): with another one WeasyPrint works as it comes. Styles are
shared between documents, so make a process do this only where it lays out documents of one set of templates.
"""

# ruff: noqa: ANN401  WeasyPrint has no types

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from itertools import groupby
from math import inf
from typing import Any

import pydyf
import weasyprint
from cffi.cparser import Parser as CParser  # type: ignore[import-untyped]
from weasyprint import css as css_module
from weasyprint import draw as drawing
from weasyprint.formatting_structure import boxes
from weasyprint.layout import background, percent, table
from weasyprint.layout import float as floats
from weasyprint.layout import page as page_layout
from weasyprint.pdf import fonts as pdf_fonts
from weasyprint.text import line_break
from weasyprint.text.constants import PANGO_DIRECTION
from weasyprint.text.ffi import ffi, gobject, pango, unicode_to_char_p
from weasyprint.text.fonts import font_features, get_font_description

MADE_FOR = "70.0"

_CORNERS = ("top_left", "top_right", "bottom_right", "bottom_left")
_SIDES = ("top", "right", "bottom", "left")
_NO_BOXES = frozenset({"footnote", "note-area"})
_NO_CONTENT = frozenset({"normal", "inhibit", "none"})
_TOUCHING = 1e-6  # points
_LARGE_FONT = 12_000_000  # bytes; the collections of a system are, and are not kept
_MOST_STYLES = 2_000  # shared between documents: about 10 kB each


def quicken() -> None:
    """Put the quicker ways in the place of WeasyPrint's own, in this process, for good."""
    if weasyprint.__version__ != MADE_FOR:
        return
    css_module.StyleFor = _StyleFor
    css_module.find_stylesheets = _find_stylesheets
    _replace(percent.resolve_percentages, _resolve_percentages)
    _replace(percent.resolve_radii_percentages, _resolve_radii)
    _replace(background.layout_box_backgrounds, _layout_box_backgrounds)
    _replace(floats.avoid_collisions, _avoid_collisions)
    _replace(page_layout.make_margin_boxes, _margin_boxes)
    _replace(line_break.strut, _strut)
    pdf_fonts.Font.__init__ = _make_font
    _replace(drawing.draw_collapsed_borders, _draw_collapsed_borders)
    boxes.Box.is_in_normal_flow = _is_in_normal_flow
    line_break.Layout.setup = _setup
    pydyf._to_bytes = _to_bytes
    CParser._parse = _parse


def _replace(old: Callable[..., Any], new: Callable[..., Any]) -> None:
    """Put a function in the place of another in each module of WeasyPrint that uses it."""
    for module in [each for name, each in sys.modules.items() if name.startswith("weasyprint")]:
        for name, value in vars(module).items():
            if value is old:
                setattr(module, name, new)


# ---------------------------------------------------------------- used values that depend on nothing but the style

_slow_percentages = percent.resolve_percentages
_LENGTHS = (
    *(f"{kind}_{side}" for kind in ("margin", "padding") for side in _SIDES),
    *(f"{bound}{axis}" for bound in ("", "min_", "max_") for axis in ("width", "height")),
)


def _resolve_percentages(box: Any, containing_block: Any) -> None:
    """Set the used values of a box from what was worked out for its style once, where nothing else matters."""
    style = box.style
    try:
        plan = style.plan
    except AttributeError:
        plan = style.plan = _plan(style)
    if plan is None or not isinstance(box, boxes.Box):  # a placeholder hands what it is given on
        _slow_percentages(box, containing_block)
        return
    lengths, borders, collapses = plan
    used = box.__dict__
    used.update(lengths)
    if collapses:
        for name, width in borders.items():
            used.setdefault(name, width)
    else:
        used.update(borders)


def _plan(style: Any) -> tuple[dict[str, Any], dict[str, Any], bool] | None:
    """The used values of a style none of whose lengths is a share of something; None where one is."""
    lengths: dict[str, Any] = {}
    for name in _LENGTHS:
        value = style[name]
        if value == "auto":
            lengths[name] = 0 if name in {"min_width", "min_height"} else value
        elif getattr(value, "unit", None) == "px":
            lengths[name] = value.value
        else:
            return None
    if style["box_sizing"] != "content-box":
        return None
    borders = {f"border_{side}_width": style[f"border_{side}_width"] for side in _SIDES}
    return lengths, borders, style["border_collapse"] == "collapse"


_slow_radii = percent.resolve_radii_percentages
_SQUARE = {f"border_{corner}_radius": (0, 0) for corner in _CORNERS}


def _resolve_radii(box: Any) -> None:
    style = box.style
    try:
        is_square = style.is_square
    except AttributeError:
        is_square = style.is_square = all((0, "px") in style[name] for name in _SQUARE)
    if is_square and isinstance(box, boxes.Box):
        box.__dict__.update(_SQUARE)
    else:
        _slow_radii(box)


# ---------------------------------------------------------------- backgrounds: hardly a box has one

_slow_backgrounds = background.layout_box_backgrounds


def _layout_box_backgrounds(
    page: Any,
    box: Any,
    get_image_from_uri: Any,
    layout_children: bool = True,
    style: Any = None,
) -> None:
    if style is not None or box is page:
        _slow_backgrounds(page, box, get_image_from_uri, layout_children, style)
        return
    own = box.style
    try:
        is_plain = own.is_plain
    except AttributeError:
        is_plain = own.is_plain = _is_plain(own)
    if not is_plain:
        _slow_backgrounds(page, box, get_image_from_uri, layout_children, style)
        return
    _resolve_radii(box)
    if layout_children:
        for child in box.all_children():
            _layout_box_backgrounds(page, child, get_image_from_uri)
    box.background = None


def _is_plain(style: Any) -> bool:
    """Tell whether nothing is painted behind the boxes of a style."""
    if style["border_image_source"][0] != "none" or style["mask_border_source"][0] != "none" or style["box_shadow"]:
        return False
    if style["visibility"] == "hidden":
        return True
    colour = style["background_color"]
    if colour == "currentcolor":
        colour = style["color"]
    return colour.alpha == 0 and all(kind == "none" for kind, _ in style["background_image"])


# ---------------------------------------------------------------- styles, shared between documents

_slow_find_stylesheets = css_module.find_stylesheets
# Selectors that see more of an element than its own attributes, its ancestors and the element just before it.
_FARSIGHTED = re.compile(r":(?:nth|first|last|only|empty|has|not|is|where)|~|\[|\+[^{,]*\+|\d[dls]?v(?:w|h|min|max)\b")
_SEEN = ("class", "id", "style", "lang", "dir", "hidden", "name")  # attributes that style sheets or WeasyPrint ask for
_LIKE_FORMS = frozenset({"input", "select", "option", "textarea", "button", "table", "abbr", "acronym", "iframe"})
_SVG = "{http://www.w3.org/2000/svg}svg"

Token = tuple[Any, ...]


class _Known:
    """The styles of one style sheet: for the token of an element its number, its style, and its pseudo-elements'."""

    def __init__(self) -> None:
        self.styles: dict[Token, tuple[int, list[tuple[str | None, Any]]]] = {}
        self.page_sizes: dict[str, Any] = {"box": None, "area": None}


def share_styles(sheet: Any, css: str) -> None:
    """Let documents with this parsed style sheet, of the text `css`, have their styles in common if that is safe."""
    if not _FARSIGHTED.search(css):
        sheet.known = _Known()


class _StyleFor(css_module.StyleFor):  # type: ignore[misc]
    """Gives an element the style of an earlier one that looks the same to every selector."""

    def __init__(
        self,
        html: Any,
        sheets: Any,
        presentational_hints: Any,
        font_config: Any,
        target_collector: Any,
    ) -> None:
        known = next((sheet.known for sheet, _, _ in sheets if hasattr(sheet, "known")), None)
        if known is None or presentational_hints:
            super().__init__(html, sheets, presentational_hints, font_config, target_collector)
            return
        if len(known.styles) > _MOST_STYLES:
            known.styles.clear()
        css_module.PROGRESS_LOGGER.info("Step 3 - Applying CSS")
        self._cascaded_styles: dict[Any, Any] = {}
        self._computed_styles: dict[Any, Any] = {}
        self._sheets = sheets
        self.initial_page_sizes = known.page_sizes
        self.font_config = font_config
        self._known, self._html, self._collector = known, html, target_collector
        self._wrappers: dict[Any, Any] = {}
        self._place: dict[Any, tuple[Any, Any]] = {}
        self._give(html.etree_element, None, None, -1)
        del self._wrappers, self._place

    def _give(self, element: Any, parent: Any, before: Any, above: int) -> None:
        """Give an element and all below it their styles; `above` is the number of its parent's token."""
        self._place[element] = parent, before
        token = (above, *_look(element), *(_look(before) if before is not None else ()))
        found = self._known.styles.get(token)
        if found is None:
            found = self._known.styles[token] = len(self._known.styles), self._worked_out(element, parent)
        number, styles = found
        for pseudo, style in styles:
            self._computed_styles[element, pseudo] = style
            if style["anchor"]:
                self._collector.collect_anchor(style["anchor"])
        last = None
        for child in element:
            if isinstance(child.tag, str):
                self._give(child, element, last, number)
                last = child

    def _worked_out(self, element: Any, parent: Any) -> list[tuple[str | None, Any]]:
        """Work out the style of an element as WeasyPrint does, and those of its pseudo-elements behind it."""
        root, base_url = self._html.etree_element, self._html.base_url
        cascaded: dict[str | None, dict[str, Any]] = {None: {}}
        for specificity, _, declarations, url in css_module.find_style_attributes(_Alone(element), False, base_url):
            _put(cascaded[None], css_module.preprocess_declarations(url, declarations), "author", inf, specificity)
        for sheet, origin, sheet_specificity in self._sheets:
            for specificity, _, pseudo, (declarations, layer) in sheet.matcher.match(self._wrapper(element)):
                order = inf if layer is None else sheet.layers.index(layer)
                style = cascaded.setdefault(pseudo, {})
                _put(style, declarations, origin, order, sheet_specificity or specificity)
        for pseudo, style in cascaded.items():
            self._cascaded_styles[element, pseudo] = style
            self.set_computed_styles(element, parent if pseudo is None else element, root, pseudo, base_url)
        self._cascaded_styles.clear()
        return [(pseudo, self._computed_styles[element, pseudo]) for pseudo in cascaded]

    def _wrapper(self, element: Any) -> Any:
        """Return what selectors are matched with; made only for elements that were not seen before."""
        if element not in self._wrappers:
            parent, before = self._place[element]
            whole = self._html.wrapper_element
            if parent is None:
                return whole
            self._wrappers[element] = type(whole)(
                element,
                parent=self._wrapper(parent),
                index=0,
                previous=None if before is None else self._wrapper(before),
                in_html_document=whole.in_html_document,
            )
        return self._wrappers[element]


class _Alone:
    """A tree of nothing but one element."""

    def __init__(self, element: Any) -> None:
        self.element = element

    def iter(self) -> Iterator[Any]:
        yield self.element


def _look(element: Any) -> Token:
    """Return what selectors and WeasyPrint see of an element itself."""
    given, tag = element.attrib, element.tag
    if tag in _LIKE_FORMS or tag == _SVG:
        return (tag, *sorted(given.items()))
    if not given:
        return (tag,)
    return (tag, "href" in given, *map(given.get, _SEEN))


def _put(style: dict[str, Any], declarations: Any, origin: str, order: float, specificity: Any) -> None:
    """Enter declarations where they weigh more than what is there."""
    for name, values, importance in declarations:
        weight = (css_module.declaration_precedence(origin, importance), order, specificity)
        old = style.get(name)
        if old is None or old[1] <= weight:
            style[name] = values, weight


def _find_stylesheets(wrapper: Any, *others: Any) -> Iterator[Any]:
    """Look for style sheets in a document only where it has any."""
    tree = wrapper.etree_element
    if next(tree.iter("style"), None) is not None or next(tree.iter("link"), None) is not None:
        yield from _slow_find_stylesheets(wrapper, *others)


# ---------------------------------------------------------------- flow

_slow_is_in_normal_flow = boxes.Box.is_in_normal_flow
_slow_avoid_collisions = floats.avoid_collisions


def _is_in_normal_flow(self: Any) -> bool:
    style = self.style
    if style["float"] == "none" and style["position"] in {"static", "relative"}:
        return True
    return bool(_slow_is_in_normal_flow(self))


def _avoid_collisions(context: Any, box: Any, containing_block: Any, outer: bool = True) -> Any:
    """Return where a box begins and how wide it may be; where nothing floats, that is its container's measure."""
    floats_itself = box.style["float"] != "none"
    if context.excluded_shapes or floats_itself or containing_block.style["direction"] != "ltr":
        return _slow_avoid_collisions(context, box, containing_block, outer)
    left = containing_block.content_box_x()
    right = left + containing_block.width
    if outer:
        return left, box.position_y, right - left
    left += box.margin_left
    right -= box.margin_right
    return left - box.margin_left, box.border_box_y() - box.margin_top, right - left


_slow_margin_boxes = page_layout.make_margin_boxes


def _margin_boxes(context: Any, page: Any, state: Any) -> Iterator[Any]:
    """Yield the boxes in a page's margins where its style sheet has any: those of a part of a packet have none."""
    for name in css_module.PAGE_MARGIN_BOXES:
        style = context.style_for(page.page_type, f"@{name}")
        if style is not None and name not in _NO_BOXES and style["content"] not in _NO_CONTENT:
            yield from _slow_margin_boxes(context, page, state)
            return


# ---------------------------------------------------------------- text

_slow_setup = line_break.Layout.setup
_slow_strut = line_break.strut


def _setup(self: Any, style: Any) -> None:
    """Make a layout with the font and the language of a style, which are made ready once."""
    try:
        ready = style.ready
    except AttributeError:
        ready = style.ready = _ready(style)
    if ready is None:
        _slow_setup(self, style)
        return
    context, self.language, font = ready
    self.style = style
    self.first_line_direction = 0
    self.layout = ffi.gc(pango.pango_layout_new(context), gobject.g_object_unref)
    pango.pango_layout_set_auto_dir(self.layout, False)
    pango.pango_layout_set_font_description(self.layout, font)
    self.ascent = self.underline_position = self.strikethrough_position = None


def _ready(style: Any) -> tuple[Any, Any, Any] | None:
    """Return context, language and font of a style; None for one that needs more."""
    names = ("kerning", "variant_ligatures", "variant_position", "variant_caps", "variant_numeric")
    rest = ("variant_alternates", "variant_east_asian", "feature_settings")
    if style["text_decoration_line"] != "none" or style["font_language_override"] != "normal":
        return None
    if font_features(*(style[f"font_{name}"] for name in (*names, *rest))):
        return None
    context = ffi.gc(pango.pango_font_map_create_context(style.font_config.font_map), gobject.g_object_unref)
    pango.pango_context_set_round_glyph_positions(context, False)
    pango.pango_context_set_base_dir(context, PANGO_DIRECTION[style["direction"]])
    if style["lang"]:
        pointer, _kept = unicode_to_char_p(style["lang"])
        language = pango.pango_language_from_string(pointer)
        pango.pango_context_set_language(context, language)
    else:
        language = pango.pango_language_get_default()
    return context, language, get_font_description(style)


def _strut(style: Any) -> Any:
    try:
        return style.strut
    except AttributeError:
        style.strut = _slow_strut(style)
        return style.strut


# ---------------------------------------------------------------- fonts

_slow_make_font = pdf_fonts.Font.__init__
_font_data = pdf_fonts.get_hb_object_data
_font_files: dict[Any, bytes] = {}  # by the face: faces are equal that lie at one address, and those here are kept


def _make_font(self: Any, *given: Any) -> None:
    """Make a font with its file, which is copied out of the font engine once."""
    pdf_fonts.get_hb_object_data = _known_font_data
    try:
        _slow_make_font(self, *given)
    finally:
        pdf_fonts.get_hb_object_data = _font_data


def _known_font_data(face: Any) -> bytes:
    if face in _font_files:
        return _font_files[face]
    content: bytes = _font_data(face)
    if len(content) < _LARGE_FONT:
        _font_files[face] = content
    return content


# ---------------------------------------------------------------- the engines' types

_slow_parse = CParser._parse
_WORD = re.compile(r"\w+")


def _parse(self: Any, source: str) -> Any:
    """Parse a declaration knowing the names of those types that are in it, and not a thousand others each time."""
    words, whole = set(_WORD.findall(source)), self._declarations
    self._declarations = {
        name: each for name, each in whole.items() if not name.startswith("typedef ") or name[8:] in words
    }
    try:
        return _slow_parse(self, source)
    finally:
        self._declarations = whole


# ---------------------------------------------------------------- the writer


_slow_bytes = pydyf._to_bytes


def _to_bytes(item: Any) -> bytes:
    """Return a value as it is written, the frequent kinds first."""
    kind = type(item)
    if kind is bytes:
        return item  # type: ignore[no-any-return]
    if kind is str:
        return item.encode("ascii")  # type: ignore[no-any-return]
    if kind is int:
        return b"%d" % item
    if kind is float and not item.is_integer():
        return (b"%f" % item).rstrip(b"0")
    if isinstance(item, pydyf.Object):
        return item.data  # type: ignore[no-any-return]
    return _slow_bytes(item)  # type: ignore[no-any-return]


# ---------------------------------------------------------------- borders that collapse

_slow_collapse_borders = table.collapse_table_borders
_slow_draw_collapsed_borders = drawing.draw_collapsed_borders


def _draw_collapsed_borders(stream: Any, whole: Any) -> None:
    """Draw the borders of a table: pieces of one line that follow each other as one, and all of a kind as one path."""
    lines: list[tuple[Any, ...]] = []
    line = drawing.draw_line
    drawing.draw_line = lambda _stream, *given: lines.append(given)
    try:
        _slow_draw_collapsed_borders(_Nothing, whole)
    finally:
        drawing.draw_line = line
    for (width, style, colour), same in groupby(lines, lambda given: given[4:7]):
        if style != "solid" or colour.alpha != 1:
            for given in same:
                with stream.artifact(), stream.stacked():
                    line(stream, *given)
            continue
        with stream.artifact(), stream.stacked():
            stream.set_color(colour, stroke=True)
            stream.set_line_width(width)
            for x1, y1, x2, y2 in _joined([given[:4] for given in same]):
                stream.move_to(x1, y1)
                stream.line_to(x2, y2)
            stream.stroke()


class _Nothing:
    """A stream that nothing is written to."""

    artifact = stacked = staticmethod(nullcontext)


def _joined(lines: list[tuple[float, float, float, float]]) -> Iterator[tuple[float, float, float, float]]:
    """Yield upright and level lines, those that touch or overlap as one."""
    upright: dict[float, list[tuple[float, float]]] = {}
    level: dict[float, list[tuple[float, float]]] = {}
    for x1, y1, x2, y2 in lines:
        if x1 == x2:
            upright.setdefault(x1, []).append((y1, y2))
        else:
            level.setdefault(y1, []).append((x1, x2))
    for x, spans in upright.items():
        yield from ((x, start, x, end) for start, end in _united(spans))
    for y, spans in level.items():
        yield from ((start, y, end, y) for start, end in _united(spans))


def _united(spans: list[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """Yield the spans in ascending order, those that touch or overlap as one."""
    first, last = -inf, -inf
    for start, end in sorted(spans):
        if start > last + _TOUCHING:
            if last > -inf:
                yield first, last
            first = start
        last = max(last, end)
    yield first, last
