"""The words of documents in another language; apart, since whoever checks a packet needs nothing else of documents."""

from __future__ import annotations

from collections.abc import Callable

from babel.support import Translations

from tracker.config import CHECKOUT

TRANSLATIONS = CHECKOUT / "tracker" / "translations"


def translator(language: str) -> Callable[[str], str]:
    """Return what turns the Chinese words of a document into `language` (`zh` or `en`)."""
    return Translations.load(str(TRANSLATIONS), [language]).gettext if language != "zh" else str
