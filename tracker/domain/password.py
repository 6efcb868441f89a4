"""Passwords, one-time codes, locks and account names: the rules, and nothing that is stored."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from tracker.domain.common_passwords import WHOLE, WORDS
from tracker.domain.errors import Invalid
from tracker.domain.text import _n

FAILURES_ALLOWED = 5
FIRST_LOCK = timedelta(minutes=15)
LONGEST_LOCK = timedelta(hours=24)
CODE_LIFE = timedelta(hours=72)
LONGEST_PASSWORD = 128
_FEWEST_DIFFERENT = 5
_CODE_LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
_DRESS = str.maketrans("@0135$7!", "aolessti")


@dataclass(frozen=True)
class Profile:
    """What an installation asks of a password: length, classes, age, and how many of the latest may not come back."""

    shortest: int
    classes: int
    longest_age: timedelta | None
    history: int


# The two standards contradict each other: GB/T 22239 asks for complexity and regular renewal (8.1.4.1 a), OWASP ASVS
# forbids both (6.2.5, 6.2.10) and wants length. An installation chooses; the first is what this audience is audited by.
PROFILES: dict[str, Profile] = {
    "gb22239": Profile(shortest=8, classes=3, longest_age=timedelta(days=90), history=5),
    "asvs": Profile(shortest=15, classes=0, longest_age=None, history=1),
}


def same_name(username: str) -> str:
    """The form in which two ways to write an account name are the same."""
    return unicodedata.normalize("NFKC", username).strip().casefold()


def lock_length(lock_count: int) -> timedelta:
    """How long the n-th lock in a row lasts (n from 1): 15 minutes, then twice as long each time, a day at most."""
    doublings: int = min(lock_count, 16) - 1
    return min(FIRST_LOCK * (1 << doublings), LONGEST_LOCK)


def one_time_code() -> str:
    """Return a random code in four groups that can be read out: no letter looks like another one or like a digit."""
    return "-".join("".join(secrets.choice(_CODE_LETTERS) for _ in range(4)) for _ in range(4))


def plain_code(typed: str) -> str:
    """The letters of a one-time code, however they were typed."""
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", typed)).upper()


def code_has_expired(issued_at: datetime | None, *, now: datetime) -> bool:
    """Whether a one-time code is too old to sign in with."""
    return issued_at is None or now - issued_at >= CODE_LIFE


def has_aged(changed_at: datetime | None, *, profile: Profile, now: datetime) -> bool:
    """Whether a password must be changed because of its age."""
    if profile.longest_age is None:
        return False
    return changed_at is None or now - changed_at >= profile.longest_age


def check_password(password: str, *, profile: Profile, context: Iterable[str] = ()) -> None:
    """Raise `Invalid` unless the password may be used.

    `context` are words that anybody would try for this person: the account name, the name, the staff number.
    """
    if len(password) < profile.shortest:
        raise _invalid(_n("密码至少 %(least)s 位，可以用容易记住的一句话。"), least=profile.shortest)
    if len(password) > LONGEST_PASSWORD:
        raise _invalid(_n("密码最多 %(most)s 位，请缩短。"), most=LONGEST_PASSWORD)
    if classes_in(password) < profile.classes:
        raise _invalid(
            _n("密码须包含大写字母、小写字母、数字、符号中的至少 %(classes)s 类，请补充。"), classes=profile.classes
        )
    if is_common(password):
        raise _invalid(_n("这个密码太常见，容易被猜到，请换一个。"))
    if word := next((word for word in context if _holds(password, word)), None):
        raise _invalid(_n("密码里不要出现“%(word)s”这样与本人有关的内容，请换一个。"), word=word)


def classes_in(password: str) -> int:
    """How many of the four classes occur: capital letters, small letters, digits, and everything else."""
    return len({_class_of(letter) for letter in password})


def _class_of(letter: str) -> str:
    if letter.isdigit():
        return "digit"
    return "capital" if letter.isupper() else "small" if letter.islower() else "other"


def is_common(password: str) -> bool:
    """Whether the password is on everybody's list, a word dressed up with digits, a run, or nearly one character."""
    folded = password.casefold()
    cores = {re.sub(pattern, "", folded).translate(_DRESS) for pattern in (r"[\W\d_]+$", r"^[\W\d_]+|[\W\d_]+$")}
    return folded in WHOLE or bool(cores & WORDS) or len(set(folded)) < _FEWEST_DIFFERENT or _is_run(folded)


def _is_run(text: str) -> bool:
    """Whether every character follows the one before: 12345678…, abcdefgh…, or the same downwards."""
    steps = {_step(before, after) for before, after in pairwise(text)}
    return len(steps) == 1


def _step(before: str, after: str) -> int:
    step = ord(after) - ord(before)
    return step % 10 if (before + after).isdigit() else step


def _holds(password: str, word: str) -> bool:
    plain = same_name(word)
    least = 3 if plain.isascii() else 2
    return len(plain) >= least and plain in password.casefold()


def _invalid(message: str, **values: object) -> Invalid:
    return Invalid(message, field="password", **values)
