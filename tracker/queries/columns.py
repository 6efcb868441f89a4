"""Reading columns, not objects: past the unit of work of a session, which costs as much as the database does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVarTuple

from sqlalchemy import CursorResult, Select
from sqlalchemy.orm import Session

Columns = Select[*tuple[Any, ...]]  # a SELECT of the columns that a dataclass names

Types = TypeVarTuple("Types")


def read(session: Session, statement: Select[*Types], values: Mapping[str, Any] | None = None) -> CursorResult[*Types]:
    """The rows of a statement that reads nothing but columns; what the session has still to write is written first."""
    session.flush()
    return session.connection().execute(statement, values or {})
