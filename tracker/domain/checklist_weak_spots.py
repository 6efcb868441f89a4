"""Weak spots of a checklist: it works, but somebody should look. Each is a warning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tracker.domain.checklist import ROOT
from tracker.domain.checklist_draft import Draft, Node
from tracker.domain.checklist_problem import Finding, Path
from tracker.domain.text import _n

UNCHECKED = frozenset({"secondary_only", "article_number_unverified", "not_seen"})


def weak_spots(draft: Draft) -> Iterator[Finding]:
    """Every weak spot of the list."""
    for item in draft.asked:
        yield from _sources(item)
        yield from _evidence(item, draft)
        yield from _marks(item)
    yield from _standing_alone(draft)
    yield from _collective_of_many(draft)
    yield from _same_titles(draft)
    yield from _unused(draft)
    yield from _levels_and_posts(draft)
    yield from _list_marks(draft)


def _warn(path: Path, code: str, message: str, fix: str, values: Mapping[str, object] | None = None) -> Finding:
    return Finding(path, code, message, fix, values or {}, severity="warning")


def _sources(item: Node) -> Iterator[Finding]:
    """Where it comes from, and whether anybody has seen the text."""
    sources = item.parts("sources")
    frequency = item.part("frequency")
    if not sources:
        yield _warn(
            item.path, "no-source", _n("没有写依据"), _n("在 sources 里写出处；没有出处的，在 proposed 里标明是建议")
        )
    elif frequency.text("basis") == "regulation" and all(source.text("checked") in UNCHECKED for source in sources):
        message = _n("次数说是法规写明的，但没有一处依据核对过条文")
        yield _warn((*frequency.path, "basis"), "basis-unchecked", message, _n("核对条文后改 checked，或改 basis"))


def _evidence(item: Node, draft: Draft) -> Iterator[Finding]:
    """At most one document, and the numbers that belong to it."""
    kinds = draft.by_id("evidence_kinds")
    asked = [(path, word) for path, word in item.texts("evidence") if word in kinds]
    attached = [(path, word) for path, word in asked if kinds[word].flag("attached", default=True)]
    if item.data.get("evidence") == []:
        yield _warn(
            (*item.path, "evidence"), "no-evidence", _n("没有写要什么佐证"), _n("写一种佐证；不附材料的写相应种类")
        )
    if len(attached) > 1:
        message = _n("要附 %(number)s 种材料，增加基层负担")
        yield _warn(
            attached[1][0],
            "several-attached",
            message,
            _n("一般只留一种，其余由记录中的数字代替"),
            {"number": len(attached)},
        )
    counted = {word for _, word in item.texts("counts")}
    for path, word in asked:
        missing = [count for _, count in kinds[word].texts("counts") if count not in counted]
        if missing:
            values = {"kind": word, "missing": "、".join(missing)}
            yield _warn(
                path,
                "counts-missing",
                _n("要了“%(kind)s”却没有要相应的数字"),
                _n("在 counts 里补上 %(missing)s"),
                values,
            )


def _marks(item: Node) -> Iterator[Finding]:
    """A number that is a proposal is marked as one."""
    frequency = item.part("frequency")
    marked = {word.partition(".")[0] for _, word in item.texts("proposed")}
    if frequency.text("basis") == "proposal" and "frequency" not in marked:
        yield _warn(
            (*frequency.path, "basis"),
            "not-marked",
            _n("次数是建议，却没有在 proposed 里标明"),
            _n("在 proposed 里加上 frequency"),
        )


def _standing_alone(draft: Draft) -> Iterator[Finding]:
    """Below the top level somebody should confirm."""
    top = draft.ids("levels")[:1]
    for item in draft.asked:
        if item.data.get("confirmer", "") is None and item.text("level") not in top:
            yield _warn(
                (*item.path, "confirmer"), "stands-on-submission", _n("没有人确认，提交即成立"), _n("写上级岗位的编号")
            )


def _collective_of_many(draft: Draft) -> Iterator[Finding]:
    """A collective item is answered for by one person."""
    posts = draft.by_id("posts")
    for item in draft.asked:
        post = posts.get(item.text("post"))
        if post and post.text("holders") == "each" and item.text("duty") == "collective":
            message = _n("集体责任由多人担任的岗位“%(post)s”负责，没有唯一的责任人")
            values = {"post": item.text("post")}
            yield _warn(
                (*item.path, "post"), "collective-of-many", message, _n("换成一人担任的岗位，或改为个人责任"), values
            )


def _same_titles(draft: Draft) -> Iterator[Finding]:
    """Two items of a post that read the same cannot be told apart."""
    first: dict[tuple[str, str, str], Node] = {}
    for item in draft.asked:
        name = (item.text("level"), item.text("post"), item.text("title"))
        if name in first and name[2]:
            values = {"other": first[name].text("id")}
            yield _warn(
                (*item.path, "title"), "same-title", _n("与事项“%(other)s”同名"), _n("合并，或写出区别"), values
            )
        first.setdefault(name, item)


def _unused(draft: Draft) -> Iterator[Finding]:
    """Entries that no item names."""
    used = {
        "dimensions": {*draft.used("dimension")},
        "evidence_kinds": {*draft.used("evidence")},
        "counts": {*draft.used("counts"), *_counts_of_kinds(draft)},
        "occasions": {*draft.used("occasion")},
        "tags": {*draft.used("applies", "all"), *draft.used("applies", "any"), *draft.used("applies", "none")},
        "regulations": {source.text("regulation") for item in draft.items for source in item.parts("sources")},
    }
    for section, words in used.items():
        for node in draft.root.parts(section):
            if node.text("id") and node.text("id") not in words:
                values = {"section": section, "id": node.text("id")}
                yield _warn(
                    node.path, "unused", _n("%(section)s 里的“%(id)s”没有事项用到"), _n("删去，或在事项里写上"), values
                )


def _counts_of_kinds(draft: Draft) -> Iterator[str]:
    return (word for kind in draft.root.parts("evidence_kinds") for _, word in kind.texts("counts"))


def _levels_and_posts(draft: Draft) -> Iterator[Finding]:
    """Levels and posts that owe nothing, and a top without a deputy."""
    for key, section, message in (
        ("level", "levels", _n("层级“%(id)s”没有事项")),
        ("post", "posts", _n("岗位“%(id)s”没有事项")),
    ):
        used = {*draft.used(key)}
        for node in draft.root.parts(section):
            if node.text("id") not in used and node.text("level") != ROOT:
                yield _warn(
                    node.path, f"{key}-without-items", message, _n("写上它的事项，或删去它"), {"id": node.text("id")}
                )
    at_top = [post for post in draft.root.parts("posts") if post.text("level") == ROOT]
    if len(at_top) == 1 and at_top[0].text("id") in draft.used("confirmer"):
        message = _n("最高一级只有一个确认岗位，本人的事项无人可确认")
        yield _warn(at_top[0].path, "no-deputy", message, _n("在 posts 里再写一个 level: root 的岗位，作为代理"))


def _list_marks(draft: Draft) -> Iterator[Finding]:
    """A proposed list says which of its fields are proposals."""
    marked = any(item.data.get("proposed") for item in draft.items)
    if draft.root.text("status") == "proposal" and draft.items and not marked:
        message = _n("清单是建议稿，却没有标明哪些栏目是建议")
        yield _warn(("status",), "nothing-marked", message, _n("在事项里写 proposed: [栏目, …]"))
