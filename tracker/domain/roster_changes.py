"""What an import knows beforehand and what it would change: plain values, and the plan that is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from enum import StrEnum

from tracker.domain.actor import AppointmentKind
from tracker.domain.canonical import canonical_json, digest
from tracker.domain.organization import OrganizationFacts
from tracker.domain.roster import AssignmentRow, RowError, SheetName
from tracker.domain.text import _n


class Verb(StrEnum):
    """What happens to a thing."""

    ADD = "add"
    CHANGE = "change"
    CLOSE = "close"
    WITHDRAW = "withdraw"


VERB_NAMES: Mapping[Verb, str] = {
    Verb.ADD: _n("新增"),
    Verb.CHANGE: _n("变更"),
    Verb.CLOSE: _n("终止"),
    Verb.WITHDRAW: _n("撤回"),
}


@dataclass(frozen=True)
class KnownPerson:
    """Somebody who is known, or was made known by a row above."""

    key: str
    account_name: str | None
    staff_number: str | None
    name: str


@dataclass(frozen=True)
class KnownAppointment:
    """An appointment in force, past or to come, as known now."""

    key: str
    organization: str
    post: str
    number: int
    person: str
    kind: AppointmentKind
    starts_on: date
    ends_on: date | None

    @property
    def seat(self) -> str:
        """The key of the seat."""
        return f"{self.organization}.{self.post}-{self.number}"


@dataclass(frozen=True)
class Known:
    """What is known before the import. Histories are in the order of the day from which a fact holds."""

    organizations: Mapping[str, tuple[tuple[date, OrganizationFacts], ...]] = field(default_factory=dict)
    people: tuple[KnownPerson, ...] = ()
    appointments: tuple[KnownAppointment, ...] = ()


@dataclass(frozen=True)
class OrganizationChange:
    """What is to be true of an organization from a day on. `row` is 0 where no row of the file says so."""

    row: int
    verb: Verb
    code: str
    valid_from: date
    before: OrganizationFacts | None
    after: OrganizationFacts

    @property
    def relays(self) -> bool:
        """Whether what the organization owes may be different from now on."""
        names = ("level", "parent", "tags", "opened_on", "closed_on", "term_ends_on")
        return self.before is None or any(getattr(self.before, name) != getattr(self.after, name) for name in names)


@dataclass(frozen=True)
class PersonChange:
    """Somebody new, or somebody whose name or missing number is filled in. `before` is None for a new person."""

    row: int
    verb: Verb
    account_name: str | None
    staff_number: str | None
    name: str
    before: KnownPerson | None


@dataclass(frozen=True)
class AppointmentChange:
    """A new appointment, or one that gets other dates or another kind; `before` is the one that it corrects."""

    row: int
    verb: Verb
    organization: str
    post: str
    number: int
    person: str
    kind: AppointmentKind
    starts_on: date
    ends_on: date | None
    before: KnownAppointment | None

    @property
    def seat(self) -> str:
        """The key of the seat."""
        return f"{self.organization}.{self.post}-{self.number}"


@dataclass(frozen=True)
class Plan:
    """What an import would do. It can be carried out only where there are no errors."""

    today: date
    sha256: str
    organizations: tuple[OrganizationChange, ...] = ()
    people: tuple[PersonChange, ...] = ()
    appointments: tuple[AppointmentChange, ...] = ()
    assignments: tuple[AssignmentRow, ...] = ()
    warnings: tuple[RowError, ...] = ()
    errors: tuple[RowError, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether organizations, people and appointments stay as they are."""
        return not (self.organizations or self.people or self.appointments)

    def counts(self) -> dict[str, dict[str, int]]:
        """How many rows are added, changed, closed, by sheet."""
        verbs = {
            SheetName.ORGANIZATIONS: [change.verb for change in self.organizations],
            SheetName.PEOPLE: [change.verb for change in self.people],
            SheetName.APPOINTMENTS: [change.verb for change in self.appointments],
        }
        return {sheet.value: {verb.value: found.count(verb) for verb in Verb} for sheet, found in verbs.items()}

    def digest(self) -> str:
        """SHA-256 of what would be done: a plan that was shown is the plan that is carried out."""
        parts = (self.organizations, self.people, self.appointments)
        rows = [[_plain(asdict(change)) for change in changes] for changes in parts]
        return digest(canonical_json({"file": self.sha256, "changes": rows}))


def _plain(values: Mapping[str, object]) -> dict[str, object]:
    return {name: _plain(value) if isinstance(value, Mapping) else value for name, value in values.items()}
