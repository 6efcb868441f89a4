"""A checklist as it was written, sound or not: it answers what is there and is silent about what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from tracker.domain.checklist_problem import Path
from tracker.domain.checklist_scalars import FLAGS, WHOLE, Plain
from tracker.domain.checklist_yaml import Data, Tree


@dataclass(frozen=True)
class Node:
    """A mapping of the file and the path to it."""

    path: Path
    data: dict[str, Data]

    def text(self, key: str) -> str:
        """The text under the key, or empty."""
        value = self.data.get(key)
        return str(value) if isinstance(value, str) else ""

    def texts(self, key: str) -> list[tuple[Path, str]]:
        """The words of the list under the key, with their paths."""
        value = self.data.get(key)
        words = enumerate(value) if isinstance(value, list) else ()
        return [((*self.path, key, index), str(word)) for index, word in words if isinstance(word, str)]

    def whole(self, key: str, default: int | None = None) -> int | None:
        """The whole number under the key; the default where the key is absent, none where it is no number."""
        if key not in self.data:
            return default
        value = self.data[key]
        return int(value) if isinstance(value, Plain) and WHOLE.fullmatch(value) else None

    def flag(self, key: str, *, default: bool) -> bool:
        """The yes or no under the key."""
        return FLAGS.get(self.text(key), default)

    def parts(self, key: str) -> list[Node]:
        """The mappings in the list under the key."""
        value = self.data.get(key)
        entries = enumerate(value) if isinstance(value, list) else ()
        return [Node((*self.path, key, index), entry) for index, entry in entries if isinstance(entry, dict)]

    def part(self, key: str) -> Node:
        """The mapping under the key, or an empty one."""
        value = self.data.get(key)
        return Node((*self.path, key), value if isinstance(value, dict) else {})


@dataclass(frozen=True)
class Draft:
    """The whole file, with its sections by id."""

    tree: Tree

    @cached_property
    def root(self) -> Node:
        """The top of the file."""
        return Node((), self.tree.data if isinstance(self.tree.data, dict) else {})

    @cached_property
    def items(self) -> list[Node]:
        """The items, in order."""
        return self.root.parts("items")

    @cached_property
    def asked(self) -> list[Node]:
        """The items that are not retired."""
        return [item for item in self.items if not item.flag("retired", default=False)]

    def ids(self, section: str) -> list[str]:
        """The ids of a section, in order."""
        return [node.text("id") for node in self.root.parts(section) if node.text("id")]

    def by_id(self, section: str) -> dict[str, Node]:
        """The entries of a section by id; of two with the same id, the first."""
        return {node.text("id"): node for node in reversed(self.root.parts(section)) if node.text("id")}

    def line(self, path: Path) -> int:
        """The line on which the path stands."""
        return self.tree.place(path)[0]

    def used(self, *keys: str) -> Iterator[str]:
        """The words that items in use name under a key: a word, a list, or a list in a mapping (`applies`, `all`)."""
        for item in self.asked:
            node = item.part(keys[0]) if len(keys) > 1 else item
            yield node.text(keys[-1])
            yield from (word for _, word in node.texts(keys[-1]))
