"""Pages over HTTP, signed in, against a view that renders the same template from ready-made values."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from tracker.cli.bench.ground import PASSWORD, Ground, visitors
from tracker.cli.bench.measure import BenchError
from tracker.cli.bench.page_floor import PAGES
from tracker.cli.bench.table import Row, middle, p95_of
from tracker.cli.bench.visits import Answers, load, serving, sign_in
from tracker.db import db
from tracker.domain.duty import State
from tracker.queries import bench as acted
from tracker.queries import seed as seeded

WARM_UP = 0.5  # seconds
GROWTH, PROVINCE = 1.3, 1.5


@dataclass(frozen=True)
class Page:
    """A page, who looks at it, and where it is."""

    name: str
    account: str
    path: str


@dataclass(frozen=True)
class Visited:
    """A page with the cookie of whoever looks at it."""

    page: Page
    cookie: str


@dataclass(frozen=True)
class Served:
    """The ports of the program and of the floor, and the pages."""

    port: int
    floor: int
    pages: Sequence[Visited]


def pages_of(ground: Ground) -> list[Page]:
    """The pages that are measured, on this ground."""
    app = ground.application()
    with app.app_context():
        session, who = db.session(), visitors()
        cycle = acted.latest_year(session)
        if cycle is None:
            raise BenchError("no year is open")
        duty = acted.duty_in(session, cycle, seeded.organization(session, who.base).id, state=State.CONFIRMED)
        inspection = acted.last_inspection(session)
        found = [
            Page("my duties", who.secretary, "/"),
            Page("duty page", who.secretary, f"/duties/{duty}"),
            Page("unit board", who.head, f"/board/units/{who.unit}"),
            Page("city board", who.top, "/board"),
            Page("sign-off queue", who.middle, "/sign-offs"),
            Page("desk queue", who.inspector, f"/inspections/{inspection}/desk"),
        ]
        db.session.remove()
        db.engine.dispose()
    return found


@contextmanager
def served(ground: Ground) -> Iterator[Served]:
    """Serve the program and the floor of its pages beside it."""
    pages, environment, logs = pages_of(ground), ground.environment(), ground.root
    with ExitStack() as stack:
        port = stack.enter_context(serving("wsgi:app", environment, logs / "pages.log"))
        cookies = {account: sign_in(port, account, PASSWORD) for account in {page.account for page in pages}}
        told = [{"path": page.path, "cookie": cookies[page.account]} for page in pages]
        file = ground.root / "pages.json"
        file.write_text(json.dumps(told), "utf-8")
        beside = {**environment, PAGES: str(file)}
        target = "tracker.cli.bench.page_floor:application"
        floor = stack.enter_context(serving(target, beside, logs / "floor.log", "--factory"))
        yield Served(port, floor, [Visited(page, cookies[page.account]) for page in pages])


def against_floor(ground: Ground, *, seconds: float, rounds: int) -> Iterator[Row]:
    """Requests in a second of each page, against those of the floor, in turn."""
    with served(ground) as there:
        for visited in there.pages:
            path, cookie = visited.page.path, visited.cookie
            ours, floor = [], []
            for port in (there.port, there.floor):
                load(port, path, cookie, seconds=WARM_UP)
            for _ in range(rounds):
                ours.append(load(there.port, path, cookie, seconds=seconds))
                floor.append(load(there.floor, path, cookie, seconds=seconds))
            yield Row(
                name=f"{visited.page.name} : its template alone",
                unit="req/s",
                value=middle([one.rate for one in ours]),
                floor=middle([one.rate for one in floor]),
                demand=0.5,
                more=True,
                p95=_p95(ours),
                floor_p95=_p95(floor),
            )


def grown(ground: Ground, small: Ground, *, seconds: float, rounds: int, province: bool) -> Iterator[Row]:
    """The p95 of each page on a large ground against the same on a small one, in turn."""
    with _one(small) as (here, pages), _one(ground) as (there, theirs):
        for mine, other in zip(pages, theirs, strict=True):
            little, much = [], []
            for _ in range(rounds + 1):  # the first is to warm up
                little.append(load(here, mine.page.path, mine.cookie, seconds=seconds))
                much.append(load(there, other.page.path, other.cookie, seconds=seconds))
            yield Row(
                name=f"{mine.page.name}, p95 : {'of a city' if province else 'of a tenth of a city year'}",
                unit="ms",
                value=_p95(much[1:]),
                floor=_p95(little[1:]),
                demand=PROVINCE if province else GROWTH,
                at_most=True,
            )


@contextmanager
def _one(ground: Ground) -> Iterator[tuple[int, list[Visited]]]:
    pages = pages_of(ground)
    with serving("wsgi:app", ground.environment(), ground.root / "pages.log") as port:
        cookies = {account: sign_in(port, account, PASSWORD) for account in {page.account for page in pages}}
        yield port, [Visited(page, cookies[page.account]) for page in pages]


def _p95(answers: Sequence[Answers]) -> float:
    return p95_of([second for one in answers for second in one.seconds])
