"""Refusals: every rule that can say no is a class here; what HTTP makes of it is a table in `tracker.web.errors`."""

from __future__ import annotations


class RuleError(Exception):
    """A rule says no.

    `message` is a Chinese sentence (a gettext key, marked with `_n`) with named `%(x)s` places; `values` fills them.
    The sentence says what is wrong and what to do. `field` names the form field it belongs to, where there is one.
    """

    def __init__(self, message: str, *, field: str | None = None, **values: object) -> None:
        self.message = message
        self.field = field
        self.values = values
        super().__init__(message % values if values else message)


class NotAllowed(RuleError):
    """This person may not do this here (403)."""


class Invalid(RuleError):
    """What was entered cannot be right (400)."""


class WrongState(RuleError):
    """The object is not in a state that permits this (409)."""


class Conflict(RuleError):
    """Somebody else was faster, or the same thing exists already with another content (409)."""


class TooLarge(RuleError):
    """More bytes than the limit allows (413)."""


class NotFound(RuleError):
    """No such object, or none that this person may know of (404)."""


class Unavailable(RuleError):
    """Something that the system needs outside of itself does not answer, or answers wrongly (503)."""
