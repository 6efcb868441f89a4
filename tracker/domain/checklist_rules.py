"""The rules of a whole checklist that no single entry can know: ids, references, points, who is above whom.

They work on the data as it was written, not on the finished checklist, so that one wrong word at the top does not hide
what else is wrong further down.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tracker.domain.checklist import ROOT, Applies, Frequency, Item, Level
from tracker.domain.checklist_draft import Draft, Node
from tracker.domain.checklist_frequency import frequency_findings
from tracker.domain.checklist_nearest import nearest
from tracker.domain.checklist_problem import Finding, Path
from tracker.domain.checklist_weak_spots import weak_spots
from tracker.domain.checklist_yaml import Tree
from tracker.domain.text import _n

SECTIONS = (
    "levels",
    "posts",
    "dimensions",
    "evidence_kinds",
    "counts",
    "occasions",
    "tags",
    "regulations",
    "items",
)
MAX_ENTRIES = 500  # in a section
NEEDED = ("levels", "posts", "dimensions", "evidence_kinds", "items")


def findings_of(tree: Tree) -> Iterator[Finding]:
    """Every fault and weak spot of the list as a whole."""
    draft = Draft(tree)
    rules = (
        empty_sections,
        ids,
        post_levels,
        references,
        repetitions,
        posts_of_level,
        confirmers,
        points,
        proposals,
        contradictions,
    )
    for rule in rules:
        yield from rule(draft)
    for item in draft.items:
        yield from frequency_findings(item)
    yield from weak_spots(draft)


def crowded(tree: Tree) -> list[Finding]:
    """Sections with more entries than any honest list has; nothing else is looked at then."""
    root = Draft(tree).root
    return [
        Finding((section,), "too-many-entries", message, _n("拆分清单"), {"key": section, "limit": MAX_ENTRIES})
        for message in [_n("“%(key)s”超过 %(limit)s 项")]
        for section in SECTIONS
        if len(root.parts(section)) > MAX_ENTRIES
    ]


def empty_sections(draft: Draft) -> Iterator[Finding]:
    """A list needs at least one of each of these."""
    for section in NEEDED:
        if draft.root.data.get(section) == []:
            yield Finding((section,), "empty-list", _n("“%(key)s”一项也没有"), _n("至少写一项"), {"key": section})


def ids(draft: Draft) -> Iterator[Finding]:
    """No id twice in a section; the id of the top is taken."""
    for section in SECTIONS:
        first: dict[str, Path] = {}
        for node in draft.root.parts(section):
            identity, path = node.text("id"), (*node.path, "id")
            if identity in first:
                values = {"id": identity, "line": draft.line(first[identity])}
                yield Finding(
                    path, "duplicate-id", _n("编号“%(id)s”重复，第 %(line)s 行已有"), _n("换一个没有用过的编号"), values
                )
            elif identity:
                first[identity] = path
    for node in draft.root.parts("levels"):
        if node.text("id") == ROOT:
            yield Finding((*node.path, "id"), "reserved-id", _n("编号 root 留给最高一级组织"), _n("换一个编号"))


def post_levels(draft: Draft) -> Iterator[Finding]:
    """Every post stands on a level or at the top."""
    for post in draft.root.parts("posts"):
        yield from _unknown((*post.path, "level"), post.text("level"), [*draft.ids("levels"), ROOT], "levels")


def references(draft: Draft) -> Iterator[Finding]:
    """Whatever an item names must exist."""
    known = {section: draft.ids(section) for section in SECTIONS}
    for kind in draft.root.parts("evidence_kinds"):
        for path, word in kind.texts("counts"):
            yield from _unknown(path, word, known["counts"], "counts")
    for count in draft.root.parts("counts"):
        yield from _unknown((*count.path, "at_most"), count.text("at_most"), known["counts"], "counts")
    for item in draft.items:
        for path, word, section in _references_of(item):
            yield from _unknown(path, word, known[section], section)


ONE = {"level": "levels", "post": "posts", "confirmer": "posts", "dimension": "dimensions", "occasion": "occasions"}
MANY = {"evidence": "evidence_kinds", "counts": "counts"}


def _references_of(item: Node) -> Iterator[tuple[Path, str, str]]:
    """Path, word and section of everything that the item refers to."""
    for key, section in ONE.items():
        yield (*item.path, key), item.text(key), section
    for key, section in MANY.items():
        yield from ((path, word, section) for path, word in item.texts(key))
    for source in item.parts("sources"):
        yield (*source.path, "regulation"), source.text("regulation"), "regulations"
    for key in ("all", "any", "none"):
        yield from ((path, word, "tags") for path, word in item.part("applies").texts(key))


def _unknown(path: Path, word: str, known: Iterable[str], section: str) -> Iterator[Finding]:
    """Complain where the word is not among the known ones; name the nearest."""
    known = list(known)
    if not word or word in known:
        return
    near = nearest(word, tuple(known))
    values = {"word": word[:40], "section": section, "near": near}
    fix = _n("改为“%(near)s”，或在 %(section)s 里补上它") if near else _n("改为 %(section)s 里有的编号，或在那里补上它")
    yield Finding(path, "unknown-reference", _n("%(section)s 里没有“%(word)s”"), fix, values)


def repetitions(draft: Draft) -> Iterator[Finding]:
    """No word twice in a list of an item."""
    for item in draft.items:
        applies = item.part("applies")
        lists = [item.texts(key) for key in ("evidence", "counts", "proposed")]
        lists += [applies.texts(key) for key in ("all", "any", "none")]
        for words in lists:
            yield from _twice(words)


def _twice(words: list[tuple[Path, str]]) -> Iterator[Finding]:
    seen: set[str] = set()
    for path, word in words:
        if word in seen:
            yield Finding(path, "repeated", _n("“%(word)s”写了两次"), _n("只保留一个"), {"word": word})
        seen.add(word)


def posts_of_level(draft: Draft) -> Iterator[Finding]:
    """The accountable post belongs to the level of the item."""
    posts = draft.by_id("posts")
    for item in draft.items:
        post, level = posts.get(item.text("post")), item.text("level")
        if post and level and post.text("level") and post.text("level") != level:
            values = {"post": item.text("post"), "own": post.text("level"), "level": level}
            message = _n("岗位“%(post)s”属于层级“%(own)s”，不属于本事项的层级“%(level)s”")
            yield Finding(
                (*item.path, "post"), "post-of-other-level", message, _n("换成本层级的岗位，或改事项的层级"), values
            )


def confirmers(draft: Draft) -> Iterator[Finding]:
    """Who confirms stands above who is accountable."""
    ranks = _ranks(draft)
    for item in draft.items:
        post, confirmer = item.text("post"), item.text("confirmer")
        if post in ranks and confirmer in ranks and ranks[confirmer] >= ranks[post]:
            message = _n("确认岗位“%(confirmer)s”不在责任岗位“%(post)s”之上")
            fix = _n("换成上级岗位；posts 的先后顺序决定上下")
            yield Finding(
                (*item.path, "confirmer"), "confirmer-not-above", message, fix, {"confirmer": confirmer, "post": post}
            )


def _ranks(draft: Draft) -> dict[str, tuple[int, int]]:
    """Where each post stands: smaller is higher."""
    order = {ROOT: -1} | {level: place for place, level in enumerate(draft.ids("levels"))}
    posts = draft.by_id("posts")
    places = {post: place for place, post in enumerate(draft.ids("posts"))}
    return {
        post: (order[node.text("level")], places[post]) for post, node in posts.items() if node.text("level") in order
    }


def points(draft: Draft) -> Iterator[Finding]:
    """The points of a level's items add up to what the level says."""
    wanted = Level.model_fields["points"].default
    for level in draft.root.parts("levels"):
        owed = [item.whole("points") for item in draft.asked if item.text("level") == level.text("id")]
        asked = level.whole("points", wanted)
        if not owed or asked is None or None in owed:
            continue
        total = sum(value for value in owed if value is not None)
        if total != asked:
            values = {"level": level.text("id"), "total": total, "asked": asked, "difference": abs(asked - total)}
            message = _n("层级“%(level)s”各事项共 %(total)s 分，应为 %(asked)s 分")
            fix = (
                _n("给本层级的事项减去 %(difference)s 分")
                if total > asked
                else _n("给本层级的事项加上 %(difference)s 分")
            )
            yield Finding((*level.path, "points"), "points", message, fix, values)


FIELDS = (
    *(field.alias or name for name, field in Item.model_fields.items()),
    *(f"frequency.{name}" for name in Frequency.model_fields),
    *(f"applies.{field.alias}" for field in Applies.model_fields.values()),
)


def proposals(draft: Draft) -> Iterator[Finding]:
    """What is marked as a proposal is a field of an item."""
    for item in draft.items:
        for path, word in item.texts("proposed"):
            if word not in FIELDS:
                near = nearest(word, FIELDS) or "frequency.grace"
                values = {"word": word[:40], "near": near}
                yield Finding(
                    path, "unknown-field", _n("事项没有“%(word)s”这一栏"), _n("改为事项的键，如“%(near)s”"), values
                )


def contradictions(draft: Draft) -> Iterator[Finding]:
    """No tag is both asked for and excluded: nobody would owe the item."""
    for item in draft.items:
        applies = item.part("applies")
        wanted = {word for _, word in applies.texts("all")}
        anyway = {word for _, word in applies.texts("any")}
        for path, word in applies.texts("none"):
            if word in wanted or anyway == {word}:
                message = _n("标签“%(word)s”既要求有又要求没有，没有组织适用")
                yield Finding(path, "contradiction", message, _n("删去其中一处"), {"word": word})
