"""the inspectors' desk: draws, self-checks, rectification, look-backs, good practice, circulars."""

from pathlib import Path

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None

SAMPLES = "sample IN ('all', 'hand', 'drawn')"
ACTIONS = (
    "action IN ('notify', 'receive', 'measure', 'ask_extension', 'grant_extension', 'refuse_extension', "
    "'attach', 'fix', 'report', 'return', 'close')"
)
FINDER = "action <> 'close' OR (reporter_id IS NOT NULL AND finder_id IS NOT NULL AND person_id <> finder_id)"


def _create_guards():
    """Create the triggers of the tables that are new or changed; the file for each database lies beside this one."""
    dialect = op.get_bind().dialect.name
    source = Path(__file__).with_name(f"0002_guards.{dialect}.sql").read_text()
    for statement in source.split(";;\n"):
        op.get_bind().exec_driver_sql(statement.replace("%", "%%") if dialect == "postgresql" else statement)


def _change_on_postgresql():
    """New columns and wider checks."""
    for table in ('inspection_fact', 'rectification_step'):
        op.execute(f'DROP TRIGGER {table}_is_fixed ON {table}')
    op.add_column('inspection_fact', sa.Column('notice_file_id', sa.Integer(), nullable=True))
    op.add_column('inspection_fact', sa.Column('notice_name', sa.String(length=200), nullable=True))
    op.add_column('inspection_fact', sa.Column('self_check_due_on', sa.Date(), nullable=True))
    op.add_column('inspection_fact', sa.Column('ranked', sa.Boolean(), nullable=False, server_default=sa.false()))
    op.alter_column('inspection_fact', 'ranked', server_default=None)
    op.create_foreign_key(
        'fk_inspection_fact_notice_file_id', 'inspection_fact', 'stored_file', ['notice_file_id'], ['id']
    )
    op.drop_constraint(op.f('ck_inspection_fact_sample'), 'inspection_fact')
    op.create_check_constraint(op.f('ck_inspection_fact_sample'), 'inspection_fact', SAMPLES)
    op.add_column('rectification_step', sa.Column('finder_id', sa.Integer(), nullable=True))
    op.add_column('rectification_step', sa.Column('post', sa.String(length=200), nullable=True))
    op.add_column('rectification_step', sa.Column('planned_on', sa.Date(), nullable=True))
    op.create_foreign_key('fk_rectification_step_finder_id', 'rectification_step', 'person', ['finder_id'], ['id'])
    op.drop_constraint(op.f('ck_rectification_step_action'), 'rectification_step')
    op.create_check_constraint(op.f('ck_rectification_step_action'), 'rectification_step', ACTIONS)
    op.create_check_constraint(op.f('ck_rectification_step_finder_does_not_close'), 'rectification_step', FINDER)
    op.add_column('finding', sa.Column('item_id', sa.String(length=200), nullable=True))
    op.add_column('finding', sa.Column('repeats', sa.String(length=200), nullable=True))


def _rebuild_inspection_fact():
    """SQLite changes a check only by writing the table anew; its triggers go with the old one."""
    op.drop_index('ix_inspection_fact_inspection_id', table_name='inspection_fact')
    op.drop_index('uq_inspection_fact_in_force', table_name='inspection_fact')
    op.rename_table('inspection_fact', 'old_inspection_fact')
    op.create_table('inspection_fact',
    sa.Column('inspection_id', sa.Integer(), nullable=False),
    sa.Column('title', sa.String(length=200), nullable=False),
    sa.Column('basis', sa.Text(), nullable=False),
    sa.Column('kind', sa.Enum('regular', 'special', 'look_back', name='kind', native_enum=False, create_constraint=True, length=24), nullable=False),
    sa.Column('state', sa.Enum('open', 'closed', name='state', native_enum=False, create_constraint=True, length=24), nullable=False),
    sa.Column('starts_on', sa.Date(), nullable=False),
    sa.Column('ends_on', sa.Date(), nullable=False),
    sa.Column('period_starts_on', sa.Date(), nullable=False),
    sa.Column('period_ends_on', sa.Date(), nullable=False),
    sa.Column('items', sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
    sa.Column('sample', sa.String(length=200), nullable=False),
    sa.Column('notice_file_id', sa.Integer(), nullable=True),
    sa.Column('notice_name', sa.String(length=200), nullable=True),
    sa.Column('self_check_due_on', sa.Date(), nullable=True),
    sa.Column('ranked', sa.Boolean(), nullable=False),
    sa.Column('entered_by_id', sa.Integer(), nullable=True),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('superseded_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('id', sa.Integer(), nullable=False),
    sa.CheckConstraint("sample IN ('all', 'hand', 'drawn')", name=op.f('ck_inspection_fact_sample')),
    sa.CheckConstraint('ends_on >= starts_on', name=op.f('ck_inspection_fact_ends_after_start')),
    sa.CheckConstraint('period_ends_on >= period_starts_on', name=op.f('ck_inspection_fact_period_ends_after_start')),
    sa.ForeignKeyConstraint(['entered_by_id'], ['person.id'], name=op.f('fk_inspection_fact_entered_by_id')),
    sa.ForeignKeyConstraint(['inspection_id'], ['inspection.id'], name=op.f('fk_inspection_fact_inspection_id')),
    sa.ForeignKeyConstraint(['notice_file_id'], ['stored_file.id'], name=op.f('fk_inspection_fact_notice_file_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_inspection_fact'))
    )
    columns = (
        'inspection_id, title, basis, kind, state, starts_on, ends_on, period_starts_on, '
        'period_ends_on, items, sample, entered_by_id, recorded_at, superseded_at, id'
    )
    op.execute(f'INSERT INTO inspection_fact ({columns}, ranked) SELECT {columns}, 0 FROM old_inspection_fact')
    op.drop_table('old_inspection_fact')
    op.create_index(op.f('ix_inspection_fact_inspection_id'), 'inspection_fact', ['inspection_id'], unique=False)
    op.create_index('uq_inspection_fact_in_force', 'inspection_fact', ['inspection_id'], unique=True, sqlite_where=sa.text('superseded_at IS NULL'), postgresql_where=sa.text('superseded_at IS NULL'))


def _rebuild_rectification_step():
    op.rename_table('rectification_step', 'old_rectification_step')
    op.create_table('rectification_step',
    sa.Column('finding_id', sa.Integer(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('action', sa.Enum('notify', 'receive', 'measure', 'ask_extension', 'grant_extension', 'refuse_extension', 'attach', 'fix', 'report', 'return', 'close', name='action', native_enum=False, create_constraint=True, length=24), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('reporter_id', sa.Integer(), nullable=True),
    sa.Column('finder_id', sa.Integer(), nullable=True),
    sa.Column('evidence_id', sa.Integer(), nullable=True),
    sa.Column('text', sa.Text(), nullable=False),
    sa.Column('post', sa.String(length=200), nullable=True),
    sa.Column('planned_on', sa.Date(), nullable=True),
    sa.Column('deadline', sa.Date(), nullable=True),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('id', sa.Integer(), nullable=False),
    sa.CheckConstraint("action <> 'close' OR (reporter_id IS NOT NULL AND finder_id IS NOT NULL AND person_id <> finder_id)", name=op.f('ck_rectification_step_finder_does_not_close')),
    sa.CheckConstraint("action NOT IN ('close', 'return') OR reporter_id IS NULL OR person_id <> reporter_id", name=op.f('ck_rectification_step_doer_does_not_close')),
    sa.ForeignKeyConstraint(['evidence_id'], ['evidence.id'], name=op.f('fk_rectification_step_evidence_id')),
    sa.ForeignKeyConstraint(['finder_id'], ['person.id'], name=op.f('fk_rectification_step_finder_id')),
    sa.ForeignKeyConstraint(['finding_id'], ['finding.id'], name=op.f('fk_rectification_step_finding_id')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_rectification_step_person_id')),
    sa.ForeignKeyConstraint(['reporter_id'], ['person.id'], name=op.f('fk_rectification_step_reporter_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_rectification_step')),
    sa.UniqueConstraint('finding_id', 'number', name=op.f('uq_rectification_step_finding_id_number'))
    )
    columns = (
        'finding_id, number, action, person_id, reporter_id, evidence_id, text, '
        'deadline, at, id'
    )
    op.execute(f'INSERT INTO rectification_step ({columns}) SELECT {columns} FROM old_rectification_step')
    op.drop_table('old_rectification_step')


def _change_on_sqlite():
    _rebuild_inspection_fact()
    _rebuild_rectification_step()
    op.execute('ALTER TABLE finding ADD COLUMN item_id VARCHAR(200)')
    op.execute('ALTER TABLE finding ADD COLUMN repeats VARCHAR(200)')


def upgrade():
    op.create_table('inspection_draw',
    sa.Column('inspection_id', sa.Integer(), nullable=False),
    sa.Column('seed', sa.String(length=200), nullable=False),
    sa.Column('rule', sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
    sa.Column('strata', sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
    sa.Column('excluded', sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
    sa.Column('population', sa.LargeBinary(), nullable=False),
    sa.Column('population_size', sa.Integer(), nullable=False),
    sa.Column('population_sha256', sa.String(length=200), nullable=False),
    sa.Column('picked_size', sa.Integer(), nullable=False),
    sa.Column('picked_sha256', sa.String(length=200), nullable=False),
    sa.Column('drawn_by_id', sa.Integer(), nullable=True),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('superseded_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('id', sa.Integer(), nullable=False),
    sa.CheckConstraint('population_size >= picked_size', name=op.f('ck_inspection_draw_no_more_than_there_are')),
    sa.ForeignKeyConstraint(['drawn_by_id'], ['person.id'], name=op.f('fk_inspection_draw_drawn_by_id')),
    sa.ForeignKeyConstraint(['inspection_id'], ['inspection.id'], name=op.f('fk_inspection_draw_inspection_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_inspection_draw'))
    )
    op.create_index('uq_inspection_draw_in_force', 'inspection_draw', ['inspection_id'], unique=True, sqlite_where=sa.text('superseded_at IS NULL'), postgresql_where=sa.text('superseded_at IS NULL'))
    op.create_table('self_check_line',
    sa.Column('inspection_id', sa.Integer(), nullable=False),
    sa.Column('unit_id', sa.Integer(), nullable=False),
    sa.Column('item_id', sa.String(length=200), nullable=False),
    sa.Column('value', sa.Enum('met', 'partly', 'missing', 'not_applicable', name='value', native_enum=False, create_constraint=True, length=24), nullable=True),
    sa.Column('tenths', sa.Integer(), nullable=True),
    sa.Column('statement', sa.Text(), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('superseded_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('id', sa.Integer(), nullable=False),
    sa.CheckConstraint('tenths IS NULL OR tenths >= 0', name=op.f('ck_self_check_line_points_not_negative')),
    sa.ForeignKeyConstraint(['inspection_id'], ['inspection.id'], name=op.f('fk_self_check_line_inspection_id')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_self_check_line_person_id')),
    sa.ForeignKeyConstraint(['unit_id'], ['organization.id'], name=op.f('fk_self_check_line_unit_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_self_check_line'))
    )
    op.create_index('uq_self_check_line_in_force', 'self_check_line', ['inspection_id', 'unit_id', 'item_id'], unique=True, sqlite_where=sa.text('superseded_at IS NULL'), postgresql_where=sa.text('superseded_at IS NULL'))
    op.create_table('self_check_hand_in',
    sa.Column('inspection_id', sa.Integer(), nullable=False),
    sa.Column('unit_id', sa.Integer(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('digest', sa.String(length=200), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('id', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['inspection_id'], ['inspection.id'], name=op.f('fk_self_check_hand_in_inspection_id')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_self_check_hand_in_person_id')),
    sa.ForeignKeyConstraint(['unit_id'], ['organization.id'], name=op.f('fk_self_check_hand_in_unit_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_self_check_hand_in')),
    sa.UniqueConstraint('inspection_id', 'unit_id', 'number', name=op.f('uq_self_check_hand_in_inspection_id_unit_id_number'))
    )

    op.create_table('desk_hold',
    sa.Column('inspection_id', sa.Integer(), nullable=False),
    sa.Column('duty_id', sa.Integer(), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('until', sa.DateTime(timezone=True), nullable=False),
    sa.Column('id', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['duty_id'], ['duty.id'], name=op.f('fk_desk_hold_duty_id')),
    sa.ForeignKeyConstraint(['inspection_id'], ['inspection.id'], name=op.f('fk_desk_hold_inspection_id')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_desk_hold_person_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_desk_hold')),
    sa.UniqueConstraint('inspection_id', 'duty_id', name=op.f('uq_desk_hold_inspection_id_duty_id'))
    )

    op.create_table('frequent_reason',
    sa.Column('key', sa.String(length=200), nullable=False),
    sa.Column('value', sa.Enum('met', 'partly', 'missing', 'not_applicable', name='value', native_enum=False, create_constraint=True, length=24), nullable=False),
    sa.Column('text', sa.Text(), nullable=False),
    sa.Column('entered_by_id', sa.Integer(), nullable=False),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('superseded_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('id', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['entered_by_id'], ['person.id'], name=op.f('fk_frequent_reason_entered_by_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_frequent_reason'))
    )
    op.create_index('uq_frequent_reason_in_force', 'frequent_reason', ['key'], unique=True, sqlite_where=sa.text('superseded_at IS NULL'), postgresql_where=sa.text('superseded_at IS NULL'))
    op.create_table('file_trait',
    sa.Column('stored_file_id', sa.Integer(), nullable=False),
    sa.Column('picture', sa.String(length=200), nullable=True),
    sa.Column('band_1', sa.Integer(), nullable=True),
    sa.Column('band_2', sa.Integer(), nullable=True),
    sa.Column('band_3', sa.Integer(), nullable=True),
    sa.Column('band_4', sa.Integer(), nullable=True),
    sa.Column('band_5', sa.Integer(), nullable=True),
    sa.Column('taken_on', sa.Date(), nullable=True),
    sa.Column('characters', sa.Integer(), nullable=True),
    sa.Column('made_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('id', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['stored_file_id'], ['stored_file.id'], name=op.f('fk_file_trait_stored_file_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_file_trait')),
    sa.UniqueConstraint('stored_file_id', name=op.f('uq_file_trait_stored_file_id'))
    )
    for band in ('band_1', 'band_2', 'band_3', 'band_4', 'band_5'):
        op.create_index(op.f(f'ix_file_trait_{band}'), 'file_trait', [band], unique=False)
    op.create_table('look_back_draw',
    sa.Column('inspection_id', sa.Integer(), nullable=False),
    sa.Column('seed', sa.String(length=200), nullable=False),
    sa.Column('rule', sa.JSON().with_variant(postgresql.JSONB(), "postgresql"), nullable=False),
    sa.Column('population', sa.LargeBinary(), nullable=False),
    sa.Column('population_size', sa.Integer(), nullable=False),
    sa.Column('population_sha256', sa.String(length=200), nullable=False),
    sa.Column('picked_size', sa.Integer(), nullable=False),
    sa.Column('picked_sha256', sa.String(length=200), nullable=False),
    sa.Column('drawn_by_id', sa.Integer(), nullable=False),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('superseded_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('id', sa.Integer(), nullable=False),
    sa.CheckConstraint('population_size >= picked_size', name=op.f('ck_look_back_draw_no_more_than_there_are')),
    sa.ForeignKeyConstraint(['drawn_by_id'], ['person.id'], name=op.f('fk_look_back_draw_drawn_by_id')),
    sa.ForeignKeyConstraint(['inspection_id'], ['inspection.id'], name=op.f('fk_look_back_draw_inspection_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_look_back_draw'))
    )
    op.create_index('uq_look_back_draw_in_force', 'look_back_draw', ['inspection_id'], unique=True, sqlite_where=sa.text('superseded_at IS NULL'), postgresql_where=sa.text('superseded_at IS NULL'))
    op.create_table('look_back_finding',
    sa.Column('inspection_id', sa.Integer(), nullable=False),
    sa.Column('finding_id', sa.Integer(), nullable=False),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('superseded_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('id', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['finding_id'], ['finding.id'], name=op.f('fk_look_back_finding_finding_id')),
    sa.ForeignKeyConstraint(['inspection_id'], ['inspection.id'], name=op.f('fk_look_back_finding_inspection_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_look_back_finding'))
    )
    op.create_index(op.f('ix_look_back_finding_finding_id'), 'look_back_finding', ['finding_id'], unique=False)
    op.create_index('uq_look_back_finding_in_force', 'look_back_finding', ['inspection_id', 'finding_id'], unique=True, sqlite_where=sa.text('superseded_at IS NULL'), postgresql_where=sa.text('superseded_at IS NULL'))
    op.create_table('look_back_verdict',
    sa.Column('inspection_id', sa.Integer(), nullable=False),
    sa.Column('finding_id', sa.Integer(), nullable=False),
    sa.Column('held', sa.Boolean(), nullable=False),
    sa.Column('note', sa.Text(), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('superseded_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('id', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['finding_id'], ['finding.id'], name=op.f('fk_look_back_verdict_finding_id')),
    sa.ForeignKeyConstraint(['inspection_id'], ['inspection.id'], name=op.f('fk_look_back_verdict_inspection_id')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_look_back_verdict_person_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_look_back_verdict'))
    )
    op.create_index('uq_look_back_verdict_in_force', 'look_back_verdict', ['inspection_id', 'finding_id'], unique=True, sqlite_where=sa.text('superseded_at IS NULL'), postgresql_where=sa.text('superseded_at IS NULL'))
    op.create_table('good_practice',
    sa.Column('key', sa.String(length=200), nullable=False),
    sa.Column('inspection_id', sa.Integer(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('unit_id', sa.Integer(), nullable=False),
    sa.Column('evidence_id', sa.Integer(), nullable=False),
    sa.Column('title', sa.String(length=200), nullable=False),
    sa.Column('state', sa.Enum('marked', 'agreed', 'declined', 'withdrawn', name='state', native_enum=False, create_constraint=True, length=24), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('id', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['evidence_id'], ['evidence.id'], name=op.f('fk_good_practice_evidence_id')),
    sa.ForeignKeyConstraint(['inspection_id'], ['inspection.id'], name=op.f('fk_good_practice_inspection_id')),
    sa.ForeignKeyConstraint(['unit_id'], ['organization.id'], name=op.f('fk_good_practice_unit_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_good_practice')),
    sa.UniqueConstraint('inspection_id', 'number', name=op.f('uq_good_practice_inspection_id_number')),
    sa.UniqueConstraint('key', name=op.f('uq_good_practice_key'))
    )
    op.create_index(op.f('ix_good_practice_unit_id'), 'good_practice', ['unit_id'], unique=False)
    op.create_table('good_practice_step',
    sa.Column('good_practice_id', sa.Integer(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('action', sa.Enum('mark', 'agree', 'decline', 'withdraw', name='action', native_enum=False, create_constraint=True, length=24), nullable=False),
    sa.Column('person_id', sa.Integer(), nullable=False),
    sa.Column('text', sa.Text(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('id', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['good_practice_id'], ['good_practice.id'], name=op.f('fk_good_practice_step_good_practice_id')),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_good_practice_step_person_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_good_practice_step')),
    sa.UniqueConstraint('good_practice_id', 'number', name=op.f('uq_good_practice_step_good_practice_id_number'))
    )

    op.create_table('circular_text',
    sa.Column('inspection_id', sa.Integer(), nullable=False),
    sa.Column('paper', sa.String(length=200), nullable=False),
    sa.Column('overall', sa.Text(), nullable=False),
    sa.Column('good_practice', sa.Text(), nullable=False),
    sa.Column('problems', sa.Text(), nullable=False),
    sa.Column('demands', sa.Text(), nullable=False),
    sa.Column('entered_by_id', sa.Integer(), nullable=False),
    sa.Column('recorded_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('superseded_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('id', sa.Integer(), nullable=False),
    sa.CheckConstraint("paper IN ('summary', 'circular')", name=op.f('ck_circular_text_paper')),
    sa.ForeignKeyConstraint(['entered_by_id'], ['person.id'], name=op.f('fk_circular_text_entered_by_id')),
    sa.ForeignKeyConstraint(['inspection_id'], ['inspection.id'], name=op.f('fk_circular_text_inspection_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_circular_text'))
    )
    op.create_index('uq_circular_text_in_force', 'circular_text', ['inspection_id', 'paper'], unique=True, sqlite_where=sa.text('superseded_at IS NULL'), postgresql_where=sa.text('superseded_at IS NULL'))
    if op.get_bind().dialect.name == 'postgresql':
        _change_on_postgresql()
    else:
        _change_on_sqlite()
    op.create_index('ix_finding_unit_id_item_id', 'finding', ['unit_id', 'item_id'], unique=False)
    op.execute('UPDATE finding SET item_id = (SELECT duty.item_id FROM duty WHERE duty.id = finding.duty_id)')
    _create_guards()


def downgrade():
    """Refuse: the tables hold what must not vanish."""
    raise RuntimeError('The steps of rectifications and the draws of samples are not thrown away; restore a backup.')
