"""The stage on which the story of the demo is played: a queue of scenes in the order of their time."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.cli.demo.cabinet import Cabinet
from tracker.cli.demo.clock import BEGIN, END
from tracker.cli.demo.town import Town
from tracker.db import writing
from tracker.domain.actor import Actor, AppointmentKind
from tracker.domain.checklist import Checklist, Item
from tracker.domain.duty import State
from tracker.models import Appointment, Duty, Organization, Person, Seat
from tracker.queries.actors import actor_of_person
from tracker.queries.assignments import items_of_year
from tracker.queries.history import SHANGHAI

SCENES_AT_ONCE = 60  # in one transaction

Scene = Callable[[datetime], None]
Progress = Callable[[float], None]
_Term = tuple[date, date, AppointmentKind, str]  # first and last day, how, and whose account


class Stage:
    """What every scene needs: the session, the town, the files, and who is there on a day."""

    def __init__(self, session: Session, *, town: Town, cabinet: Cabinet, checklist: Checklist) -> None:
        self.session = session
        self.town = town
        self.cabinet = cabinet
        self.checklist = checklist
        self._queue: list[tuple[datetime, int, Scene]] = []
        self._number = 0
        self._actors: dict[str, Actor] = {}
        self._items: dict[str, Item] = {}
        self._terms: dict[str, list[_Term]] | None = None

    def at(self, now: datetime, scene: Callable[..., None], *arguments: object) -> None:
        """Put a scene on the queue; one that lies after the end is never played."""
        if now.astimezone(SHANGHAI).date() > END:
            return
        self._number += 1
        play: Scene = partial(scene, self, *arguments)
        heapq.heappush(self._queue, (now, self._number, play))

    def play(self, progress: Progress | None = None) -> None:
        """Play every scene in the order of its time, many in one transaction."""
        while self._queue:
            with writing(self.session):
                for _ in range(min(SCENES_AT_ONCE, len(self._queue))):
                    if not self._queue:
                        break
                    now, _, scene = heapq.heappop(self._queue)
                    scene(now)
            if progress:
                progress((now.astimezone(SHANGHAI).date() - BEGIN) / (END - BEGIN))

    def recast(self) -> None:
        """Forget who sits where, and what the items are: appointments, roles or decisions have changed."""
        self._actors.clear()
        self._items.clear()
        self._terms = None

    def actor(self, account: str, now: datetime) -> Actor:
        """The person with this account as they act on that day; nobody's seats change but by a scene that recasts."""
        found = self._actors.get(account)
        if found is None:
            today = now.astimezone(SHANGHAI).date()
            person = self.session.scalars(select(Person).where(Person.account_name == account)).one()
            found = actor_of_person(self.session, person, today=today, request_id="demo")
            self._actors[account] = found
        return found

    def signer(self, seat: str, now: datetime) -> Actor | None:
        """Whoever signs for a seat on that day; None where it is vacant."""
        return self._sits(seat, now, clerk=False)

    def clerk(self, seat: str, now: datetime) -> Actor | None:
        """Whoever prepares for a seat on that day without signing."""
        return self._sits(seat, now, clerk=True)

    def _sits(self, seat: str, now: datetime, *, clerk: bool) -> Actor | None:
        today = now.astimezone(SHANGHAI).date()
        for starts_on, ends_on, kind, account in self._all_terms().get(seat, ()):
            if starts_on <= today <= ends_on and (kind is AppointmentKind.CLERK) == clerk:
                return self.actor(account, now)
        return None

    def _all_terms(self) -> dict[str, list[_Term]]:
        if self._terms is None:
            self._terms = {}
            rows = self.session.execute(
                select(Seat.key, Appointment.starts_on, Appointment.ends_on, Appointment.kind, Person.account_name)
                .join(Seat, Seat.id == Appointment.seat_id)
                .join(Person, Person.id == Appointment.person_id)
                .where(Appointment.superseded_at.is_(None))
                .order_by(Appointment.key)
            )
            for seat, starts_on, ends_on, kind, account in rows:
                self._terms.setdefault(seat, []).append((starts_on, ends_on or date.max, kind, account or ""))
        return self._terms

    def items(self, duties: Sequence[Duty]) -> list[Item]:
        """The items that these duties are about, each once."""
        if any(duty.item_id not in self._items for duty in duties):
            self._items.update(items_of_year(self.session, duties[0].cycle))
        return [self._items[item] for item in dict.fromkeys(duty.item_id for duty in duties)]

    def organization(self, code: str) -> Organization:
        """The organization with this code."""
        return self.session.scalars(select(Organization).where(Organization.code == code)).one()

    def seat(self, key: str) -> Seat:
        """The seat with this key."""
        return self.session.scalars(select(Seat).where(Seat.key == key)).one()

    def duties(self, keys: Iterable[str], *states: State) -> Sequence[Duty]:
        """Those of the duties that are owed and stand in one of these states, in the order of their keys."""
        query = select(Duty).where(Duty.key.in_(sorted(keys)), Duty.in_force.is_(True), Duty.state.in_(states))
        return self.session.scalars(query.order_by(Duty.key)).all()


def later(now: datetime, *, days: int = 0, minutes: int = 0) -> datetime:
    """A moment so much later."""
    return now + timedelta(days=days, minutes=minutes)
