"""The board in a browser: counts, shares, and the list behind each number."""

from __future__ import annotations

import re

import pytest

from tests.web.conftest import ClientOf
from tracker.domain.board import Column
from tracker.queries import board


def test_a_party_above_sees_its_unit_by_dimension(client_of: ClientOf) -> None:
    page = client_of("Dong").get("/board")

    assert page.status_code == 200
    assert "清河市林业局" in page.text
    assert "清河市水务局" not in page.text


def test_every_number_of_the_tally_opens_a_list_of_as_many_duties(client_of: ClientOf) -> None:
    client = client_of("Rong")
    tally = client.get("/board").text.split("<tbody>")[1].split("</tbody>")[0]
    numbers = {
        show: int(number) for show, number in re.findall(r'duties\?[^"]*show=(\w+)[^"]*">(\d+)</a>', tally)
    }

    assert set(numbers) == {column.value for column in Column}
    for show, number in numbers.items():
        page = client.get(f"/board/duties?show={show}").text
        assert f"（{number} 项）" in page


@pytest.mark.parametrize("path", ["/board", "/board/items", "/board/units/D1", "/board/duties"])
def test_every_view_can_be_narrowed_to_a_level(client_of: ClientOf, path: str) -> None:
    client = client_of("Rong")

    assert client.get(f"{path}?level=L3&state=open&period_from=2026-03-01").status_code == 200


def test_a_filter_that_is_no_date_is_named_and_narrows_nothing(client_of: ClientOf) -> None:
    page = client_of("Rong").get("/board?period_from=soon")

    assert page.status_code == 200
    assert "field-wrong" in page.text


def test_the_list_goes_on_behind_its_first_page(client_of: ClientOf) -> None:
    client = client_of("Rong")
    first = client.get("/board/duties").text
    following = re.search(r'href="(\?[^"]*after_key=[^"]*)"', first)

    assert following
    second = client.get("/board/duties" + following[1].replace("&amp;", "&")).text
    keys = re.compile(r'href="/duties/([^"?]+)"')
    assert not set(keys.findall(first)) & set(keys.findall(second))


def test_a_unit_of_somebody_else_is_not_found(client_of: ClientOf) -> None:
    assert client_of("Dong").get("/board/units/D2").status_code == 404


def test_the_units_go_on_behind_the_first_page(client_of: ClientOf, monkeypatch: pytest.MonkeyPatch) -> None:
    client, whole = client_of("Rong"), _tally(client_of("Rong").get("/board").text)
    monkeypatch.setattr(board.units_of_page, "__kwdefaults__", {"after": "", "size": 1})
    for path, more in (("/board", ""), ("/board/items", ""), ("/board", "level=L3&")):
        first = client.get(f"{path}?{more}").text
        assert re.search(r'href="(\?[^"]*after_unit=D1)"', first)
        assert ("/board/units/D1?" in first, "/board/units/D2?" in first) == (True, False)
        second = client.get(f"{path}?{more}after_unit=D1").text
        assert ("/board/units/D1?" in second, "/board/units/D2?" in second) == (False, True)
        assert not re.search(r'href="\?[^"]*after_unit=', second)
        assert _tally(first) == _tally(second)
        assert more or _tally(first) == whole


def _tally(page: str) -> str:
    return page.split("<tbody>")[1].split("</tbody>", maxsplit=1)[0]
