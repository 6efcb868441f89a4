"""Invented reports for the tests of printing: one ordinary, one with everything, one with nothing, one very long."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

from tracker.domain.report import (
    ChecklistGroup,
    ChecklistLine,
    Counts,
    Cover,
    EvidenceEntry,
    EvidenceFile,
    Facts,
    Finding,
    InspectionReport,
    ItemRow,
    LogHead,
    PostChecklist,
    Provenance,
    ScoreLine,
    Section,
    SelfCheckLine,
    SelfCheckReport,
    SummaryLine,
    TeamMember,
)

BEIJING = timezone(timedelta(hours=8))
AS_OF = datetime(2026, 11, 20, 17, 30, 5, tzinfo=BEIJING)
PARAGRAPH = (
    "检查组认为该单位能够按照年初确定的安排开展工作计划执行总体有序会议记录较为完整各支部做到按期研究按期落实"
    "但个别支部仍存在重记录轻效果的情况对党员思想状况的分析不够深入意见建议没有形成闭环需要在下一阶段认真加以改进"
)
TITLES = (
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
BRANCHES = ("机关第一支部", "机关第二支部", "综合执法支队支部", "离退休干部支部")


def digest(text: str) -> str:
    """Return the SHA-256 of some text, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


PROVENANCE = Provenance(
    as_of=AS_OF,
    checklist_key="sanji-sigang",
    checklist_title="市直机关思想政治工作责任清单（示例）",
    checklist_version="2026.1",
    checklist_digest=digest("checklist"),
    checklist_notice="本清单为示例，不是任何城市印发的正式清单；次数和分值须由使用单位研究确定。",
    log_heads=(LogHead(unit="市青溪湖管理局", sequence=18234, digest=digest("log")),),
    software_version="0.1.0",
)


def item_row(number: int) -> ItemRow:
    """Return the item row of that number; verdict, timeliness and state go round."""
    return ItemRow(
        item=f"L3-{number % 28 + 1:02d}",
        title=TITLES[number % len(TITLES)],
        organization=f"市青溪湖管理局{BRANCHES[number % 4]}",
        post="党支部书记",
        frequency="每月1次",
        period="2026年1—10月",
        required=10,
        done=10 - number % 3,
        timeliness=("in_time", "recorded_late", "made_up", "missed")[number % 4],
        state=("confirmed", "submitted", "returned", "open", "excused", "claimed")[number % 6],
        changed_after_signing=number % 9 == 4,
        verdict=("met", "met", "partly", "missing", "not_applicable")[number % 5],
        finding=f"{number % 3 + 1}" if number % 5 == 3 else "",
        points=Decimal(number % 7) / 2,
        worked_points=Decimal(4) if number % 17 == 5 else None,
        overruled_because="会议记录齐全，只是归档较晚，不影响效果。" if number % 17 == 5 else "",
    )


def evidence_entry(number: int) -> EvidenceEntry:
    """Return the evidence entry of that number with one or two files."""
    names = (f"主题党日记录-{number}.pdf", "现场照片.jpg")[: 1 + number % 2]
    return EvidenceEntry(
        number=f"2026-Q{number:04d}",
        sentence="围绕年度重点任务开展集中学习研讨，应到32人，实到30人，形成意见建议5条，已转有关科室办理。",
        organization=f"市青溪湖管理局{BRANCHES[number % 4]}",
        acted_on=date(2026, 1, 5) + timedelta(days=number),
        recorded_at=AS_OF - timedelta(days=200 - number % 200, hours=3),
        uploaded_by="党支部书记",
        files=tuple(EvidenceFile(name=n, size=48_213 * (number + 3), sha256=digest(f"{n}{number}")) for n in names),
        items=("L3-02", "L3-05", "L3-07")[: 1 + number % 3],
        sign_off="已确认（机关党委书记，2026-06-30）",
        withdrawn=number % 11 == 6,
    )


def finding(number: int) -> Finding:
    """Return the finding of that number."""
    return Finding(
        number=f"{number}",
        problem="2026年3月、5月的主题党日记录只有照片，没有写明学习内容和讨论情况，无法判断是否达到要求。",
        organization="市青溪湖管理局机关第二支部",
        post="党支部书记",
        severity="一般",
        measure="补充说明两次主题党日的内容和形成的意见，今后按“一次一页”的要求当场记录；由机关党委复核。",
        deadline=date(2026, 12, 15),
        regulation="《中国共产党支部工作条例（试行）》",
        article="第十六条",
        items=("L3-02",),
    )


def summary(names: tuple[str, ...]) -> tuple[SummaryLine, ...]:
    """Return a summary line for each name; the numbers are all different."""
    return tuple(
        SummaryLine(
            name=name,
            counts=Counts(
                met=14 + n,
                partly=3 + n % 2,
                missing=n % 4,
                not_applicable=n % 3,
                in_time=12 + n,
                recorded_late=3,
                made_up=n % 3,
                missed=n % 4,
            ),
            points=Decimal("88.5") - n,
        )
        for n, name in enumerate(names)
    )


def inspection(*, rows: int = 24, entries: int = 12, findings: int = 3) -> InspectionReport:
    """Return the report of an invented check with that many item rows, evidence entries and findings."""
    return InspectionReport(
        cover=Cover(
            title="市青溪湖管理局思想政治工作责任落实情况督查报告",
            units=("市青溪湖管理局",),
            period="2026年1月至10月",
            issuer="市直机关督查组",
            issued_on=date(2026, 11, 20),
        ),
        facts=Facts(
            number="2026-001",
            basis=("《中国共产党党和国家机关基层组织工作条例》第三十四条", "市直机关2026年度督查工作方案"),
            started_on=date(2026, 11, 16),
            ended_on=date(2026, 11, 19),
            team=(
                TeamMember(name="沈若彤", role="组长", organization="市直机关"),
                TeamMember(name="贺一鸣", role="副组长", organization="市石桥区档案馆"),
                TeamMember(name="马喆", role="组员", organization="市云溪图书馆"),
            ),
            periods=("2026年第一季度", "2026年第二季度", "2026年7月至10月"),
            items="责任清单中适用于该单位的28项事项",
            methods=("查看资料", "核对记录", "个别访谈"),
            sampling="从312项到期任务中按层级分层抽取96项。",
            seed="20261116",
        ),
        by_level=summary(("党组（党委）", "机关党委", "党支部")),
        by_post=summary(("党组（党委）书记", "党组（党委）班子成员", "机关党委书记", "党支部书记")),
        by_dimension=summary(
            (
                "政治引领与理论武装",
                "责任体系与部署落实",
                "思想教育与典型引领",
                "思想动态与问题导向",
                "组织生活",
                "意识形态与阵地",
                "队伍与基础工作",
                "关怀服务与文化",
                "述职考核与整改",
            )
        ),
        scores=(
            ScoreLine(
                unit="市青溪湖管理局",
                level="党组（党委）",
                organizations=1,
                score=Decimal("91.25"),
                working="73 ÷ 80 × 100 = 91.25",
            ),
            ScoreLine(
                unit="市青溪湖管理局",
                level="党支部",
                organizations=4,
                score=Decimal("86.4"),
                working="（90.1 + 88.2 + 84 + 83.3）÷ 4 = 86.4",
            ),
        ),
        formula="事项得分 = 分值 × min（1，落实数 ÷ 核查数），部分落实按一半计；"
        "没有核查或不适用的事项不计入，其余折算为100分；"
        "单位在某一层级的得分为该层级各组织得分的平均数。",
        rows=tuple(item_row(n) for n in range(rows)),
        evidence=tuple(evidence_entry(n) for n in range(1, entries + 1)),
        findings=tuple(finding(n) for n in range(1, findings + 1)),
        provenance=PROVENANCE,
        remarks=(
            Section(heading="总体情况", paragraphs=(PARAGRAPH,)),
            Section(heading="主要做法", paragraphs=(PARAGRAPH, PARAGRAPH)),
        ),
    )


def plain_text(characters: int) -> InspectionReport:
    """Return a report whose free text is one paragraph of exactly so many Han characters, to measure the grid with."""
    text = (PARAGRAPH * (characters // len(PARAGRAPH) + 1))[:characters]
    return replace(inspection(rows=1, entries=1, findings=0), remarks=(Section(heading="版面", paragraphs=(text,)),))


def full() -> InspectionReport:
    """Return a report with letterhead, mark and number, several units, long names and rare characters."""
    report = inspection()
    long = "市青溪湖流域综合治理与生态环境保护工作领导小组办公室（市青溪湖流域管理局）"
    units = (long, "市云溪图书馆", "市石桥区档案馆")
    row = replace(
        item_row(3),
        item="XXJG-2026-CENTRAL-0000000000000000123456789",
        title="结合单位实际情况制定并落实对青年干部职工开展分众化、差异化、常态化思想教育引导工作的具体措施和年度安排",
        organization=units[0] + "离退休干部工作处第一党支部",
        post="党组（党委）班子成员（分管机关党的建设和思想政治工作）",
    )
    long_name = EvidenceFile(name=f"IMG_{'20260315' * 14}.jpg", size=12_345_678_901, sha256=digest("x"), sealed=True)
    return replace(
        report,
        cover=replace(
            report.cover, units=units, mark="内部资料", letterhead="市直机关文件", document_number="市直督〔2026〕7号"
        ),
        facts=replace(report.facts, team=(*report.facts.team, TeamMember(name="欧阳㛃䶮𬍡", role="组员"))),
        by_unit=summary(units),
        rows=(row, *report.rows),
        evidence=(
            replace(evidence_entry(2), files=(long_name,), items=tuple(f"L3-{n:02d}" for n in range(1, 14))),
            replace(evidence_entry(3), sealed=True),
            *report.evidence,
        ),
        findings=tuple(replace(f, problem=f.problem * 4, organization=units[0]) for f in report.findings),
    )


def empty() -> InspectionReport:
    """Return a report of a check that found nothing to look at."""
    report = inspection(rows=0, entries=0, findings=0)
    return replace(
        report,
        by_level=(),
        by_post=(),
        by_dimension=(),
        scores=(),
        remarks=(),
        facts=replace(report.facts, team=(), methods=(), sampling="", seed=""),
    )


def checklist_line(number: int) -> ChecklistLine:
    """Return the checklist line of that number; some carry a local decision."""
    return ChecklistLine(
        item=f"L3-{number:02d}",
        title=TITLES[number % len(TITLES)],
        requirement="每月固定一天开展，有主题、有内容、有记录；与党员大会、党课、缴纳党费等合并进行的，一份记录即可。",
        kind=("政治责任", "领导责任", "岗位责任")[number % 3],
        post="党支部书记",
        frequency="每月1次",
        due="每月最后一个工作日前",
        evidence=("会议记录或纪要", "应到实到人数"),
        confirmer="机关党委书记",
        sources=("《中国共产党支部工作条例（试行）》第十六条",),
        points=Decimal(4),
        switched_off=number % 8 == 5,
        own=number % 8 == 7,
        decision={5: "本支部不设党小组，此项停用。", 7: "结合窗口服务，增加本单位事项。"}.get(number % 8, ""),
        decided_by={5: "机关党委", 7: "机关党委"}.get(number % 8, ""),
        decided_on=date(2026, 1, 9) if number % 8 in {5, 7} else None,
    )


def post_checklist(lines: int = 20) -> PostChecklist:
    """Return the printed checklist of a branch secretary."""
    entries = tuple(checklist_line(n) for n in range(1, lines + 1))
    return PostChecklist(
        title="党支部书记责任清单",
        organization="市青溪湖管理局机关第一支部",
        cycle="2026年度",
        groups=(ChecklistGroup(name="组织生活", lines=entries[:7]), ChecklistGroup(name="思想教育", lines=entries[7:])),
        provenance=PROVENANCE,
        post="党支部书记",
        holders=("高雨菲（2026-01-01起）",),
    )


def self_check(lines: int = 20) -> SelfCheckReport:
    """Return the self-check report of a unit."""
    return SelfCheckReport(
        title="市青溪湖管理局责任落实情况自查报告",
        unit="市青溪湖管理局",
        period="2026年1月至10月",
        lines=tuple(
            SelfCheckLine(
                item=f"L3-{n:02d}",
                title=TITLES[n % len(TITLES)],
                organization=f"市青溪湖管理局{BRANCHES[n % 4]}",
                post="党支部书记",
                frequency="每月1次",
                required=10,
                done=10 - n % 2,
                timeliness=("in_time", "made_up")[n % 2],
                statement="每月25日开展，共10次，平均到会30人。",
                points=Decimal(4),
                changed_after_signing=n % 6 == 1,
            )
            for n in range(1, lines + 1)
        ),
        provenance=PROVENANCE,
    )
