"""Everybody can use every page: with a reader, with a keyboard, on a small phone, enlarged, printed without colour."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.addresses import PEOPLE
from tests.browser.visitor import DESKTOP, PHONE, visit
from tracker.storage.samples import sample_pdf

AXE = Axe().axe_script
GRAVE = {"serious", "critical"}
# What sticks out of the page to the right, without what scrolls in a box of its own.
TOO_WIDE = """() => {
  const wide = document.documentElement;
  if (wide.scrollWidth <= wide.clientWidth) return [];
  return [...document.querySelectorAll("body *")]
    .filter((node) => node.getBoundingClientRect().right > wide.clientWidth + 1 && !node.closest(".table-box"))
    .map((node) => `${node.tagName}.${node.className}`).slice(0, 4).concat(`${wide.scrollWidth}px`);
}"""


def faults_of(page: Page) -> list[str]:
    """The grave faults that axe finds on a page."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{page.url} at {page.viewport_size['width']}: {fault['id']} {[node['target'] for node in fault['nodes']][:4]}"
        for fault in found["violations"]
        if fault["impact"] in GRAVE
    ]


def sticking_out(page: Page, *widths: int) -> list[str]:
    """The widths at which the whole page would have to be pushed sideways."""
    found = []
    for width in widths:
        page.set_viewport_size({"width": width, "height": 780})
        wide = page.evaluate(TOO_WIDE)
        if wide:
            found.append(f"{page.url} at {width}: {wide}")
    return found


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("who", PEOPLE)
def test_no_page_has_a_grave_fault_at_either_width(lived_in, browser, shared_out, who, language):
    installation, _ = lived_in
    found = []
    with visit(browser, installation.url, storage_state=shared_out.states[who]) as visitor:
        visitor.speak(language)
        for path in shared_out.pages[who]:
            visitor.page.set_viewport_size(DESKTOP["viewport"])
            visitor.go(path)
            found += faults_of(visitor.page)
            found += sticking_out(visitor.page, 640, 320, 360)
            found += faults_of(visitor.page)
    assert found == []


def test_a_form_that_was_refused_has_no_grave_fault_and_leads_to_its_first_problem(lived_in, browser, shared_out):
    installation, scene = lived_in
    with visit(browser, installation.url, device=PHONE, storage_state=shared_out.states["asha"]) as asha:
        asha.speak("zh")
        asha.go(f"/duties/{scene.open}/tick")
        asha.fill("办理日期", "")
        asha.press("提交")
        asha.page.locator(".problems:focus").wait_for()
        asha.follow("办理日期")
        asha.page.locator("#act_on:focus").wait_for()
        assert faults_of(asha.page) == []


def test_the_keyboard_alone_ticks_a_duty(lived_in, browser, shared_out):
    installation, scene = lived_in
    with visit(browser, installation.url, storage_state=shared_out.states["asha"]) as asha:
        page = asha.page
        page.on("filechooser", lambda _: None)  # watched from here on: one that opens as the watch begins is lost
        asha.speak("zh")
        asha.go(f"/duties/{scene.open}/tick")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        assert page.evaluate("document.activeElement.getBoundingClientRect().left >= 0"), "the skip link stays hidden"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "content"
        reach(page, "sentence")
        page.keyboard.type("公示了上半年的党务")
        reach(page, "files")
        with page.expect_file_chooser() as chooser:
            page.keyboard.press("Space")
        chooser.value.set_files(
            [{"name": "公示.pdf", "mimeType": "application/pdf", "buffer": sample_pdf("公示", ["内容"])}]
        )
        reach(page, "", tag="BUTTON")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        asha.reads("已提交 1 项任务")


def reach(page: Page, name: str, *, tag: str = "") -> None:
    """Press Tab until the focus is on this field, or on the next button; it can be seen all the way."""
    for _ in range(60):
        page.keyboard.press("Tab")
        here = page.evaluate(
            "() => { const e = document.activeElement, s = getComputedStyle(e);"
            "return {id: e.id, tag: e.tagName, seen: s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) > 0}; }"
        )
        assert here["seen"], f"nobody sees that {here} has the focus"
        if here["tag"] == tag or (name and here["id"] == name):
            return
    raise AssertionError(f"the keyboard does not reach {name or tag}")


def test_the_board_on_paper_says_in_words_what_the_screen_says_in_colour(lived_in, browser, shared_out):
    installation, _ = lived_in
    with visit(browser, installation.url, storage_state=shared_out.states["ines"]) as ines:
        ines.speak("zh")
        ines.go("/board/duties?show=fallen_due")
        ines.page.emulate_media(media="print")
        assert not ines.page.locator(".masthead").is_visible()
        words = ines.page.locator("[class^='badge-']").all_inner_texts()
        assert words
        assert all(word.strip() for word in words)
        ines.reads("逾期未办", "待提交")


def test_a_finding_in_the_ledger_is_a_card_that_fits_a_phone_and_still_a_row_of_a_table(lived_in, browser, shared_out):
    installation, _ = lived_in
    with visit(browser, installation.url, storage_state=shared_out.states["ines"]) as visitor:
        page = visitor.page
        for width in (390, 320):
            page.set_viewport_size({"width": width, "height": 844})
            visitor.go("/rectification")
            row = page.get_by_role("table").get_by_role("row").nth(1)
            link = row.get_by_role("rowheader").get_by_role("link")
            deadline = row.locator("td.number")
            for seen in (link, deadline):
                box = seen.bounding_box()
                assert box["x"] >= 0
                assert box["x"] + box["width"] <= width
            assert deadline.get_attribute("data-label") == "期限"
            assert row.get_by_role("cell").count() == 7
