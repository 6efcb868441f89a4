"""`tracker checklist`: check the files of checklists, print their schema, show a list."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from tracker.domain.checklist import Checklist, Frequency, Item
from tracker.domain.checklist_problem import Problem
from tracker.domain.checklist_schema import editor_schema
from tracker.domain.checklist_source import Reading, read_checklist

FOLDER = Path(__file__).resolve().parents[2] / "checklists"
FINDINGS, ENVIRONMENT = 1, 3
READ_AT_MOST = 16 * 1024 * 1024  # the reader refuses long before; this only spares the memory


@click.group()
def checklist() -> None:
    """Responsibility checklists: check files, print the schema, show a list."""


@checklist.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the problems as JSON.")
def check(files: tuple[Path, ...], *, as_json: bool) -> None:
    """Report every problem of FILES. Exit code 1 if there is an error; warnings alone are fine."""
    readings = [_read(path) for path in files]
    problems = [problem for reading in readings for problem in reading.problems]
    if as_json:
        click.echo(json.dumps([problem.as_json() for problem in problems], ensure_ascii=False, indent=2))
    else:
        _print_problems(problems)
    if any(reading.errors for reading in readings):
        sys.exit(FINDINGS)


@checklist.command()
def schema() -> None:
    """Print the JSON Schema that editors use."""
    click.echo(editor_schema(), nl=False)


@checklist.command()
@click.argument("key")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
@click.option(
    "--folder",
    default=FOLDER,
    show_default="checklists/ of the program",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Where the files are.",
)
def show(key: str, folder: Path, *, as_json: bool) -> None:
    """Show the list with this KEY as a table."""
    found = _lists_in(folder)
    if key not in found:
        raise click.UsageError(f"no checklist {key!r} in {folder}; there are: {', '.join(sorted(found)) or 'none'}")
    shown = found[key]
    if as_json:
        click.echo(shown.model_dump_json(by_alias=True, indent=2))
    else:
        click.echo("\n".join(_lines_of(shown)))


def _read(path: Path) -> Reading:
    return read_checklist(_bytes_of(path), name=str(path))


def _bytes_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(READ_AT_MOST)
    except OSError as error:
        click.echo(f"cannot read {path}: {error.strerror}", err=True)
        sys.exit(ENVIRONMENT)


def _print_problems(problems: list[Problem]) -> None:
    for problem in problems:
        click.echo(str(problem))
    errors = sum(problem.severity == "error" for problem in problems)
    click.echo(f"{errors} errors, {len(problems) - errors} warnings", err=True)


def _lists_in(folder: Path) -> dict[str, Checklist]:
    """The sound lists of the folder by key."""
    readings = (_read(path) for path in sorted(folder.glob("*.yaml")))
    return {reading.checklist.key: reading.checklist for reading in readings if reading.checklist}


def _lines_of(shown: Checklist) -> Iterator[str]:
    """The list as lines of text: a head, then a table for each level."""
    yield f"{shown.title} ({shown.key} {shown.version}, {shown.status}, {shown.as_of})"
    yield shown.notice
    for level in shown.levels:
        items = [item for item in shown.items if item.level == level.id]
        yield f"\n{level.id} {level.name}: {len(items)} / {sum(item.points for item in items if not item.retired)}"
        yield from _table([_row(item, shown) for item in items])


def _row(item: Item, shown: Checklist) -> list[str]:
    confirmer = shown.post[item.confirmer].name if item.confirmer else "-"
    kinds = "、".join(shown.evidence_kind[kind].name for kind in item.evidence)
    title = item.title if not item.retired else f"({item.title})"
    return [item.id, title, shown.post[item.post].name, _when(item.frequency), confirmer, kinds, str(item.points)]


def _when(frequency: Frequency) -> str:
    windows = " ".join(f"{window.start}..{window.end}" for window in frequency.windows)
    return f"{frequency.label} {windows}".rstrip()


def _table(rows: list[list[str]]) -> Iterator[str]:
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(_padded(row, widths)).rstrip()


def _padded(row: list[str], widths: Iterable[int]) -> Iterator[str]:
    return (cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True))


def _width(text: str) -> int:
    """Columns on a terminal: Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
