"""The words of a team's papers on a page: written over a draft, never over what somebody else has just saved."""

from __future__ import annotations

import re
from io import BytesIO

import pytest
from flask import Flask
from openpyxl import load_workbook
from sqlalchemy import func, select, text

from tests.reporting.printed import Printed
from tests.web.conftest import post
from tests.web.test_papers import check  # noqa: F401  a fixture
from tracker.models import CircularText, InspectionFact
from tracker.tasks.worker import Worker
from tracker.tasks.works import WORKS

SAID = {
    "overall": "检查总体情况良好。\n发现的问题不多。",
    "good_practice": "林业局把课讲到护林点。",
    "problems": "名册与应到人数不一致。",
    "demands": "六月底前核对名册。",
}


@pytest.fixture
def address(check):  # noqa: F811
    return f"/inspections/{check}/circulars/circular"


def seen(page):
    return re.search(r'id="seen"[^>]*value="([^"]*)"', page)[1]


def save(client, address, **changes):
    said = {"seen": seen(client.get(address).text), **SAID, **changes}
    return post(client, address, said)


def test_the_page_starts_from_sentences_made_of_the_numbers(client_of, address):
    page = client_of("Ines").get(address).text
    assert "自动生成的初稿" in page
    assert "本次督查检查1个单位" in page
    assert "登记问题1项" in page


def test_what_was_saved_stands_there_and_says_who_wrote_it(client_of, session, address):
    ines = client_of("Ines")
    assert save(ines, address).location == address
    page = ines.get(address).text
    assert "发现的问题不多。" in page
    assert "由Ines于" in page
    assert "按现在的核查数据，初稿是" in page
    session.rollback()
    assert session.scalar(select(CircularText.overall)) == SAID["overall"]


def test_what_somebody_else_saved_meanwhile_is_shown_and_not_overwritten(client_of, session, address):
    ines = client_of("Ines")
    old = seen(ines.get(address).text)
    save(ines, address)
    refused = post(ines, address, {**SAID, "overall": "另一种说法。", "seen": old})
    assert refused.status_code == 409
    assert "另一种说法。" in refused.text
    assert "检查总体情况良好。" in refused.text
    assert "用我填写的内容覆盖最新文稿" in refused.text

    again = {**SAID, "overall": "另一种说法。", "seen": seen(refused.text)}
    assert post(ines, address, again).status_code == 302
    session.rollback()
    assert session.scalar(select(func.count()).select_from(CircularText)) == 2


@pytest.mark.parametrize(("said", "status"), [({"demands": " "}, 400), ({"problems": "字" * 5001}, 400)])
def test_an_empty_part_and_one_too_long_are_refused_beside_their_fields(client_of, address, said, status):
    refused = save(client_of("Ines"), address, **said)
    assert refused.status_code == status
    assert f'id="{next(iter(said))}-error"' in refused.text
    assert "检查总体情况良好。" in refused.text


def test_a_mark_of_a_page_that_is_none_is_refused(client_of, address):
    assert post(client_of("Ines"), address, {**SAID, "seen": "yesterday"}).status_code == 400


@pytest.mark.parametrize(("who", "status"), [("Ivan", 404), ("Dong", 404), ("Adam", 403), ("stranger", 302)])
def test_nobody_but_the_team_writes(client_of, address, who, status):
    assert client_of(who).get(address).status_code == status


def test_there_is_no_other_paper(client_of, address):
    assert client_of("Ines").get(address.replace("/circular", "/letter")).status_code == 404
    assert client_of("Ines").get(address.removesuffix("circular") + "summary").status_code == 200


def test_the_circular_on_paper_and_as_a_spreadsheet_says_what_was_written(
    app: Flask,
    client_of,
    tmp_path,
    address,
    check,  # noqa: F811
):
    ines = client_of("Ines")
    save(ines, address)
    place = post(ines, f"/papers/inspections/{check}", {"paper": "circular"}).location
    with app.app_context():
        worker = Worker(app.extensions["sqlalchemy"].engine, app.config["TRACKER"], WORKS)
        for key in worker.waiting():
            worker.perform(key)
    with ines.get(f"{place}/file") as answer:
        (tmp_path / "circular.pdf").write_bytes(answer.data)
    printed = Printed(tmp_path / "circular.pdf").squeezed
    sentences = [sentence for part in SAID.values() for sentence in part.splitlines()]
    places = [printed.find(sentence) for sentence in sentences]
    assert -1 not in places
    assert places == sorted(places)
    sheet = post(ines, f"/papers/inspections/{check}", {"paper": "circular", "as": "xlsx"})
    cells = [value for row in load_workbook(BytesIO(sheet.data))["正文"].values for value in row]
    assert [cell for cell in cells if cell in sentences] == sentences


def test_only_an_administrator_turns_ranking_on_and_it_is_off_at_first(client_of, session, check):  # noqa: F811
    ranked = select(InspectionFact.ranked).where(InspectionFact.superseded_at.is_(None))
    assert session.scalar(ranked) is False
    show, rank = f"/inspections/{check}", f"/inspections/{check}/ranking"
    assert "改为按得分排列" in client_of("Adam").get(show).text
    assert "改为按得分排列" not in client_of("Ines").get(show).text
    assert post(client_of("Ines"), rank, {"ranked": "1"}).status_code == 403
    assert post(client_of("Adam"), rank, {"ranked": "1"}).status_code == 302
    session.rollback()
    assert session.scalar(ranked) is True
    assert "恢复按规定次序排列" in client_of("Adam").get(show).text
    post(client_of("Adam"), rank, {"ranked": "0"})
    session.rollback()
    assert session.scalar(ranked) is False


def test_an_administrator_who_is_overtaken_is_told_on_the_page_of_the_check(client_of, session, check):  # noqa: F811
    raised = "UNIQUE constraint failed: inspection_fact.inspection_id"
    session.execute(
        text(f"CREATE TRIGGER faster BEFORE INSERT ON inspection_fact BEGIN SELECT RAISE(ABORT, '{raised}'); END")
    )
    session.commit()
    page = post(client_of("Adam"), f"/inspections/{check}/ranking", {"ranked": "1"}, follow_redirects=True)
    assert page.status_code == 200
    assert "别人刚刚处理了同一事项" in page.text
    assert "改为按得分排列" in page.text
