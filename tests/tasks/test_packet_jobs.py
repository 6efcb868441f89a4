"""Packets as jobs, killed, short of room, without an authority, and overtaken by a seal."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from tests.authorities import PASSPHRASE, Authority, serve
from tests.city import NOW
from tests.tasks.packet_scene import Installed, install
from tracker.config import CHECKOUT, Settings, load_settings
from tracker.db import writing
from tracker.models import Job, JobState, Person
from tracker.queries.actors import actor_of_person
from tracker.reporting.fonts import FontSet
from tracker.reporting.packet import Step
from tracker.services import jobs
from tracker.tasks import packets, sealing
from tracker.tasks.packets import NoRoom, Workshop, check_values, delivered, make_all
from tracker.tasks.results import result_path
from tracker.tasks.sealing import SealedMeanwhile
from tracker.tasks.worker import Worker
from tracker.tasks.workplace import work_folder

FEW = {"number": 1, "unit": "D1", "language": "zh"}  # before the hostile files were handed in


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, prepared_fonts: FontSet) -> Iterator[Installed]:
    """An installation."""
    made = install(tmp_path_factory.mktemp("installed"), prepared_fonts, sentence="秘密句子")
    yield made
    made.engine.dispose()


@pytest.fixture
def installed(made: Installed) -> Iterator[Installed]:
    """The installation without open jobs and results."""
    yield made
    shutil.rmtree(made.settings.result_dir, ignore_errors=True)
    with made.session() as session, writing(session):
        session.execute(update(Job).values(state=JobState.FAILED))


@pytest.fixture
def cold(installed: Installed) -> Installed:
    """The installation before anything was laid out."""
    shutil.rmtree(installed.settings.section_dir, ignore_errors=True)
    return installed


def configured(installed: Installed, **more) -> Settings:
    return load_settings(data_dir=installed.settings.data_dir, **more)


def ask(installed: Installed, kind: str, **arguments) -> str:
    with installed.session() as session, writing(session):
        ines = session.scalars(select(Person).where(Person.key == "ines")).one()
        job = jobs.ask(
            session,
            kind=kind,
            arguments={"number": 1, "as_of": NOW.isoformat(), "language": "zh", **arguments},
            title="督查卷",
            result_name="卷.pdf",
            unit_id=None,
            actor=actor_of_person(session, ines, today=NOW.date()),
            now=datetime.now(UTC),
        )
        return job.key


def read(installed: Installed, key: str) -> Job:
    with Session(installed.engine, expire_on_commit=False) as session:
        return session.scalars(select(Job).where(Job.key == key)).one()


def lease_is_over(installed: Installed, key: str) -> None:
    with installed.session() as session, writing(session):
        session.scalars(select(Job).where(Job.key == key)).one().lease_until = datetime.now(UTC) - timedelta(seconds=1)


def values_of(installed: Installed, as_of: datetime = NOW):
    with installed.session() as session:
        return check_values(session, **FEW, as_of=as_of)


def nothing(*_: object) -> None:
    """Progress that nobody watches."""


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# ---------------------------------------------------------------- killed


WORKER = """
import sys
from pathlib import Path
from sqlalchemy import create_engine
from tracker.config import load_settings
from tracker.db import engine_options, prepare
from tracker.tasks.worker import Worker
from tracker.tasks.works import WORKS

if __name__ == "__main__":
    settings = load_settings(data_dir=Path(sys.argv[1]))
    engine = create_engine(settings.database, **engine_options(settings.database))
    prepare(engine)
    Worker(engine, settings, WORKS).perform(sys.argv[2])
"""


def kill_a_worker(installed: Installed, key: str, when) -> None:
    """Have a worker do the job in a process of its own, and kill it, with its children, when its step is right."""
    command = [sys.executable, "-c", WORKER, installed.settings.data_dir, key]
    with subprocess.Popen(command, cwd=CHECKOUT, start_new_session=True) as process:
        while process.poll() is None:
            if when(read(installed, key).step):
                os.killpg(process.pid, signal.SIGKILL)
            time.sleep(0.01)
    assert process.returncode == -signal.SIGKILL


def sections(settings: Settings) -> dict[Path, int]:
    return {path: path.stat().st_ino for path in settings.section_dir.glob("sections-*/*.pdf")}


def test_a_job_that_was_killed_is_taken_up_and_what_was_laid_out_is_used(cold, installed):
    settings, key = installed.settings, ask(installed, "packet", unit="D1")
    kill_a_worker(installed, key, lambda step: step.startswith("print ") and int(step.split()[1]) >= 3)
    finished = sections(settings)
    assert len(finished) >= 3
    assert len(names_in(settings.result_dir)) >= 2  # its folders
    lease_is_over(installed, key)

    Worker(installed.engine, settings, packets.PACKET_WORKS).perform(key)

    job = read(installed, key)
    assert (job.state, job.attempts, job.error) == (JobState.DONE, 2, None)
    assert names_in(settings.result_dir) == [key]
    assert finished.items() <= sections(settings).items()
    word, digest = job.step.split()
    assert word == "manifest"
    assert digest.encode() in result_path(settings, key).read_bytes()  # of its trailer


def test_all_packets_go_on_with_the_one_that_a_killed_worker_was_at(installed):
    settings, key, told = installed.settings, ask(installed, "packet_all"), []
    kill_a_worker(installed, key, lambda step: step.startswith("packet 2 "))
    [kept] = settings.result_dir.glob("*.kept/*/*.pdf")
    content = kept.read_bytes()
    lease_is_over(installed, key)

    def watched(session, settings, arguments, progress, out):
        def tell(percent: int, step: str) -> None:
            told.append(step)
            progress(percent, step)

        packets.all_packets(session, settings, arguments, tell, out)

    Worker(installed.engine, settings, {"packet_all": watched}).perform(key)

    assert read(installed, key).state is JobState.DONE
    assert {step.split()[1] for step in told} == {"2"}
    assert names_in(settings.result_dir) == [key]
    with zipfile.ZipFile(result_path(settings, key)) as bundle:
        assert len(bundle.namelist()) == 2
        assert bundle.read(kept.name) == content


# ---------------------------------------------------------------- volumes


@pytest.fixture
def volumes(installed, tmp_path) -> Iterator[tuple[Workshop, Path]]:
    """A workshop that makes a volume of every piece, and the packet that it made."""
    target = tmp_path / "卷.pdf"
    with Workshop(configured(installed, packet_limit=1), language="zh", now=NOW) as workshop:
        workshop.make(values_of(installed), target, nothing)
        yield workshop, target


def test_volumes_are_there_when_the_first_one_is(installed, volumes, monkeypatch):
    workshop, target = volumes
    whole = {path: path.read_bytes() for path in delivered(target)}
    assert len(whole) > 2

    rename, renamed = Path.replace, []

    def interrupted(self, to):
        if Path(to).parent == target.parent:
            renamed.append(to)
            if len(renamed) == len(whole):
                raise KeyboardInterrupt
        return rename(self, to)

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        workshop.make(values_of(installed), target, nothing)
    monkeypatch.undo()
    assert len(list(target.parent.glob("*.pdf"))) == len(whole) - 1
    assert delivered(target) == ()

    workshop.make(values_of(installed), target, nothing)
    assert {path: path.read_bytes() for path in delivered(target)} == whole


def test_all_packets_make_a_packet_again_of_which_volumes_are_missing(installed, volumes, tmp_path):
    workshop, _ = volumes
    with installed.session() as session:
        arguments = {"number": 1, "as_of": NOW, "folder": tmp_path, "progress": nothing}
        made = list(make_all(session, workshop, **arguments))
        made[0].files[-1].unlink()
        again = list(make_all(session, workshop, **arguments))

    assert again[0] == made[0]
    assert again[1] == made[1].files


def test_volumes_of_an_earlier_run_are_not_taken_for_part_of_a_packet(installed, volumes):
    _, target = volumes
    earlier, other = delivered(target), target.with_name("卷-附件.pdf")
    other.write_bytes(b"%PDF-")

    with Workshop(installed.settings, language="zh", now=NOW) as workshop:
        [path] = workshop.make(values_of(installed), target, nothing).files

    assert path == target
    assert delivered(target) == (target,)
    assert not any(path.exists() for path in earlier)
    assert other.exists()


# ---------------------------------------------------------------- seals


def test_values_that_were_gathered_before_a_seal_are_not_laid_out_after_it(cold, installed):
    def gathers(session, **which):
        found = check_values(session, **which)
        sealing.destroy([], installed.settings)
        return found

    settings, key = installed.settings, ask(installed, "packet", unit="D1")
    Worker(installed.engine, settings, {"packet": packets._packet_job(gathers)}).perform(key)

    job = read(installed, key)
    assert job.state is JobState.WAITING
    assert "被封存" in job.error
    assert names_in(settings.result_dir) == []
    assert sections(settings) == {}


def test_a_workshop_is_not_opened_for_values_from_before_a_seal(installed):
    since = sealing.generation(installed.settings)
    sealing.destroy([], installed.settings)

    with pytest.raises(SealedMeanwhile):
        Workshop(installed.settings, language="zh", now=NOW, since=since)


@pytest.mark.parametrize("late", [Step.PRINT, Step.EMBED])
def test_a_packet_that_is_being_made_does_not_outlive_a_seal(installed, tmp_path, late):
    settings, values = installed.settings, values_of(installed)

    def seal(step: Step, done: int, _: int) -> None:
        if step is late and done in {0, 2}:
            sealing.destroy([], settings)

    with Workshop(settings, language="zh", now=NOW) as workshop, pytest.raises(SealedMeanwhile):
        workshop.make(values, tmp_path / "卷.pdf", seal)

    assert names_in(tmp_path) == []
    assert names_in(settings.result_dir) == []
    assert sections(settings) == {}


# ---------------------------------------------------------------- room and time


def test_a_packet_leaves_the_rest_of_the_system_its_room(installed, tmp_path):
    values = values_of(installed)
    full = configured(installed, free_space_floor=2**60)
    with Workshop(full, language="zh", now=NOW) as workshop, pytest.raises(NoRoom, match="存储空间不足"):
        workshop.make(values, tmp_path / "卷.pdf", nothing)
    key = ask(installed, "packet", unit="D1")
    Worker(installed.engine, full, packets.PACKET_WORKS).perform(key)

    job = read(installed, key)
    assert job.state is JobState.WAITING
    assert job.lease_until > datetime.now(UTC) + timedelta(minutes=5)
    assert names_in(full.result_dir) == []


@pytest.fixture
def another_disk() -> Iterator[Path]:
    folder = Path("/dev/shm") / f"tracker-{uuid.uuid4().hex}"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("where", ["tmp_path", "another_disk"])
def test_what_a_killed_command_left_goes_with_the_next_one(installed, request, where):
    folder = request.getfixturevalue(where)
    home = folder if where == "another_disk" else installed.settings.result_dir
    prefix = ".卷" if where == "another_disk" else "packet"
    home.mkdir(exist_ok=True)
    dead = home / f"{prefix}.dead.part"
    dead.mkdir()
    (dead / "half.pdf").write_bytes(b"half")

    seen = set()
    with work_folder(home / f"{prefix}.alive.part"), Workshop(installed.settings, language="zh", now=NOW) as workshop:
        workshop.make(values_of(installed), folder / "卷.pdf", lambda *_: seen.update(home.glob(f"{prefix}.*.part")))
        assert not dead.exists()
        assert (home / f"{prefix}.alive.part").exists()
    assert len(seen) == 2
    assert names_in(folder) == ["卷.pdf"]


# ---------------------------------------------------------------- the signature


@contextmanager
def signing(installed: Installed, folder: Path) -> Iterator[tuple[Settings, ExitStack]]:
    """The installation with a key and an authority; the stack ends the authority."""
    authority = Authority(datetime.now(UTC))
    key = authority.organ(folder / "organ.p12")
    with ExitStack() as running:
        service = running.enter_context(serve(authority))
        yield (
            configured(installed, signing_key=key, signing_passphrase=PASSPHRASE, timestamp_url=service.stamps),
            running,
        )


def test_an_authority_that_does_not_answer_costs_no_packet_that_is_done(installed, tmp_path):
    key = ask(installed, "packet_all")
    with signing(installed, tmp_path) as (settings, running):

        def breaks_down(session, settings, arguments, progress, out):
            def tell(percent: int, step: str) -> None:
                progress(percent, step)
                if step.startswith("packet 2 "):
                    running.close()

            packets.all_packets(session, settings, arguments, tell, out)

        Worker(installed.engine, settings, {"packet_all": breaks_down}).perform(key)
    job = read(installed, key)
    assert (job.state, job.attempts) == (JobState.WAITING, 1)
    assert "时间戳服务" in job.error
    [kept] = settings.result_dir.glob("*.kept/*/*.pdf")
    content = kept.read_bytes()
    lease_is_over(installed, key)

    with signing(installed, tmp_path) as (settings, _):
        Worker(installed.engine, settings, packets.PACKET_WORKS).perform(key)
    assert read(installed, key).state is JobState.DONE
    with zipfile.ZipFile(result_path(settings, key)) as bundle:
        assert bundle.read(kept.name) == content


def test_a_key_that_is_not_there_ends_the_job_without_naming_its_place(installed, tmp_path):
    key = ask(installed, "packet", unit="D1")
    settings = configured(installed, signing_key=tmp_path / "none.p12", signing_passphrase="x")
    Worker(installed.engine, settings, packets.PACKET_WORKS).perform(key)

    job = read(installed, key)
    assert (job.state, job.attempts) == (JobState.FAILED, 1), job.error
    assert "请联系管理员核对签名证书" in job.error
    assert "none.p12" not in job.error
