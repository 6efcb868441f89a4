"""The checklist language: what a responsibility checklist is, once it has been read and found to be sound.

Levels, posts, dimensions, evidence kinds, occasions and items are data of the YAML file; no code knows one of them by
name. The descriptions go into the JSON Schema: editors show them beside the key that is being written.
"""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from tracker.domain.checklist_scalars import Day, Flag, Key, Line, MonthDay, Note, Text, Whole, read_whole

ROOT = "root"  # the level id reserved for the top of the tree, which stands outside the levels


class Part(BaseModel):
    """Anything that stands in a checklist: frozen, and closed to keys that the schema does not name."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Named(Part):
    """A thing with an id that never changes, a Chinese name and, if wished, an English one."""

    id: Key = Field(description="编号：字母开头，字母、数字、连字符；一经使用永不更改 / permanent id")
    name: Line = Field(description="中文名称 / Chinese name")
    name_en: Note = Field(default="", description="英文名称，可不写 / English name")
    note: Note = Field(default="", description="说明，可不写 / remark")


class Level(Named):
    """A storey of the tree, from the top down; `points` is what its items add up to."""

    points: Whole = Field(
        default=100, ge=0, le=1000, description="本层级各事项分值之和，默认 100 / what the items add up to"
    )


class Post(Named):
    """A post of a level (or of the root). `holders: each` gives every member of it their own duties."""

    level: Key = Field(description="所在层级的编号；最高一级组织写 root / level id, or root")
    holders: Literal["one", "each"] = Field(
        default="one",
        description="one：一人担任；each：多人担任，各有各的任务 / one holder, or each member has their own duties",
    )


class Dimension(Named):
    """A heading under which items are counted."""


class EvidenceKind(Named):
    """A kind of supporting material; `attached: no` means that nothing is handed in for it.

    `counts` names the numbers that make up this material: an item that asks for the kind asks for them too.
    """

    attached: Flag = Field(default=True, description="是否要附文件；false 表示不附 / whether a file is handed in")
    counts: tuple[Key, ...] = Field(
        default=(), description="要了这种佐证就要填的数字 / counts that this material consists of"
    )


class CountKind(Named):
    """A number that a record may carry, such as sessions held or people present. `at_most` names its upper bound."""

    unit: Note = Field(default="", description="单位，如 次、人、学时 / unit")
    at_most: Key | None = Field(default=None, description="不能大于哪个数字（编号） / id of the count it cannot exceed")


class Occasion(Named):
    """Things that happen together, so that one record serves many items. `automatic`: taken from another system."""

    automatic: Flag = Field(default=False, description="true：数据由其他系统导入，不必填报 / taken from another system")


class Tag(Named):
    """A property of an organization that decides what applies to it."""


class Regulation(Named):
    """A rule that items are founded on. `verified`: how well its text is known."""

    year: Note = Field(default="", description="年份 / year")
    verified: Literal["text", "mixed", "text-unofficial", "secondary", "memory"] = Field(
        description="条文核对程度：text 读过原文；mixed 部分读过；text-unofficial 读过非正式文本；"
        "secondary 只见转述；memory 未见，待核 / how well the text is known"
    )


class Window(Part):
    """The days of the year in which one occurrence falls, both included: `from: 01-01`, `to: 03-31`."""

    start: MonthDay = Field(alias="from", description="起始日，月-日，如 01-01 / first day, MM-DD")
    end: MonthDay = Field(alias="to", description="截止日，月-日，如 03-31 / last day, MM-DD")


class Frequency(Part):
    """How often, and until when.

    `every` names the period and `times` the occurrences in it. `windows` (only with `every: year` or `half`) narrows
    the period, one window for each occurrence of the year in order. The duty is due `grace` working days after its
    window (or period, or event) ends. `label` is the wording people know. `basis` tells where the number comes from.
    `years` is the length of a term (only with `every: term`).
    """

    every: Literal["month", "quarter", "half", "year", "term", "event"] = Field(
        description="周期：month 每月，quarter 每季度，half 每半年，year 每年，term 每届，event 发生时 / the period"
    )
    times: Whole = Field(default=1, ge=1, le=31, description="每个周期几次，默认 1 / occurrences in each period")
    windows: tuple[Window, ...] = Field(
        default=(),
        description="时间窗口，全年每次一个，依次写；只用于 year 和 half / one window for each occurrence of the year",
    )
    grace: Whole = Field(
        default=5, ge=0, le=60, description="到期后宽限的工作日数，默认 5 / working days after the end"
    )
    years: Whole | None = Field(default=None, ge=1, le=10, description="一届几年；只用于 term / years of a term")
    label: Line = Field(description="给人看的频次说法 / the wording people know")
    basis: Literal["regulation", "regulation_no_number", "local", "proposal"] = Field(
        description="次数的来历：regulation 法规写明；regulation_no_number 法规有此责任未定次数；local 地方做法；"
        "proposal 建议 / where the number comes from"
    )


class Applies(Part):
    """To which organizations of the level an item applies, by their tags. Empty: to all."""

    all_of: tuple[Key, ...] = Field(default=(), alias="all", description="须有全部这些标签 / needs all of these tags")
    any_of: tuple[Key, ...] = Field(default=(), alias="any", description="须有其中一个标签 / needs one of these tags")
    none_of: tuple[Key, ...] = Field(
        default=(), alias="none", description="有其中任何一个标签就不适用 / must have none of them"
    )

    def to(self, tags: frozenset[str]) -> bool:
        """Whether an organization with these tags owes the item."""
        return (
            set(self.all_of) <= tags
            and (not self.any_of or bool(tags & set(self.any_of)))
            and not tags & set(self.none_of)
        )


class Source(Part):
    """Where an item comes from, and how well that has been checked."""

    regulation: Key = Field(description="依据的编号 / regulation id")
    article: Line = Field(description="条款 / article")
    checked: Literal[
        "text_read",
        "text_read_unofficial_copy",
        "quoted_by_secondary_page",
        "secondary_only",
        "article_number_unverified",
        "not_seen",
    ] = Field(
        description="核对程度：text_read 读过公开原文；text_read_unofficial_copy 读过非正式文本；"
        "quoted_by_secondary_page 他页引用条文；secondary_only 只见转述；article_number_unverified 条号待核；"
        "not_seen 未见，待核 / how well it has been checked"
    )


class Item(Part):
    """One responsibility: collective (of the level's organization) or individual (of each seat of the post).

    `confirmer` is the post above that confirms; none means that the duty stands on submission. `proposed` names the
    fields of this item that are a proposal of the list's author and not found in a source.
    """

    id: Key = Field(description="事项编号，永不更改 / permanent id of the item")
    level: Key = Field(description="层级编号 / level id")
    duty: Literal["collective", "individual"] = Field(
        description="collective：层级（集体）责任；individual：岗位（个人）责任 / owed by the organization or the post"
    )
    responsibility: Literal["political", "leadership", "post"] = Field(
        description="责任类别：political 政治责任；leadership 领导责任；post 岗位责任 / kind of responsibility"
    )
    post: Key = Field(description="责任岗位编号，须属于同一层级 / accountable post")
    confirmer: Key | None = Field(
        description="由哪个上级岗位确认；空着（null）表示提交即成立 / confirming post above, or null"
    )
    dimension: Key = Field(description="类别编号 / dimension id")
    title: Line = Field(description="事项名称，一行 / title")
    requirement: Text = Field(description="要做什么，一两句 / what is asked")
    frequency: Frequency = Field(description="多久一次、何时到期 / how often and until when")
    evidence: tuple[Key, ...] = Field(description="要什么佐证，写佐证种类编号 / evidence kinds asked for")
    counts: tuple[Key, ...] = Field(default=(), description="要填哪些数字 / counts asked for")
    occasion: Key | None = Field(default=None, description="合并场合编号：同一份记录可用于多个事项 / occasion id")
    inspect: Note = Field(default="", description="督查时怎么查 / how it is inspected")
    privacy: Note = Field(default="", description="保密和减负提示，填报时显示 / privacy hint shown while recording")
    points: Whole = Field(ge=0, le=100, description="分值 / points")
    sources: tuple[Source, ...] = Field(default=(), description="依据 / sources")
    applies: Applies = Field(
        default=Applies(), description="适用范围，按组织标签；不写则全部适用 / to whom it applies, by tags"
    )
    proposed: tuple[Line, ...] = Field(
        default=(),
        description="本事项中属于建议、依据里没有的栏目，如 confirmer、frequency.grace / fields that are a proposal",
    )
    retired: Flag = Field(default=False, description="true：不再使用，仍保留在清单中 / no longer asked for")


class Checklist(Part):
    """A whole list. Levels and posts stand in order from the top down: that order says who is above whom."""

    schema_version: Annotated[Literal[1], BeforeValidator(read_whole)] = Field(description="格式版本，写 1 / always 1")
    key: Key = Field(description="清单代号，各版本相同 / key of the list, the same in all versions")
    version: Line = Field(description='版本号，加引号，如 "2026.1" / version')
    title: Line = Field(description="清单名称 / title")
    status: Literal["proposal", "trial", "in_force"] = Field(
        description="proposal 建议稿；trial 试行；in_force 施行 / standing of the list"
    )
    notice: Text = Field(description="印在每处清单上的声明 / notice printed with the list")
    as_of: Day = Field(description="内容核对到哪一天，如 2026-11-01 / the day up to which it was checked")
    root_name: Line = Field(description="最高一级组织的名称 / name of the top organization")
    levels: tuple[Level, ...] = Field(description="层级，从上到下 / levels from the top down")
    posts: tuple[Post, ...] = Field(description="岗位，从上到下；顺序决定谁在谁之上 / posts from the top down")
    dimensions: tuple[Dimension, ...] = Field(description="类别 / dimensions")
    evidence_kinds: tuple[EvidenceKind, ...] = Field(description="佐证种类 / kinds of evidence")
    counts: tuple[CountKind, ...] = Field(default=(), description="数字种类 / kinds of counts")
    occasions: tuple[Occasion, ...] = Field(default=(), description="合并场合 / occasions")
    tags: tuple[Tag, ...] = Field(default=(), description="组织标签 / tags of organizations")
    regulations: tuple[Regulation, ...] = Field(default=(), description="依据 / regulations")
    items: tuple[Item, ...] = Field(description="事项 / items")

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


ITEM_FORM = "item/1"  # changes when the canonical form below changes


def item_text(item: Item, checklist: Checklist) -> bytes:
    """The canonical bytes of an item's text: what a sign-off binds itself to.

    Keys stand in sorted order and defaults are left out, so that neither the layout of the file nor a field that the
    language learns later changes them. Retiring an item, or marking a field as proposed, does not change its text.
    """
    text: dict[str, Any] = item.model_dump(
        mode="json", by_alias=True, exclude_defaults=True, exclude={"retired", "proposed"}
    )
    whole = {"form": ITEM_FORM, "checklist": checklist.key, "item": text}
    return json.dumps(whole, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def item_digest(item: Item, checklist: Checklist) -> str:
    """The SHA-256 of an item's text, as 64 hexadecimal digits: the version of the item."""
    return hashlib.sha256(item_text(item, checklist)).hexdigest()
