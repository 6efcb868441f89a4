"""Chinese and English, both complete: the catalogue, the sentences in the sources, and the pages as they are shown."""

from __future__ import annotations

import ast
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
import time_machine
from babel.messages.mofile import read_mo
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import Environment
from sqlalchemy import create_engine, select
from sqlalchemy.orm import Session

from tests import messages
from tests.addresses import PEOPLE, addresses, share_out
from tests.city import NOW
from tests.reporting.sample_reports import self_check
from tests.scene import Scene, play
from tests.web.conftest import post, sign_in
from tracker.app import create_app
from tracker.config import CHECKOUT, load_settings
from tracker.db import engine_options, prepare, writing
from tracker.domain.checklist_source import load_checklist
from tracker.models import Base
from tracker.reporting.compose import compose
from tracker.reporting.words import long_date
from tracker.tasks.documents import TEMPLATES, fonts_of
from tracker.tasks.words import translator

HAN = re.compile(r"[\u3400-\u9fff]")
PLACE = re.compile(r"%\(\w+\)[sd]|%%")
MARKS = set(messages.KEYWORDS)

# Words of files that are Chinese in any language: the roster's sheets and their guide, the checklist language's own
# guide (in both languages at once), numerals, passwords that people choose, names in samples and in the demo city,
# what the checker says that stands alone when it is called wrongly, what is measured.
CHINESE_FILES = {
    "cli/bench",
    "cli/demo",
    "domain/checklist.py",
    "domain/common_passwords.py",
    "domain/packet_check/bundle.py",
    "domain/packet_check/check.py",
    "domain/roster.py",
    "domain/roster_cells.py",
    "domain/roster_desk.py",
    "domain/roster_rows.py",
    "domain/roster_tree.py",
    "reporting/demo_keys.py",
    "reporting/words.py",
    "services/roster_template.py",
    "storage/samples.py",
}
# Headings count in Chinese numerals in Chinese and in figures in English; both are handed over.
OTHER_NUMERALS = {"%(year)s年%(month)s月%(day)s日", "%(numeral)s、%(title)s", "（%(numeral)s）%(title)s"}
SWITCH = "中文"
CUT_OFF = re.compile(r"([^\s<>]+)…")  # the beginning of a title for which a picture has no room
LINE_OF_PICTURE = re.compile("</text><text [^>]*>")  # a name that a picture shows in several lines is one name


# -- the catalogue -----------------------------------------------------------------------------------------------------


def test_the_catalogue_has_the_sentences_of_the_sources_and_no_others() -> None:
    found = {message.id for message in messages.extracted() if message.id}
    assert {message.id for message in messages.committed() if message.id} == found, "run ./dev messages"


def test_every_sentence_has_an_english_one() -> None:
    assert [m.id for m in messages.committed() if m.id and (not m.string or m.fuzzy or HAN.search(str(m.string)))] == [
        "“%(text)s”既不是“是”也不是“否”。",  # what has to stand in the sheet is Chinese,
        "请填“是”或“否”。",
        "请核对代码，或先在“组织”表中登记。",  # and so are the names of its sheets
        "请核对，或先在“人员”表中登记。",
    ]


def test_every_place_of_a_sentence_stands_in_the_english_one() -> None:
    wrong = [
        message.id
        for message in messages.committed()
        if Counter(PLACE.findall(str(message.id))) != Counter(PLACE.findall(str(message.string)))
    ]
    assert set(wrong) == OTHER_NUMERALS
    assert [m.id for m in messages.committed() if "%" in PLACE.sub("", f"{m.id}{m.string}")] == []


def test_the_compiled_catalogue_is_the_readable_one() -> None:
    with messages.ENGLISH.with_suffix(".mo").open("rb") as file:
        compiled = {message.id: message.string for message in read_mo(file) if message.id}
    assert compiled == {message.id: message.string for message in messages.committed() if message.id}


def test_the_catalogue_names_no_places_and_no_times() -> None:
    text = messages.ENGLISH.read_text()
    assert not re.search(r"^#:|POT-Creation-Date|PO-Revision-Date", text, re.MULTILINE)


# -- the sources -------------------------------------------------------------------------------------------------------


def _unmarked(tree: ast.AST) -> Iterator[ast.Constant]:
    """Every Chinese string that is neither marked for translation nor a docstring."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            continue
        if isinstance(child, ast.Call) and _name_of(child.func) in MARKS:
            for argument in [*child.args[1:], *(keyword.value for keyword in child.keywords)]:
                yield from _unmarked(ast.Expression(argument))
        elif isinstance(child, ast.Constant) and isinstance(child.value, str) and HAN.search(child.value):
            yield child
        else:
            yield from _unmarked(child)


def _name_of(function: ast.expr) -> str:
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")


def test_every_chinese_sentence_of_the_program_is_marked_for_translation() -> None:
    program = CHECKOUT / "tracker"
    unmarked = [
        f"{path.relative_to(program)}:{constant.lineno}: {constant.value}"
        for path in sorted(program.rglob("*.py"))
        if not any(path.relative_to(program).is_relative_to(known) for known in CHINESE_FILES)
        for constant in _unmarked(ast.parse(path.read_text()))
        if constant.value != SWITCH
    ]
    assert unmarked == []


def test_every_chinese_sentence_of_a_template_is_marked_for_translation() -> None:
    unmarked = [
        f"{path.relative_to(CHECKOUT)}:{line}: {text}"
        for path in sorted((CHECKOUT / "templates").rglob("*"))
        if path.is_file()
        for line, text in _unmarked_in_template(path.read_text())
    ]
    assert unmarked == []


def _unmarked_in_template(source: str) -> Iterator[tuple[int, str]]:
    before: list[str] = ["", ""]
    for line, kind, text in Environment().lex(source):
        if kind in {"comment", "whitespace"}:
            continue
        is_marked = kind == "string" and before[-1] == "(" and before[-2] in MARKS
        if HAN.search(text) and kind in {"data", "string"} and not is_marked:
            yield line, text.strip()
        before = [before[-1], text]


# -- the pages ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Flask, Scene, set[str]]]:
    """The application over a city in mid-year, what there is in it, and every Chinese word that is its data."""
    folder = tmp_path_factory.mktemp("lived-in")
    settings = load_settings(data_dir=folder, password_salt="salt", secret_key="a key for the tests")
    engine = create_engine(settings.database, **engine_options(settings.database))
    prepare(engine)
    with time_machine.travel(NOW, tick=True):
        with Session(engine) as session, writing(session):
            scene = play(session, settings, password="Qinghe-2026!")
        with Session(engine) as session:
            data = _data(session)
        app = create_app(settings)
        app.testing = True
        yield app, scene, data
        with app.app_context():
            app.extensions["sqlalchemy"].engine.dispose()
    engine.dispose()
    shutil.rmtree(folder)


def _data(session: Session) -> set[str]:
    """What people entered and what the checklist says, in pieces without spaces, as far as it is Chinese."""
    values: list[object] = [row for table in Base.metadata.sorted_tables for row in session.execute(select(table))]
    values.append(load_checklist((CHECKOUT / "checklists" / "sanji-sigang.yaml").read_bytes()).model_dump())
    return set(_chinese(values))


def _chinese(value: object) -> Iterator[str]:
    if isinstance(value, str) and HAN.search(value):
        yield from (piece for piece in value.split() if HAN.search(piece))
    elif isinstance(value, dict):
        yield from _chinese(list(value.values()))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _chinese(part)
    elif hasattr(value, "_mapping"):
        yield from _chinese(list(value._mapping.values()))


def _left_over(page: str, data: set[str]) -> list[str]:
    """The Chinese on a page that is not data."""
    text = unescape(LINE_OF_PICTURE.sub("", page)).replace(SWITCH, "")
    text = CUT_OFF.sub(lambda found: "" if any(word.startswith(found[1]) for word in data) else found[0], text)
    for word in sorted(data, key=len, reverse=True):
        text = text.replace(word, "")
    return [line.strip() for line in text.splitlines() if HAN.search(line)]


def _browser(app: Flask, session: Session, who: str) -> FlaskClient:
    client = app.test_client()
    if who != "stranger":
        sign_in(client, session, who)
    with client.session_transaction() as cookie:
        cookie["language"] = "en"
    return client


def test_no_page_in_english_shows_a_chinese_word_that_is_not_data(lived_in: tuple[Flask, Scene, set[str]]) -> None:
    app, scene, data = lived_in
    with app.app_context():
        engine = app.extensions["sqlalchemy"].engine
    with Session(engine) as session:
        clients = {who: _browser(app, session, who) for who in PEOPLE}
    shown: dict[str, str] = {}

    def answer(who: str, path: str) -> tuple[int, str]:
        response = clients[who].get(path)
        if response.mimetype == "text/html":
            shown[path] = response.get_data(as_text=True)
        response.close()
        return response.status_code, response.headers.get("Content-Type", "")

    share_out(addresses(app, scene), answer)
    left = {path: lines for path, page in shown.items() if (lines := _left_over(page, data))}
    assert left == {}
    assert len(shown) > 40


def test_asha_is_refused_in_english(lived_in: tuple[Flask, Scene, set[str]]) -> None:
    app, scene, data = lived_in
    with app.app_context(), Session(app.extensions["sqlalchemy"].engine) as session:
        asha = _browser(app, session, "Asha")
    said = {"act_on": "2027-01-01", "sentence": "held"}
    page = post(asha, f"/duties/{scene.open}/tick", said).get_data(as_text=True)
    assert "The act date 2027-01-01 has not come yet." in page
    assert _left_over(page, data) == []


def test_a_form_tells_in_both_languages_what_is_missing(lived_in: tuple[Flask, Scene, set[str]]) -> None:
    app, _, _ = lived_in
    with app.app_context(), Session(app.extensions["sqlalchemy"].engine) as session:
        adam = _browser(app, session, "Adam")
    assert "This field is required." in post(adam, "/inspections/new", {}).get_data(as_text=True)
    with adam.session_transaction() as cookie:
        cookie["language"] = "zh"
    assert "该字段是必填字段。" in post(adam, "/inspections/new", {}).get_data(as_text=True)


# -- paper -------------------------------------------------------------------------------------------------------------


def test_documents_are_printed_in_english_too() -> None:
    words = translator("en")
    assert words("督查报告") == "Inspection report"
    assert not HAN.search(long_date(NOW.date(), words))


def test_a_self_check_report_speaks_english_around_its_data(tmp_path: Path) -> None:
    fonts = fonts_of(load_settings(data_dir=tmp_path))
    report = compose(self_check(), translate=translator("en"), fonts=fonts, templates=TEMPLATES, language="en").html
    assert "Data as of" in report
    assert "数据截止" not in report
