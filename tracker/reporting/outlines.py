"""Rewrites a font as a small static TrueType font; the only module that draws with fontTools.

A CID-keyed CFF font whose numbering is not the identity prints blank in some viewers, and a large collection costs
every PDF time and memory. A font with quadratic outlines and only the characters in use has neither fault.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.cu2quPen import Cu2QuPen
from fontTools.pens.recordingPen import DecomposingRecordingPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTCollection, TTFont

RESTRICTED_EMBEDDING = 2  # OS/2 fsType, low four bits: the licence forbids to embed the font
KINDS = {b"\0\1\0\0", b"true", b"OTTO", b"ttcf"}  # how the files of fonts and of collections of them begin
TOLERANCE = 0.5  # largest distance of a converted outline from the drawn one, in thousandths of an em


def open_face(path: Path, family: str = "") -> TTFont:
    """Return the font in `path`, to be closed; of a collection the one of that `family`, or the first without it."""
    with path.open("rb") as file:
        kind = file.read(4)
    if kind not in KINDS:
        raise ValueError("neither TrueType nor OpenType")
    if kind != b"ttcf":
        return TTFont(path, lazy=True)
    with TTCollection(path, lazy=True) as collection:
        names = [font["name"].getBestFamilyName() for font in collection]
    return TTFont(path, fontNumber=names.index(family) if family in names else 0, lazy=True)


def family_of(font: TTFont) -> str:
    """Return the family name that fontconfig and CSS know the font by."""
    return str(font["name"].getBestFamilyName())


def title_of(font: TTFont) -> str:
    """Return family, style and version as a reader of the verification page shall see them."""
    name = font["name"]
    version = str(name.getDebugName(5) or "").removeprefix("Version ").split(";")[0]
    return " ".join(part for part in (family_of(font), str(name.getBestSubFamilyName() or ""), version) if part)


def may_be_embedded(font: TTFont) -> bool:
    """Tell whether the font's licence bits permit to embed it in a document."""
    return bool((font["OS/2"].fsType & 0x000F) != RESTRICTED_EMBEDDING)


def characters_of(font: TTFont) -> frozenset[int]:
    """Return the code points that the font draws."""
    return frozenset(font.getBestCmap())


def write_truetype(font: TTFont, target: Path, characters: frozenset[int] | None = None) -> frozenset[int]:
    """Write `font` to `target` with quadratic outlines and only `characters` (all, where none are given).

    Returns the code points that the new font draws. Layout features are left out: Chinese text needs none of them.
    A font that has quadratic outlines and is wanted whole is taken as it is.
    """
    font.recalcTimestamp = False  # a font prepared on another day is the same font
    if characters is None and "glyf" in font:
        font.save(target)
        return characters_of(font)
    cmap = {code: name for code, name in font.getBestCmap().items() if characters is None or code in characters}
    order = [".notdef", *sorted(set(cmap.values()) - {".notdef"}, key=font.getGlyphID)]
    builder = FontBuilder(font["head"].unitsPerEm, isTTF=True)
    builder.setupGlyphOrder(order)
    builder.setupCharacterMap(cmap)
    builder.setupGlyf(_outlines(font, order))
    _set_metrics(builder, font, order)
    builder.font["name"] = font["name"]
    builder.font["OS/2"] = font["OS/2"]
    head = builder.font["head"]
    head.macStyle, head.created, head.modified = (
        getattr(font["head"], name) for name in ("macStyle", "created", "modified")
    )
    builder.font.recalcTimestamp = False
    builder.setupPost(keepGlyphNames=False)
    builder.save(target)
    return frozenset(cmap)


def _outlines(font: TTFont, order: list[str]) -> dict[str, Any]:
    """Return a TrueType glyph for each name in `order`; composites are resolved, cubic curves become quadratic."""
    glyphs = font.getGlyphSet()
    cubic = "glyf" not in font
    tolerance = TOLERANCE * font["head"].unitsPerEm / 1000
    drawn = {}
    for name in order:
        pen = TTGlyphPen(None)
        if cubic:
            glyphs[name].draw(Cu2QuPen(pen, tolerance, reverse_direction=True))
        else:
            recording = DecomposingRecordingPen(glyphs)
            glyphs[name].draw(recording)
            recording.replay(pen)
        drawn[name] = pen.glyph()
    return drawn


def _set_metrics(builder: FontBuilder, font: TTFont, order: list[str]) -> None:
    """Keep the advance of every glyph and the height of the line as the designer set them."""
    glyf = builder.font["glyf"]
    advances = font["hmtx"]
    builder.setupHorizontalMetrics({name: (advances[name][0], getattr(glyf[name], "xMin", 0)) for name in order})
    line = font["hhea"]
    builder.setupHorizontalHeader(ascent=line.ascent, descent=line.descent, lineGap=line.lineGap)
