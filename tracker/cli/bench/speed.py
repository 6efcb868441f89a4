"""`tracker bench run`: every page and every act against a floor that is measured beside it, in the same run."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from tracker.cli.bench.case import FULL, GROWTHS, MEASURES, QUICK, Amounts, order
from tracker.cli.bench.ground import SIZES, TENTH, Ground
from tracker.cli.bench.measure import BenchError
from tracker.cli.bench.measure import run as measured
from tracker.cli.bench.performance_page import LANGUAGES, write_pages
from tracker.cli.bench.table import Row, against, as_json, line_of, lines_of, machine, read_run, row_of
from tracker.cli.progress import bar
from tracker.config import CHECKOUT

MISSED, ENVIRONMENT = 1, 3


@click.command()
@click.option("--scale", type=click.Choice(list(SIZES)), default=TENTH, show_default=True, help="What is measured on.")
@click.option("--years", type=click.IntRange(1, 10), default=1, show_default=True, help="How many years of it.")
@click.option("--only", multiple=True, type=click.Choice([*MEASURES, *GROWTHS]), help="Only this; may be repeated.")
@click.option("--full", is_flag=True, help="Measure longer and more: 1 GB, 100,000 files, 500 ticks.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder to work in, kept with its seeded databases; by default a new one that is removed.",
)
@click.option("--province", default="", metavar="URL", help="A database with a seeded province, for `--only province`.")
@click.option(
    "--against", "earlier", type=click.Path(dir_okay=False, path_type=Path), help="Compare with the JSON of a run."
)
@click.option("--json", "as_json_", is_flag=True, help="Print JSON.")
def run(
    scale: str,
    years: int,
    only: tuple[str, ...],
    data: Path | None,
    province: str,
    earlier: Path | None,
    *,
    full: bool,
    as_json_: bool,
) -> None:
    """Measure pages and acts, as ratios against floors of the same run; by default on a tenth of a city, in minutes.

    `growth` (pages at this scale and years against a tenth of a city year) and `province` are long, and measured only
    where they are asked for. Exit code 1 where a demand is missed, 3 where something is missing or fails.
    """
    before = None
    rows: list[Row] = []
    try:
        before = read_run(earlier)[1] if earlier else None
        names = list(dict.fromkeys(only)) or list(MEASURES)
        if "province" in names and not province:
            raise BenchError("--province names the database with the province: postgresql+psycopg://…")
        told = {**machine(), "scale": scale, "years": years, "full": full}
        with _folder(data) as folder:
            course = Course(folder, scale, years, FULL if full else QUICK, province=province, quiet=as_json_)
            for row in course.rows(names):
                if not as_json_:
                    click.echo("\n".join([*lines_of([row])] if not rows else [line_of(row)]))
                rows.append(row)
    except BenchError as error:
        click.echo(f"bench: {error}", err=True)
        sys.exit(ENVIRONMENT)
    if as_json_:
        click.echo(as_json(rows, told))
    if before is not None:
        click.echo("\n".join(against(rows, before)), err=as_json_)
    if not all(row.met for row in rows):
        sys.exit(MISSED)


class Course:
    """One run: the folder with its grounds, seeded when they are needed."""

    def __init__(
        self, folder: Path, scale: str, years: int, much: Amounts, *, province: str = "", quiet: bool = False
    ) -> None:
        self.folder = folder
        self.scale = scale
        self.years = years
        self.much = much
        self.quiet = quiet
        self._province = province

    def rows(self, names: Sequence[str]) -> Iterator[Row]:
        """Measure one thing after the other, each in a process of its own."""
        for name in names:
            ground, small = self._grounds(name)
            words = [sys.executable, "-m", "tracker.cli.bench.one", order(name, ground, self.much, small=small)]
            done = measured(words, environment=ground.environment(), folder=CHECKOUT)
            for facts in done.told["rows"]:
                yield row_of(facts)

    def _grounds(self, name: str) -> tuple[Ground, Ground | None]:
        if name == "growth":
            return self._made(self.scale, self.years), self._made(TENTH, 1)
        if name == "province":
            large = Ground(self.folder / "province", url=self._province)
            large.root.mkdir(parents=True, exist_ok=True)
            large.let_in()
            return large, self._made(self.scale, self.years)
        return self._made(self.scale, self.years), None

    def _made(self, scale: str, years: int) -> Ground:
        ground = Ground(self.folder / f"{scale}-{years}")
        ground.root.mkdir(parents=True, exist_ok=True)
        with bar(f"{scale}, {years} years", quiet=self.quiet) as progress:
            ground.make(scale, years=years, progress=progress)
        return ground


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(dir_okay=False, exists=True, path_type=Path))
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=CHECKOUT / "docs",
    show_default="docs",
    help="The folder of the pages.",
)
def page(runs: tuple[Path, ...], out: Path) -> None:
    """Write the pages on performance (performance.md in each language) from the JSON of RUNS, a table for each."""
    try:
        measured = [read_run(run) for run in runs]
    except BenchError as error:
        click.echo(f"bench: {error}", err=True)
        sys.exit(ENVIRONMENT)
    write_pages(out, measured)
    click.echo(f"{len(LANGUAGES)} pages, {sum(len(rows) for _, rows in measured)} rows")


@contextmanager
def _folder(data: Path | None) -> Iterator[Path]:
    if data is not None:
        yield data.resolve()
        return
    folder = Path(tempfile.mkdtemp(prefix="tracker-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
