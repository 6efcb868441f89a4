"""The page on performance, in each language, made from the JSON of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracker.cli.bench.table import Row


@dataclass(frozen=True)
class Language:
    """The sentences of a page."""

    file: str
    title: str
    about: str
    machine: str
    scale: str
    head: str
    met: str
    missed: str
    growth: str
    again: str
    words: Mapping[str, str]


_AGAIN = """```
tracker bench run --json > run.json
tracker bench run --against run.json
tracker bench page run.json growth.json
```"""
_WORDS = {
    "my duties": "我的任务页",
    "duty page": "任务页",
    "unit board": "单位看板",
    "city board": "全市看板",
    "sign-off queue": "待确认队列",
    "desk queue": "督查核查队列",
    "its template alone": "只渲染同一模板",
    "tick with evidence": "带佐证打勾",
    "confirm many duties in one step": "一次确认多项任务",
    "raw SQL": "直接执行 SQL",
    "open a year": "开启年度",
    "executemany of its duty rows": "只插入任务行",
    "memory at the end of opening": "开启年度结束时的内存",
    "at a third of it": "进行到三分之一时",
    "take files in": "接收文件",
    "read, SHA-256, write, fsync": "读取、SHA-256、写入、落盘",
    "memory that taking files in adds": "接收文件增加的内存",
    "64 MB": "64 MB",
    "verify stored files": "核验已存文件",
    "sha256sum": "sha256sum",
    "check the log": "核验日志",
    "a bare loop of SHA-256": "单纯循环计算 SHA-256",
    "take a year along as .xlsx": "导出一年任务（.xlsx）",
    "take a year along as .csv": "导出一年任务（.csv）",
    "XlsxWriter on ready rows": "XlsxWriter 写现成的行",
    "memory at the end of taking along": "导出结束时的内存",
    "early in it": "导出初期",
    "p95": "第 95 百分位",
    "of a tenth of a city year": "十分之一城市一年",
    "of a city": "一个城市",
}

LANGUAGES = (
    Language(
        file="performance.md",
        title="How fast it is",
        about=(
            "Every page and every act is measured against a floor in the same run on the same machine: the least that "
            "anything could do for the same result. What counts are the ratios; the times are those of this machine. "
            "A ratio with ≥ says how near we are to the floor (1 is as fast), one with ≤ how much something grows. "
            "This page is written by `tracker bench page`; do not edit it."
        ),
        machine="Measured on {date}: {processor}, {cores} cores, {memory_gb} GB, {system}, Python {python}, "
        "SQLite {sqlite}; load {load} at the start.",
        scale="Scale: {scale}, {years} year(s).",
        head="| what : floor | ours | floor | unit | p95 ours : floor (ms) | ratio | demand | met |",
        met="yes",
        missed="**no**",
        growth=(
            "Rows of p95 compare the same page on a large and on a small ground. A tenth of a city has ten units, a "
            "city a hundred, and the city board shows every one of them, so it cannot stay the same there; that of a "
            "province shows a hundred to the page."
        ),
        again="To measure again, compare, and write this page:",
        words={},
    ),
    Language(
        file="performance.zh-CN.md",
        title="运行速度",
        about=(
            "每个页面、每项操作都与同一次运行、同一台机器上测得的下限相比；下限是得到同样结果至少要做的工作。"
            "看比值，不看绝对时间；时间只对这台机器有效。带 ≥ 的比值表示与下限的接近程度（1 为一样快），"
            "带 ≤ 的表示增长的倍数。本页由 `tracker bench page` 生成，请勿手工修改。"
        ),
        machine="测量时间 {date}：{processor}，{cores} 核，{memory_gb} GB 内存，{system}，Python {python}，"
        "SQLite {sqlite}；开始时负载 {load}。",
        scale="规模：{scale}，{years} 年。",
        head="| 项目：下限 | 本系统 | 下限 | 单位 | 第 95 百分位，本系统：下限（毫秒） | 比值 | 要求 | 达到 |",
        met="是",
        missed="**否**",
        growth=(
            "第 95 百分位各行是同一页面在大小两套数据上的比较。十分之一城市有 10 个单位，一个城市有 100 个，"
            "全市看板列出全部单位，因此不可能一样快；全省看板每页列 100 个单位。"
        ),
        again="重新测量、比较并生成本页：",
        words=_WORDS,
    ),
)


Measured = tuple[Mapping[str, Any], Sequence[Row]]  # the machine and the rows of one run


def write_pages(folder: Path, runs: Sequence[Measured]) -> None:
    """Write the page of each language, with a table for each run."""
    folder.mkdir(parents=True, exist_ok=True)
    for language in LANGUAGES:
        (folder / language.file).write_text("\n".join(_lines(language, runs)) + "\n", "utf-8")


def _lines(language: Language, runs: Sequence[Measured]) -> Iterator[str]:
    yield f"# {language.title}\n"
    yield f"{language.about}\n"
    for told, rows in runs:
        yield f"{language.machine.format(**told)} {language.scale.format(**told)}\n"
        yield language.head
        yield "|---|---:|---:|---|---:|---:|---:|---|"
        for row in rows:
            yield _line(language, row)
        yield ""
    if any(", p95" in row.name for _, rows in runs for row in rows):
        yield f"{language.growth}\n"
    yield f"{language.again}\n"
    yield _AGAIN


def _line(language: Language, row: Row) -> str:
    sign, verdict = "≤" if row.at_most else "≥", language.met if row.met else language.missed
    p95 = f"{row.p95:.1f} : {row.floor_p95:.1f}" if row.p95 is not None and row.floor_p95 is not None else "–"
    cells = (
        _named(language, row.name),
        f"{row.value:.2f}",
        f"{row.floor:.2f}",
        row.unit,
        p95,
        f"{row.ratio:.2f}",
        f"{sign} {row.demand}",
        verdict,
    )
    return f"| {' | '.join(cells)} |"


def _named(language: Language, name: str) -> str:
    """The name of a row, its parts in words of the language."""
    if not language.words:
        return name
    return "：".join("，".join(language.words.get(word, word) for word in _parts(side)) for side in name.split(" : "))


def _parts(side: str) -> list[str]:
    page, comma, p95 = side.partition(", p95")
    return [page, "p95"] if comma and not p95 else [side]
