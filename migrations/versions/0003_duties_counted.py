"""duties counted in the transaction of every change, and indexes for what grows with the years."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None

INDEXES = (
    ('duty', 'cycle_id', 'due_on', 'key'),  # a list of a year, page by page, for whoever sees many units
    ('log_entry', 'digest'),  # the page of one entry
    ('access_log', 'at', 'id'),  # the newest first
    ('verdict', 'duty_id', 'inspection_id'),  # what was said of a duty, revised or not
    ('finding', 'organization_id'),
    ('finding', 'duty_id'),
    ('finding', 'repeats'),
    ('handover', 'incoming_id'),
    ('look_back_verdict', 'inspection_id'),  # revised or not
    ('self_check_line', 'inspection_id', 'unit_id'),  # revised or not
)


def _run(name):
    """Run the statements of a file that lies beside this one."""
    source = Path(__file__).with_name(name).read_text().strip()
    for statement in source.split(";;\n"):
        op.get_bind().exec_driver_sql(statement)


def upgrade():
    op.create_table('duty_count',
    sa.Column('cycle_id', sa.Integer(), nullable=False),
    sa.Column('kind', sa.String(length=200), nullable=False),
    sa.Column('unit_id', sa.Integer(), nullable=False),
    sa.Column('heading', sa.String(length=200), nullable=False),
    sa.Column('state', sa.String(length=200), nullable=False),
    sa.Column('timing', sa.String(length=200), nullable=False),
    sa.Column('due_on', sa.Date(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['cycle_id'], ['cycle.id'], name=op.f('fk_duty_count_cycle_id')),
    sa.ForeignKeyConstraint(['unit_id'], ['organization.id'], name=op.f('fk_duty_count_unit_id')),
    sa.PrimaryKeyConstraint('cycle_id', 'kind', 'unit_id', 'heading', 'state', 'timing', 'due_on', name=op.f('pk_duty_count')),
    sqlite_with_rowid=False
    )
    for table, *columns in INDEXES:
        op.create_index('_'.join(('ix', table, *columns)), table, columns, unique=False)
    _run('0003_counts.sql')
    _run(f'0003_counts.{op.get_bind().dialect.name}.sql')


def downgrade():
    """Take the counts away; the duties stay."""
    if op.get_bind().dialect.name == 'postgresql':
        op.execute('DROP FUNCTION tracker_count_new_duties, tracker_count_changed_duties CASCADE')
    else:
        for name in ('duty_is_counted', 'duty_leaves_its_count', 'duty_enters_its_count'):
            op.execute(f'DROP TRIGGER {name}')
    op.drop_table('duty_count')
    for table, *columns in INDEXES:
        op.drop_index('_'.join(('ix', table, *columns)), table)
