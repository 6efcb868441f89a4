"""The packet as an inspector meets it: asked for, watched, downloaded, and checked again on the page for everybody."""

from __future__ import annotations

from pathlib import Path

from tests.browser.test_accessibility import faults_of, sticking_out
from tests.browser.visitor import DESKTOP, Visitor, visit
from tests.packets import make_packet, redraw, tampered


def test_a_packet_is_asked_for_watched_downloaded_and_verified(lived_in, browser, shared_out, tmp_path):
    installation, _ = lived_in
    with visit(browser, installation.url, storage_state=shared_out.states["ines"]) as ines:
        ines.speak("zh")
        ines.go("/inspections/1")
        ines.fill("截至哪一天", "2026-05-20")
        ines.press("生成督查卷")
        ines.reads("第1号督查卷")
        ines.page.get_by_role("link", name="下载 PDF").wait_for(timeout=120_000)
        with ines.page.expect_download() as waiting:
            ines.follow("下载 PDF")
        assert waiting.value.suggested_filename == "第1号督查卷（截至2026-05-20）.pdf"
        waiting.value.save_as(tmp_path / "packet.pdf")
        ines.follow("核验督查卷")
        hand_in(ines, tmp_path / "packet.pdf")
        ines.reads("核验通过", "真实性", "完整性", "可用性", "安全性")


def test_the_result_of_a_check_can_be_used_by_everybody_and_printed(lived_in, browser, shared_out, tmp_path):
    installation, _ = lived_in
    [sound] = make_packet(tmp_path)
    changed = tampered(sound, lambda pdf: redraw(pdf, 3))
    with visit(browser, installation.url, storage_state=shared_out.states["asha"]) as asha:
        asha.speak("zh")
        asha.go("/packets/verify")
        hand_in(asha, sound, changed)
        asha.reads("核验通过", "核验不通过", "第 4 页")
        assert faults_of(asha.page) == []
        assert sticking_out(asha.page, 640, 390, 320) == []
        assert faults_of(asha.page) == []
        asha.page.set_viewport_size(DESKTOP["viewport"])
        asha.page.emulate_media(media="print")
        assert not asha.page.get_by_label("督查卷文件").is_visible()
        words = asha.page.locator("main [class^='badge-']").all_inner_texts()
        assert {word.strip() for word in words} == {"通过", "不通过", "未在此核验"}


def hand_in(visitor: Visitor, *paths: Path) -> None:
    """Choose files on the page that checks them, and wait for the result."""
    visitor.page.get_by_label("督查卷文件").set_input_files(paths)
    button = visitor.page.locator("main").get_by_role("button", name="核验", exact=True)
    button.click(timeout=60_000)  # it waits for the answer, and a check takes its time
    visitor.page.locator("article").first.wait_for()
