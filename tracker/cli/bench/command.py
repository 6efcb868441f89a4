"""`tracker bench`: its commands, and that of packets: how fast they are made, and which demands are met."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from tracker.cli.bench.cases import CASES, QUICK, Course, Result, Sizes
from tracker.cli.bench.floors import demand_engines
from tracker.cli.bench.folder import Bench
from tracker.cli.bench.measure import BenchError
from tracker.cli.bench.seed import seed
from tracker.cli.bench.speed import page, run

MISSED, ENVIRONMENT = 1, 3


class Measuring(click.Group):
    """Runs `run` where no command is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `run` before options that are its own."""
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(cls=Measuring)
def bench() -> None:
    """Measure how fast this installation is. `tracker bench` alone is `tracker bench run`."""


bench.add_command(run)
bench.add_command(page)
bench.add_command(seed)


@bench.command()
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder to work in, kept with its prepared fonts; by default a new one that is removed.",
)
@click.option("--case", "chosen", type=click.IntRange(min(CASES), max(CASES)), multiple=True, help="Only this case.")
@click.option("--rounds", default=3, show_default=True, help="How often each pair is measured; medians count.")
@click.option("--quick", is_flag=True, help="A tenth of the size, once: to see that everything works.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def pdf(data: Path | None, chosen: tuple[int, ...], rounds: int, *, quick: bool, as_json: bool) -> None:
    """How fast packets are made, as ratios against other engines that print the same content in the same run.

    Exit code 1 where a demand is missed, 3 where an engine is missing or fails.
    """
    numbers = sorted(set(chosen)) or sorted(CASES)
    results: list[Result] = []
    try:
        demand_engines(engine for number in numbers for engine in CASES[number].engines)
        with _folder(data) as folder:
            course = Course(Bench.at(folder), QUICK if quick else Sizes(), 1 if quick else rounds)
            for number in numbers:
                for result in CASES[number].measure(course):
                    results.append(result)
                    if not as_json:
                        click.echo(_line(result))
    except BenchError as error:
        click.echo(f"bench: {error}", err=True)
        sys.exit(ENVIRONMENT)
    if as_json:
        click.echo(json.dumps([_as_json(result) for result in results], ensure_ascii=False, indent=2))
    if not all(result.is_met for result in results):
        sys.exit(MISSED)


@contextmanager
def _folder(data: Path | None) -> Iterator[Path]:
    if data is not None:
        yield data.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="tracker-bench-") as name:
        yield Path(name)


def _line(result: Result) -> str:
    sign = "≥" if result.at_least else "≤"
    verdict = "met" if result.is_met else "MISSED"
    load = os.getloadavg()[0]
    return (
        f"{result.case}  {result.what:<48} {result.ours:9.2f} : {result.floor:9.2f} {result.unit:<2}"
        f" {result.ratio:8.3f} {sign} {result.demand:<5} {verdict:<6} load {load:.1f}  {result.note}"
    )


def _as_json(result: Result) -> dict[str, object]:
    names = ("case", "what", "unit", "ours", "floor", "ratio", "demand", "at_least", "is_met", "note")
    return {name: getattr(result, name) for name in names} | {"load": os.getloadavg()[0]}
