"""The English catalogue: extracted from the sources, brought up to date, compiled. `./dev messages` runs this module.

Chinese needs no catalogue: a sentence in the code is its own Chinese. The .po file carries no places and no times, so
that a change to it shows changed sentences only.
"""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime
from pathlib import Path

from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parent.parent
ENGLISH = ROOT / "tracker" / "translations" / "en" / "LC_MESSAGES" / "messages.po"
SOURCES = [("tracker/**.py", "python"), ("templates/**", "jinja2")]
KEYWORDS = {"_": None, "gettext": None, "_l": None, "lazy_gettext": None, "_n": None, "ngettext": (1, 2)}
HEADER = """\
# English for the sentences of the tracker. Refresh it with ./dev messages, then fill in what is empty.
msgid ""
msgstr ""
"Language: en\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"

"""
# A compiled catalogue has to name a time; one that does not move keeps the file the same.
ALWAYS = datetime(2000, 1, 1, tzinfo=UTC)


def extracted() -> Catalog:
    """Every sentence that the sources mark for translation."""
    found = Catalog()
    for _, _, message, _, context in extract_from_dir(ROOT, SOURCES, keywords=KEYWORDS):
        found.add(message, context=context)
    return found


def committed(path: Path = ENGLISH) -> Catalog:
    """The catalogue as it lies in the repository."""
    with path.open("rb") as file:
        return read_po(file, locale="en", abort_invalid=True)


def refreshed() -> Catalog:
    """The committed catalogue with the sentences of today: new ones empty, those that are gone left out."""
    old = committed() if ENGLISH.exists() else Catalog(locale="en")
    new = Catalog(locale="en", creation_date=ALWAYS, revision_date=ALWAYS, fuzzy=False)
    for message in extracted():
        if message.id:
            known = old.get(message.id)
            new.add(message.id, known.string if known and not known.fuzzy else "")
    return new


def write(catalog: Catalog) -> None:
    """Write the .po file and, beside it, the compiled one."""
    text = io.BytesIO()
    write_po(text, catalog, width=None, no_location=True, omit_header=True, sort_output=True)
    ENGLISH.parent.mkdir(parents=True, exist_ok=True)
    ENGLISH.write_bytes(HEADER.encode() + text.getvalue())
    with ENGLISH.with_suffix(".mo").open("wb") as file:
        write_mo(file, catalog)


def main() -> int:
    """Refresh both files; name what has no English yet and return 1 if there is any."""
    catalog = refreshed()
    write(catalog)
    missing = [message.id for message in catalog if message.id and not message.string]
    sys.stderr.write(f"{len(catalog)} sentences, {len(missing)} without English\n")
    sys.stderr.writelines(f"  {sentence}\n" for sentence in missing)
    return 1 if missing else 0


if __name__ == "__main__":
    raise SystemExit(main())
