"""The bench of pages and acts: every row is there, and every floor does the same work. How fast it is is no test."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from functools import cache
from io import StringIO
from pathlib import Path
from subprocess import PIPE

import pytest
from openpyxl import load_workbook

from tests.storage.cabinet import EVERY_KIND
from tracker.cli.bench import acts, stored
from tracker.cli.bench.case import MEASURES, Amounts, measure, order
from tracker.cli.bench.command import bench
from tracker.cli.bench.ground import Ground, visitors
from tracker.cli.bench.measure import BenchError, Growth
from tracker.cli.bench.one import main
from tracker.cli.bench.pages import Served, pages_of, served
from tracker.cli.bench.performance_page import LANGUAGES, write_pages
from tracker.cli.bench.replay import connect, counted, overhearing, replay
from tracker.cli.bench.table import Row, against, as_json, lines_of, p95_of, read_run, row_of
from tracker.cli.bench.visits import body_of, load, serving
from tracker.db import db
from tracker.domain.duty import State
from tracker.domain.media import Limits
from tracker.models import Cycle
from tracker.queries.log import chains, entries_of
from tracker.services.verification import verify_log
from tracker.storage.blobs import BlobStore
from tracker.storage.intake import take_in
from tracker.tasks.duty_tables import table_of, write_duties

TINY = Amounts(seconds=0.2, rounds=1, ticks=5, megabytes=6, files=20)
DIFFERENT = re.compile(r'value="[^"]+"|content="[^"]+"|nonce="[^"]+"')  # tokens that are new in every answer
NAMES = {
    "pages": {
        "my duties : its template alone",
        "duty page : its template alone",
        "unit board : its template alone",
        "city board : its template alone",
        "sign-off queue : its template alone",
        "desk queue : its template alone",
    },
    "signing": {"tick with evidence : raw SQL", "confirm many duties in one step : raw SQL"},
    "opening": {
        "open a year : executemany of its duty rows",
        "memory at the end of opening : at a third of it",
    },
    "uploads": {"take files in : read, SHA-256, write, fsync", "memory that taking files in adds : 64 MB"},
    "verify": {"verify stored files : sha256sum"},
    "log": {"check the log : a bare loop of SHA-256"},
    "export": {
        "take a year along as .xlsx : XlsxWriter on ready rows",
        "take a year along as .csv : XlsxWriter on ready rows",
        "memory at the end of taking along : early in it",
    },
}
ROW = Row(name="a : b", unit="s", value=2.0, floor=1.0, demand=0.4)


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """Two units of three organizations, with a year."""
    made = Ground(tmp_path_factory.mktemp("ground"))
    made.make("tiny", years=1)
    return made


def contents(database: Path) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables."""
    with closing(connect(database)) as connection:
        return {name: sorted(connection.execute(f'SELECT * FROM "{name}"'), key=repr) for name in counted(database)}


@pytest.fixture(scope="module")
def measured(ground: Ground) -> Callable[[str], list[Row]]:
    """The rows of one thing, which is measured once."""
    return cache(lambda name: list(measure(name, ground, TINY)))


@pytest.fixture(scope="module")
def there(ground: Ground) -> Iterator[Served]:
    """The program and the floor of its pages, serving."""
    with served(ground) as both:
        yield both


@pytest.mark.parametrize("name", NAMES)
def test_everything_is_measured_beside_its_floor(measured: Callable[[str], list[Row]], name: str) -> None:
    found = measured(name)
    assert {row.name for row in found} == NAMES[name]
    for row in found:
        assert row.unit
        assert row.demand > 0
        assert row.ratio > 0 or row.at_most
        assert row.floor > 0
        assert row_of(json.loads(json.dumps(row.facts()))) == row


def test_nothing_that_can_be_measured_is_left_out_of_the_test_above() -> None:
    assert set(MEASURES) == set(NAMES)


def test_pages_are_measured_against_a_smaller_ground(ground: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    main(order("growth", ground, TINY, small=ground))
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["name"].partition(",")[0] for row in rows] == [page.name for page in pages_of(ground)]
    assert {row["demand"] for row in rows} == {1.3}


def test_the_floor_of_a_page_shows_the_same_page(there: Served) -> None:
    for visited in there.pages:
        shown, floor = (body_of(port, visited.page.path, visited.cookie) for port in (there.port, there.floor))
        assert len(shown) > 2_000, visited.page
        assert DIFFERENT.sub("", shown) == DIFFERENT.sub("", floor), visited.page


def test_a_page_that_is_refused_is_no_measurement(there: Served) -> None:
    with pytest.raises(BenchError, match="answers 404"):
        load(there.port, "/duties/none", there.pages[0].cookie, seconds=0.1, connections=2)


def test_nothing_goes_on_serving(ground: Ground, tmp_path: Path) -> None:
    (tmp_path / "small.py").write_text("def application(_, start):\n    start('200 OK', [])\n    return [b'here']\n")
    environment = {**ground.environment(), "PYTHONPATH": str(tmp_path)}
    with serving("small:application", environment, tmp_path / "small.log") as port:
        assert body_of(port, "/", "") == "here"
    with pytest.raises(ConnectionRefusedError):
        body_of(port, "/", "")
    alive = b""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has just ended
            alive += path.read_bytes()
    assert f"--port\0{port}\0".encode() not in alive


def test_the_floor_of_signing_leaves_the_same_rows(ground: Ground) -> None:
    with ground.copies("work", "floor") as (work, floor):
        before = counted(floor)
        done = acts.signed(ground, work, floor, ticks=4)
        assert contents(work) == contents(floor)
        after = counted(floor)
    assert len(done.ticks) == len(done.raw_ticks) == done.confirmed == 4
    assert after["sign_off"] - before["sign_off"] == 8
    assert after["evidence"] - before["evidence"] == 4
    assert not list(ground.root.glob("floor.sqlite3*"))


def test_the_floor_of_opening_leaves_the_same_duties(ground: Ground) -> None:
    with ground.copies("work", "floor") as (work, floor):
        _, _, duties, _ = acts.opened(ground, work, floor)
        assert contents(work)["duty"] == contents(floor)["duty"]
        assert contents(work)["cycle"] == contents(floor)["cycle"]
    assert duties > 100


def test_what_is_read_is_not_overheard_and_rows_of_one_statement_are_sent_together(ground: Ground) -> None:
    app = ground.application()
    with ground.copies("work") as (work,), app.app_context(), overhearing(db.engine) as heard:
        assert db.session().get(Cycle, 1) is not None
        assert heard.statements == []
        heard.add("INSERT INTO x VALUES (?)", [(1,)])
        heard.add("INSERT INTO x VALUES (?)", [(2,)])
        assert heard.statements == [("INSERT INTO x VALUES (?)", [(1,), (2,)])]
        with closing(connect(work)) as connection:
            connection.execute("CREATE TABLE x (n INTEGER)")
        with closing(connect(work)) as bare:
            assert replay(bare, heard) > 0
        assert counted(work)["x"] == 2
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def test_the_floor_of_taking_in_keeps_the_same_bytes(tmp_path: Path) -> None:
    file = tmp_path / "paper.pdf"
    file.write_bytes(EVERY_KIND["pdf"]())
    store = BlobStore(tmp_path / "store")
    with file.open("rb") as stream:
        accepted = take_in(stream, name=file.name, store=store, limits=Limits())
    assert stored.plain_copy(file, tmp_path / "plain") > 0
    assert (tmp_path / "plain" / accepted.sha256).read_bytes() == file.read_bytes()


HOLDS = "held = b'x' * 100_000_000; import sys; print(flush=True); sys.stdin.read()"


def test_what_is_held_while_a_file_is_taken_in_shows_whatever_was_held_before() -> None:
    """The most that the system remembers of a process would hide it behind what was let go long ago."""
    growth, before = Growth(), b"x" * 200_000_000
    del before
    with growth.step():
        pass
    with growth.step():
        pass
    assert growth.bytes < 20_000_000
    with growth.step():
        held = b"x" * 100_000_000
    assert 90_000_000 < growth.bytes < 120_000_000
    del held
    below = Growth()
    with below.step():
        pass
    with subprocess.Popen([sys.executable, "-c", HOLDS], stdin=PIPE, stdout=PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with below.step():
            pass
    assert 90_000_000 < below.bytes < 150_000_000


def test_files_that_are_taken_in_have_many_sizes() -> None:
    assert stored.sizes_of(1_000)[:5] == [5, 20, 50, 100, 200]
    assert 1_000 <= sum(stored.sizes_of(1_000)) <= 1_005


def test_the_floor_of_the_log_hashes_what_the_check_hashes(ground: Ground) -> None:
    app = ground.application()
    with app.app_context():
        chain = chains(db.session())[0]
        pieces = [piece for entry in entries_of(db.session(), chain) for piece in stored.hashed_of(entry)]
        assert len(pieces) == 2 * chain.length
        [report] = verify_log(db.session(), chain=chain.key)
        assert report.broken is None
        db.session.remove()
        db.engine.dispose()


def test_the_floor_of_exporting_writes_the_same_cells(ground: Ground, tmp_path: Path) -> None:
    app = ground.application()
    with app.app_context():
        session = db.session()
        cycle = session.get_one(Cycle, 1)
        headings, rows = table_of(session, cycle, language="zh")
        stored.plain_book(tmp_path / "floor.xlsx", [headings, *rows])
        write_duties(session, cycle, tmp_path / "ours.xlsx", language="zh")
        db.session.remove()
        db.engine.dispose()
    ours, floor = (list(load_workbook(tmp_path / name).worksheets[0].values) for name in ("ours.xlsx", "floor.xlsx"))
    assert ours == floor
    assert len(ours) > 100


def test_acts_are_measured_on_sqlite_only(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="SQLite"), Ground(tmp_path, url="postgresql+psycopg://x").copies("a"):
        pass


def test_an_empty_database_is_told_of(tmp_path: Path) -> None:
    ground = Ground(tmp_path)
    with ground.application().app_context():
        db.create_all()
        with pytest.raises(BenchError, match="bench seed"):
            visitors()
        db.session.remove()
        db.engine.dispose()


def test_a_run_is_printed_kept_compared_and_made_into_pages(ground: Ground, tmp_path: Path) -> None:
    runner = ground.application().test_cli_runner()
    asked = ["--scale", "tiny", "--only", "log", "--only", "export", "--data", str(tmp_path / "data")]
    outcome = runner.invoke(bench, [*asked, "--json"])
    assert outcome.exit_code in {0, 1}, outcome.stderr
    told = json.loads(outcome.stdout)
    assert set(told) == {"machine", "rows"}
    assert {"name", "value", "floor", "ratio", "demand", "met"} <= told["rows"][0].keys()
    assert outcome.exit_code == (0 if all(row["met"] for row in told["rows"]) else 1)
    kept = tmp_path / "run.json"
    kept.write_text(outcome.stdout, "utf-8")
    again = runner.invoke(bench, [*asked[:4], *asked[-2:], "--against", str(kept)])
    assert re.search(r"check the log : .*\d\.\d{3} +\d\.\d{3}", again.stdout)
    assert "not now" in again.stdout
    written = runner.invoke(bench, ["page", str(kept), str(kept), "--out", str(tmp_path / "docs")])
    assert written.exit_code == 0
    for language in LANGUAGES:
        page = (tmp_path / "docs" / language.file).read_text("utf-8")
        assert page.count(told["machine"]["date"]) == page.count(language.head) == 2
        assert language.growth not in page


def test_a_province_needs_its_database(tmp_path: Path, ground: Ground) -> None:
    asked = ["run", "--only", "province", "--data", str(tmp_path)]
    outcome = ground.application().test_cli_runner().invoke(bench, asked)
    assert outcome.exit_code == 3
    assert "--province" in outcome.stderr


@pytest.mark.parametrize("content", ["", "{}", '{"machine": {}, "rows": [{"name": "x"}]}'])
def test_what_is_no_run_is_refused(tmp_path: Path, ground: Ground, content: str) -> None:
    file = tmp_path / "run.json"
    file.write_text(content)
    outcome = ground.application().test_cli_runner().invoke(bench, ["page", str(file)])
    assert outcome.exit_code == 3
    assert "run.json" in outcome.stderr


@pytest.mark.parametrize(
    ("row", "ratio", "met"),
    [
        (Row(name="", unit="s", value=2, floor=1, demand=0.5), 0.5, True),
        (Row(name="", unit="s", value=4, floor=1, demand=0.5), 0.25, False),
        (Row(name="", unit="req/s", value=1, floor=2, demand=0.5, more=True), 0.5, True),
        (Row(name="", unit="ms", value=3, floor=2, demand=1.3, at_most=True), 1.5, False),
        (Row(name="", unit="ms", value=2, floor=2, demand=1.3, at_most=True), 1, True),
    ],
)
def test_a_ratio_says_how_near_we_are_or_how_much_it_grew(row: Row, ratio: float, met: bool) -> None:
    assert row.ratio == ratio
    assert row.met is met


def test_a_step_back_is_told() -> None:
    slower = Row(name="a : b", unit="s", value=4.0, floor=1.0, demand=0.4)
    other = Row(name="c", unit="s", value=1.0, floor=1.0, demand=0.4)
    told = list(against([slower, other], [ROW]))
    assert "-50% WORSE" in told[1]
    assert told[2].endswith("new")


def test_the_table_names_what_is_missed() -> None:
    missed = Row(name="c", unit="s", value=9.0, floor=1.0, demand=0.4, p95=3.0, floor_p95=1.0)
    _, good, bad = lines_of([ROW, missed])
    assert " met" in good
    assert "MISSED" in bad
    assert "p95 3.0 ms : 1.0 ms" in bad


def test_95_of_100_lie_below_the_p95() -> None:
    assert p95_of([number / 1000 for number in range(101)]) == pytest.approx(95)
    assert p95_of([0.5]) == 500


def test_every_row_is_in_words_on_the_chinese_page(measured: Callable[[str], list[Row]], tmp_path: Path) -> None:
    rows = [row for name in NAMES for row in measured(name)]
    rows += [replace(rows[0], name=f"my duties, p95 : {of}") for of in ("of a city", "of a tenth of a city year")]
    file = tmp_path / "run.json"
    told = {
        "date": "",
        "processor": "",
        "cores": 2,
        "memory_gb": 1,
        "system": "",
        "python": "",
        "sqlite": "",
        "load": 0,
    }
    file.write_text(as_json(rows, {**told, "load": 0, "scale": "tiny", "years": 1}), "utf-8")
    write_pages(tmp_path, [read_run(file)])
    table = [line for line in StringIO((tmp_path / "performance.zh-CN.md").read_text("utf-8")) if line.startswith("| ")]
    for line in table[1:]:
        name = line.split(" | ")[0]
        assert re.search("[\u4e00-\u9fff]", name.partition("：")[0]), line
    assert LANGUAGES[1].growth in (tmp_path / "performance.zh-CN.md").read_text("utf-8")


def test_the_duty_that_is_looked_at_was_confirmed(ground: Ground) -> None:
    page = next(page for page in pages_of(ground) if page.name == "duty page")
    with closing(connect(ground.database)) as connection:
        [(state,)] = connection.execute("SELECT state FROM duty WHERE key = ?", (page.path.removeprefix("/duties/"),))
    assert state == State.CONFIRMED.value
