"""Invented parts of a packet for the tests of printing: an ordinary one of each kind, and the full and the bare."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from tests.reporting import sample_reports
from tests.reporting.sample_reports import AS_OF, BRANCHES, PROVENANCE, TITLES, digest
from tracker.domain.packet import PacketKind
from tracker.domain.packet_parts import (
    ContentsLine,
    CountLine,
    EvidencePart,
    FileLine,
    FrontPart,
    NotShownFiles,
    PartValues,
    QuarterPart,
    Rectification,
    RectificationLine,
    RectificationPart,
    ReportPart,
    ServedDuty,
    SignOffLine,
    StatisticsPart,
    VerificationPart,
)


def contents(lines: int) -> tuple[ContentsLine, ...]:
    """Return so many lines of contents, of all depths, some with titles much too long for a line."""
    return tuple(
        ContentsLine(
            title=f"{n + 1}.{TITLES[n % 10]}" + "的情况和有关说明材料" * (3 * (n % 7 == 3)),
            depth=n % 3 + 1,
            page=2 * n + 3,
            anchor=f"part-{n + 1}",
        )
        for n in range(lines)
    )


def front(lines: int = 30, volumes: int = 2) -> FrontPart:
    """Return cover and contents."""
    return FrontPart(
        title="市青溪湖管理局责任落实情况督查",
        number="TRK-2026-001-QXH",
        units=("市青溪湖管理局",),
        period="2026年1月至10月",
        issuer="市直机关督查组",
        as_of=AS_OF,
        inspection="2026-001",
        volume=volumes,
        volumes=volumes,
        contents=contents(lines),
        kind="督查卷",
    )


def unit_report(number: int = 0, *, heading: str = "市青溪湖管理局") -> ReportPart:
    """Return the report of a unit as a book holds it, about six pages; each number has another name."""
    report = sample_reports.inspection(rows=18, entries=6, findings=2)
    name = f"{heading}{number}" if number else heading
    cover = replace(report.cover, units=(name,))
    return ReportPart(report=replace(report, cover=cover), heading=name)


def served_duty(number: int) -> ServedDuty:
    """Return the duty of that number that a record serves."""
    return ServedDuty(
        key=f"D-2026-{number:05d}",
        item=f"L3-{number % 28 + 1:02d}",
        title=TITLES[number % 10],
        organization=f"市青溪湖管理局{BRANCHES[number % 4]}",
        post="党支部书记",
        period="2026年3月",
        due_on=date(2026, 3, 31),
        timeliness=("in_time", "recorded_late", "made_up")[number % 3],
        state=("confirmed", "submitted")[number % 2],
        changed_after_signing=number % 2 == 1,
        verdict=("met", "partly", "")[number % 3],
    )


def evidence(number: int = 4) -> EvidencePart:
    """Return the page of a record with two duties, three files and two sign-offs."""
    files = (("主题党日记录.pdf", 3, 3, ""), ("现场照片.jpg", 1, 1, ""), ("签到表.docx", 0, 0, "这种文件不逐页显示。"))
    return EvidencePart(
        entry=sample_reports.evidence_entry(number),
        counts=(CountLine(name="应到人数", number=32), CountLine(name="实到人数", number=30)),
        duties=(served_duty(1), served_duty(2)),
        sign_offs=(
            SignOffLine(
                duty="D-2026-00001",
                action="提交",
                person="高雨菲",
                post="党支部书记",
                at=AS_OF - timedelta(days=200),
                digest=digest("one"),
            ),
            SignOffLine(
                duty="D-2026-00001",
                action="退回",
                person="马喆",
                post="机关党委书记",
                at=AS_OF - timedelta(days=199),
                digest=digest("two"),
                reason="没有写明讨论情况，请补充后重新提交。",
            ),
        ),
        files=tuple(
            FileLine(
                name=name,
                size=48_213 * (n + 1),
                sha256=digest(f"{name}{number}"),
                attached_as=f"E{number:04d}-{n + 1}.{name.rpartition('.')[2]}",
                pages=pages,
                shown_pages=shown,
                why=why,
            )
            for n, (name, pages, shown, why) in enumerate(files)
        ),
    )


def bare_evidence() -> EvidencePart:
    """Return the page of a sealed and withdrawn record that serves nothing and lost its file."""
    lost = FileLine(
        name=f"IMG_{'20260315' * 14}.jpg",
        size=12_345_678_901,
        sha256=digest("lost"),
        attached_as="",
        pages=0,
        shown_pages=0,
        why="系统的文件存储中找不到这个文件，没有附上。",
    )
    entry = replace(sample_reports.evidence_entry(6), sealed=True, withdrawn=True)
    return EvidencePart(entry=entry, counts=(), duties=(), sign_offs=(), files=(lost,))


def statistics(units: int = 60) -> StatisticsPart:
    """Return the figures of so many units."""
    return StatisticsPart(
        title="全市统计",
        by_unit=tuple(
            replace(sample_reports.summary(("市局",))[0], name=f"市青溪湖第{n + 1}管理处") for n in range(units)
        ),
        by_level=sample_reports.inspection().by_level,
        by_dimension=sample_reports.inspection().by_dimension,
        formula=sample_reports.inspection().formula,
    )


def rectifications(count: int = 3) -> RectificationPart:
    """Return so many findings with their steps."""
    steps = ("要求整改", "提交整改", "退回", "提交整改", "复核销号")
    return RectificationPart(
        rectifications=tuple(
            Rectification(
                number=found.number,
                problem=found.problem,
                organization=found.organization,
                post=found.post,
                demand=found.measure,
                deadline=found.deadline,
                state="已销号",
                lines=tuple(
                    RectificationLine(
                        at=AS_OF + timedelta(days=3 * n),
                        action=step,
                        person="机关第二支部党支部书记高雨菲",
                        text="已补充两次主题党日的内容和意见，并在支部党员大会上说明。",
                        deadline=date(2026, 12, 15) if n == 0 else None,
                        evidence="2026-Q0031" if n == 1 else "",
                    )
                    for n, step in enumerate(steps)
                ),
            )
            for found in map(sample_reports.finding, range(1, count + 1))
        )
    )


def verification(signer: str = "市直机关督查组") -> VerificationPart:
    """Return the page of verification of a signed packet; with an empty signer of one that is not."""
    return VerificationPart(
        number="TRK-2026-001-QXH",
        provenance=PROVENANCE,
        records=42,
        files=77,
        handed_in=80,
        not_shown=(
            NotShownFiles(why="这种文件不逐页显示。", files=("2026-Q0004 文件3", "2026-Q0005 文件1")),
            NotShownFiles(why="文件内容损坏，无法显示。", files=("2026-Q0006 文件1",)),
        )
        if signer
        else (),
        signer=signer,
        fingerprint=digest("certificate") if signer else "",
        timestamped=bool(signer),
        sm3=bool(signer),
    )


def every_kind() -> dict[str, PartValues]:
    """Return parts of every kind by name."""
    report = sample_reports.inspection()
    return {
        "front": front(),
        "report": ReportPart(report=report),
        "unit": unit_report(),
        "full": ReportPart(report=sample_reports.full(), heading="市青溪湖流域综合治理与生态环境保护工作领导小组"),
        "quarter": QuarterPart(report=sample_reports.self_check()),
        "statistics": statistics(),
        "rectification": rectifications(),
        "evidence": evidence(),
        "bare": bare_evidence(),
        "verification": verification(),
        "unsigned": verification(signer=""),
        "volumes": replace(verification(), in_volumes=True),
        "book": replace(verification(signer=""), kind=PacketKind.BOOK, records=0, files=0, handed_in=0),
    }
