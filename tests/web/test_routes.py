"""Every route × every role × own and foreign object: the URL map says what there is, the declared rule what is right.

A new route is picked up by itself. It fails here until it declares a rule (`tracker.web.access`), and, if it loads a
new kind of object, until `tests/web/samples.py` makes one and the tables below say who sees it and may do what to it.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import create_engine, inspect, select
from sqlalchemy.orm import Session
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from tests.city import NOW, City
from tests.web.conftest import SALT
from tests.web.samples import PLACES, Samples, build
from tracker.app import create_app
from tracker.config import load_settings
from tracker.db import engine_options, prepare
from tracker.domain.actor import Actor
from tracker.models import (
    Account,
    ChecklistVersion,
    Cycle,
    Duty,
    Evidence,
    Finding,
    GoodPractice,
    Handover,
    Inspection,
    Job,
    LogEntry,
    Organization,
    Person,
    Seat,
)
from tracker.policy import Act, can, sees
from tracker.web.access import KEYS, AccessRule
from tracker.web.security import OPEN

SECRET = "a key for the tests"
SIGNED_IN = ("Asha", "Chen", "Omar", "Ines", "Adam", "Ada")
ROLES = ("stranger", *SIGNED_IN)
STATIC = {"static", "bootstrap.static"}
# What Flask-Security registers and nobody uses: closed to everybody by having no rule.
CLOSED = {
    "security.static",
    "security.two_factor_setup",
    "security.two_factor_setup_validate",
    "security.two_factor_rescue",
    "security.tf_select",
}
# Where 404 is the answer to somebody who may, because what is asked for is not there in the samples.
MAY_BE_MISSING = {
    "jobs.download": "the document is not ready",
    "jobs.packet_quarter": "quarterly volumes are those of units, and the sample is a branch",
    "jobs.self_check": "reports are those of units, and the sample is a branch",
    "self_checks.show": "self-check tables are those of units, and the sample is a branch",
    "roster.carry": "no file was looked at before",
}

# Where 403 is the answer to somebody who may, because of what they did before in the samples.
MAY_BE_REFUSED = {
    "rectification.close": "whoever noted a finding does not close it",
    "rectification.return_": "nor send it back",
}

EVERYBODY = set(SIGNED_IN)
# Who sees the object of D1 and that of D2. Written by hand: the policy must say the same.
SEEN_BY: dict[type[Any], tuple[set[str], set[str]]] = {
    Duty: ({"Asha", "Chen", "Ines"}, {"Omar"}),
    Evidence: ({"Asha", "Chen", "Ines"}, {"Omar"}),
    Organization: ({"Asha", "Chen", "Ines", "Adam"}, {"Omar", "Adam"}),
    Person: ({"Asha", "Chen", "Ines", "Adam"}, {"Omar", "Adam"}),
    Seat: ({"Asha", "Chen", "Ines", "Adam"}, {"Omar", "Adam"}),
    Inspection: ({"Ines", "Adam"}, {"Adam"}),
    Finding: ({"Asha", "Chen", "Ines", "Adam"}, {"Omar", "Adam"}),
    GoodPractice: ({"Asha", "Chen", "Ines", "Adam"}, {"Omar", "Adam"}),
    Handover: ({"Asha", "Chen"}, {"Omar"}),
    Job: ({"Asha"}, {"Omar"}),
    LogEntry: ({"Ada"}, {"Ada"}),
    Cycle: (EVERYBODY, EVERYBODY),
    ChecklistVersion: (EVERYBODY, EVERYBODY),
}
# Who may do what to it, for every pair of act and kind that a route declares (to look is in the table above).
MAY: dict[tuple[Act, type[Any] | None], tuple[set[str], set[str]]] = {
    (Act.USE, None): (EVERYBODY, EVERYBODY),
    (Act.ADMINISTER, None): ({"Adam"}, {"Adam"}),
    (Act.INSPECT, None): ({"Ines", "Adam"}, {"Ines", "Adam"}),
    (Act.AUDIT, None): ({"Ada"}, {"Ada"}),
    (Act.ADMINISTER, Person): ({"Adam"}, {"Adam"}),
    (Act.ADMINISTER, Organization): ({"Adam"}, {"Adam"}),
    (Act.ADMINISTER, Cycle): ({"Adam"}, {"Adam"}),
    (Act.PREPARE, Duty): ({"Asha"}, {"Omar"}),
    (Act.SIGN, Duty): ({"Asha"}, {"Omar"}),
    (Act.WITHDRAW, Duty): ({"Asha"}, {"Omar"}),
    (Act.CONFIRM, Duty): ({"Chen"}, set()),
    (Act.PREPARE, Evidence): ({"Asha"}, {"Omar"}),
    (Act.PREPARE, Organization): ({"Asha"}, {"Omar"}),
    (Act.REPORT, Organization): ({"Asha", "Chen"}, {"Omar"}),
    (Act.REPORT, Inspection): ({"Ines"}, set()),
    (Act.DECIDE, Organization): ({"Chen", "Adam"}, {"Adam"}),
    (Act.INSPECT, Inspection): ({"Ines"}, set()),
    (Act.RECTIFY, Finding): ({"Asha", "Chen"}, {"Omar"}),
    (Act.RECHECK, Finding): ({"Ines"}, set()),
    (Act.ADMINISTER, Inspection): ({"Adam"}, {"Adam"}),
    (Act.CONFIRM, GoodPractice): (set(), set()),
    (Act.WITHDRAW, GoodPractice): ({"Ines"}, set()),
}

HEADERS = {
    "Content-Security-Policy": re.compile(r"default-src 'none'.*frame-ancestors 'self'"),
    "X-Content-Type-Options": re.compile("^nosniff$"),
    "Referrer-Policy": re.compile("^same-origin$"),
    "Cross-Origin-Opener-Policy": re.compile("^same-origin$"),
    "Cross-Origin-Resource-Policy": re.compile("^same-origin$"),
    "Permissions-Policy": re.compile("geolocation=\\(\\)"),
    "Cache-Control": re.compile("no-store"),
    "X-Request-ID": re.compile("^[0-9a-f]{16}$"),
}


def _mapped() -> Flask:
    return create_app(load_settings(data_dir=Path(tempfile.mkdtemp()), password_salt=SALT, secret_key=SECRET))


APP = _mapped()
RULES = [rule for rule in APP.url_map.iter_rules() if rule.endpoint not in STATIC]
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}
ROUTES = [(rule, method) for rule in RULES for method in sorted((rule.methods or set()) & METHODS)]


def declared(rule: Rule) -> AccessRule | None:
    """The rule of the view behind a route."""
    found: AccessRule | None = getattr(APP.view_functions[rule.endpoint], "access_rule", None)
    return found


GUARDED = [(rule, method) for rule, method in ROUTES if (found := declared(rule)) is not None and found.act is not None]
PAIRS = {(found.act, found.model) for rule in RULES if (found := declared(rule)) is not None and found.act is not None}


def name(route: tuple[Rule, str]) -> str:
    return f"{route[1]}-{route[0].endpoint}"


@dataclass
class Site:
    """The application with its samples; what a write did is undone by putting the pristine file back."""

    app: Flask
    database: Path
    pristine: Path
    samples: Samples
    actors: dict[str, Actor]
    session: Session
    browsers: dict[str, FlaskClient] = field(default_factory=dict)

    def browser(self, who: str) -> FlaskClient:
        """A browser of this person, who has just signed in."""
        if who not in self.browsers:
            self.browsers[who] = self.app.test_client()
            self._sign_in(self.browsers[who], who)
        return self.browsers[who]

    def _sign_in(self, browser: FlaskClient, who: str) -> None:
        moment = int(time.time())
        with browser.session_transaction() as cookie:
            cookie["csrf_token"] = "seed"
            if who != "stranger":
                mine = select(Account.fs_uniquifier).where(Account.username == who.lower())
                cookie.update(_user_id=self.session.scalar(mine), _fresh=True)
                cookie.update(fs_paa=moment, signed_in_at=moment, seen_at=moment)

    def open(self, who: str, rule: Rule, method: str, place: str, *, token: bool = True) -> TestResponse:
        """Send the request of this person to the route, for the object in this place."""
        data = {"csrf_token": URLSafeTimedSerializer(SECRET, salt="wtf-csrf-token").dumps("seed")} if token else {}
        return self.browser(who).open(
            self.address(rule, place), method=method, data=data if method != "GET" else None
        )

    def address(self, rule: Rule, place: str) -> str:
        """The address of a route with everything that it asks for."""
        found = declared(rule)
        model = found.model if found else None
        values: dict[str, Any] = {}
        for part in (model, rule.endpoint.partition(".")[0]):
            values |= self.samples.extras.get(part, {}).get(place, {})
        if found is not None and model is not None:
            values[found.param] = getattr(self.samples.things[model][place], KEYS[model].key)
        missing = rule.arguments - values.keys()
        assert not missing, f"{rule.endpoint}: say in tests/web/samples.py (extras) what stands for {sorted(missing)}"
        with self.app.test_request_context():
            wanted = {name: values[name] for name in rule.arguments}
            return self.app.url_map.bind("localhost").build(rule.endpoint, wanted)

    def restore(self) -> None:
        """Put everything back as it was before a write."""
        self.browsers.clear()
        with self.app.app_context():
            self.app.extensions["sqlalchemy"].engine.dispose()
        for leftover in ("-wal", "-shm"):
            self.database.with_name(self.database.name + leftover).unlink(missing_ok=True)
        shutil.copy(self.pristine, self.database)


@pytest.fixture(scope="module")
def site(filled_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The application over the city, with a sample of everything."""
    folder = tmp_path_factory.mktemp("routes")
    pristine, database = folder / "pristine.sqlite3", folder / "tracker.sqlite3"
    shutil.copy(filled_database, pristine)
    engine = create_engine(f"sqlite:///{pristine}", **engine_options("sqlite"))
    prepare(engine)
    with time_machine.travel(NOW, tick=True), Session(engine, expire_on_commit=False) as session:
        city = City.standing(session)
        samples = build(session, city, folder / "evidence")
        session.commit()
        session.connection().exec_driver_sql("PRAGMA query_only=ON")
        actors = {who: city.actor(who) for who in SIGNED_IN} | {"stranger": Actor(None, "stranger", "")}
        session.rollback()
        with engine.connect() as connection:
            connection.connection.dbapi_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copy(pristine, database)
        app = create_app(load_settings(data_dir=folder, password_salt=SALT, secret_key=SECRET))
        app.testing = False
        yield Site(app, database, pristine, samples, actors, session)
        with app.app_context():
            app.extensions["sqlalchemy"].engine.dispose()
    engine.dispose()


# -- what is declared --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.endpoint)
def test_every_route_declares_who_may_use_it(rule: Rule):
    open_or_closed = rule.endpoint in OPEN | CLOSED
    assert declared(rule) is not None or open_or_closed, f"{rule.endpoint} declares no rule: use guard(…) or public"


def test_the_open_list_is_short():
    strangers = {rule.endpoint for rule in RULES if (found := declared(rule)) is not None and found.act is None}
    assert strangers == {"language.choose", "health.alive", "health.ready", "health.metrics"}
    assert APP.config["OPEN_ENDPOINTS"] == STATIC | OPEN


@pytest.mark.parametrize("model", KEYS, ids=lambda model: model.__name__)
def test_every_kind_of_object_has_a_sample_and_a_row_in_the_table(site: Site, model: type[Any]):
    assert model in site.samples.things, f"make a {model.__name__} in tests/web/samples.py"
    assert model in SEEN_BY, f"say in SEEN_BY who sees a {model.__name__}"


@pytest.mark.parametrize("model", SEEN_BY, ids=lambda model: model.__name__)
def test_the_policy_lets_everybody_see_what_the_table_says(site: Site, model: type[Any]):
    for place, expected in zip(PLACES, SEEN_BY[model], strict=True):
        thing = site.samples.things[model][place]
        assert {who for who in ROLES if sees(site.session, site.actors[who], thing)} == expected, place


def pair_name(pair: tuple[Act, type[Any] | None]) -> str:
    return f"{pair[0].value}-{getattr(pair[1], '__name__', 'nothing')}"


@pytest.mark.parametrize("pair", sorted(PAIRS, key=pair_name), ids=pair_name)
def test_the_policy_lets_everybody_do_what_the_table_says(site: Site, pair: tuple[Act, type[Any] | None]):
    act, model = pair
    table = SEEN_BY.get(model) if act is Act.VIEW and model else MAY.get((act, model))
    assert table is not None, f"say in MAY who may {act.value} a {getattr(model, '__name__', 'thing')}"
    for place, expected in zip(PLACES, table, strict=True):
        thing = site.samples.things[model][place] if model else None
        assert {who for who in ROLES if can(site.session, site.actors[who], act, thing)} == expected, place


# -- what is answered --------------------------------------------------------------------------------------------------


def expected_status(site: Site, who: str, rule: Rule, method: str, place: str) -> int | None:
    """What somebody who may not gets, or None for somebody who may."""
    found = declared(rule)
    assert found is not None
    assert found.act is not None
    if who == "stranger":
        return 302 if method == "GET" else 401
    thing = site.samples.things[found.model][place] if found.model else None
    if thing is not None and not sees(site.session, site.actors[who], thing):
        return 404
    return None if can(site.session, site.actors[who], found.act, thing) else 403


def check_headers(answer: TestResponse) -> None:
    for header, pattern in HEADERS.items():
        assert pattern.search(answer.headers.get(header, "")), f"{header}: {answer.headers.get(header)}"
    assert "Server" not in answer.headers or "Werkzeug" not in answer.headers["Server"]


def check_allowed(rule: Rule, answer: TestResponse) -> None:
    forbidden = {401, 403} if rule.endpoint in MAY_BE_MISSING else {401, 403, 404}
    assert answer.status_code not in forbidden or (answer.status_code == 403 and rule.endpoint in MAY_BE_REFUSED)
    assert answer.status_code < 500
    if answer.status_code == 302:
        assert "/auth/" not in (answer.location or "")


@pytest.mark.parametrize("route", GUARDED, ids=name)
def test_everybody_gets_what_the_declared_rule_says(site: Site, route: tuple[Rule, str]):
    rule, method = route
    found = declared(rule)
    for place in PLACES if found and found.model else PLACES[:1]:
        for who in ROLES:
            expected = expected_status(site, who, rule, method, place)
            answer = site.open(who, rule, method, place)
            try:
                check_headers(answer)
                if expected is None:
                    check_allowed(rule, answer)
                else:
                    assert answer.status_code == expected
            except AssertionError as error:
                raise AssertionError(f"{who} at {site.address(rule, place)} ({place}): {answer.status}") from error
            finally:
                answer.close()
            if expected is None and method != "GET":
                site.restore()


@pytest.mark.parametrize("route", [route for route in ROUTES if route[1] != "GET"], ids=name)
def test_nothing_is_written_without_the_token_of_a_form(site: Site, route: tuple[Rule, str]):
    rule, method = route
    if rule.endpoint in CLOSED:
        address = re.sub(r"<[^>]+>", "x", rule.rule)
        answers = {who: site.browser(who).open(address, method=method) for who in ("stranger", "Adam")}
    else:
        answers = {who: site.open(who, rule, method, "D1", token=False) for who in ROLES}
    for who, answer in answers.items():
        assert answer.status_code == (401 if who == "stranger" else 400), who  # who is signed out is told so
        check_headers(answer)


@pytest.mark.parametrize("endpoint", sorted(CLOSED))
def test_what_is_closed_is_closed_to_everybody(site: Site, endpoint: str):
    for rule in (rule for rule in RULES if rule.endpoint == endpoint and "GET" in (rule.methods or ())):
        address = re.sub(r"<[^>]+>", "x", rule.rule)
        for who in ROLES:
            assert site.browser(who).get(address).status_code == 403


def test_an_address_that_leads_nowhere_is_404_for_everybody(site: Site):
    for who in ROLES:
        answer = site.browser(who).get("/no/such/page")
        assert answer.status_code == 404
        check_headers(answer)


def test_a_key_of_nothing_is_404_and_not_told_from_one_that_may_not_be_seen(site: Site):
    foreign = site.samples.things[Organization]["D2"].code
    known = {rule.endpoint: rule for rule in RULES}
    for endpoint in ("organizations.show", "assignments.show"):
        if endpoint not in known:
            continue
        prefix = known[endpoint].rule.partition("<")[0]
        pages = [site.browser("Asha").get(prefix + key).get_data(as_text=True) for key in (foreign, "nothing")]
        assert len({re.sub(r"[0-9a-f]{16}|value=\"[^\"]*\"|nonce=\"[^\"]*\"", "", page) for page in pages}) == 1


def test_the_nonce_is_new_for_every_answer(site: Site):
    policies = {site.browser("Asha").get("/accounts/own").headers["Content-Security-Policy"] for _ in range(3)}
    assert len(policies) == 3


def test_every_table_that_pages_load_has_a_key_that_travels():
    for model, column in KEYS.items():
        assert column.key != "id", model
        assert inspect(model).columns[column.key].unique or model is LogEntry, model
