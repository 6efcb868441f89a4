"""The records of a packet as they were known at a time: for its manifest, and for the page of each."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select

from tracker.domain.canonical import moment
from tracker.domain.duty import ACTION_NAMES, Action
from tracker.domain.packet import FileState, PacketAppointment, PacketFile, PacketPerson, PacketRecord, SignOff
from tracker.domain.packet_parts import CountLine, EvidencePart, ServedDuty, SignOffLine
from tracker.models import (
    Appointment,
    Evidence,
    EvidenceFact,
    EvidenceFile,
    EvidenceLink,
    Organization,
    Person,
    Seat,
    StoredFile,
)
from tracker.models import SignOff as SignOffRow
from tracker.queries.duties import DutyThen
from tracker.queries.evidence_index import evidence_index, in_order
from tracker.queries.history import known
from tracker.queries.people import names_of
from tracker.queries.reports import Setting


@dataclass(frozen=True)
class Signed:
    """The sign-offs on some duties by then, by duty (row number), and who stands behind them."""

    by_duty: Mapping[int, tuple[SignOff, ...]]
    people: tuple[PacketPerson, ...]
    appointments: tuple[PacketAppointment, ...]


def signed(setting: Setting, duties: Sequence[DutyThen]) -> Signed:
    """Every sign-off on these duties by then, with its canonical text, and the people and appointments of them all."""
    rows = setting.session.execute(
        select(SignOffRow, Person.key, Appointment.key, Organization.code, Seat.post, Appointment.kind)
        .join(Person, Person.id == SignOffRow.person_id)
        .join(Appointment, Appointment.id == SignOffRow.appointment_id)
        .join(Seat, Seat.id == Appointment.seat_id)
        .join(Organization, Organization.id == Seat.organization_id)
        .where(SignOffRow.duty_id.in_([duty.id for duty in duties]), SignOffRow.at <= setting.as_of)
        .order_by(SignOffRow.duty_id, SignOffRow.number)
    ).all()
    names = names_of(setting.session, [row[0].person_id for row in rows], as_of=setting.as_of)
    found: defaultdict[int, list[SignOff]] = defaultdict(list)
    people: dict[str, PacketPerson] = {}
    appointments: dict[str, PacketAppointment] = {}
    for row, person, appointment, organization, post, kind in rows:
        found[row.duty_id].append(_sign_off(row, person, appointment))
        people[person] = PacketPerson(key=person, name=names[row.person_id])
        appointments[appointment] = PacketAppointment(
            key=appointment, person=person, organization=organization, post=post, kind=kind.value
        )
    return Signed(
        {number: tuple(each) for number, each in found.items()},
        tuple(people[key] for key in sorted(people)),
        tuple(appointments[key] for key in sorted(appointments)),
    )


def _sign_off(row: SignOffRow, person: str, appointment: str) -> SignOff:
    return SignOff(
        number=row.number,
        key=row.key,
        action=row.action.value,
        claim=row.claim.value if row.claim else None,
        person=person,
        appointment=appointment,
        at=row.at,
        reason=row.reason,
        reason_sha256=row.reason_sha256,
        previous=row.previous_digest,
        content=row.covered.decode("utf-8"),
        content_digest=row.content_digest,
        digest=row.digest,
    )


@dataclass(frozen=True)
class Serving:
    """The records that serve some duties: in the order of a document, with the duties each serves (row numbers)."""

    records: Sequence[tuple[Evidence, EvidenceFact]]
    duties: Mapping[int, Sequence[DutyThen]]
    files: Mapping[int, Sequence[tuple[str, StoredFile]]]


def serving(setting: Setting, sampled: Sequence[DutyThen], owed: Sequence[DutyThen]) -> Serving:
    """The records that serve the `sampled` duties, and which of the duties `owed` in these units each serves."""
    session, as_of = setting.session, setting.as_of
    chosen = select(EvidenceLink.evidence_id).where(
        EvidenceLink.duty_id.in_([duty.id for duty in sampled]), known(EvidenceLink, as_of)
    )
    rows = session.execute(
        select(Evidence, EvidenceFact)
        .join(EvidenceFact, EvidenceFact.evidence_id == Evidence.id)
        .where(Evidence.id.in_(chosen), known(EvidenceFact, as_of))
    )
    links = session.execute(
        select(EvidenceLink.evidence_id, EvidenceLink.duty_id).where(
            EvidenceLink.evidence_id.in_(chosen), known(EvidenceLink, as_of)
        )
    )
    linked: defaultdict[int, set[int]] = defaultdict(set)
    for evidence_id, duty_id in links:
        linked[evidence_id].add(duty_id)
    duties = {number: [duty for duty in owed if duty.id in wanted] for number, wanted in linked.items()}
    files: defaultdict[int, list[tuple[str, StoredFile]]] = defaultdict(list)
    for evidence_id, name, stored in session.execute(
        select(EvidenceFile.evidence_id, EvidenceFile.name, StoredFile)
        .join(StoredFile, StoredFile.id == EvidenceFile.stored_file_id)
        .where(EvidenceFile.evidence_id.in_(chosen), known(EvidenceFile, as_of))
        .order_by(EvidenceFile.id)
    ):
        files[evidence_id].append((name, stored))
    return Serving(in_order(setting, rows), duties, files)


def packet_record(setting: Setting, found: Serving, evidence: Evidence, fact: EvidenceFact) -> PacketRecord:
    """A record as the manifest tells of it; its files are not yet looked for in the store."""
    return PacketRecord(
        key=evidence.key,
        organization=setting.nodes[evidence.organization_id].code,
        act_on=fact.act_on,
        recorded_at=evidence.entered_at,
        sentence=fact.sentence,
        sentence_sha256=fact.sentence_sha256,
        counts=fact.counts,
        withdrawn=fact.withdrawn,
        sealed=fact.sentence is None,
        duties=tuple(duty.key for duty in found.duties.get(evidence.id, ())),
        files=tuple(_file(name, stored) for name, stored in found.files.get(evidence.id, ())),
    )


def _file(name: str, stored: StoredFile) -> PacketFile:
    return PacketFile(
        name=name,
        sha256=stored.sha256,
        size=stored.size,
        media_type=stored.media_type,
        state=FileState.SEALED if stored.sealed_at else FileState.EMBEDDED,
    )


def evidence_parts(
    setting: Setting,
    found: Serving,
    sampled: Sequence[DutyThen],
    signatures: Signed,
    verdicts: Mapping[int, str] | None,
) -> tuple[EvidencePart, ...]:
    """The pages of the records; what became of their files is not yet known. `verdicts` is None outside of a check."""
    inside = {duty.id for duty in sampled}
    entries = {entry.number: entry for entry in evidence_index(setting, sampled)}
    parts = []
    for evidence, fact in found.records:
        duties = found.duties.get(evidence.id, ())
        parts.append(
            EvidencePart(
                entry=replace(entries[evidence.key], sealed=fact.sentence is None),
                counts=_counts(setting, fact.counts),
                duties=tuple(_served(setting, duty, (verdicts or {}).get(duty.id, "")) for duty in duties),
                sign_offs=tuple(_sign_off_lines(setting, evidence.key, duties, signatures)),
                files=(),
                of_check=verdicts is not None,
                serves_others=any(duty.id not in inside for duty in duties),
            )
        )
    return tuple(parts)


def _counts(setting: Setting, counts: Mapping[str, int]) -> tuple[CountLine, ...]:
    kinds = setting.checklist.count_kind
    return tuple(CountLine(name=kinds[kind].name, number=counts[kind]) for kind in kinds if kind in counts)


def _served(setting: Setting, duty: DutyThen, verdict: str) -> ServedDuty:
    return ServedDuty(
        key=duty.key,
        item=duty.item_id,
        title=setting.items[duty.item_id].title,
        organization=setting.nodes[duty.organization_id].name,
        post=setting.post(duty.post),
        period=setting.period(duty.period),
        due_on=duty.due_on,
        timeliness=setting.timeliness(duty),
        state=duty.shown.value,
        changed_after_signing=duty.is_changed,
        verdict=verdict,
    )


def _sign_off_lines(setting: Setting, record: str, duties: Sequence[DutyThen], signatures: Signed) -> list[SignOffLine]:
    """The sign-offs on these duties that cover the record, in the order of time."""
    names = {person.key: person.name for person in signatures.people}
    posts = {each.key: setting.post(each.post) for each in signatures.appointments}
    covering = [
        (row, duty)
        for duty in duties
        for row in signatures.by_duty.get(duty.id, ())
        if any(each["id"] == record for each in json.loads(row.content)["evidence"])
    ]
    return [
        SignOffLine(
            duty=duty.key,
            action=setting.words(ACTION_NAMES[Action(row.action)]),
            person=names[row.person],
            post=posts[row.appointment],
            at=row.at,
            digest=row.digest,
            reason=row.reason or "",
        )
        for row, duty in sorted(covering, key=lambda pair: (moment(pair[0].at), pair[1].key, pair[0].number))
    ]
