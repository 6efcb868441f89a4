"""Everybody can use every page: with a reader, with a keyboard, on a small phone, enlarged, printed without colour."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.addresses import PEOPLE
from tests.browser.visitor import DESKTOP, visit

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
