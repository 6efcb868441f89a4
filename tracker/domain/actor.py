"""Who acts: a person with the appointments of the day and the roles of the account."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class AppointmentKind(StrEnum):
    """How a person sits in a seat. A clerk may prepare everything and sign nothing."""

    HOLDER = "holder"
    ACTING = "acting"
    CLERK = "clerk"


class RoleName(StrEnum):
    """What an account may do beyond the appointments of its person."""

    INSPECTOR = "inspector"
    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"


@dataclass(frozen=True)
class Sitting:
    """One appointment that is in force today. `at_unit`: the organization is a unit, or the top of the tree."""

    appointment_id: int
    appointment_key: str
    seat_id: int
    seat_key: str
    post: str
    organization_id: int
    kind: AppointmentKind
    at_unit: bool = False

    @property
    def may_sign(self) -> bool:
        """Whether this appointment entitles to sign: a clerk's does not."""
        return self.kind is not AppointmentKind.CLERK


@dataclass(frozen=True)
class Actor:
    """Whoever does something. The operator at the command line has no person (`person_id` is None)."""

    person_id: int | None
    person_key: str
    name: str
    roles: frozenset[RoleName] = frozenset()
    sittings: tuple[Sitting, ...] = ()
    request_id: str = ""

    def has(self, role: RoleName) -> bool:
        """Whether the account carries the role."""
        return role in self.roles

    @property
    def is_seated(self) -> bool:
        """Whether the person sits anywhere."""
        return bool(self.sittings)

    @property
    def seated_in(self) -> frozenset[int]:
        """The organizations (row numbers) in which the person sits."""
        return frozenset(sitting.organization_id for sitting in self.sittings)

    def sitting_in(self, seat_id: int) -> Sitting | None:
        """The appointment by which this person sits in the seat; the one that may sign, if there is one."""
        sittings = [sitting for sitting in self.sittings if sitting.seat_id == seat_id]
        return max(sittings, key=lambda sitting: sitting.may_sign, default=None)


def operator(request_id: str = "") -> Actor:
    """Return the actor that stands for whoever runs a command on the server."""
    return Actor(None, "operator", "operator", frozenset(RoleName), (), request_id)
