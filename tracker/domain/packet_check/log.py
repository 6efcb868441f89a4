"""Check of the log: every entry hashed anew, every chain from its first entry to its head."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tracker.domain.packet_check.manifest import Members, canonical, digest_of, log_entry
from tracker.domain.packet_check.parser import Damaged
from tracker.domain.packet_check.result import Check, Faults, Sentence, checked, damage, not_checked, say
from tracker.domain.packet_check.volume import Packet, Volume
from tracker.domain.text import _n

LONGEST_LINE = 16_000_000  # bytes


def log_check(packet: Packet, sealed: Faults) -> Check:
    """Whether the chains of the log are whole; what of them was sealed is added to `sealed`."""
    faults, notes = Faults(), Faults()
    for chain in packet.manifest["log"]:
        volume = packet.holder_of(chain["file"])
        if volume is not None:
            walk = Walk(chain["chain"])
            faults.add(_walked(walk, volume, chain))
            text = _n(
                "日志链 %(chain)s：%(entries)s 条；其中 %(sealed)s 条已封存，%(without)s 条与本卷无关，只有校验值。"
            )
            told = _n("日志链 %(chain)s 第 %(seq)s 条的内容已按规定封存，只留校验值。")
            sealed.add(say(told, chain=chain["chain"], seq=seq) for seq in walk.sealed)
            numbers = {"entries": chain["entries"], "sealed": len(walk.sealed), "without": walk.without}
            notes.add([say(text, chain=chain["chain"], **numbers)])
        elif _is_elsewhere(packet, chain["file"]):
            notes.add([say(_n("日志链 %(chain)s 在没有提供的一册里。"), chain=chain["chain"])])
        else:
            text = _n("缺少日志链 %(chain)s 的文件 %(file)s。")
            faults.add([say(text, chain=chain["chain"], file=chain["file"])])
    if not packet.manifest["log"]:
        none = say(_n("卷内没有操作日志。"))
        is_book = packet.manifest["packet"]["kind"] == "book"
        return not_checked("log", none) if is_book else checked("log", [none])
    return checked("log", faults, notes)


def _is_elsewhere(packet: Packet, name: str) -> bool:
    volumes = {file["volume"] for file in packet.manifest["files"] if file["name"] == name}
    return bool(volumes) and not volumes & packet.volumes.keys()


@dataclass
class Walk:
    """How far the reading of a chain has come: `seq` and `digest` of the last entry, and all numbers that were seen.

    `without` entries have no payload because they do not concern the packet, `sealed` are the numbers of
    those whose payload was.
    """

    chain: str
    seq: int = 0
    digest: str | None = None
    seen: set[int] = field(default_factory=set)
    highest: int = 0
    without: int = 0
    sealed: list[int] = field(default_factory=list)

    def step(self, seq: int, digest: str | None) -> None:
        """Go on to the next entry."""
        self.seq, self.digest, self.highest = seq, digest, max(self.highest, seq)
        self.seen.add(seq)


def _walked(walk: Walk, volume: Volume, chain: Members) -> Iterator[Sentence]:
    """The faults of one chain."""
    try:
        for line in _lines(volume, chain["file"]):
            yield from _entry(walk, line)
    except Damaged as broken:
        text = _n("日志链 %(chain)s 第 %(seq)s 条之后无法读取：%(why)s")
        yield say(text, chain=walk.chain, seq=walk.seq, why=damage(broken))
        return
    yield from _end(walk, chain)


def _lines(volume: Volume, name: str) -> Iterator[bytes]:
    """The lines of an embedded file, one by one. Raises Damaged."""
    stream, rest = volume.attachments[name].stream, b""
    for piece in volume.reader.unpacked(stream):
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
        if len(rest) > LONGEST_LINE:
            raise Damaged(stream.start, _n("有一行过长。"))
    if rest:
        yield rest


def _entry(walk: Walk, line: bytes) -> Iterator[Sentence]:
    """What is wrong with the next entry of a chain."""
    entry = log_entry(line)
    if entry is None or (entry["sealed"] and entry["payload"] is not None):
        walk.step(walk.seq + 1, None)
        yield say(_n("日志链 %(chain)s 第 %(seq)s 条不是规定的写法：它被改动过。"), chain=walk.chain, seq=walk.seq)
        return
    where = {"chain": walk.chain, "seq": entry["seq"]}
    yield from _place(walk, entry)
    if entry["chain"] != walk.chain:
        yield say(_n("日志链 %(chain)s 里混进了别的链的第 %(seq)s 条。"), **where)
    kept = {name: value for name, value in entry.items() if name not in {"digest", "payload", "sealed"}}
    if digest_of(canonical(kept)) != entry["digest"]:
        yield say(_n("日志链 %(chain)s 第 %(seq)s 条被改动：内容与其校验值不符。"), **where)
    if entry["payload"] is not None and digest_of(entry["payload"].encode("utf-8")) != entry["payload_digest"]:
        yield say(_n("日志链 %(chain)s 第 %(seq)s 条的附载内容被改动：与其校验值不符。"), **where)
    walk.sealed += [entry["seq"]] * entry["sealed"]
    walk.without += entry["payload"] is None and not entry["sealed"]
    walk.step(entry["seq"], entry["digest"])


def _place(walk: Walk, entry: Members) -> Iterator[Sentence]:
    """Whether an entry may stand behind the one before."""
    found = entry["seq"]
    if found in walk.seen:
        yield say(_n("日志链 %(chain)s 的第 %(seq)s 条出现了两次。"), chain=walk.chain, seq=found)
    elif found < walk.highest:
        text = _n("日志链 %(chain)s 的次序被打乱：第 %(seq)s 条排在第 %(before)s 条之后。")
        yield say(text, chain=walk.chain, seq=found, before=walk.seq)
    elif found == walk.seq + 1 and entry["previous"] != walk.digest and (walk.digest or found == 1):
        text = _n("日志链 %(chain)s 第 %(seq)s 条与上一条不衔接：上一条被改动或者换掉。")
        yield say(text, chain=walk.chain, seq=found)


def _end(walk: Walk, chain: Members) -> Iterator[Sentence]:
    """Whether a chain has no gaps, and ends where the manifest says."""
    head = chain["head"] or {"seq": 0, "digest": None}
    if head["seq"] != chain["entries"]:
        yield say(_n("清单里日志链 %(chain)s 的条数与链头的序号不符。"), chain=walk.chain)
    before = 0
    for seq in sorted(walk.seen):
        if seq == before + 2:
            yield say(_n("日志链 %(chain)s 缺少第 %(seq)s 条。"), chain=walk.chain, seq=before + 1)
        elif seq > before + 1:
            text = _n("日志链 %(chain)s 缺少第 %(seq)s 条至第 %(last)s 条。")
            yield say(text, chain=walk.chain, seq=before + 1, last=seq - 1)
        before = seq
    if walk.highest < head["seq"]:
        text = _n("日志链 %(chain)s 的尾部被截去：应到第 %(last)s 条，只到第 %(seq)s 条。")
        yield say(text, chain=walk.chain, seq=walk.highest, last=head["seq"])
    elif walk.highest > head["seq"]:
        text = _n("日志链 %(chain)s 的尾部是后加的：应到第 %(last)s 条，却到第 %(seq)s 条。")
        yield say(text, chain=walk.chain, seq=walk.highest, last=head["seq"])
    elif walk.digest != head["digest"]:
        text = _n("日志链 %(chain)s 的最后一条与清单记下的链头（第 %(seq)s 条）不符。")
        yield say(text, chain=walk.chain, seq=head["seq"])
