"""What pages do differently in a demo."""

from __future__ import annotations

import time_machine
from flask import Flask

from tests.web.conftest import ClientOf


def test_the_printed_passwords_of_a_demo_do_not_grow_old(
    app: Flask, client_of: ClientOf, clock: time_machine.Coordinates
):
    app.config["TRACKER"] = app.config["TRACKER"].model_copy(update={"demo": True})
    clock.shift(900 * 24 * 3600)
    page = client_of("Asha").get("/accounts/own")
    assert page.status_code == 200
    assert "演示中的密码不要求定期更换" in page.text


def test_elsewhere_a_password_that_has_grown_old_is_asked_for_anew(
    client_of: ClientOf, clock: time_machine.Coordinates
):
    asha = client_of("Asha")
    assert "演示中的密码" not in asha.get("/accounts/own").text
    clock.shift(91 * 24 * 3600)
    answer = client_of("Asha").get("/accounts/own")
    assert (answer.status_code, answer.location) == (303, "/accounts/own/password")
