"""Addresses that only take an act: whoever opens one is led to the page of what the act is done to."""

import re

import pytest

from tests.web.conftest import post
from tests.web.test_duties import MEETING, text, tick

DUTY = f"/duties/{MEETING}"


@pytest.mark.parametrize(
    ("address", "page"),
    [
        (f"{DUTY}/submit", DUTY),
        (f"{DUTY}/return?seen=0", DUTY),
        ("/evidence/E/files", "/evidence/E"),
        ("/evidence/E/files/0/off", "/evidence/E"),
        ("/seals/file/0/agree", "/seals/file/0"),
        ("/inspections/1/ranking", "/inspections/1"),
        ("/inspections/1/desk/X/judge", "/inspections/1/desk"),
        ("/rectification/inspections/1/notify", "/rectification"),
        ("/documents/packets/1/all", "/documents"),
        ("/papers/inspections/1", "/"),
        ("/language/en", "/"),
    ],
)
def test_the_address_of_an_act_leads_to_the_page_of_the_thing(client_of, address, page):
    answer = client_of("Asha").get(address)
    assert (answer.status_code, answer.location) == (302, page)


def test_nobody_is_led_out_of_the_site(client_of):
    location = client_of("Asha").get("//elsewhere.example/language/en").location
    assert location.removeprefix("http://localhost").lstrip("/") == location.removeprefix("http://localhost")[1:]


def test_what_asks_for_data_is_told_that_nothing_is_there_to_open(client_of):
    answer = client_of("Asha").get(f"{DUTY}/submit", headers={"Accept": "application/json"})
    assert answer.status_code == 405


def test_after_a_refusal_the_language_is_changed_on_the_page_of_the_duty(client_of):
    asha, chen = client_of("Asha"), client_of("Chen")
    tick(asha)
    refused = post(chen, f"{DUTY}/return", {"reason": ""})
    assert refused.status_code == 400
    following = re.search(r'name="next" value="([^"]+)"', text(refused))[1]
    assert following == DUTY
    assert post(chen, "/language/en", {"next": following}).location == DUTY


def test_after_a_refusal_the_tab_of_the_duties_is_the_one_that_is_marked(client_of):
    asha = client_of("Asha")
    refused = post(asha, f"{DUTY}/submit")
    assert refused.status_code == 400
    marked = re.findall(r'<a href="([^"]+)"\s+aria-current="page"', text(refused))
    assert marked == ["/"]
    assert re.findall(r'<a href="([^"]+)"\s+aria-current="page"', text(asha.get(DUTY))) == ["/"]
