"""The press: a section is laid out once, in any process the same, and what is finished outlives a crash."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.reporting import sample_parts
from tests.reporting.conftest import TEMPLATES
from tests.reporting.printed import Printed as Reader
from tracker.config import CHECKOUT
from tracker.domain.errors import Invalid
from tracker.reporting.fonts import FontSet, load_fonts
from tracker.reporting.press import Press, Printed, clear, forget_old
from tracker.reporting.progress import RenderingFailed
from tracker.reporting.sections import Section
from tracker.reporting.worker import Limits

TRANSLATIONS = CHECKOUT / "tracker" / "translations"
A_WEEK = 7 * 24 * 60 * 60


def press(fonts: FontSet, cache: Path, *, workers: int = 1, limits: Limits | None = None) -> Press:
    return Press(
        fonts=fonts, templates=TEMPLATES, translations=TRANSLATIONS, cache=cache, workers=workers, limits=limits
    )


@pytest.fixture(scope="module")
def one(fonts: FontSet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Press]:
    """A press with one child, warm after the first test, and a cache of its own."""
    with press(fonts, tmp_path_factory.mktemp("cache")) as made:
        yield made


def record(number: int, sentence: str = "开展集中学习。") -> Section:
    part = sample_parts.bare_evidence()
    entry = replace(part.entry, number=f"2026-Q{number:04d}", sentence=sentence, sealed=False)
    return Section(replace(part, entry=entry))


def contents(lines: int = 3) -> Section:
    return Section(sample_parts.front(lines))


def pdfs(cache: Path) -> list[Path]:
    return sorted(cache.rglob("*.pdf"))


def age(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


def children() -> set[int]:
    """The processes of this one."""
    listed = Path(f"/proc/self/task/{os.getpid()}/children").read_text("ascii").split()
    return {
        int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()
    } | {int(pid) for pid in listed}


# ---- laid out once ----


def test_sections_come_back_in_their_order_with_their_pages(one: Press) -> None:
    printed = one.print([contents(80), record(1), contents(3)])
    assert [made.pages for made in printed] == [int(Reader(made.path).info["Pages"]) for made in printed]
    assert [made.pages > 1 for made in printed] == [True, False, True]
    assert len({made.path for made in printed}) == 3


def test_a_section_in_the_cache_is_not_laid_out_again_and_starts_no_process(one: Press, fonts: FontSet) -> None:
    (made,) = one.print([record(2)])
    age(made.path, A_WEEK)
    written = made.path.stat().st_ino
    before = children()
    with press(fonts, made.path.parent.parent) as other:
        assert other.print([record(2)]) == [made]
        assert children() == before
    assert made.path.stat().st_ino == written
    assert time.time() - made.path.stat().st_mtime < 60


def test_the_same_section_twice_is_one_job(one: Press) -> None:
    seen: list[tuple[int, int]] = []
    printed = one.print([record(3), record(3)], lambda done, total: seen.append((done, total)))
    assert printed[0] == printed[1]
    assert seen == [(0, 1), (1, 1)]


def test_progress_counts_what_was_there_as_done(one: Press) -> None:
    one.print([record(4)])
    seen: list[tuple[int, int]] = []
    one.print([record(4), record(5)], lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]


def test_a_hundred_unchanged_sections_cost_a_moment(fonts: FontSet, one: Press) -> None:
    sections = [Section(sample_parts.unit_report(number)) for number in range(1, 101)]
    one.print([])
    started = time.process_time()
    keys = {one._job(section).target for section in sections}
    assert len(keys) == 100
    assert time.process_time() - started < 1


def test_a_cut_file_is_laid_out_again(one: Press) -> None:
    (made,) = one.print([record(6)])
    whole = made.path.read_bytes()
    made.path.write_bytes(whole[:1000])
    assert one.print([record(6)]) == [made]
    assert made.path.read_bytes() == whole


# ---- what tells sections apart ----


def target(made: Press, section: Section) -> str:
    return made._job(section).target.name


def test_another_value_language_font_or_template_makes_another_section(
    one: Press, fonts: FontSet, tmp_path: Path
) -> None:
    templates = tmp_path / "templates"
    templates.mkdir()
    for path in TEMPLATES.iterdir():
        (templates / path.name).write_bytes(path.read_bytes())
    (templates / "packet.css").write_text("p { color: #111 }", "utf-8")
    other_font = replace(fonts, names=(*fonts.names, "Licensed 1.0"))
    make = {"fonts": fonts, "templates": TEMPLATES, "translations": TRANSLATIONS, "cache": tmp_path / "cache"}
    keys = [
        target(one, record(7)),
        target(one, record(7, "开展集中学习")),
        target(one, replace(record(7), language="en")),
        target(Press(**(make | {"fonts": other_font})), record(7)),
        target(Press(**(make | {"templates": templates})), record(7)),
    ]
    assert len(set(keys)) == 5
    assert target(Press(**make), record(7)) == keys[0]


def test_the_same_text_in_two_objects_makes_the_same_section(one: Press) -> None:
    text = "开展集中学习。"
    assert target(one, record(8, text)) == target(one, record(8, "".join(list(text))))


def test_a_later_as_of_time_alone_makes_no_other_report(one: Press) -> None:
    part = sample_parts.unit_report()
    later = replace(part.report.provenance, as_of=part.report.provenance.as_of.replace(year=2027), log_heads=())
    assert target(one, Section(part)) == target(
        one, Section(replace(part, report=replace(part.report, provenance=later)))
    )


# ---- the same bytes ----


def test_what_a_child_printed_before_changes_nothing(fonts: FontSet, tmp_path: Path) -> None:
    a, b = Section(sample_parts.unit_report()), Section(sample_parts.verification())
    bytes_of = []
    for name, order in (("first", [a, b]), ("second", [b, a])):
        with press(fonts, tmp_path / name) as made:
            by_section = dict(zip(order, made.print(order), strict=True))
            again = Press.print(made, order)
            assert list(by_section.values()) == again
            bytes_of.append([by_section[section].path.read_bytes() for section in (a, b)])
            clear(tmp_path / name)
    assert bytes_of[0] == bytes_of[1]


def test_a_warm_child_prints_a_section_again_as_at_first(one: Press) -> None:
    (first,) = one.print([contents(9)])
    content = first.path.read_bytes()
    first.path.unlink()
    one.print([record(9), Section(sample_parts.evidence())])
    assert one.print([contents(9)]) == [first]
    assert first.path.read_bytes() == content


# ---- what goes wrong ----


def unprintable(number: int) -> Section:
    return record(number, "学习\ue123")


def test_a_missing_character_is_named_as_in_this_process_and_the_rest_is_kept(fonts: FontSet, tmp_path: Path) -> None:
    with press(fonts, tmp_path) as made:
        with pytest.raises(Invalid) as refusal:
            made.print([record(1), unprintable(2)])
        assert refusal.value.values == {
            "record": "2026-Q0002",
            "label": "工作纪实",
            "character": "<U+E123>",
            "code": "U+E123",
        }
        assert len(pdfs(tmp_path)) == 1
        before = children()
        assert len(made.print([record(1), record(2)])) == 2
        assert children() == before


def test_a_section_that_runs_into_a_limit_is_named(fonts: FontSet, tmp_path: Path) -> None:
    with (
        press(fonts, tmp_path, limits=Limits(wall=0)) as made,
        pytest.raises(RenderingFailed, match="2026-Q0001: the process that prints ended"),
    ):
        made.print([record(1)])
    assert pdfs(tmp_path) == []


def test_a_child_without_memory_does_not_spoil_the_fonts_of_those_after_it(tmp_path: Path) -> None:
    fonts = load_fonts(tmp_path / "fonts")
    with (
        press(fonts, tmp_path / "cache", limits=Limits(memory=80_000_000)) as made,
        pytest.raises(RenderingFailed, match="the process that prints ended"),
    ):
        made.print([record(1)])
    with press(fonts, tmp_path / "cache") as made:
        (one,) = made.print([record(1)])
    assert any("Noto-Serif" in row[0] for row in Reader(one.path).fonts)


def test_a_killed_child_is_replaced_for_the_next_job(fonts: FontSet, tmp_path: Path) -> None:
    others = children()
    with press(fonts, tmp_path) as made:
        made.print([record(1)])
        (child,) = children() - others
        os.kill(child, signal.SIGKILL)
        with suppress(RenderingFailed):
            made.print([record(2)])
        assert len(made.print([record(2), record(3)])) == 2
    assert children() == others


def test_any_complaint_of_the_typesetter_names_the_section(fonts: FontSet, tmp_path: Path) -> None:
    templates = tmp_path / "templates"
    templates.mkdir()
    for path in TEMPLATES.iterdir():
        (templates / path.name).write_bytes(path.read_bytes())
    (templates / "packet.css").write_text("p { colour: red }", "utf-8")
    with (
        Press(fonts=fonts, templates=templates, translations=TRANSLATIONS, cache=tmp_path / "cache") as made,
        pytest.raises(RenderingFailed, match=r"2026-Q0001: .*colour"),
    ):
        made.print([record(1)])


PRINT_MANY = """
import sys
from pathlib import Path
from tests.reporting.test_press import contents, press
from tracker.reporting.fonts import load_fonts
with press(load_fonts(Path(sys.argv[1])), Path(sys.argv[2])) as made:
    made.print([contents(lines) for lines in range(1, 400)], lambda done, total: print(done, flush=True))
"""


def test_after_everything_is_killed_the_next_run_goes_on_and_no_child_lives(fonts: FontSet, tmp_path: Path) -> None:
    command = [sys.executable, "-c", PRINT_MANY, str(fonts.directory), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=CHECKOUT, text=True) as killed:
        assert killed.stdout is not None
        for line in killed.stdout:
            if int(line) == 3:
                break
        grandchildren = Path(f"/proc/{killed.pid}/task").glob("*/children")
        pids = [int(pid) for listed in grandchildren for pid in listed.read_text("ascii").split()]
        killed.kill()
    assert pids
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []
    seen: list[int] = []
    with press(fonts, tmp_path) as made:
        made.print([contents(lines) for lines in range(1, 5)], lambda done, _total: seen.append(done))
    assert seen[0] >= 3


def test_a_child_sees_no_secret_of_its_parent(fonts: FontSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKER_SECRET_KEY", "a secret")
    others = children()
    with press(fonts, tmp_path) as made:
        made.print([record(1)])
        (child,) = children() - others
        assert b"TRACKER" not in Path(f"/proc/{child}/environ").read_bytes()


# ---- the cache ----


def printed(made: Press, count: int) -> list[Printed]:
    return made.print([record(number) for number in range(1, count + 1)])


def test_old_sections_are_forgotten_longest_unused_first_until_the_rest_fits(fonts: FontSet, tmp_path: Path) -> None:
    with press(fonts, tmp_path) as made:
        first, second, third = printed(made, 3)
        age(first.path, A_WEEK)
        age(second.path, A_WEEK * 2)
        forget_old(tmp_path, third.path.stat().st_size + first.path.stat().st_size)
        assert pdfs(tmp_path) == sorted([first.path, third.path])
        forget_old(tmp_path, 0)
        assert pdfs(tmp_path) == [third.path]


def test_clearing_leaves_nothing_and_what_is_at_work_keeps_nothing(fonts: FontSet, tmp_path: Path) -> None:
    with press(fonts, tmp_path) as made:
        made.print([record(1)])
        clear(tmp_path)
        assert list(tmp_path.iterdir()) == []
        with pytest.raises(RenderingFailed, match="cleared"):
            made.print([record(2)])
        assert list(tmp_path.iterdir()) == []
    with press(fonts, tmp_path) as other:
        assert len(other.print([record(1)])) == 1


def test_the_cache_is_for_nobody_else(fonts: FontSet, tmp_path: Path) -> None:
    with press(fonts, tmp_path / "cache") as made:
        (one,) = made.print([record(1)])
    assert one.path.parent.stat().st_mode & 0o077 == 0
