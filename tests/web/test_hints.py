"""How hints are shown: each with what was compared, and a link only where the record may be opened."""

from __future__ import annotations

import re

from flask import Flask, render_template_string

from tracker.domain.hints import Hint, HintKind

PAGE = '{% from "desk/_hints.html" import hints with context %}{{ hints(found) }}'
NAMED = Hint(
    HintKind.SAME_FILE,
    "《%(name)s》与%(organization)s佐证 %(record)s（%(act_on)s）中的文件完全相同（比较了文件摘要）。",
    {"name": "<b>纪要</b>.docx", "organization": "乙局", "record": "2026.B.7", "act_on": "2026-03-05"},
    record="2026.B.7",
)
UNNAMED = Hint(
    HintKind.NEAR_PICTURE,
    "《%(name)s》与另一单位的一张图片相近（比较了画面；对方不在本次查阅范围内）。",
    {"name": "100%.jpg"},
)


def shown(app: Flask, *found: Hint) -> str:
    with app.test_request_context():
        return render_template_string(PAGE, found=list(found))


def test_hints_say_what_they_are_and_only_what_may_be_opened_has_a_link(app: Flask) -> None:
    page = shown(app, NAMED, UNNAMED)
    assert "提示只供核查时参考，不是结论；不计分，不打印，仅督查组可见。" in page
    lines = re.findall(r"<li>.*?</li>", page, re.S)
    assert [re.findall(r'<a href="([^"]*)"', line) for line in lines] == [["/evidence/2026.B.7"], []]
    assert "乙局佐证 2026.B.7（2026-03-05）" in lines[0]
    assert "《100%.jpg》与另一单位的一张图片相近" in lines[1]


def test_the_name_of_a_file_is_text_and_no_markup(app: Flask) -> None:
    assert "&lt;b&gt;纪要&lt;/b&gt;" in shown(app, NAMED)


def test_without_hints_there_is_no_heading(app: Flask) -> None:
    assert shown(app).strip() == ""
