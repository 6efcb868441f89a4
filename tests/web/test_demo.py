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
    assert client_of("Asha").get("/accounts/own").status_code == 200
