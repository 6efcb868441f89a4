"""The desk in a browser: a hundred duties by keys, two inspectors at one queue, a lost network, a closed laptop."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median

import pytest
from playwright.sync_api import Browser, Page, StorageState
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tests.browser.installation import Installation
from tests.browser.test_accessibility import faults_of, reach, sticking_out
from tests.browser.visitor import DESKTOP, LOOK, PASSWORD, PHONE, Visitor, visit
from tests.city import NOW, City
from tests.scene import play
from tracker.db import writing
from tracker.domain.inspection import InspectionKind, MemberRole
from tracker.domain.media import Limits
from tracker.domain.score import Verdict as VerdictValue
from tracker.models import Cycle, Duty, Inspection, Organization, Person, Verdict
from tracker.services import desk, evidence, inspections
from tracker.storage.blobs import BlobStore
from tracker.storage.intake import take_in
from tracker.storage.samples import sample_docx, sample_jpeg, sample_ofd, sample_pdf

DUTIES = 100
RECORDS = 10
PACED = 40  # duties before which the next one may be loaded, as when somebody looks
BEGUN = date(2026, 4, 1)
WAIT = 10_000  # milliseconds that a busy machine may take; what was measured is printed


@dataclass(frozen=True)
class Checks:
    """Numbers of the checks, one for each story, and who has signed in."""

    installation: Installation
    long: int
    shared: int
    calm: int
    pair: int
    states: dict[str, StorageState]


def records(session: Session, city: City, store: BlobStore, duties: list[Duty]) -> None:
    """Records behind most of the duties: a photograph, minutes of several pages, or files that are not opened."""
    where = {"store": store, "limits": Limits()}
    for number in range(RECORDS):
        title, lines = f"会议记录{number}", [f"第{number}次会议", "应到 12 人，实到 11 人", *["讨论并通过"] * 20]
        contents = (
            {f"会场{number}.jpg": sample_jpeg(number + 1)},
            {f"{title}.pdf": sample_pdf(title, lines, pages=2), "签到.jpg": sample_jpeg(40 + number)},
            {f"{title}.docx": sample_docx(title, lines), f"{title}.ofd": sample_ofd(title, lines)},
        )[number % 3]
        evidence.record(
            session,
            duties=duties[number::RECORDS],
            act_on=BEGUN + timedelta(days=number),
            sentence=f"召开第{number}次会议，集中学习并讨论下一步安排",
            counts={},
            files=[take_in(io.BytesIO(body), name=name, **where) for name, body in contents.items()],
            actor=city.actor("Asha"),
            now=NOW,
        )


def check_of(session: Session, city: City, duties: list[Duty]) -> int:
    """A check of these duties by Ines and Ivan."""
    made = inspections.plan(
        session,
        cycle=session.scalars(select(Cycle)).one(),
        plan=inspections.Plan(
            title="基层支部履责督查",
            basis="年度工作安排",
            kind=InspectionKind.SPECIAL,
            starts_on=date(2026, 5, 18),
            ends_on=date(2026, 5, 29),
            period_starts_on=date(2026, 1, 1),
            period_ends_on=date(2026, 12, 31),
            team=[(city.people["Ines"], MemberRole.LEADER), (city.people["Ivan"], MemberRole.MEMBER)],
            units=[city.organizations["D1"]],
            picked=duties,
        ),
        actor=city.actor("Ines"),
        now=NOW,
    )
    return made.number


def signed_in(browser: Browser, url: str, who: str) -> StorageState:
    """The browser state of somebody who signed in by the form."""
    with visit(browser, url) as visitor:
        visitor.sign_in(who)
        visitor.page.get_by_role("button", name="退出").wait_for()
        return visitor.page.context.storage_state()


@pytest.fixture(scope="module")
def checks(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Checks]:
    """An installation with checks of the same branches, and two inspectors who have signed in."""
    installation = Installation(tmp_path_factory.mktemp("desk"))
    engine = installation.engine()
    with Session(engine) as session, writing(session):
        play(session, installation.settings, password=PASSWORD)
        city = City(session)
        city.organizations = {node.code: node for node in session.scalars(select(Organization))}
        city.people = {person.name: person for person in session.scalars(select(Person))}
        branches = select(Duty).where(Duty.key.startswith("2026.D1-B"), Duty.in_force.is_(True))
        duties = list(session.scalars(branches.order_by(Duty.organization_id, Duty.key).limit(DUTIES)))
        assert len(duties) == DUTIES
        own = [duty for duty in duties if duty.organization.code == "D1-B1" and duty.period_starts_on <= BEGUN]
        records(session, city, BlobStore(installation.settings.store_dir), own)
        for text in ("佐证只有照片，没有会议记录", "参加人数与名册不一致"):
            desk.add_reason(session, value=VerdictValue.PARTLY, text=text, actor=city.actor("Ines"), now=NOW)
        numbers = [check_of(session, city, some) for some in (duties, own[:12], own[12:24], duties[-2:])]
    engine.dispose()
    installation.start()
    states = {who: signed_in(browser, installation.url, who) for who in ("ines", "ivan")}
    yield Checks(installation, *numbers, states)
    installation.stop()


def at_desk(browser: Browser, checks: Checks, who: str, **options: object):
    return visit(browser, checks.installation.url, storage_state=checks.states[who], **options)


def on_desk(page: Page) -> str:
    return str(page.locator("[data-duty]").get_attribute("data-duty"))


def open_desk(visitor: Visitor, number: int) -> Page:
    visitor.go(f"/inspections/{number}/desk")
    visitor.page.locator("[data-reasons]:not([hidden])").wait_for(state="attached")
    return visitor.page


def open_judged(visitor: Visitor, checks: Checks) -> Page:
    """Open a duty of the long check, in which all are judged, by its link."""
    visitor.go(f"/inspections/{checks.long}/desk?duty={verdicts(checks, checks.long)[0][0]}")
    visitor.page.locator("[data-reasons]:not([hidden])").wait_for(state="attached")
    return visitor.page


def turn_on(page: Page, key: str) -> None:
    """Press a key that brings another duty, and wait until it lies on the desk."""
    before = on_desk(page)
    page.keyboard.press(key)
    page.wait_for_function("key => document.querySelector('[data-duty]').dataset.duty !== key", arg=before)


def saved(page: Page, judged: int, sampled: int) -> None:
    """Wait until so many verdicts are saved, as the head of the desk says."""
    page.get_by_text(f"已核查 {judged} / {sampled}", exact=True).wait_for(timeout=60_000)


def verdicts(checks: Checks, number: int) -> list[tuple[str, str, str]]:
    """The verdicts of a check: duty, value, note."""
    engine = checks.installation.engine()
    with Session(engine) as session:
        query = select(Duty.key, Verdict.value, Verdict.note).join(Duty, Duty.id == Verdict.duty_id)
        query = query.join(Inspection, Inspection.id == Verdict.inspection_id).where(Inspection.number == number)
        found = [(key, value.value, note) for key, value, note in session.execute(query.order_by(Verdict.id))]
    engine.dispose()
    return found


# From the key to the frame in which the next duty stands on the desk, and its first picture can be seen.
WATCH = """() => {
  window.seen = [];
  addEventListener("keydown", (event) => {
    if (event.key === "1") return;
    const from = performance.now(), before = document.querySelector("[data-duty]").dataset.duty;
    const look = () => {
      const duty = document.querySelector("[data-duty]"), picture = document.querySelector(".desk-view img");
      const there = duty.dataset.duty !== before && (!picture || (picture.complete && picture.naturalWidth > 0));
      if (there) window.seen.push(performance.now() - from);
      else if (performance.now() - from < 10000) requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  }, true);
}"""


def test_a_hundred_duties_take_two_keys_each_and_the_next_evidence_is_there(checks, browser, capsys):
    with at_desk(browser, checks, "ines") as ines:
        page = open_desk(ines, checks.long)
        first = on_desk(page)
        keys = 0
        page.evaluate(WATCH)
        for turn in range(DUTIES):
            if turn < PACED:  # as somebody who looks at what is there
                page.locator("[data-desk]:not([data-ahead='0'])").wait_for()
                page.wait_for_timeout(LOOK)
            before = on_desk(page)
            looked = ("m",) if turn < PACED else ("1", "m")  # whoever writes has looked, however fast
            for key in ("1", "p") if turn % 5 == 4 else looked:
                page.keyboard.press(key)
                keys += 1
            if turn < DUTIES - 1:
                page.wait_for_function("key => document.querySelector('[data-duty]').dataset.duty !== key", arg=before)
        saved(page, DUTIES, DUTIES)
        measured = page.evaluate("window.seen")
    found = verdicts(checks, checks.long)
    assert found[0][0] == first
    assert len({key for key, _, _ in found}) == len(found) == DUTIES
    assert keys <= 2 * DUTIES
    assert sum(value == "partly" for _, value, _ in found) == DUTIES // 5
    assert {note for _, value, note in found if value == "partly"} == {"记录不全，缺签到表"}
    assert len(measured) == DUTIES - 1
    assert median(measured[:PACED]) < WAIT
    with capsys.disabled():
        looked, hurried = sorted(measured[:PACED]), sorted(measured[PACED:])
        sys.stdout.write(
            f"\nthe next duty stands on the desk after {median(looked):.0f} ms (at most {looked[-1]:.0f}) where its "
            f"evidence was loaded ahead, {median(hurried):.0f} ms at full speed; {keys} keys for {DUTIES} duties\n"
        )


def test_two_inspectors_never_have_the_same_duty_and_judge_none_twice(checks, browser):
    with at_desk(browser, checks, "ines") as ines, at_desk(browser, checks, "ivan") as ivan:
        one, two = open_desk(ines, checks.shared), open_desk(ivan, checks.shared)
        assert on_desk(one) != on_desk(two)
        two.get_by_text("Ines正在核查").first.wait_for()
        for _ in range(60):
            for page in (one, two):
                if page.locator("li[aria-current][data-verdict='']").count():
                    page.keyboard.press("m")
                page.wait_for_timeout(150)
            if len(verdicts(checks, checks.shared)) == 12:
                break
        for visitor in (ines, ivan):  # that the other one was faster is an answer, not a fault
            visitor.troubles[:] = [trouble for trouble in visitor.troubles if not trouble.endswith("answered 409")]
    found = verdicts(checks, checks.shared)
    assert len(found) == len({key for key, _, _ in found}) == 12


def test_where_the_other_has_all_open_nothing_is_said_to_have_changed(checks, browser):
    with at_desk(browser, checks, "ines") as ines, at_desk(browser, checks, "ivan") as ivan:
        key = on_desk(open_desk(ines, checks.pair))
        ines.page.locator("[data-desk][data-ahead='1']").wait_for()
        ivan.go(f"/inspections/{checks.pair}/desk")
        ivan.reads("没有待核查的任务了", "还有 2 项正由其他成员核查")
        ivan.page.locator(f'[data-key="{key}"] a').click()
        ivan.page.get_by_role("status").get_by_text("Ines正在核查这一项，请稍后再来").wait_for()
        assert ivan.page.locator("[data-duty]").count() == 0
        ivan.troubles.clear()  # 409 is what was to be answered


def test_a_verdict_that_another_gave_meanwhile_is_not_passed_over(checks, browser):
    with at_desk(browser, checks, "ines") as ines, at_desk(browser, checks, "ines") as other_tab:
        key = open_desk(ines, checks.calm) and on_desk(ines.page)
        other_tab.go(f"/inspections/{checks.calm}/desk?duty={key}")
        other_tab.page.locator("[data-reasons]:not([hidden])").wait_for(state="attached")
        other_tab.page.keyboard.press("m")
        saved(other_tab.page, 1, 12)
        ines.page.keyboard.press("1")
        ines.page.keyboard.press("a")
        ines.page.get_by_role("alert").get_by_text("在别的页面对这项任务作出结论").wait_for()
        ines.page.keyboard.press("b")
        ines.page.locator(f'[data-duty="{key}"][data-seen="1"]').wait_for()
        ines.troubles.clear()  # the answer 409 is what was asked for
    assert [value for _, value, _ in verdicts(checks, checks.calm)] == ["met"]


def test_a_note_that_is_not_saved_outlives_a_reload_and_the_place_is_kept(checks, browser):
    with at_desk(browser, checks, "ines") as ines:
        page = open_desk(ines, checks.calm)
        turn_on(page, "j")
        turn_on(page, "j")
        key = on_desk(page)
        page.keyboard.press("n")
        page.keyboard.type("缺第二页，等单位补")
        page.wait_for_url(f"**duty={key}")
        page.reload()
        page.locator("[data-reasons]:not([hidden])").wait_for(state="attached")
        assert on_desk(page) == key
        assert page.get_by_label("说明").input_value() == "缺第二页，等单位补"
        ines.go(f"/inspections/{checks.calm}/desk")  # as somebody comes back later
        page.locator(f'[data-duty="{key}"]').wait_for()
        assert page.get_by_label("说明").input_value() == "缺第二页，等单位补"


def test_a_verdict_that_finds_no_network_is_kept_and_saved_later(checks, browser):
    before = len(verdicts(checks, checks.calm))
    with at_desk(browser, checks, "ines") as ines:
        page = open_desk(ines, checks.calm)
        page.wait_for_timeout(1500)  # the next ones are there
        key = on_desk(page)
        page.context.set_offline(True)
        page.keyboard.press("m")
        page.get_by_role("status").get_by_text("结论已留在这台电脑上").wait_for()
        assert on_desk(page) != key  # work goes on
        page.context.set_offline(False)
        saved(page, before + 1, 12)
        turn_on(page, "j")
        used = page.locator("[data-parts] use, [data-mark] use").evaluate_all("all => all.map(use => use.href.baseVal)")
        assert used
        assert [one for one in used if not page.locator(one).count()] == []  # no icon waits for a file of its own
        ines.troubles.clear()  # a lost network is written to the console
    assert verdicts(checks, checks.calm)[-1][:2] == (key, "met")


# What the status line says, one after the other.
LISTEN = """() => {
  window.told = [];
  const line = document.querySelector("[data-said]");
  new MutationObserver(() => window.told.push(line.textContent)).observe(line, { childList: true });
}"""


@pytest.mark.parametrize("twice", ["click", "key"])
def test_what_is_pressed_twice_judges_one_duty(checks, browser, twice):
    before = len(verdicts(checks, checks.calm))
    with at_desk(browser, checks, "ines") as ines:
        page = open_desk(ines, checks.calm)
        page.locator("[data-desk]:not([data-ahead='0'])").wait_for()
        page.wait_for_timeout(LOOK)
        page.evaluate(LISTEN)
        key = on_desk(page)
        for _ in range(2):
            if twice == "click":
                page.locator("button.verdict-met").click()
            else:
                page.keyboard.press("m")
        saved(page, before + 1, 12)
        assert on_desk(page) != key
        assert "请看过后再按" in "".join(page.evaluate("window.told"))
        page.wait_for_timeout(LOOK)
        assert page.locator("li[aria-current][data-verdict='']").count() == 1
    assert [one[:2] for one in verdicts(checks, checks.calm)[before:]] == [(key, "met")]


def test_a_verdict_that_stands_is_not_overwritten_by_one_key(checks, browser):
    before = verdicts(checks, checks.calm)
    key, value = before[-1][:2]
    assert value == "met"
    with at_desk(browser, checks, "ines") as ines:
        ines.go(f"/inspections/{checks.calm}/desk?duty={key}")
        page = ines.page
        page.locator("[data-reasons]:not([hidden])").wait_for(state="attached")
        page.keyboard.press("m")
        page.get_by_role("status").get_by_text("已经是这个结论").wait_for()
        page.keyboard.press("1")
        page.keyboard.press("a")
        page.get_by_role("status").get_by_text("再按一次就改判").wait_for()
        assert verdicts(checks, checks.calm) == before
        page.keyboard.press("a")
        page.get_by_role("status").get_by_text("已保存").wait_for()
    assert [one[:2] for one in verdicts(checks, checks.calm)][-1] == (key, "not_applicable")


def test_a_reason_is_asked_for_where_one_is_needed(checks, browser):
    before = len(verdicts(checks, checks.calm))
    with at_desk(browser, checks, "ines") as ines:
        page = open_desk(ines, checks.calm)
        page.wait_for_timeout(500)
        key = on_desk(page)
        page.get_by_label("说明").fill("")
        for letter in ("x", "p", "a"):
            page.locator("#duty-head").focus()
            page.keyboard.press(letter)
            page.get_by_role("status").get_by_text("须写明理由").wait_for()
            assert on_desk(page) == key
    assert len(verdicts(checks, checks.calm)) == before


def test_the_evidence_is_turned_enlarged_and_leafed_through_by_keys(checks, browser):
    with at_desk(browser, checks, "ines") as ines:
        page = open_judged(ines, checks)
        for _ in range(30):
            if page.locator("figure[data-file]").count() > 1 and page.locator('figure[data-file="1"] img').count():
                break
            turn_on(page, "j")
        picture = page.locator('figure[data-file="1"] img').first
        picture.evaluate("image => image.decode()")
        wide = picture.bounding_box()["width"]
        page.keyboard.press("Equal")
        assert picture.bounding_box()["width"] > wide * 1.2
        page.keyboard.press("0")
        flat = picture.bounding_box()
        page.keyboard.press("r")
        turned = picture.bounding_box()
        assert (flat["width"] > flat["height"]) != (turned["width"] > turned["height"])
        page.keyboard.press("e")
        assert page.locator('figure[data-file="2"]').is_visible()
        assert not page.locator('figure[data-file="1"]').is_visible()
        page.keyboard.press("w")
        assert page.locator('figure[data-file="1"]').is_visible()


def test_the_keyboard_alone_notes_a_finding_and_changes_points_and_comes_back(checks, browser):
    with at_desk(browser, checks, "ines") as ines:
        page = open_judged(ines, checks)
        turn_on(page, "j")
        key = on_desk(page)
        with page.expect_navigation():
            page.keyboard.press("f")
        for name, text in (("problem", "签到表只有一半"), ("demand", "补齐签到表"), ("working_days", "10")):
            reach(page, name)
            page.keyboard.type(text)
        page.get_by_role("button", name="登记").focus()
        with page.expect_navigation():
            page.keyboard.press("Enter")
        assert on_desk(page) == key
        ines.reads("签到表只有一半")
        page.locator("[data-reasons]:not([hidden])").wait_for(state="attached")
        with page.expect_navigation():
            page.keyboard.press("s")
        for name, text in (("points", "0.5"), ("reason", "签到表只有一半")):
            reach(page, name)
            page.keyboard.type(text)
        page.get_by_role("button", name="保存").focus()
        with page.expect_navigation():
            page.keyboard.press("Enter")
        assert on_desk(page) == key
        ines.reads("改定，计算得分")


def test_the_keys_can_be_switched_off(checks, browser):
    with at_desk(browser, checks, "ines") as ines:
        page = open_judged(ines, checks)
        key = on_desk(page)
        page.get_by_label("单键操作").uncheck()
        page.keyboard.press("j")
        page.wait_for_timeout(300)
        assert on_desk(page) == key
        page.get_by_label("单键操作").check()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_desk_has_no_grave_fault_with_its_scripts_at_either_width(checks, browser, language):
    found = []
    with at_desk(browser, checks, "ivan") as ivan:
        ivan.speak(language)
        page = open_desk(ivan, checks.calm)
        for width in (DESKTOP["viewport"], PHONE["viewport"]):
            page.set_viewport_size(width)
            page.wait_for_timeout(300)
            found += faults_of(page)
        found += sticking_out(page, 320, 640, 1280)
        for path in ("/inspections/reasons", "/inspections/reasons/R001"):
            ivan.go(path)
            found += faults_of(page) + sticking_out(page, 320, 1280)
    assert found == []


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (390, 844)])
def test_what_the_unit_wrote_and_its_files_are_seen_before_the_verdict(checks, browser, width, height):
    with at_desk(browser, checks, "ines", viewport={"width": width, "height": height}) as ines:
        page = open_desk(ines, checks.calm)
        page.wait_for_timeout(LOOK)
        places = ("[data-desk] .desk-score", ".desk-read .record .meta", ".desk-view", "button.verdict-not_applicable")
        boxes = [page.locator(place).first.bounding_box() for place in places]
        if width > 992:
            ends = [box["y"] + box["height"] for box in boxes]
            assert max(ends) <= height
            assert ends[1] <= page.locator(".desk-judge").bounding_box()["y"]  # it is not scrolled out of sight
        else:
            assert [box["y"] for box in boxes] == sorted(box["y"] for box in boxes)


def test_without_scripts_the_desk_judges_by_its_buttons(checks, browser):
    before = len(verdicts(checks, checks.calm))
    with at_desk(browser, checks, "ivan", java_script_enabled=False) as ivan:
        ivan.speak("zh")
        ivan.go(f"/inspections/{checks.calm}/desk")
        key = on_desk(ivan.page)
        ivan.fill("说明", "支部没有党小组")
        ivan.press("不适用")
        ivan.reads("已保存")
        assert on_desk(ivan.page) != key
    assert len(verdicts(checks, checks.calm)) == before + 1


def test_a_session_that_ended_elsewhere_keeps_the_verdict_until_somebody_signs_in_again(checks, browser):
    """The last story of Ines: to sign out ends all her sessions."""
    before = verdicts(checks, checks.calm)
    judged = len({key for key, _, _ in before})
    with visit(browser, checks.installation.url) as ines:
        ines.sign_in("ines")
        ines.page.get_by_role("button", name="退出").wait_for()
        page = open_desk(ines, checks.calm)
        page.wait_for_timeout(1500)  # the next one is there
        key = on_desk(page)
        elsewhere = Visitor(page.context, checks.installation.url)
        elsewhere.go("/duties")
        elsewhere.page.get_by_role("button", name="退出").click()
        elsewhere.page.get_by_label("账号").wait_for()
        page.keyboard.press("m")
        page.get_by_role("status").get_by_text("核查结果已留在本页").wait_for()
        page.wait_for_timeout(300)
        assert page.locator("[data-parts][aria-busy]").count() == 0
        assert verdicts(checks, checks.calm) == before
        elsewhere.sign_in("ivan")
        elsewhere.page.get_by_role("button", name="退出").wait_for()
        page.wait_for_timeout(6000)  # it was tried once more
        assert verdicts(checks, checks.calm) == before  # what she gave is not his
        elsewhere.page.get_by_role("button", name="退出").click()
        elsewhere.page.get_by_label("账号").wait_for()
        elsewhere.sign_in("ines")
        elsewhere.page.get_by_role("button", name="退出").wait_for()
        saved(page, judged + 1, 12)
        for visitor in (ines, elsewhere):
            visitor.troubles.clear()  # 401 is what was to be answered
    assert verdicts(checks, checks.calm)[-1][:2] == (key, "met")


def test_what_is_judged_is_counted_once(checks):
    engine = checks.installation.engine()
    with Session(engine) as session:
        twice = select(Verdict.duty_id).where(Verdict.superseded_at.is_(None))
        twice = twice.group_by(Verdict.inspection_id, Verdict.duty_id).having(func.count() > 1)
        assert session.scalars(twice).all() == []
    engine.dispose()
