"""What somebody could do who has the database itself in hand: change rows behind the program's back."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session


def tamper(session: Session, table: str, statement: str, **values: object) -> None:
    """Take the guards off a table (until the transaction is undone) and run a statement."""
    session.flush()
    session.expire_all()
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
    else:
        for ending in ("is_fixed", "is_kept"):
            session.execute(text(f"DROP TRIGGER IF EXISTS {table}_{ending}"))
    session.execute(text(statement), values)
