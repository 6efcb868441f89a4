"""Who confirms: the post that the item names, and where nobody of it may, the next one upwards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tracker.domain.checklist import ROOT, Checklist


@dataclass(frozen=True)
class Seat:
    """A seat with the persons (public ids) who hold it on the day, acting holders among them; clerks are not."""

    key: str
    post: str
    holders: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Place:
    """An organization of the chain with its seats, in order."""

    key: str
    seats: tuple[Seat, ...] = ()


def confirming_seat(
    *, checklist: Checklist, confirmer: str | None, chain: Sequence[Place], doers: frozenset[str]
) -> str | None:
    """Return the key of the seat that confirms a duty, or None if there is none.

    `chain` runs from the duty's own organization up to the root. `doers` are the persons who submitted it or entered
    evidence for it: a seat counts only if somebody else holds it. Without a `confirmer` the duty stands on submission.
    With one, None means that nobody may confirm: `wanted_posts` says who has to be appointed.
    """
    return next((seat.key for seat in _confirming_seats(checklist, confirmer, chain, doers)), None)


def confirming_persons(seat: Seat, *, doers: frozenset[str]) -> frozenset[str]:
    """The holders of a seat who may confirm: nobody confirms what they submitted or entered."""
    return seat.holders - doers


def wanted_posts(checklist: Checklist, confirmer: str) -> tuple[str, ...]:
    """The posts that may confirm, in the order in which they are asked.

    First the named post; then the posts above it that one person holds, the nearest first (among several members of
    a post nobody is asked before the others); then those of the root in the order of the checklist, the last of which
    is the deputy for everything that nobody else may confirm.
    """
    named = checklist.rank(confirmer)
    inner = [post for post in checklist.posts if post.level != ROOT and post.holders == "one"]
    above = [post.id for post in inner if checklist.rank(post.id) < named]
    nearest_first = sorted(above, key=checklist.rank, reverse=True)
    at_root = [post.id for post in checklist.posts if post.level == ROOT and post.id != confirmer]
    return confirmer, *nearest_first, *at_root


def _confirming_seats(
    checklist: Checklist, confirmer: str | None, chain: Sequence[Place], doers: frozenset[str]
) -> Iterator[Seat]:
    """The seats that may confirm, the one that is asked first."""
    posts: Iterable[str] = () if confirmer is None else wanted_posts(checklist, confirmer)
    for post in posts:
        for place in chain:
            yield from (seat for seat in place.seats if seat.post == post and confirming_persons(seat, doers=doers))
