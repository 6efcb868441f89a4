"""The manifest of a packet: its canonical form, the shape of its members, and whether they fit one another."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tracker.domain.packet_check.result import Sentence, say
from tracker.domain.text import _n

FORM = "tracker/packet-manifest/1"
LARGEST_MANIFEST = 200_000_000  # bytes

Members = dict[str, Any]
Shape = Callable[[object, str], Iterator[str]]


class NotCanonical(ValueError):
    """Bytes that are not canonical JSON."""


def digest_of(data: bytes) -> str:
    """SHA-256 in lower-case hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def canonical(value: object) -> bytes:
    """Canonical JSON of what was read from canonical JSON."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode("utf-8")


def canonical_object(data: bytes) -> Members:
    """The object that is written as canonical JSON in `data`. Raises NotCanonical."""
    try:
        text = data.decode("utf-8")
        value = json.loads(text, parse_float=_no_fraction, parse_constant=_no_fraction)
        is_canonical = canonical(value) == data and unicodedata.normalize("NFC", text) == text
    except (ValueError, RecursionError):
        raise NotCanonical from None
    if not isinstance(value, dict) or not is_canonical:
        raise NotCanonical
    return value


def _no_fraction(text: str) -> object:
    raise ValueError(text)


# ---------------------------------------------------------------- shapes: each yields the paths that are wrong


def _is(kind: type, pattern: str = "") -> Shape:
    expression = re.compile(pattern) if pattern else None

    def shape(value: object, path: str) -> Iterator[str]:
        fits = type(value) is kind and (expression is None or expression.fullmatch(str(value)) is not None)
        if not fits:
            yield path

    return shape


def _or_null(inner: Shape) -> Shape:
    def shape(value: object, path: str) -> Iterator[str]:
        if value is not None:
            yield from inner(value, path)

    return shape


def _list(inner: Shape) -> Shape:
    def shape(value: object, path: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield path
            return
        for number, member in enumerate(value):
            yield from inner(member, f"{path}[{number}]")

    return shape


def _map(inner: Shape) -> Shape:
    def shape(value: object, path: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield path
            return
        for name, member in value.items():
            yield from inner(member, f"{path}.{name}")

    return shape


def _object(_optional: tuple[str, ...] = (), **members: Shape) -> Shape:
    def shape(value: object, path: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield path
            return
        wrong = (value.keys() ^ members.keys()) - ({*_optional} - value.keys())
        yield from (f"{path}.{name}" for name in sorted(wrong))
        for name in members.keys() & value.keys():
            yield from members[name](value[name], f"{path}.{name}")

    return shape


_TEXT, _WHOLE, _FLAG = _is(str), _is(int), _is(bool)
_COUNT, _NUMBER = _is(int, r"\d{1,15}"), _is(int, r"[1-9]\d{0,14}")
_DIGEST = _is(str, r"[0-9a-f]{64}")
_DAY = _is(str, r"\d{4}-\d\d-\d\d")
_MOMENT = _is(str, r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_FILE_NAME = _is(str, r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")

_SIGN_OFF = _object(
    number=_NUMBER, key=_TEXT, action=_TEXT, claim=_or_null(_TEXT), person=_TEXT, appointment=_or_null(_TEXT),
    at=_MOMENT, reason=_or_null(_TEXT), reason_sha256=_or_null(_DIGEST), previous=_or_null(_DIGEST), content=_TEXT,
    content_digest=_DIGEST, digest=_DIGEST,
)  # fmt: skip
_DUTY = _object(
    key=_TEXT, organization=_TEXT, item=_TEXT, item_digest=_DIGEST, title=_TEXT, post=_TEXT, period=_TEXT,
    occurrence=_WHOLE, due_on=_DAY, state=_TEXT, timeliness=_TEXT, act_on=_or_null(_DAY),
    changed_after_signing=_FLAG, content_digest=_DIGEST, evidence=_list(_TEXT), verdict=_or_null(_TEXT),
    sign_offs=_list(_SIGN_OFF),
)  # fmt: skip
_RECORD_FILE = _object(
    name=_TEXT, sha256=_DIGEST, size=_COUNT, media_type=_TEXT, state=_is(str, "embedded|missing|changed|sealed"),
    file=_or_null(_FILE_NAME), pages=_or_null(_list(_NUMBER)),
)  # fmt: skip
_RECORD = _object(
    key=_TEXT, organization=_TEXT, act_on=_DAY, recorded_at=_MOMENT, sentence=_or_null(_TEXT), sentence_sha256=_DIGEST,
    counts=_map(_COUNT), withdrawn=_FLAG, sealed=_FLAG, duties=_list(_TEXT), files=_list(_RECORD_FILE),
)  # fmt: skip
_PACKET = _object(
    number=_TEXT, kind=_is(str, "inspection|quarter|book"), title=_TEXT, inspection=_or_null(_TEXT),
    units=_list(_TEXT), period=_object((), **{"from": _DAY, "to": _DAY}), as_of=_MOMENT, language=_TEXT,
    software=_list(_TEXT), fonts=_list(_TEXT),
)  # fmt: skip
_CHAIN = _object(
    chain=_TEXT, file=_FILE_NAME, entries=_COUNT, head=_or_null(_object(seq=_NUMBER, digest=_DIGEST)),
)  # fmt: skip
_FILE = _object(
    ("sm3",), name=_FILE_NAME, sha256=_DIGEST, sm3=_DIGEST, size=_COUNT, media_type=_TEXT, description=_TEXT,
    volume=_NUMBER,
)  # fmt: skip
_MANIFEST = _object(
    form=_is(str, re.escape(FORM)),
    packet=_PACKET,
    volumes=_list(_object(number=_NUMBER, first_page=_NUMBER, last_page=_NUMBER)),
    checklist=_object(key=_TEXT, version=_TEXT, title=_TEXT, sha256=_DIGEST, file=_FILE_NAME),
    organizations=_list(_object(code=_TEXT, name=_TEXT, level=_TEXT, parent=_or_null(_TEXT), unit=_TEXT)),
    people=_list(_object(key=_TEXT, name=_TEXT)),
    appointments=_list(_object(key=_TEXT, person=_TEXT, organization=_TEXT, post=_TEXT, kind=_TEXT)),
    duties=_list(_DUTY),
    evidence=_list(_RECORD),
    log=_list(_CHAIN),
    files=_list(_FILE),
    stamp_fonts=_map(_DIGEST),
    pages=_list(_object(page=_NUMBER, part=_TEXT, content=_DIGEST, stamp=_DIGEST)),
    not_shown=_list(_object(evidence=_TEXT, file=_NUMBER, why=_TEXT, sentence=_TEXT)),
)

_CONTENT = _object(
    form=_is(str, "tracker/duty-content/1"), duty=_TEXT, item=_TEXT, item_digest=_DIGEST, period=_TEXT,
    occurrence=_WHOLE, claim=_or_null(_object(kind=_TEXT, reason_sha256=_DIGEST)),
    evidence=_list(_object(
        id=_TEXT, act_on=_DAY, sentence_sha256=_DIGEST, counts=_map(_COUNT),
        files=_list(_object(name=_TEXT, sha256=_DIGEST, size=_COUNT)),
    )),
)  # fmt: skip
_ENTRY = _object(
    form=_is(str, "tracker/log-entry/1"), chain=_TEXT, seq=_NUMBER, at=_MOMENT, act_id=_TEXT, actor=_or_null(_TEXT),
    appointment=_or_null(_TEXT), verb=_TEXT, object_kind=_TEXT, object_key=_TEXT, payload_digest=_DIGEST,
    request_id=_or_null(_TEXT), previous=_or_null(_DIGEST), digest=_DIGEST, payload=_or_null(_TEXT), sealed=_FLAG,
)  # fmt: skip

NAMED_PATHS = 20  # wrong members of the manifest that are named


def read_manifest(data: bytes) -> tuple[Members | None, Iterable[Sentence]]:
    """The manifest, or None where it cannot be used; and what is wrong with it."""
    try:
        members = canonical_object(data)
    except NotCanonical:
        return None, [say(_n("manifest.json 不是规范写法的 JSON：它被改写过，或者不是系统生成的。"))]
    if members.get("form") != FORM:
        return None, [say(_n("manifest.json 的格式不是 %(form)s，这个程序不能核验。"), form=FORM)]
    wrong = [path for _, path in zip(range(NAMED_PATHS), _MANIFEST(members, "manifest"))]  # noqa: B905  Python 3.9
    if wrong:
        return None, [say(_n("manifest.json 的这一项缺少、多余或者写法不对：%(path)s"), path=path) for path in wrong]
    return members, _contradictions(members)


def signed_content(text: str) -> Members | None:
    """What a sign-off covers; None where it does not have its canonical form."""
    return _of_shape(text.encode("utf-8", "surrogatepass"), _CONTENT)


def log_entry(line: bytes) -> Members | None:
    """A line of the log; None where it does not have its canonical form."""
    return _of_shape(line, _ENTRY)


def _of_shape(data: bytes, shape: Shape) -> Members | None:
    try:
        members = canonical_object(data)
    except NotCanonical:
        return None
    return None if next(shape(members, ""), None) else members


# ---------------------------------------------------------------- whether the members fit one another


def _contradictions(manifest: Members) -> Iterator[Sentence]:
    pages = [page["page"] for page in manifest["pages"]]
    if pages != list(range(1, len(pages) + 1)):
        yield say(_n("manifest.json 里的页不是从 1 起逐页编号。"))
    if not _volumes_hold(manifest["volumes"], len(pages)):
        yield say(_n("manifest.json 里各册的页码不衔接，或者与总页数不符。"))
    for kind, key in (("duties", "key"), ("evidence", "key"), ("people", "key"), ("appointments", "key")):
        yield from (
            say(_n("manifest.json 里 %(kind)s 的 %(key)s 出现了两次。"), kind=kind, key=twice)
            for twice in _twice([member[key] for member in manifest[kind]])
        )
    yield from _lost_references(manifest)
    yield from _parted(manifest)
    yield from _wrong_files(manifest)


def _volumes_hold(volumes: list[Members], pages: int) -> bool:
    last = 0
    for number, volume in enumerate(volumes, start=1):
        if volume["number"] != number or volume["first_page"] != last + 1 or volume["last_page"] <= last:
            return False
        last = volume["last_page"]
    return last == pages


def _twice(keys: list[str]) -> list[str]:
    return sorted(key for key, times in Counter(keys).items() if times > 1)


def _lost_references(manifest: Members) -> Iterator[Sentence]:
    people = {person["key"] for person in manifest["people"]}
    appointments = {appointment["key"]: appointment["person"] for appointment in manifest["appointments"]}
    lost = _n("任务 %(duty)s 第 %(number)s 次签认的签认人或任职不在清单中。")
    foreign = _n("任务 %(duty)s 第 %(number)s 次签认所用的任职是另一个人的。")
    for duty in manifest["duties"]:
        for sign_off in duty["sign_offs"]:
            where = {"duty": duty["key"], "number": sign_off["number"]}
            holder = appointments.get(sign_off["appointment"], None if sign_off["appointment"] else sign_off["person"])
            if sign_off["person"] not in people or holder is None:
                yield say(lost, **where)
            elif holder != sign_off["person"]:
                yield say(foreign, **where)


def _parted(manifest: Members) -> Iterator[Sentence]:
    """Duties and evidence that do not name one another; a record may serve duties that the packet does not hold."""
    duties = {duty["key"] for duty in manifest["duties"]}
    records = {record["key"] for record in manifest["evidence"]}
    by_duty = {(duty["key"], key) for duty in manifest["duties"] for key in duty["evidence"]}
    by_record = {(key, record["key"]) for record in manifest["evidence"] for key in record["duties"] if key in duties}
    text = _n("任务 %(duty)s 与佐证 %(evidence)s 在清单里没有互相写明。")
    yield from (say(text, duty=duty, evidence=record) for duty, record in sorted(by_duty ^ by_record))
    missing = sorted(pair for pair in by_duty & by_record if pair[1] not in records)
    yield from (say(text, duty=duty, evidence=record) for duty, record in missing)


def _wrong_files(manifest: Members) -> Iterator[Sentence]:
    files = {file["name"]: file for file in manifest["files"]}
    for record in manifest["evidence"]:
        for number, file in enumerate(record["files"], start=1):
            where = {"evidence": record["key"], "number": number}
            if not _file_holds(file, files):
                yield say(_n("佐证 %(evidence)s 的第 %(number)s 个文件与清单所列的嵌入文件对不上。"), **where)
            if not _pages_hold(file["pages"], len(manifest["pages"])):
                yield say(_n("佐证 %(evidence)s 的第 %(number)s 个文件写明的页码不在卷内。"), **where)


def _file_holds(file: Members, files: dict[str, Members]) -> bool:
    if file["file"] is None:
        return bool(file["state"] != "embedded")
    found = files.get(file["file"])
    listed = found is not None and (found["sha256"], found["size"]) == (file["sha256"], file["size"])
    return listed and file["state"] == "embedded"


def _pages_hold(pages: list[int] | None, last: int) -> bool:
    return pages is None or (len(pages) == 2 and pages[0] <= pages[1] <= last)
