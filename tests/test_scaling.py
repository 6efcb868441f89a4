"""The plan for many machines speaks of every table that there is, and says the same in both languages."""

from __future__ import annotations

import re

import pytest

from tracker.config import CHECKOUT, Settings
from tracker.models import Base

PAGES = ("scaling.md", "scaling.zh-CN.md")


def page(name: str) -> str:
    return (CHECKOUT / "docs" / name).read_text("utf-8")


def groups(name: str) -> list[list[str]]:
    """The tables of each line of the plan."""
    rows = (line for line in page(name).splitlines() if line.startswith("| `"))
    return [re.findall(r"`(\w+)`", line.split(" | ")[0]) for line in rows]


@pytest.mark.parametrize("name", PAGES)
def test_every_table_has_its_place_in_the_plan_once(name: str):
    assert sorted(table for group in groups(name) for table in group) == sorted(Base.metadata.tables)


@pytest.mark.parametrize("name", PAGES)
def test_tables_that_are_said_to_carry_the_unit_do(name: str):
    carrying, *others = groups(name)
    for table in carrying:
        assert "unit_id" in Base.metadata.tables[table].columns
    for group in others:
        for table in set(group) - {"organization", "organization_fact"}:
            assert "unit_id" not in Base.metadata.tables[table].columns, table


@pytest.mark.parametrize("name", PAGES)
def test_every_setting_that_is_named_is_one(name: str):
    named = set(re.findall(r"`(TRACKER_\w+)", page(name)))
    assert len(named) >= 5
    assert named <= {f"TRACKER_{field.upper()}" for field in Settings.model_fields}


def test_both_languages_say_the_same():
    def numbers(name: str) -> list[str]:
        return re.findall(r"\d{1,3}(?:,\d{3})+|\d+ MB|4\.2 KB", page(name))

    english, chinese = PAGES
    assert groups(english) == groups(chinese)
    assert set(numbers(chinese)) == set(numbers(english)) - {"170,000"}  # in Chinese: 17 万
    assert len(re.findall(r"^(?:\||## |\* )", page(english), re.MULTILINE)) == len(
        re.findall(r"^(?:\||## |\* )", page(chinese), re.MULTILINE)
    )
