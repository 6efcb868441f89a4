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
    numbers = {show: int(number) for show, number in re.findall(r'duties\?[^"]*show=(\w+)[^"]*">(\d+)</a>', tally)}

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


@pytest.mark.parametrize("path", ["/board", "/board/items"])
@pytest.mark.parametrize(("who", "in_part"), [("Asha", True), ("Chen", True), ("Dong", False), ("Rong", False)])
def test_whoever_sees_a_part_of_a_unit_is_told_so_and_led_nowhere(
    client_of: ClientOf, path: str, who: str, in_part: bool
) -> None:
    client = client_of(who)
    page = client.get(path).text

    assert "清河市林业局" in page
    assert ("不是所在单位的全部任务" in page) is in_part
    links = set(re.findall(r'href="(/board/units/[^"?]+)', page))
    assert bool(links) is not in_part
    assert {client.get(link).status_code for link in links} <= {200}


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


@pytest.mark.parametrize("path", ["/board", "/board/units/D1"])
def test_a_picture_says_its_numbers_to_those_who_do_not_see_it(client_of: ClientOf, path: str) -> None:
    page = client_of("Rong").get(path).text
    pictures = re.findall(r'<svg xmlns[^>]*role="img" aria-labelledby="([\w-]+) ([\w-]+)".*?</svg>', page, re.DOTALL)

    assert len(pictures) == 3
    for title, told in pictures:
        assert re.search(rf'<title id="{title}">[^<]+</title>', page)
        [sentence] = re.findall(rf'<desc id="{told}">([^<]+)</desc>', page)
        assert re.search(r"共 \d+ 项任务", sentence)
        assert page.count(sentence) == 2, "it is read beside the picture too"
    assert ' style="' not in page


@pytest.mark.parametrize("path", ["/board", "/board/units/D1"])
def test_a_picture_has_the_numbers_of_its_table_and_every_one_opens_as_many_duties(
    client_of: ClientOf, path: str
) -> None:
    client = client_of("Rong")
    page = client.get(path).text
    for key in ("months", "year", "flow"):
        figure = re.search(rf'aria-labelledby="picture-{key}">(.*?)</figure>', page, re.DOTALL)
        if figure is None:
            assert (key, path) == ("year", "/board")
            continue
        drawn, table = figure[1].split("<details", 1)
        numbers = re.findall(r'href="(/board/duties\?[^"]*)"[^>]*>(?:[^<\d]*)(\d+)</a>', table)
        assert numbers
        for address, number in numbers[:: max(1, len(numbers) // 12)]:
            assert f"（{number} 项）" in client.get(address.replace("&amp;", "&")).text
            assert re.search(rf">(\d+/)?{number}(/\d+)?</text>", drawn)


def test_the_heat_map_has_a_patch_for_every_cell_of_the_matrix(client_of: ClientOf) -> None:
    page = client_of("Rong").get("/board").text
    drawn = re.search(r'aria-labelledby="picture-heat">(.*?)</figure>', page, re.DOTALL)
    matrix = page.split('aria-label="各维度办理情况"')[1].split("<tbody>")[1].split("</tbody>")[0]
    cells = re.findall(r"<td>\s*(?:<a[^>]*>)?\d+(?:</a>)?/<a", matrix)

    assert drawn
    patches = re.findall(r'<use href="#heat-(all|most|part|few)"', drawn[1])
    rows = matrix.count("<tr>")
    assert len(patches) == len(cells) - rows, "each row of the matrix has its sum beside its cells"


def test_a_list_is_narrowed_to_days_on_which_duties_fall_due_and_to_what_was_judged(client_of: ClientOf) -> None:
    client = client_of("Rong")
    whole, part, rest = (
        int(re.search(r"（(\d+) 项）", client.get(f"/board/duties?{query}").text)[1])  # type: ignore[index]
        for query in ("", "due_to=2026-06-30", "due_from=2026-07-01")
    )

    assert 0 < part < whole == part + rest
    assert "（0 项）" in client.get("/board/duties?judged=yes").text
    assert "field-wrong" in client.get("/board/duties?due_from=soon").text
