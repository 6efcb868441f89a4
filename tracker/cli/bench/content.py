"""The invented content that every engine prints: a book of so many units, and a packet with files. No database."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

from tracker.domain.packet import (
    FileState,
    PacketChecklist,
    PacketFacts,
    PacketFile,
    PacketKind,
    PacketOrganization,
    PacketRecord,
)
from tracker.domain.packet_parts import BodyPart, EvidencePart, PacketValues, ReportPart, StatisticsPart
from tracker.domain.report import (
    Counts,
    Cover,
    EvidenceEntry,
    EvidenceFile,
    Facts,
    Finding,
    InspectionReport,
    ItemRow,
    Provenance,
    ScoreLine,
    Section,
    SummaryLine,
    TeamMember,
)

AS_OF = datetime(2026, 11, 20, 17, 30, 5, tzinfo=timezone(timedelta(hours=8)))
TITLE = "清河市市直机关思想政治工作责任落实情况督查报告"
SCORED, LOOKED_AT, RECORDS, FOUND = 12, 8, 5, 2  # rows of a unit's tables
LEVELS = ("党组（党委）", "机关党委", "党支部")
DIMENSIONS = (
    "政治引领与理论武装",
    "责任体系与部署落实",
    "思想教育与典型引领",
    "思想动态与问题导向",
    "组织生活",
    "意识形态与阵地",
    "队伍与基础工作",
    "关怀服务与文化",
    "述职考核与整改",
    "督查整改与长效机制",
    "公开与民主监督",
    "群团与统战工作",
)[:SCORED]
ITEMS = (
    "召开支部党员大会",
    "开展主题党日",
    "召开组织生活会并民主评议党员",
    "开展谈心谈话",
    "分析党员思想动态",
    "按月足额收缴党费",
    "组织理论学习",
    "书记讲党课",
    "落实关怀帮扶",
    "公开党务事项",
)
JUDGEMENT = (
    "检查组认为该单位能够按照年初确定的安排开展工作，计划执行总体有序，会议记录较为完整，各支部做到按期研究、按期落实；"
    "但个别支部仍存在重记录、轻效果的情况，对党员思想状况的分析不够深入，意见建议没有形成闭环，需要在下一阶段认真加以改进。"
)
FORMULA = (
    "事项得分 = 分值 × min（1，落实数 ÷ 核查数），部分落实按一半计；没有核查或不适用的事项不计入，其余折算为100分。"
)


def sha256(text: str) -> str:
    """The digest of a text, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


PROVENANCE = Provenance(
    as_of=AS_OF,
    checklist_key="sanji-sigang",
    checklist_title="市直机关思想政治工作责任清单（示例）",
    checklist_version="2026.1",
    checklist_digest=sha256("checklist"),
    software_version="tracker",
)


def book(units: int, *, changed: int = 0, edition: int = 1) -> PacketValues:
    """The book of so many units: statistics, then a report of each; `changed` of them are of another edition."""
    marked = {number * units // changed for number in range(changed)}
    names = tuple(unit_name(number) for number in range(units))
    statistics = StatisticsPart(
        title="总体情况",
        by_unit=_summary(names),
        by_level=_summary(LEVELS),
        by_dimension=_summary(DIMENSIONS),
        formula=FORMULA,
    )
    reports = tuple(unit_report(number, edition=edition if number in marked else 0) for number in range(units))
    return _values(names, (statistics, *reports), (), PacketKind.BOOK)


def packet(records: Sequence[Sequence[PacketFile]]) -> PacketValues:
    """The packet of one unit, with a record of evidence for each given list of files."""
    parts = tuple(_evidence(number, files) for number, files in enumerate(records, start=1))
    whole = replace(unit_report(0), heading="")
    return _values((unit_name(0),), (whole,), tuple(zip(parts, records, strict=True)), PacketKind.INSPECTION)


def unit_name(number: int) -> str:
    """The name of a unit; each has another."""
    return f"清河市第{number + 1}管理局"


def unit_report(number: int, *, edition: int = 0) -> ReportPart:
    """The report of a unit as a book holds it; another `edition` has another judgement in its text."""
    name = unit_name(number)
    report = InspectionReport(
        cover=Cover(
            title=TITLE, units=(name,), period="2026年1月至10月", issuer="市直机关督查组", issued_on=date(2026, 11, 20)
        ),
        facts=_facts(),
        by_level=_summary(LEVELS, number),
        by_post=(),
        by_dimension=_summary(DIMENSIONS, number),
        scores=tuple(
            ScoreLine(
                unit=name, level=level, organizations=1 + n, score=Decimal(91) - n, working=f"{73 - n} ÷ 80 × 100"
            )
            for n, level in enumerate(LEVELS)
        ),
        formula=FORMULA,
        rows=tuple(_item(name, number + n) for n in range(LOOKED_AT)),
        evidence=tuple(_entry(name, f"2026-Q{number:03d}{n}", number + n) for n in range(RECORDS)),
        findings=tuple(_finding(name, n) for n in range(1, FOUND + 1)),
        provenance=PROVENANCE,
        remarks=(Section(heading="总体情况", paragraphs=(f"{name}第{edition + 1}次核查。{JUDGEMENT}",)),),
    )
    return ReportPart(report=report, heading=name)


def _facts() -> Facts:
    return Facts(
        number="2026-001",
        basis=("《中国共产党党和国家机关基层组织工作条例》第三十四条", "市直机关2026年度督查工作方案"),
        started_on=date(2026, 11, 16),
        ended_on=date(2026, 11, 19),
        team=(
            TeamMember(name="沈若彤", role="组长", organization="市直机关"),
            TeamMember(name="贺一鸣", role="副组长", organization="市石桥区档案馆"),
            TeamMember(name="马晓", role="组员", organization="市云溪图书馆"),
        ),
        periods=("2026年第一季度", "2026年第二季度", "2026年7月至10月"),
        items="责任清单中适用于该单位的28项事项",
        methods=("查看资料", "核对记录", "个别访谈"),
        sampling="从312项到期任务中按层级分层抽取96项。",
        seed="20261116",
    )


def _summary(names: Sequence[str], turn: int = 0) -> tuple[SummaryLine, ...]:
    return tuple(
        SummaryLine(
            name=name,
            counts=Counts(
                met=14 + (n + turn) % 9,
                partly=3 + n % 2,
                missing=(n + turn) % 4,
                not_applicable=n % 3,
                in_time=12 + n % 9,
                recorded_late=3,
                made_up=n % 3,
                missed=(n + turn) % 4,
            ),
            points=Decimal("88.5") - n % 30,
        )
        for n, name in enumerate(names)
    )


def _item(unit: str, number: int) -> ItemRow:
    return ItemRow(
        item=f"L3-{number % 28 + 1:02d}",
        title=ITEMS[number % len(ITEMS)],
        organization=f"{unit}第{number % 4 + 1}支部",
        post="党支部书记",
        frequency="每月1次",
        period="2026年1—10月",
        required=10,
        done=10 - number % 3,
        timeliness=("in_time", "recorded_late", "made_up", "missed")[number % 4],
        state=("confirmed", "submitted", "returned", "open", "excused", "claimed")[number % 6],
        changed_after_signing=number % 9 == 4,
        verdict=("met", "met", "partly", "missing", "not_applicable")[number % 5],
        finding=f"{number % 2 + 1}" if number % 5 == 3 else "",
        points=Decimal(number % 7) / 2,
    )


def _entry(unit: str, key: str, number: int) -> EvidenceEntry:
    names = (f"主题党日记录-{key}.pdf", "现场照片.jpg")[: 1 + number % 2]
    return EvidenceEntry(
        number=key,
        sentence="围绕年度重点任务开展集中学习研讨，应到32人，实到30人，形成意见建议5条，已转有关科室办理。",
        organization=f"{unit}第{number % 4 + 1}支部",
        acted_on=date(2026, 1, 5) + timedelta(days=number % 300),
        recorded_at=AS_OF - timedelta(days=200 - number % 200, hours=3),
        uploaded_by="党支部书记",
        files=tuple(EvidenceFile(name=name, size=148_213, sha256=sha256(name + key)) for name in names),
        items=("L3-02", "L3-05", "L3-07")[: 1 + number % 3],
        sign_off="已确认（机关党委书记，2026-06-30）",
    )


def _finding(unit: str, number: int) -> Finding:
    return Finding(
        number=f"{number}",
        problem="2026年3月、5月的主题党日记录只有照片，没有写明学习内容和讨论情况，无法判断是否达到要求。",
        organization=f"{unit}机关第2支部",
        post="党支部书记",
        severity="一般",
        measure="补充说明两次主题党日的内容和形成的意见，今后按“一次一页”的要求当场记录；由机关党委复核。",
        deadline=date(2026, 12, 15),
        regulation="《中国共产党支部工作条例（试行）》",
        article="第十六条",
        items=("L3-02",),
    )


def _evidence(number: int, files: Sequence[PacketFile]) -> EvidencePart:
    listed = tuple(EvidenceFile(name=file.name, size=file.size, sha256=file.sha256) for file in files)
    entry = replace(_entry(unit_name(0), f"E{number:03d}", number), files=listed)
    return EvidencePart(entry=entry, counts=(), duties=(), sign_offs=(), files=())


def _record(part: EvidencePart, files: Sequence[PacketFile]) -> PacketRecord:
    return PacketRecord(
        key=part.entry.number,
        organization="U1",
        act_on=part.entry.acted_on,
        recorded_at=part.entry.recorded_at,
        sentence=part.entry.sentence,
        sentence_sha256=sha256(part.entry.sentence),
        counts={},
        withdrawn=False,
        sealed=False,
        duties=(),
        files=tuple(files),
    )


def file_of(name: str, content: bytes, media_type: str) -> PacketFile:
    """A file of a record as the log has it."""
    return PacketFile(
        name=name,
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        media_type=media_type,
        state=FileState.EMBEDDED,
    )


def _values(
    names: tuple[str, ...],
    body: tuple[BodyPart, ...],
    evidence: tuple[tuple[EvidencePart, Sequence[PacketFile]], ...],
    kind: PacketKind,
) -> PacketValues:
    source = b"bench: 1\n"
    facts = PacketFacts(
        number="2026-BENCH",
        kind=kind,
        title=TITLE,
        inspection="1",
        units=tuple(f"U{number + 1}" for number in range(len(names))),
        period=(date(2026, 1, 1), date(2026, 10, 31)),
        as_of=AS_OF,
        language="zh",
        checklist=PacketChecklist(
            key="bench", version="1", title="清单", sha256=hashlib.sha256(source).hexdigest(), source=source
        ),
        organizations=tuple(
            PacketOrganization(code=f"U{n}", name=name, level="L1", parent=None, unit=f"U{n}")
            for n, name in enumerate(names, start=1)
        ),
        people=(),
        appointments=(),
        duties=(),
        evidence=tuple(_record(part, files) for part, files in evidence),
        log=(),
    )
    return PacketValues(
        facts=facts,
        issuer="市直机关督查组",
        period="2026年1月至10月",
        units=names,
        body=body,
        evidence=tuple(part for part, _ in evidence),
        provenance=PROVENANCE,
    )
