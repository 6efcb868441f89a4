"""Planning a check at a browser: by hand and eye, with and without scripts, wide and narrow."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.browser.test_accessibility import faults_of, sticking_out
from tests.browser.visitor import PHONE, Visitor, visit


def fill_in(visitor: Visitor) -> Page:
    """A look-back at both units over the first months, drawn in strata."""
    visitor.go("/inspections/new")
    page = visitor.page
    values = {"title": "上半年回头看", "basis": "年度工作安排", "starts_on": "2026-06-08", "ends_on": "2026-06-19"}
    values |= {"self_check_due_on": "2026-06-05", "period_starts_on": "2026-01-01", "period_ends_on": "2026-05-31"}
    for name, value in values.items():
        page.locator(f"[name={name}]").fill(value)
    page.locator("[name=leader]").select_option("ines")
    for name, value in (("kind", "look_back"), ("all_units", "y"), ("sample", "drawn"), ("by", "level")):
        page.locator(f"[name={name}][value={value}]").check()
    page.locator("[name=files]").set_input_files(
        {"name": "通知.txt", "mimeType": "text/plain", "buffer": "通知".encode()}
    )
    return page


def preview(page: Page) -> None:
    with page.expect_navigation():
        page.locator("button[name=preview]").click()


def test_a_check_is_planned_without_scripts(lived_in, browser, shared_out):
    installation, _ = lived_in
    state = shared_out.states["ines"]
    with visit(browser, installation.url, device=PHONE, storage_state=state, java_script_enabled=False) as ines:
        ines.speak("zh")
        page = fill_in(ines)
        page.locator("[name=percent]").fill("10")
        preview(page)
        ines.reads("抽样预览（还没有保存）", "已收到：通知.txt")
        drawn = page.locator("[name=out]").evaluate_all("boxes => boxes.map((box) => box.value)")
        assert drawn
        ines.press("建立督查")
        ines.reads("已建立第", "抽签（种子", "通知.txt", "2026-06-05")
        ines.follow("抽样记录")
        ines.reads("结果与建立督查时的样本相同", *drawn)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_preview_has_no_grave_fault_at_either_width(lived_in, browser, shared_out, language):
    installation, _ = lived_in
    with visit(browser, installation.url, storage_state=shared_out.states["ines"]) as ines:
        ines.speak(language)
        page = fill_in(ines)
        page.locator("[name=how][value=number]").check()
        assert not page.locator("[name=percent]").is_visible()
        found = []
        for number in ("100", "2"):
            page.locator("[name=number]").fill(number)
            preview(page)
            assert page.locator("#preview").is_visible()
            found += faults_of(page) + sticking_out(page, 640, 320, 360) + faults_of(page)
            page.set_viewport_size({"width": 1280, "height": 900})
        assert found == []
