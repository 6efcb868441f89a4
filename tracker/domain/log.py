"""The chained log: what an entry's digest covers, and how a chain is checked.

An entry hashes the digest of its payload, which lies beside it as stored bytes: the payload can be sealed (destroyed)
without breaking the chain. To redo an entry's digest without this program: write the object that `entry_content`
documents as canonical JSON (`tracker.domain.canonical`) and take its SHA-256.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from tracker.domain.canonical import canonical_text, digest, moment
from tracker.domain.text import _n

ENTRY_FORM = "tracker/log-entry/1"
_KEPT = 4096


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


class Held(NamedTuple):
    """How far a chain holds: the number and the digest of its last entry."""

    seq: int = 0
    digest: str | None = None


# The number of a chain, the members of an entry in the order of their names, its digest, its payload; `at` is
# canonical text.
Stored = tuple[
    int, str, str | None, str | None, str, str, str, str, str | None, str | None, int, str, str, bytes | None
]
MEMBERS = (
    "act_id",
    "actor",
    "appointment",
    "at",
    "object_key",
    "object_kind",
    "payload_digest",
    "previous",
    "request_id",
    "seq",
    "verb",
)


class Strand:
    """A chain that is followed: how far it holds, as long as nothing is in doubt, and what it is to agree with."""

    __slots__ = ("before", "chain", "heads", "in_doubt", "last", "name", "sealed", "seq")

    def __init__(self, chain: str, heads: Mapping[int, str], sealed: Collection[str]) -> None:
        self.chain, self.name = chain, canonical_text(chain)
        self.heads, self.sealed = heads, sealed
        self.seq, self.before = 0, "null"
        self.last: str | None = None
        self.in_doubt = False

    @property
    def held(self) -> Held | None:
        """Up to where the whole chain holds; None where anything at all is in doubt."""
        if self.in_doubt or any(seq > self.seq for seq in self.heads):
            return None
        return Held(self.seq, self.last)


def follow(rows: Iterable[Stored], strands: Mapping[int, Strand]) -> None:
    """Follow chains through their entries, which are read once, each chain's from the first on.

    What `verify_chain` looks at, several times as quickly where nothing is wrong; what is in doubt, it is to say.
    Two digests are made for each entry here, too: of its canonical bytes and of its payload. Those bytes are put
    together as if nothing in them were to be escaped. Where that is wrong they have another digest, or a backslash in
    them, which could stand in a column as it is or as what it escapes: such an entry is put together properly.
    """
    sha256, quoted = hashlib.sha256, _Quoted()
    for row in rows:
        chain, act_id, actor, office, at, key, kind, told, previous, request_id, number, verb, own, payload = row
        strand = strands[chain]
        seq = strand.seq + 1
        request = "null" if request_id is None else f'"{request_id}"'
        content = (
            f'{{"act_id":"{act_id}","actor":{quoted[actor]},"appointment":{quoted[office]},"at":"{at}"'
            f',"chain":{strand.name},"form":"{ENTRY_FORM}","object_key":"{key}","object_kind":"{kind}"'
            f',"payload_digest":"{told}","previous":{strand.before},"request_id":{request}'
            f',"seq":{number},"verb":"{verb}"}}'
        )
        is_whole = "\\" not in content and sha256(content.encode()).hexdigest() == own
        if (
            strand.in_doubt
            or not (is_whole or _is_whole_when_escaped(strand.chain, row))
            or number != seq
            or previous != strand.last
            or (sha256(payload).hexdigest() != told if payload is not None else own not in strand.sealed)
            or strand.heads.get(seq, own) != own
        ):
            strand.in_doubt = True
        else:
            strand.seq, strand.last, strand.before = seq, own, f'"{own}"'


class _Quoted(dict[str | None, str]):
    """Texts as they stand in JSON when nothing in them is to be escaped, of which few are many times the same."""

    def __missing__(self, text: str | None) -> str:
        if len(self) > _KEPT:
            self.clear()
        self[text] = quoted = _in_quotes(text)
        return quoted


def _is_whole_when_escaped(chain: str, row: Stored) -> bool:
    """Whether the digest of a row is that of its canonical bytes; a text that is no moment is not."""
    told: dict[str, Any] = dict(zip(MEMBERS, row[1:], strict=False))
    try:
        told["at"] = datetime.fromisoformat(told["at"])
        return entry_digest(chain=chain, **told) == row[1 + len(MEMBERS)]
    except (TypeError, ValueError):
        return False


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
