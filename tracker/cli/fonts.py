"""`tracker fonts`: prepare the fonts that documents are printed with."""

from __future__ import annotations

import sys

import click
from flask import current_app
from flask.cli import with_appcontext

from tracker.cli.progress import bar
from tracker.config import Settings
from tracker.reporting.fonts import FontError, prepare_fonts

ENVIRONMENT = 3


@click.command()
@with_appcontext
def fonts() -> None:
    """Prepare the fonts of printed documents. Once, and again when a font of your own is named or replaced."""
    settings: Settings = current_app.config["TRACKER"]
    named = {"fangsong": settings.fangsong_font, "biaosong": settings.biaosong_font}
    licensed = {role: path for role, path in named.items() if path is not None}
    try:
        with bar("fonts") as progress:
            prepared = prepare_fonts(
                settings.font_dir,
                licensed=licensed,
                progress=(lambda done, whole, _: progress(done, whole)) if progress else None,
            )
    except FontError as error:
        click.echo(f"fonts: {error}", err=True)
        sys.exit(ENVIRONMENT)
    for name in prepared.names:
        click.echo(name)
