"""The parts of a packet, read back: inside the type area, without heads of their own, and with what they must say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import pikepdf
import pytest

from tests.reporting import sample_parts, sample_reports
from tests.reporting.conftest import TEMPLATES
from tests.reporting.printed import MM, Printed
from tests.reporting.sample_reports import AS_OF
from tests.reporting.test_render import HOSTILE, in_plain_letters
from tracker.config import CHECKOUT
from tracker.domain.packet_parts import PartValues, ReportPart
from tracker.domain.report import Counts, SummaryLine
from tracker.reporting.compose import Composer
from tracker.reporting.fonts import FontSet
from tracker.reporting.press import Press
from tracker.reporting.sections import Section

KINDS = sorted(sample_parts.every_kind())


@pytest.fixture(scope="module")
def press(fonts: FontSet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Press]:
    """A press with one child."""
    with Press(
        fonts=fonts,
        templates=TEMPLATES,
        translations=CHECKOUT / "tracker" / "translations",
        cache=tmp_path_factory.mktemp("cache"),
        workers=1,
    ) as made:
        yield made


def read(press: Press, part: PartValues) -> Printed:
    (made,) = press.print([Section(part)])
    return Printed(made.path)


@pytest.fixture(scope="module")
def parts(press: Press) -> dict[str, Printed]:
    """Every kind of part, printed."""
    kinds = sample_parts.every_kind()
    made = press.print([Section(part) for part in kinds.values()])
    return dict(zip(kinds, [Printed(one.path) for one in made], strict=True))


# ---- every part ----


@pytest.mark.parametrize("kind", KINDS)
def test_all_content_stands_in_the_type_area(kind: str, parts: dict[str, Printed]) -> None:
    for page in parts[kind].pages:
        left, right, top, bottom = (35, 37, 28, 26) if page.is_wide else (28, 26, 37, 35)
        assert min(word.left for word in page.words) > left * MM - 1
        assert max(word.right for word in page.words) < page.width - right * MM + 1
        assert min(word.top for word in page.words) > top * MM - 4
        assert max(word.bottom for word in page.words) < page.height - bottom * MM + 1


@pytest.mark.parametrize("kind", KINDS)
def test_every_part_is_tagged_archival_embedded_and_without_a_date(kind: str, parts: dict[str, Printed]) -> None:
    printed = parts[kind]
    assert printed.info["Tagged"] == "yes"
    assert "CreationDate" not in printed.info
    assert {tuple(row[-5:-2]) for row in printed.fonts} == {("yes", "yes", "yes")}
    assert "No syntax or stream encoding errors" in printed.check()
    with pikepdf.open(printed.path) as pdf, pdf.open_metadata() as metadata:
        assert metadata.pdfa_status == "3A"


@pytest.mark.parametrize("kind", KINDS)
def test_every_fixed_word_of_a_part_passes_through_the_translation(kind: str, fonts: FontSet) -> None:
    composer = Composer(translate=lambda _: "word", fonts=fonts, templates=TEMPLATES, language="en")
    composed = composer.part(in_plain_letters(sample_parts.every_kind()[kind]))
    assert re.findall(r"[\u4e00-\u9fff]+", composed.html) == []


def test_markup_in_values_is_printed_as_text(press: Press) -> None:
    part = sample_parts.evidence()
    entry = replace(part.entry, sentence=HOSTILE, number=HOSTILE)
    files = (replace(part.files[0], name=HOSTILE, why=HOSTILE),)
    printed = read(press, replace(part, entry=entry, files=files))
    assert printed.squeezed.count("".join(HOSTILE.split())) == 4


# ---- the front ----


def links(printed: Printed) -> list[tuple[int, str]]:
    with pikepdf.open(printed.path) as pdf:
        return [
            (number, str(note.A.URI))
            for number, page in enumerate(pdf.pages, 1)
            for note in page.get("/Annots", [])
            if note.Subtype == "/Link"
        ]


def test_every_line_of_the_contents_is_one_link_to_its_part(press: Press) -> None:
    printed = read(press, sample_parts.front(60))
    assert [address for _, address in links(printed)] == [f"https://packet.invalid/#part-{n + 1}" for n in range(60)]


def test_the_contents_give_the_pages_that_they_were_told_at_the_right_edge(press: Press) -> None:
    printed = read(press, sample_parts.front(700))
    found = [
        max(line_words, key=lambda word: word.right)
        for page in printed.pages[1:]
        for line_words in rows(page.words)
        if any(word.text.endswith(".") for word in line_words)
    ]
    assert [int(word.text) for word in found] == [2 * n + 3 for n in range(700)]
    assert {round(word.right) for word in found} == {round(printed.pages[1].width - 26 * MM)}
    assert "…" in printed.text


def rows(words: tuple) -> list[list]:
    """Words that stand on one line."""
    lines: list[list] = []
    for word in sorted(words, key=lambda word: word.middle):
        if lines and word.middle - lines[-1][0].middle < 6:
            lines[-1].append(word)
        else:
            lines.append([word])
    return lines


def test_the_cover_names_the_packet_and_its_volumes(press: Press, parts: dict[str, Printed]) -> None:
    cover = parts["front"].pages[0].text
    assert cover.startswith("市青溪湖管理局责任落实情况督查\n督查卷\n")
    assert "TRK-2026-001-QXH\n第2册（共2册）" in cover
    assert "数据截至2026年11月20日17:30:05（北京时间）" in cover
    alone = read(press, sample_parts.front(0, volumes=1))
    assert "册" not in alone.squeezed
    assert len(alone.pages) == 1


def test_the_contents_name_the_volume_of_what_lies_in_another(press: Press) -> None:
    lines = tuple(replace(line, volume=3 * (n > 1)) for n, line in enumerate(sample_parts.contents(3)))
    text = read(press, replace(sample_parts.front(0), volume=1, contents=lines)).squeezed
    assert text.count("第3册") == 1
    assert "第3册7" in text


# ---- reports ----


def outline(printed: Printed) -> list[tuple[str, list[str]]]:
    with pikepdf.open(printed.path) as pdf, pdf.open_outline() as tree:
        return [(entry.title, [child.title for child in entry.children]) for entry in tree.root]


SECTIONS = ["检查基本情况", "检查结果汇总", "总体评价", "责任清单核查表", "佐证目录", "问题清单和整改要求", "签字页"]
NUMBERED = [f"{numeral}、{title}" for numeral, title in zip("一二三四五六七", SECTIONS, strict=True)]


def test_the_report_of_a_check_has_its_sections_as_bookmarks_and_no_cover(parts: dict[str, Printed]) -> None:
    assert [title for title, _ in outline(parts["report"])] == NUMBERED
    assert "一、检查基本情况" in parts["report"].pages[0].text
    assert "核验说明" not in parts["report"].squeezed


def test_in_a_book_the_unit_stands_above_its_sections(parts: dict[str, Printed]) -> None:
    assert outline(parts["unit"]) == [("市青溪湖管理局", NUMBERED)]
    first = parts["unit"].pages[0].text
    assert first.index("市青溪湖管理局") < first.index("一、检查基本情况")


def test_a_part_says_what_the_report_says(parts: dict[str, Printed], ordinary: Printed) -> None:
    """Page by page, without heads and numbers, the part equals the report between contents and verification."""
    alone = [sorted(word.text for word in page.body) for page in ordinary.pages[2:-1]]
    bound = [sorted(word.text for word in page.body) for page in parts["report"].pages]
    assert bound == alone


def test_a_check_that_is_not_closed_never_reads_like_a_finished_one(press: Press) -> None:
    finished = sample_reports.empty()
    facts = replace(finished.facts, open_as_of=AS_OF, judged=22, sampled=65)
    text = read(press, ReportPart(report=replace(finished, facts=facts))).squeezed
    said = "截至2026年11月20日17:30:05（北京时间），督查尚未结束，已核查22/65项。"
    assert text.count(said) == 3
    assert f"{said}尚未登记问题。" in text
    assert "未发现需要整改的问题" not in text
    cover = read(press, replace(sample_parts.front(), is_open=True, judged=22, sampled=65)).pages[0].text
    assert said in "".join(cover.split())


def test_a_check_with_shortfalls_and_no_finding_does_not_say_that_nothing_was_found(press: Press) -> None:
    line = SummaryLine(name="党支部", counts=Counts(met=4, missing=1))
    text = read(press, ReportPart(report=replace(sample_reports.empty(), by_level=(line,)))).squeezed
    assert "本次检查未登记需要整改的问题。" in text
    assert "未发现需要整改的问题" not in text


def test_a_bare_report_prints(press: Press) -> None:
    assert "未发现需要整改的问题" in read(press, ReportPart(report=sample_reports.empty())).squeezed


def test_the_quarter_leaves_nothing_to_the_pen(parts: dict[str, Printed]) -> None:
    assert "自评得分" not in parts["quarter"].squeezed
    assert "签名" not in parts["quarter"].squeezed
    assert parts["quarter"].squeezed.count("每月25日开展，共10次，平均到会30人。") == 20
    assert all(page.is_wide for page in parts["quarter"].pages)


def test_the_statistics_have_a_line_for_each_unit(parts: dict[str, Printed]) -> None:
    for number in range(1, 61):
        assert f"市青溪湖第{number}管理处" in parts["statistics"].squeezed
    assert outline(parts["statistics"]) == [("全市统计", ["（一）按单位", "（二）按层级", "（三）按维度"])]


def test_a_rectification_shows_every_step(parts: dict[str, Printed]) -> None:
    text = parts["rectification"].squeezed
    for word in ("要求整改", "退回", "复核销号", "佐证：2026-Q0031", "期限：2026-12-15", "2026-12-0217:30"):
        assert word in text
    assert [title for title, _ in outline(parts["rectification"])] == ["整改情况"]


# ---- evidence ----


def test_a_record_says_when_it_was_done_and_when_it_was_recorded(parts: dict[str, Printed]) -> None:
    text = parts["evidence"].text
    assert re.search(r"履行日期（做事） +2026-01-09", text)
    assert re.search(r"录入时间（记入系统） +2026-05-08 14:30", text)


def test_a_record_shows_duties_files_and_sign_offs(parts: dict[str, Printed]) -> None:
    part, text = sample_parts.evidence(), parts["evidence"].squeezed
    for file in part.files:
        assert file.sha256 in text
        assert f"卷内：{file.attached_as}" in text
    for words in (
        "全部3页",
        "不显示",
        "这种文件不逐页显示。",
        "●已确认",
        "※签后改动",
        "△部分落实",
        "未核查",
        "实到人数：30",
    ):
        assert words in text
    for line in part.sign_offs:
        assert line.digest[:16] in text
        assert line.digest[:17] not in text
    assert "理由：没有写明讨论情况，请补充后重新提交。" in text
    assert outline(parts["evidence"]) == []


def test_an_ordinary_record_has_one_page(parts: dict[str, Printed]) -> None:
    assert len(parts["evidence"].pages) == 1


def test_a_record_of_a_quarter_has_no_verdicts_and_tells_whose_sign_offs_are_not_there(press: Press) -> None:
    part = replace(sample_parts.evidence(), of_check=False, serves_others=True)
    text = read(press, part).squeezed
    assert "核查结论" not in text
    assert "不属于本季度的任务，签认不在本卷。" in text
    assert "未抽查任务的签认不在本卷。" in read(press, replace(part, of_check=True)).squeezed


def test_the_same_file_twice_says_where_it_came_first(press: Press) -> None:
    part = sample_parts.evidence()
    again = replace(part.files[1], same_as="佐证 2026-Q0001 文件2")
    assert "与佐证2026-Q0001文件2内容相同" in read(press, replace(part, files=(again,))).squeezed


def test_a_sealed_and_withdrawn_record_keeps_its_page_but_not_its_words(parts: dict[str, Printed]) -> None:
    text = parts["bare"].squeezed
    assert "（内容已按规定封存）" in text
    assert "×已撤回" in text
    assert sample_parts.bare_evidence().entry.sentence not in text
    assert "卷内没有这个文件" in text
    assert "系统的文件存储中找不到这个文件" in text


# ---- verification ----


def test_the_verification_gives_the_commands_letter_by_letter(parts: dict[str, Printed]) -> None:
    for command in ("pdfdetach -saveall FILE.pdf", "sha256sum -c SHA256SUMS", "python3 -I verify_packet.py FILE.pdf"):
        assert command in parts["verification"].text
        assert command in parts["unsigned"].text


def test_the_verification_says_by_whom_it_is_signed_or_what_it_means_that_it_is_not(parts: dict[str, Printed]) -> None:
    signed, unsigned = parts["verification"].squeezed, parts["unsigned"].squeezed
    assert "本卷由“市直机关督查组”用数字证书签名" in signed
    assert "带有时间戳" in signed
    assert "SM3SUMS" in signed
    assert "pdfsigFILE.pdf" in signed
    assert sample_reports.digest("certificate") in signed
    assert "本卷没有电子签名" in unsigned
    assert "不能防止有意伪造" in unsigned
    assert "SM3" not in unsigned
    assert "pdfsig" not in unsigned


def test_the_verification_lists_what_is_not_shown_and_where_the_figures_come_from(parts: dict[str, Printed]) -> None:
    text = parts["verification"].squeezed
    assert "1.这种文件不逐页显示。共2个：2026-Q0004文件3、2026-Q0005文件1。" in text
    assert "2.文件内容损坏，无法显示。共1个：2026-Q0006文件1。" in text
    assert "登记的佐证文件80个，附有77个：内容相同的只附一份" in text
    assert sample_reports.PROVENANCE.checklist_digest in text
    assert sample_reports.digest("log") in text
    assert "总页数" not in text
    assert "全部文件都已显示" in parts["unsigned"].squeezed


def test_each_volume_is_taken_out_into_a_folder_of_its_own_and_all_are_checked_at_once(
    parts: dict[str, Printed],
) -> None:
    text = parts["volumes"].text
    for command in (
        "mkdir 1",
        "pdfdetach -saveall -o 1 FILE-1.pdf",
        "(cd 1 && sha256sum -c SHA256SUMS)",
        "python3 -I verify_packet.py FILE-1.pdf FILE-2.pdf …",
    ):
        assert command in text


def test_a_book_does_not_claim_evidence_or_logs_but_names_the_packets_that_have_them(
    parts: dict[str, Printed],
) -> None:
    text = parts["book"].squeezed
    assert "这是汇编" in text
    assert "卷号与本卷相同，只是“_book”换成单位代码" in text
    for untrue in ("这是督查卷", "佐证文件", "未能显示的文件", "全部文件都已显示"):
        assert untrue not in text
