"""How Alembic meets the database of the application. A migration itself never imports the application."""

from __future__ import annotations

import re
from typing import Any

from alembic import context
from flask import current_app
from sqlalchemy import JSON, DateTime
from sqlalchemy.types import TypeDecorator

database = current_app.extensions["migrate"].db
PARTITION = re.compile(r"_(\d{4}|before|later)$")


def render_item(kind: str, item: Any, autogen_context: Any) -> str | bool:  # noqa: ARG001  Alembic's signature
    """Write our own types as plain ones, so that a migration stands alone."""
    if kind == "type" and isinstance(item, TypeDecorator) and isinstance(item.impl_instance, DateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, JSON):
        return 'sa.JSON().with_variant(postgresql.JSONB(), "postgresql")'
    return False


def include_object(thing: Any, name: str | None, kind: str, reflected: bool, other: Any) -> bool:
    """Leave partitions alone, and what stands in each of them for itself: no model says more than that they are."""
    if kind == "table":
        return not reflected or other is not None or not name or not PARTITION.search(name)
    alone = kind in {"unique_constraint", "foreign_key_constraint"} and other is None and not reflected
    return not (alone and "by_year" in thing.table.info and context.get_bind().dialect.name == "postgresql")


def run() -> None:
    """Run the migrations on a connection, in one transaction."""
    with database.engine.connect().execution_options(tracker_writes=True) as connection:
        context.configure(
            connection=connection,
            target_metadata=database.metadata,
            include_object=include_object,
            render_item=render_item,
            render_as_batch=True,
            compare_type=True,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()


run()
