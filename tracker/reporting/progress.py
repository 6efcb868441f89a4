"""What callers of a rendering see of it: progress, and the failure that is not theirs."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]


class RenderingFailed(RuntimeError):
    """The typesetter complained, tried to fetch something, or was stopped: a fault of ours, not of the values."""


def no_progress(percent: int, pages: int) -> None:
    """Ignore progress: what `progress=` takes is called with percent done and pages laid out so far."""
