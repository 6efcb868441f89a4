"""The nearest known word, for "did you mean"; the work it does is bounded."""

from __future__ import annotations

from difflib import get_close_matches
from functools import lru_cache

LONGEST, MOST = 40, 100


def nearest(word: str, known: tuple[str, ...]) -> str:
    """The known word that looks most like this one, or empty. Among very many words it does not look."""
    return "" if len(word) > LONGEST or len(known) > MOST else _nearest(word, known)


@lru_cache(maxsize=1024)
def _nearest(word: str, known: tuple[str, ...]) -> str:
    return "".join(get_close_matches(word, known, n=1, cutoff=0.5))
