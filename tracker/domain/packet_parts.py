"""What the parts of a packet say in print, beside the report: frozen values, as in `domain.report`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated

from tracker.domain.packet import PacketFacts, PacketKind
from tracker.domain.report import EvidenceEntry, InspectionReport, Provenance, SelfCheckReport, SummaryLine
from tracker.domain.text import _n

# What kind of document a packet calls itself.
KIND_NAMES = {
    PacketKind.INSPECTION: _n("督查卷"),
    PacketKind.QUARTER: _n("季度合订卷"),
    PacketKind.BOOK: _n("汇编"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentsLine:
    """A line of the contents: a title, how deep it stands (1 to 3), the page it begins on, the part it leads to.

    `anchor` is the part's, with `+N` behind it for the page N pages into it. Where the part lies in another volume,
    `anchor` is empty and `volume` is that volume's number.
    """

    title: Annotated[str, _n("目录标题")]
    depth: int
    page: int
    anchor: str
    volume: int = 0

    @property
    def record(self) -> str:
        """The title."""
        return self.title


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontPart:
    """The cover and the contents of a packet, or of one volume of it.

    `kind` is the word for the kind of document. While the check `is_open`, the cover says that `judged` of the
    `sampled` duties have a verdict.
    """

    title: Annotated[str, _n("文件标题")]
    number: Annotated[str, _n("卷号")]
    units: Annotated[tuple[str, ...], _n("单位名称")]
    period: Annotated[str, _n("时段")]
    issuer: Annotated[str, _n("制发单位")]
    as_of: datetime
    inspection: Annotated[str, _n("检查编号")] = ""
    volume: int = 1
    volumes: int = 1
    contents: tuple[ContentsLine, ...] = ()
    kind: Annotated[str, _n("文件种类")] = ""
    is_open: bool = False
    judged: int = 0
    sampled: int = 0

    @property
    def record(self) -> str:
        """The title of the packet."""
        return self.title


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPart:
    """The report of one check, or of one unit in it, as a part: without cover and contents of its own.

    In a book it begins with a heading that names the unit (`heading`); else `heading` is empty.
    """

    report: InspectionReport
    heading: Annotated[str, _n("小标题")] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarterPart:
    """What a unit did of what was to be done by the end of a quarter, as a part."""

    report: SelfCheckReport


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsPart:
    """The figures of all units of a book: a line for each unit, level and dimension; the formula of the points."""

    title: Annotated[str, _n("小标题")]
    by_unit: tuple[SummaryLine, ...]
    by_level: tuple[SummaryLine, ...]
    by_dimension: tuple[SummaryLine, ...]
    formula: Annotated[str, _n("计分公式")]

    @property
    def record(self) -> str:
        """The heading."""
        return self.title


@dataclass(frozen=True, slots=True, kw_only=True)
class RectificationLine:
    """One step of a rectification: when, what, by whom (organization and post or name), in which words."""

    at: datetime
    action: Annotated[str, _n("整改步骤")]
    person: Annotated[str, _n("办理人")]
    text: Annotated[str, _n("内容")]
    deadline: date | None = None
    evidence: Annotated[str, _n("佐证编号")] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rectification:
    """A finding and every step that was taken on it."""

    number: Annotated[str, _n("问题编号")]
    problem: Annotated[str, _n("问题")]
    organization: Annotated[str, _n("组织名称")]
    post: Annotated[str, _n("责任岗位")]
    demand: Annotated[str, _n("整改要求")]
    deadline: date | None
    state: Annotated[str, _n("整改状态")]
    lines: tuple[RectificationLine, ...]

    @property
    def record(self) -> str:
        """The number of the finding."""
        return self.number


@dataclass(frozen=True, slots=True, kw_only=True)
class RectificationPart:
    """The rectifications of a check, where there are any: one table for each finding."""

    rectifications: tuple[Rectification, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CountLine:
    """A count of a record: what was counted, how many."""

    name: Annotated[str, _n("数量名称")]
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedDuty:
    """A duty that a record serves. `timeliness`, `state` and `verdict` are the keys of `domain.report`."""

    key: Annotated[str, _n("任务编号")]
    item: Annotated[str, _n("事项编号")]
    title: Annotated[str, _n("事项名称")]
    organization: Annotated[str, _n("组织名称")]
    post: Annotated[str, _n("责任岗位")]
    period: Annotated[str, _n("时段")]
    due_on: date
    timeliness: str = ""
    state: str = "open"
    changed_after_signing: bool = False
    verdict: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOffLine:
    """A sign-off over a record: on which duty, what, by whom, when; `digest` is its signature digest (hex)."""

    duty: Annotated[str, _n("任务编号")]
    action: Annotated[str, _n("签认")]
    person: Annotated[str, _n("姓名")]
    post: Annotated[str, _n("岗位")]
    at: datetime
    digest: str
    reason: Annotated[str, _n("理由")] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLine:
    """A file of a record: `attached_as` is its name inside the packet (empty: not there).

    `shown_pages` pages of it follow, of `pages` in all; `why` is a sentence where it is not shown in full, else empty.
    `same_as` names record and file where the same bytes came first, else it is empty.
    """

    name: Annotated[str, _n("文件名")]
    size: int
    sha256: str
    attached_as: str
    pages: int
    shown_pages: int
    why: Annotated[str, _n("说明")] = ""
    same_as: Annotated[str, _n("相同的文件")] = ""

    @property
    def record(self) -> str:
        """The name of the file."""
        return self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidencePart:
    """The page of one evidence record; the pages of its files follow it. `entry.files` is not printed: `files` is.

    `of_check` says whether the packet is of a check, which has verdicts; `serves_others` whether the record serves
    duties outside of the packet, whose sign-offs are not in it.
    """

    entry: EvidenceEntry
    counts: tuple[CountLine, ...]
    duties: tuple[ServedDuty, ...]
    sign_offs: tuple[SignOffLine, ...]
    files: tuple[FileLine, ...]
    of_check: bool = True
    serves_others: bool = False

    @property
    def record(self) -> str:
        """The number of the record."""
        return self.entry.number


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePart:
    """The page that stands for a file, or the rest of one, that is not shown: `title` names record and file."""

    title: Annotated[str, _n("文件编号")]
    file: FileLine
    media_type: Annotated[str, _n("文件类型")]

    @property
    def record(self) -> str:
        """Record and file."""
        return self.title


@dataclass(frozen=True, slots=True, kw_only=True)
class NotShownFiles:
    """Files that are not shown, or not in full, for one reason: the sentence, and each file by its record."""

    why: Annotated[str, _n("说明")]
    files: Annotated[tuple[str, ...], _n("未显示的文件")]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerificationPart:
    """How to check the packet: where it comes from, what lies in it, and by whose certificate it is signed.

    `handed_in` files belong to the records, `files` lie in the packet: the same bytes only once. `signer` is empty for
    an unsigned packet, `fingerprint` is the SHA-256 of the certificate (hex). `in_volumes` says whether the packet has
    several volumes, `sm3` whether SM3 digests lie beside those of SHA-256.
    """

    number: Annotated[str, _n("卷号")]
    provenance: Provenance
    records: int
    files: int
    handed_in: int = 0
    kind: PacketKind = PacketKind.INSPECTION
    in_volumes: bool = False
    not_shown: tuple[NotShownFiles, ...] = ()
    signer: Annotated[str, _n("签名单位")] = ""
    fingerprint: str = ""
    timestamped: bool = False
    sm3: bool = False

    @property
    def record(self) -> str:
        """The number of the packet."""
        return self.number


BodyPart = ReportPart | QuarterPart | StatisticsPart | RectificationPart
PartValues = FrontPart | BodyPart | EvidencePart | FilePart | VerificationPart


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketValues:
    """Everything that a packet prints and claims, before it is laid out and its files are fetched from the store."""

    facts: PacketFacts
    issuer: str
    period: str
    units: tuple[str, ...]
    body: tuple[BodyPart, ...]
    evidence: tuple[EvidencePart, ...]
    provenance: Provenance
