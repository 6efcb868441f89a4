"""Checks of the sign-offs: each digest made anew, the chain of each duty, and what was signed against what is shown."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from tracker.domain.packet_check.manifest import Members, canonical, digest_of, signed_content
from tracker.domain.packet_check.result import Check, Sentence, checked, gathered, say
from tracker.domain.packet_check.volume import Packet
from tracker.domain.text import _n

SIGNATURE_FORM = "tracker/signature/1"
COVERING = frozenset({"submit", "claim"})  # actions by which a holder signs the content of a duty
DECIDING = frozenset({"confirm", "return", "accept", "refuse", "reopen"})  # actions of those who are above the holder
UNSIGNED = frozenset({"open", "returned"})  # states in which no signature stands
SAME = ("duty", "item", "item_digest", "period", "occurrence")  # members of a content that name the duty

# The states that a duty can be in after its last sign-off. What changed after it was confirmed counts as submitted.
STATES_AFTER = {
    "": {"open"},
    "submit": {"submitted", "confirmed"},
    "confirm": {"confirmed", "submitted"},
    "return": {"returned"},
    "withdraw": {"open"},
    "claim": {"claimed", "not_applicable", "excused"},
    "accept": {"not_applicable", "excused"},
    "refuse": {"open"},
    "reopen": {"returned"},
}


def sign_offs_check(packet: Packet) -> Check:
    """Whether every sign-off has the digest that follows from it, and builds on the one before."""
    duties = packet.manifest["duties"]
    faults = (fault for duty in duties for fault in _chain(duty))
    count = sum(len(duty["sign_offs"]) for duty in duties)
    note = say(_n("共 %(duties)s 项任务、%(count)s 次签认。"), duties=len(duties), count=count)
    return checked("sign_offs", faults, (note,))


def contents_check(packet: Packet) -> Check:
    """Whether what was signed is what the packet shows of the duties and their evidence."""
    records = {record["key"]: record for record in packet.manifest["evidence"]}
    faults = (fault for duty in packet.manifest["duties"] for fault in _contents(duty, records))
    text = _n("任务 %(duty)s 签认后内容有改动，本卷已如实标明；改动后的内容不在签认之内。")
    changed = (duty["key"] for duty in packet.manifest["duties"] if duty["changed_after_signing"])
    return checked("contents", faults, (say(text, duty=key) for key in changed))


def sentences_check(packet: Packet) -> Check:
    """Whether sentences and reasons are those whose digests were signed."""
    records = (fault for record in packet.manifest["evidence"] for fault in _sentence(record))
    reasons = (fault for duty in packet.manifest["duties"] for fault in _reasons(duty))
    return checked("sentences", gathered(records, reasons))


def _text_digest(text: str) -> str:
    return digest_of(unicodedata.normalize("NFC", text).encode("utf-8"))


def _sentence(record: Members) -> Iterator[Sentence]:
    if record["sentence"] is not None and _text_digest(record["sentence"]) != record["sentence_sha256"]:
        yield say(_n("佐证 %(evidence)s 的说明被改动：文字与其校验值不符。"), evidence=record["key"])
    if record["sentence"] is None and not record["sealed"]:
        yield say(_n("佐证 %(evidence)s 没有说明，也没有封存。"), evidence=record["key"])


def _reasons(duty: Members) -> Iterator[Sentence]:
    for sign_off in duty["sign_offs"]:
        reason = sign_off["reason"]
        if reason is not None and _text_digest(reason) != sign_off["reason_sha256"]:
            yield _at(_n("任务 %(duty)s 第 %(number)s 次签认的理由被改动：文字与其校验值不符。"), duty, sign_off)


def _at(text: str, duty: Members, sign_off: Members) -> Sentence:
    return say(text, duty=duty["key"], number=sign_off["number"])


# ---------------------------------------------------------------- the chain of a duty


def _chain(duty: Members) -> Iterator[Sentence]:
    previous = None
    for expected, sign_off in enumerate(duty["sign_offs"], start=1):
        if sign_off["number"] != expected:
            text = _n("任务 %(duty)s 的签认编号不连续：应是第 %(number)s 次，却是第 %(found)s 次，有删去、增加或调换。")
            yield say(text, duty=duty["key"], number=expected, found=sign_off["number"])
        if sign_off["previous"] != previous:
            text = _n("任务 %(duty)s 第 %(number)s 次签认与上一次不衔接：有签认被删去、增加或改动。")
            yield _at(text, duty, sign_off)
        if digest_of(sign_off["content"].encode("utf-8")) != sign_off["content_digest"]:
            yield _at(_n("任务 %(duty)s 第 %(number)s 次签认的内容被改动：与其校验值不符。"), duty, sign_off)
        if digest_of(_signature(sign_off)) != sign_off["digest"]:
            text = _n("任务 %(duty)s 第 %(number)s 次签认被改动：签认人、时间、动作、理由或内容与其校验值不符。")
            yield _at(text, duty, sign_off)
        previous = sign_off["digest"]
    yield from _by_themselves(duty)
    last = duty["sign_offs"][-1]["action"] if duty["sign_offs"] else ""
    if duty["state"] not in STATES_AFTER.get(last, set()):
        text = _n("任务 %(duty)s 的状态与最后一次签认不符：有签认被删去，或者状态被改动。")
        yield say(text, duty=duty["key"])


def _by_themselves(duty: Members) -> Iterator[Sentence]:
    """What somebody decided on what they had submitted themselves."""
    submitter = None
    for sign_off in duty["sign_offs"]:
        if sign_off["action"] in COVERING:
            submitter = sign_off["person"]
        elif sign_off["action"] in DECIDING and sign_off["person"] == submitter:
            yield _at(_n("任务 %(duty)s 第 %(number)s 次签认由填报人自己作出：自己不能确认自己。"), duty, sign_off)


def _signature(sign_off: Members) -> bytes:
    """What the digest of a sign-off is made of."""
    names = ("action", "person", "appointment", "at", "previous", "reason_sha256")
    members = {name: sign_off[name] for name in names}
    return canonical({"form": SIGNATURE_FORM, "content": sign_off["content_digest"], **members})


# ---------------------------------------------------------------- what was signed


def _contents(duty: Members, records: dict[str, Members]) -> Iterator[Sentence]:
    covering: tuple[Members, Members] | None = None
    for sign_off in duty["sign_offs"]:
        content = signed_content(sign_off["content"])
        if content is None:
            yield _at(_n("任务 %(duty)s 第 %(number)s 次签认的内容不是规定的写法。"), duty, sign_off)
            continue
        if any(content[name] != duty["key" if name == "duty" else name] for name in SAME):
            text = _n("任务 %(duty)s 第 %(number)s 次签认签的不是这项任务：任务、事项、期间或次序不同。")
            yield _at(text, duty, sign_off)
        if not _claim_holds(sign_off, content):
            yield _at(_n("任务 %(duty)s 第 %(number)s 次签认的申请类别或理由与签认内容不符。"), duty, sign_off)
        if sign_off["action"] in COVERING:
            covering = sign_off, content
    if covering is not None and duty["state"] not in UNSIGNED:
        yield from _confirmed(duty, covering[0])
        yield from _covered(duty, *covering, records)


def _confirmed(duty: Members, covering: Members) -> Iterator[Sentence]:
    """Whether a duty that counts as confirmed was confirmed as it was submitted."""
    last = duty["sign_offs"][-1]
    if duty["state"] == "confirmed" and last["content_digest"] != covering["content_digest"]:
        yield _at(_n("任务 %(duty)s 第 %(number)s 次签认确认的不是填报人提交的内容。"), duty, last)


def _claim_holds(sign_off: Members, content: Members) -> bool:
    if sign_off["action"] != "claim":
        return True
    claimed = {"kind": sign_off["claim"], "reason_sha256": sign_off["reason_sha256"]}
    return bool(content["claim"] == claimed)


def _covered(duty: Members, sign_off: Members, content: Members, records: dict[str, Members]) -> Iterator[Sentence]:
    """What differs between the content that was signed last and what the packet shows, where a signature stands."""
    if (duty["content_digest"] != sign_off["content_digest"]) != duty["changed_after_signing"]:
        text = _n("任务 %(duty)s 现在的内容与第 %(number)s 次签认的内容是否一致，清单所说与校验值不符。")
        yield _at(text, duty, sign_off)
    if duty["changed_after_signing"]:
        return
    signed = {record["id"]: record for record in content["evidence"]}
    shown = {key: records[key] for key in duty["evidence"] if key in records and not records[key]["withdrawn"]}
    for key in sorted(signed.keys() | shown.keys()):
        if key not in shown:
            text = _n("任务 %(duty)s 签认时有佐证 %(evidence)s，本卷里却没有。")
            yield say(text, duty=duty["key"], evidence=key)
        elif key not in signed:
            text = _n("任务 %(duty)s 签认时没有佐证 %(evidence)s，它是后加的。")
            yield say(text, duty=duty["key"], evidence=key)
        elif signed[key] != _as_signed(shown[key]):
            text = _n("佐证 %(evidence)s 与任务 %(duty)s 签认时不同：日期、说明、数字或文件被改动。")
            yield say(text, duty=duty["key"], evidence=key)


def _as_signed(record: Members) -> Members:
    """An evidence record as it stands in the content of a sign-off."""
    files = [{name: file[name] for name in ("name", "sha256", "size")} for file in record["files"]]
    return {
        "id": record["key"],
        "act_on": record["act_on"],
        "sentence_sha256": record["sentence_sha256"],
        "counts": record["counts"],
        "files": sorted(files, key=lambda file: (file["sha256"], file["name"])),
    }
