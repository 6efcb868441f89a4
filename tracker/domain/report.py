"""What a printed document says: frozen values with everything on the page and nothing that must be looked up.

Text fields hold data that is already in the language of the document (names, titles, sentences). Keys (`verdict`,
`timeliness`, `state`) are turned into words by the templates. Every text field carries its Chinese label, so that a
refusal can name the field; every record answers `record`, so that it can name the record.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from tracker.domain.pictures import Picture
from tracker.domain.text import _n

VERDICTS = frozenset({"", "met", "partly", "missing", "not_applicable"})
TIMELINESS = frozenset({"", "not_due", "in_time", "recorded_late", "made_up", "missed"})
STATES = frozenset({"open", "submitted", "returned", "confirmed", "claimed", "not_applicable", "excused"})


def _require(key: str, allowed: frozenset[str], what: str) -> None:
    """Raise ValueError when a program hands over a key that no document has a word for."""
    if key not in allowed:
        raise ValueError(f"{what}: {key!r} is not one of {sorted(allowed)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogHead:
    """The head of one unit's chain of the audit log at the as-of time: sequence number and digest (hex)."""

    unit: Annotated[str, _n("单位名称")]
    sequence: int
    digest: str

    @property
    def record(self) -> str:
        """The unit of the chain."""
        return self.unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where the figures come from: recorded time, checklist, log heads, program.

    `as_of` is aware; it is also the date of the PDF, which carries no other clock. `checklist_digest` is the SHA-256
    of the published bytes.
    """

    as_of: datetime
    checklist_key: Annotated[str, _n("清单代号")]
    checklist_title: Annotated[str, _n("清单名称")]
    checklist_version: Annotated[str, _n("清单版本")]
    checklist_digest: str
    checklist_notice: Annotated[str, _n("清单说明")] = ""
    log_heads: tuple[LogHead, ...] = ()
    software_version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamMember:
    """One member of the team: name, role in the team, place of work."""

    name: Annotated[str, _n("姓名")]
    role: Annotated[str, _n("组内职务")]
    organization: Annotated[str, _n("所在单位")] = ""

    @property
    def record(self) -> str:
        """The member's name."""
        return self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A free text of the team (overall judgement, good practice): one heading and its paragraphs."""

    heading: Annotated[str, _n("小标题")]
    paragraphs: Annotated[tuple[str, ...], _n("正文")]

    @property
    def record(self) -> str:
        """The heading."""
        return self.heading


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """The cover. `mark` (内部资料), `letterhead` and `document_number` are printed only where the user set them."""

    title: Annotated[str, _n("文件标题")]
    units: Annotated[tuple[str, ...], _n("单位名称")]
    period: Annotated[str, _n("检查时段")]
    issuer: Annotated[str, _n("制发单位")]
    issued_on: date
    mark: Annotated[str, _n("标识")] = ""
    letterhead: Annotated[str, _n("发文机关标志")] = ""
    document_number: Annotated[str, _n("发文字号")] = ""

    @property
    def record(self) -> str:
        """The title of the document."""
        return self.title


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The facts of a check: who looked at what, when, why, and how the sample was drawn (with its seed).

    `open_as_of` is the as-of time while the check was not yet closed by then, else None: an unfinished check must never
    read like a finished one. `judged` of the `sampled` duties had a verdict.
    """

    number: Annotated[str, _n("检查编号")]
    basis: Annotated[tuple[str, ...], _n("检查依据")]
    started_on: date
    ended_on: date
    team: tuple[TeamMember, ...]
    periods: Annotated[tuple[str, ...], _n("抽查时段")]
    items: Annotated[str, _n("检查事项")]
    methods: Annotated[tuple[str, ...], _n("检查方式")] = ()
    sampling: Annotated[str, _n("抽样说明")] = ""
    seed: Annotated[str, _n("抽样种子")] = ""
    open_as_of: datetime | None = None
    judged: int = 0
    sampled: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Counts of duties in one line of a summary: by verdict, and by timeliness."""

    met: int = 0
    partly: int = 0
    missing: int = 0
    not_applicable: int = 0
    in_time: int = 0
    recorded_late: int = 0
    made_up: int = 0
    missed: int = 0

    @property
    def looked_at(self) -> int:
        """Duties with any verdict."""
        return self.met + self.partly + self.missing + self.not_applicable


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryLine:
    """One line of a summary: a level, post, dimension or unit; its counts and points (None: nothing was judged)."""

    name: Annotated[str, _n("汇总名称")]
    counts: Counts
    points: Decimal | None = None

    @property
    def record(self) -> str:
        """The name of the line."""
        return self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreLine:
    """The score of one unit at one level, out of 100, and the sum behind it as it would be worked on paper."""

    unit: Annotated[str, _n("单位名称")]
    level: Annotated[str, _n("层级")]
    organizations: int
    score: Decimal | None
    working: Annotated[str, _n("计算过程")]

    @property
    def record(self) -> str:
        """Unit and level."""
        return f"{self.unit} {self.level}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemRow:
    """One line of the item table: an item at one organization over the periods of the check.

    `points` are those that count; `worked_points` those that the formula gave, set only where an inspector overruled
    them, with the reason in `overruled_because`. `finding` is the number of a finding of the same report, or empty.
    """

    item: Annotated[str, _n("事项编号")]
    title: Annotated[str, _n("事项名称")]
    organization: Annotated[str, _n("组织名称")]
    post: Annotated[str, _n("责任岗位")]
    frequency: Annotated[str, _n("频次")]
    period: Annotated[str, _n("时段")]
    required: int
    done: int
    timeliness: str = ""
    state: str = "open"
    changed_after_signing: bool = False
    verdict: str = ""
    finding: Annotated[str, _n("问题编号")] = ""
    points: Decimal | None = None
    worked_points: Decimal | None = None
    overruled_because: Annotated[str, _n("改分理由")] = ""

    def __post_init__(self) -> None:
        """Refuse keys that no document has a word for."""
        _require(self.verdict, VERDICTS, "verdict")
        _require(self.timeliness, TIMELINESS, "timeliness")
        _require(self.state, STATES, "state")

    @property
    def record(self) -> str:
        """Item and organization."""
        return f"{self.item} {self.organization}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceFile:
    """One file of a record: name as uploaded, size in bytes, SHA-256 (hex); `sealed` when its bytes were destroyed."""

    name: Annotated[str, _n("文件名")]
    size: int
    sha256: str
    sealed: bool = False

    @property
    def record(self) -> str:
        """The name of the file."""
        return self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceEntry:
    """One record of the evidence index. `uploaded_by` is an organization and post, never a personal account."""

    number: Annotated[str, _n("佐证编号")]
    sentence: Annotated[str, _n("工作纪实")]
    organization: Annotated[str, _n("组织名称")]
    acted_on: date
    recorded_at: datetime
    uploaded_by: Annotated[str, _n("上传岗位")]
    files: tuple[EvidenceFile, ...] = ()
    items: Annotated[tuple[str, ...], _n("支撑事项")] = ()
    sign_off: Annotated[str, _n("签认")] = ""
    withdrawn: bool = False
    sealed: bool = False

    @property
    def record(self) -> str:
        """The number of the record."""
        return self.number


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A problem found, on what basis, whose it is, what is demanded and until when."""

    number: Annotated[str, _n("问题编号")]
    problem: Annotated[str, _n("问题")]
    organization: Annotated[str, _n("组织名称")]
    post: Annotated[str, _n("责任岗位")]
    severity: Annotated[str, _n("程度")]
    measure: Annotated[str, _n("整改要求")]
    deadline: date | None
    regulation: Annotated[str, _n("依据")] = ""
    article: Annotated[str, _n("条款")] = ""
    items: Annotated[tuple[str, ...], _n("涉及事项")] = ()

    @property
    def record(self) -> str:
        """The number of the finding."""
        return self.number


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectionReport:
    """The report of one supervision check, complete without the system."""

    cover: Cover
    facts: Facts
    by_level: tuple[SummaryLine, ...]
    by_post: tuple[SummaryLine, ...]
    by_dimension: tuple[SummaryLine, ...]
    scores: tuple[ScoreLine, ...]
    formula: Annotated[str, _n("计分公式")]
    rows: tuple[ItemRow, ...]
    evidence: tuple[EvidenceEntry, ...]
    findings: tuple[Finding, ...]
    provenance: Provenance
    by_unit: tuple[SummaryLine, ...] = ()
    remarks: tuple[Section, ...] = ()
    pictures: tuple[Picture, ...] = ()

    @property
    def has_shortfalls(self) -> bool:
        """Whether anything was judged partly met or missing: then nobody may read that nothing was found."""
        return any(line.counts.partly or line.counts.missing for line in self.by_level)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecklistLine:
    """One item on the printed checklist of a post or unit, with the local decision that changed it, if any."""

    item: Annotated[str, _n("事项编号")]
    title: Annotated[str, _n("事项名称")]
    requirement: Annotated[str, _n("工作要求")]
    kind: Annotated[str, _n("责任类型")]
    post: Annotated[str, _n("责任岗位")]
    frequency: Annotated[str, _n("频次")]
    due: Annotated[str, _n("完成时限")] = ""
    evidence: Annotated[tuple[str, ...], _n("佐证要求")] = ()
    confirmer: Annotated[str, _n("确认岗位")] = ""
    sources: Annotated[tuple[str, ...], _n("依据")] = ()
    points: Decimal | None = None
    switched_off: bool = False
    own: bool = False
    decision: Annotated[str, _n("本地调整")] = ""
    decided_by: Annotated[str, _n("调整决定人")] = ""
    decided_on: date | None = None

    @property
    def record(self) -> str:
        """The id of the item."""
        return self.item


@dataclass(frozen=True, slots=True, kw_only=True)
class ChecklistGroup:
    """Lines under one heading: a dimension, or a level and post."""

    name: Annotated[str, _n("分组名称")]
    lines: tuple[ChecklistLine, ...]

    @property
    def record(self) -> str:
        """The heading."""
        return self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class PostChecklist:
    """The printed checklist of one post, or of one unit, for one year. `holders`: names with their days in it."""

    title: Annotated[str, _n("文件标题")]
    organization: Annotated[str, _n("组织名称")]
    cycle: Annotated[str, _n("考核年度")]
    groups: tuple[ChecklistGroup, ...]
    provenance: Provenance
    post: Annotated[str, _n("岗位")] = ""
    holders: Annotated[tuple[str, ...], _n("任职人员")] = ()
    mark: Annotated[str, _n("标识")] = ""

    @property
    def record(self) -> str:
        """Organization and post."""
        return f"{self.organization} {self.post}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfCheckLine:
    """One item on a unit's self-check sheet; the self score is left blank for the pen."""

    item: Annotated[str, _n("事项编号")]
    title: Annotated[str, _n("事项名称")]
    organization: Annotated[str, _n("组织名称")]
    post: Annotated[str, _n("责任岗位")]
    frequency: Annotated[str, _n("频次")]
    required: int
    done: int
    timeliness: str = ""
    statement: Annotated[str, _n("履行情况")] = ""
    points: Decimal | None = None
    changed_after_signing: bool = False

    def __post_init__(self) -> None:
        """Refuse keys that no document has a word for."""
        _require(self.timeliness, TIMELINESS, "timeliness")

    @property
    def record(self) -> str:
        """Item and organization."""
        return f"{self.item} {self.organization}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfCheckReport:
    """The self-check report of one unit: one line per item."""

    title: Annotated[str, _n("文件标题")]
    unit: Annotated[str, _n("单位名称")]
    period: Annotated[str, _n("自查时段")]
    lines: tuple[SelfCheckLine, ...]
    provenance: Provenance
    mark: Annotated[str, _n("标识")] = ""

    @property
    def record(self) -> str:
        """The unit."""
        return self.unit


Report = InspectionReport | PostChecklist | SelfCheckReport
