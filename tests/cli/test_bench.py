"""The bench of packets: that it measures, says what is missing, and gives every engine the same content."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import Result as Outcome

from tracker.app import create_app
from tracker.cli.bench.cases import Result
from tracker.cli.bench.command import bench
from tracker.cli.bench.content import book, packet, unit_name, unit_report
from tracker.cli.bench.evidence import given
from tracker.cli.bench.floors import Floors, parts_of
from tracker.cli.bench.folder import Bench
from tracker.cli.bench.measure import BenchError, run
from tracker.cli.bench.typst_source import typst_source
from tracker.config import CHECKOUT, load_settings
from tracker.reporting.fonts import prepare_fonts
from tracker.storage.blobs import BlobStore

UNITS = 3
PRINTED = ("templates/reports/*", "tracker/reporting/*.py", "tracker/domain/*.py", "tracker/cli/bench/*.py")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to work in, with fonts of the characters that can occur and no others: that is quick."""
    folder = tmp_path_factory.mktemp("bench")
    texts = [path.read_text("utf-8") for pattern in PRINTED for path in CHECKOUT.glob(pattern)]
    prepare_fonts(folder / "fonts", characters=frozenset(map(ord, "".join(texts))) | frozenset(range(0x20, 0x7F)))
    return folder


@pytest.fixture(scope="module")
def engines(data: Path) -> Floors:
    return Floors(Bench.at(data))


def measured(data: Path, *words: str) -> Outcome:
    app = create_app(load_settings(data_dir=data))
    return app.test_cli_runner().invoke(bench, ["pdf", "--data", str(data), *words])


def test_a_case_is_measured_and_told_with_its_demand(data):
    outcome = measured(data, "--quick", "--case", "4", "--json")
    (result,) = json.loads(outcome.output)
    assert result["what"] == "unit report, warm worker : Typst's call"
    assert result["demand"] == 2
    assert result["ratio"] == result["ours"] / result["floor"]
    assert outcome.exit_code == (0 if result["is_met"] else 1)


@pytest.mark.parametrize(("case", "package"), [("1", "chromium"), ("5", "chromium")])
def test_a_missing_program_is_named(data, tmp_path, monkeypatch, case, package):
    monkeypatch.setenv("PATH", str(tmp_path))
    outcome = measured(data, "--quick", "--case", case)
    assert outcome.exit_code == 3
    assert f"Debian's package `{package}`" in outcome.stderr


def test_missing_typst_is_named(data, monkeypatch):
    monkeypatch.setitem(sys.modules, "typst", None)
    outcome = measured(data, "--quick", "--case", "3")
    assert outcome.exit_code == 3
    assert "PyPI's package `typst`" in outcome.stderr


def test_every_engine_gets_every_unit_and_every_table(engines):
    body, _ = engines.html(parts_of(book(UNITS)))
    source = typst_source(body, engines.bench.fonts.families)
    for number in range(UNITS):
        assert f'<h1 class="unit">{unit_name(number)}</h1>' in body
        assert f"[{unit_name(number)}]" in source
    assert source.count("#table(") == body.count("<table")
    assert body.count('class="new-page part"') == UNITS + 3  # contents, statistics, verification


def test_chromium_prints_the_units_and_leaves_nothing_running(engines):
    done = engines.chromium("few", [unit_report(number) for number in range(2)])
    assert done.told["size"] > 0
    assert done.peak > done.parent > 0


def test_a_packet_is_made_cold_then_with_the_changed_unit_only(data, engines):
    cold = engines.bench.make("book", book(UNITS), cold=True)
    changed = engines.bench.make("book", book(UNITS, changed=1), cold=False, signed=True)
    assert changed.told["pages"] - cold.told["pages"] in {0, 1}  # the page on the signature is longer with one
    assert cold.child > 0
    assert (
        len(list((data / "sections").glob("sections-*/*.pdf"))) == UNITS + 5
    )  # one unit and the last page are there twice


def test_photographs_and_papers_are_shared_out_to_the_records(tmp_path):
    found = given(BlobStore(tmp_path), photos=2, pdfs=1, records=2)
    values = packet(found.records)
    assert sum(len(record.files) for record in values.facts.evidence) == 3
    assert all(path.is_file() for path in (*found.photos, *found.pdfs))


def test_a_program_that_fails_is_told_with_its_last_words(tmp_path):
    with pytest.raises(BenchError, match="no such luck"):
        run([sys.executable, "-c", "raise SystemExit('no such luck')"], environment={}, folder=tmp_path)


@pytest.mark.parametrize(("ours", "floor", "at_least", "is_met"), [(1, 2, False, True), (1, 2, True, False)])
def test_a_demand_is_a_share_or_a_multiple(ours, floor, at_least, is_met):
    demand = 4 if at_least else 0.5
    result = Result(case=1, what="", unit="s", ours=ours, floor=floor, demand=demand, at_least=at_least)
    assert result.is_met is is_met
