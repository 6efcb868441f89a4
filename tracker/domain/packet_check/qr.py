"""The QR code that a text has: made anew, so that every module of a code can be compared with it (ISO/IEC 18004)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import product

# Of each version that is used, at level M: codewords for errors in a block, and the data codewords of each block.
BLOCKS = {
    5: (24, (43,) * 2),
    6: (16, (27,) * 4),
    7: (18, (31,) * 4),
    8: (22, (38, 38, 39, 39)),
    9: (22, (36,) * 3 + (37,) * 2),
}
ALIGNMENT = {5: (6, 30), 6: (6, 34), 7: (6, 22, 38), 8: (6, 24, 42), 9: (6, 26, 46)}  # where alignment patterns stand
PADDINGS = (b"\0", b"")  # what stands before the codewords that fill up: segno writes a zero there
MASKS = (
    lambda row, column: (row + column) % 2 == 0,
    lambda row, _: row % 2 == 0,
    lambda _, column: column % 3 == 0,
    lambda row, column: (row + column) % 3 == 0,
    lambda row, column: (row // 2 + column // 3) % 2 == 0,
    lambda row, column: row * column % 2 + row * column % 3 == 0,
    lambda row, column: (row * column % 2 + row * column % 3) % 2 == 0,
    lambda row, column: ((row + column) % 2 + row * column % 3) % 2 == 0,
)

Squares = dict[tuple[int, int], bool]  # by row and column, from the upper left


def version_for(text: str) -> int:
    """The smallest version that has room for a text in ASCII. Raises ValueError where none that is used has."""
    for version, (_, sizes) in BLOCKS.items():
        if len(text) <= sum(sizes) - 2:
            return version
    raise ValueError(f"{text} is too long for a QR code")


def is_code_of(text: str, dark: set[tuple[int, int]], side: int) -> bool:
    """Whether a square of `side` modules, of which these are dark, is the code of a text in ASCII."""
    try:
        version = version_for(text)
    except ValueError:
        return False
    return side == 17 + 4 * version and dark in _codes(text.encode("ascii"), version)


@lru_cache(maxsize=8)
def _codes(data: bytes, version: int) -> list[set[tuple[int, int]]]:
    """The dark modules of the code, for each of the eight masks and each way to fill up."""
    side = 17 + 4 * version
    codes = []
    for padding, (mask, hides) in product(PADDINGS, enumerate(MASKS)):
        squares = _patterns(version, side, mask)
        bits = (bool(word >> place & 1) for word in _codewords(data, version, padding) for place in range(7, -1, -1))
        for row, column in [place for place in _zigzag(side) if place not in squares]:
            squares[row, column] = next(bits, False) != hides(row, column)
        codes.append({place for place, is_dark in squares.items() if is_dark})
    return codes


def _zigzag(side: int) -> Iterator[tuple[int, int]]:
    """The order in which modules are filled: two columns at once from the right, upwards and downwards by turns."""
    upwards = True
    for right in [*range(side - 1, 6, -2), *range(5, 0, -2)]:
        for row in range(side - 1, -1, -1) if upwards else range(side):
            yield from ((row, right), (row, right - 1))
        upwards = not upwards


# ---------------------------------------------------------------- what stands in every code


def _patterns(version: int, side: int, mask: int) -> Squares:
    """The modules that hold no data."""
    squares: Squares = {}
    for row, column in ((3, 3), (3, side - 4), (side - 4, 3)):
        squares.update(_rings(row, column, 4, side, light=(2, 4)))
    for at in range(8, side - 8):
        squares[6, at] = squares[at, 6] = at % 2 == 0
    places = ALIGNMENT[version]
    corners = {(6, 6), (6, places[-1]), (places[-1], 6)}
    for row, column in {(row, column) for row in places for column in places} - corners:
        squares.update(_rings(row, column, 2, side, light=(1,)))
    squares[side - 8, 8] = True
    squares.update(_about_format(mask, side))
    return {**squares, **(_about_version(version, side) if version > 6 else {})}


def _rings(row: int, column: int, widest: int, side: int, *, light: tuple[int, ...]) -> Squares:
    around = range(-widest, widest + 1)
    squares = {(row + y, column + x): max(abs(y), abs(x)) not in light for y in around for x in around}
    return {place: is_dark for place, is_dark in squares.items() if min(place) >= 0 and max(place) < side}


def _about_format(mask: int, side: int) -> Squares:
    """The level (M is 0) and the mask, twice."""
    bits = _bits((mask << 10 | _rest(mask << 10, 0x537)) ^ 0x5412, 15)
    corner = [(row, 8) for row in (0, 1, 2, 3, 4, 5, 7, 8)] + [(8, column) for column in (7, 5, 4, 3, 2, 1, 0)]
    edges = [(8, side - 1 - at) for at in range(8)] + [(side - 7 + at, 8) for at in range(7)]
    return {**dict(zip(corner, bits)), **dict(zip(edges, bits))}  # noqa: B905  Python 3.9


def _about_version(version: int, side: int) -> Squares:
    bits = _bits(version << 12 | _rest(version << 12, 0x1F25), 18)
    squares: Squares = {}
    for at, bit in enumerate(bits):
        squares[at // 3, side - 11 + at % 3] = squares[side - 11 + at % 3, at // 3] = bit
    return squares


def _rest(value: int, divisor: int) -> int:
    """The rest of a division of polynomials over two elements."""
    while value.bit_length() >= divisor.bit_length():
        value ^= divisor << value.bit_length() - divisor.bit_length()
    return value


def _bits(value: int, count: int) -> list[bool]:
    """The bits of a number, the lowest first."""
    return [bool(value >> place & 1) for place in range(count)]


# ---------------------------------------------------------------- the codewords


def _codewords(data: bytes, version: int, padding: bytes) -> Iterable[int]:
    """Data in the mode for bytes and what corrects its errors, the blocks interleaved."""
    errors, sizes = BLOCKS[version]
    count, length = sum(sizes), len(data)
    words = ((0x4 << 8 * length + 8 | length << 8 * length | int.from_bytes(data, "big")) << 4).to_bytes(
        length + 2, "big"
    )
    words = (words + padding)[:count]
    words += bytes((0xEC, 0x11)[at % 2] for at in range(count - len(words)))
    blocks, start = [], 0
    for size in sizes:
        blocks.append(words[start : start + size])
        start += size
    corrections = [_correction(block, errors) for block in blocks]
    longest = max(sizes)
    found = [block[at] for at in range(longest) for block in blocks if at < len(block)]
    return found + [correction[at] for at in range(errors) for correction in corrections]


def _times(one: int, other: int) -> int:
    """The product of two elements of the field of 256."""
    found = 0
    while other:
        found ^= one if other & 1 else 0
        one, other = one << 1 ^ (0x11D if one & 128 else 0), other >> 1
    return found


def _correction(block: bytes, count: int) -> list[int]:
    """The codewords that correct errors in a block (Reed and Solomon)."""
    divisor, root = [*[0] * (count - 1), 1], 1
    for _ in range(count):
        divisor = [_times(own, root) ^ (divisor[at + 1] if at + 1 < count else 0) for at, own in enumerate(divisor)]
        root = _times(root, 2)
    rest = [0] * count
    for word in block:
        factor = word ^ rest[0]
        rest = [own ^ _times(by, factor) for own, by in zip([*rest[1:], 0], divisor)]  # noqa: B905  Python 3.9
    return rest
