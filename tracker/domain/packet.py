"""What a packet claims: the facts of its manifest (`docs/packet.md`), and the manifest's canonical bytes.

Field names are the members of the manifest. Everything is a stable key, a digest, or text as it was recorded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from enum import StrEnum

from tracker.domain.canonical import canonical_json
from tracker.domain.text import _n

MANIFEST_FORM = "tracker/packet-manifest/1"


class PacketKind(StrEnum):
    """What a packet is about: one check, the quarter of a unit, or all units of a check without attachments."""

    INSPECTION = "inspection"
    QUARTER = "quarter"
    BOOK = "book"


class FileState(StrEnum):
    """What became of a file of a record."""

    EMBEDDED = "embedded"
    MISSING = "missing"
    CHANGED = "changed"
    SEALED = "sealed"


# Why a file is not shown, or not in full, as pages: printed on its record's page and listed in the manifest.
WHY_NOT_SHOWN: Mapping[str, str] = {
    "missing": _n("系统的文件存储中找不到这个文件，没有附上。"),
    "changed": _n("存储中的内容与登记的校验值不符，不是当时上传的文件，没有附上。"),
    "sealed": _n("已按规定封存，文件内容已销毁，仅存校验值。"),
    "encrypted": _n("文件有打开密码，不能显示内容；原文件已附在本卷中。"),
    "damaged": _n("文件内容损坏，无法显示；原文件已附在本卷中。"),
    "too_large": _n("图片像素过大，不能逐页显示；原文件已附在本卷中。"),
    "too_many_pages": _n("页数过多，只显示前面的页；完整的原文件已附在本卷中。"),
    "too_slow": _n("显示这个文件用时过长或占用内存过多，没有逐页显示；原文件已附在本卷中。"),
    "kind": _n("这种文件不逐页显示；原文件已附在本卷中。"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOff:
    """A sign-off with the canonical text that was signed."""

    number: int
    key: str
    action: str
    claim: str | None
    person: str
    appointment: str
    at: datetime
    reason: str | None
    reason_sha256: str | None
    previous: str | None
    content: str
    content_digest: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketDuty:
    """A duty as it was known, with every sign-off on it."""

    key: str
    organization: str
    item: str
    item_digest: str
    title: str
    post: str
    period: str
    occurrence: int
    due_on: date
    state: str
    timeliness: str
    act_on: date | None
    changed_after_signing: bool
    content_digest: str
    evidence: tuple[str, ...]
    verdict: str | None
    sign_offs: tuple[SignOff, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketFile:
    """A file of a record. `file` and `pages` are None until it is embedded and shown."""

    name: str
    sha256: str
    size: int
    media_type: str
    state: FileState
    file: str | None = None
    pages: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketRecord:
    """An evidence record."""

    key: str
    organization: str
    act_on: date
    recorded_at: datetime
    sentence: str | None
    sentence_sha256: str
    counts: Mapping[str, int]
    withdrawn: bool
    sealed: bool
    duties: tuple[str, ...]
    files: tuple[PacketFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketOrganization:
    """An organization that the packet names."""

    code: str
    name: str
    level: str
    parent: str | None
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketPerson:
    """Somebody who signed."""

    key: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketAppointment:
    """An appointment under which was signed."""

    key: str
    person: str
    organization: str
    post: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketChain:
    """A unit's chain of the log: how long, its head, and its lines as they are embedded (`log-CHAIN.jsonl`)."""

    chain: str
    entries: int
    head: tuple[int, str] | None
    lines: bytes

    @property
    def file(self) -> str:
        """The name under which the lines are embedded."""
        return f"log-{self.chain}.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketChecklist:
    """The published checklist, with its bytes."""

    key: str
    version: str
    title: str
    sha256: str
    source: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketFacts:
    """What the packet is, and everything that it claims of the state of the system."""

    number: str
    kind: PacketKind
    title: str
    inspection: str | None
    units: tuple[str, ...]
    period: tuple[date, date]
    as_of: datetime
    language: str
    checklist: PacketChecklist
    organizations: tuple[PacketOrganization, ...] = ()
    people: tuple[PacketPerson, ...] = ()
    appointments: tuple[PacketAppointment, ...] = ()
    duties: tuple[PacketDuty, ...] = ()
    evidence: tuple[PacketRecord, ...] = ()
    log: tuple[PacketChain, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedFile:
    """A file inside the packet, as the manifest lists it."""

    name: str
    sha256: str
    size: int
    media_type: str
    description: str
    volume: int
    sm3: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketPage:
    """A page: what it belongs to, the digest of its content, and that of its stamp."""

    page: int
    part: str
    content: str
    stamp: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A volume and the pages in it."""

    number: int
    first_page: int
    last_page: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NotShown:
    """A file that could not be shown as pages, or not in full."""

    evidence: str
    file: int
    why: str
    sentence: str


def manifest(
    facts: PacketFacts,
    *,
    evidence: Sequence[PacketRecord],
    volumes: Sequence[Volume],
    files: Sequence[EmbeddedFile],
    pages: Sequence[PacketPage],
    not_shown: Sequence[NotShown],
    stamp_fonts: Mapping[str, str],
    software: Sequence[str],
    fonts: Sequence[str],
) -> bytes:
    """Return `manifest.json`: `facts` as they were recorded, and what came of printing them.

    `evidence` are the records of the facts with the places of their files filled in.
    """
    return canonical_json(
        {
            "form": MANIFEST_FORM,
            "packet": _packet(facts, software, fonts),
            "volumes": [asdict(volume) for volume in volumes],
            "checklist": _checklist(facts.checklist),
            "organizations": [asdict(organization) for organization in facts.organizations],
            "people": [asdict(person) for person in facts.people],
            "appointments": [asdict(appointment) for appointment in facts.appointments],
            "duties": [asdict(duty) for duty in facts.duties],
            "evidence": [asdict(record) for record in evidence],
            "log": [_chain(chain) for chain in facts.log],
            "files": [_file(file) for file in files],
            "stamp_fonts": stamp_fonts,
            "pages": [asdict(page) for page in pages],
            "not_shown": [asdict(entry) for entry in not_shown],
        }
    )


def _packet(facts: PacketFacts, software: Sequence[str], fonts: Sequence[str]) -> dict[str, object]:
    return {
        "number": facts.number,
        "kind": facts.kind,
        "title": facts.title,
        "inspection": facts.inspection,
        "units": facts.units,
        "period": {"from": facts.period[0], "to": facts.period[1]},
        "as_of": facts.as_of,
        "language": facts.language,
        "software": software,
        "fonts": fonts,
    }


def _checklist(checklist: PacketChecklist) -> dict[str, object]:
    return {
        "key": checklist.key,
        "version": checklist.version,
        "title": checklist.title,
        "sha256": checklist.sha256,
        "file": "checklist.yaml",
    }


def _chain(chain: PacketChain) -> dict[str, object]:
    head = {"seq": chain.head[0], "digest": chain.head[1]} if chain.head else None
    return {"chain": chain.chain, "file": chain.file, "entries": chain.entries, "head": head}


def _file(file: EmbeddedFile) -> dict[str, object]:
    members = asdict(file)
    if file.sm3 is None:
        del members["sm3"]
    return members
