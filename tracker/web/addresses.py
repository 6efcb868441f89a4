"""Which page an address belongs to: its own, or the nearest above it that can be opened.

After a refusal the page of a thing stands at the address of what was done to it, which nobody can open.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from flask import current_app, g, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule

BYTES = frozenset({"evidence.download"})  # what is no page, though pages of acts lie below it


@dataclass(frozen=True)
class Opened:
    """A page that can be opened: its endpoint and its address."""

    endpoint: str
    address: str

    @property
    def blueprint(self) -> str:
        """The part of the program whose page it is."""
        return self.endpoint.rpartition(".")[0]


def page_here() -> Opened:
    """The page that this request is about; the first page where its address is none of ours."""
    if "page_here" not in g:
        g.page_here = _nearest()
    found: Opened = g.page_here
    return found


def _nearest() -> Opened:
    pages, rule = _pages(current_app.url_map), _rule()
    if rule is not None:
        shape, path = _shape(rule).split("/"), request.path.split("/")
        for parts in range(len(shape), 1, -1):
            endpoint = pages.get("/".join(shape[:parts]))
            if endpoint:
                return Opened(endpoint, request.root_path + "/".join(path[:parts]))
    return Opened(pages["/"], f"{request.root_path}/")


def _rule() -> Rule | None:
    """The rule of this address, whether it can be opened or is only for acts."""
    adapter = current_app.create_url_adapter(request)
    for method in (request.method, "GET", "POST"):
        try:
            return adapter.match(method=method, return_rule=True)[0] if adapter else None
        except HTTPException:  # not found, not by this method, or only as it should be written
            continue
    return None


@lru_cache(maxsize=4)
def _pages(known: Map) -> dict[str, str]:
    """The endpoints that can be opened, by the shape of their address."""
    rules = [rule for rule in known.iter_rules() if "GET" in (rule.methods or ()) and rule.endpoint not in BYTES]
    return {_shape(rule): str(rule.endpoint) for rule in rules}


def _shape(rule: Rule) -> str:
    return re.sub(r"<[^>]*>", "<>", rule.rule)
