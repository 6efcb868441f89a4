"""The operator's commands. Exit codes: 0 fine, 1 findings, 2 wrong use, 3 environment."""

from __future__ import annotations

import sys

import click
from flask import Flask
from flask.cli import FlaskGroup
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError

from tracker.app import create_app
from tracker.cli.bench.command import bench
from tracker.cli.board import board
from tracker.cli.bundle import bundle
from tracker.cli.checklist import checklist
from tracker.cli.copy import copy
from tracker.cli.cycle import cycle
from tracker.cli.demo.command import demo
from tracker.cli.export import export
from tracker.cli.fonts import fonts
from tracker.cli.log import log
from tracker.cli.packet import packet
from tracker.cli.publish import publish
from tracker.cli.report import report
from tracker.cli.roster import roster
from tracker.cli.seal import seal
from tracker.cli.user import user
from tracker.cli.verify import gc, verify
from tracker.cli.worker import worker
from tracker.config import SettingsError
from tracker.db import OldSqlite, db
from tracker.domain.errors import RuleError, Unavailable
from tracker.tasks.readiness import BEHIND, standing_of

WRONG_USE, ENVIRONMENT = 2, 3
_LACKING = frozenset({"42P01", "42703"})  # SQLSTATE of a table and of a column that there is not
ON_ANY_DATABASE = frozenset({"db", "fonts", "limiter", "routes", "run", "shell"})


class Behind(Exception):
    """The database waits for migrations."""


def _application() -> Flask:
    """The application for a command, which works on no database that is behind the program."""
    app = create_app()
    _, *words = click.get_current_context().command_path.split()
    if words and words[0] not in ON_ANY_DATABASE:
        with app.app_context(), db.engine.connect() as connection:
            if standing_of(connection) == BEHIND:
                raise Behind(BEHIND)
    return app


cli = FlaskGroup(
    name="tracker",
    help="The tracker of responsibility checklists: the operator's commands.",
    create_app=_application,
    add_version_option=False,
)
COMMANDS = (
    *(bench, board, bundle, checklist, copy, cycle, demo, export, fonts, gc),
    *(log, packet, report, roster, seal, user, verify, worker),
)
for command in COMMANDS:
    cli.add_command(command)
checklist.add_command(publish)
click.version_option(package_name="tracker", prog_name="tracker")(cli)


def main() -> None:
    """Run the command that was given, and say in one line what stands in its way."""
    try:
        cli.main(prog_name="tracker")
    except Unavailable as error:
        click.echo(f"tracker: {error}", err=True)
        sys.exit(ENVIRONMENT)
    except RuleError as error:
        click.echo(f"tracker: {error}", err=True)
        sys.exit(WRONG_USE)
    except (SettingsError, OldSqlite, Behind) as error:
        click.echo(f"tracker: {error}", err=True)
        sys.exit(ENVIRONMENT)
    except (OperationalError, ProgrammingError) as error:
        click.echo(f"tracker: {_told(error)}", err=True)
        sys.exit(ENVIRONMENT)


def _told(error: DBAPIError) -> str:
    """What the database said, with what to run where it lacks a table or a column; nothing else is healed by that."""
    lacks = getattr(error.orig, "sqlstate", None) in _LACKING or "no such" in str(error.orig)
    if lacks:
        return f"the database is not as expected: {error.orig}\nrun: tracker db upgrade"
    return f"the database failed: {error.orig}"
