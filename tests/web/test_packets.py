"""Packets in a browser: asked for by whoever may, made by a real worker, and checked by the page that takes one."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import time
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pikepdf
import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from tests.city import NOW, City
from tests.packets import Recipe, make_packet, redraw, tampered
from tests.prepared import lend
from tests.web.conftest import ClientOf, post
from tests.web.samples import build
from tracker.config import load_settings
from tracker.db import engine_options, prepare, writing
from tracker.models import AccessLog, Inspection, InspectionMember, Job, JobState, LogEntry, Organization
from tracker.reporting.fonts import FontSet
from tracker.tasks.results import result_path
from tracker.tasks.worker import Worker
from tracker.tasks.works import WORKS
from tracker.web.jobs import doing

PAGE = "/packets/verify"


@pytest.fixture(scope="module")
def with_checks(filled_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with two checks: number 1 of D1 by Ines, number 2 of D2 by Ivan; each has a duty with a picture."""
    made = load_settings(data_dir=tmp_path_factory.mktemp("with-checks"))
    shutil.copy(filled_database, made.data_dir / "tracker.sqlite3")
    engine = create_engine(made.database, **engine_options(made.database))
    prepare(engine)
    with time_machine.travel(NOW, tick=True), Session(engine) as session, writing(session):
        build(session, City.standing(session), made.store_dir)
    engine.dispose()
    return made.data_dir


@pytest.fixture
def checked(app: Flask, with_checks: Path) -> None:
    """The application over a copy of that folder."""
    with app.app_context():
        app.extensions["sqlalchemy"].engine.dispose()
    shutil.copytree(with_checks, app.config["TRACKER"].data_dir, dirs_exist_ok=True)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small packet that nobody asked for."""
    [path] = make_packet(tmp_path_factory.mktemp("packet"))
    return path


def work(app: Flask) -> None:
    """Do what was asked for."""
    with app.app_context():
        worker = Worker(app.extensions["sqlalchemy"].engine, app.config["TRACKER"], WORKS)
        for key in worker.waiting():
            worker.perform(key)


def upload(client: FlaskClient, *files: tuple[bytes, str]) -> TestResponse:
    """Hand files to the page that checks them."""
    data = {"file": [(BytesIO(content), name) for content, name in files]} if files else {}
    answer = post(client, PAGE, data, page=PAGE, content_type="multipart/form-data")
    answer.request.environ["wsgi.input"].close()  # a large one was a file
    return answer


@pytest.fixture
def left_over(app: Flask) -> Iterator[Path]:
    """The folder of uploads; at the end of the test it holds no file."""
    folder: Path = app.config["TRACKER"].data_dir / "verifying"
    yield folder
    assert [path.name for path in folder.rglob("*") if path.name != "lock"] == []


# -- asking ------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("checked")
@pytest.mark.parametrize("address", ["/documents/packets/1", "/documents/packets/1/all"])
@pytest.mark.parametrize(
    ("who", "status"), [("Ines", 302), ("Ivan", 404), ("Asha", 404), ("Dong", 404), ("Adam", 403), ("stranger", 401)]
)
def test_the_packet_of_a_check_is_for_its_team(client_of: ClientOf, who: str, status: int, address: str) -> None:
    assert post(client_of(who), address).status_code == status


@pytest.mark.parametrize(
    ("who", "unit", "status"), [("Dong", "D1", 302), ("Dong", "D2", 404), ("Adam", "D1", 403), ("Asha", "D1", 404)]
)
def test_a_quarterly_volume_is_for_those_seated_at_the_unit(
    client_of: ClientOf, who: str, unit: str, status: int
) -> None:
    assert post(client_of(who), f"/documents/quarters/{unit}", {"quarter": "2026-Q1"}).status_code == status


@pytest.mark.parametrize("quarter", ["2026-Q3", "2025-Q1", "", "2026-Q0"])
def test_only_a_quarter_that_has_begun_is_bound(client_of: ClientOf, session: Session, quarter: str) -> None:
    answer = post(client_of("Dong"), "/documents/quarters/D1", {"quarter": quarter})

    assert answer.status_code == 400
    assert "请选择本年度已经开始的季度" in answer.text
    assert session.scalars(select(Job.id)).all() == []


def test_the_page_of_a_unit_offers_the_quarters_to_those_who_may(client_of: ClientOf) -> None:
    page = client_of("Dong").get("/organizations/D1").text

    assert "2026年第1季度" in page
    assert "2026年第2季度" in page
    assert "2026年第3季度" not in page
    assert "季度合订卷" not in client_of("Adam").get("/organizations/D1").text
    assert "季度合订卷" not in client_of("Chen").get("/organizations/D1-M").text


@pytest.mark.usefixtures("checked")
def test_the_packet_of_one_unit_is_named_after_it(client_of: ClientOf, session: Session) -> None:
    ines, sent = client_of("Ines"), {"unit": "D1", "as_of": "2026-05-20"}

    places = {post(ines, "/documents/packets/1", sent).location for _ in range(2)}

    assert len(places) == 1  # the same one is not made twice at a time
    [job] = session.scalars(select(Job).where(Job.kind == "packet"))
    assert job.title == "第1号督查卷-清河市林业局（截至2026-05-20）"
    assert job.result_name == f"{job.title}.pdf"
    assert job.arguments["unit"] == "D1"


@pytest.mark.usefixtures("checked")
def test_a_unit_that_the_check_does_not_visit_is_refused(client_of: ClientOf) -> None:
    answer = post(client_of("Ines"), "/documents/packets/1", {"unit": "D2"})

    assert answer.status_code == 400
    assert "请在本次督查的被检查单位中选择" in answer.text


@pytest.mark.usefixtures("checked")
def test_nothing_is_asked_for_or_checked_without_the_token_of_a_form(client_of: ClientOf, session: Session) -> None:
    ines, before = client_of("Ines"), len(session.scalars(select(Job.id)).all())

    for address in ("/documents/packets/1", "/documents/packets/1/all", "/documents/quarters/D1", PAGE):
        assert ines.post(address, data={"file": (BytesIO(b"%PDF-"), "a.pdf")}).status_code == 400
    session.rollback()
    assert len(session.scalars(select(Job.id)).all()) == before


@pytest.mark.usefixtures("checked")
def test_only_the_team_is_offered_the_packet(client_of: ClientOf) -> None:
    assert "生成督查卷" in client_of("Ines").get("/inspections/1").text
    assert "生成督查卷" not in client_of("Adam").get("/inspections/1").text


# -- how far it is -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        ("", ""),
        ("gather", "正在汇集数据"),
        ("pages 12", "正在排版：12 页"),
        ("print", "正在排版"),
        ("draw 3 26", "正在显示佐证文件：3/26"),
        ("print 5 20", "正在排版：5/20 节"),
        ("bind 0 1", "正在装订"),
        ("embed 1 3", "正在嵌入附件：第 2 册（共 3 册）"),
        ("sign 0 1", "正在签名"),
        ("packet 2 8 print 5 20", "第 2 卷（共 8 卷）：正在排版：5/20 节"),
        ("something 1 2", ""),
        (f"manifest {'a' * 64}", ""),
    ],
)
def test_what_is_being_done_is_said_in_words(app: Flask, step: str, sentence: str) -> None:
    with app.test_request_context():
        assert doing(step) == sentence


@pytest.mark.usefixtures("checked")
def test_the_page_of_a_job_says_what_is_being_done_with_and_without_a_script(
    client_of: ClientOf, session: Session
) -> None:
    ines = client_of("Ines")
    place = post(ines, "/documents/packets/1").location
    with writing(session):
        job = session.scalars(select(Job).where(Job.kind == "packet")).one()
        job.state, job.step, job.done = JobState.RUNNING, "draw 3 26", 5

    assert "正在显示佐证文件：3/26" in ines.get(place).text
    polled = ines.get(place, headers={"Accept": "application/json"}).json
    assert (polled["doing"], polled["done"], polled["total"]) == ("正在显示佐证文件：3/26", 5, 100)


# -- from asking to checking -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("checked", "left_over")
def test_a_packet_is_made_downloaded_and_verified_and_a_changed_one_is_not(
    app: Flask, client_of: ClientOf, session: Session, prepared_fonts: FontSet, tmp_path: Path
) -> None:
    lend(prepared_fonts, app.config["TRACKER"].data_dir)
    ines = client_of("Ines")
    place = post(ines, "/documents/packets/1", {"unit": "D1"}).location
    work(app)

    page = ines.get(place).text
    assert "下载 PDF" in page
    with ines.get(f"{place}/file") as answer:
        packet = answer.data
        assert answer.mimetype == "application/pdf"
    session.rollback()
    job = session.scalars(select(Job).where(Job.kind == "packet")).one()
    assert job.result_sha256 in page
    [access] = session.scalars(select(AccessLog).where(AccessLog.verb == "document.export"))
    assert (access.object_kind, access.object_key) == ("packet", "1")
    assert session.get_one(Organization, access.unit_id).code == "D1"
    assert "核验通过" in upload(ines, (packet, "督查卷.pdf")).text
    path = tmp_path / "packet.pdf"
    path.write_bytes(packet)
    changed = tampered(path, lambda pdf: redraw_whole(pdf, 2)).read_bytes()
    answer = upload(ines, (changed, "改过的.pdf"))
    assert "核验不通过" in answer.text
    assert "第 3 页" in answer.text


def redraw_whole(pdf: pikepdf.Pdf, place: int) -> None:
    """Draw something else on a page, counted from 0, however its content is held."""
    contents = pdf.pages[place].obj.Contents
    drawn = contents[0] if isinstance(contents, pikepdf.Array) else contents
    drawn.write(b"0 0 m 7 7 l S")


@pytest.mark.usefixtures("checked")
def test_all_packets_of_a_check_come_in_one_zip_and_every_unit_can_read_who_took_it(
    app: Flask, client_of: ClientOf, session: Session, city: City, prepared_fonts: FontSet
) -> None:
    lend(prepared_fonts, app.config["TRACKER"].data_dir)
    ines = client_of("Ines")
    place = post(ines, "/documents/packets/1/all").location
    work(app)

    assert "下载（ZIP，内含多册）" in ines.get(place).text
    with ines.get(f"{place}/file") as answer:
        assert answer.mimetype == "application/zip"
        assert ".zip" in answer.headers["Content-Disposition"]
        bundle = zipfile.ZipFile(BytesIO(answer.data))
    assert len(bundle.namelist()) == 2
    assert all(bundle.read(name).startswith(b"%PDF-") for name in bundle.namelist())
    session.rollback()
    units = session.scalars(select(AccessLog.unit_id).where(AccessLog.object_kind == "packet_all")).all()
    assert units == [city.organizations["D1"].id]


def test_a_quarterly_volume_is_made(app: Flask, client_of: ClientOf, prepared_fonts: FontSet, sample: Path) -> None:
    lend(prepared_fonts, app.config["TRACKER"].data_dir)
    dong = client_of("Dong")
    place = post(dong, "/documents/quarters/D1", {"quarter": "2026-Q1"}).location
    work(app)

    with dong.get(f"{place}/file") as answer:
        assert answer.data.startswith(b"%PDF-")


@pytest.mark.usefixtures("checked")
def test_a_packet_is_closed_to_whoever_left_the_team(app: Flask, client_of: ClientOf, session: Session) -> None:
    ines = client_of("Ines")
    place = post(ines, "/documents/packets/1").location
    path = result_path(app.config["TRACKER"], place.rsplit("/", 1)[1])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"%PDF-")
    with writing(session):
        session.scalars(select(Job).where(Job.kind == "packet")).one().state = JobState.DONE
        for member in session.scalars(select(InspectionMember).join(Inspection).where(Inspection.number == 1)):
            member.superseded_at = NOW

    assert ines.get(f"{place}/file").status_code == 404


def test_a_file_that_is_gone_is_said(app: Flask, client_of: ClientOf, session: Session) -> None:
    dong = client_of("Dong")
    place = post(dong, "/documents/self-check/D1").location
    with writing(session):
        session.scalars(select(Job)).one().state = JobState.DONE

    assert "文件已不在服务器上" in dong.get(place).text


# -- checking ----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("left_over")
def test_the_result_stands_under_the_four_properties_and_nothing_is_kept_or_logged(
    client_of: ClientOf, session: Session, sample: Path
) -> None:
    asha, before = client_of("Asha"), len(session.scalars(select(LogEntry.id)).all())

    answer = upload(asha, (sample.read_bytes(), "督查卷.pdf"))

    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    for words in ("核验通过", "DC-2026-0001", "真实性", "完整性", "可用性", "安全性", "未在此核验", "核验能说明什么"):
        assert words in answer.text
    session.rollback()
    assert len(session.scalars(select(LogEntry.id)).all()) == before
    assert session.scalars(select(AccessLog.id)).all() == []


@pytest.mark.usefixtures("left_over")
def test_what_was_changed_is_named_before_anything_else(client_of: ClientOf, sample: Path) -> None:
    changed = tampered(sample, lambda pdf: redraw(pdf, 3)).read_bytes()

    text = upload(client_of("Asha"), (changed, "督查卷.pdf")).text

    assert "核验不通过" in text
    assert text.index("发现的问题") < text.index("第 4 页") < text.index("<h3>真实性</h3>")


@pytest.mark.usefixtures("left_over")
@pytest.mark.parametrize(
    ("content", "name", "sentence"),
    [
        (b"", "空.pdf", "《空.pdf》是空文件"),
        (b"PK\x03\x04rest", "各册.zip", "《各册.zip》是损坏的压缩包"),
        (b"just text", "说明.txt", "《说明.txt》不是 PDF 文件"),
    ],
)
def test_a_file_that_cannot_be_checked_is_named_and_the_other_is_checked(
    client_of: ClientOf, sample: Path, content: bytes, name: str, sentence: str
) -> None:
    answer = upload(client_of("Asha"), (content, name), (sample.read_bytes(), "督查卷.pdf"))

    assert answer.status_code == 400
    assert sentence in answer.text
    assert "核验通过" in answer.text


@pytest.mark.usefixtures("left_over")
def test_a_file_that_only_begins_like_a_pdf_does_not_pass(client_of: ClientOf) -> None:
    answer = upload(client_of("Asha"), (b"%PDF-1.7\nnothing", "督查卷.pdf"))

    assert answer.status_code == 200
    assert "核验不通过" in answer.text


def test_no_file_and_too_many_files_are_said(client_of: ClientOf) -> None:
    asha = client_of("Asha")

    assert "请先选择要核验的 PDF 文件" in upload(asha).text
    assert "一次最多核验 10 个文件" in upload(asha, *[(b"%PDF-", "a.pdf")] * 11).text


def test_a_full_disk_takes_no_packet(app: Flask, client_of: ClientOf, sample: Path, left_over: Path) -> None:
    settings = app.config["TRACKER"]
    app.config["TRACKER"] = settings.model_copy(update={"free_space_floor": 1 << 62})

    answer = upload(client_of("Asha"), (sample.read_bytes(), "督查卷.pdf"))

    assert answer.status_code == 413
    assert "存储空间不足" in answer.text


def test_what_a_process_that_died_left_there_is_gone_after_the_next_check(
    client_of: ClientOf, sample: Path, left_over: Path
) -> None:
    (left_over / "files").mkdir(parents=True)
    (left_over / "files" / "督查卷.pdf").write_bytes(b"%PDF-")

    assert "核验通过" in upload(client_of("Asha"), (sample.read_bytes(), "督查卷.pdf")).text


@pytest.mark.usefixtures("left_over")
def test_the_volumes_of_a_packet_are_one_result_and_a_volume_alone_is_neither_good_nor_bad(
    client_of: ClientOf, tmp_path: Path
) -> None:
    asha, paths = client_of("Asha"), make_packet(tmp_path, Recipe(volumes=2))
    first, second = ((path.read_bytes(), f"督查卷-{number}.pdf") for number, path in enumerate(paths, start=1))

    together = upload(asha, first, second).text
    alone = upload(asha, second).text

    assert together.count("<article") == 1
    assert "DC-2026-0001（2 个文件）" in together
    assert "notice-good" in together
    for content, name in (first, second):
        assert name in together
        assert hashlib.sha256(content).hexdigest() in together
    with pikepdf.open(paths[0]) as pdf:
        assert f'<dd class="code">{pdf.trailer["/TrkManifest"]}</dd>' in together
    assert "notice-good" not in alone
    assert "notice-alert" not in alone
    assert "第 1 册" in alone


@pytest.mark.usefixtures("left_over")
def test_a_zip_that_the_system_delivered_is_verified_as_it_is(client_of: ClientOf, sample: Path) -> None:
    bundle = BytesIO()
    with zipfile.ZipFile(bundle, "w") as archive:
        archive.write(sample, "2026-1-D1.pdf")

    text = upload(client_of("Asha"), (bundle.getvalue(), "全部督查卷.zip")).text

    assert "核验通过" in text
    assert "2026-1-D1.pdf" in text


def test_while_another_check_is_running_nobody_waits(client_of: ClientOf, sample: Path, left_over: Path) -> None:
    left_over.mkdir()
    with (left_over / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        began = time.monotonic()
        answer = upload(client_of("Asha"), (sample.read_bytes(), "督查卷.pdf"))

    assert answer.status_code == 409
    assert "正在核验另一份，请稍后再试" in answer.text
    assert time.monotonic() - began < 5
    assert "核验通过" in upload(client_of("Asha"), (sample.read_bytes(), "督查卷.pdf")).text


@pytest.mark.usefixtures("left_over")
def test_volumes_that_are_too_large_together_are_told_what_to_do(app: Flask, client_of: ClientOf) -> None:
    asha = client_of("Asha")
    app.config["MAX_CONTENT_LENGTH"] = 1000

    answer = asha.post(PAGE, data={"file": (BytesIO(b"%PDF-" + bytes(5000)), "督查卷.pdf")})

    assert answer.status_code == 413
    assert "合计超过了 256 MB" in answer.text
    assert "verify_packet.py" in answer.text


@pytest.mark.usefixtures("left_over")
def test_roots_that_cannot_be_read_tell_nobody_where_they_lie(app: Flask, client_of: ClientOf, sample: Path) -> None:
    settings, place = app.config["TRACKER"], "/somewhere/secret/roots.pem"
    app.config["TRACKER"] = settings.model_copy(update={"trusted_certificates": Path(place)})

    answer = upload(client_of("Asha"), (sample.read_bytes(), "督查卷.pdf"))

    assert answer.status_code == 400
    assert "请管理员检查 TRACKER_TRUSTED_CERTIFICATES" in answer.text
    assert "secret" not in answer.text


def test_the_page_is_linked_from_where_packets_are_met(client_of: ClientOf) -> None:
    for who, address in (("Ines", "/inspections"), ("Asha", "/documents"), ("Ada", "/log"), ("Ada", "/log/access")):
        assert PAGE in client_of(who).get(address).text, address
