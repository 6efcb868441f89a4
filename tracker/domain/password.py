"""Passwords, locks and account names: the rules."""

from __future__ import annotations

import unicodedata
from datetime import timedelta

FAILURES_ALLOWED = 5
FIRST_LOCK = timedelta(minutes=15)
LONGEST_LOCK = timedelta(hours=24)


def same_name(username: str) -> str:
    """The form in which two ways to write an account name are the same."""
    return unicodedata.normalize("NFKC", username).strip().casefold()


def lock_length(lock_count: int) -> timedelta:
    """How long the n-th lock in a row lasts (n from 1): 15 minutes, then twice as long each time, a day at most."""
    return min(FIRST_LOCK * 2 ** min(lock_count - 1, 16), LONGEST_LOCK)
