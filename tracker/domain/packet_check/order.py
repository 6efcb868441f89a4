"""How one list of pages became another: which were changed, swapped, moved, removed or added."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tracker.domain.packet_check.result import Sentence, say
from tracker.domain.text import _n


@dataclass
class Changes:
    """What became of the pages. All numbers are places counted from 0: `wanted` ones, then `found` ones."""

    same: list[tuple[int, int]] = field(default_factory=list)
    swapped: list[tuple[int, int]] = field(default_factory=list)
    changed: list[tuple[int, int]] = field(default_factory=list)
    moved: list[tuple[int, int]] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)
    added: list[int] = field(default_factory=list)

    def faults(self, first: int) -> Iterator[Sentence]:
        """What is wrong, in words; `first` is the number of the first page."""
        for one, other in self.swapped:
            yield say(_n("第 %(one)s 页与第 %(other)s 页互换。"), one=one + first, other=other + first)
        for _, place in self.changed:
            yield say(_n("第 %(page)s 页被改动：内容与清单所列的校验值不符。"), page=place + first)
        for wanted, place in self.moved:
            text = _n("原来的第 %(page)s 页被移到了第 %(place)s 页的位置。")
            same = _n("第 %(page)s 页与前后各页的次序变了。")
            yield say(same if wanted == place else text, page=wanted + first, place=place + first)
        for wanted in self.removed:
            yield say(_n("缺少第 %(page)s 页。"), page=wanted + first)
        for place in self.added:
            yield say(_n("第 %(page)s 页是后加的，不在清单中。"), page=place + first)


def compare(wanted: Sequence[str], found: Sequence[str]) -> Changes:
    """Compare the digests of pages as they should be with those that are there, in linear time."""
    changes = Changes()
    as_found = list(found)
    if len(wanted) == len(found):  # otherwise pages stand elsewhere because others are missing or were added
        _undo_swaps(wanted, as_found, changes)
    _align(wanted, as_found, changes)
    swapped = {place for pair in changes.swapped for place in pair}
    changes.same = [pair for pair in changes.same if pair[1] not in swapped]
    _find_moved(wanted, as_found, changes)
    return changes


def _undo_swaps(wanted: Sequence[str], found: list[str], changes: Changes) -> None:
    """Name two pages that stand in each other's place, and put them back."""
    wrong = [place for place in range(min(len(wanted), len(found))) if wanted[place] != found[place]]
    places = {(wanted[place], found[place]): place for place in wrong}
    for place in wrong:
        other = places.get((found[place], wanted[place]), -1)
        if other > place and found[place] == wanted[other]:
            changes.swapped.append((place, other))
            found[place], found[other] = found[other], found[place]


def _align(wanted: Sequence[str], found: Sequence[str], changes: Changes) -> None:
    """Walk along both lists; where they part, the page that turns up sooner in the other list tells what happened."""
    later_found, later_wanted = _Later(found), _Later(wanted)
    at, place = 0, 0
    while at < len(wanted) and place < len(found):
        if wanted[at] == found[place]:
            changes.same.append((at, place))
            at, place = at + 1, place + 1
            continue
        until_found, until_wanted = later_found.distance(wanted[at], place), later_wanted.distance(found[place], at)
        if until_found is None and until_wanted is None:
            changes.changed.append((at, place))
            at, place = at + 1, place + 1
        elif until_found is None or (until_wanted is not None and until_wanted <= until_found):
            changes.removed.append(at)
            at += 1
        else:
            changes.added.append(place)
            place += 1
    changes.removed += range(at, len(wanted))
    changes.added += range(place, len(found))


class _Later:
    """Where a digest stands next in a list, asked for in ascending places."""

    def __init__(self, digests: Sequence[str]) -> None:
        self._places: dict[str, list[int]] = {}
        for place in range(len(digests) - 1, -1, -1):
            self._places.setdefault(digests[place], []).append(place)

    def distance(self, digest: str, place: int) -> int | None:
        """How far behind `place` the digest stands next; None where it does not."""
        places = self._places.get(digest, [])
        while places and places[-1] < place:
            places.pop()
        return places[-1] - place if places else None


def _find_moved(wanted: Sequence[str], found: Sequence[str], changes: Changes) -> None:
    """A page that is missing in one place and was added in another was moved."""
    added: dict[str, list[int]] = {}
    for place in reversed(changes.added):
        added.setdefault(found[place], []).append(place)
    changes.moved = [(at, added[wanted[at]].pop()) for at in changes.removed if added.get(wanted[at])]
    gone, come = {at for at, _ in changes.moved}, {place for _, place in changes.moved}
    changes.removed = [at for at in changes.removed if at not in gone]
    changes.added = [place for place in changes.added if place not in come]
