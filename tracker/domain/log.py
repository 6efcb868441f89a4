"""The chained log: what an entry's digest covers, and how a chain is checked.

An entry hashes the digest of its payload, which lies beside it as stored bytes: the payload can be sealed (destroyed)
without breaking the chain. To redo an entry's digest without this program: write the object that `entry_content`
documents as canonical JSON (`tracker.domain.canonical`) and take its SHA-256.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tracker.domain.canonical import canonical_text, digest, moment
from tracker.domain.text import _n

ENTRY_FORM = "tracker/log-entry/1"


@dataclass(frozen=True)
class Entry:
    """One entry as it is stored. Ids are public ids; `payload` is None once it is sealed.

    `chain` is the public id of a unit, or that of the system; `seq` counts from 1 in it. `act_id` is shared by the
    entries that one act writes into several chains. `previous` is the digest of the entry before, None for the first.
    """

    chain: str
    seq: int
    at: datetime
    act_id: str
    actor: str | None
    appointment: str | None
    verb: str
    object_kind: str
    object_key: str
    payload_digest: str
    request_id: str | None
    previous: str | None
    digest: str
    payload: bytes | None = None


class Fault(StrEnum):
    """What can be wrong with an entry, in the order in which it is looked for."""

    CHAIN = "chain"
    GAP = "gap"
    PREVIOUS = "previous"
    DIGEST = "digest"
    PAYLOAD = "payload"
    MISSING = "missing"
    HEAD = "head"
    TAIL = "tail"


FAULT_TEXTS: Mapping[Fault, str] = {
    Fault.CHAIN: _n("条目不属于这条日志链"),
    Fault.GAP: _n("序号不连续，缺少条目或有重复"),
    Fault.PREVIOUS: _n("与上一条目的摘要不衔接"),
    Fault.DIGEST: _n("条目内容与其摘要不符"),
    Fault.PAYLOAD: _n("附载内容与其摘要不符"),
    Fault.MISSING: _n("附载内容缺失，且没有封存记录"),
    Fault.HEAD: _n("条目摘要与此前另行记录的链头不符"),
    Fault.TAIL: _n("链尾缺失：此前另行记录的条目已不存在"),
}


@dataclass(frozen=True)
class Break:
    """The first broken entry of a chain: where, and why. In a gap or a cut tail `seq` is the missing entry."""

    seq: int
    fault: Fault

    @property
    def message(self) -> str:
        """The reason as a gettext key."""
        return FAULT_TEXTS[self.fault]


def entry_content(
    *,
    chain: str,
    seq: int,
    at: datetime,
    act_id: str,
    actor: str | None,
    appointment: str | None,
    verb: str,
    object_kind: str,
    object_key: str,
    payload_digest: str,
    request_id: str | None,
    previous: str | None,
) -> bytes:
    """Return the canonical bytes of an entry: an object with the form and all these members under these names.

    They are those of `canonical_json`, put together by hand, since a log has millions of entries.
    """
    told = f"{act_id}{actor}{appointment}{chain}{object_key}{object_kind}{payload_digest}{previous}{request_id}{verb}"
    is_plain = told.isascii() and told.isprintable() and '"' not in told and "\\" not in told
    text = _in_quotes if is_plain else canonical_text
    return (
        f'{{"act_id":{text(act_id)},"actor":{text(actor)},"appointment":{text(appointment)},"at":"{moment(at)}"'
        f',"chain":{text(chain)},"form":"{ENTRY_FORM}","object_key":{text(object_key)}'
        f',"object_kind":{text(object_kind)},"payload_digest":{text(payload_digest)},"previous":{text(previous)}'
        f',"request_id":{text(request_id)},"seq":{int(seq)},"verb":{text(verb)}}}'
    ).encode()


def _in_quotes(value: str | None) -> str:
    """The canonical form of a text in which nothing is to be escaped, or of None."""
    return "null" if value is None else f'"{value}"'


def entry_digest(
    *,
    chain: str,
    seq: int,
    at: datetime,
    act_id: str,
    actor: str | None,
    appointment: str | None,
    verb: str,
    object_kind: str,
    object_key: str,
    payload_digest: str,
    request_id: str | None,
    previous: str | None,
) -> str:
    """SHA-256 of `entry_content`: what the next entry of the chain names as its previous."""
    return digest(
        entry_content(
            chain=chain,
            seq=seq,
            at=at,
            act_id=act_id,
            actor=actor,
            appointment=appointment,
            verb=verb,
            object_kind=object_kind,
            object_key=object_key,
            payload_digest=payload_digest,
            request_id=request_id,
            previous=previous,
        )
    )


def verify_chain(
    entries: Iterable[Entry],
    *,
    chain: str | None = None,
    heads: Mapping[int, str] | None = None,
    sealed: Collection[str] | None = None,
) -> Break | None:
    """Return the first broken entry of one chain, or None if it holds.

    `entries` are read once, in the order of `seq`, from the first on. `chain` names the chain they must belong to (if
    not given, that of the first). `heads` are digests by `seq` that were recorded elsewhere: they find a cut tail and a
    chain that was written anew, which the chain by itself cannot show. `sealed` are the digests of the entries whose
    payloads were sealed: any other without its payload is broken (if not given, a payload may be missing).
    """
    known = heads or {}
    last: Entry | None = None
    for entry in entries:
        chain = entry.chain if chain is None else chain
        broken = _fault_of(entry, chain=chain, last=last, known=known, sealed=sealed)
        if broken:
            return broken
        last = entry
    length = last.seq if last else 0
    return Break(length + 1, Fault.TAIL) if any(seq > length for seq in known) else None


def _fault_of(
    entry: Entry, *, chain: str, last: Entry | None, known: Mapping[int, str], sealed: Collection[str] | None
) -> Break | None:
    """The first thing wrong with an entry, seen from the one before it."""
    expected = last.seq + 1 if last else 1
    if _is_whole(entry, expected, chain=chain, last=last, known=known, sealed=sealed):
        return None
    faults = {
        Fault.CHAIN: entry.chain != chain,
        Fault.GAP: entry.seq != expected,
        Fault.PREVIOUS: entry.previous != (last.digest if last else None),
        Fault.DIGEST: entry.digest != _digest_of(entry),
        Fault.PAYLOAD: entry.payload is not None and digest(entry.payload) != entry.payload_digest,
        Fault.MISSING: entry.payload is None and sealed is not None and entry.digest not in sealed,
        Fault.HEAD: known.get(entry.seq, entry.digest) != entry.digest,
    }
    return next((Break(expected, fault) for fault, found in faults.items() if found), None)


def _is_whole(
    entry: Entry,
    expected: int,
    *,
    chain: str,
    last: Entry | None,
    known: Mapping[int, str],
    sealed: Collection[str] | None,
) -> bool:
    """Whether nothing is wrong with an entry, as with nearly every one."""
    payload, own = entry.payload, entry.digest
    return (
        entry.chain == chain
        and entry.seq == expected
        and entry.previous == (last.digest if last else None)
        and own == _digest_of(entry)
        and (digest(payload) == entry.payload_digest if payload is not None else sealed is None or own in sealed)
        and known.get(expected, own) == own
    )


def _digest_of(entry: Entry) -> str:
    return entry_digest(
        chain=entry.chain,
        seq=entry.seq,
        at=entry.at,
        act_id=entry.act_id,
        actor=entry.actor,
        appointment=entry.appointment,
        verb=entry.verb,
        object_kind=entry.object_kind,
        object_key=entry.object_key,
        payload_digest=entry.payload_digest,
        request_id=entry.request_id,
        previous=entry.previous,
    )
