"""Seals: what a request is about, without what is to be destroyed, and the requests that were made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from tracker.domain.actor import Actor
from tracker.domain.seal import SealKind
from tracker.models import (
    Account,
    Duty,
    Evidence,
    EvidenceFact,
    EvidenceFile,
    EvidenceLink,
    LogEntry,
    LogPayload,
    Organization,
    Person,
    Seal,
    SealState,
    SignOff,
    StoredFile,
)
from tracker.queries.history import SHANGHAI, known
from tracker.queries.log import HEADS, SYSTEM


@dataclass(frozen=True)
class Target:
    """What is to be sealed, by what stays known of it: never the content.

    `chains` are those that learn of the seal; `places` names the records or the object that it stands in; `on` is the
    day of the act or of the entry; `by` is who brought it in, as a person's key.
    """

    kind: SealKind
    key: str
    digest: str
    chains: frozenset[str]
    places: tuple[str, ...]
    on: date | None
    by: str
    sealed: bool


def target_of(session: Session, kind: SealKind, key: str) -> Target | None:
    """What has that key, or None: of a file its SHA-256, of a log payload the digest of its entry."""
    return _TARGETS[kind](session, key)


def _file(session: Session, key: str) -> Target | None:
    stored = session.scalar(select(StoredFile).where(StoredFile.sha256 == key))
    if stored is None:
        return None
    carrying = (
        select(Evidence.id, Evidence.key, Person.key)
        .join(EvidenceFile, EvidenceFile.evidence_id == Evidence.id)
        .join(Person, Person.id == EvidenceFile.uploaded_by_id)
        .where(EvidenceFile.stored_file_id == stored.id)
        .order_by(EvidenceFile.id)
    )
    rows = session.execute(carrying).all()
    return Target(
        kind=SealKind.FILE,
        key=key,
        digest=stored.sha256,
        chains=_chains_of(session, [number for number, _, _ in rows]),
        places=tuple(dict.fromkeys(place for _, place, _ in rows)),
        on=_day(stored.stored_at),
        by=rows[0][2] if rows else "",
        sealed=stored.sealed_at is not None,
    )


def _evidence_text(session: Session, key: str) -> Target | None:
    evidence = session.scalar(select(Evidence).where(Evidence.key == key))
    if evidence is None:
        return None
    facts = select(EvidenceFact).where(EvidenceFact.evidence_id == evidence.id)
    current = session.scalars(facts.where(known(EvidenceFact))).one()
    texts = session.scalars(facts.where(EvidenceFact.sentence.is_not(None))).all()
    return Target(
        kind=SealKind.EVIDENCE_TEXT,
        key=key,
        digest=current.sentence_sha256,
        chains=_chains_of(session, [evidence.id]),
        places=(evidence.key,),
        on=current.act_on,
        by=evidence.entered_by.key,
        sealed=not texts,
    )


def _log_payload(session: Session, key: str) -> Target | None:
    entry = session.scalar(select(LogEntry).where(LogEntry.digest == key))
    if entry is None or entry.verb == HEADS:  # recorded heads hold nothing of anybody, and guard all chains
        return None
    return Target(
        kind=SealKind.LOG_PAYLOAD,
        key=key,
        digest=entry.payload_digest,
        chains=frozenset({entry.chain.key}),
        places=(f"{entry.chain.key}:{entry.seq}",),
        on=_day(entry.at),
        by=entry.actor,
        sealed=entry.payload.body is None,
    )


def _sign_off_reason(session: Session, key: str) -> Target | None:
    row = session.scalar(select(SignOff).where(SignOff.key == key, SignOff.reason_sha256.is_not(None)))
    if row is None:
        return None
    unit = select(Organization.code).join(Duty, Duty.unit_id == Organization.id).where(Duty.id == row.duty_id)
    return Target(
        kind=SealKind.SIGN_OFF_REASON,
        key=key,
        digest=row.reason_sha256 or "",
        chains=frozenset(session.scalars(unit)),
        places=(key.rpartition(".")[0],),
        on=_day(row.at),
        by=row.person.key,
        sealed=row.reason is None,
    )


_TARGETS: Mapping[SealKind, Callable[[Session, str], Target | None]] = {
    SealKind.FILE: _file,
    SealKind.EVIDENCE_TEXT: _evidence_text,
    SealKind.LOG_PAYLOAD: _log_payload,
    SealKind.SIGN_OFF_REASON: _sign_off_reason,
}


def _day(moment: datetime) -> date:
    return moment.astimezone(SHANGHAI).date()


def _chains_of(session: Session, records: Sequence[int]) -> frozenset[str]:
    """The units of records and of every duty that they serve or served; the system where there is none."""
    own = select(Organization.code).join(Evidence, Evidence.unit_id == Organization.id).where(Evidence.id.in_(records))
    served = (
        select(Organization.code)
        .join(Duty, Duty.unit_id == Organization.id)
        .join(EvidenceLink, EvidenceLink.duty_id == Duty.id)
        .where(EvidenceLink.evidence_id.in_(records))
    )
    return frozenset(session.scalars(own.union(served))) or frozenset({SYSTEM})


def texts_of(session: Session, kind: SealKind, key: str) -> tuple[frozenset[str], frozenset[str]]:
    """The texts that a seal destroys, and the keys of the objects whose log entries may hold them as well."""
    if kind is SealKind.EVIDENCE_TEXT:
        facts = select(EvidenceFact.sentence).join(Evidence, Evidence.id == EvidenceFact.evidence_id)
        texts = session.scalars(facts.where(Evidence.key == key, EvidenceFact.sentence.is_not(None)))
        served = (
            select(Duty.key)
            .join(EvidenceLink, EvidenceLink.duty_id == Duty.id)
            .join(Evidence, Evidence.id == EvidenceLink.evidence_id)
            .where(Evidence.key == key)
        )
        return frozenset(text for text in texts if text), frozenset({key, *session.scalars(served)})
    if kind is SealKind.SIGN_OFF_REASON:
        reasons = session.scalars(select(SignOff.reason).where(SignOff.key == key, SignOff.reason.is_not(None)))
        return frozenset(text for text in reasons if text), frozenset({key.rpartition(".")[0]})
    return frozenset(), frozenset()


def entries_about(session: Session, keys: frozenset[str]) -> Sequence[LogEntry]:
    """The log entries about these objects whose payload is still there."""
    query = (
        select(LogEntry)
        .join(LogPayload, LogPayload.id == LogEntry.payload_id)
        .where(LogEntry.object_key.in_(keys), LogPayload.body.is_not(None))
        .order_by(LogEntry.chain_id, LogEntry.seq)
    )
    return session.scalars(query).all()


def pending_seal(session: Session, kind: SealKind, key: str) -> Seal | None:
    """The request about this object that nobody has decided on, locked until the transaction ends."""
    query = select(Seal).where(Seal.target_kind == kind.value, Seal.target_key == key, Seal.state == SealState.ASKED)
    return session.scalar(query.with_for_update().execution_options(populate_existing=True))


@dataclass(frozen=True)
class Request:
    """A request, who made it and what became of it."""

    kind: SealKind
    key: str
    digest: str
    reason: str
    state: SealState
    asked_by: str
    asked_by_name: str
    asked_at: datetime
    decided_by: str | None
    decided_by_name: str | None
    decided_at: datetime | None


def seal_requests(session: Session) -> list[Request]:
    """All requests, those that wait first, then the latest decided first."""
    asker, decider = aliased(Person), aliased(Person)
    rows = session.execute(
        select(Seal, asker, decider)
        .join(asker, asker.id == Seal.asked_by_id)
        .outerjoin(decider, decider.id == Seal.decided_by_id)
        .order_by(Seal.decided_at.is_not(None), Seal.decided_at.desc(), Seal.asked_at)
    )
    return [
        Request(
            kind=SealKind(seal.target_kind),
            key=seal.target_key,
            digest=seal.digest,
            reason=seal.reason,
            state=seal.state,
            asked_by=asked.key,
            asked_by_name=asked.name,
            asked_at=seal.asked_at,
            decided_by=decided.key if decided else None,
            decided_by_name=decided.name if decided else None,
            decided_at=seal.decided_at,
        )
        for seal, asked, decided in rows
    ]


def sealed_digests(session: Session) -> frozenset[str]:
    """The digests of the files whose bytes must not be in the store any more."""
    return frozenset(session.scalars(select(StoredFile.sha256).where(StoredFile.sealed_at.is_not(None))))


def let_in_by(session: Session, other_id: int, actor: Actor, *, since: datetime) -> bool:
    """Whether somebody gave this person a new way in lately: they could be one and the same behind two accounts."""
    key = select(Person.key).where(Person.id == other_id).scalar_subquery()
    account = select(Account.username).where(Account.person_id == actor.person_id).scalar_subquery()
    query = select(LogEntry.id).where(
        LogEntry.verb.in_(["account.code_issued", "account.second_factor_removed"]),
        LogEntry.actor == key,
        LogEntry.object_key == account,
        LogEntry.at >= since,
    )
    return session.scalar(query.limit(1)) is not None


def last_sealed_at(session: Session) -> datetime | None:
    """When something was last sealed."""
    return session.scalar(select(func.max(Seal.decided_at)).where(Seal.state == SealState.DONE))


def seals_done(session: Session) -> int:
    """How many seals were carried out so far: the number only grows, and each seal makes it grow."""
    return session.scalar(select(func.count()).select_from(Seal).where(Seal.state == SealState.DONE)) or 0


def sealed_files(session: Session) -> Sequence[str]:
    """The digests of the files that were sealed."""
    return session.scalars(select(StoredFile.sha256).where(StoredFile.sealed_at.is_not(None))).all()
