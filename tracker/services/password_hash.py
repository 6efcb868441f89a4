"""Passwords as they are stored: argon2id over a keyed digest, so that a stolen table alone cannot be tried."""

from __future__ import annotations

import hmac
from base64 import b64encode
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha512

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError


@dataclass(frozen=True)
class Hasher:
    """Hashes and checks passwords with the installation's own key (`settings.password_salt`)."""

    key: str = field(repr=False)
    argon2: PasswordHasher = field(default_factory=PasswordHasher)

    @cached_property
    def _nobody(self) -> str:
        """The hash that stands in for an account that is not there, so that the answer takes as long."""
        return self.hash("nobody has this password")

    def _keyed(self, password: str) -> bytes:
        return b64encode(hmac.new(self.key.encode(), password.encode(), sha512).digest())

    def hash(self, password: str) -> str:
        """Return the hash to be stored."""
        return self.argon2.hash(self._keyed(password))

    def verify(self, password: str, stored: str | None) -> bool:
        """Whether the password is the one that was hashed; with no stored hash, False after the same time."""
        try:
            fits = self.argon2.verify(stored or self._nobody, self._keyed(password))
        except (VerificationError, InvalidHashError):
            return False
        return fits and stored is not None

    def is_outdated(self, stored: str) -> bool:
        """Whether the hash was made with weaker settings than those of today."""
        return self.argon2.check_needs_rehash(stored)
