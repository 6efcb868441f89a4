"""What a reader of checklists complains about: where it stands, what is wrong, and what to change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["error", "warning"]
Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Finding:
    """A fault before it has a place in a file: `path` leads to it through the data, e.g. `("items", 3, "post")`.

    `message` and `fix` are Chinese patterns (marked with `_n`) with named `%(x)s` places that `values` fills.
    `at_key` points to the key of the entry and not to its value.
    """

    path: Path
    code: str
    message: str
    fix: str
    values: Mapping[str, object] = field(default_factory=dict)
    severity: Severity = "error"
    at_key: bool = False


@dataclass(frozen=True)
class Problem:
    """A fault at a place of a file. Lines and columns count from 1; `item` is the id of the entry, or empty."""

    file: str
    line: int
    column: int
    item: str
    severity: Severity
    code: str
    message: str
    fix: str
    values: Mapping[str, object] = field(default_factory=dict)

    @property
    def what(self) -> str:
        """The finished sentence that says what is wrong."""
        return self.message % self.values

    @property
    def change(self) -> str:
        """The finished sentence that says what to change."""
        return self.fix % self.values

    def __str__(self) -> str:
        who = f" {self.item}:" if self.item else ""
        mark = "" if self.severity == "error" else " (warning)"
        return f"{self.file}:{self.line}:{self.column}:{who}{mark} {self.what}; {self.change}"

    def as_json(self) -> dict[str, object]:
        """The same as plain data, for scripts."""
        return {
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "item": self.item,
            "severity": self.severity,
            "code": self.code,
            "message": self.what,
            "fix": self.change,
        }
