"""The board in a browser: a picture opens the list behind it, and fits on a phone."""

from __future__ import annotations

import re

import pytest

from tests.browser.test_accessibility import faults_of, sticking_out
from tests.browser.visitor import visit


@pytest.mark.parametrize("picture", ["heat", "months"])
def test_a_patch_opens_as_many_duties_as_stand_in_it(lived_in, browser, picture):
    installation, _ = lived_in
    with visit(browser, installation.url) as dong:
        dong.sign_in("dong")
        dong.go("/board")
        patch = dong.page.locator(f"svg[aria-labelledby^='{picture}-'] [data-at]").filter(has_text="/").first
        number = re.search(r"/(\d+)", patch.text_content())[1]
        patch.click()
        heading = dong.page.locator("h1").inner_text()  # in the language that Dong chose last
        assert re.search(rf"[（(]{number}\b", heading), heading


def test_pictures_with_their_tables_open_have_no_grave_fault_and_push_no_page_sideways(lived_in, browser):
    installation, _ = lived_in
    with visit(browser, installation.url) as dong:
        dong.sign_in("dong")
        for path in ("/board", "/board/units/D1"):
            dong.go(path)
            tables = dong.page.locator("details.behind")
            assert tables.count() == (2 if path == "/board" else 3)
            for number in range(tables.count()):
                tables.nth(number).locator("summary").press("Enter")
            assert faults_of(dong.page) == []
            assert sticking_out(dong.page, 1280, 360) == []
