"""history by year: on PostgreSQL the log and the access log have a partition for each."""

import re
from pathlib import Path

from alembic import op

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None

TABLES = ('log_payload', 'log_entry', 'access_log')
YEARS = range(2022, 2042)
OF_A_YEAR = 10**10  # row numbers: one is the year of the row's own moment, then ten digits
NUMBERS = {'log_entry': ('id', 'payload_id')}  # columns with such numbers; in other tables it is the id alone
COLUMNS = {
    'log_payload': 'body, sealed_at',
    'log_entry': 'chain_id, seq, at, act_id, actor, appointment, verb, object_kind, object_key, request_id, '
    'payload_digest, previous, digest',
    'access_log': 'at, actor, unit_id, verb, object_kind, object_key, request_id',
}
RULES = {
    'log_entry': ('CONSTRAINT fk_log_entry_chain_id FOREIGN KEY (chain_id) REFERENCES log_chain (id)',),
    'access_log': ('CONSTRAINT fk_access_log_unit_id FOREIGN KEY (unit_id) REFERENCES organization (id)',),
}
# What no rule of a divided table can say; divided, it stands in each year for itself.
WHOLE_RULES = {
    'log_entry': (
        'CONSTRAINT uq_log_entry_chain_id_seq UNIQUE (chain_id, seq)',
        'CONSTRAINT fk_log_entry_payload_id FOREIGN KEY (payload_id) REFERENCES log_payload (id)',
    )
}
YEARLY_RULES = {'log_entry': ('UNIQUE (chain_id, seq)', 'FOREIGN KEY (payload_id) REFERENCES log_payload_{part} (id)')}
INDEXES = (
    ('log_entry', 'act_id'),
    ('log_entry', 'actor'),
    ('log_entry', 'at'),
    ('log_entry', 'digest'),
    ('log_entry', 'object_kind', 'object_key'),
    ('access_log', 'at', 'id'),
    ('access_log', 'unit_id', 'at'),
)
# New numbers: entries in their order, a payload with the entry that names it.
YEAR = "extract(year FROM at AT TIME ZONE INTERVAL '8 hours')::bigint * 10000000000 + "
NUMBERED = """CREATE TEMPORARY TABLE new_log_entry ON COMMIT DROP AS
    SELECT id, payload_id, {year}row_number() OVER (ORDER BY id) AS number FROM old_log_entry;
CREATE TEMPORARY TABLE new_log_payload ON COMMIT DROP AS
    SELECT p.id, coalesce(max(n.number), p.id) AS number
    FROM old_log_payload AS p LEFT JOIN new_log_entry AS n ON n.payload_id = p.id GROUP BY p.id;
CREATE TEMPORARY TABLE new_access_log ON COMMIT DROP AS
    SELECT id, {year}row_number() OVER (ORDER BY id) AS number FROM old_access_log;
ANALYZE new_log_entry, new_log_payload, new_access_log"""
ONCE = """CREATE OR REPLACE FUNCTION tracker_numbered_once() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN IF (SELECT count(*) FROM log_entry WHERE chain_id = NEW.chain_id AND seq = NEW.seq) > 1
THEN RAISE EXCEPTION 'duplicate key value: log_entry has this chain_id and seq' USING ERRCODE = 'unique_violation';
END IF; RETURN NULL; END $$;
CREATE TRIGGER log_entry_is_numbered_once AFTER INSERT ON log_entry FOR EACH ROW
    WHEN (to_char(NEW.at AT TIME ZONE INTERVAL '8 hours', 'MMDD') IN ('1231', '0101'))
    EXECUTE FUNCTION tracker_numbered_once()"""


def _run(statement):
    op.get_bind().exec_driver_sql(statement.replace('%', '%%'))


def _put_aside(table):
    """Rename a table and its indexes, so that others can take their names; its sequence stays for the new one."""
    _run(f'ALTER TABLE {table} RENAME TO old_{table}')
    names = f"SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = 'old_{table}'::regclass"
    for name in op.get_bind().exec_driver_sql(names).scalars().all():
        _run(f'ALTER INDEX {name} RENAME TO old_{name}')
    if table != 'log_entry':  # whose numbers are those of the payloads
        _run(f'ALTER TABLE old_{table} ALTER id DROP DEFAULT')
        _run(f'ALTER SEQUENCE {table}_id_seq OWNED BY NONE')


def _make(table, kind, ending, rules):
    """Make an empty table with the columns of the old one, its row numbers of a kind."""
    _run(f'CREATE TABLE shape (LIKE old_{table})')
    for column in NUMBERS.get(table, ('id',)):
        _run(f'ALTER TABLE shape ALTER {column} TYPE {kind}')  # once it is a key of partitions, it is what it is
    _run(f'CREATE TABLE {table} (LIKE shape) {ending}')
    _run('DROP TABLE shape')
    for rule in (f'CONSTRAINT pk_{table} PRIMARY KEY (id)', *RULES.get(table, ()), *rules):
        _run(f'ALTER TABLE {table} ADD {rule}')


def _divide(table):
    """Make the partitions of a table. Where a row tells its moment, the one of a year takes no other."""
    for part, first, last in (
        ('before', None, YEARS.start),
        *((str(year), year, year + 1) for year in YEARS),
        ('later', YEARS.stop, None),
    ):
        moments = [f"at {sign} '{year}-01-01 00:00:00+08'" for sign, year in (('>=', first), ('<', last)) if year]
        own = [f"CHECK ({' AND '.join(moments)})"] if first and table != 'log_payload' else []
        own += [rule.format(part=part) for rule in YEARLY_RULES.get(table, ())]
        inside = f" ({', '.join(own)})" if own else ''
        since, until = (year * OF_A_YEAR if year else edge for year, edge in ((first, 'MINVALUE'), (last, 'MAXVALUE')))
        _run(f'CREATE TABLE {table}_{part} PARTITION OF {table}{inside} FOR VALUES FROM ({since}) TO ({until})')
        _run(
            f'CREATE TRIGGER {table}_{part}_is_not_emptied BEFORE TRUNCATE ON {table}_{part} '
            'FOR EACH STATEMENT EXECUTE FUNCTION tracker_refuse()'
        )


def _fill():
    """Move all rows over under their new numbers, and throw the old tables away once nothing is missing."""
    for table in TABLES:
        columns = ', '.join(f'old.{name}' for name in COLUMNS[table].split(', '))
        is_entry = table == 'log_entry'
        _run(
            f"INSERT INTO {table} (id, {COLUMNS[table]}{', payload_id' if is_entry else ''}) "
            f"SELECT new.number, {columns}{', payload.number' if is_entry else ''} "
            f'FROM old_{table} AS old JOIN new_{table} AS new ON new.id = old.id '
            f"{'JOIN new_log_payload AS payload ON payload.id = old.payload_id ' if is_entry else ''}ORDER BY new.number"
        )
        count = f'SELECT (SELECT count(*) FROM old_{table}) = (SELECT count(*) FROM {table})'
        if not op.get_bind().exec_driver_sql(count).scalar():
            raise RuntimeError(f'not all rows of {table} could be moved; nothing was changed')
    for table, *columns in INDEXES:
        op.create_index('_'.join(('ix', table, *columns)), table, columns, unique=False)
    for table in ('log_entry', 'log_payload', 'access_log'):
        _run(f'DROP TABLE old_{table}')
    for statement in Path(__file__).with_name('0001_guards.postgresql.sql').read_text().split(';;\n'):
        if re.search(f" ON ({'|'.join(TABLES)}) ", statement):
            _run(statement)


def _go_on_numbering(table, *, among):
    """Let the next row be numbered behind all that there are."""
    last = f'SELECT coalesce(max(id % {OF_A_YEAR}), 0) + 1 FROM {among}'
    _run(f"SELECT setval('{table}_id_seq', ({last}), false)")


def upgrade():
    if op.get_bind().dialect.name != 'postgresql':
        return
    for table in TABLES:
        _put_aside(table)
    _run(NUMBERED.format(year=YEAR))
    for table in TABLES:
        _make(table, 'bigint', 'PARTITION BY RANGE (id)', ())
        _divide(table)
    _fill()
    _run(ONCE)
    for table, among in (('log_payload', 'log_entry'), ('access_log', 'access_log')):
        _run(f'ALTER SEQUENCE {table}_id_seq AS bigint MAXVALUE {OF_A_YEAR - 1} CYCLE OWNED BY {table}.id')
        _go_on_numbering(table, among=among)
    _run(f"ANALYZE {', '.join(TABLES)}")  # of a partition nobody has looked at, PostgreSQL believes that it is full


def downgrade():
    """Put the years together again, numbered from 1 on."""
    if op.get_bind().dialect.name != 'postgresql':
        return
    for table in TABLES:
        _put_aside(table)
    _run(NUMBERED.format(year=''))
    for table in TABLES:
        _make(table, 'integer', '', WHOLE_RULES.get(table, ()))
    _fill()
    _run('DROP FUNCTION tracker_numbered_once')
    _run('CREATE SEQUENCE log_entry_id_seq')
    for table in TABLES:
        _go_on_numbering(table, among=table)
        _run(f'ALTER SEQUENCE {table}_id_seq AS integer MAXVALUE 2147483647 NO CYCLE OWNED BY {table}.id')
        _run(f"ALTER TABLE {table} ALTER id SET DEFAULT nextval('{table}_id_seq')")
