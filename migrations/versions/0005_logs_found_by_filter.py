"""indexes by which the filters of the logs, and past days of checks, find what they ask for."""

from alembic import op

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None

OLD = (
    ('log_entry', 'at'),
    ('log_entry', 'actor'),
    ('log_entry', 'object_kind', 'object_key'),
)
NEW = (
    ('log_entry', 'at', 'id'),
    ('log_entry', 'actor', 'id'),
    ('log_entry', 'verb', 'id'),
    ('log_entry', 'object_key', 'id'),
    ('access_log', 'actor', 'at'),
    ('access_log', 'verb', 'at'),
    ('access_log', 'object_key', 'at'),
    ('inspection_duty', 'inspection_id'),  # of a check, what was replaced since too
    ('verdict', 'inspection_id'),
    ('look_back_finding', 'inspection_id'),
)


def _replace(old, new):
    for table, *columns in new:
        by_bytes = {'object_key': 'text_pattern_ops'} if columns[0] == 'object_key' else {}  # found by its beginning
        op.create_index('_'.join(('ix', table, *columns)), table, columns, postgresql_ops=by_bytes)
    for table, *columns in old:
        op.drop_index('_'.join(('ix', table, *columns)), table)


def upgrade():
    _replace(OLD, NEW)


def downgrade():
    _replace(NEW, OLD)
