"""A stand-in for memcached, which Swift's proxy wants for what it may forget: one process, one dictionary."""

from __future__ import annotations

import time
from typing import Any


class Memory:
    """As much of a memcached as the proxy uses."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Any, float]] = {}

    def get(self, key: str, *_: Any, **__: Any) -> Any:
        value, until = self._kept.get(key, (None, 0.0))
        return value if not until or until > time.time() else None

    def set(self, key: str, value: Any, *_: Any, **options: Any) -> None:
        seconds = options.get("time", 0)
        self._kept[key] = value, time.time() + seconds if seconds else 0.0

    def incr(self, key: str, delta: int = 1, **options: Any) -> int:
        number = int(self.get(key) or 0) + delta
        self.set(key, number, **options)
        return number

    def delete(self, key: str, *_: Any, **__: Any) -> None:
        self._kept.pop(key, None)


def filter_factory(_: dict[str, str], **__: str) -> Any:
    """What paste asks for."""
    memory = Memory()

    def around(app: Any) -> Any:
        def answer(environ: dict[str, Any], start: Any) -> Any:
            environ["swift.cache"] = memory
            return app(environ, start)

        return answer

    return around
