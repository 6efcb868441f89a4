"""How the words of a checklist file become text, numbers, yes/no and days: only where the schema asks for them."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

FLAGS = {"yes": True, "true": True, "no": False, "false": False}
WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,8})")
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
OTHER_TYPE = re.compile(r"true|True|TRUE|false|False|FALSE")  # what an editor takes for something else than text


class Plain(str):
    """A word that stands in the file without quotation marks."""

    __slots__ = ()


def read_whole(value: object) -> object:
    """Read a whole number: `4`, not `"4"`, `4.0` or `04`."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, Plain) and WHOLE.fullmatch(value):
        return int(value)
    raise PydanticCustomError("whole_number", "not a whole number", {"quoted": is_quoted(value, WHOLE)})


def _flag(value: object) -> object:
    """Read `true`, `false`, `yes` or `no` without quotation marks."""
    if isinstance(value, bool):
        return value
    if isinstance(value, Plain) and value in FLAGS:
        return FLAGS[value]
    raise PydanticCustomError("flag", "not yes or no", {})


def _day(value: object) -> object:
    """Read a day written as `2026-11-01`."""
    if isinstance(value, date):
        return value
    if isinstance(value, str) and DAY.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise PydanticCustomError("day", "not a day", {})


def _text(value: object) -> object:
    """Read text. Numbers stay as they are written; true and false need quotation marks to be text."""
    if isinstance(value, Plain) and OTHER_TYPE.fullmatch(value):
        raise PydanticCustomError("flag_as_text", "true or false where text is wanted", {})
    return str(value) if isinstance(value, str) else value


def is_quoted(value: object, pattern: re.Pattern[str]) -> bool:
    """Whether the value would fit the pattern if it stood without quotation marks."""
    return isinstance(value, str) and not isinstance(value, Plain) and pattern.fullmatch(value) is not None


def _free_text(longest: int, *, shortest: int = 0, pattern: str = "") -> dict[str, Any]:
    """Give the schema of free text. Editors see unquoted numbers as numbers; the checklist keeps them as text."""
    schema: dict[str, Any] = {"type": ["string", "number"], "maxLength": longest}
    if shortest:
        schema["minLength"] = shortest
    if pattern:
        schema["pattern"] = pattern
    return schema


ONE_LINE = r"^[^\r\n]*[^\s][^\r\n]*$"

Whole = Annotated[int, BeforeValidator(read_whole)]
Flag = Annotated[bool, BeforeValidator(_flag), WithJsonSchema({"enum": [True, False, "yes", "no"]})]
Day = Annotated[date, BeforeValidator(_day)]
Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,31}$"), BeforeValidator(_text)]
MonthDay = Annotated[str, StringConstraints(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$")]
Line = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200, pattern=ONE_LINE),
    BeforeValidator(_text),
    WithJsonSchema(_free_text(200, shortest=1, pattern=ONE_LINE)),
]
Text = Annotated[
    str,
    StringConstraints(min_length=1, max_length=2000, pattern=r"\S"),
    BeforeValidator(_text),
    WithJsonSchema(_free_text(2000, shortest=1, pattern=r"\S")),
]
Note = Annotated[str, StringConstraints(max_length=2000), BeforeValidator(_text), WithJsonSchema(_free_text(2000))]
