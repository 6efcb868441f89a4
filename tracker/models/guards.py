"""What the database itself refuses: triggers, the same rules on SQLite and PostgreSQL.

Nothing is deleted from any table that holds a fact. A fact's row may change in one way only: `superseded_at` or
`sealed_at` is set, once. A text goes away only together with `sealed_at`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from sqlalchemy import Connection, MetaData, Table, event, text

from tracker.domain.inspection import RectificationAction
from tracker.domain.rectification import DOING, REPORTING
from tracker.models.base import Base, Recorded
from tracker.models.years import is_by_year, partitions

FROZEN = (
    "access_log",
    "checklist_version",
    "good_practice_step",
    "handover",
    "handover_signature",
    "log_entry",
    "rectification_step",
    "self_check_hand_in",
    "sign_off_doer",
)
SEALABLE = {"evidence_fact": "sentence", "log_payload": "body", "sign_off": "reason"}
SET_ONCE = ("superseded_at", "sealed_at")
KEPT = (
    "account",
    "cycle",
    "duty",
    "evidence",
    "finding",
    "good_practice",
    "inspection",
    "job",
    "log_chain",
    "organization",
    "person",
    "seal",
    "seat",
)

_POSTGRESQL_FUNCTION = """CREATE OR REPLACE FUNCTION tracker_refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION '% of % is refused: it is kept as it was written', TG_OP, TG_TABLE_NAME; END $$"""

# Whoever looks at a finding again neither worded it nor had a hand in putting it right, whatever the row itself says.
_SECOND_PERSON = """NEW.action IN ('close', 'return') AND (
NOT EXISTS (SELECT 1 FROM rectification_step AS r WHERE r.finding_id = NEW.finding_id AND r.action IN ({reporting}))
OR EXISTS (SELECT 1 FROM finding_fact AS f WHERE f.finding_id = NEW.finding_id AND f.entered_by_id = NEW.person_id)
OR EXISTS (SELECT 1 FROM rectification_step AS d WHERE d.finding_id = NEW.finding_id
AND d.person_id = NEW.person_id AND d.action IN ({doing})))"""
_REFUSAL = "INSERT of rectification_step is refused: finder or doer does_not_close"
_SECOND_PERSON_FUNCTION = """CREATE OR REPLACE FUNCTION tracker_second_person() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN IF {condition} THEN RAISE EXCEPTION '{refusal}' USING ERRCODE = 'check_violation'; END IF;
RETURN NEW; END $$"""

# Each year sees to it that no number of a chain comes twice in it. Two who took the same one at once could do so in two
# years only at the turn of the year, and only then is it worth while to look into the others.
_NUMBERED_ONCE = (
    """CREATE OR REPLACE FUNCTION tracker_numbered_once() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN IF (SELECT count(*) FROM log_entry WHERE chain_id = NEW.chain_id AND seq = NEW.seq) > 1
THEN RAISE EXCEPTION 'duplicate key value: log_entry has this chain_id and seq' USING ERRCODE = 'unique_violation';
END IF; RETURN NULL; END $$""",
    """CREATE TRIGGER log_entry_is_numbered_once AFTER INSERT ON log_entry FOR EACH ROW
    WHEN (to_char(NEW.at AT TIME ZONE INTERVAL '8 hours', 'MMDD') IN ('1231', '0101'))
    EXECUTE FUNCTION tracker_numbered_once()""",
)


def _second_person(dialect: str) -> Iterator[str]:
    """The SQL that lets nobody close or send back what they found or put right themselves."""
    lists = {"reporting": _listed(REPORTING), "doing": _listed(DOING)}
    condition = _SECOND_PERSON.format(**lists)
    head = "CREATE TRIGGER rectification_step_second_person BEFORE INSERT ON rectification_step FOR EACH ROW"
    if dialect == "sqlite":
        yield f"{head} WHEN {condition} BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
        return
    yield _SECOND_PERSON_FUNCTION.format(condition=condition, refusal=_REFUSAL)
    yield f"{head} EXECUTE FUNCTION tracker_second_person()"


def _listed(actions: Collection[RectificationAction]) -> str:
    return ", ".join(f"'{action.value}'" for action in sorted(actions))


def _history_tables() -> set[str]:
    return {mapper.class_.__tablename__ for mapper in Base.registry.mappers if issubclass(mapper.class_, Recorded)}


def fixed_tables() -> list[str]:
    """Names of the tables whose rows may not be updated, but for what is set once."""
    return sorted({*FROZEN, *SEALABLE, "stored_file", *_history_tables()})


def kept_tables() -> list[str]:
    """Names of all tables from which nothing may be deleted."""
    return sorted({*fixed_tables(), *KEPT})


def _illegal_update(table: Table) -> str:
    sealed_text = SEALABLE.get(table.name)
    terms = []
    for column in table.columns:
        old, new = f'OLD."{column.name}"', f'NEW."{column.name}"'
        if column.name in SET_ONCE:
            terms.append(f"({old} IS NOT NULL AND {new} IS DISTINCT FROM {old})")
        elif column.name == sealed_text:
            not_a_seal = f"{new} IS NOT NULL OR OLD.sealed_at IS NOT NULL OR NEW.sealed_at IS NULL"
            terms.append(f"({new} IS DISTINCT FROM {old} AND ({not_a_seal}))")
        else:
            terms.append(f"{new} IS DISTINCT FROM {old}")
    return " OR ".join(terms)


def _statement(name: str, moment: str, table: str, when: str, dialect: str) -> str:
    head = f"CREATE TRIGGER {name} BEFORE {moment} ON {table}"
    condition = f" WHEN ({when})" if when else ""
    if dialect == "sqlite":
        message = f"{moment} of {table} is refused: it is kept as it was written"
        return f"{head} FOR EACH ROW{condition} BEGIN SELECT RAISE(ABORT, '{message}'); END"
    rows = "STATEMENT" if moment == "TRUNCATE" else "ROW"
    return f"{head} FOR EACH {rows}{condition} EXECUTE FUNCTION tracker_refuse()"


def guard_statements(metadata: MetaData, dialect: str) -> Iterator[str]:
    """Yield the SQL that creates every guard, for `sqlite` or `postgresql`."""
    if dialect == "postgresql":
        yield _POSTGRESQL_FUNCTION
    for name in fixed_tables():
        yield _statement(f"{name}_is_fixed", "UPDATE", name, _illegal_update(metadata.tables[name]), dialect)
    for name in kept_tables():
        yield _statement(f"{name}_is_kept", "DELETE", name, "", dialect)
        if dialect == "postgresql":
            yield from _never_emptied(metadata.tables[name])
    if dialect == "postgresql":
        yield from _NUMBERED_ONCE
    yield from _second_person(dialect)


def _never_emptied(table: Table) -> Iterator[str]:
    """The guards against TRUNCATE: unlike those of rows, a table's partitions do not take them over."""
    for name in (table.name, *(partitions(table.name) if is_by_year(table) else ())):
        yield _statement(f"{name}_is_not_emptied", "TRUNCATE", name, "", "postgresql")


@event.listens_for(Base.metadata, "after_create")
def _create_guards(target: MetaData, connection: Connection, **_: object) -> None:
    for statement in guard_statements(target, connection.dialect.name):
        connection.execute(text(statement.replace(":", r"\:")))
