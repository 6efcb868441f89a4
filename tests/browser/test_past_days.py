"""A past day at a browser: chosen on the page itself, carried from page to page, and left again."""

from __future__ import annotations

from tests.browser.test_accessibility import faults_of, sticking_out
from tests.browser.visitor import DESKTOP, PHONE, visit

DAY = "2026-05-19"
BANNER = f"这是系统在 {DAY} 日终的记录；按当日数据重新计算，可能稍慢。"


def test_from_the_board_to_a_duty_on_a_past_day_and_back_to_today(lived_in, browser, shared_out):
    installation, scene = lived_in
    with visit(browser, installation.url, device=PHONE, storage_state=shared_out.states["dong"]) as dong:
        dong.speak("zh")
        dong.go("/board/units/D1")
        dong.page.get_by_text("查看过去某一天的这个页面").click()
        dong.fill("截至哪一天日终", DAY)
        dong.press("查看那一天")
        dong.reads(BANNER, "清河市林业局")
        dong.page.locator("main table a[href*='/board/duties']").first.click()
        dong.reads(BANNER, "任务清单")
        dong.go(f"/duties/{scene.confirmed}?as_of={DAY}")
        dong.reads(BANNER, "待提交", "Asha（任职）", "还没有佐证。", "还没有签认。")
        assert dong.page.locator("main form[method=post]").count() == 0
        dong.follow("回到今天")
        dong.reads("已确认")
        assert "as_of" not in dong.page.url


def test_a_verdict_is_not_given_from_a_page_of_a_past_day(lived_in, browser, shared_out):
    installation, _ = lived_in
    with visit(browser, installation.url, storage_state=shared_out.states["ines"]) as ines:
        ines.speak("zh")
        ines.go("/inspections/1")
        assert ines.page.get_by_role("link", name="进入核查台").count() == 1
        answer = ines.page.context.request.get(f"{installation.url}/inspections/1/desk?as_of={DAY}")
        assert answer.status == 400
        assert "这个页面只有现在的内容" in answer.text()


def test_pages_of_a_past_day_have_no_grave_fault_at_either_width(lived_in, browser, shared_out):
    installation, scene = lived_in
    found = []
    with visit(browser, installation.url, storage_state=shared_out.states["dong"]) as dong:
        for language in ("zh", "en"):
            dong.speak(language)
            for path in ("/board", "/board/units/D1", "/board/duties", f"/duties/{scene.waiting}", "/organizations/D1"):
                dong.page.set_viewport_size(DESKTOP["viewport"])
                dong.go(f"{path}?as_of={DAY}")
                found += faults_of(dong.page)
                found += sticking_out(dong.page, 640, 320, 360)
                found += faults_of(dong.page)
    assert found == []
