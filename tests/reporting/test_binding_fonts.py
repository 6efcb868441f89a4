"""The tables of fonts that parts brought along, put together: the same outlines under the same numbers."""

from __future__ import annotations

from io import BytesIO

import pytest
from fontTools.pens.recordingPen import DecomposingRecordingPen
from fontTools.ttLib import TTFont

from tests.reporting.volumes import volume
from tracker.reporting.truetype import OtherFont, read_glyphs


@pytest.fixture(scope="module")
def whole() -> bytes:
    """A font with glyphs that are made of others."""
    return (volume().fonts.directory / "symbols.ttf").read_bytes()


def numbers(content: bytes, text: str) -> list[int]:
    with TTFont(BytesIO(content)) as font:
        return [font.getGlyphID(font.getBestCmap()[ord(character)]) for character in text]


def drawn(content: bytes, glyph: int) -> tuple[object, ...]:
    """Outline, advance and bearing of a glyph, by its number."""
    with TTFont(BytesIO(content)) as font:
        name = font.getGlyphOrder()[glyph]
        pen = DecomposingRecordingPen(font.getGlyphSet())
        font.getGlyphSet()[name].draw(pen)
        return (pen.value, *font["hmtx"][name])


def test_glyphs_of_two_subsets_are_drawn_as_in_the_whole_font(whole):
    one, other = numbers(whole, "aé1"), numbers(whole, "bü1")
    glyphs = read_glyphs(whole, one)
    glyphs.add(read_glyphs(whole, other))
    united = glyphs.to_bytes()
    for glyph in {0, *one, *other}:
        assert drawn(united, glyph) == drawn(whole, glyph)
    assert len(united) < len(whole) / 5


def test_the_checksums_of_the_font_are_right(whole):
    content = read_glyphs(whole, numbers(whole, "ab")).to_bytes()
    with TTFont(BytesIO(content), checkChecksums=2) as font:
        assert font["maxp"].numGlyphs == max(numbers(whole, "ab")) + 1
    words = [int.from_bytes(content[at : at + 4], "big") for at in range(0, len(content), 4)]
    assert sum(words) % 2**32 == 0xB1B0AFBA


def test_a_united_font_can_be_united_again(whole):
    glyphs = read_glyphs(read_glyphs(whole, numbers(whole, "a")).to_bytes(), numbers(whole, "a"))
    glyphs.add(read_glyphs(read_glyphs(whole, numbers(whole, "b")).to_bytes(), numbers(whole, "b")))
    assert drawn(glyphs.to_bytes(), numbers(whole, "b")[0]) == drawn(whole, numbers(whole, "b")[0])


def test_subsets_of_two_fonts_are_not_put_together(whole):
    other = (volume().fonts.directory / "song.ttf").read_bytes()
    glyphs = read_glyphs(whole, [1, 2])
    before = glyphs.to_bytes()
    with pytest.raises(OtherFont):
        glyphs.add(read_glyphs(other, [1, 2]))
    assert glyphs.to_bytes() == before


def test_what_is_no_font_is_refused(whole):
    with pytest.raises(ValueError, match="not a TrueType font"):
        read_glyphs(b"OTTO" + bytes(40), [1])
    with pytest.raises(ValueError, match="not a TrueType font"):
        read_glyphs(whole, [60_000])
