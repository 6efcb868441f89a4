"""Printed documents, read back: the layout of the norm, what stands on the pages, what is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pikepdf
import pytest

from tests.reporting import sample_reports
from tests.reporting.printed import MM, Page, Printed
from tracker.domain.errors import Invalid
from tracker.domain.report import Report, TeamMember
from tracker.reporting.compose import Composition, compose
from tracker.reporting.fonts import FontSet
from tracker.reporting.progress import RenderingFailed
from tracker.reporting.render import render_report
from tracker.reporting.typeset import typeset
from tracker.reporting.worker import Limits, render_in_process

A4 = (pytest.approx(595.28, abs=0.1), pytest.approx(841.89, abs=0.1))
HALF_A_POINT = 0.5


def text_lines(page: Page) -> list[tuple[float, float, str]]:
    """Lines in the type area of an upright page: left, top, text."""
    area = (37 * MM, page.height - 35 * MM)
    return [(line.left, line.top, line.text) for line in page.lines if area[0] < line.middle < area[1]]


def number_of(page: Page) -> tuple[float, float, float, float]:
    """Where the page number stands: left, top, right, bottom of the boxes that make up "— n —"."""
    top, left = (page.height - 35 * MM, 0.0) if not page.is_wide else (0.0, 0.0)
    boxes = [
        word
        for word in page.words
        if word.text in {"—", str(page.number)} and (word.top > top if not page.is_wide else word.right < 35 * MM)
    ]
    assert [word.text for word in boxes if word.text != "—"] == [str(page.number)]
    return (
        min(word.left for word in boxes),
        min(word.top for word in boxes) + left,
        max(word.right for word in boxes),
        max(word.bottom for word in boxes),
    )


# ---- the norm ----


def test_a_full_page_of_text_has_22_lines_of_28_characters(plain: Printed) -> None:
    pages = [text_lines(page) for page in plain.pages]
    full_page = next(lines for lines in pages if len(lines) == 22 and len(lines[0][2]) > 20)
    assert {len(text) for _, _, text in full_page} == {28}


def test_lines_stand_28_95_points_apart(plain: Printed) -> None:
    full_page = next(lines for lines in map(text_lines, plain.pages) if len(lines) == 22 and len(lines[0][2]) > 20)
    assert {round(below - above, 2) for (_, above, _), (_, below, _) in pairwise(full_page)} == {28.95}


def test_text_fills_the_type_area_of_156_by_225_millimetres(plain: Printed) -> None:
    page = next(page for page in plain.pages if [len(text) for _, _, text in text_lines(page)] == [28] * 22)
    assert (page.width, page.height) == A4
    lines = [line for line in page.lines if len(line.text) == 28]
    assert min(line.left for line in lines) == pytest.approx(28 * MM, abs=HALF_A_POINT)
    assert max(line.right for line in lines) == pytest.approx(page.width - 26 * MM, abs=HALF_A_POINT)
    assert lines[0].middle == pytest.approx(37 * MM + 28.95 / 2, abs=2)
    assert lines[-1].middle == pytest.approx(page.height - 35 * MM - 28.95 / 2, abs=2)


def test_page_numbers_stand_right_on_odd_and_left_on_even_pages_one_character_in(ordinary: Printed) -> None:
    for page in [page for page in ordinary.pages[1:] if not page.is_wide]:
        left, top, right, bottom = number_of(page)
        if page.number % 2:
            assert right == pytest.approx(page.width - 26 * MM - 14, abs=1)
        else:
            assert left == pytest.approx(28 * MM + 14, abs=1)
        assert (top + bottom) / 2 == pytest.approx(page.height - 35 * MM + 7 * MM, abs=2.5)


def test_on_a_landscape_page_the_number_stays_where_it_is_on_the_sheet(ordinary: Printed) -> None:
    wide = [page for page in ordinary.pages if page.is_wide]
    assert {page.number % 2 for page in wide} == {0, 1}
    for page in wide:
        left, top, right, bottom = number_of(page)
        assert (left + right) / 2 == pytest.approx(35 * MM - 7 * MM, abs=2.5)
        if page.number % 2:
            assert bottom == pytest.approx(page.height - 26 * MM - 14, abs=1)
        else:
            assert top == pytest.approx(28 * MM + 14, abs=1)


def test_the_cover_has_neither_number_nor_running_head(ordinary: Printed) -> None:
    cover = ordinary.pages[0]
    assert all(37 * MM < word.top < cover.height - 35 * MM for word in cover.words)


def test_every_other_page_names_the_unit_and_the_document(ordinary: Printed) -> None:
    for page in ordinary.pages[1:]:
        head = [word.text for word in page.words if word.bottom < (28 if page.is_wide else 37) * MM]
        assert head == ["市青溪湖管理局", "市青溪湖管理局思想政治工作责任落实情况督查报告"]


def test_nothing_leaves_the_type_area_however_long_the_names_are(full: Printed) -> None:
    for page in full.pages:
        right = page.width - (37 if page.is_wide else 26) * MM
        assert max(word.right for word in page.words) < right + 1
        assert min(word.left for word in page.body) > (35 if page.is_wide else 28) * MM - 1
        assert max(word.bottom for word in page.body) < page.height - (26 if page.is_wide else 35) * MM + 1


def test_a_heading_is_never_the_last_line_of_a_page(ordinary: Printed, full: Printed, plain: Printed) -> None:
    for page in [*ordinary.pages[2:], *full.pages[2:], *plain.pages[2:]]:
        last = max(page.body, key=lambda word: word.top)
        assert not re.match(r"[一二三四五六七八九]、|（[一二三四五六七八九]）", last.text)


# ---- the file ----


def test_every_font_is_embedded_as_a_subset(ordinary: Printed) -> None:
    assert ordinary.fonts
    assert {tuple(row[-5:-2]) for row in ordinary.fonts} == {("yes", "yes", "yes")}


def test_qpdf_finds_no_fault(full: Printed) -> None:
    assert "No syntax or stream encoding errors" in full.check()


def test_the_pdf_is_tagged_archival_and_dated_by_the_as_of_time(ordinary: Printed) -> None:
    assert ordinary.info["Tagged"] == "yes"
    assert ordinary.info["Title"] == "市青溪湖管理局思想政治工作责任落实情况督查报告"
    assert ordinary.info["CreationDate"] == ordinary.info["ModDate"]
    with pikepdf.open(ordinary.path) as pdf, pdf.open_metadata() as metadata:
        assert metadata.pdfa_status == "3A"
        assert pdf.Root.Lang == "zh-CN"
        assert str(pdf.docinfo["/CreationDate"]) == "D:20261120173005+08'00"


def test_bookmarks_follow_the_headings(ordinary: Printed) -> None:
    with pikepdf.open(ordinary.path) as pdf, pdf.open_outline() as outline:
        title = outline.root[0]
        assert [entry.title for entry in title.children] == [
            "一、检查基本情况",
            "二、检查结果汇总",
            "三、总体评价",
            "四、责任清单核查表",
            "五、佐证目录",
            "六、问题清单和整改要求",
            "七、签字页",
            "八、核验说明",
        ]
        assert title.children[1].children[0].title == "（一）按层级"


def test_the_same_values_give_the_same_bytes_in_this_process_and_in_another(
    ordinary: Printed, fonts: FontSet, templates: Path
) -> None:
    seen: list[tuple[int, int]] = []
    pdf = render_in_process(
        sample_reports.inspection(),
        translate=str,
        fonts=fonts,
        templates=templates,
        progress=lambda percent, pages: seen.append((percent, pages)),
    )
    assert pdf == ordinary.path.read_bytes()
    assert [percent for percent, _ in seen] == sorted(percent for percent, _ in seen)
    assert max(pages for _, pages in seen) == len(ordinary.pages)


# ---- what it says ----


def test_the_contents_give_the_page_of_every_part(ordinary: Printed) -> None:
    entries = re.findall(r"^\s*(\S*[、）]\S+?) ?(?:\. ?)+ *(\d+)$", ordinary.text, re.M)
    assert len(entries) == 12
    for name, number in entries:
        assert ordinary.page_with(name).number == int(number)


def test_the_verification_page_says_where_the_figures_come_from(ordinary: Printed) -> None:
    last = "".join(ordinary.pages[-1].text.split())
    assert "2026年11月20日17:30:05（北京时间）" in last
    assert "代号sanji-sigang，版本2026.1" in last
    assert sample_reports.PROVENANCE.checklist_digest in last
    assert "第18234条" in last
    assert sample_reports.digest("log") in last
    assert re.search(r"软件版本 +0\.1\.0\n", ordinary.text)
    assert re.search(rf"总页数 +{len(ordinary.pages)}\n", ordinary.text)
    assert "NotoSansCJKSC" in last
    assert "不是任何城市印发的正式清单" in last


def test_the_signature_page_says_that_records_are_no_electronic_signature(ordinary: Printed) -> None:
    page = "".join(ordinary.page_with("七、签字页").text.split())
    assert "不是法律意义上的电子签名" in page
    assert "年月日" in page


def test_a_status_is_a_sign_and_a_word(ordinary: Printed) -> None:
    verdicts = ("√落实", "△部分落实", "×未落实", "—不适用")
    for status in (*verdicts, "●按期", "◎逾期录入", "○逾期补办", "×未办理", "●已确认", "※签后改动"):
        assert status in ordinary.squeezed


def test_the_numbers_of_the_chart_stand_beside_its_bars(ordinary: Printed) -> None:
    assert "政治引领与理论武装14/3/0/0" in "".join(ordinary.text.split())


def test_both_points_and_the_reason_are_printed_where_an_inspector_overruled(ordinary: Printed) -> None:
    assert "由4.0分改为2.5分：会议记录齐全" in ordinary.squeezed


def test_every_file_is_printed_with_its_whole_digest(ordinary: Printed) -> None:
    for entry in sample_reports.inspection().evidence:
        for file in entry.files:
            assert file.sha256 in ordinary.squeezed


def test_withdrawn_and_sealed_evidence_stays_on_the_list(full: Printed) -> None:
    assert "×已撤回" in full.squeezed
    assert "（内容已按规定封存）" in full.squeezed
    assert "已封存，文件内容已销毁，仅存校验值" in full.squeezed


def test_rare_characters_of_names_print(full: Printed) -> None:
    assert "欧阳㛃䶮𬍡" in full.text


def test_letterhead_mark_and_number_are_printed_only_where_they_were_set(full: Printed, ordinary: Printed) -> None:
    for text in ("内部资料", "市直机关文件", "市直督〔2026〕7号"):
        assert text in full.pages[0].text
        assert text not in ordinary.text


def test_the_head_of_a_long_table_repeats_on_every_page(ordinary: Printed) -> None:
    wide = [page for page in ordinary.pages if page.is_wide]
    heads = [("应做" in page.text, "佐证编号" in page.text) for page in wide]
    assert heads[0] == (True, False)
    assert heads[-1] == (False, True)
    assert all(items != evidence for items, evidence in heads)


def test_a_check_without_findings_rows_or_evidence_still_prints(print_report: Callable[..., Printed]) -> None:
    printed = print_report(sample_reports.empty(), "empty")
    for sentence in ("未发现需要整改的问题", "没有佐证", "没有事项", "没有核查任务", "没有可计分的结论"):
        assert sentence in printed.squeezed


def test_the_checklist_of_a_post_gives_reasons_for_local_decisions(print_report: Callable[..., Printed]) -> None:
    printed = print_report(sample_reports.post_checklist(), "checklist")
    assert "×停用" in printed.squeezed
    assert "本支部不设党小组，此项停用。（机关党委，2026年1月9日决定）" in printed.squeezed
    assert printed.pages[0].is_wide


def test_the_self_check_leaves_the_score_to_the_pen(print_report: Callable[..., Printed]) -> None:
    printed = print_report(sample_reports.self_check(), "selfcheck")
    assert "自评得" in printed.squeezed
    assert re.search(r"填报人签名： +单位负责人签名： +日期：", printed.text)
    assert printed.squeezed.count("每月25日开展，共10次，平均到会30人。") == 20


def in_plain_letters(value: Any, name: str = "") -> Any:
    """Return a copy of a report with every Chinese text replaced by letters, so that only fixed words stay Chinese."""
    if isinstance(value, str):
        return value if value.isascii() else "data"
    if isinstance(value, tuple):
        return tuple(in_plain_letters(part) for part in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: in_plain_letters(getattr(value, f.name)) for f in fields(value)})
    return value


@pytest.mark.parametrize("make", [sample_reports.full, sample_reports.post_checklist, sample_reports.self_check])
def test_every_fixed_word_passes_through_the_translation(
    make: Callable[[], Report], fonts: FontSet, templates: Path
) -> None:
    composed = compose(
        in_plain_letters(make()), translate=lambda _: "word", fonts=fonts, templates=templates, language="en"
    )
    assert re.findall(r"[\u4e00-\u9fff]+", composed.html) == []
    assert '<html lang="en">' in composed.html


# ---- what is refused ----

HOSTILE = "</title></style><script>alert(1)</script><img src=\"file:///etc/hostname\">{{ 7*7 }} & <b>'粗'</b>"


def test_markup_in_values_is_printed_as_text(print_report: Callable[..., Printed]) -> None:
    report = sample_reports.inspection(rows=1, entries=1, findings=1)
    cover = replace(report.cover, title=HOSTILE, units=(HOSTILE,), issuer=HOSTILE)
    found = replace(report.findings[0], problem=HOSTILE, items=(HOSTILE, HOSTILE))
    entry = replace(report.evidence[0], sentence=HOSTILE, items=(HOSTILE, HOSTILE))
    printed = print_report(replace(report, cover=cover, findings=(found,), evidence=(entry,)), "hostile")
    assert printed.info["Title"] == HOSTILE
    assert printed.squeezed.count("".join(HOSTILE.split())) >= 6
    assert "&amp;" not in printed.squeezed
    assert "&lt;" not in printed.squeezed


@pytest.mark.parametrize(
    "markup",
    [
        '<img src="file:///etc/hostname">',
        '<img src="http://127.0.0.1:9/x.png">',
        '<link rel="stylesheet" href="https://127.0.0.1:9/x.css">',
        '<link rel="attachment" href="file:///etc/hostname">',
        '<p style="background: url(ftp://127.0.0.1/x)">x</p>',
        '<img src="data:image/svg+xml,%3Csvg/%3E">',
        '<object data="file:///etc/hostname"></object>',
    ],
)
def test_nothing_is_ever_fetched(markup: str, fonts: FontSet) -> None:
    page = f"<!DOCTYPE html><html lang=zh-CN><head><title>x</title></head><body>{markup}</body></html>"
    with pytest.raises(RenderingFailed, match="may not fetch"):
        typeset(Composition(page, ""), config_file=fonts.config_file)


def test_any_warning_of_the_typesetter_is_an_error(fonts: FontSet) -> None:
    page = "<!DOCTYPE html><html lang=zh-CN><head><title>x</title></head><body><p>x</p></body></html>"
    with pytest.raises(RenderingFailed, match="colour"):
        typeset(Composition(page, "p { colour: red }"), config_file=fonts.config_file)


@pytest.mark.parametrize(
    ("character", "code"), [("\U000e0fff", "U+E0FFF"), ("\ue123", "U+E123"), ("\x00", "U+0000"), ("\u202e", "U+202E")]
)
def test_a_character_that_no_font_has_is_named_with_its_field_and_record(
    character: str, code: str, fonts: FontSet, templates: Path
) -> None:
    report = sample_reports.inspection()
    team = (*report.facts.team, TeamMember(name="周禾", role="组员", organization=f"市{character}局"))
    broken = replace(report, facts=replace(report.facts, team=team))
    with pytest.raises(Invalid) as refusal:
        render_report(broken, translate=str, fonts=fonts, templates=templates)
    assert refusal.value.values["record"] == "周禾"
    assert refusal.value.values["label"] == "所在单位"
    assert refusal.value.values["code"] == code


def test_a_long_report_prints_within_the_limits_of_the_child(fonts: FontSet, templates: Path, tmp_path: Path) -> None:
    report = sample_reports.inspection(rows=90, entries=30)
    pdf = render_in_process(report, translate=str, fonts=fonts, templates=templates)
    (tmp_path / "long.pdf").write_bytes(pdf)
    printed = Printed(tmp_path / "long.pdf")
    assert printed.squeezed.count("2026-Q0030") == 1
    assert "L3-01" in next(page for page in printed.pages if page.is_wide).text


@pytest.mark.parametrize("limits", [Limits(memory=80_000_000), Limits(wall=0)])
def test_a_rendering_that_runs_into_a_limit_fails_and_leaves_nothing(
    limits: Limits, fonts: FontSet, templates: Path
) -> None:
    with pytest.raises(RenderingFailed, match="the process that prints ended"):
        render_in_process(sample_reports.self_check(), translate=str, fonts=fonts, templates=templates, limits=limits)
