"""Forms say in the page's own words what is missing: a browser would say it in its own language, one at a time."""

from __future__ import annotations

import re

from tests.test_architecture import PAGES, name_of

FORM = re.compile(r"<form\b(?P<head>(?:\{\{.*?\}\}|[^>])*)>(?P<body>.*?)</form>", re.DOTALL)
ASKS = re.compile(r"\bfield\(|<select|<textarea|\brequired\b|<input(?![^>]*type=\"hidden\")|as_of\w*\(|\bday_\w+\(")


def test_no_form_that_asks_for_something_leaves_it_to_the_browser_to_say_what_is_missing():
    wrong = [
        name_of(path, text.count("\n", 0, form.start()) + 1)
        for path in PAGES
        if "reports" not in path.parts
        for text in [path.read_text("utf-8")]
        for form in FORM.finditer(text)
        if 'method="post"' in form["head"] or "required" in form["body"]
        if ASKS.search(form["body"]) and "novalidate" not in form["head"]
    ]
    assert wrong == []
