"""`tracker demo`: a small variant of the city, built twice by processes of their own."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pysqlite3
import pytest
import time_machine
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import Session

from tests.city import at
from tracker.app import create_app
from tracker.cli.demo.build import summary
from tracker.cli.demo.command import demo, parts
from tracker.cli.demo.opening import ACCOUNTS, PASSWORD
from tracker.cli.demo.place import MARK, Standing, settings_for, standing
from tracker.cli.demo.words import SELF_CHECK_STATEMENTS
from tracker.config import load_settings
from tracker.db import db, engine_options
from tracker.domain.duty import State
from tracker.domain.good_practice import GoodPracticeState
from tracker.domain.inspection import InspectionState, RectificationAction, RectificationState
from tracker.domain.media import KINDS
from tracker.domain.password import PROFILES, check_password
from tracker.domain.score import NEEDS_A_REASON
from tracker.models import (
    AccessLog,
    Account,
    Base,
    Decision,
    Duty,
    DutyPlan,
    Evidence,
    Finding,
    FrequentReason,
    GoodPractice,
    Handover,
    HandoverSignature,
    Inspection,
    InspectionDraw,
    LogChain,
    Organization,
    Overrule,
    RectificationStep,
    SelfCheckHandIn,
    SelfCheckLine,
    StoredFile,
    Verdict,
)
from tracker.queries.self_check_tables import table_of
from tracker.storage.blobs import BlobStore

BUILD = """
from pathlib import Path
import sys
from tracker.cli.demo.command import ensure
from tracker.cli.demo.place import settings_for
from tracker.cli.demo.town import Scale
ensure(settings_for(Path(sys.argv[1]), port=None), scale=Scale(branches=(3, 2, 1), members=1, samples=1))
"""
DAY_AFTER = at(date(2026, 11, 21))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two demos, built at the same time by processes that order sets of words differently."""
    folders = tmp_path_factory.mktemp("one") / "demo", tmp_path_factory.mktemp("two") / "demo"
    running = [
        subprocess.Popen(
            [sys.executable, "-c", BUILD, str(folder)],
            env=_clean() | {"PYTHONHASHSEED": str(seed), "TZ": zone},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed, (folder, zone) in enumerate(zip(folders, ("UTC", "America/Lima"), strict=True), start=1)
    ]
    for process in running:
        told, _ = process.communicate(timeout=300)
        assert process.returncode == 0, told
        assert "organizations" in told
    return folders


def _clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("TRACKER_")}


@pytest.fixture
def folder(built: tuple[Path, Path], tmp_path: Path) -> Path:
    """A demo of one's own."""
    shutil.copytree(built[0], tmp_path / "demo")
    return tmp_path / "demo"


@pytest.fixture
def app(folder: Path) -> Iterator[Flask]:
    """The application of the demo."""
    made = create_app(load_settings(data_dir=folder, demo=True))
    yield made
    with made.app_context():
        db.engine.dispose()


@pytest.fixture
def session(app: Flask) -> Iterator[Session]:
    """A session on the demo."""
    with app.app_context(), Session(db.engine) as session:
        yield session


def _heads(folder: Path) -> list[tuple[str, int, str]]:
    url = f"sqlite:///{folder}/tracker.sqlite3"
    engine = create_engine(url, **engine_options(url))
    try:
        with Session(engine) as session:
            return [(c.key, c.length, c.head or "") for c in session.scalars(select(LogChain).order_by(LogChain.key))]
    finally:
        engine.dispose()


def test_two_builds_have_the_same_logs_and_the_same_files(built: tuple[Path, Path]) -> None:
    one, two = built

    assert _heads(one) == _heads(two) != []
    assert list(BlobStore(one / "evidence").digests()) == list(BlobStore(two / "evidence").digests()) != []


def test_every_log_and_every_file_of_the_city_holds(session: Session, folder: Path) -> None:
    found = summary(session, BlobStore(folder / "evidence"))

    assert found.faults == []
    assert found.entries > 500


def test_a_file_that_changed_is_named(session: Session, folder: Path) -> None:
    store = BlobStore(folder / "evidence")
    digest = next(store.digests())
    store.path(digest).chmod(0o600)
    store.path(digest).write_bytes(b"something else")

    assert summary(session, store).faults == [f"file {digest}: changed"]


def test_there_are_duties_in_every_state(session: Session) -> None:
    counts = dict(session.execute(select(Duty.state, func.count()).group_by(Duty.state)).all())

    assert set(counts) == set(State)
    assert session.scalar(select(func.count()).where(Duty.is_changed.is_(True)))


def test_duties_are_in_time_recorded_late_made_up_and_overdue(session: Session) -> None:
    handed_in = Duty.first_submitted_on.is_not(None)
    wanted = {
        "in time": handed_in & (Duty.first_submitted_on <= Duty.due_on),
        "recorded late": handed_in & (Duty.act_on <= Duty.due_on) & (Duty.first_submitted_on > Duty.due_on),
        "made up": handed_in & (Duty.act_on > Duty.due_on),
        "overdue": (Duty.state == State.OPEN) & Duty.in_force & (Duty.due_on < date(2026, 11, 20)),
        "reported events": Duty.happened_on.is_not(None),
    }

    assert [name for name, rule in wanted.items() if not session.scalar(select(func.count()).where(rule))] == []


def test_evidence_of_every_accepted_kind_is_there(session: Session) -> None:
    assert {file.facts["kind"] for file in session.scalars(select(StoredFile))} == set(KINDS)


def test_one_record_serves_several_duties_and_some_are_void(session: Session) -> None:
    assert session.scalar(select(func.count()).where(Evidence.withdrawn.is_(True)))
    assert session.scalar(select(func.count(Evidence.id))) < session.scalar(
        select(func.count()).where(Duty.first_submitted_on.is_not(None))
    )


def test_the_year_was_decided_on_laid_out_again_and_handed_over(session: Session) -> None:
    assert {row.kind.value for row in session.scalars(select(Decision))} == {"off", "give", "more", "own"}
    assert session.scalar(select(func.count(DutyPlan.id)).where(DutyPlan.superseded_at.is_not(None)))
    handover = session.scalars(select(Handover)).one()
    assert session.scalar(select(func.count()).where(HandoverSignature.handover_id == handover.id)) == 2


def test_the_first_check_is_finished_and_the_second_has_work_left(session: Session) -> None:
    first, second = session.scalars(select(Inspection).order_by(Inspection.number))

    assert (first.number, first.state, second.state) == (1, InspectionState.CLOSED, InspectionState.OPEN)
    assert session.scalar(select(func.count()).where(Finding.inspection_id == first.id)) >= 4
    assert session.scalar(select(func.count()).where(Overrule.inspection_id == first.id)) == 1
    assert session.scalar(select(func.count()).where(Verdict.inspection_id == second.id))


def test_the_findings_stand_at_every_place_between_notice_and_closing(session: Session) -> None:
    assert set(session.scalars(select(Finding.state))) == set(RectificationState)
    assert session.scalar(
        select(func.count()).where(RectificationStep.action == RectificationAction.GRANT_EXTENSION)
    )


def test_the_secretary_and_the_head_with_accounts_have_a_finding_to_sign_for(app: Flask) -> None:
    with app.app_context(), Session(db.engine) as session:
        finding = session.scalars(select(Finding).join(Inspection).where(Inspection.number == 2)).one()
        key = finding.key
        taken = select(RectificationStep.action).where(RectificationStep.finding_id == finding.id)

        assert finding.organization.code == "LY-01"
        assert session.scalars(taken).all() == [RectificationAction.NOTIFY]
    with time_machine.travel(DAY_AFTER):
        for account in ("zhibu", "dangzu"):
            client = app.test_client()
            _sign_in(client, account)
            page = client.get(f"/rectification/{key}").get_data(as_text=True)
            assert f'action="/rectification/{key}/receive"' in page, account


def test_an_inspector_read_what_they_marked(session: Session) -> None:
    for practice in session.scalars(select(GoodPractice)):
        opened = select(func.min(AccessLog.at)).where(
            AccessLog.verb == "evidence.open", AccessLog.object_key == practice.evidence.key
        )
        assert session.scalars(opened).one() is not None


def test_no_unit_says_that_all_was_in_time_where_the_counts_say_late(session: Session) -> None:
    second = session.scalars(select(Inspection).where(Inspection.number == 2)).one()
    for unit in session.scalars(select(Organization).join(SelfCheckLine, SelfCheckLine.unit_id == Organization.id)):
        for line in table_of(session, second, unit, as_of=DAY_AFTER):
            assert not (line.counts.late and line.answer.statement == SELF_CHECK_STATEMENTS[0]), line


def test_the_second_check_is_drawn_and_one_unit_has_handed_its_table_in(session: Session) -> None:
    draw = session.scalars(select(InspectionDraw)).one()
    assert draw.inspection_id == session.scalar(select(Inspection.id).where(Inspection.number == 2))
    assert 0 < draw.picked_size < draw.population_size
    handed_in = session.scalars(select(SelfCheckHandIn.unit_id)).all()
    assert len(handed_in) == 1
    assert len(set(session.scalars(select(SelfCheckLine.unit_id)))) == 2


def test_the_desk_has_frequent_reasons(session: Session) -> None:
    assert set(session.scalars(select(FrequentReason.value))) == NEEDS_A_REASON


def test_one_good_practice_is_agreed_to_and_one_waits(session: Session) -> None:
    assert set(session.scalars(select(GoodPractice.state))) == {GoodPracticeState.AGREED, GoodPracticeState.MARKED}


def test_the_printed_accounts_are_told_with_their_parts(session: Session) -> None:
    told = parts(session)

    assert [account for account, _, _ in told] == list(ACCOUNTS)
    assert all(name and part for _, name, part in told)


def test_the_printed_password_keeps_the_rules() -> None:
    for account in ACCOUNTS:
        check_password(PASSWORD, profile=PROFILES["gb22239"], context=[account])


def _sign_in(client: FlaskClient, account: str) -> int:
    page = client.get("/auth/login").get_data(as_text=True)
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert found
    data = {"csrf_token": found[1], "username": account, "password": PASSWORD}
    return client.post("/auth/login", data=data).status_code


def test_everybody_on_the_printed_list_can_sign_in(app: Flask) -> None:
    with time_machine.travel(DAY_AFTER):
        assert {account: _sign_in(app.test_client(), account) for account in ACCOUNTS} == dict.fromkeys(ACCOUNTS, 302)


def test_nobody_else_has_a_password(session: Session) -> None:
    open_ones = session.scalars(select(Account.username).where(Account.password.is_not(None)))

    assert set(open_ones) == set(ACCOUNTS)


def test_a_second_run_keeps_what_is_there(folder: Path) -> None:
    before = _heads(folder)

    result = CliRunner().invoke(demo, ["--no-serve", "--data", str(folder)])

    assert result.exit_code == 0, result.output
    assert "is kept" in result.output
    assert _heads(folder) == before


def test_a_folder_that_is_no_demo_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")

    result = CliRunner().invoke(demo, ["--fresh", "--no-serve", "--data", str(tmp_path)])

    assert result.exit_code == 2
    assert "--data" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_database_that_is_no_demo_is_refused_and_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "real.sqlite3"
    monkeypatch.setenv("TRACKER_DATABASE_URL", f"sqlite:///{path}")
    with pysqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE log_entry (id INTEGER PRIMARY KEY, verb TEXT)")
        connection.execute("INSERT INTO log_entry VALUES (1, 'publish')")
    before = path.read_bytes()

    result = CliRunner().invoke(demo, ["--fresh", "--no-serve", "--data", str(tmp_path / "demo")])

    assert result.exit_code == 2
    assert "no demo" in result.output
    assert path.read_bytes() == before


def test_a_demo_that_was_not_finished_is_seen(folder: Path) -> None:
    settings = settings_for(folder, port=None)
    assert standing(settings) is Standing.READY

    shutil.rmtree(settings.store_dir)

    assert standing(settings) is Standing.BEGUN
    assert (folder / MARK).is_file()


def test_the_tables_are_those_of_the_migrations(folder: Path) -> None:
    with pysqlite3.connect(folder / "tracker.sqlite3") as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}

    assert names >= {*Base.metadata.tables, "alembic_version"}
