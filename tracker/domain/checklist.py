"""The checklist language: what a responsibility checklist is, once it has been read and found to be sound.

Levels, posts, dimensions, evidence kinds, occasions and items are data of the YAML file; no code knows one of them by name.
"""

from __future__ import annotations

from datetime import date
from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

ROOT = "root"  # the level id reserved for the top of the tree, which stands outside the levels

Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,31}$")]
MonthDay = Annotated[str, StringConstraints(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$")]
Line = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=2000)]


class Part(BaseModel):
    """Anything that stands in a checklist: frozen, and closed to keys that the schema does not name."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Named(Part):
    """A thing with an id that never changes, a Chinese name and, if wished, an English one."""

    id: Key
    name: Line
    name_en: str = ""
    note: str = ""


class Level(Named):
    """A storey of the tree, from the top down; `points` is what its items add up to."""

    points: int = 100


class Post(Named):
    """A post of a level (or of the root). `holders: each` gives every member of it their own duties."""

    level: Key
    holders: Literal["one", "each"] = "one"


class Dimension(Named):
    """A heading under which items are counted."""


class EvidenceKind(Named):
    """A kind of supporting material; `attached: no` means that nothing is handed in for it."""

    attached: bool = True


class CountKind(Named):
    """A number that a record may carry, such as sessions held or people present."""

    unit: str = ""


class Occasion(Named):
    """Things that happen together, so that one record serves many items. `automatic`: taken from another system."""

    automatic: bool = False


class Tag(Named):
    """A property of an organization that decides what applies to it."""


class Regulation(Named):
    """A rule that items are founded on. `verified`: how well its text is known."""

    year: str = ""
    verified: Literal["text", "mixed", "text-unofficial", "secondary", "memory"]


class Window(Part):
    """The days of the year in which one occurrence falls, both included: `from: 01-01`, `to: 03-31`."""

    start: MonthDay = Field(alias="from")
    end: MonthDay = Field(alias="to")


class Frequency(Part):
    """How often, and until when.

    `every` names the period and `times` the occurrences in it. `windows` (only with `every: year` or `half`) narrows the
    period, one window for each occurrence of the year in order. The duty is due `grace` working days after its window
    (or period, or event) ends. `label` is the wording people know. `basis` tells where the number comes from.
    `years` is the length of a term (only with `every: term`).
    """

    every: Literal["month", "quarter", "half", "year", "term", "event"]
    times: int = Field(default=1, ge=1, le=31)
    windows: tuple[Window, ...] = ()
    grace: int = Field(default=5, ge=0, le=60)
    years: int | None = Field(default=None, ge=1, le=10)
    label: Line
    basis: Literal["regulation", "regulation_no_number", "local", "proposal"]


class Applies(Part):
    """To which organizations of the level an item applies, by their tags. Empty: to all."""

    all_of: tuple[Key, ...] = Field(default=(), alias="all")
    any_of: tuple[Key, ...] = Field(default=(), alias="any")
    none_of: tuple[Key, ...] = Field(default=(), alias="none")

    def to(self, tags: frozenset[str]) -> bool:
        """Whether an organization with these tags owes the item."""
        return (
            set(self.all_of) <= tags
            and (not self.any_of or bool(tags & set(self.any_of)))
            and not tags & set(self.none_of)
        )


class Source(Part):
    """Where an item comes from, and how well that has been checked."""

    regulation: Key
    article: str
    checked: Literal[
        "text_read",
        "text_read_unofficial_copy",
        "quoted_by_secondary_page",
        "secondary_only",
        "article_number_unverified",
        "not_seen",
    ]


class Item(Part):
    """One responsibility: collective (of the level's organization) or individual (of each seat of the post).

    `confirmer` is the post above that confirms; none means that the duty stands on submission. `proposed` names the
    fields of this item that are a proposal of the list's author and not found in a source.
    """

    id: Key
    level: Key
    duty: Literal["collective", "individual"]
    responsibility: Literal["political", "leadership", "post"]
    post: Key
    confirmer: Key | None
    dimension: Key
    title: Line
    requirement: Text
    frequency: Frequency
    evidence: tuple[Key, ...]
    counts: tuple[Key, ...] = ()
    occasion: Key | None = None
    inspect: str = ""
    privacy: str = ""
    points: int = Field(ge=0, le=100)
    sources: tuple[Source, ...] = ()
    applies: Applies = Applies()
    proposed: tuple[str, ...] = ()
    retired: bool = False


class Checklist(Part):
    """A whole list. Levels and posts stand in order from the top down: that order says who is above whom."""

    schema_version: Literal[1]
    key: Key
    version: Line
    title: Line
    status: Literal["proposal", "trial", "in_force"]
    notice: Text
    as_of: date
    root_name: Line
    levels: tuple[Level, ...]
    posts: tuple[Post, ...]
    dimensions: tuple[Dimension, ...]
    evidence_kinds: tuple[EvidenceKind, ...]
    counts: tuple[CountKind, ...] = ()
    occasions: tuple[Occasion, ...] = ()
    tags: tuple[Tag, ...] = ()
    regulations: tuple[Regulation, ...] = ()
    items: tuple[Item, ...]

    @cached_property
    def item(self) -> dict[str, Item]:
        """Items by id."""
        return {item.id: item for item in self.items}

    @cached_property
    def post(self) -> dict[str, Post]:
        """Posts by id."""
        return {post.id: post for post in self.posts}

    @cached_property
    def level(self) -> dict[str, Level]:
        """Levels by id."""
        return {level.id: level for level in self.levels}

    @cached_property
    def dimension(self) -> dict[str, Dimension]:
        """Dimensions by id."""
        return {dimension.id: dimension for dimension in self.dimensions}

    @cached_property
    def evidence_kind(self) -> dict[str, EvidenceKind]:
        """Evidence kinds by id."""
        return {kind.id: kind for kind in self.evidence_kinds}

    @cached_property
    def count_kind(self) -> dict[str, CountKind]:
        """Kinds of counts by id."""
        return {kind.id: kind for kind in self.counts}

    @cached_property
    def occasion(self) -> dict[str, Occasion]:
        """Occasions by id."""
        return {occasion.id: occasion for occasion in self.occasions}

    @cached_property
    def tag(self) -> dict[str, Tag]:
        """Tags by id."""
        return {tag.id: tag for tag in self.tags}

    @cached_property
    def regulation(self) -> dict[str, Regulation]:
        """Regulations by id."""
        return {regulation.id: regulation for regulation in self.regulations}

    def rank(self, post_id: str) -> tuple[int, int]:
        """Where a post stands: smaller is higher. Root posts are above every level."""
        level_id = self.post[post_id].level
        level = -1 if level_id == ROOT else [level.id for level in self.levels].index(level_id)
        return level, [post.id for post in self.posts].index(post_id)
