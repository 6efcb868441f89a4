"""The documents tell the truth: links lead somewhere, commands and settings are those of the program."""

from __future__ import annotations

import configparser
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from tracker.cli import cli
from tracker.cli.demo.opening import ACCOUNTS, PASSWORD
from tracker.config import CHECKOUT, SECRETS, Settings

READMES = ["README.md", "README.zh-CN.md"]
PAGES = [*READMES, "CHANGELOG.md", *sorted(f"docs/{path.name}" for path in (CHECKOUT / "docs").glob("*.md"))]
DEPLOY = CHECKOUT / "docs" / "deploy"
OF_FLASK = {"db", "limiter", "routes", "run", "shell"}
LARGEST_PICTURE = 300 * 1024
PATH = re.compile(r"`((?:tracker|tests|checklists|templates|migrations|docs|requirements|packages)/[^`\s]*)`")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def page(name: str) -> str:
    return (CHECKOUT / name).read_text(encoding="utf-8")


def prose(name: str) -> str:
    return FENCE.sub("", page(name))


def block(name: str, word: str) -> list[list[str]]:
    """The cells of the table between two marks, without its head."""
    inside = page(name).partition(f"<!-- {word} -->")[2].partition(f"<!-- /{word} -->")[0]
    rows = [line.strip("|").split(" | ") for line in inside.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[str]:
    """The commands of the program with their groups before them, those of Flask and its extensions left out."""
    if not isinstance(command, click.Group):
        yield " ".join(path)
        return
    with click.Context(command) as context:  # Flask's group opens the application for as long as this lives
        found = {name: command.get_command(context, name) for name in command.list_commands(context)}
    for name, one in found.items():
        assert one is not None
        if path or name not in OF_FLASK:
            yield from commands(one, (*path, name))


def named_command(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that these words name, and what follows it."""
    command: click.Command = cli
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        with click.Context(command) as context:
            found = command.get_command(context, words[0])
        assert found is not None, f"there is no command {words[0]!r}"
        command, words = found, words[1:]
    return command, words


def default_of(field: FieldInfo) -> str | None:
    """The cell that a default stands in; None where it is made on first use."""
    if field.annotation is SecretStr:
        return None
    value = field.default
    shown = str(value).lower() if isinstance(value, bool) else str(value)
    return "–" if value in ("", None) else f"`{shown}`"


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_to_something_in_the_repository(name: str):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(name)):
        if not target.startswith(("https://", "#")):
            assert ((CHECKOUT / name).parent / target.partition("#")[0]).exists(), target


@pytest.mark.parametrize("name", READMES)
def test_every_path_that_is_named_exists(name: str):
    named = PATH.findall(page(name))
    assert len(named) > 40
    for path in {*named, *re.findall(r"[\w./-]*[\w-]+\.yaml", page(name))}:
        folder = "checklists" if path.endswith(".yaml") and "/" not in path else "."
        assert list((CHECKOUT / folder).glob(path.partition("#")[0])), path


@pytest.mark.parametrize("name", READMES)
def test_every_list_that_is_delivered_is_named(name: str):
    for path in (CHECKOUT / "checklists").glob("*.yaml"):
        assert path.name in page(name)


@pytest.mark.parametrize("name", READMES)
def test_the_table_of_settings_is_that_of_the_program(name: str):
    rows = block(name, "settings")
    fields = Settings.model_fields
    assert [row[0] for row in rows] == [f"`TRACKER_{field.upper()}`" for field in fields]
    for row, field in zip(rows, fields.values(), strict=True):
        assert default_of(field) in (None, row[1]), row[0]
        assert len(row) == 3
        assert row[2]
    for secret in SECRETS:
        assert f"`TRACKER_{secret.upper()}_FILE`" in page(name)


@pytest.mark.parametrize("name", READMES)
def test_every_command_stands_in_the_table_once(name: str):
    shown = []
    for row in block(name, "commands"):
        words = re.sub(r"[A-Z…]+", " ", row[0].strip("`").partition(" --")[0]).split()
        shown.append(" ".join(words[1:]))
    assert shown == sorted(commands(cli))


@pytest.mark.parametrize("name", READMES)
def test_every_command_line_of_the_first_steps_can_be_typed(name: str):
    lines = [line for part in FENCE.findall(page(name)) for line in part.splitlines() if line.startswith("tracker ")]
    assert len(lines) >= 10
    for line in lines:
        command, rest = named_command(shlex.split(line, comments=True)[1:])
        assert not isinstance(command, click.Group), line
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in rest if word.startswith("--")} <= known, line


@pytest.mark.parametrize("name", READMES)
def test_every_option_in_the_table_of_commands_is_one(name: str):
    for row in block(name, "commands"):
        command, rest = named_command(row[0].strip("`").split()[1:])
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in rest if word.startswith("--")} <= known, row[0]


@pytest.mark.parametrize("name", READMES)
def test_every_printed_account_of_the_demo_is_explained(name: str):
    for account in ACCOUNTS:
        assert f"`{account}`" in page(name)
    assert PASSWORD in page(name)


@pytest.mark.parametrize("name", READMES)
def test_the_map_names_every_folder_of_the_program(name: str):
    mapped = {row[0].strip("`") for row in block(name, "map")}
    packages = {f"tracker/{path.parent.name}/" for path in (CHECKOUT / "tracker").glob("*/__init__.py")}
    modules = {f"tracker/{path.name}" for path in (CHECKOUT / "tracker").glob("*.py")} - {"tracker/__init__.py"}
    assert {"tracker/translations/", *packages, *modules} <= mapped


def test_both_languages_have_the_same_parts():
    def parts(name: str) -> list[str]:
        return re.findall(r"^(#+) ", prose(name), re.MULTILINE)

    def tables(name: str) -> list[int]:
        return [len(block(name, word)) for word in ("settings", "commands", "map")]

    def shape(name: str) -> list[str]:
        return re.findall(r"^(\||\* \*\*|\* |```)", page(name), re.MULTILINE)

    english, chinese = READMES
    assert parts(english) == parts(chinese)
    assert tables(english) == tables(chinese)
    assert shape(english) == shape(chinese)


@pytest.mark.parametrize("name", READMES)
def test_it_is_said_that_the_list_is_an_example(name: str):
    beginning = page(name)[:2000]
    assert "sanji-sigang.yaml" in beginning
    assert "Changchun" in beginning or "长春" in beginning


def test_the_pictures_are_small_and_each_is_shown():
    pictures = list((CHECKOUT / "docs" / "images").iterdir())
    assert pictures
    for path in pictures:
        assert path.suffix == ".png"
        assert path.stat().st_size <= LARGEST_PICTURE
        for name in READMES:
            assert f"docs/images/{path.name}" in page(name)


def test_the_samples_for_systemd_run_what_there_is_with_settings_there_are():
    for path in sorted(DEPLOY.glob("*.service")):
        unit = configparser.ConfigParser(strict=False, interpolation=None)  # a filter may be built in steps
        unit.optionxform = str  # type: ignore[assignment,method-assign]
        unit.read_string(path.read_text())
        program, *rest = shlex.split(unit["Service"]["ExecStart"])
        assert Path(program).name in {"granian", "tracker"}
        if Path(program).name == "tracker":
            named_command(rest)
    names = set(re.findall(r"^#? ?(\w+)=", (DEPLOY / "tracker.env").read_text(), re.MULTILINE))
    assert "TRACKER_DATA_DIR" in names
    assert {name.removesuffix("_FILE") for name in names} <= {
        f"TRACKER_{field.upper()}" for field in Settings.model_fields
    }


def test_the_sample_for_nginx_lets_through_what_the_tracker_takes():
    megabytes = re.search(r"client_max_body_size (\d+)m;", (DEPLOY / "nginx.conf").read_text())
    assert megabytes is not None
    assert int(megabytes.group(1)) * 1024**2 >= Settings.model_fields["request_limit"].default
