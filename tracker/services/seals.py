"""Sealing: two administrators, with a reason, destroy what must not be here; that it was there stays known.

The text goes in the transaction; the bytes of a file go after the commit (`destroy`), so that a transaction that fails
destroys nothing. If the process dies in between, the file is known as sealed and `tracker gc` destroys its bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.domain.actor import Actor
from tracker.domain.canonical import canonical_json
from tracker.domain.errors import Conflict, NotAllowed, NotFound, WrongState
from tracker.domain.seal import SealKind, checked_seal_reason
from tracker.domain.text import _n
from tracker.models import Evidence, EvidenceFact, LogEntry, Seal, SealState, SignOff, StoredFile
from tracker.policy import Act, require
from tracker.queries.log import PAYLOAD, SEALED
from tracker.queries.seals import Target, entries_about, let_in_by, pending_seal, target_of, texts_of
from tracker.services import file_traits, log


def ask(session: Session, *, kind: SealKind, key: str, reason: str, actor: Actor, now: datetime) -> Seal:
    """Ask another administrator to seal something: nothing is destroyed yet.

    Raises NotAllowed, NotFound (no such object), Invalid on `reason`, WrongState (sealed already), Conflict (asked
    already).
    """
    _administrator(session, actor)
    why = checked_seal_reason(reason)
    target = _target(session, kind, key)
    if pending_seal(session, kind, key) is not None:
        raise Conflict(_n("对它的封存申请正在等待另一名管理员办理，不必重复申请。"))
    seal = Seal(
        target_kind=kind.value,
        target_key=key,
        digest=target.digest,
        reason=why,
        state=SealState.ASKED,
        asked_by_id=actor.person_id,
        asked_at=now,
    )
    session.add(seal)
    session.flush()
    _log(session, target, "seal.ask", target.chains, reason=why, actor=actor, now=now)
    return seal


def agree(session: Session, *, kind: SealKind, key: str, actor: Actor, now: datetime) -> frozenset[str]:
    """Carry out what another administrator asked for; return the digests for `destroy`, after the commit.

    Raises NotAllowed (also for whoever asked), WrongState (no request waits, or it is sealed already).
    """
    seal = _decided(session, kind, key, SealState.DONE, actor=actor, now=now)
    target = _target(session, kind, key)
    texts, about = texts_of(session, kind, key)
    gone = _DESTROY[kind](session, key, now)
    _log(session, target, SEALED, target.chains, reason=seal.reason, actor=actor, now=now)
    for entry in _holding(session, texts, about):
        _empty(session, entry, now)
        payload = _target_of_entry(session, entry)
        _log(session, payload, SEALED, payload.chains, reason=seal.reason, actor=actor, now=now)
    return gone


def refuse(session: Session, *, kind: SealKind, key: str, actor: Actor, now: datetime) -> None:
    """Decline to seal what another administrator asked for. Raises NotAllowed, WrongState."""
    seal = _decided(session, kind, key, SealState.REFUSED, actor=actor, now=now)
    target = _target(session, kind, key)
    _log(session, target, "seal.refuse", target.chains, reason=seal.reason, actor=actor, now=now)


def _administrator(session: Session, actor: Actor) -> None:
    require(session, actor, Act.ADMINISTER)
    if actor.person_id is None:
        raise NotAllowed(_n("封存须由两名管理员以本人账号办理，请写明办理人的账号。"))


def _target(session: Session, kind: SealKind, key: str) -> Target:
    target = target_of(session, kind, key)
    if target is None:
        raise NotFound(_n("没有找到要封存的内容，请核对类型和编号。"), field="key")
    if target.sealed:
        raise WrongState(_n("它已经封存，不必再办理。"), field="key")
    return target


def _decided(session: Session, kind: SealKind, key: str, state: SealState, *, actor: Actor, now: datetime) -> Seal:
    """The request that waits, with the decision written down: by another administrator than whoever asked."""
    _administrator(session, actor)
    seal = pending_seal(session, kind, key)
    if seal is None:
        raise WrongState(_n("没有等待办理的封存申请，可能别人已经办理，请刷新页面。"))
    if seal.asked_by_id == actor.person_id:
        raise NotAllowed(_n("封存须由另一名管理员同意或不同意，申请人本人不能办理。"))
    if let_in_by(session, seal.asked_by_id, actor, since=now - timedelta(days=30)):
        raise NotAllowed(_n("申请人三十天内重置过您的账号，不能由您办理；请由其他管理员同意或不同意。"))
    seal.state, seal.decided_by_id, seal.decided_at = state, actor.person_id, now
    session.flush()
    return seal


def _file(session: Session, key: str, now: datetime) -> frozenset[str]:
    file = session.scalars(select(StoredFile).where(StoredFile.sha256 == key)).one()
    file.sealed_at = now
    file_traits.forget(session, file.id)
    session.flush()
    return frozenset({key})


def _evidence_text(session: Session, key: str, now: datetime) -> frozenset[str]:
    """Every wording that the record ever had: what was corrected is still there to be read."""
    facts = (
        select(EvidenceFact)
        .join(Evidence, Evidence.id == EvidenceFact.evidence_id)
        .where(Evidence.key == key, EvidenceFact.sentence.is_not(None))
    )
    for fact in session.scalars(facts.with_for_update(of=EvidenceFact)):
        fact.sentence, fact.sealed_at = None, now
    session.flush()
    return frozenset()


def _log_payload(session: Session, key: str, now: datetime) -> frozenset[str]:
    _empty(session, session.scalars(select(LogEntry).where(LogEntry.digest == key)).one(), now)
    return frozenset()


def _sign_off_reason(session: Session, key: str, now: datetime) -> frozenset[str]:
    row = session.scalars(select(SignOff).where(SignOff.key == key)).one()
    row.reason, row.sealed_at = None, now
    session.flush()
    return frozenset()


_DESTROY = {
    SealKind.FILE: _file,
    SealKind.EVIDENCE_TEXT: _evidence_text,
    SealKind.LOG_PAYLOAD: _log_payload,
    SealKind.SIGN_OFF_REASON: _sign_off_reason,
}


def _empty(session: Session, entry: LogEntry, now: datetime) -> None:
    entry.payload.body, entry.payload.sealed_at = None, now
    session.flush()


def _holding(session: Session, texts: frozenset[str], about: frozenset[str]) -> list[LogEntry]:
    """The entries about these objects that say one of the texts, word for word."""
    wanted = [canonical_json(text) for text in texts]
    if not wanted:
        return []
    return [e for e in entries_about(session, about) if any(text in (e.payload.body or b"") for text in wanted)]


def _target_of_entry(session: Session, entry: LogEntry) -> Target:
    target = target_of(session, SealKind(PAYLOAD), entry.digest)
    assert target is not None  # noqa: S101  (it was just read)
    return target


def _log(
    session: Session, target: Target, verb: str, chains: Iterable[str], *, reason: str, actor: Actor, now: datetime
) -> None:
    """What stays known: which object, its digest, where and of which day it is, and why it was sealed."""
    after = {"digest": target.digest, "places": list(target.places), "on": target.on, "reason": reason}
    log.record(
        session, actor=actor, now=now, verb=verb, kind=target.kind.value, key=target.key, chains=chains, after=after
    )
